
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'oai' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'oai'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'oai' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Download a model from the Hugging Face hub')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Find models: short names first, then the hub''s repositories')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a model is')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete models from this machine')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Adopt a model file or folder under a name')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Delete what is not needed any more')
            [CompletionResult]::new('du', 'du', [CompletionResultType]::ParameterValue, 'Show how much disk the models take')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that files are what was pulled or imported')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Write down exact commits and hashes of pulled models')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Store an access token of the hub, for gated and private repositories')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Delete the stored access token of the hub')
            [CompletionResult]::new('ask', 'ask', [CompletionResultType]::ParameterValue, 'Ask a question and print the answer')
            [CompletionResult]::new('chat', 'chat', [CompletionResultType]::ParameterValue, 'Talk with a model')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'List, search, export and delete saved conversations')
            [CompletionResult]::new('tokenize', 'tokenize', [CompletionResultType]::ParameterValue, 'Show the tokens of a text')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Turn texts into vectors')
            [CompletionResult]::new('quantize', 'quantize', [CompletionResultType]::ParameterValue, 'Make a model smaller, as a GGUF file')
            [CompletionResult]::new('perplexity', 'perplexity', [CompletionResultType]::ParameterValue, 'Measure how well a model foresees a text')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model is')
            [CompletionResult]::new('fit', 'fit', [CompletionResultType]::ParameterValue, 'Show which models fit this machine, and how fast each would be')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Watch the machine and every oai that runs on it')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check this installation, and show what a bug report needs')
            [CompletionResult]::new('tune', 'tune', [CompletionResultType]::ParameterValue, 'Train a small model from a corpus of questions and answers')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show the effective settings and where each came from')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a man page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'oai;pull' {
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'A branch, tag or commit of the repository')
            [CompletionResult]::new('--fit', '--fit', [CompletionResultType]::ParameterName, 'Choose the quantization for a machine with so much memory, such as 8G')
            [CompletionResult]::new('--locked', '--locked', [CompletionResultType]::ParameterName, 'Fetch the exact commits and hashes of a file that `oai lock` wrote')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Fetch again what is already here')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'List the files and their sizes, and fetch nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events as JSON objects, one a line')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;search' {
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Show at most N short names and N repositories')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'What comes first')
            [CompletionResult]::new('--gguf', '--gguf', [CompletionResultType]::ParameterName, 'Only repositories with GGUF files')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;list' {
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also what lies elsewhere: other programs'' models, unfinished downloads, what cannot run')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;ls' {
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also what lies elsewhere: other programs'' models, unfinished downloads, what cannot run')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;show' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'Print the chat template and nothing else')
            [CompletionResult]::new('--tensors', '--tensors', [CompletionResultType]::ParameterName, 'List the tensors: names, types, shapes and sizes')
            [CompletionResult]::new('--provenance', '--provenance', [CompletionResultType]::ParameterName, 'Print where it came from: commit, files with their hashes, licence, time')
            [CompletionResult]::new('--architectures', '--architectures', [CompletionResultType]::ParameterName, 'List the architectures that run, and how far each is from its reference')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;rm' {
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;import' {
            [CompletionResult]::new('--link', '--link', [CompletionResultType]::ParameterName, 'Leave the files where they are, and point at them')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a model that has this name, or take a name that means another')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;prune' {
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Models that were not used for so long: 30d, 12h, 2w')
            [CompletionResult]::new('--keep-last', '--keep-last', [CompletionResultType]::ParameterName, 'All models but the N that were used last')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would go, and delete nothing')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;du' {
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also the folders of ollama and LM Studio')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;verify' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;lock' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The file to write; - is standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The file to write; - is standard output')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;login' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;logout' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;ask' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG], a path, or guide')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG], a path, or guide')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Add a text file to the prompt (repeatable)')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Add a text file to the prompt (repeatable)')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'The system message')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'The system message')
            [CompletionResult]::new('--logprobs', '--logprobs', [CompletionResultType]::ParameterName, 'With --json: token ids, and the N best log-probabilities of each generated token')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'Functions that the model may call: a JSON list as in OpenAI''s API; calls are printed as JSON, one a line')
            [CompletionResult]::new('--documents', '--documents', [CompletionResultType]::ParameterName, 'Texts to answer from, for models that cite: a JSON list of objects with title and text')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Randomness: 0 is greedy, always the likeliest token')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Randomness: 0 is greedy, always the likeliest token')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'Draw from the K likeliest tokens only; 0 is all')
            [CompletionResult]::new('--top-p', '--top-p', [CompletionResultType]::ParameterName, 'Draw from the smallest set of tokens whose probability reaches P; 1 is all')
            [CompletionResult]::new('--min-p', '--min-p', [CompletionResultType]::ParameterName, 'Drop tokens less likely than P times the likeliest; 0 drops none')
            [CompletionResult]::new('--repeat-penalty', '--repeat-penalty', [CompletionResultType]::ParameterName, 'Make recent tokens less likely; 1 is off')
            [CompletionResult]::new('--presence-penalty', '--presence-penalty', [CompletionResultType]::ParameterName, 'Subtract X from the logit of every token generated before; 0 is off')
            [CompletionResult]::new('--frequency-penalty', '--frequency-penalty', [CompletionResultType]::ParameterName, 'Subtract X from a token''s logit for each time it was generated; 0 is off')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Random seed: the same seed gives the same text')
            [CompletionResult]::new('--stop', '--stop', [CompletionResultType]::ParameterName, 'End the answer before this text (repeatable)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most N tokens of answer')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'At most N tokens of answer')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Tokens that prompt and answer may have together [default: what the model was trained for]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--think', '--think', [CompletionResultType]::ParameterName, 'What becomes of a model''s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]')
            [CompletionResult]::new('--reasoning-effort', '--reasoning-effort', [CompletionResultType]::ParameterName, 'How long a model thinks that lets itself be told: low, medium or high')
            [CompletionResult]::new('--speculate', '--speculate', [CompletionResultType]::ParameterName, 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]')
            [CompletionResult]::new('--draft', '--draft', [CompletionResultType]::ParameterName, 'A smaller model with the same vocabulary that guesses')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object instead of text')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Send the prompt as it is, without the chat template')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print speeds and times on standard error')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;chat' {
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'The system message')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'The system message')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on with this conversation: its number or name, as `oai history` lists them')
            [CompletionResult]::new('--load', '--load', [CompletionResultType]::ParameterName, 'Begin with a conversation that /save or /export wrote')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Send a text file with the first question (repeatable)')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Send a text file with the first question (repeatable)')
            [CompletionResult]::new('--theme', '--theme', [CompletionResultType]::ParameterName, 'The colours: a theme of `themes/` or of your own')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Randomness: 0 is greedy, always the likeliest token')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Randomness: 0 is greedy, always the likeliest token')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'Draw from the K likeliest tokens only; 0 is all')
            [CompletionResult]::new('--top-p', '--top-p', [CompletionResultType]::ParameterName, 'Draw from the smallest set of tokens whose probability reaches P; 1 is all')
            [CompletionResult]::new('--min-p', '--min-p', [CompletionResultType]::ParameterName, 'Drop tokens less likely than P times the likeliest; 0 drops none')
            [CompletionResult]::new('--repeat-penalty', '--repeat-penalty', [CompletionResultType]::ParameterName, 'Make recent tokens less likely; 1 is off')
            [CompletionResult]::new('--presence-penalty', '--presence-penalty', [CompletionResultType]::ParameterName, 'Subtract X from the logit of every token generated before; 0 is off')
            [CompletionResult]::new('--frequency-penalty', '--frequency-penalty', [CompletionResultType]::ParameterName, 'Subtract X from a token''s logit for each time it was generated; 0 is off')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Random seed: the same seed gives the same text')
            [CompletionResult]::new('--stop', '--stop', [CompletionResultType]::ParameterName, 'End the answer before this text (repeatable)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most N tokens of answer')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'At most N tokens of answer')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Tokens that prompt and answer may have together [default: what the model was trained for]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--think', '--think', [CompletionResultType]::ParameterName, 'What becomes of a model''s thoughts: shown, hidden, or off, which asks it for none [default: shown dim on a terminal, hidden in a pipe]')
            [CompletionResult]::new('--reasoning-effort', '--reasoning-effort', [CompletionResultType]::ParameterName, 'How long a model thinks that lets itself be told: low, medium or high')
            [CompletionResult]::new('--speculate', '--speculate', [CompletionResultType]::ParameterName, 'Guess tokens ahead and check several at once: auto, where the text repeats itself and it pays, or off; greedy text is the same [default: auto]')
            [CompletionResult]::new('--draft', '--draft', [CompletionResultType]::ParameterName, 'A smaller model with the same vocabulary that guesses')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Go on with the last conversation')
            [CompletionResult]::new('--continue', '--continue', [CompletionResultType]::ParameterName, 'Go on with the last conversation')
            [CompletionResult]::new('--plain', '--plain', [CompletionResultType]::ParameterName, 'Line by line, for simple terminals')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print speeds and times after each answer (line by line)')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history' {
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only conversations with this tag')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most N, the newest')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Search all conversations for words')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation as Markdown')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write a conversation to a file')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Add a conversation from a file')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Name a conversation')
            [CompletionResult]::new('tag', 'tag', [CompletionResultType]::ParameterValue, 'Add tags to a conversation')
            [CompletionResult]::new('untag', 'untag', [CompletionResultType]::ParameterValue, 'Take tags off a conversation')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete conversations')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'oai;history;search' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most N messages, the best')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;show' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON, which oai history import reads')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Print an HTML page')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;export' {
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that is there')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;import' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;rename' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;tag' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;untag' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;rm' {
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;history;help' {
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Search all conversations for words')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation as Markdown')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write a conversation to a file')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Add a conversation from a file')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Name a conversation')
            [CompletionResult]::new('tag', 'tag', [CompletionResultType]::ParameterValue, 'Add tags to a conversation')
            [CompletionResult]::new('untag', 'untag', [CompletionResultType]::ParameterValue, 'Take tags off a conversation')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete conversations')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'oai;history;help;search' {
            break
        }
        'oai;history;help;show' {
            break
        }
        'oai;history;help;export' {
            break
        }
        'oai;history;help;import' {
            break
        }
        'oai;history;help;rename' {
            break
        }
        'oai;history;help;tag' {
            break
        }
        'oai;history;help;untag' {
            break
        }
        'oai;history;help;rm' {
            break
        }
        'oai;history;help;help' {
            break
        }
        'oai;tokenize' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG], a path, or guide')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG], a path, or guide')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read the text, or the ids, from a file')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read the text, or the ids, from a file')
            [CompletionResult]::new('--ids', '--ids', [CompletionResultType]::ParameterName, 'Print the ids on one line, with spaces between')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object: ids, and pieces as the vocabulary spells them')
            [CompletionResult]::new('--no-special', '--no-special', [CompletionResultType]::ParameterName, 'Take the text as nothing but text: no BOS or EOS around it, no control tokens in it; with --decode, leave control tokens out')
            [CompletionResult]::new('--decode', '--decode', [CompletionResultType]::ParameterName, 'The other way: read ids (between spaces, commas, or as JSON) and print their text, with nothing added (bytes that are no whole character as U+FFFD)')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;embed' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'A file that is a text (repeatable)')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'A file that is a text (repeatable)')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the text is for, by the model''s own names (query, document, ...): puts that prompt before it')
            [CompletionResult]::new('--dimensions', '--dimensions', [CompletionResultType]::ParameterName, 'The first N components alone, for models that are trained for it')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'Every line of files and of standard input is a text; empty ones are left out')
            [CompletionResult]::new('--normalize', '--normalize', [CompletionResultType]::ParameterName, 'Bring vectors to length one whatever the model''s files say')
            [CompletionResult]::new('--no-normalize', '--no-normalize', [CompletionResultType]::ParameterName, 'Leave the vectors as long as they come out')
            [CompletionResult]::new('--truncate', '--truncate', [CompletionResultType]::ParameterName, 'Read the beginning of a text that is too long')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;quantize' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The file to write [default: SOURCE''s name with TYPE, in this folder]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The file to write [default: SOURCE''s name with TYPE, in this folder]')
            [CompletionResult]::new('--fit', '--fit', [CompletionResultType]::ParameterName, 'Choose each tensor''s type so that the model runs in so much memory: 6G, 7.5GiB, 800M')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Tokens of context that --fit makes room for [default: 8192, or the model''s own if that is less]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Tokens of context that --fit makes room for [default: 8192, or the model''s own if that is less]')
            [CompletionResult]::new('--bits', '--bits', [CompletionResultType]::ParameterName, 'Choose each tensor''s type so that a weight has so many bits in the mean')
            [CompletionResult]::new('--calibrate', '--calibrate', [CompletionResultType]::ParameterName, 'Collect an importance matrix from this text, and use it')
            [CompletionResult]::new('--imatrix', '--imatrix', [CompletionResultType]::ParameterName, 'Use this importance matrix, of oai or llama-imatrix')
            [CompletionResult]::new('--save-imatrix', '--save-imatrix', [CompletionResultType]::ParameterName, 'Write the importance matrix that --calibrate collects to a file')
            [CompletionResult]::new('--tensor', '--tensor', [CompletionResultType]::ParameterName, 'Give the tensors whose names match PATTERN a type of their own; may be given several times')
            [CompletionResult]::new('--keep-output', '--keep-output', [CompletionResultType]::ParameterName, 'The type of the output layer''s tensor')
            [CompletionResult]::new('--keep-embedding', '--keep-embedding', [CompletionResultType]::ParameterName, 'The type of the token embedding''s tensor')
            [CompletionResult]::new('--split', '--split', [CompletionResultType]::ParameterName, 'Write files of at most this size: 2G, 800M')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Compare the result with the source on this text: perplexity, KL divergence, top-1 agreement')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--pure', '--pure', [CompletionResultType]::ParameterName, 'Give all tensors the same type')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Overwrite FILE if it is there')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite FILE if it is there')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done to each tensor, and write nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;perplexity' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The text, exactly as it is; without it, standard input')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'The text, exactly as it is; without it, standard input')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Tokens in a chunk [default: 512, or what the model was trained for if that is less]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--whole', '--whole', [CompletionResultType]::ParameterName, 'Score all of the text but its first token, over one window')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;bench' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Tokens of a prefill test, or several numbers with commas; 0 is no such test')
            [CompletionResult]::new('--n-prompt', '--n-prompt', [CompletionResultType]::ParameterName, 'Tokens of a prefill test, or several numbers with commas; 0 is no such test')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Tokens of a decode test, or several; 0 is no such test')
            [CompletionResult]::new('--n-gen', '--n-gen', [CompletionResultType]::ParameterName, 'Tokens of a decode test, or several; 0 is no such test')
            [CompletionResult]::new('--pg', '--pg', [CompletionResultType]::ParameterName, 'A test that decodes TG tokens after a prompt of PP, both timed as one; may be given again')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Tokens in the cache before a test, or several')
            [CompletionResult]::new('--n-depth', '--n-depth', [CompletionResultType]::ParameterName, 'Tokens in the cache before a test, or several')
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'Tokens that a pass of prefill takes at most, or several; 512 is what oai takes')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Tokens that a pass of prefill takes at most, or several; 512 is what oai takes')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'How often each test is run')
            [CompletionResult]::new('--repetitions', '--repetitions', [CompletionResultType]::ParameterName, 'How often each test is run')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads, or several numbers with commas [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds, or several: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--save', '--save', [CompletionResultType]::ParameterName, 'Keep the results under a name')
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'Compare with the results that were kept under a name; exit with 1 if a test is slower')
            [CompletionResult]::new('--tolerance', '--tolerance', [CompletionResultType]::ParameterName, 'By how much a test may be slower than before')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Measure a server that speaks OpenAI''s protocol, in turn with the model if one is named')
            [CompletionResult]::new('--endpoint-model', '--endpoint-model', [CompletionResultType]::ParameterName, 'Which of the server''s models, if it has several')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Requests that the server gets at once, or several numbers')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON array, an object a test; with --against an object of rows and comparison')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Print CSV with a head, a line a test')
            [CompletionResult]::new('--markdown', '--markdown', [CompletionResultType]::ParameterName, 'Print a Markdown table')
            [CompletionResult]::new('--chart', '--chart', [CompletionResultType]::ParameterName, 'Draw tokens a second over the depth, which a terminal shows anyway where there are several')
            [CompletionResult]::new('--child', '--child', [CompletionResultType]::ParameterName, 'Be the process that measures: requests come on standard input')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;fit' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Tokens of context to make room for [default: 8192, or the model''s own if that is less]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Tokens of context to make room for [default: 8192, or the model''s own if that is less]')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'The memory of another machine: 8G, 7.5GiB, 800M')
            [CompletionResult]::new('--fit', '--fit', [CompletionResultType]::ParameterName, 'The memory of another machine: 8G, 7.5GiB, 800M')
            [CompletionResult]::new('--bandwidth', '--bandwidth', [CompletionResultType]::ParameterName, 'The memory bandwidth of another machine')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all that this process may use]')
            [CompletionResult]::new('--kv-type', '--kv-type', [CompletionResultType]::ParameterName, 'What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]')
            [CompletionResult]::new('--measure', '--measure', [CompletionResultType]::ParameterName, 'Measure the memory bandwidth again')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'List all models that have a short name, those that do not fit too')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;top' {
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Print one table and end')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object and end')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;doctor' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;tune' {
            [CompletionResult]::new('--from-scratch', '--from-scratch', [CompletionResultType]::ParameterName, 'Start from random weights, with a corpus: a .toml file or a folder of them')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The GGUF file to write')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The GGUF file to write')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The name that the file carries')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Random seed: the same seed and corpus give the same file')
            [CompletionResult]::new('--steps', '--steps', [CompletionResultType]::ParameterName, 'Training steps')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Questions in a step')
            [CompletionResult]::new('--learning-rate', '--learning-rate', [CompletionResultType]::ParameterName, 'Peak learning rate')
            [CompletionResult]::new('--vocab', '--vocab', [CompletionResultType]::ParameterName, 'Tokens in the vocabulary')
            [CompletionResult]::new('--dim', '--dim', [CompletionResultType]::ParameterName, 'Size of the hidden state')
            [CompletionResult]::new('--layers', '--layers', [CompletionResultType]::ParameterName, 'Layers')
            [CompletionResult]::new('--heads', '--heads', [CompletionResultType]::ParameterName, 'Attention heads')
            [CompletionResult]::new('--ffn', '--ffn', [CompletionResultType]::ParameterName, 'Size of the feed-forward layer')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;config' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print a JSON object')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;completions' {
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;man' {
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write all pages into a folder')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Open no connection to anywhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'oai;help' {
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Download a model from the Hugging Face hub')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Find models: short names first, then the hub''s repositories')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the models on this machine')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a model is')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete models from this machine')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Adopt a model file or folder under a name')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Delete what is not needed any more')
            [CompletionResult]::new('du', 'du', [CompletionResultType]::ParameterValue, 'Show how much disk the models take')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that files are what was pulled or imported')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Write down exact commits and hashes of pulled models')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Store an access token of the hub, for gated and private repositories')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Delete the stored access token of the hub')
            [CompletionResult]::new('ask', 'ask', [CompletionResultType]::ParameterValue, 'Ask a question and print the answer')
            [CompletionResult]::new('chat', 'chat', [CompletionResultType]::ParameterValue, 'Talk with a model')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'List, search, export and delete saved conversations')
            [CompletionResult]::new('tokenize', 'tokenize', [CompletionResultType]::ParameterValue, 'Show the tokens of a text')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Turn texts into vectors')
            [CompletionResult]::new('quantize', 'quantize', [CompletionResultType]::ParameterValue, 'Make a model smaller, as a GGUF file')
            [CompletionResult]::new('perplexity', 'perplexity', [CompletionResultType]::ParameterValue, 'Measure how well a model foresees a text')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model is')
            [CompletionResult]::new('fit', 'fit', [CompletionResultType]::ParameterValue, 'Show which models fit this machine, and how fast each would be')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Watch the machine and every oai that runs on it')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check this installation, and show what a bug report needs')
            [CompletionResult]::new('tune', 'tune', [CompletionResultType]::ParameterValue, 'Train a small model from a corpus of questions and answers')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show the effective settings and where each came from')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a man page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'oai;help;pull' {
            break
        }
        'oai;help;search' {
            break
        }
        'oai;help;list' {
            break
        }
        'oai;help;show' {
            break
        }
        'oai;help;rm' {
            break
        }
        'oai;help;import' {
            break
        }
        'oai;help;prune' {
            break
        }
        'oai;help;du' {
            break
        }
        'oai;help;verify' {
            break
        }
        'oai;help;lock' {
            break
        }
        'oai;help;login' {
            break
        }
        'oai;help;logout' {
            break
        }
        'oai;help;ask' {
            break
        }
        'oai;help;chat' {
            break
        }
        'oai;help;history' {
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Search all conversations for words')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print a conversation as Markdown')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write a conversation to a file')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Add a conversation from a file')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Name a conversation')
            [CompletionResult]::new('tag', 'tag', [CompletionResultType]::ParameterValue, 'Add tags to a conversation')
            [CompletionResult]::new('untag', 'untag', [CompletionResultType]::ParameterValue, 'Take tags off a conversation')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Delete conversations')
            break
        }
        'oai;help;history;search' {
            break
        }
        'oai;help;history;show' {
            break
        }
        'oai;help;history;export' {
            break
        }
        'oai;help;history;import' {
            break
        }
        'oai;help;history;rename' {
            break
        }
        'oai;help;history;tag' {
            break
        }
        'oai;help;history;untag' {
            break
        }
        'oai;help;history;rm' {
            break
        }
        'oai;help;tokenize' {
            break
        }
        'oai;help;embed' {
            break
        }
        'oai;help;quantize' {
            break
        }
        'oai;help;perplexity' {
            break
        }
        'oai;help;bench' {
            break
        }
        'oai;help;fit' {
            break
        }
        'oai;help;top' {
            break
        }
        'oai;help;doctor' {
            break
        }
        'oai;help;tune' {
            break
        }
        'oai;help;config' {
            break
        }
        'oai;help;completions' {
            break
        }
        'oai;help;man' {
            break
        }
        'oai;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
