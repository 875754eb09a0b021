//! A file that is whole under its name, or is not there: what ends too early leaves nothing behind.
//!
//! On Linux the bytes have no name at all until they are complete (`O_TMPFILE`,
//! <https://man7.org/linux/man-pages/man2/open.2.html>), so that even a kill leaves nothing. Elsewhere, and on file
//! systems that cannot, they lie beside the name as `NAME.oai-partial`, locked; one that a kill left is used anew.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is being written.
pub struct NewFile {
    file: File,
    path: PathBuf,
    /// The name that the bytes have so far, if they have one.
    partial: Option<PathBuf>,
}

impl NewFile {
    /// Begins the file that will be `path`. Fails where the folder cannot be written, or another process is writing the
    /// same file.
    pub fn create(path: &Path) -> io::Result<NewFile> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = nameless(folder(path)) {
            return Ok(NewFile { file, path: path.to_owned(), partial: None });
        }
        NewFile::named(path)
    }

    fn named(path: &Path) -> io::Result<NewFile> {
        let partial = partial(path, "");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&partial)?;
        file.try_lock().map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process is writing it"))?;
        file.set_len(0)?;
        Ok(NewFile { file, path: path.to_owned(), partial: Some(partial) })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// A path by which this process reads what was written so far.
    pub fn readable(&self) -> PathBuf {
        match &self.partial {
            Some(partial) => partial.clone(),
            #[cfg(target_os = "linux")]
            None => open_path(&self.file),
            #[cfg(not(target_os = "linux"))]
            None => partial(&self.path, ""),
        }
    }

    /// Gives the bytes their name, when the disk has them. Without `overwrite` a file of that name is
    /// [`io::ErrorKind::AlreadyExists`].
    pub fn finish(mut self, overwrite: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if !overwrite && self.path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        #[cfg(target_os = "linux")]
        if self.partial.is_none() {
            // A name cannot be given over another in one step, so that it takes a second name to rename from, which no
            // other process has.
            let partial = partial(&self.path, &format!(".{}", std::process::id()));
            let name = if overwrite { &partial } else { &self.path };
            if overwrite {
                let _ = fs::remove_file(&partial);
            }
            give_name(&self.file, name)?;
            if !overwrite {
                return sync_folder(&self.path);
            }
            self.partial = Some(partial);
        }
        if let Some(partial) = &self.partial {
            fs::rename(partial, &self.path)?;
            self.partial = None;
        }
        sync_folder(&self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Nothing more can be done about a leftover than to try.
            let _ = fs::remove_file(partial);
        }
    }
}

/// The folder that `path` lies in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside `path` that nothing but this program gives.
fn partial(path: &Path, mark: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{mark}.oai-partial"));
    name.into()
}

/// A file of `folder` without a name.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o666).open(folder)
}

#[cfg(target_os = "linux")]
fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, open_path(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(target_os = "linux")]
fn open_path(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The name, too, is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Where a folder cannot be opened as a file, the system has no such step.
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    type Create = fn(&Path) -> io::Result<NewFile>;

    #[test]
    fn a_file_is_whole_or_not_there_by_either_way() {
        for create in [NewFile::create as Create, NewFile::named] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x");
            let new = create(&path).unwrap();
            new.file().write_all(b"half").unwrap();
            assert_eq!(fs::read(new.readable()).unwrap(), b"half");
            drop(new);
            assert!(names(dir.path()).is_empty());
            for (text, overwrite) in [("first", false), ("second", true)] {
                let new = create(&path).unwrap();
                new.file().write_all(text.as_bytes()).unwrap();
                new.finish(overwrite).unwrap();
                assert_eq!((names(dir.path()), fs::read_to_string(&path).unwrap()), (vec!["x".into()], text.into()));
            }
            let new = create(&path).unwrap();
            assert_eq!(new.finish(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((names(dir.path()), fs::read_to_string(&path).unwrap()), (vec!["x".into()], "second".into()));
        }
    }

    #[test]
    fn what_a_kill_left_is_used_anew_and_what_another_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(partial(&path, ""), "a longer leftover").unwrap();
        let new = NewFile::named(&path).unwrap();
        assert!(NewFile::named(&path).is_err());
        new.file().write_all(b"new").unwrap();
        new.finish(false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_bytes_have_no_name_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let _new = NewFile::create(&dir.path().join("x")).unwrap();
        assert!(names(dir.path()).is_empty());
    }
}
