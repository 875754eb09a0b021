//! `oai.lock`: models by exact commits and hashes, so that a team or a paper runs the same bytes.

use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{Error, RemoteFile, api, layout};

/// What the file is called if nothing else is said.
pub const FILE: &str = "oai.lock";
const VERSION: i64 = 1;

/// A model that is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// As the user typed it.
    pub name: String,
    pub repo: String,
    pub commit: String,
    /// Each has its hash.
    pub files: Vec<RemoteFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<i64>,
    #[serde(default, rename = "model")]
    models: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: Spanned<String>,
    repo: Spanned<String>,
    commit: Spanned<String>,
    #[serde(rename = "file")]
    files: Vec<ModelFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    path: Spanned<String>,
    size_bytes: u64,
    hash: Spanned<String>,
}

/// Reads and checks a lock file; an error names the file and the line.
pub fn read(path: &Path) -> Result<Vec<Locked>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|(at, reason)| {
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        Error::LockFile { path: path.to_owned(), line, reason }
    })
}

/// The models, or where what is wrong.
fn parse(text: &str) -> Result<Vec<Locked>, (usize, String)> {
    let document: Document = toml::from_str(text)
        .map_err(|e| (e.span().map_or(0, |span| span.start), e.message().trim().replace('\n', " ")))?;
    let wrong = |span: Range<usize>, reason: String| Err((span.start, reason));
    if *document.version.get_ref() != VERSION {
        let version = document.version.get_ref();
        return wrong(document.version.span(), format!("version {version} is not known, only {VERSION}"));
    }
    let mut locked: Vec<Locked> = Vec::new();
    for model in document.models {
        let (name, repo, commit) = (model.name.get_ref(), model.repo.get_ref(), model.commit.get_ref());
        if name.is_empty() || name.chars().any(char::is_control) || locked.iter().any(|other| other.name == *name) {
            return wrong(model.name.span(), format!("name {name:?} is empty, no plain text, or there twice"));
        }
        if !api::is_repository(repo) {
            return wrong(model.repo.span(), format!("repo {repo:?} is not org/name"));
        }
        if !api::is_hex(commit) || !(7..=64).contains(&commit.len()) {
            return wrong(model.commit.span(), format!("commit {commit:?} is not a commit's hash"));
        }
        if model.files.is_empty() {
            return wrong(model.name.span(), format!("{name} has no file"));
        }
        let mut files: Vec<RemoteFile> = Vec::new();
        for file in model.files {
            let (path, hash) = (file.path.get_ref(), file.hash.get_ref());
            if !layout::is_inside(path) || files.iter().any(|other| other.path == *path) {
                return wrong(
                    file.path.span(),
                    format!("path {path:?} leads out of the repository, or is there twice"),
                );
            }
            if !api::is_hash(hash) {
                let reason = format!("hash {hash:?} is neither SHA-256 (64 hex digits) nor git's SHA-1 (40)");
                return wrong(file.hash.span(), reason);
            }
            let hash = Some(hash.to_lowercase());
            files.push(RemoteFile { path: path.clone(), size_bytes: file.size_bytes, hash });
        }
        locked.push(Locked { name: name.clone(), repo: repo.clone(), commit: commit.to_lowercase(), files });
    }
    Ok(locked)
}

/// The file's text: the same models make the same text, whatever their order.
pub fn text(models: &[Locked]) -> String {
    let mut models: Vec<&Locked> = models.iter().collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut out = format!(
        "# Exact commits and hashes of models, written by `oai lock`; `oai pull --locked` brings the same bytes.\nversion = {VERSION}\n"
    );
    for model in models {
        let Locked { name, repo, commit, .. } = model;
        let lines = [("name", name), ("repo", repo), ("commit", commit)];
        out.push_str("\n[[model]]\n");
        out.extend(lines.map(|(key, value)| format!("{key} = {}\n", quoted(value))));
        let mut files: Vec<&RemoteFile> = model.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        for file in files {
            let (path, hash) = (quoted(&file.path), quoted(file.hash.as_deref().unwrap_or_default()));
            out.push_str(&format!(
                "\n[[model.file]]\npath = {path}\nsize_bytes = {}\nhash = {hash}\n",
                file.size_bytes
            ));
        }
    }
    out
}

/// Writes the file; it is there whole, or as it was.
pub fn write(path: &Path, models: &[Locked]) -> Result<(), Error> {
    layout::write_whole(path, text(models).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str, files: &[&str]) -> Locked {
        let hash = Some("ab".repeat(32));
        let file = |path: &&str| RemoteFile { path: (*path).to_owned(), size_bytes: 7, hash: hash.clone() };
        let (repo, commit) = ("org/repo".to_owned(), "0123456789".to_owned());
        Locked { name: name.to_owned(), repo, commit, files: files.iter().map(file).collect() }
    }

    #[test]
    fn what_is_written_is_read_and_order_does_not_matter() {
        let (a, b) = (locked("a", &["x/y.gguf", "z \"q\".gguf"]), locked("b", &["m"]));
        let written = text(&[b.clone(), a.clone()]);
        assert_eq!(written, text(&[a.clone(), b.clone()]));
        assert_eq!(parse(&written), Ok(vec![a, b]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oai.lock");
        write(&path, &[]).unwrap();
        assert_eq!(read(&path).unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = text(&[locked("a", &["m.gguf"])]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oai.lock");
        let hash = "ab".repeat(32);
        for (from, to, line, word) in [
            ("version = 1", "version = 2", 2, "version 2"),
            ("version = 1\n", "", 1, "version"),
            ("\"m.gguf\"", "\"../m.gguf\"", 10, "leads out"),
            ("\"m.gguf\"", "\"/m.gguf\"", 10, "leads out"),
            ("org/repo", "org/../repo", 6, "org/name"),
            ("0123456789", "../../0123", 7, "commit"),
            (hash.as_str(), "xyz", 12, "SHA-256"),
            ("size_bytes = 7", "size_bytes = -7", 11, "invalid"),
            ("size_bytes = 7", "size = 7", 11, "unknown field"),
            ("name = \"a\"", "name = \"\"", 5, "empty"),
            ("name = \"a\"", "name = a", 5, ""),
        ] {
            assert!(good.contains(from), "{from}");
            fs::write(&path, good.replacen(from, to, 1)).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("oai.lock line {line}: ")) && error.contains(word), "{to}: {error}");
        }
        assert!(matches!(read(&folder.path().join("none")), Err(Error::Read { .. })));
    }
}
