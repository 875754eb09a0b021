//! What can keep a training from running.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {file}: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("{file} is not a corpus: {reason}")]
    Corpus { file: String, reason: String },
    #[error("{0}")]
    Recipe(String),
    #[error("the vocabulary could not be learned: {0}")]
    Vocabulary(String),
    #[error(transparent)]
    Weights(#[from] crate::weights::Error),
    #[error("the computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}
