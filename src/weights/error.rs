//! What can be wrong with a weights file.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{file} is not a GGUF file (it begins with {magic:?}); give a .gguf file or a safetensors folder")]
    NotGguf { file: String, magic: String },
    #[error("{file}: GGUF version {version} is not supported (2 and 3 are); convert it again with a current tool")]
    Version { file: String, version: u32 },
    #[error("{file} is truncated or damaged: {what} at byte {at} reaches beyond the end ({size} bytes); pull it again")]
    Truncated { file: String, what: String, at: u64, size: u64 },
    #[error("{file} is damaged: {what}; pull it again")]
    Damaged { file: String, what: String },
    #[error("{file}: tensor {name} has type {id}, which oai does not know")]
    UnknownType { file: String, name: String, id: u32 },
    #[error("{file} has no tensor {name}; the file is incomplete or of another architecture")]
    MissingTensor { file: String, name: String },
    #[error("{} is missing: {file} is one of the {count} files of its model; pull it again", path.display())]
    MissingPart { path: PathBuf, file: String, count: u64 },
    #[error("{} was changed or cut short while it was in use; start again, or pull it again", path.display())]
    Changed { path: PathBuf },
    #[error("{file}: {reason}")]
    Safetensors { file: String, reason: String },
}
