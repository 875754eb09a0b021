//! The models on this machine: what lies in the Hugging Face cache, and the guide. The cache is
//! the only record; other tools' models count like ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::name::did_you_mean;
use super::{Choice, Error, ModelRef, RemoteFile, files};
use crate::guide;
use crate::weights::Source;

/// A model that can be loaded.
#[derive(Debug, Clone)]
pub struct LocalModel {
    /// What `-m` takes: `org/repo:Q4_K_M`, `org/repo`, `guide`, or a path.
    pub name: String,
    pub source: Source,
    pub size_bytes: u64,
    /// When it came; `None` for the guide.
    pub modified: Option<SystemTime>,
    /// Where it lies in the cache: repository and files.
    origin: Option<(String, Vec<String>)>,
}

/// The folder of a repository in the cache.
pub fn folder_name(repo: &str) -> String {
    format!("models--{}", repo.replace('/', "--"))
}

/// The cache.
pub struct Store {
    cache_dir: PathBuf,
}

impl Store {
    pub fn new(cache_dir: &Path) -> Store {
        Store { cache_dir: cache_dir.to_owned() }
    }

    /// All models of the cache, newest first, and the guide at the end. A cache that is not there
    /// is empty.
    pub fn list(&self) -> Result<Vec<LocalModel>, Error> {
        let mut models = Vec::new();
        for folder in children(&self.cache_dir)? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(repo) = name.strip_prefix("models--").and_then(|n| n.split_once("--")) {
                models.extend(self.models_of(&format!("{}/{}", repo.0, repo.1))?);
            }
        }
        models.sort_by_key(|m| std::cmp::Reverse(m.modified));
        models.push(guide_model());
        Ok(models)
    }

    /// The model called `name`.
    pub fn find(&self, name: &ModelRef) -> Result<LocalModel, Error> {
        let (repo, tag, typed) = match name {
            ModelRef::Guide => return Ok(guide_model()),
            ModelRef::File(path) => return local_file(path),
            ModelRef::Repo { repo, tag, typed, .. } => (repo, tag.as_deref(), typed),
        };
        let models = self.models_of(repo)?;
        let here: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
        let fits = |model: &LocalModel| match (tag, &model.origin) {
            (Some(tag), Some((_, of))) => files::choose(repo, &files::variants(&listed(of)), Some(tag)).is_ok(),
            _ => true,
        };
        let mut found: Vec<LocalModel> = models.into_iter().filter(fits).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => {
                let here: Vec<&str> = here.iter().map(String::as_str).collect();
                Err(Error::NotHere { name: typed.clone(), hint: did_you_mean(&here) })
            }
            n => {
                let choices: Vec<&str> = found.iter().map(|m| m.name.as_str()).collect();
                Err(Error::Several { name: typed.clone(), n, choices: choices.join(", ") })
            }
        }
    }

    /// The model that `pulled` files of `repo` make.
    pub fn model_of(&self, repo: &str, pulled: &[String]) -> Result<LocalModel, Error> {
        let found = self.models_of(repo)?.into_iter().find(|model| {
            model.origin.as_ref().is_some_and(|(_, files)| files.iter().any(|file| pulled.contains(file)))
        });
        found.ok_or_else(|| Error::NoModel { repo: repo.to_owned() })
    }

    /// Deletes a model: its links in every snapshot, and the blobs that nothing else points at.
    /// Returns the bytes that this freed.
    pub fn remove(&self, model: &LocalModel) -> Result<u64, Error> {
        let Some((repo, files)) = &model.origin else {
            return Err(match &model.source {
                Source::Path(path) => Error::Local { path: path.clone(), what: "remove (delete the file itself)" },
                Source::Embedded { .. } => Error::Guide { what: "removed" },
            });
        };
        let folder = self.cache_dir.join(folder_name(repo));
        let remove = |path: &Path| fs::remove_file(path).map_err(|source| Error::Write { path: path.into(), source });
        let mut blobs = BTreeSet::new();
        let mut freed = 0;
        for snapshot in children(&folder.join("snapshots"))? {
            for file in files {
                let link = snapshot.join(file);
                match fs::read_link(&link) {
                    Ok(_) => {
                        blobs.extend(fs::canonicalize(&link));
                        remove(&link)?;
                    }
                    Err(_) if link.is_file() => {
                        freed += size(&link);
                        remove(&link)?;
                    }
                    Err(_) => {}
                }
            }
        }
        let mut left = Vec::new();
        for snapshot in children(&folder.join("snapshots"))? {
            walk(&snapshot, "", &mut left)?;
            for (path, _) in &left {
                blobs.remove(&fs::canonicalize(path).unwrap_or_default());
            }
        }
        for blob in blobs {
            freed += size(&blob);
            remove(&blob)?;
        }
        if left.is_empty() {
            fs::remove_dir_all(&folder).map_err(|source| Error::Write { path: folder, source })?;
        }
        Ok(freed)
    }

    fn models_of(&self, repo: &str) -> Result<Vec<LocalModel>, Error> {
        let folder = self.cache_dir.join(folder_name(repo));
        let mut models: Vec<LocalModel> = Vec::new();
        // Newest snapshot first: an older one shows only what the newer lacks.
        let mut snapshots = children(&folder.join("snapshots"))?;
        snapshots.sort_by_key(|path| std::cmp::Reverse(modified(path)));
        for snapshot in snapshots {
            let mut found = Vec::new();
            walk(&snapshot, "", &mut found)?;
            for model in models_in(repo, &snapshot, &found) {
                if models.iter().all(|m| m.name != model.name) {
                    models.push(model);
                }
            }
        }
        Ok(models)
    }
}

/// The models that the files of a snapshot make.
fn models_in(repo: &str, snapshot: &Path, found: &[(PathBuf, String)]) -> Vec<LocalModel> {
    let mut models = Vec::new();
    let mut parts: BTreeMap<(&str, &str), Vec<&(PathBuf, String)>> = BTreeMap::new();
    for entry in found.iter().filter(|(_, file)| files::is_gguf_model(file)) {
        let folder = entry.1.rsplit_once('/').map_or("", |(folder, _)| folder);
        parts.entry((folder, files::stem(&entry.1))).or_default().push(entry);
    }
    for mut parts in parts.into_values() {
        // Of several parts the first is named; opening it opens all.
        parts.sort_by_key(|(_, file)| file);
        let (path, file) = parts[0];
        let tag = files::quantization(file).unwrap_or(file);
        models.push(LocalModel {
            name: format!("{repo}:{tag}"),
            source: Source::Path(path.clone()),
            size_bytes: parts.iter().map(|(path, _)| size(path)).sum(),
            modified: modified(path),
            origin: Some((repo.to_owned(), parts.iter().map(|(_, file)| file.clone()).collect())),
        });
    }
    let names: Vec<String> = found.iter().map(|(_, file)| file.clone()).filter(|f| !f.ends_with(".gguf")).collect();
    if let Ok(Choice::One(folder)) = files::choose(repo, &files::variants(&listed(&names)), None) {
        let folder: Vec<String> = folder.files.into_iter().map(|file| file.path).collect();
        models.push(LocalModel {
            name: repo.to_owned(),
            source: Source::Path(snapshot.to_owned()),
            size_bytes: folder.iter().map(|file| size(&snapshot.join(file))).sum(),
            modified: modified(&snapshot.join("config.json")),
            origin: Some((repo.to_owned(), folder)),
        });
    }
    models
}

/// Files of the cache as a repository lists its own.
fn listed(paths: &[String]) -> Vec<RemoteFile> {
    paths.iter().map(|path| RemoteFile { path: path.clone(), size_bytes: 0, hash: None }).collect()
}

fn guide_model() -> LocalModel {
    LocalModel {
        name: guide::NAME.to_owned(),
        source: guide::source(),
        size_bytes: guide::size_bytes(),
        modified: None,
        origin: None,
    }
}

fn local_file(path: &Path) -> Result<LocalModel, Error> {
    if !path.exists() {
        return Err(Error::NoFile { path: path.to_owned() });
    }
    Ok(LocalModel {
        name: path.display().to_string(),
        source: Source::Path(path.to_owned()),
        size_bytes: size(path),
        modified: modified(path),
        origin: None,
    })
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// What is in a folder; nothing when it is not there.
fn children(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.filter_map(|e| e.ok().map(|e| e.path())).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Read { path: folder.to_owned(), source }),
    }
}

/// All files below `folder` that are there (a link may dangle), with their paths from it.
fn walk(folder: &Path, prefix: &str, out: &mut Vec<(PathBuf, String)>) -> Result<(), Error> {
    for path in children(folder)? {
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            walk(&path, &format!("{name}/"), out)?;
        } else if path.is_file() {
            out.push((path, name));
        }
    }
    Ok(())
}
