//! Results that are kept, and what has changed since: `--save NAME`, `--against NAME`.

mod compare;
mod welch;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::compare::{Change, Comparison, Verdict, compare};
use crate::new_file::NewFile;

/// Of the file's form.
const VERSION: u64 = 1;

/// A row as `--json` prints it: what it ran on and what it came to, in one object.
pub type Object = Map<String, Value>;

/// A run that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    version: u64,
    /// Seconds since 1970.
    pub saved_unix_s: u64,
    pub rows: Vec<Object>,
}

/// Where a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub path: PathBuf,
    /// There was one of this name, and it is gone.
    pub replaced: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name:?} cannot name a run: {why}")]
    Name { name: String, why: &'static str },
    #[error("no run is kept as {name}; {known}")]
    NotThere { name: String, known: String },
    #[error("{} is no run that oai kept: {reason}; keep one anew with --save", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} was kept by a newer oai (its form is {version}, this one knows {VERSION}); update oai", path.display())]
    Newer { path: PathBuf, version: u64 },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}; set XDG_DATA_HOME to a folder with room that you own", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Error {
    /// The command asked for something that cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Name { .. } | Error::NotThere { .. })
    }
}

/// Where the run called `name` is kept: `bench/NAME.json` of the data folder. Ask before a long run whether a name can be
/// one.
pub fn path(data_dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let why = match name {
        "" => "it is empty",
        _ if name.starts_with('.') => "it begins with a dot",
        // `c:` is a drive on Windows.
        _ if name.contains(['/', '\\', ':']) => "it is to be the name of a file, not a path",
        _ if name.contains(char::is_control) => "it has control characters",
        _ => return Ok(folder(data_dir).join(format!("{name}.json"))),
    };
    Err(Error::Name { name: name.to_owned(), why })
}

/// Keeps the rows of a run under `name`, in place of what was kept under it before.
pub fn save(data_dir: &Path, name: &str, rows: &[Object]) -> Result<Kept, Error> {
    let path = path(data_dir, name)?;
    let saved_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let saved = Saved { version: VERSION, saved_unix_s, rows: rows.to_vec() };
    let replaced = path.exists();
    let write = || {
        fs::create_dir_all(folder(data_dir))?;
        let new = NewFile::create(&path)?;
        let mut text = serde_json::to_vec_pretty(&saved)?;
        text.push(b'\n');
        new.file().write_all(&text)?;
        new.finish(true)
    };
    match write() {
        Ok(()) => Ok(Kept { path, replaced }),
        Err(source) => Err(Error::Write { path, source }),
    }
}

/// The run that was kept as `name`.
pub fn load(data_dir: &Path, name: &str) -> Result<Saved, Error> {
    let path = path(data_dir, name)?;
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let known = match names(data_dir).join(", ") {
                none if none.is_empty() => "none is kept at all: keep one with --save NAME".to_owned(),
                names => format!("there are {names}"),
            };
            return Err(Error::NotThere { name: name.to_owned(), known });
        }
        Err(source) => return Err(Error::Read { path, source }),
    };
    // The version first: what is newer may have any form.
    let parsed = serde_json::from_slice::<Value>(&text);
    match parsed.as_ref().ok().and_then(|saved| saved["version"].as_u64()) {
        Some(version) if version > VERSION => return Err(Error::Newer { path, version }),
        _ => {}
    }
    let damaged = |e: serde_json::Error| Error::Damaged { path: path.clone(), reason: e.to_string() };
    serde_json::from_value(parsed.map_err(damaged)?).map_err(damaged)
}

/// The names of all runs that are kept, in order.
pub fn names(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder(data_dir)).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".json")?.to_owned())).collect();
    names.sort();
    names
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("bench")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: Value) -> Object {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_run_comes_back_as_it_was_kept_and_the_next_takes_its_place() {
        let home = tempfile::tempdir().unwrap();
        let rows = [row(serde_json::json!({ "test": "tg8", "samples_tokens_per_s": [0.1, 1e-300, 12.25] }))];
        let kept = save(home.path(), "before fix", &rows).unwrap();
        assert_eq!(kept, Kept { path: home.path().join("bench/before fix.json"), replaced: false });
        assert_eq!(load(home.path(), "before fix").unwrap().rows, rows);
        assert!(save(home.path(), "before fix", &[]).unwrap().replaced);
        assert!(load(home.path(), "before fix").unwrap().rows.is_empty());
        assert_eq!(names(home.path()), ["before fix"], "nothing else is left in the folder");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "/etc/x", "a\\b", "c:x", ".hidden", "a\0b", "a\nb"] {
            assert!(matches!(path(Path::new("/d"), name), Err(Error::Name { .. })), "{name:?}");
        }
        for name in ["main", "v1.2", "a..b", "über uns", "2026-11-28"] {
            assert_eq!(path(Path::new("/d"), name).unwrap(), Path::new("/d/bench").join(format!("{name}.json")));
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let home = tempfile::tempdir().unwrap();
        let error = |name: &str| load(home.path(), name).unwrap_err().to_string();
        assert!(error("x").ends_with("no run is kept as x; none is kept at all: keep one with --save NAME"));
        for (name, text) in [("newer", r#"{"version":9}"#), ("cut", r#"{"version":1,"ro"#), ("other", "[1]")] {
            fs::create_dir_all(home.path().join("bench")).unwrap();
            fs::write(path(home.path(), name).unwrap(), text).unwrap();
        }
        assert_eq!(error("x"), "no run is kept as x; there are cut, newer, other");
        assert!(error("newer").contains("newer oai (its form is 9"), "{}", error("newer"));
        assert!(error("cut").contains("cut.json is no run that oai kept"), "{}", error("cut"));
        assert!(error("other").contains("other.json is no run that oai kept"), "{}", error("other"));
    }
}
