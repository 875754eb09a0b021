//! What came from where: a JSON file for each repository and commit, under `provenance/` of oai's data folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::store::folder_name;
use super::{Error, RemoteFile, layout};

/// A pull, or all pulls of one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub repo: String,
    /// The branch or tag that was asked for; the commit itself where that was.
    pub revision: String,
    pub commit: String,
    pub files: Vec<RemoteFile>,
    pub license: Option<String>,
    pub base_models: Vec<String>,
    /// Of the last pull; RFC 3339, UTC.
    pub time: String,
    pub endpoint: String,
}

/// Now, as records write it: `2026-11-25T04:05:06Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn path(data_dir: &Path, repo: &str, commit: &str) -> Option<PathBuf> {
    let plain = layout::is_inside(commit) && !commit.contains('/');
    plain.then(|| data_dir.join("provenance").join(folder_name(repo)).join(format!("{commit}.json")))
}

/// Writes what a pull brought; files that earlier pulls of the commit brought stay in its record.
pub fn record(data_dir: &Path, record: &Record) -> Result<(), Error> {
    let Some(path) = path(data_dir, &record.repo, &record.commit) else { return Ok(()) };
    let failed = |source| Error::WriteData { path: path.clone(), source };
    let folder = path.parent().unwrap_or(data_dir);
    fs::create_dir_all(folder).map_err(failed)?;
    // Two pulls at once: the later sees what the earlier wrote.
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(".lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut merged = record.clone();
    // A record that is damaged is replaced: the pull knows better.
    if let Ok(Some(earlier)) = read(&path) {
        let is_new = |file: &RemoteFile| record.files.iter().all(|f| f.path != file.path);
        merged.files.extend(earlier.files.into_iter().filter(is_new));
    }
    merged.files.sort_by(|a, b| a.path.cmp(&b.path));
    let text = serde_json::to_string_pretty(&merged).map_err(|e| failed(e.into()))? + "\n";
    layout::write_whole(&path, text.as_bytes())
}

/// What is recorded of `commit` of `repo`.
pub fn find(data_dir: &Path, repo: &str, commit: &str) -> Result<Option<Record>, Error> {
    path(data_dir, repo, commit).map_or(Ok(None), |path| read(&path))
}

fn read(path: &Path) -> Result<Option<Record>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    let wrong = |e: serde_json::Error| Error::Record { path: path.to_owned(), reason: e.to_string() };
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_of_one_commit_are_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, size_bytes| RemoteFile { path: path.to_owned(), size_bytes, hash: None };
        let mut made = Record {
            repo: "org/repo".to_owned(),
            revision: "main".to_owned(),
            commit: "c0ffee".to_owned(),
            files: vec![file("b", 1)],
            license: Some("mit".to_owned()),
            base_models: vec!["org/base".to_owned()],
            time: now(),
            endpoint: "https://huggingface.co".to_owned(),
        };
        assert_eq!(find(folder.path(), "org/repo", "c0ffee").unwrap(), None);
        record(folder.path(), &made).unwrap();
        assert_eq!(find(folder.path(), "org/repo", "c0ffee").unwrap(), Some(made.clone()));
        made.files = vec![file("a", 2), file("b", 3)];
        record(folder.path(), &made).unwrap();
        made.files.remove(1);
        record(folder.path(), &made).unwrap();
        let found = find(folder.path(), "org/repo", "c0ffee").unwrap().unwrap();
        assert_eq!(found.files, [file("a", 2), file("b", 3)]);
        assert_eq!(find(folder.path(), "org/repo", "../../x").unwrap(), None);
    }

    #[test]
    fn a_damaged_record_is_said_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "o/r", "c0").unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{").unwrap();
        let error = find(folder.path(), "o/r", "c0").unwrap_err().to_string();
        assert!(error.contains("c0.json"), "{error}");
        let made = Record {
            repo: "o/r".to_owned(),
            revision: "c0".to_owned(),
            commit: "c0".to_owned(),
            files: Vec::new(),
            license: None,
            base_models: Vec::new(),
            time: now(),
            endpoint: String::new(),
        };
        record(folder.path(), &made).unwrap();
        assert_eq!(find(folder.path(), "o/r", "c0").unwrap(), Some(made));
    }
}
