//! One file from the hub to its name in the cache: ranges side by side, each byte kept once, the
//! hash taken as the bytes come.
//!
//! While it comes a file is `blobs/HASH.oai-partial`, at its full length from the start, and
//! `HASH.oai-journal` tells which pieces of it are here. It is called `HASH` only after its content
//! was found to have that hash and lies on the disk.

mod connections;
mod digest;
mod partial;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use digest::Hasher;
pub use partial::{JOURNAL, PARTIAL};
pub use partial::{forget, is_begun};

use super::Error;
use super::http::{Http, What};
use connections::Connections;
use digest::Digest;
use partial::Partial;

/// A file up to this size comes over one connection.
pub const SMALL: u64 = 4 << 20;

/// What is told while a file comes.
pub enum Step<'a> {
    /// So many bytes are here.
    At(u64),
    /// It broke, and is tried again after a wait.
    Retry { reason: &'a str, wait: Duration, attempt: u32 },
}

/// A file to fetch: where it lies on the hub, and what it must turn out to be.
pub struct Wanted<'a> {
    pub what: What<'a>,
    pub size: u64,
    /// SHA-256 or git's SHA-1; the name of the blob.
    pub hash: &'a str,
    pub blob: PathBuf,
}

/// Brings the blob here. Returns how many bytes came over the network.
///
/// # Errors
///
/// What the hub refused, a disk that refused, [`Error::Incomplete`] after too many failures in a
/// row, and [`Error::Hash`] for other bytes than those promised, which are thrown away.
pub async fn fetch(
    http: &Http<'_>,
    wanted: &Wanted<'_>,
    afresh: bool,
    report: &mut dyn FnMut(Step<'_>),
) -> Result<u64, Error> {
    if afresh {
        partial::forget(&wanted.blob);
    }
    let partial = Arc::new(Partial::open(&wanted.blob, wanted.size)?);
    report(Step::At(partial.have()));
    let mut digest = Digest::start(Arc::clone(&partial), wanted.hash)?;
    let connections = Connections::new(http, wanted, &partial, report);
    let found = loop {
        while partial.have() < wanted.size {
            connections.run().await?;
        }
        // Pieces of an earlier run that turn out damaged are fetched once more.
        if let Some(found) = digest.finished().await {
            break found?;
        }
    };
    let came = connections.came();
    if found != wanted.hash {
        partial::forget(&wanted.blob);
        return Err(Error::Hash { file: wanted.what.to_string() });
    }
    partial.finish(&wanted.blob)?;
    Ok(came)
}

/// How many bytes of a blob that is not here yet lie in its partial file.
pub fn have(blob: &Path, size: u64) -> u64 {
    partial::recorded(blob, size)
}
