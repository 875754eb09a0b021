//! A model on this machine, and how files make one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::{Choice, Error, RemoteFile, api, files};
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

    /// Whether loading it may open the file at `path` of its folder: a part of it, or, beside a safetensors set,
    /// whatever that folder has.
    pub fn may_open(&self, path: &str) -> bool {
        match self.files.first() {
            Some(first) if first.path.ends_with(".gguf") => files::stem(path) == files::stem(&first.path),
            _ => !path.ends_with(".gguf"),
        }
    }

    /// Whether `other` is this model at another commit; which quantization a name leaves out depends on the files
    /// beside it.
    pub fn is_another_of(&self, other: &LocalModel) -> bool {
        let first = |model: &LocalModel| model.files.first().map(|file| file.path.clone());
        self.name == other.name || (first(self).is_some() && first(self) == first(other))
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
    let file = |remote: RemoteFile| found.iter().find(|file| file.path == remote.path).cloned();
    let mut models = Vec::new();
    for variant in files::variants(&listed(found)) {
        let is_gguf = variant.is_gguf();
        let mut own: Vec<ModelFile> = variant.files.into_iter().filter_map(file).collect();
        // Of several parts the first is named: opening it opens all. Of a set the configuration: when it came,
        // the model did.
        own.sort_by_key(|file| (!is_gguf && file.path != "config.json", file.path.clone()));
        let Some(first) = own.first().cloned() else { continue };
        let source = if is_gguf { &first.on_disk } else { folder };
        let name = if is_gguf { format!("{name}:{}", variant.tag) } else { name.to_owned() };
        models.push(LocalModel::of(name, source, own, place.clone()));
    }
    models
}

/// Those of the `models` of `repo` that `tag` means, read as strictly as it finds any; all without a tag.
pub fn with_tag(mut models: Vec<LocalModel>, repo: &str, tag: Option<&str>) -> Vec<LocalModel> {
    let Some(tag) = tag else { return models };
    let all: Vec<ModelFile> = models.iter().flat_map(|model| model.files.clone()).collect();
    let chosen = match files::choose(repo, &files::variants(&listed(&all)), Some(tag)) {
        Ok(Choice::One(one)) => vec![one],
        Ok(Choice::Several(several)) => several,
        Err(_) => Vec::new(),
    };
    let is_in = |file: &ModelFile| chosen.iter().flat_map(|v| &v.files).any(|chosen| chosen.path == file.path);
    models.retain(|model| model.files.first().is_some_and(is_in));
    models
}

/// Files that are here as a repository lists its own.
fn listed(found: &[ModelFile]) -> Vec<RemoteFile> {
    found.iter().map(|file| RemoteFile { path: file.path.clone(), size_bytes: 0, hash: None }).collect()
}
