//! What is wrong with a theme.

use std::path::PathBuf;

/// Each message names the theme or its file, and the key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no theme {name}{} (themes: {})", meant(nearest.as_deref()), known.join(", "))]
    Unknown { name: String, nearest: Option<String>, known: Vec<String> },
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{file}: {reason}")]
    Syntax { file: String, reason: String },
    #[error("{file}: {key}: {reason}")]
    Value { file: String, key: String, reason: String },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean {name}?"))
}
