//! The Hugging Face hub and the models on this machine: names, download, the store.

mod account;
mod aliases;
mod api;
mod error;
mod files;
pub mod hash;
pub mod http;
mod layout;
pub mod lock_file;
mod name;
pub mod provenance;
mod pull;
mod reach;
mod search;
pub mod store;
mod transfer;

pub use account::{forget_token, is_token, store_token, whoami};
pub use aliases::{Alias, Names, aliases};
pub use api::{GgufSummary, RemoteFile, Repository};
pub use error::Error;
pub use files::{Choice, SAFETENSORS, Variant, choose, is_quantization, list, no_model, usual, variants};
pub use name::ModelRef;
pub use pull::{Event, Plan, Planned, look_up};
pub use reach::reach;
pub use search::{Found, MOST, Order, Search, Weights};
pub use store::{LocalModel, Store};

use std::path::PathBuf;
use std::time::Duration;

/// Asks the hub for models.
pub fn search(
    settings: &HubSettings,
    asked: &Search<'_>,
    retried: &mut dyn FnMut(&str, Duration, u32),
) -> Result<Vec<Found>, Error> {
    let http = http::Http::new(settings)?;
    pull::block_on(search::search(&http, asked, retried))?
}

/// Where the hub is and where its files go; the configuration fills it.
#[derive(Debug, Clone)]
pub struct HubSettings {
    pub endpoint: String,
    pub token: Option<String>,
    /// Hugging Face's `hub` folder.
    pub cache_dir: PathBuf,
    /// No socket is opened.
    pub offline: bool,
    /// Failures in a row, without a new byte, before it is given up.
    pub retries: u32,
    /// Ranges of a large file that are fetched at once.
    pub connections: usize,
    /// A connection that is silent for so long is dead.
    pub read_timeout: Duration,
    /// No proxy, whatever the environment says of proxies.
    pub no_proxy: bool,
    /// PEM certificates to trust beside the system's.
    pub certificates: Option<PathBuf>,
}
