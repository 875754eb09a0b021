//! A model on this machine, and how files make one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::{Error, api, files};
use super::disk;
use crate::guide;
use crate::weights::Source;

/// A model that can be loaded.
#[derive(Debug, Clone)]
pub struct LocalModel {
    /// What `-m` takes: `org/repo:Q4_K_M`, `org/repo`, an imported name, `ollama:NAME`, `guide`, or a path.
    pub name: String,
    pub source: Source,
    /// Of all its files, each once.
    pub size_bytes: u64,
    /// When it came; `None` for the guide.
    pub modified: Option<SystemTime>,
    pub place: Place,
    /// None for the guide, and for a path that the user gave.
    pub files: Vec<ModelFile>,
}

/// A file of a model: its path in the model's folder, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    pub path: String,
    pub on_disk: PathBuf,
}

impl ModelFile {
    /// The hash that its blob is named by, where it has such a name.
    pub fn named_hash(&self) -> Option<String> {
        let target = std::fs::read_link(&self.on_disk).unwrap_or_else(|_| self.on_disk.clone());
        let name = target.file_name()?.to_str()?.to_lowercase();
        // ollama's blobs say the kind of hash.
        let hash = name.strip_prefix("sha256-").unwrap_or(&name);
        api::is_hash(hash).then(|| hash.to_owned())
    }
}

/// Whose a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Inside the program.
    Program,
    /// A path that the user gave.
    Path,
    /// The Hugging Face cache.
    Cache {
        repo: String,
        commit: String,
    },
    /// oai's own folder, adopted with `oai import`.
    Imported {
        folder: PathBuf,
    },
    /// ollama's store, under the name that ollama gives it.
    Ollama {
        name: String,
    },
    LmStudio {
        folder: PathBuf,
    },
}

impl Place {
    /// One word for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Place::Program => "program",
            Place::Path => "path",
            Place::Cache { .. } => "cache",
            Place::Imported { .. } => "imported",
            Place::Ollama { .. } => "ollama",
            Place::LmStudio { .. } => "lmstudio",
        }
    }
}

impl LocalModel {
    pub(super) fn guide() -> LocalModel {
        LocalModel {
            name: guide::NAME.to_owned(),
            source: guide::source(),
            size_bytes: guide::size_bytes(),
            modified: None,
            place: Place::Program,
            files: Vec::new(),
        }
    }

    /// The `.gguf` file or the folder that the user named.
    pub(super) fn at(path: &Path) -> Result<LocalModel, Error> {
        if !path.exists() {
            return Err(Error::NoFile { path: path.to_owned() });
        }
        Ok(LocalModel {
            name: path.display().to_string(),
            source: Source::Path(path.to_owned()),
            size_bytes: disk::size(path),
            modified: disk::modified(path),
            place: Place::Path,
            files: Vec::new(),
        })
    }

    fn of(name: String, source: &Path, files: Vec<ModelFile>, place: Place) -> LocalModel {
        LocalModel {
            name,
            source: Source::Path(source.to_owned()),
            size_bytes: disk::size_once(files.iter().map(|file| file.on_disk.as_path())),
            modified: files.first().and_then(|file| disk::modified(&file.on_disk)),
            place,
            files,
        }
    }

    /// Whether `tag` means this one of the models of `repo`.
    pub(super) fn has_tag(&self, repo: &str, tag: &str) -> bool {
        let paths: Vec<String> = self.files.iter().map(|file| file.path.clone()).collect();
        files::choose(repo, &paths, Some(tag)).is_ok()
    }

    /// Whether loading it may open the file at `path` of its folder: a part of it, or, beside a safetensors set,
    /// whatever that folder has.
    pub fn may_open(&self, path: &str) -> bool {
        match self.files.first() {
            Some(first) if first.path.ends_with(".gguf") => files::stem(path) == files::stem(&first.path),
            _ => !path.ends_with(".gguf"),
        }
    }

    /// The repository and commit that it is of.
    pub fn origin(&self) -> Option<(&str, &str)> {
        match &self.place {
            Place::Cache { repo, commit } => Some((repo, commit)),
            _ => None,
        }
    }
}

/// The models that the files of `folder` make; all are `name` or begin with it.
pub fn models_in(name: &str, folder: &Path, found: &[ModelFile], place: &Place) -> Vec<LocalModel> {
    let mut models = Vec::new();
    let mut parts: BTreeMap<(&str, &str), Vec<ModelFile>> = BTreeMap::new();
    for file in found.iter().filter(|file| files::is_gguf_model(&file.path)) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        parts.entry((folder, files::stem(&file.path))).or_default().push(file.clone());
    }
    for mut parts in parts.into_values() {
        // Of several parts the first is named; opening it opens all.
        parts.sort_by(|a, b| a.path.cmp(&b.path));
        let first = parts[0].clone();
        let tag = files::quantization(&first.path).unwrap_or(&first.path);
        models.push(LocalModel::of(format!("{name}:{tag}"), &first.on_disk, parts, place.clone()));
    }
    let names: Vec<String> = found.iter().map(|f| f.path.clone()).filter(|f| !f.ends_with(".gguf")).collect();
    if let Ok(set) = files::choose(name, &names, None) {
        // The configuration first: when it came, the model did.
        let mut files: Vec<ModelFile> = found.iter().filter(|file| set.contains(&file.path)).cloned().collect();
        files.sort_by_key(|file| (file.path != "config.json", file.path.clone()));
        models.push(LocalModel::of(name.to_owned(), folder, files, place.clone()));
    }
    models
}
