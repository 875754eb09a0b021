//! The cache's own `blobs/XX/HASH`, where huggingface_hub from 2.4 keeps files that several repositories may
//! share: `blobs/HASH` of a repository is then a link there, and `HASH.refs` lists those links, a line each from
//! the cache's folder. A file without a readable list is left alone, as that tool leaves it
//! (<https://github.com/huggingface/huggingface_hub>, `utils/_shared_blobs.py`).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use super::super::{Error, api};
use super::disk;

const MARKER: &str = ".huggingface-shared-blobs";
const LAYOUT: &str = "1\n";

fn store(cache: &Path) -> Option<PathBuf> {
    let store = cache.join("blobs");
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
    let marker = store.join(MARKER);
    let known = disk::is_real_folder(&store) && is_file(&marker);
    (known && fs::read_to_string(marker).is_ok_and(|text| text == LAYOUT)).then_some(store)
}

/// The shared file that the link `blob` of a repository leads to, if it is one.
pub fn target(cache: &Path, blob: &Path) -> Option<PathBuf> {
    let store = fs::canonicalize(store(cache)?).ok()?;
    let leads_to = blob.parent()?.join(fs::read_link(blob).ok()?);
    let folder = fs::canonicalize(leads_to.parent()?).ok()?;
    let path = folder.join(leads_to.file_name()?);
    let hash = path.file_name()?.to_str()?;
    let placed = folder.parent() == Some(&store) && folder.file_name()?.to_str()? == hash.get(..2)?;
    let sound = hash.len() == 64 && api::is_hash(hash) && fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
    (placed && sound).then_some(path)
}

/// Links of repositories that lead to `shared`; `None` where its list cannot be read.
fn links(cache: &Path, shared: &Path) -> Option<BTreeSet<PathBuf>> {
    let list = with_ending(shared, ".refs");
    if !fs::symlink_metadata(&list).is_ok_and(|m| m.is_file()) {
        return None;
    }
    let text = fs::read_to_string(list).ok()?;
    let inside = |line: &&str| Path::new(line).components().all(|part| matches!(part, Component::Normal(_)));
    let links = text.lines().filter(inside).map(|line| cache.join(line));
    Some(links.filter(|link| target(cache, link).as_deref() == Some(shared)).collect())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// All shared files of the cache.
pub fn all(cache: &Path) -> Result<Vec<PathBuf>, Error> {
    let Some(store) = store(cache).and_then(|store| fs::canonicalize(store).ok()) else { return Ok(Vec::new()) };
    let is_payload = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == 64 && api::is_hash(name) && fs::symlink_metadata(path).is_ok_and(|m| m.is_file())
    };
    Ok(disk::walk(&store)?.into_iter().map(|(path, _)| path).filter(|path| is_payload(path)).collect())
}

/// Whether nothing leads to `shared` once the links `deleted` are gone.
pub fn is_left_over(cache: &Path, shared: &Path, deleted: &BTreeSet<PathBuf>) -> bool {
    links(cache, shared).is_some_and(|links| links.is_subset(deleted))
}

/// Deletes `shared` if nothing leads to it any more; returns the bytes that this freed.
pub fn sweep(cache: &Path, shared: &Path) -> Result<u64, Error> {
    let path = with_ending(shared, ".lock");
    let failed = |source| Error::Write { path: path.clone(), source };
    let lock = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if !is_left_over(cache, shared, &BTreeSet::new()) {
        return Ok(0);
    }
    let freed = disk::unlink(shared)?;
    disk::unlink(&with_ending(shared, ".refs"))?;
    Ok(freed)
}
