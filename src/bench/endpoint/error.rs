//! What can go wrong between us and a server.

use crate::hub;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{url:?} is no server's address: {why}; write it as http://HOST:PORT")]
    Address { url: String, why: String },
    #[error(
        "the key for {url} has characters that no key has; give it as it was given to you, without quotes or spaces"
    )]
    Key { url: String },
    #[error("cannot reach {url}: {reason}; see that the server runs and listens there")]
    Connection { url: String, reason: String },
    #[error("{url} was silent for {seconds} s")]
    Silent { url: String, seconds: u64 },
    #[error("{url} answered with status {status}{said}{}", way_out(*status))]
    Status { url: String, status: u16, said: String },
    #[error("{url} went wrong in the middle of an answer: {said}")]
    Failed { url: String, said: String },
    #[error("the answer of {url} broke off after {events} events: {reason}")]
    Broken { url: String, events: usize, reason: String },
    #[error("the answer of {url} is not one of OpenAI's protocol: {why}")]
    Malformed { url: String, why: String },
    #[error("{url} answered without any text; give a model that writes")]
    Empty { url: String },
    #[error("{url} does not say what models it has; name the model")]
    NoModel { url: String },
    #[error("{url} has several models: {models}; name one")]
    SeveralModels { url: String, models: String },
    #[error(transparent)]
    Network(#[from] hub::Error),
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

impl Error {
    /// The command asked for something that cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Address { .. } | Error::Key { .. } | Error::NoModel { .. } | Error::SeveralModels { .. })
    }

    /// The status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

fn way_out(status: u16) -> &'static str {
    match status {
        300..=399 => "; give the address to which it leads",
        401 | 403 => "; it wants a key that it knows",
        404 | 405 => "; see that it speaks OpenAI's protocol and has that model",
        429 => "; it takes no more requests now: lower the concurrency, or wait",
        503 => "; it may still be loading the model",
        _ => "",
    }
}
