//! The models on this machine: the Hugging Face cache, what was imported, and what lies in the stores of ollama
//! and LM Studio, which oai reads and never changes.

pub mod disk;
mod hf_cache;
mod imported;
mod lm_studio;
mod model;
mod ollama;
mod others;
mod prune;
mod remove;
mod shared_blobs;
mod usage;
mod used;

use std::path::PathBuf;
use std::time::SystemTime;

pub use hf_cache::{Entry, EntryKind, HfCache, Partial, Repo, Snapshot, folder_name};
pub use imported::{Adopted, ImportOptions, Imported, check_name, default_name, files_at, import};
pub use model::{LocalModel, ModelFile, Place};
pub use others::Other;
pub use prune::{Criteria, Pruned};
pub use remove::Removal;
pub use usage::{Usage, Use};

use super::{Error, ModelRef};
use crate::paths::Paths;

/// What prefixes name a model in one place only.
const OLLAMA: &str = "ollama:";
const LM_STUDIO: &str = "lmstudio:";

/// All places where models lie.
#[derive(Debug, Clone)]
pub struct Store {
    pub cache: HfCache,
    data_dir: PathBuf,
    ollama: Vec<PathBuf>,
    lm_studio: Vec<PathBuf>,
}

impl Store {
    pub fn new(paths: &Paths) -> Store {
        Store {
            cache: HfCache::new(&paths.hf_cache),
            data_dir: paths.data_dir.clone(),
            ollama: paths.ollama.clone(),
            lm_studio: lm_studio::folders(&paths.lm_studio, paths.lm_studio_pointer.as_deref()),
        }
    }

    /// All models of the cache and all imported ones, newest first, and the guide at the end.
    pub fn list(&self) -> Result<Vec<LocalModel>, Error> {
        let mut models = self.cache.models()?;
        models.extend(imported::models(&self.data_dir)?);
        models.sort_by_key(|m| std::cmp::Reverse(m.modified));
        models.push(LocalModel::guide());
        Ok(models)
    }

    /// What other programs have, which can be used where it lies.
    pub fn elsewhere(&self) -> Vec<LocalModel> {
        let mut models = ollama::models(&self.ollama).0;
        models.extend(lm_studio::models(&self.lm_studio));
        models
    }

    /// What `name` means: imported, in the cache, or in LM Studio's folder, which has repositories too.
    pub fn find(&self, name: &ModelRef) -> Result<LocalModel, Error> {
        let (repo, tag, typed) = match name {
            ModelRef::Guide => return Ok(LocalModel::guide()),
            ModelRef::File(path) => return LocalModel::at(path),
            ModelRef::Repo { repo, tag, typed, .. } => (repo, tag.as_deref(), typed),
        };
        match self.cache.find(repo, tag, typed) {
            Err(error @ Error::NotHere { .. }) => lm_studio::of_repository(&self.lm_studio, repo, tag).ok_or(error),
            found => found,
        }
    }

    /// The model that the user typed `text` for, which was `understood` as a name.
    pub fn find_typed(&self, text: &str, understood: Result<ModelRef, Error>) -> Result<LocalModel, Error> {
        if let Some(name) = text.strip_prefix(OLLAMA) {
            return ollama::find(&self.ollama, name);
        }
        if let Some(name) = text.strip_prefix(LM_STUDIO) {
            return lm_studio::find(&self.lm_studio, name);
        }
        if let Some(model) = imported::find(&self.data_dir, text)? {
            return Ok(model);
        }
        let missing = match understood.and_then(|name| self.find(&name)) {
            Err(error @ (Error::NotHere { .. } | Error::UnknownName { .. })) => error,
            found => return found,
        };
        // Repositories without an owner are no names that the hub has today, but old caches hold some.
        let ownerless = || self.cache.find(text, None, text).ok();
        ollama::named(&self.ollama, text).or_else(ownerless).ok_or(missing)
    }

    /// The model that `pulled` files of `repo` make.
    pub fn model_of(&self, repo: &str, pulled: &[String]) -> Result<LocalModel, Error> {
        self.cache.model_of(repo, pulled)
    }

    /// When a model was used last: as noted when it was loaded, else when its files were read, else when it came.
    pub fn last_used(&self, model: &LocalModel) -> Option<SystemTime> {
        used::last(&self.data_dir, model)
    }

    /// Notes that a model is used now.
    pub fn record_use(&self, model: &LocalModel) {
        used::record(&self.data_dir, model);
    }

    /// What an imported model's record says of where it came from.
    pub fn imported(&self, model: &LocalModel) -> Result<Option<Imported>, Error> {
        match &model.place {
            Place::Imported { folder } => imported::record(folder).map(Some),
            _ => Ok(None),
        }
    }

    /// Where imported models lie.
    pub fn imports_folder(&self) -> PathBuf {
        imported::folder(&self.data_dir)
    }
}

/// The entries of `kind` as files of a model.
fn files_of(entries: &[Entry], kind: impl Fn(&EntryKind) -> bool) -> Vec<ModelFile> {
    let wanted = entries.iter().filter(|entry| kind(&entry.kind));
    wanted.map(|entry| ModelFile { path: entry.path.clone(), on_disk: entry.on_disk.clone() }).collect()
}
