//! Removing: what goes, what that frees, and the doing of it. The two never differ, because the second is the first
//! carried out name by name; nothing is ever deleted by following a link.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::hf_cache::{EntryKind, Partial, Repo};
use super::{Adopted, LocalModel, Place, Store, disk, imported, shared_blobs, used};
use crate::hub::Error;
use crate::weights::Source;

/// Things to remove together, so that what they share is freed too.
pub struct Removal<'a> {
    store: &'a Store,
    repos: BTreeMap<PathBuf, OfRepo>,
    imports: BTreeSet<PathBuf>,
    shared: BTreeSet<PathBuf>,
    /// Names that are used no more.
    names: Vec<String>,
}

struct OfRepo {
    repo: Repo,
    /// Names in snapshots.
    entries: BTreeSet<PathBuf>,
    /// Whole blobs that nothing leads to, and partial downloads.
    blobs: BTreeSet<PathBuf>,
    /// With all of a repository that is left without a model goes what a pull of it left.
    whole: bool,
}

/// What is to be done, in this order.
#[derive(Default)]
struct Steps {
    unlink: Vec<PathBuf>,
    shared: BTreeSet<PathBuf>,
    empty: Vec<PathBuf>,
    /// Share their blocks with a file that stays.
    kept_elsewhere: BTreeSet<PathBuf>,
}

impl<'a> Removal<'a> {
    pub fn new(store: &'a Store) -> Removal<'a> {
        let (repos, shared) = (BTreeMap::new(), BTreeSet::new());
        Removal { store, repos, imports: BTreeSet::new(), shared, names: Vec::new() }
    }

    fn of(&mut self, repo: &Repo) -> &mut OfRepo {
        let new = || OfRepo { repo: repo.clone(), entries: BTreeSet::new(), blobs: BTreeSet::new(), whole: false };
        self.repos.entry(repo.folder.clone()).or_insert_with(new)
    }

    /// A model: in the cache, its names in every snapshot.
    pub fn model(&mut self, model: &LocalModel) -> Result<(), Error> {
        match &model.place {
            Place::Cache { repo, .. } => {
                let repo = self.store.cache.repo(repo);
                let mut entries = Vec::new();
                for snapshot in repo.snapshots()? {
                    let same = repo.models_of(&snapshot).into_iter().filter(|m| m.is_another_of(model));
                    entries.extend(same.flat_map(|m| m.files).map(|file| file.on_disk));
                }
                let of = self.of(&repo);
                of.entries.extend(entries);
                of.whole = true;
            }
            Place::Imported { folder } => drop(self.imports.insert(folder.clone())),
            Place::Program => return Err(Error::Guide { what: "removed" }),
            Place::Path => {
                let Source::Path(path) = &model.source else { return Ok(()) };
                return Err(Error::Local { path: path.clone(), what: "remove (delete the file itself)" });
            }
            Place::Ollama { name } => {
                let remedy = format!("ollama rm {name}");
                return Err(Error::OtherProgram { name: model.name.clone(), program: "ollama", remedy });
            }
            Place::LmStudio { folder } => {
                let remedy = format!("delete it in LM Studio, or its folder {}", folder.display());
                return Err(Error::OtherProgram { name: model.name.clone(), program: "LM Studio", remedy });
            }
        }
        self.names.push(model.name.clone());
        Ok(())
    }

    pub fn snapshot(&mut self, repo: &Repo, entries: impl IntoIterator<Item = PathBuf>) {
        self.of(repo).entries.extend(entries);
    }

    pub fn partial(&mut self, repo: &Repo, partial: &Partial) {
        self.of(repo).blobs.extend(partial.files.iter().cloned());
    }

    /// All downloads of `repo` that did not end and that nobody goes on with.
    pub fn partials_of(&mut self, repo: &Repo) -> Result<(), Error> {
        for partial in repo.partials()? {
            if !repo.is_being_fetched(&partial.hash) {
                self.partial(repo, &partial);
            }
        }
        self.of(repo).whole = true;
        Ok(())
    }

    /// A blob that no snapshot needs.
    pub fn blob(&mut self, repo: &Repo, blob: PathBuf) {
        self.of(repo).blobs.insert(blob);
    }

    /// A shared blob that no repository needs.
    pub fn shared_blob(&mut self, path: PathBuf) {
        self.shared.insert(path);
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let nothing = |of: &OfRepo| of.entries.is_empty() && of.blobs.is_empty();
        self.imports.is_empty() && self.shared.is_empty() && self.repos.values().all(nothing)
    }

    fn steps(&self) -> Result<Steps, Error> {
        let mut steps = Steps { shared: self.shared.clone(), ..Steps::default() };
        for of in self.repos.values() {
            of.steps(&mut steps)?;
        }
        for folder in &self.imports {
            let record = imported::record(folder).ok();
            for (path, name) in disk::walk(folder)? {
                let origin = record.iter().flat_map(|record| &record.files).find(|file| file.path == name);
                if origin.is_some_and(|o| o.adopted == Adopted::Reflink && disk::size(&o.from) == disk::size(&path)) {
                    steps.kept_elsewhere.insert(path.clone());
                }
                steps.unlink.push(path);
            }
            steps.empty.push(folder.clone());
        }
        Ok(steps)
    }

    /// The bytes that [`Removal::carry_out`] frees.
    pub fn frees_bytes(&self) -> Result<u64, Error> {
        let steps = self.steps()?;
        let deleted: BTreeSet<PathBuf> = steps.unlink.iter().cloned().collect();
        let cache = &self.store.cache.folder;
        let shared = steps.shared.iter().filter(|path| shared_blobs::is_left_over(cache, path, &deleted));
        let own = steps.unlink.iter().filter(|path| !steps.kept_elsewhere.contains(*path));
        Ok(disk::freed(own.map(PathBuf::as_path)) + disk::freed(shared.map(PathBuf::as_path)))
    }

    /// Removes it all; returns the bytes that this freed.
    pub fn carry_out(&self) -> Result<u64, Error> {
        let steps = self.steps()?;
        let mut freed = 0;
        for path in &steps.unlink {
            let bytes = disk::unlink(path)?;
            freed += if steps.kept_elsewhere.contains(path) { 0 } else { bytes };
        }
        for path in &steps.shared {
            freed += shared_blobs::sweep(&self.store.cache.folder, path)?;
        }
        steps.empty.iter().for_each(|folder| disk::remove_empty(folder));
        self.names.iter().for_each(|name| used::forget(&self.store.data_dir, name));
        Ok(freed)
    }
}

impl OfRepo {
    fn steps(&self, steps: &mut Steps) -> Result<(), Error> {
        let repo = &self.repo;
        if !repo.is_in_cache() {
            // The user put it elsewhere: the link is ours, what it leads to is not.
            steps.unlink.push(repo.folder.clone());
            return Ok(());
        }
        let mut needed: BTreeSet<PathBuf> = BTreeSet::new();
        let mut released: BTreeSet<PathBuf> = BTreeSet::new();
        let mut files_left = false;
        let mut emptied: Vec<String> = Vec::new();
        for snapshot in repo.snapshots()? {
            let mut left = false;
            let mut touched = snapshot.entries.is_empty();
            for entry in &snapshot.entries {
                let goes = self.entries.contains(&entry.on_disk);
                touched |= goes;
                left |= !goes && matches!(entry.kind, EntryKind::Blob(_) | EntryKind::File);
                if let EntryKind::Blob(blob) = &entry.kind {
                    if goes { &mut released } else { &mut needed }.insert(blob.clone());
                }
            }
            files_left |= left;
            if touched && !left {
                emptied.push(snapshot.commit);
            }
        }
        let stays = |partial: &Partial| !partial.files.iter().all(|path| self.blobs.contains(path));
        let partials: Vec<Partial> = repo.partials()?;
        let start = steps.unlink.len();
        if !files_left && (self.whole || !partials.iter().any(stays)) && !repo.is_busy()? {
            // Nothing of the repository is left: references, locks and unfinished downloads go too.
            let mut all: Vec<PathBuf> = disk::walk(&repo.folder)?.into_iter().map(|(path, _)| path).collect();
            // Blobs last: what is left by an interruption is found again.
            all.sort_by_key(|path| path.starts_with(repo.folder.join("blobs")));
            steps.unlink.extend(all);
            steps.unlink.extend(repo.locks()?);
            steps.empty.extend([repo.folder.clone(), repo.locks_folder()]);
        } else {
            steps.unlink.extend(self.entries.iter().cloned());
            steps.unlink.extend(released.difference(&needed).cloned());
            steps.unlink.extend(self.blobs.difference(&released).filter(|blob| !needed.contains(*blob)).cloned());
            self.sweep_emptied(&emptied, steps)?;
        }
        // A blob that is a link to the cache's shared ones frees the shared one, if it was the last.
        let shared = |path: &PathBuf| shared_blobs::target(repo.cache(), path);
        let targets: Vec<PathBuf> = steps.unlink[start..].iter().filter_map(shared).collect();
        steps.shared.extend(targets);
        Ok(())
    }

    /// Snapshots without a file left go, with what refers to them.
    fn sweep_emptied(&self, commits: &[String], steps: &mut Steps) -> Result<(), Error> {
        for commit in commits {
            let snapshot = self.repo.folder.join("snapshots").join(commit);
            let left = disk::walk(&snapshot)?.into_iter().map(|(path, _)| path);
            steps.unlink.extend(left.filter(|path| !self.entries.contains(path)));
            steps.empty.push(snapshot);
        }
        let refs = self.repo.refs()?.into_iter();
        steps.unlink.extend(refs.filter(|(_, commit)| commits.contains(commit)).map(|(path, _)| path));
        steps.empty.push(self.repo.folder.join("refs"));
        Ok(())
    }
}
