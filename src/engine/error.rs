//! Why a request cannot be answered.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    #[error(
        "the prompt is {prompt_tokens} tokens and the context {context}; shorten the prompt, or raise --context (the model allows {allowed})"
    )]
    PromptTooLong { prompt_tokens: usize, context: usize, allowed: usize },
    #[error("--context {asked} is more than the {allowed} tokens that {model} was trained for")]
    ContextTooLong { model: String, asked: usize, allowed: usize },
    #[error("the prompt is empty; say what to answer, or pipe it in")]
    EmptyPrompt,
    #[error(
        "the engine stopped in the middle of an answer, by a fault of its own; run it again, and report it if it stays"
    )]
    Stopped,
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Model(error.into())
    }
}
