# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_oai_global_optspecs
    string join \n offline h/help V/version
end

function __fish_oai_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_oai_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_oai_using_subcommand
    set -l cmd (__fish_oai_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c oai -n "__fish_oai_needs_command" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_needs_command" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_needs_command" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_needs_command" -f -a "pull" -d 'Download a model from the Hugging Face hub'
complete -c oai -n "__fish_oai_needs_command" -f -a "search" -d 'Find models: short names first, then the hub\'s repositories'
complete -c oai -n "__fish_oai_needs_command" -f -a "list" -d 'List the models on this machine'
complete -c oai -n "__fish_oai_needs_command" -f -a "ls" -d 'List the models on this machine'
complete -c oai -n "__fish_oai_needs_command" -f -a "show" -d 'Show what a model is'
complete -c oai -n "__fish_oai_needs_command" -f -a "rm" -d 'Delete models from this machine'
complete -c oai -n "__fish_oai_needs_command" -f -a "import" -d 'Adopt a model file or folder under a name'
complete -c oai -n "__fish_oai_needs_command" -f -a "prune" -d 'Delete what is not needed any more'
complete -c oai -n "__fish_oai_needs_command" -f -a "du" -d 'Show how much disk the models take'
complete -c oai -n "__fish_oai_needs_command" -f -a "verify" -d 'Check that files are what was pulled or imported'
complete -c oai -n "__fish_oai_needs_command" -f -a "lock" -d 'Write down exact commits and hashes of pulled models'
complete -c oai -n "__fish_oai_needs_command" -f -a "login" -d 'Store an access token of the hub, for gated and private repositories'
complete -c oai -n "__fish_oai_needs_command" -f -a "logout" -d 'Delete the stored access token of the hub'
complete -c oai -n "__fish_oai_needs_command" -f -a "ask" -d 'Ask a question and print the answer'
complete -c oai -n "__fish_oai_needs_command" -f -a "chat" -d 'Talk with a model'
complete -c oai -n "__fish_oai_needs_command" -f -a "history" -d 'List, search, export and delete saved conversations'
complete -c oai -n "__fish_oai_needs_command" -f -a "tokenize" -d 'Show the tokens of a text'
complete -c oai -n "__fish_oai_needs_command" -f -a "embed" -d 'Turn texts into vectors'
complete -c oai -n "__fish_oai_needs_command" -f -a "quantize" -d 'Make a model smaller, as a GGUF file'
complete -c oai -n "__fish_oai_needs_command" -f -a "perplexity" -d 'Measure how well a model foresees a text'
complete -c oai -n "__fish_oai_needs_command" -f -a "bench" -d 'Measure how fast a model is'
complete -c oai -n "__fish_oai_needs_command" -f -a "fit" -d 'Show which models fit this machine, and how fast each would be'
complete -c oai -n "__fish_oai_needs_command" -f -a "top" -d 'Watch the machine and every oai that runs on it'
complete -c oai -n "__fish_oai_needs_command" -f -a "doctor" -d 'Check this installation, and show what a bug report needs'
complete -c oai -n "__fish_oai_needs_command" -f -a "tune" -d 'Train a small model from a corpus of questions and answers'
complete -c oai -n "__fish_oai_needs_command" -f -a "config" -d 'Show the effective settings and where each came from'
complete -c oai -n "__fish_oai_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c oai -n "__fish_oai_needs_command" -f -a "man" -d 'Print a man page'
complete -c oai -n "__fish_oai_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c oai -n "__fish_oai_using_subcommand pull" -l revision -d 'A branch, tag or commit of the repository' -r
complete -c oai -n "__fish_oai_using_subcommand pull" -l fit -d 'Choose the quantization for a machine with so much memory, such as 8G' -r
complete -c oai -n "__fish_oai_using_subcommand pull" -l locked -d 'Fetch the exact commits and hashes of a file that `oai lock` wrote' -r -F
complete -c oai -n "__fish_oai_using_subcommand pull" -l force -d 'Fetch again what is already here'
complete -c oai -n "__fish_oai_using_subcommand pull" -l dry-run -d 'List the files and their sizes, and fetch nothing'
complete -c oai -n "__fish_oai_using_subcommand pull" -l json -d 'Print events as JSON objects, one a line'
complete -c oai -n "__fish_oai_using_subcommand pull" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand pull" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand pull" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand search" -l limit -d 'Show at most N short names and N repositories' -r
complete -c oai -n "__fish_oai_using_subcommand search" -l sort -d 'What comes first' -r -f -a "downloads\t''
likes\t''
recent\t''"
complete -c oai -n "__fish_oai_using_subcommand search" -l gguf -d 'Only repositories with GGUF files'
complete -c oai -n "__fish_oai_using_subcommand search" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand search" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand search" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand search" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand list" -l all -d 'Also what lies elsewhere: other programs\' models, unfinished downloads, what cannot run'
complete -c oai -n "__fish_oai_using_subcommand list" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand list" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand list" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand list" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand ls" -l all -d 'Also what lies elsewhere: other programs\' models, unfinished downloads, what cannot run'
complete -c oai -n "__fish_oai_using_subcommand ls" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand ls" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand ls" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand ls" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand show" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand show" -l template -d 'Print the chat template and nothing else'
complete -c oai -n "__fish_oai_using_subcommand show" -l tensors -d 'List the tensors: names, types, shapes and sizes'
complete -c oai -n "__fish_oai_using_subcommand show" -l provenance -d 'Print where it came from: commit, files with their hashes, licence, time'
complete -c oai -n "__fish_oai_using_subcommand show" -l architectures -d 'List the architectures that run, and how far each is from its reference'
complete -c oai -n "__fish_oai_using_subcommand show" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand show" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand show" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand rm" -s y -l yes -d 'Do not ask'
complete -c oai -n "__fish_oai_using_subcommand rm" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand rm" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand rm" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand import" -l link -d 'Leave the files where they are, and point at them'
complete -c oai -n "__fish_oai_using_subcommand import" -l force -d 'Replace a model that has this name, or take a name that means another'
complete -c oai -n "__fish_oai_using_subcommand import" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand import" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand import" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand prune" -l older-than -d 'Models that were not used for so long: 30d, 12h, 2w' -r
complete -c oai -n "__fish_oai_using_subcommand prune" -l keep-last -d 'All models but the N that were used last' -r
complete -c oai -n "__fish_oai_using_subcommand prune" -l dry-run -d 'Say what would go, and delete nothing'
complete -c oai -n "__fish_oai_using_subcommand prune" -s y -l yes -d 'Do not ask'
complete -c oai -n "__fish_oai_using_subcommand prune" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand prune" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand prune" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand prune" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand du" -l all -d 'Also the folders of ollama and LM Studio'
complete -c oai -n "__fish_oai_using_subcommand du" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand du" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand du" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand du" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand verify" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand verify" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand verify" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand verify" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand lock" -s o -l output -d 'The file to write; - is standard output' -r -F
complete -c oai -n "__fish_oai_using_subcommand lock" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand lock" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand lock" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand login" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand login" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand login" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand logout" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand logout" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand logout" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand ask" -s m -l model -d 'The model: an alias, org/repo[:TAG], a path, or guide' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -s f -l file -d 'Add a text file to the prompt (repeatable)' -r -F
complete -c oai -n "__fish_oai_using_subcommand ask" -s s -l system -d 'The system message' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l logprobs -d 'With --json: token ids, and the N best log-probabilities of each generated token' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l tools -d 'Functions that the model may call: a JSON list as in OpenAI\'s API; calls are printed as JSON, one a line' -r -F
complete -c oai -n "__fish_oai_using_subcommand ask" -l documents -d 'Texts to answer from, for models that cite: a JSON list of objects with title and text' -r -F
complete -c oai -n "__fish_oai_using_subcommand ask" -s t -l temperature -d 'Randomness: 0 is greedy, always the likeliest token' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l top-k -d 'Draw from the K likeliest tokens only; 0 is all' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l top-p -d 'Draw from the smallest set of tokens whose probability reaches P; 1 is all' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l min-p -d 'Drop tokens less likely than P times the likeliest; 0 drops none' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l repeat-penalty -d 'Make recent tokens less likely; 1 is off' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l presence-penalty -d 'Subtract X from the logit of every token generated before; 0 is off' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l frequency-penalty -d 'Subtract X from a token\'s logit for each time it was generated; 0 is off' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l seed -d 'Random seed: the same seed gives the same text' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l stop -d 'End the answer before this text (repeatable)' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -s n -l max-tokens -d 'At most N tokens of answer' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l context -d 'Tokens that prompt and answer may have together [default: what the model was trained for]' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l kv-type -d 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l think -d 'What becomes of a model\'s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]' -r -f -a "show\t''
hide\t''
off\t''"
complete -c oai -n "__fish_oai_using_subcommand ask" -l reasoning-effort -d 'How long a model thinks that lets itself be told: low, medium or high' -r -f -a "low\t''
medium\t''
high\t''"
complete -c oai -n "__fish_oai_using_subcommand ask" -l speculate -d 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]' -r -f -a "auto\t''
off\t''"
complete -c oai -n "__fish_oai_using_subcommand ask" -l draft -d 'A smaller model with the same vocabulary that guesses' -r
complete -c oai -n "__fish_oai_using_subcommand ask" -l json -d 'Print one JSON object instead of text'
complete -c oai -n "__fish_oai_using_subcommand ask" -l raw -d 'Send the prompt as it is, without the chat template'
complete -c oai -n "__fish_oai_using_subcommand ask" -l stats -d 'Print speeds and times on standard error'
complete -c oai -n "__fish_oai_using_subcommand ask" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand ask" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand ask" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand chat" -s s -l system -d 'The system message' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l resume -d 'Go on with this conversation: its number or name, as `oai history` lists them' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l load -d 'Begin with a conversation that /save or /export wrote' -r -F
complete -c oai -n "__fish_oai_using_subcommand chat" -s f -l file -d 'Send a text file with the first question (repeatable)' -r -F
complete -c oai -n "__fish_oai_using_subcommand chat" -l theme -d 'The colours: a theme of `themes/` or of your own' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -s t -l temperature -d 'Randomness: 0 is greedy, always the likeliest token' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l top-k -d 'Draw from the K likeliest tokens only; 0 is all' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l top-p -d 'Draw from the smallest set of tokens whose probability reaches P; 1 is all' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l min-p -d 'Drop tokens less likely than P times the likeliest; 0 drops none' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l repeat-penalty -d 'Make recent tokens less likely; 1 is off' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l presence-penalty -d 'Subtract X from the logit of every token generated before; 0 is off' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l frequency-penalty -d 'Subtract X from a token\'s logit for each time it was generated; 0 is off' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l seed -d 'Random seed: the same seed gives the same text' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l stop -d 'End the answer before this text (repeatable)' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -s n -l max-tokens -d 'At most N tokens of answer' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l context -d 'Tokens that prompt and answer may have together [default: what the model was trained for]' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l kv-type -d 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -l think -d 'What becomes of a model\'s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]' -r -f -a "show\t''
hide\t''
off\t''"
complete -c oai -n "__fish_oai_using_subcommand chat" -l reasoning-effort -d 'How long a model thinks that lets itself be told: low, medium or high' -r -f -a "low\t''
medium\t''
high\t''"
complete -c oai -n "__fish_oai_using_subcommand chat" -l speculate -d 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]' -r -f -a "auto\t''
off\t''"
complete -c oai -n "__fish_oai_using_subcommand chat" -l draft -d 'A smaller model with the same vocabulary that guesses' -r
complete -c oai -n "__fish_oai_using_subcommand chat" -s c -l continue -d 'Go on with the last conversation'
complete -c oai -n "__fish_oai_using_subcommand chat" -l plain -d 'Line by line, for simple terminals'
complete -c oai -n "__fish_oai_using_subcommand chat" -l stats -d 'Print speeds and times after each answer (line by line)'
complete -c oai -n "__fish_oai_using_subcommand chat" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand chat" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand chat" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -l tag -d 'Only conversations with this tag' -r
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -s n -d 'At most N, the newest' -r
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "search" -d 'Search all conversations for words'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "show" -d 'Print a conversation as Markdown'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "export" -d 'Write a conversation to a file'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "import" -d 'Add a conversation from a file'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "rename" -d 'Name a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "tag" -d 'Add tags to a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "untag" -d 'Take tags off a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "rm" -d 'Delete conversations'
complete -c oai -n "__fish_oai_using_subcommand history; and not __fish_seen_subcommand_from search show export import rename tag untag rm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from search" -s n -d 'At most N messages, the best' -r
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from search" -l json -d 'Print a JSON array'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from search" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from search" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from show" -l json -d 'Print JSON, which oai history import reads'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from show" -l html -d 'Print an HTML page'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from show" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from export" -l force -d 'Replace a file that is there'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from export" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from import" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rename" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rename" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from tag" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from tag" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from tag" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from untag" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from untag" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from untag" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rm" -s y -l yes -d 'Do not ask'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rm" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from rm" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "search" -d 'Search all conversations for words'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print a conversation as Markdown'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write a conversation to a file'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "import" -d 'Add a conversation from a file'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "rename" -d 'Name a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "tag" -d 'Add tags to a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "untag" -d 'Take tags off a conversation'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Delete conversations'
complete -c oai -n "__fish_oai_using_subcommand history; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -s m -l model -d 'The model: an alias, org/repo[:TAG], a path, or guide' -r
complete -c oai -n "__fish_oai_using_subcommand tokenize" -s f -l file -d 'Read the text, or the ids, from a file' -r -F
complete -c oai -n "__fish_oai_using_subcommand tokenize" -l ids -d 'Print the ids on one line, with spaces between'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -l json -d 'Print a JSON object: ids, and pieces as the vocabulary spells them'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -l no-special -d 'Take the text as nothing but text: no BOS or EOS around it, no control tokens in it; with --decode, leave control tokens out'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -l decode -d 'The other way: read ids (between spaces, commas, or as JSON) and print their text, with nothing added (bytes that are no whole character as U+FFFD)'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand tokenize" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand embed" -s m -l model -d 'The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]' -r
complete -c oai -n "__fish_oai_using_subcommand embed" -s f -l file -d 'A file that is a text (repeatable)' -r -F
complete -c oai -n "__fish_oai_using_subcommand embed" -l prompt -d 'What the text is for, by the model\'s own names (query, document, ...): puts that prompt before it' -r
complete -c oai -n "__fish_oai_using_subcommand embed" -l dimensions -d 'The first N components alone, for models that are trained for it' -r
complete -c oai -n "__fish_oai_using_subcommand embed" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand embed" -l lines -d 'Every line of files and of standard input is a text; empty ones are left out'
complete -c oai -n "__fish_oai_using_subcommand embed" -l normalize -d 'Bring vectors to length one whatever the model\'s files say'
complete -c oai -n "__fish_oai_using_subcommand embed" -l no-normalize -d 'Leave the vectors as long as they come out'
complete -c oai -n "__fish_oai_using_subcommand embed" -l truncate -d 'Read the beginning of a text that is too long'
complete -c oai -n "__fish_oai_using_subcommand embed" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand embed" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand embed" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand quantize" -s o -l output -d 'The file to write [default: SOURCE\'s name with TYPE, in this folder]' -r -F
complete -c oai -n "__fish_oai_using_subcommand quantize" -l fit -d 'Choose each tensor\'s type so that the model runs in so much memory: 6G, 7.5GiB, 800M' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -s c -l context -d 'Tokens of context that --fit makes room for [default: 8192, or the model\'s own if that is less]' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l bits -d 'Choose each tensor\'s type so that a weight has so many bits in the mean' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l calibrate -d 'Collect an importance matrix from this text, and use it' -r -F
complete -c oai -n "__fish_oai_using_subcommand quantize" -l imatrix -d 'Use this importance matrix, of oai or llama-imatrix' -r -F
complete -c oai -n "__fish_oai_using_subcommand quantize" -l save-imatrix -d 'Write the importance matrix that --calibrate collects to a file' -r -F
complete -c oai -n "__fish_oai_using_subcommand quantize" -l tensor -d 'Give the tensors whose names match PATTERN a type of their own; may be given several times' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l keep-output -d 'The type of the output layer\'s tensor' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l keep-embedding -d 'The type of the token embedding\'s tensor' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l split -d 'Write files of at most this size: 2G, 800M' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l report -d 'Compare the result with the source on this text: perplexity, KL divergence, top-1 agreement' -r -F
complete -c oai -n "__fish_oai_using_subcommand quantize" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l kv-type -d 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand quantize" -l pure -d 'Give all tensors the same type'
complete -c oai -n "__fish_oai_using_subcommand quantize" -s f -l force -d 'Overwrite FILE if it is there'
complete -c oai -n "__fish_oai_using_subcommand quantize" -l dry-run -d 'Print what would be done to each tensor, and write nothing'
complete -c oai -n "__fish_oai_using_subcommand quantize" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand quantize" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand quantize" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand quantize" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand perplexity" -s f -l file -d 'The text, exactly as it is; without it, standard input' -r -F
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l context -d 'Tokens in a chunk [default: 512, or what the model was trained for if that is less]' -r
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l kv-type -d 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l whole -d 'Score all of the text but its first token, over one window'
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand perplexity" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand perplexity" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand perplexity" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand bench" -s p -l n-prompt -d 'Tokens of a prefill test, or several numbers with commas; 0 is no such test' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -s n -l n-gen -d 'Tokens of a decode test, or several; 0 is no such test' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l pg -d 'A test that decodes TG tokens after a prompt of PP, both timed as one; may be given again' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -s d -l n-depth -d 'Tokens in the cache before a test, or several' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -s b -l batch -d 'Tokens that a pass of prefill takes at most, or several; 512 is what oai takes' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -s r -l repetitions -d 'How often each test is run' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l threads -d 'Processor threads, or several numbers with commas [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l kv-type -d 'What the KV cache holds, or several: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l save -d 'Keep the results under a name' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l against -d 'Compare with the results that were kept under a name; exit with 1 if a test is slower' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l tolerance -d 'By how much a test may be slower than before' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l endpoint -d 'Measure a server that speaks OpenAI\'s protocol, in turn with the model if one is named' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l endpoint-model -d 'Which of the server\'s models, if it has several' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l concurrency -d 'Requests that the server gets at once, or several numbers' -r
complete -c oai -n "__fish_oai_using_subcommand bench" -l json -d 'Print a JSON array, an object a test; with --against an object of rows and comparison'
complete -c oai -n "__fish_oai_using_subcommand bench" -l csv -d 'Print CSV with a head, a line a test'
complete -c oai -n "__fish_oai_using_subcommand bench" -l markdown -d 'Print a Markdown table'
complete -c oai -n "__fish_oai_using_subcommand bench" -l chart -d 'Draw tokens a second over the depth, which a terminal shows anyway where there are several'
complete -c oai -n "__fish_oai_using_subcommand bench" -l child -d 'Be the process that measures: requests come on standard input'
complete -c oai -n "__fish_oai_using_subcommand bench" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand bench" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand bench" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand fit" -s c -l context -d 'Tokens of context to make room for [default: 8192, or the model\'s own if that is less]' -r
complete -c oai -n "__fish_oai_using_subcommand fit" -l memory -l fit -d 'The memory of another machine: 8G, 7.5GiB, 800M' -r
complete -c oai -n "__fish_oai_using_subcommand fit" -l bandwidth -d 'The memory bandwidth of another machine' -r
complete -c oai -n "__fish_oai_using_subcommand fit" -l threads -d 'Processor threads [default: all that this process may use]' -r
complete -c oai -n "__fish_oai_using_subcommand fit" -l kv-type -d 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]' -r
complete -c oai -n "__fish_oai_using_subcommand fit" -l measure -d 'Measure the memory bandwidth again'
complete -c oai -n "__fish_oai_using_subcommand fit" -l all -d 'List all models that have a short name, those that do not fit too'
complete -c oai -n "__fish_oai_using_subcommand fit" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand fit" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand fit" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand fit" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand top" -l once -d 'Print one table and end'
complete -c oai -n "__fish_oai_using_subcommand top" -l json -d 'Print one JSON object and end'
complete -c oai -n "__fish_oai_using_subcommand top" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand top" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand top" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand doctor" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand doctor" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand tune" -l from-scratch -d 'Start from random weights, with a corpus: a .toml file or a folder of them' -r -F
complete -c oai -n "__fish_oai_using_subcommand tune" -s o -l output -d 'The GGUF file to write' -r -F
complete -c oai -n "__fish_oai_using_subcommand tune" -l name -d 'The name that the file carries' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l seed -d 'Random seed: the same seed and corpus give the same file' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l steps -d 'Training steps' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l batch -d 'Questions in a step' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l learning-rate -d 'Peak learning rate' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l vocab -d 'Tokens in the vocabulary' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l dim -d 'Size of the hidden state' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l layers -d 'Layers' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l heads -d 'Attention heads' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l ffn -d 'Size of the feed-forward layer' -r
complete -c oai -n "__fish_oai_using_subcommand tune" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand tune" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand tune" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand config" -l json -d 'Print a JSON object'
complete -c oai -n "__fish_oai_using_subcommand config" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand config" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand config" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand completions" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand completions" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand completions" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand man" -l out -d 'Write all pages into a folder' -r -F
complete -c oai -n "__fish_oai_using_subcommand man" -l offline -d 'Open no connection to anywhere'
complete -c oai -n "__fish_oai_using_subcommand man" -s h -l help -d 'Print help'
complete -c oai -n "__fish_oai_using_subcommand man" -s V -l version -d 'Print version'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "pull" -d 'Download a model from the Hugging Face hub'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "search" -d 'Find models: short names first, then the hub\'s repositories'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "list" -d 'List the models on this machine'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "show" -d 'Show what a model is'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "rm" -d 'Delete models from this machine'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "import" -d 'Adopt a model file or folder under a name'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "prune" -d 'Delete what is not needed any more'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "du" -d 'Show how much disk the models take'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "verify" -d 'Check that files are what was pulled or imported'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "lock" -d 'Write down exact commits and hashes of pulled models'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "login" -d 'Store an access token of the hub, for gated and private repositories'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "logout" -d 'Delete the stored access token of the hub'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "ask" -d 'Ask a question and print the answer'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "chat" -d 'Talk with a model'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "history" -d 'List, search, export and delete saved conversations'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "tokenize" -d 'Show the tokens of a text'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "embed" -d 'Turn texts into vectors'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "quantize" -d 'Make a model smaller, as a GGUF file'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "perplexity" -d 'Measure how well a model foresees a text'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "bench" -d 'Measure how fast a model is'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "fit" -d 'Show which models fit this machine, and how fast each would be'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "top" -d 'Watch the machine and every oai that runs on it'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "doctor" -d 'Check this installation, and show what a bug report needs'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "tune" -d 'Train a small model from a corpus of questions and answers'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "config" -d 'Show the effective settings and where each came from'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "man" -d 'Print a man page'
complete -c oai -n "__fish_oai_using_subcommand help; and not __fish_seen_subcommand_from pull search list show rm import prune du verify lock login logout ask chat history tokenize embed quantize perplexity bench fit top doctor tune config completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "search" -d 'Search all conversations for words'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "show" -d 'Print a conversation as Markdown'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "export" -d 'Write a conversation to a file'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "import" -d 'Add a conversation from a file'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "rename" -d 'Name a conversation'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "tag" -d 'Add tags to a conversation'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "untag" -d 'Take tags off a conversation'
complete -c oai -n "__fish_oai_using_subcommand help; and __fish_seen_subcommand_from history" -f -a "rm" -d 'Delete conversations'
