//! What can go wrong between a name and a file.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name:?} is not a model name{hint}; a name is an alias, org/repo, org/repo:Q4_K_M, a URL or a path")]
    UnknownName { name: String, hint: String },
    #[error("{name} is not on this machine{hint}; get it with: oai pull {name}")]
    NotHere { name: String, hint: String },
    #[error("{name} is not on this machine, and offline it cannot be fetched; leave out --offline (or HF_HUB_OFFLINE)")]
    NotHereOffline { name: String },
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
    #[error("{repo} holds only an adapter (LoRA), no model; pull the model that it was made for")]
    OnlyAdapter { repo: String },
    #[error("{repo} holds no GGUF file and no safetensors model, and {file} is of a kind that oai does not read")]
    OtherFormat { repo: String, file: String },
    #[error("{endpoint} knows no {what}; check the name (a private repository needs a token: oai login)")]
    NotFound { endpoint: String, what: String },
    #[error(
        "{repo} is gated: accept its terms at {endpoint}/{repo}{}",
        if *login { ", make a token at the hub's settings/tokens page and run `oai login` (or set HF_TOKEN)" }
        else { " with the account that your token belongs to" }
    )]
    Gated { repo: String, endpoint: String, login: bool },
    #[error(
        "{repo} needs permission (status {status}): see {endpoint}/{repo}, and run `oai login` (or set HF_TOKEN) with a token that may read it"
    )]
    Forbidden { repo: String, status: u16, endpoint: String },
    #[error("{endpoint} does not accept the token; make one at {endpoint}/settings/tokens and run oai login")]
    Token { endpoint: String },
    #[error("{repo} was taken down by the hub")]
    Disabled { repo: String },
    #[error("{what}: the hub answered with status {status}; try again later")]
    Status { what: String, status: u16 },
    #[error("the hub's answer for {what} {why}; is HF_ENDPOINT a hub?")]
    Malformed { what: String, why: String },
    #[error("offline: nothing is asked of the network (--offline, HF_HUB_OFFLINE or offline in the configuration)")]
    Offline,
    #[error(
        "the certificate of {endpoint} is not trusted: {reason}; where a proxy inspects TLS, set SSL_CERT_FILE to its certificates"
    )]
    Certificate { endpoint: String, reason: String },
    #[error("{}: {reason}; give a file of PEM certificates", path.display())]
    CertificateFile { path: PathBuf, reason: String },
    #[error(
        "no room in {}: {} more bytes are needed and {} are free; make room (oai prune, oai rm) or set HF_HOME to another disk",
        path.display(), needed, free
    )]
    NoRoom { path: PathBuf, needed: u64, free: u64 },
    #[error("cannot reach {endpoint}: {reason}; check the connection, HF_ENDPOINT and HTTPS_PROXY, and run it again")]
    Connection { endpoint: String, reason: String },
    #[error(
        "{file} came incomplete ({got} of {expected} bytes): {reason}; run the same pull again, it goes on from there"
    )]
    Incomplete { file: String, got: u64, expected: u64, reason: String },
    #[error("{file} does not have the hash that the hub promised, and was thrown away; run the same pull again")]
    Hash { file: String },
    #[error("cannot start a thread: {0}")]
    Threads(std::io::Error),
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
                | Error::NotHereOffline { .. }
                | Error::NoFile { .. }
                | Error::Several { .. }
                | Error::NoEmbedder
        )
    }

    /// This machine's disk refused.
    pub fn is_disk(&self) -> bool {
        matches!(self, Error::Write { .. } | Error::Read { .. } | Error::NoRoom { .. })
    }

    /// The command asked for something that cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Guide { .. } | Error::Local { .. })
    }
}
