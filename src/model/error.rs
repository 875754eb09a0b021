//! What can keep a model from running.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Weights(#[from] crate::weights::Error),
    #[error("{file}: {what} is not supported; `oai show --architectures` lists what is")]
    Unsupported { file: String, what: String },
    #[error("{file} holds a vocabulary and no weights: oai tokenize can use it, and nothing else")]
    VocabularyOnly { file: String },
    #[error("{folder} has no config.json; give a model folder or a .gguf file")]
    NoConfig { folder: String },
    #[error("{file} is damaged or incomplete: {reason}; pull it again")]
    Config { file: String, reason: String },
    #[error(
        "{file}: tensor {name} has type {dtype}, which oai cannot run yet; pull another quantization (Q4_K_M, say)"
    )]
    TensorType { file: String, name: String, dtype: &'static str },
    #[error("{file}: no usable tokenizer: {reason}")]
    Tokenizer { file: String, reason: String },
    #[error("the text cannot be tokenized: {reason}")]
    Encode { reason: String },
    #[error("{file}: the chat template refused this conversation: {reason}; --raw sends a prompt without it")]
    Template { file: String, reason: String },
    #[error("stopped")]
    Cancelled,
    #[error("the computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}
