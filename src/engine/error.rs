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
        "{model} has no place for {what} in its chat template; ask without them, or take a model that was made for them"
    )]
    NoPlace { model: String, what: &'static str },
    #[error("the prompt is empty; say what to answer, or pipe it in")]
    EmptyPrompt,
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

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Model(error.into())
    }
}
