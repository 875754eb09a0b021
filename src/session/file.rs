//! Text files that are there whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file beside its place and puts it there when it is whole. Another file that is there is replaced, keeping
/// its mode, or without `replace` left alone: [`ErrorKind::AlreadyExists`].
pub fn write_file(path: &Path, text: &str, replace: bool) -> Result<(), Error> {
    if !replace && fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    // A link to a file stays one.
    let target = if replace { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() };
    let temporary = beside(&target);
    let placed = fill(&temporary, text, fs::metadata(&target).ok()).and_then(|()| place(&temporary, &target, replace));
    placed.inspect_err(|_| {
        // It may never have come to be.
        let _ = fs::remove_file(&temporary);
    })
}

fn fill(temporary: &Path, text: &str, replaced: Option<fs::Metadata>) -> Result<(), Error> {
    let mut file = fs::File::create_new(temporary)?;
    if let Some(replaced) = replaced {
        file.set_permissions(replaced.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Not by a hard link, which not every file system has: an empty file of our own holds the name.
fn place(temporary: &Path, target: &Path, replace: bool) -> Result<(), Error> {
    if !replace {
        fs::File::create_new(target)?;
    }
    fs::rename(temporary, target).inspect_err(|_| {
        if !replace {
            let _ = fs::remove_file(target);
        }
    })
}

/// A name that no other thread or process writes to.
fn beside(target: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = OsString::from(format!(".oai-{}-{count}.partial", std::process::id()));
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_only_by_wish_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.md");
        write_file(&path, "one", false).unwrap();
        assert_eq!(write_file(&path, "two", false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write_file(&path, "three", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert!(write_file(&folder.path().join("nowhere/talk.md"), "", false).is_err());
        assert!(write_file(folder.path(), "", true).is_err());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["talk.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_replaces_a_private_file_is_private_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("talk.md"), folder.path().join("link.md"));
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file(&link, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let dangling = folder.path().join("dangling.md");
        std::os::unix::fs::symlink(folder.path().join("nothing"), &dangling).unwrap();
        assert_eq!(write_file(&dangling, "", false).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
