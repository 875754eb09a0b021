//! Files as the disk has them: which names are one file, what they take, what deleting one frees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Error;
use super::super::transfer::{JOURNAL, PARTIAL};

/// Which file a name leads to: two names with one identity are hard links.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] PathBuf);

/// The identity of what `path` is, or leads to.
pub fn identity(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    return fs::metadata(path).ok().map(|metadata| identity_of(&metadata));
    #[cfg(not(unix))]
    fs::canonicalize(path).ok().map(Identity)
}

/// The identity of the name itself: of a link, where it is one.
pub fn identity_of_name(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    return fs::symlink_metadata(path).ok().map(|metadata| identity_of(&metadata));
    #[cfg(not(unix))]
    Some(Identity(path.to_owned()))
}

#[cfg(unix)]
fn identity_of(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity((metadata.dev(), metadata.ino()))
}

/// How many names the file has.
pub fn names(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.nlink()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        1
    }
}

/// Bytes of disk in use; a file that is being downloaded has holes.
pub fn allocated(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.blocks().saturating_mul(512)
    }
    #[cfg(not(unix))]
    metadata.len()
}

/// The length of what `path` leads to.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

pub fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// The bytes of all `paths`, each file once however many names lead to it.
pub fn size_once<'a>(paths: impl IntoIterator<Item = &'a Path>) -> u64 {
    let mut seen = BTreeSet::new();
    paths.into_iter().filter(|path| identity(path).is_some_and(|id| seen.insert(id))).map(size).sum()
}

/// The bytes that deleting all of `paths` frees: a file that has another name lives on.
pub fn freed<'a>(paths: impl IntoIterator<Item = &'a Path>) -> u64 {
    let mut deleted: BTreeMap<Identity, (u64, u64, u64)> = BTreeMap::new();
    for path in paths {
        let Ok(metadata) = fs::symlink_metadata(path) else { continue };
        if !metadata.is_file() {
            continue;
        }
        let Some(identity) = identity_of_name(path) else { continue };
        deleted.entry(identity).or_insert((bytes(path, &metadata), names(&metadata), 0)).2 += 1;
    }
    deleted.into_values().filter(|(_, names, gone)| gone >= names).map(|(bytes, ..)| bytes).sum()
}

/// Deletes one name; returns the bytes that this freed. A link is deleted, never what it leads to.
pub fn unlink(path: &Path) -> Result<u64, Error> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    match fs::remove_file(path) {
        Ok(()) if metadata.is_file() && names(&metadata) == 1 => Ok(bytes(path, &metadata)),
        Ok(()) => Ok(0),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(Error::Write { path: path.to_owned(), source }),
    }
}

/// A file's length; of an unfinished one what it has.
fn bytes(path: &Path, metadata: &Metadata) -> u64 {
    if is_unfinished(path) { metadata.len().min(allocated(metadata)) } else { metadata.len() }
}

/// Whether the name is one of a download that is not over: ours, or one of Hugging Face's tools.
pub fn is_unfinished(path: &Path) -> bool {
    const ENDINGS: &[&str] = &[PARTIAL, JOURNAL, "incomplete", "shared", "tmp"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// What is in a folder, in the order of names; nothing when it is not there.
pub fn children(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
            paths.sort();
            Ok(paths)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Read { path: folder.to_owned(), source }),
    }
}

/// Whether `path` is a folder itself, not a link to one.
pub fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_dir())
}

/// Every name below `folder` that is no folder, with its path from there. Links are names, and lead nowhere.
pub fn walk(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut found = Vec::new();
    let mut left = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = left.pop() {
        if !is_real_folder(&folder) {
            continue;
        }
        for path in children(&folder)? {
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if is_real_folder(&path) {
                left.push((path, format!("{name}/")));
            } else {
                found.push((path, name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Deletes the folders below `folder`, and itself, that hold nothing but such folders.
pub fn remove_empty(folder: &Path) {
    if !is_real_folder(folder) {
        return;
    }
    for path in children(folder).unwrap_or_default() {
        remove_empty(&path);
    }
    // Fails where something is left, as it should.
    let _ = fs::remove_dir(folder);
}

/// A text as the name of a file: what other than letters, digits, `.`, `_` and `-` it has is escaped.
pub fn file_name(text: &str) -> String {
    let mut name = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte as char),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

/// The text that [`file_name`] made `name` of.
pub fn text_of(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_is_freed_with_its_last_name() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, link] = ["a", "b", "link"].map(|name| folder.path().join(name));
        fs::write(&a, [7; 1000]).unwrap();
        fs::hard_link(&a, &b).unwrap();
        std::os::unix::fs::symlink(&a, &link).unwrap();
        let paths = |paths: &[&PathBuf]| freed(paths.iter().map(|p| p.as_path()));
        assert_eq!((paths(&[&a]), paths(&[&a, &b]), paths(&[&link])), (0, 1000, 0));
        assert_eq!(size_once([a.as_path(), b.as_path(), link.as_path()]), 1000);
        assert_eq!((unlink(&link).unwrap(), unlink(&a).unwrap(), unlink(&b).unwrap()), (0, 0, 1000));
        assert_eq!(unlink(&b).unwrap(), 0);
    }

    #[test]
    fn a_name_becomes_a_name_of_a_file() {
        assert_eq!(file_name("org/repo:Q4_K_M"), "org%2frepo%3aQ4_K_M");
        assert_eq!(file_name("../x"), "%2e.%2fx");
        for text in ["org/repo:Q4_K_M", "../x", "my:7b", "é%20"] {
            assert_eq!(text_of(&file_name(text)), text);
        }
    }
}
