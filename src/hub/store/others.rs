//! What lies beside the models that can be used: downloads that did not end, repositories that hold no model of a
//! kind that oai knows, names that lead out of the cache.

use std::path::PathBuf;

use super::hf_cache::EntryKind;
use super::{Store, disk, ollama};
use crate::hub::Error;

/// Something that is here, and why it is not used.
#[derive(Debug, Clone)]
pub struct Other {
    pub name: String,
    /// `partial`, `foreign`, `no model` or `ollama`.
    pub kind: &'static str,
    pub size_bytes: u64,
    pub path: PathBuf,
    pub why: String,
}

impl Store {
    /// All of it.
    pub fn others(&self) -> Result<Vec<Other>, Error> {
        let mut others = Vec::new();
        for repo in self.cache.repos()? {
            let name = &repo.name;
            for partial in repo.partials()? {
                let goes_on =
                    if repo.is_being_fetched(&partial.hash) { "being fetched now" } else { "an unfinished pull" };
                others.push(Other {
                    name: name.clone(),
                    kind: "partial",
                    size_bytes: partial.size_bytes,
                    path: partial.files[0].clone(),
                    why: goes_on.to_owned(),
                });
            }
            let snapshots = repo.snapshots()?;
            let entries = || snapshots.iter().flat_map(|snapshot| &snapshot.entries);
            for entry in entries().filter(|entry| entry.kind == EntryKind::Foreign) {
                others.push(Other {
                    name: name.clone(),
                    kind: "foreign",
                    size_bytes: 0,
                    path: entry.on_disk.clone(),
                    why: format!("{} leads out of the repository's folder: not used", entry.path),
                });
            }
            let here: Vec<_> =
                entries().filter(|entry| matches!(entry.kind, EntryKind::Blob(_) | EntryKind::File)).collect();
            if repo.models()?.is_empty() && !here.is_empty() {
                others.push(Other {
                    name: name.clone(),
                    kind: "no model",
                    size_bytes: disk::size_once(here.iter().map(|entry| entry.on_disk.as_path())),
                    path: repo.folder.clone(),
                    why: "no GGUF file and no safetensors model: oai cannot run it".to_owned(),
                });
            }
        }
        others.extend(ollama::models(&self.ollama).1);
        Ok(others)
    }
}
