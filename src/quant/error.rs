//! What can keep a model from being quantized.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Model(#[from] crate::model::Error),
    #[error(transparent)]
    Weights(#[from] crate::weights::Error),
    #[error(transparent)]
    Imatrix(#[from] super::ImatrixError),
    #[error("no tensor that is quantized matches {pattern:?}; some that are: {names}")]
    NoMatch { pattern: String, names: String },
    #[error(
        "{scheme} makes garbage of {tensor} without an importance matrix; collect one with --calibrate TEXT or take another type"
    )]
    NeedsImportance { scheme: &'static str, tensor: String },
    #[error("tensor {tensor} holds infinities or NaNs, which cannot be quantized; pull or convert the model again")]
    NoNumbers { tensor: String },
    #[error(
        "tensor {tensor} holds {value}, which is too large for {dtype}; take BF16 or F32 for it (--tensor {tensor}=BF16)"
    )]
    TooLarge { tensor: String, value: f32, dtype: &'static str },
    #[error("{} is there already; --force overwrites it, -o gives another name", path.display())]
    Exists { path: PathBuf },
    #[error("cannot write {}: {reason}", path.display())]
    Write { path: PathBuf, reason: String },
}

impl Error {
    pub(super) fn writing(path: &Path, e: &io::Error) -> Error {
        Error::Write { path: path.to_owned(), reason: e.to_string() }
    }
}
