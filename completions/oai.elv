
use builtin;
use str;

set edit:completion:arg-completer[oai] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'oai'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'oai'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand pull 'Download a model from the Hugging Face hub'
            cand search 'Find models: short names first, then the hub''s repositories'
            cand list 'List the models on this machine'
            cand ls 'List the models on this machine'
            cand show 'Show what a model is'
            cand rm 'Delete models from this machine'
            cand import 'Adopt a model file or folder under a name'
            cand prune 'Delete what is not needed any more'
            cand du 'Show how much disk the models take'
            cand verify 'Check that files are what was pulled or imported'
            cand lock 'Write down exact commits and hashes of pulled models'
            cand login 'Store an access token of the hub, for gated and private repositories'
            cand logout 'Delete the stored access token of the hub'
            cand ask 'Ask a question and print the answer'
            cand chat 'Talk with a model'
            cand history 'List, search, export and delete saved conversations'
            cand tokenize 'Show the tokens of a text'
            cand embed 'Turn texts into vectors'
            cand quantize 'Make a model smaller, as a GGUF file'
            cand perplexity 'Measure how well a model foresees a text'
            cand bench 'Measure how fast a model is'
            cand fit 'Show which models fit this machine, and how fast each would be'
            cand top 'Watch the machine and every oai that runs on it'
            cand doctor 'Check this installation, and show what a bug report needs'
            cand tune 'Train a small model from a corpus of questions and answers'
            cand config 'Show the effective settings and where each came from'
            cand completions 'Print a completion script for a shell'
            cand man 'Print a man page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'oai;pull'= {
            cand --revision 'A branch, tag or commit of the repository'
            cand --fit 'Choose the quantization for a machine with so much memory, such as 8G'
            cand --locked 'Fetch the exact commits and hashes of a file that `oai lock` wrote'
            cand --force 'Fetch again what is already here'
            cand --dry-run 'List the files and their sizes, and fetch nothing'
            cand --json 'Print events as JSON objects, one a line'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;search'= {
            cand --limit 'Show at most N short names and N repositories'
            cand --sort 'What comes first'
            cand --gguf 'Only repositories with GGUF files'
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;list'= {
            cand --all 'Also what lies elsewhere: other programs'' models, unfinished downloads, what cannot run'
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;ls'= {
            cand --all 'Also what lies elsewhere: other programs'' models, unfinished downloads, what cannot run'
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;show'= {
            cand --json 'Print a JSON object'
            cand --template 'Print the chat template and nothing else'
            cand --tensors 'List the tensors: names, types, shapes and sizes'
            cand --provenance 'Print where it came from: commit, files with their hashes, licence, time'
            cand --architectures 'List the architectures that run, and how far each is from its reference'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;rm'= {
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;import'= {
            cand --link 'Leave the files where they are, and point at them'
            cand --force 'Replace a model that has this name, or take a name that means another'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;prune'= {
            cand --older-than 'Models that were not used for so long: 30d, 12h, 2w'
            cand --keep-last 'All models but the N that were used last'
            cand --dry-run 'Say what would go, and delete nothing'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;du'= {
            cand --all 'Also the folders of ollama and LM Studio'
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;verify'= {
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;lock'= {
            cand -o 'The file to write; - is standard output'
            cand --output 'The file to write; - is standard output'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;login'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;logout'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;ask'= {
            cand -m 'The model: an alias, org/repo[:TAG], a path, or guide'
            cand --model 'The model: an alias, org/repo[:TAG], a path, or guide'
            cand -f 'Add a text file to the prompt (repeatable)'
            cand --file 'Add a text file to the prompt (repeatable)'
            cand -s 'The system message'
            cand --system 'The system message'
            cand --logprobs 'With --json: token ids, and the N best log-probabilities of each generated token'
            cand --tools 'Functions that the model may call: a JSON list as in OpenAI''s API; calls are printed as JSON, one a line'
            cand --documents 'Texts to answer from, for models that cite: a JSON list of objects with title and text'
            cand -t 'Randomness: 0 is greedy, always the likeliest token'
            cand --temperature 'Randomness: 0 is greedy, always the likeliest token'
            cand --top-k 'Draw from the K likeliest tokens only; 0 is all'
            cand --top-p 'Draw from the smallest set of tokens whose probability reaches P; 1 is all'
            cand --min-p 'Drop tokens less likely than P times the likeliest; 0 drops none'
            cand --repeat-penalty 'Make recent tokens less likely; 1 is off'
            cand --presence-penalty 'Subtract X from the logit of every token generated before; 0 is off'
            cand --frequency-penalty 'Subtract X from a token''s logit for each time it was generated; 0 is off'
            cand --seed 'Random seed: the same seed gives the same text'
            cand --stop 'End the answer before this text (repeatable)'
            cand -n 'At most N tokens of answer'
            cand --max-tokens 'At most N tokens of answer'
            cand --context 'Tokens that prompt and answer may have together [default: what the model was trained for]'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --think 'What becomes of a model''s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]'
            cand --reasoning-effort 'How long a model thinks that lets itself be told: low, medium or high'
            cand --speculate 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]'
            cand --draft 'A smaller model with the same vocabulary that guesses'
            cand --json 'Print one JSON object instead of text'
            cand --raw 'Send the prompt as it is, without the chat template'
            cand --stats 'Print speeds and times on standard error'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;chat'= {
            cand -s 'The system message'
            cand --system 'The system message'
            cand --resume 'Go on with this conversation: its number or name, as `oai history` lists them'
            cand --load 'Begin with a conversation that /save or /export wrote'
            cand -f 'Send a text file with the first question (repeatable)'
            cand --file 'Send a text file with the first question (repeatable)'
            cand --theme 'The colours: a theme of `themes/` or of your own'
            cand -t 'Randomness: 0 is greedy, always the likeliest token'
            cand --temperature 'Randomness: 0 is greedy, always the likeliest token'
            cand --top-k 'Draw from the K likeliest tokens only; 0 is all'
            cand --top-p 'Draw from the smallest set of tokens whose probability reaches P; 1 is all'
            cand --min-p 'Drop tokens less likely than P times the likeliest; 0 drops none'
            cand --repeat-penalty 'Make recent tokens less likely; 1 is off'
            cand --presence-penalty 'Subtract X from the logit of every token generated before; 0 is off'
            cand --frequency-penalty 'Subtract X from a token''s logit for each time it was generated; 0 is off'
            cand --seed 'Random seed: the same seed gives the same text'
            cand --stop 'End the answer before this text (repeatable)'
            cand -n 'At most N tokens of answer'
            cand --max-tokens 'At most N tokens of answer'
            cand --context 'Tokens that prompt and answer may have together [default: what the model was trained for]'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --think 'What becomes of a model''s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]'
            cand --reasoning-effort 'How long a model thinks that lets itself be told: low, medium or high'
            cand --speculate 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]'
            cand --draft 'A smaller model with the same vocabulary that guesses'
            cand -c 'Go on with the last conversation'
            cand --continue 'Go on with the last conversation'
            cand --plain 'Line by line, for simple terminals'
            cand --stats 'Print speeds and times after each answer (line by line)'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history'= {
            cand --tag 'Only conversations with this tag'
            cand -n 'At most N, the newest'
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand search 'Search all conversations for words'
            cand show 'Print a conversation as Markdown'
            cand export 'Write a conversation to a file'
            cand import 'Add a conversation from a file'
            cand rename 'Name a conversation'
            cand tag 'Add tags to a conversation'
            cand untag 'Take tags off a conversation'
            cand rm 'Delete conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'oai;history;search'= {
            cand -n 'At most N messages, the best'
            cand --json 'Print a JSON array'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;show'= {
            cand --json 'Print JSON, which oai history import reads'
            cand --html 'Print an HTML page'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;export'= {
            cand --force 'Replace a file that is there'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;import'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;rename'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;tag'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;untag'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;rm'= {
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;history;help'= {
            cand search 'Search all conversations for words'
            cand show 'Print a conversation as Markdown'
            cand export 'Write a conversation to a file'
            cand import 'Add a conversation from a file'
            cand rename 'Name a conversation'
            cand tag 'Add tags to a conversation'
            cand untag 'Take tags off a conversation'
            cand rm 'Delete conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'oai;history;help;search'= {
        }
        &'oai;history;help;show'= {
        }
        &'oai;history;help;export'= {
        }
        &'oai;history;help;import'= {
        }
        &'oai;history;help;rename'= {
        }
        &'oai;history;help;tag'= {
        }
        &'oai;history;help;untag'= {
        }
        &'oai;history;help;rm'= {
        }
        &'oai;history;help;help'= {
        }
        &'oai;tokenize'= {
            cand -m 'The model: an alias, org/repo[:TAG], a path, or guide'
            cand --model 'The model: an alias, org/repo[:TAG], a path, or guide'
            cand -f 'Read the text, or the ids, from a file'
            cand --file 'Read the text, or the ids, from a file'
            cand --ids 'Print the ids on one line, with spaces between'
            cand --json 'Print a JSON object: ids, and pieces as the vocabulary spells them'
            cand --no-special 'Take the text as nothing but text: no BOS or EOS around it, no control tokens in it; with --decode, leave control tokens out'
            cand --decode 'The other way: read ids (between spaces, commas, or as JSON) and print their text, with nothing added (bytes that are no whole character as U+FFFD)'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;embed'= {
            cand -m 'The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]'
            cand --model 'The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]'
            cand -f 'A file that is a text (repeatable)'
            cand --file 'A file that is a text (repeatable)'
            cand --prompt 'What the text is for, by the model''s own names (query, document, ...): puts that prompt before it'
            cand --dimensions 'The first N components alone, for models that are trained for it'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --lines 'Every line of files and of standard input is a text; empty ones are left out'
            cand --normalize 'Bring vectors to length one whatever the model''s files say'
            cand --no-normalize 'Leave the vectors as long as they come out'
            cand --truncate 'Read the beginning of a text that is too long'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;quantize'= {
            cand -o 'The file to write [default: SOURCE''s name with TYPE, in this folder]'
            cand --output 'The file to write [default: SOURCE''s name with TYPE, in this folder]'
            cand --fit 'Choose each tensor''s type so that the model runs in so much memory: 6G, 7.5GiB, 800M'
            cand -c 'Tokens of context that --fit makes room for [default: 8192, or the model''s own if that is less]'
            cand --context 'Tokens of context that --fit makes room for [default: 8192, or the model''s own if that is less]'
            cand --bits 'Choose each tensor''s type so that a weight has so many bits in the mean'
            cand --calibrate 'Collect an importance matrix from this text, and use it'
            cand --imatrix 'Use this importance matrix, of oai or llama-imatrix'
            cand --save-imatrix 'Write the importance matrix that --calibrate collects to a file'
            cand --tensor 'Give the tensors whose names match PATTERN a type of their own; may be given several times'
            cand --keep-output 'The type of the output layer''s tensor'
            cand --keep-embedding 'The type of the token embedding''s tensor'
            cand --split 'Write files of at most this size: 2G, 800M'
            cand --report 'Compare the result with the source on this text: perplexity, KL divergence, top-1 agreement'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --pure 'Give all tensors the same type'
            cand -f 'Overwrite FILE if it is there'
            cand --force 'Overwrite FILE if it is there'
            cand --dry-run 'Print what would be done to each tensor, and write nothing'
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;perplexity'= {
            cand -f 'The text, exactly as it is; without it, standard input'
            cand --file 'The text, exactly as it is; without it, standard input'
            cand --context 'Tokens in a chunk [default: 512, or what the model was trained for if that is less]'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --whole 'Score all of the text but its first token, over one window'
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;bench'= {
            cand -p 'Tokens of a prefill test, or several numbers with commas; 0 is no such test'
            cand --n-prompt 'Tokens of a prefill test, or several numbers with commas; 0 is no such test'
            cand -n 'Tokens of a decode test, or several; 0 is no such test'
            cand --n-gen 'Tokens of a decode test, or several; 0 is no such test'
            cand --pg 'A test that decodes TG tokens after a prompt of PP, both timed as one; may be given again'
            cand -d 'Tokens in the cache before a test, or several'
            cand --n-depth 'Tokens in the cache before a test, or several'
            cand -b 'Tokens that a pass of prefill takes at most, or several; 512 is what oai takes'
            cand --batch 'Tokens that a pass of prefill takes at most, or several; 512 is what oai takes'
            cand -r 'How often each test is run'
            cand --repetitions 'How often each test is run'
            cand --threads 'Processor threads, or several numbers with commas [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds, or several: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --save 'Keep the results under a name'
            cand --against 'Compare with the results that were kept under a name; exit with 1 if a test is slower'
            cand --tolerance 'By how much a test may be slower than before'
            cand --endpoint 'Measure a server that speaks OpenAI''s protocol, in turn with the model if one is named'
            cand --endpoint-model 'Which of the server''s models, if it has several'
            cand --concurrency 'Requests that the server gets at once, or several numbers'
            cand --json 'Print a JSON array, an object a test; with --against an object of rows and comparison'
            cand --csv 'Print CSV with a head, a line a test'
            cand --markdown 'Print a Markdown table'
            cand --chart 'Draw tokens a second over the depth, which a terminal shows anyway where there are several'
            cand --child 'Be the process that measures: requests come on standard input'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;fit'= {
            cand -c 'Tokens of context to make room for [default: 8192, or the model''s own if that is less]'
            cand --context 'Tokens of context to make room for [default: 8192, or the model''s own if that is less]'
            cand --memory 'The memory of another machine: 8G, 7.5GiB, 800M'
            cand --fit 'The memory of another machine: 8G, 7.5GiB, 800M'
            cand --bandwidth 'The memory bandwidth of another machine'
            cand --threads 'Processor threads [default: all that this process may use]'
            cand --kv-type 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]'
            cand --measure 'Measure the memory bandwidth again'
            cand --all 'List all models that have a short name, those that do not fit too'
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;top'= {
            cand --once 'Print one table and end'
            cand --json 'Print one JSON object and end'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;doctor'= {
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;tune'= {
            cand --from-scratch 'Start from random weights, with a corpus: a .toml file or a folder of them'
            cand -o 'The GGUF file to write'
            cand --output 'The GGUF file to write'
            cand --name 'The name that the file carries'
            cand --seed 'Random seed: the same seed and corpus give the same file'
            cand --steps 'Training steps'
            cand --batch 'Questions in a step'
            cand --learning-rate 'Peak learning rate'
            cand --vocab 'Tokens in the vocabulary'
            cand --dim 'Size of the hidden state'
            cand --layers 'Layers'
            cand --heads 'Attention heads'
            cand --ffn 'Size of the feed-forward layer'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;config'= {
            cand --json 'Print a JSON object'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;completions'= {
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;man'= {
            cand --out 'Write all pages into a folder'
            cand --offline 'Open no connection to anywhere'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'oai;help'= {
            cand pull 'Download a model from the Hugging Face hub'
            cand search 'Find models: short names first, then the hub''s repositories'
            cand list 'List the models on this machine'
            cand show 'Show what a model is'
            cand rm 'Delete models from this machine'
            cand import 'Adopt a model file or folder under a name'
            cand prune 'Delete what is not needed any more'
            cand du 'Show how much disk the models take'
            cand verify 'Check that files are what was pulled or imported'
            cand lock 'Write down exact commits and hashes of pulled models'
            cand login 'Store an access token of the hub, for gated and private repositories'
            cand logout 'Delete the stored access token of the hub'
            cand ask 'Ask a question and print the answer'
            cand chat 'Talk with a model'
            cand history 'List, search, export and delete saved conversations'
            cand tokenize 'Show the tokens of a text'
            cand embed 'Turn texts into vectors'
            cand quantize 'Make a model smaller, as a GGUF file'
            cand perplexity 'Measure how well a model foresees a text'
            cand bench 'Measure how fast a model is'
            cand fit 'Show which models fit this machine, and how fast each would be'
            cand top 'Watch the machine and every oai that runs on it'
            cand doctor 'Check this installation, and show what a bug report needs'
            cand tune 'Train a small model from a corpus of questions and answers'
            cand config 'Show the effective settings and where each came from'
            cand completions 'Print a completion script for a shell'
            cand man 'Print a man page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'oai;help;pull'= {
        }
        &'oai;help;search'= {
        }
        &'oai;help;list'= {
        }
        &'oai;help;show'= {
        }
        &'oai;help;rm'= {
        }
        &'oai;help;import'= {
        }
        &'oai;help;prune'= {
        }
        &'oai;help;du'= {
        }
        &'oai;help;verify'= {
        }
        &'oai;help;lock'= {
        }
        &'oai;help;login'= {
        }
        &'oai;help;logout'= {
        }
        &'oai;help;ask'= {
        }
        &'oai;help;chat'= {
        }
        &'oai;help;history'= {
            cand search 'Search all conversations for words'
            cand show 'Print a conversation as Markdown'
            cand export 'Write a conversation to a file'
            cand import 'Add a conversation from a file'
            cand rename 'Name a conversation'
            cand tag 'Add tags to a conversation'
            cand untag 'Take tags off a conversation'
            cand rm 'Delete conversations'
        }
        &'oai;help;history;search'= {
        }
        &'oai;help;history;show'= {
        }
        &'oai;help;history;export'= {
        }
        &'oai;help;history;import'= {
        }
        &'oai;help;history;rename'= {
        }
        &'oai;help;history;tag'= {
        }
        &'oai;help;history;untag'= {
        }
        &'oai;help;history;rm'= {
        }
        &'oai;help;tokenize'= {
        }
        &'oai;help;embed'= {
        }
        &'oai;help;quantize'= {
        }
        &'oai;help;perplexity'= {
        }
        &'oai;help;bench'= {
        }
        &'oai;help;fit'= {
        }
        &'oai;help;top'= {
        }
        &'oai;help;doctor'= {
        }
        &'oai;help;tune'= {
        }
        &'oai;help;config'= {
        }
        &'oai;help;completions'= {
        }
        &'oai;help;man'= {
        }
        &'oai;help;help'= {
        }
    ]
    $completions[$command]
}
