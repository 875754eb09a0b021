//! What nobody needs: by when it was used, or without a rule what no name leads to any more.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::hf_cache::{EntryKind, Repo, Snapshot};
use super::{LocalModel, Place, Removal, Store, shared_blobs};
use crate::hub::{Error, provenance};

/// An unfinished download that is younger may go on.
const PARTIAL_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Which models go. With both rules those that fall under both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Criteria {
    /// Not used for so long.
    pub older_than: Option<Duration>,
    /// All but so many that were used last.
    pub keep_last: Option<usize>,
}

/// Something that goes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    pub name: String,
    pub why: String,
}

impl Store {
    /// What goes, each with its reason, and the removal of it all.
    pub fn prune(&self, criteria: Criteria) -> Result<(Vec<Pruned>, Removal<'_>), Error> {
        let mut removal = Removal::new(self);
        let pruned = match criteria {
            Criteria { older_than: None, keep_last: None } => self.unneeded(&mut removal)?,
            _ => self.unused(criteria, &mut removal)?,
        };
        Ok((pruned, removal))
    }

    /// Models of the cache that fall under the rules; what was imported has no other home.
    fn unused(&self, criteria: Criteria, removal: &mut Removal<'_>) -> Result<Vec<Pruned>, Error> {
        let is_ours = |model: &LocalModel| matches!(&model.place, Place::Cache { repo, .. } if self.cache.repo(repo).is_in_cache());
        let mut models: Vec<(Option<SystemTime>, LocalModel)> =
            self.cache.models()?.into_iter().filter(is_ours).map(|m| (self.last_used(&m), m)).collect();
        models.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
        let mut pruned = Vec::new();
        for (used, model) in models.into_iter().skip(criteria.keep_last.unwrap_or(0)) {
            let idle = used.and_then(|used| SystemTime::now().duration_since(used).ok()).unwrap_or_default();
            if criteria.older_than.is_some_and(|limit| idle < limit) {
                continue;
            }
            removal.model(&model)?;
            let why = match idle.as_secs() / 86_400 {
                0 => "used today".to_owned(),
                1 => "not used for 1 day".to_owned(),
                days => format!("not used for {days} days"),
            };
            pruned.push(Pruned { name: model.name, why });
        }
        Ok(pruned)
    }

    fn unneeded(&self, removal: &mut Removal<'_>) -> Result<Vec<Pruned>, Error> {
        let mut pruned = Vec::new();
        for repo in self.cache.repos()?.into_iter().filter(Repo::is_in_cache) {
            let mut say = |why: String| pruned.push(Pruned { name: repo.name.clone(), why });
            let busy = repo.is_busy()?;
            let mut goes_on = busy;
            for partial in repo.partials()? {
                let age = partial.modified.and_then(|time| SystemTime::now().duration_since(time).ok());
                if age.is_some_and(|age| age > PARTIAL_AGE) && !repo.is_being_fetched(&partial.hash) {
                    removal.partial(&repo, &partial);
                    say(format!("unfinished download {}", short(&partial.hash)));
                } else {
                    goes_on = true;
                }
            }
            let snapshots = repo.snapshots()?;
            let replaced = self.replaced(&repo, &snapshots)?;
            for snapshot in replaced.iter().map(|index| &snapshots[*index]) {
                removal.snapshot(&repo, snapshot.entries.iter().map(|entry| entry.on_disk.clone()));
                say(format!("old snapshot {}", short(&snapshot.commit)));
            }
            // A download that goes on may not have linked yet what it has.
            if !goes_on {
                let needed = blobs_of(snapshots.iter());
                for blob in repo.blobs()?.into_iter().filter(|blob| !needed.contains(blob)) {
                    say(format!(
                        "blob {} of no snapshot",
                        short(&blob.file_name().unwrap_or_default().to_string_lossy())
                    ));
                    removal.blob(&repo, blob);
                }
            }
        }
        for shared in shared_blobs::all(&self.cache.folder)? {
            if shared_blobs::is_left_over(&self.cache.folder, &shared, &BTreeSet::new()) {
                let why = format!(
                    "blob {} of no repository",
                    short(&shared.file_name().unwrap_or_default().to_string_lossy())
                );
                pruned.push(Pruned { name: "shared blobs".to_owned(), why });
                removal.shared_blob(shared);
            }
        }
        Ok(pruned)
    }

    /// Which snapshots nothing refers to, and a newer one has all models of. A commit that was pulled by its own
    /// hash is wanted as it is.
    fn replaced(&self, repo: &Repo, snapshots: &[Snapshot]) -> Result<Vec<usize>, Error> {
        let referred: Vec<String> = repo.refs()?.into_iter().map(|(_, commit)| commit).collect();
        let mut replaced = Vec::new();
        for (index, snapshot) in snapshots.iter().enumerate() {
            let record = provenance::find(&self.data_dir, &repo.name, &snapshot.commit).ok().flatten();
            let pinned = record.is_some_and(|record| record.revision == record.commit);
            if index == 0 || pinned || referred.contains(&snapshot.commit) {
                continue;
            }
            let files = |snapshot: &Snapshot| -> BTreeSet<String> {
                let models = repo.models_of(snapshot);
                if models.is_empty() {
                    return snapshot.entries.iter().map(|entry| entry.path.clone()).collect();
                }
                models.into_iter().map(|model| model.name).collect()
            };
            let old = files(snapshot);
            if snapshots[..index].iter().any(|newer| old.is_subset(&files(newer))) {
                replaced.push(index);
            }
        }
        Ok(replaced)
    }
}

fn blobs_of<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> BTreeSet<PathBuf> {
    let blob = |kind: &EntryKind| match kind {
        EntryKind::Blob(blob) => Some(blob.clone()),
        _ => None,
    };
    snapshots.flat_map(|snapshot| &snapshot.entries).filter_map(|entry| blob(&entry.kind)).collect()
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
