//! What can go wrong between a name and a file.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name:?} is not a model name{hint}; a name is an alias, org/repo, org/repo:Q4_K_M, a URL or a path")]
    UnknownName { name: String, hint: String },
    #[error("{name} is not on this machine{hint}; get it with: oai pull {name}")]
    NotHere { name: String, hint: String },
    #[error("{} does not exist", path.display())]
    NoFile { path: PathBuf },
    #[error(
        "no embedding model is on this machine; pull one first (`oai pull all-minilm` is small, `oai pull \
         nomic-embed-text` reads longer texts) or name one with -m"
    )]
    NoEmbedder,
    #[error("guide is part of the program and cannot be {what}")]
    Guide { what: &'static str },
    #[error("{} is a local file: there is nothing to {what}", path.display())]
    Local { path: PathBuf, what: &'static str },
    #[error("{repo} has no file that fits {wanted:?}; it has: {choices}")]
    NoSuchFile { repo: String, wanted: String, choices: String },
    #[error("{repo} leaves a choice: {choices}; name one: oai pull {repo}:TAG")]
    Ambiguous { repo: String, choices: String },
    #[error("{name} is {n} models here: {choices}; name one of them")]
    Several { name: String, n: usize, choices: String },
    #[error("{repo} holds no GGUF file and no safetensors model")]
    NoModel { repo: String },
    #[error("{endpoint} knows no {what}; check the name (a private repository needs HF_TOKEN)")]
    NotFound { endpoint: String, what: String },
    #[error(
        "{repo} needs permission (status {status}): accept its terms at {endpoint}/{repo} and set HF_TOKEN to an access token"
    )]
    Forbidden { repo: String, status: u16, endpoint: String },
    #[error("{what}: the hub answered with status {status}; try again later")]
    Status { what: String, status: u16 },
    #[error("the hub's answer for {file} {what}; is HF_ENDPOINT a hub?")]
    Malformed { file: String, what: String },
    #[error("cannot reach {endpoint}: {reason}; check the connection, HF_ENDPOINT and HTTPS_PROXY, and run it again")]
    Connection { endpoint: String, reason: String },
    #[error("{file} came incomplete ({got} of {expected} bytes); run the same pull again, it goes on from there")]
    Incomplete { file: String, got: u64, expected: u64 },
    #[error("{file} does not have the hash that the hub promised, and was thrown away; run the same pull again")]
    Hash { file: String },
    #[error("cannot write {}: {source}; set HF_HOME to a folder with room that you own", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

impl Error {
    /// The model is unknown or not on this machine.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Error::UnknownName { .. }
                | Error::NotHere { .. }
                | Error::NoFile { .. }
                | Error::Several { .. }
                | Error::NoEmbedder
        )
    }

    /// This machine's disk refused.
    pub fn is_disk(&self) -> bool {
        matches!(self, Error::Write { .. } | Error::Read { .. })
    }

    /// The command asked for something that cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Guide { .. } | Error::Local { .. })
    }
}
