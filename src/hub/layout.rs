//! The cache that Hugging Face's tools share: `models--ORG--NAME` with `blobs`, `refs` and
//! `snapshots`, and beside it `.locks`
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>).

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Error, store};

/// The folder of a repository in the cache.
pub struct Layout<'a> {
    cache_dir: &'a Path,
    folder: PathBuf,
    name: String,
}

impl<'a> Layout<'a> {
    pub fn new(cache_dir: &'a Path, repo: &str) -> Layout<'a> {
        let name = store::folder_name(repo);
        Layout { cache_dir, folder: cache_dir.join(&name), name }
    }

    /// Where the bytes with this hash lie.
    pub fn blob(&self, hash: &str) -> PathBuf {
        self.folder.join("blobs").join(hash)
    }

    /// Makes the folder for blobs.
    pub fn prepare(&self) -> Result<(), Error> {
        create_folder(&self.folder.join("blobs"))
    }

    /// Takes the lock of a blob, which Python's tools take too; None while another process has it.
    /// It ends with the file, however the process ends.
    pub fn try_lock(&self, hash: &str) -> Result<Option<File>, Error> {
        let path = self.cache_dir.join(".locks").join(&self.name).join(format!("{hash}.lock"));
        create_parent(&path)?;
        let failed = |source| Error::Write { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            // A file system without locks: two pulls at once would write the same bytes to the same places.
            Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => Ok(Some(file)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// `snapshots/COMMIT/PATH` points at the blob; where links cannot be made it is a copy.
    pub fn link(&self, commit: &str, path: &str, hash: &str) -> Result<(), Error> {
        let link = self.folder.join("snapshots").join(commit).join(path);
        let parent = link.parent().unwrap_or(&self.folder);
        create_folder(parent)?;
        let failed = |source| Error::Write { path: link.clone(), source };
        // A folder that is a link somewhere else is not ours to write to.
        let inside =
            fs::canonicalize(parent).map_err(failed)?.starts_with(fs::canonicalize(&self.folder).map_err(failed)?);
        if !inside {
            return Err(failed(std::io::Error::other("the folder leads out of the cache")));
        }
        let up = "../".repeat(2 + path.matches('/').count());
        let target = format!("{up}blobs/{hash}");
        match fs::symlink_metadata(&link) {
            Ok(m) if m.is_file() && m.len() == size(&self.blob(hash)) => return Ok(()),
            Ok(_) if fs::read_link(&link).is_ok_and(|to| to == Path::new(&target)) => return Ok(()),
            Ok(_) => fs::remove_file(&link).map_err(failed)?,
            Err(_) => {}
        }
        #[cfg(unix)]
        if std::os::unix::fs::symlink(&target, &link).is_ok() {
            return Ok(());
        }
        fs::copy(self.blob(hash), &link).map(drop).map_err(failed)
    }

    /// What a branch or tag means, for tools that ask without a network.
    pub fn refer(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if revision == commit || !is_inside(revision) {
            return Ok(());
        }
        write_whole(&self.folder.join("refs").join(revision), commit.as_bytes())
    }
}

/// Writes a file that is there whole or not at all, also after a power cut.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    write(path, content, 0o666)
}

/// The same for this user's eyes alone.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    write(path, content, 0o600)
}

#[cfg_attr(not(unix), allow(unused_variables))]
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    create_parent(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    // Left by a process of this number that was killed.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::Write { path: path.to_owned(), source }
    })
}

/// Whether a relative path stays below where it is put.
pub fn is_inside(path: &str) -> bool {
    let odd = |c: char| c == '\\' || c.is_control();
    let first = path.split('/').next().unwrap_or_default();
    // `c:` is a drive on Windows.
    !path.contains(odd) && !first.contains(':') && path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

fn create_parent(path: &Path) -> Result<(), Error> {
    create_folder(path.parent().unwrap_or(path))
}

fn create_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })
}

pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for good in ["a", "a/b.gguf", "refs/pr/1", "..a/b..", "a/c:d"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/a", "a/", "../a", "a/../b", "a//b", ".", "a\\b", "a\nb", "c:/x", "\0"] {
            assert!(!is_inside(bad), "{bad:?}");
        }
    }
}
