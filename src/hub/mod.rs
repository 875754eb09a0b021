//! The Hugging Face hub and the models on this machine: names, download, the store.

mod aliases;
mod client;
mod download;
mod error;
mod files;
mod name;
mod store;

pub use aliases::{Alias, aliases};
pub use download::{Progress, PullOptions, pull};
pub use error::Error;
pub use name::ModelRef;
pub use store::{LocalModel, Store};

use std::path::PathBuf;

/// Where the hub is and where its files go; the configuration fills it.
#[derive(Debug, Clone)]
pub struct HubSettings {
    pub endpoint: String,
    pub token: Option<String>,
    /// Hugging Face's `hub` folder.
    pub cache_dir: PathBuf,
}
