//! Why nothing can be measured.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot start {} to measure in a process of its own: {source}", program())]
    Start { source: io::Error },
    /// It said why, in its own line.
    #[error("{said}")]
    Failed { code: u8, said: String },
    #[error("the process that measured {0}; it may have had too little memory: try fewer tokens (-d, -p)")]
    Died(String),
    #[error("the process that measured said something unknown ({0}): oai was replaced while it ran; run it again")]
    Unknown(String),
}

fn program() -> String {
    std::env::current_exe().map_or("oai".to_owned(), |path| path.display().to_string())
}
