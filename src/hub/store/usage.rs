//! What the disk really holds: blocks in use, each file once, every folder and link counted. The total is that of
//! `du -s --block-size=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::hf_cache::EntryKind;
use super::{LocalModel, Repo, Store, disk};
use crate::hub::Error;

/// A line: a model, or what else lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub name: String,
    /// `model`, or what other kind of thing it is.
    pub kind: &'static str,
    pub bytes: u64,
    /// How much of that others use too, and who.
    pub shared_bytes: u64,
    pub shared_with: Vec<String>,
}

pub struct Usage {
    pub uses: Vec<Use>,
    /// The folders that were counted, what two hold counted with the first.
    pub folders: Vec<(PathBuf, u64)>,
    pub total_bytes: u64,
}

/// A file, a link or a folder as it lies.
struct Found {
    bytes: u64,
    kind: &'static str,
    name: String,
    /// Models, by their place in the list, that it belongs to.
    owners: BTreeSet<usize>,
}

const PARTIAL: &str = "partial";
const UNUSED: &str = "unused";
const OTHER: &str = "other";

impl Store {
    /// What models take, and all that lies beside them; with `elsewhere` also what other programs have.
    pub fn usage(&self, elsewhere: bool) -> Result<Usage, Error> {
        let mut folders = vec![self.cache.folder.clone(), self.imports_folder()];
        if elsewhere {
            folders.extend(self.ollama.iter().chain(&self.lm_studio).cloned());
        }
        let mut found: BTreeMap<disk::Identity, Found> = BTreeMap::new();
        let mut counted = Vec::new();
        for folder in folders {
            let before: u64 = found.values().map(|f| f.bytes).sum();
            let of_cache = folder == self.cache.folder;
            for path in everything_below(&folder)? {
                let (Ok(metadata), Some(id)) = (fs::symlink_metadata(&path), disk::identity_of_name(&path)) else {
                    continue;
                };
                let inside = path.strip_prefix(&folder).unwrap_or(&path);
                let (kind, name) = if of_cache { in_cache(inside, metadata.is_file()) } else { overhead() };
                let (bytes, owners) = (disk::allocated(&metadata), BTreeSet::new());
                found.entry(id).or_insert(Found { bytes, kind, name, owners });
            }
            let bytes = found.values().map(|f| f.bytes).sum::<u64>() - before;
            if folder.exists() {
                counted.push((folder, bytes));
            }
        }
        let names = self.assign(elsewhere, &mut found)?;
        let total_bytes = found.values().map(|f| f.bytes).sum();
        Ok(Usage { uses: uses(&names, found), folders: counted, total_bytes })
    }

    /// Notes whose files are whose; returns the models' names.
    fn assign(&self, elsewhere: bool, found: &mut BTreeMap<disk::Identity, Found>) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::new();
        let mut own = |model: &LocalModel| {
            let index = names.iter().position(|name| *name == model.name).unwrap_or_else(|| {
                names.push(model.name.clone());
                names.len() - 1
            });
            for file in &model.files {
                if let Some(found) = disk::identity(&file.on_disk).and_then(|id| found.get_mut(&id)) {
                    found.owners.insert(index);
                }
            }
        };
        let mut linked: BTreeSet<PathBuf> = BTreeSet::new();
        for repo in self.cache.repos()? {
            for snapshot in repo.snapshots()? {
                repo.models_of(&snapshot).iter().for_each(&mut own);
                linked.extend(snapshot.entries.iter().filter_map(blob));
            }
        }
        super::imported::models(&self.data_dir)?.iter().for_each(&mut own);
        if elsewhere {
            self.elsewhere().iter().for_each(&mut own);
        }
        // What a snapshot points at is in use, if by no model.
        for id in linked.iter().filter_map(|blob| disk::identity(blob)) {
            if let Some(found) = found.get_mut(&id).filter(|found| found.kind == UNUSED) {
                found.kind = OTHER;
            }
        }
        Ok(names)
    }
}

fn blob(entry: &super::Entry) -> Option<PathBuf> {
    match &entry.kind {
        EntryKind::Blob(blob) => Some(blob.clone()),
        _ => None,
    }
}

/// What a name in the cache is, if no model has it.
fn in_cache(inside: &Path, is_file: bool) -> (&'static str, String) {
    let parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        [repo, "blobs", _] if is_file && repo.starts_with("models--") => {
            let kind = if disk::is_unfinished(inside) { PARTIAL } else { UNUSED };
            (kind, Repo::name_of(repo).unwrap_or_default())
        }
        [repo, "snapshots", ..] if is_file && repo.starts_with("models--") => {
            (OTHER, Repo::name_of(repo).unwrap_or_default())
        }
        ["blobs", _, _] if is_file => (OTHER, "shared blobs".to_owned()),
        [repo, ..] if repo.starts_with("datasets--") => ("datasets", "datasets".to_owned()),
        [repo, ..] if repo.starts_with("spaces--") => ("spaces", "spaces".to_owned()),
        _ => overhead(),
    }
}

fn overhead() -> (&'static str, String) {
    ("overhead", "folders, links and records".to_owned())
}

fn uses(names: &[String], found: BTreeMap<disk::Identity, Found>) -> Vec<Use> {
    let new =
        |name: &str, kind| Use { name: name.to_owned(), kind, bytes: 0, shared_bytes: 0, shared_with: Vec::new() };
    let mut models: Vec<Use> = names.iter().map(|name| new(name, "model")).collect();
    let mut rest: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for file in found.into_values() {
        if file.owners.is_empty() {
            *rest.entry((file.kind, file.name)).or_default() += file.bytes;
        }
        for owner in &file.owners {
            let model = &mut models[*owner];
            model.bytes += file.bytes;
            if file.owners.len() > 1 {
                model.shared_bytes += file.bytes;
                let others = file.owners.iter().filter(|other| *other != owner).map(|other| names[*other].clone());
                model.shared_with.extend(others);
            }
        }
    }
    for model in &mut models {
        model.shared_with.sort();
        model.shared_with.dedup();
    }
    models.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    models.extend(rest.into_iter().map(|((kind, name), bytes)| Use { bytes, ..new(&name, kind) }));
    models
}

/// `folder` and every name below it; links lead nowhere.
fn everything_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    // The folder itself may be a link: people put caches on other disks.
    let Ok(root) = fs::canonicalize(folder) else { return Ok(Vec::new()) };
    let mut all = vec![root.clone()];
    let mut left = vec![root.clone()];
    while let Some(next) = left.pop() {
        for path in disk::children(&next)? {
            if disk::is_real_folder(&path) {
                left.push(path.clone());
            }
            all.push(path);
        }
    }
    Ok(all.into_iter().map(|path| folder.join(path.strip_prefix(&root).unwrap_or(&path))).collect())
}
