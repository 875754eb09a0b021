//! Why a request cannot be answered.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    #[error("the prompt is {prompt_tokens} tokens and the context {context}; shorten the prompt, or {}", longer(*context, *allowed))]
    PromptTooLong { prompt_tokens: usize, context: usize, allowed: usize },
    #[error("--context {asked} is more than the {allowed} tokens that {model} was trained for")]
    ContextTooLong { model: String, asked: usize, allowed: usize },
    #[error(
        "{tokens} tokens after {depth} are more than the {allowed} that {model} was trained for; lower -p, -n or -d"
    )]
    MeasuresTooMuch { model: String, tokens: usize, depth: usize, allowed: usize },
    #[error(
        "{model} has no place for {what} in its chat template; ask without them, or take a model that was made for them"
    )]
    NoPlace { model: String, what: &'static str },
    #[error("the prompt is empty; say what to answer, or pipe it in")]
    EmptyPrompt,
    #[error("{model}: its chat template or its tokenizer made nothing of the prompt; pull it again, or try --raw")]
    NothingLeft { model: String },
    #[error("the text is {tokens} tokens, and chunks of {context} need {}; {instead}", 2 * context)]
    TextTooShort { tokens: usize, context: usize, instead: &'static str },
    #[error("the text is {tokens} tokens and the model's context {context}; score it in chunks, without --whole")]
    TextTooLong { tokens: usize, context: usize },
    #[error("the text is {tokens} tokens: there is nothing to foresee; give a longer one")]
    NothingToScore { tokens: usize },
    #[error(
        "the text is {tokens} tokens and the model reads {limit}; cut it into parts, or let --truncate read its beginning"
    )]
    TextTooLongToEmbed { tokens: usize, limit: usize },
    #[error("the text has no tokens; there is nothing to make a vector of")]
    NothingToEmbed,
    #[error(
        "{model} came to something that is no number: its weights are damaged, or of too small a type; pull it again"
    )]
    NoNumbers { model: String },
    #[error("--dimensions {asked} is not from 1 to {has}, the size of {model}'s vectors")]
    Dimensions { model: String, asked: usize, has: usize },
    #[error("{model} has no prompt {asked:?} ({})", prompts(known))]
    UnknownPrompt { model: String, asked: String, known: String },
    #[error(
        "{model} is an embedding model: it makes vectors, not text; use it with oai embed, and a model that writes here"
    )]
    Embedder { model: String },
    #[error(
        "{draft} has another vocabulary than {model} and cannot draft for it; take a smaller model of the same family, or none (--speculate off)"
    )]
    OtherVocabulary { model: String, draft: String },
    #[error(
        "{candidate} has another vocabulary than {reference}, so that they cannot be compared; take one of the same model"
    )]
    OtherVocabularies { reference: String, candidate: String },
    #[error("{model} is no GGUF file, by whose names an importance matrix is kept; convert it to one first")]
    NotGguf { model: String },
    #[error("{model} has layers that cannot go back, so {draft} cannot draft for it; ask it without (--speculate off)")]
    NothingToDraft { model: String, draft: String },
    #[error(
        "the engine stopped in the middle of an answer, by a fault of its own; run it again, and report it if it stays"
    )]
    Stopped,
}

/// The way to a context that holds more than `context` tokens, of a model that has `allowed`.
fn longer(context: usize, allowed: usize) -> String {
    if context < allowed {
        format!("raise --context (the model allows {allowed})")
    } else {
        "take a model with a longer context (`oai show MODEL` says how long)".to_owned()
    }
}

fn prompts(known: &str) -> String {
    if known.is_empty() { "its files name none".to_owned() } else { format!("its files name {known}") }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Model(error.into())
    }
}
