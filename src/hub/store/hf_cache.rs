//! The Hugging Face cache: `models--ORG--NAME` with `blobs`, `refs` and `snapshots`, and `.locks` beside it
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>). It is the only record; what other tools
//! brought counts like ours.
//!
//! Newer tools keep one copy for all repositories in `blobs/` of the cache itself, and link to that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Error;
use super::super::name::did_you_mean;
use super::model::{LocalModel, ModelFile, Place, models_in, with_tag};
use super::{disk, files_of, shared_blobs};

/// The folder of a repository in the cache.
pub fn folder_name(repo: &str) -> String {
    format!("models--{}", repo.replace('/', "--"))
}

/// The cache.
#[derive(Debug, Clone)]
pub struct HfCache {
    pub folder: PathBuf,
}

/// A repository in the cache.
#[derive(Debug, Clone)]
pub struct Repo {
    pub name: String,
    pub folder: PathBuf,
    cache: PathBuf,
}

/// What the cache has of a commit.
pub struct Snapshot {
    pub commit: String,
    pub folder: PathBuf,
    pub entries: Vec<Entry>,
}

/// A name in a snapshot.
#[derive(Debug, Clone)]
pub struct Entry {
    /// From the snapshot.
    pub path: String,
    pub on_disk: PathBuf,
    pub kind: EntryKind,
}

/// What a name in a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A link to this blob of the repository.
    Blob(PathBuf),
    /// The file itself, where links cannot be made.
    File,
    /// A link to what is not there.
    Dangling,
    /// A link out of the repository, or no file at all: never read, never followed.
    Foreign,
}

/// A download that did not end.
#[derive(Debug, Clone)]
pub struct Partial {
    /// Of the file that it was to be.
    pub hash: String,
    pub files: Vec<PathBuf>,
    /// On disk.
    pub size_bytes: u64,
    pub modified: Option<SystemTime>,
}

impl Snapshot {
    /// The files that can be read.
    pub fn files(&self) -> Vec<ModelFile> {
        files_of(&self.entries, |kind| matches!(kind, EntryKind::Blob(_) | EntryKind::File))
    }
}

impl HfCache {
    pub fn new(folder: &Path) -> HfCache {
        HfCache { folder: folder.to_owned() }
    }

    /// Its model repositories. A cache that is not there is empty.
    pub fn repos(&self) -> Result<Vec<Repo>, Error> {
        let mut repos = Vec::new();
        for folder in disk::children(&self.folder)? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(name) = Repo::name_of(&name).filter(|_| folder.is_dir()) {
                repos.push(Repo { name, folder, cache: self.folder.clone() });
            }
        }
        Ok(repos)
    }

    /// The repository `name`, whether or not it is there.
    pub fn repo(&self, name: &str) -> Repo {
        Repo { name: name.to_owned(), folder: self.folder.join(folder_name(name)), cache: self.folder.clone() }
    }

    pub fn models(&self) -> Result<Vec<LocalModel>, Error> {
        let mut models = Vec::new();
        for repo in self.repos()? {
            models.extend(repo.models()?);
        }
        Ok(models)
    }

    /// The model of `repo` that `tag` means, or the only one.
    pub fn find(&self, repo: &str, tag: Option<&str>, typed: &str) -> Result<LocalModel, Error> {
        let models = self.repo(repo).models()?;
        let here: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
        let mut found = with_tag(models, repo, tag);
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => {
                let here: Vec<&str> = here.iter().map(String::as_str).collect();
                Err(Error::NotHere { name: typed.to_owned(), hint: did_you_mean(&here) })
            }
            n => {
                let choices: Vec<&str> = found.iter().map(|m| m.name.as_str()).collect();
                Err(Error::Several { name: typed.to_owned(), n, choices: choices.join(", ") })
            }
        }
    }

    /// The model that `pulled` files of `repo` make.
    pub fn model_of(&self, repo: &str, pulled: &[String]) -> Result<LocalModel, Error> {
        let mut models = self.repo(repo).models()?.into_iter();
        let found = models.find(|model| model.files.iter().any(|file| pulled.contains(&file.path)));
        found.ok_or_else(|| Error::NoModel { repo: repo.to_owned() })
    }
}

impl Repo {
    /// The name of the repository whose folder is called `folder`: the reverse of [`folder_name`].
    pub fn name_of(folder: &str) -> Option<String> {
        folder.strip_prefix("models--").map(|name| name.replacen("--", "/", 1))
    }

    /// Newest snapshot first: an older one shows only what the newer lacks.
    pub fn models(&self) -> Result<Vec<LocalModel>, Error> {
        let mut models: Vec<LocalModel> = Vec::new();
        for snapshot in self.snapshots()? {
            for model in self.models_of(&snapshot) {
                if !models.iter().any(|m| m.is_another_of(&model)) {
                    models.push(model);
                }
            }
        }
        Ok(models)
    }

    /// The models that a snapshot makes. One of which a name leads out of the repository is not used.
    pub fn models_of(&self, snapshot: &Snapshot) -> Vec<LocalModel> {
        let place = Place::Cache { repo: self.name.clone(), commit: snapshot.commit.clone() };
        let foreign: Vec<ModelFile> = files_of(&snapshot.entries, |kind| *kind == EntryKind::Foreign);
        let usable = snapshot.files();
        let mut models = models_in(&self.name, &snapshot.folder, &usable, &place);
        models.retain(|model| !foreign.iter().any(|file| model.may_open(&file.path)));
        models
    }

    /// The files that are there of `commit`.
    pub fn files_at(&self, commit: &str) -> Result<Vec<ModelFile>, Error> {
        let snapshots = self.snapshots()?;
        Ok(snapshots.iter().find(|snapshot| snapshot.commit == commit).map(Snapshot::files).unwrap_or_default())
    }

    /// What is there of each commit, newest first.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let mut snapshots = Vec::new();
        let folder = self.folder.join("snapshots");
        if !disk::is_real_folder(&folder) {
            return Ok(snapshots);
        }
        let blobs = self.blobs_folder();
        for folder in disk::children(&folder)? {
            if !disk::is_real_folder(&folder) {
                continue;
            }
            let mut entries = Vec::new();
            for (on_disk, path) in disk::walk(&folder)? {
                let kind = self.kind(&on_disk, blobs.as_deref());
                entries.push(Entry { path, on_disk, kind });
            }
            let commit = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            snapshots.push(Snapshot { commit, folder, entries });
        }
        let referred: Vec<String> = self.refs()?.into_iter().map(|(_, commit)| commit).collect();
        snapshots.sort_by_key(|s| std::cmp::Reverse((disk::modified(&s.folder), referred.contains(&s.commit))));
        Ok(snapshots)
    }

    /// Where blobs really lie, if that is within the repository.
    fn blobs_folder(&self) -> Option<PathBuf> {
        let blobs = fs::canonicalize(self.folder.join("blobs")).ok()?;
        blobs.starts_with(fs::canonicalize(&self.folder).ok()?).then_some(blobs)
    }

    fn kind(&self, path: &Path, blobs: Option<&Path>) -> EntryKind {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => return EntryKind::File,
            Ok(metadata) if metadata.is_symlink() => {}
            _ => return EntryKind::Foreign,
        }
        let away = || if path.exists() { EntryKind::Foreign } else { EntryKind::Dangling };
        let (Ok(target), Some(parent)) = (fs::read_link(path), path.parent()) else { return EntryKind::Foreign };
        let target = parent.join(target);
        let (Some(name), Some(folder)) = (target.file_name(), target.parent()) else { return EntryKind::Foreign };
        if blobs.is_none() || fs::canonicalize(folder).ok().as_deref() != blobs {
            return away();
        }
        let blob = self.folder.join("blobs").join(name);
        match fs::symlink_metadata(&blob) {
            Ok(metadata) if metadata.is_file() => EntryKind::Blob(blob),
            Ok(metadata) if metadata.is_symlink() && shared_blobs::target(&self.cache, &blob).is_some() => {
                EntryKind::Blob(blob)
            }
            _ => away(),
        }
    }

    /// Names of branches, tags and pull requests, and their commits.
    pub fn refs(&self) -> Result<Vec<(PathBuf, String)>, Error> {
        let mut refs = Vec::new();
        for (path, _) in disk::walk(&self.folder.join("refs"))? {
            let is_file = fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.len() < 256);
            if let Some(commit) = is_file.then(|| fs::read_to_string(&path).ok()).flatten() {
                refs.push((path, commit.trim().to_owned()));
            }
        }
        Ok(refs)
    }

    /// Whole blobs, and links to the shared ones.
    pub fn blobs(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(self.in_blobs()?.into_iter().filter(|path| !disk::is_unfinished(path)).collect())
    }

    pub fn partials(&self) -> Result<Vec<Partial>, Error> {
        let mut partials: Vec<Partial> = Vec::new();
        for path in self.in_blobs()?.into_iter().filter(|path| disk::is_unfinished(path)) {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hash = name.trim_start_matches('.').split('.').next().unwrap_or_default().to_owned();
            let size_bytes = if metadata.is_file() { metadata.len().min(disk::allocated(&metadata)) } else { 0 };
            let modified = metadata.modified().ok();
            match partials.iter_mut().find(|partial| partial.hash == hash) {
                Some(partial) => {
                    partial.files.push(path);
                    partial.size_bytes += size_bytes;
                    partial.modified = partial.modified.max(modified);
                }
                None => partials.push(Partial { hash, files: vec![path], size_bytes, modified }),
            }
        }
        Ok(partials)
    }

    fn in_blobs(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder.join("blobs");
        if !disk::is_real_folder(&folder) {
            return Ok(Vec::new());
        }
        let mut paths = disk::children(&folder)?;
        paths.retain(|path| !disk::is_real_folder(path));
        Ok(paths)
    }

    pub fn locks_folder(&self) -> PathBuf {
        self.cache.join(".locks").join(folder_name(&self.name))
    }

    /// The files that are locked while a blob is fetched.
    pub fn locks(&self) -> Result<Vec<PathBuf>, Error> {
        if !disk::is_real_folder(&self.cache.join(".locks")) {
            return Ok(Vec::new());
        }
        Ok(disk::walk(&self.locks_folder())?.into_iter().map(|(path, _)| path).collect())
    }

    /// Whether a process holds the lock under which the blob `hash` is fetched.
    pub fn is_being_fetched(&self, hash: &str) -> bool {
        is_locked(&self.locks_folder().join(format!("{hash}.lock")))
    }

    /// Whether a process fetches anything of the repository.
    pub fn is_busy(&self) -> Result<bool, Error> {
        Ok(self.locks()?.iter().any(|path| is_locked(path)))
    }

    /// Whether the folder of the repository is one of the cache, not a link to elsewhere.
    pub fn is_in_cache(&self) -> bool {
        disk::is_real_folder(&self.folder)
    }

    pub fn cache(&self) -> &Path {
        &self.cache
    }
}

fn is_locked(path: &Path) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|m| m.is_file()) {
        return false;
    }
    let Ok(file) = fs::File::options().write(true).open(path) else { return false };
    matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}
