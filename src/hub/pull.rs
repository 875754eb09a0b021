//! A pull: what the hub has, which of it is meant, what is missing here, and the bringing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;

use super::api::{self, RemoteFile, Repository};
use super::http::{Http, What};
use super::layout::{Layout, is_inside, size};
use super::transfer::{self, Step, Wanted};
use super::{Error, HubSettings};

/// How often a lock that another process has is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// What is told while a pull goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another process has this file in hand.
    Waiting { path: &'a str },
    /// So much of a file is here.
    Progress { path: &'a str, done_bytes: u64, size_bytes: u64 },
    /// It broke, and is tried again after a wait.
    Retry { path: Option<&'a str>, reason: &'a str, wait: Duration, attempt: u32 },
    /// A file is here; how many bytes of it came now.
    File { file: &'a RemoteFile, fetched_bytes: u64 },
}

/// A file of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its hash is known.
    pub file: RemoteFile,
    /// Of an earlier pull.
    pub here_bytes: u64,
}

/// What a pull will do.
#[derive(Debug)]
pub struct Plan {
    pub repo: String,
    /// The branch or tag that was asked for; the commit itself where that was.
    pub revision: String,
    pub commit: String,
    pub files: Vec<Planned>,
    pub license: Option<String>,
    pub base_models: Vec<String>,
}

/// What the hub has under `repo` at `revision`.
pub fn look_up(
    settings: &HubSettings,
    repo: &str,
    revision: &str,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Repository, Error> {
    let http = Http::new(settings)?;
    let mut retried = |reason: &str, wait, attempt| tell(Event::Retry { path: None, reason, wait, attempt });
    block_on(api::repository(&http, repo, revision, &mut retried))?
}

impl Plan {
    /// To bring `files` of a repository.
    pub fn new(
        settings: &HubSettings,
        repository: Repository,
        revision: &str,
        files: &[RemoteFile],
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Plan, Error> {
        let Repository { name: repo, commit, license, base_models, .. } = repository;
        let layout = Layout::new(&settings.cache_dir, &repo);
        let mut planned = Vec::new();
        for file in files {
            if !is_inside(&file.path) {
                let what = What { repo: &repo, revision, file: Some(&file.path) };
                return Err(what.malformed("leads out of the repository"));
            }
            let file = match &file.hash {
                Some(_) => file.clone(),
                None => {
                    let http = Http::new(settings)?;
                    let path = &file.path;
                    let mut retried =
                        |reason: &str, wait, attempt| tell(Event::Retry { path: Some(path), reason, wait, attempt });
                    block_on(api::head(&http, &repo, &commit, path, &mut retried))??
                }
            };
            let blob = layout.blob(file.hash.as_deref().unwrap_or_default());
            let whole = size(&blob) == file.size_bytes && blob.is_file();
            let here_bytes = if whole { file.size_bytes } else { transfer::have(&blob, file.size_bytes) };
            planned.push(Planned { file, here_bytes });
        }
        Ok(Plan { repo, revision: revision.to_owned(), commit, files: planned, license, base_models })
    }

    pub fn total_bytes(&self) -> u64 {
        sum(self.files.iter().map(|planned| planned.file.size_bytes))
    }

    pub fn here_bytes(&self) -> u64 {
        sum(self.files.iter().map(|planned| planned.here_bytes))
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.files.iter().map(|planned| planned.file.path.clone()).collect()
    }

    /// Brings what is missing; with `force` also what is here. Files that came are whole and checked
    /// even if others fail. Returns how many bytes came.
    pub fn fetch(&self, settings: &HubSettings, force: bool, tell: &mut dyn FnMut(Event<'_>)) -> Result<u64, Error> {
        let layout = Layout::new(&settings.cache_dir, &self.repo);
        self.check_room(settings, force)?;
        layout.prepare()?;
        let here =
            |planned: &Planned| !force && planned.here_bytes == planned.file.size_bytes && is_whole(&layout, planned);
        let came = if self.files.iter().all(here) {
            // Nothing is missing: no connection is opened.
            self.files.iter().for_each(|planned| tell(Event::File { file: &planned.file, fetched_bytes: 0 }));
            0
        } else {
            let http = Http::new(settings)?;
            block_on(self.fetch_missing(&http, &layout, force, tell))??
        };
        for planned in &self.files {
            layout.link(&self.commit, &planned.file.path, planned.hash())?;
        }
        layout.refer(&self.revision, &self.commit)?;
        Ok(came)
    }

    async fn fetch_missing(
        &self,
        http: &Http<'_>,
        layout: &Layout<'_>,
        force: bool,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<u64, Error> {
        let tell = std::cell::RefCell::new(tell);
        // Files of the same content are one blob.
        let mut blobs: BTreeMap<&str, &Planned> = BTreeMap::new();
        for planned in &self.files {
            blobs.entry(planned.hash()).or_insert(planned);
        }
        let mut wanted: Vec<&Planned> = self.files.iter().filter(|p| std::ptr::eq(blobs[p.hash()], *p)).collect();
        wanted.sort_by_key(|planned| planned.file.size_bytes > transfer::SMALL);
        let large = wanted.partition_point(|planned| planned.file.size_bytes <= transfer::SMALL);
        let (small, large) = wanted.split_at(large);
        // Small files come side by side, larger ones one after the other over several connections.
        let mut came = 0;
        let mut failed = None;
        let one = |planned| self.fetch_one(http, layout, planned, force, &tell);
        let mut several =
            futures_util::stream::iter(small.iter().copied().map(one)).buffered(http.settings.connections);
        while let Some(result) = several.next().await {
            match result {
                Ok(bytes) => came += bytes,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        drop(several);
        if let Some(error) = failed {
            return Err(error);
        }
        for planned in large {
            came += self.fetch_one(http, layout, planned, force, &tell).await?;
        }
        for planned in self.files.iter().filter(|p| !std::ptr::eq(blobs[p.hash()], *p)) {
            (tell.borrow_mut())(Event::File { file: &planned.file, fetched_bytes: 0 });
        }
        Ok(came)
    }

    async fn fetch_one(
        &self,
        http: &Http<'_>,
        layout: &Layout<'_>,
        planned: &Planned,
        force: bool,
        tell: &std::cell::RefCell<&mut dyn FnMut(Event<'_>)>,
    ) -> Result<u64, Error> {
        let RemoteFile { path, size_bytes, .. } = &planned.file;
        let say = |event: Event<'_>| (tell.borrow_mut())(event);
        let mut waited = false;
        let _lock = loop {
            match layout.try_lock(planned.hash())? {
                Some(lock) => break lock,
                None if !waited => say(Event::Waiting { path }),
                None => {}
            }
            waited = true;
            tokio::time::sleep(LOCK_INTERVAL).await;
        };
        // The other process may have brought it.
        let came = if is_whole(layout, planned) && (!force || waited) {
            0
        } else {
            let what = What { repo: &self.repo, revision: &self.commit, file: Some(path) };
            let wanted = Wanted { what, size: *size_bytes, hash: planned.hash(), blob: layout.blob(planned.hash()) };
            let mut report = |step: Step<'_>| match step {
                Step::At(done_bytes) => say(Event::Progress { path, done_bytes, size_bytes: *size_bytes }),
                Step::Retry { reason, wait, attempt } => say(Event::Retry { path: Some(path), reason, wait, attempt }),
            };
            transfer::fetch(http, &wanted, force, &mut report).await?
        };
        say(Event::File { file: &planned.file, fetched_bytes: came });
        Ok(came)
    }

    /// Whether the disk has room for what is missing.
    fn check_room(&self, settings: &HubSettings, force: bool) -> Result<(), Error> {
        let needed: u64 = if force { self.total_bytes() } else { self.total_bytes().saturating_sub(self.here_bytes()) };
        // The cache may not be there yet: its first ancestor that is lies on the same disk.
        let Some(path) = settings.cache_dir.ancestors().find(|path| path.exists()) else { return Ok(()) };
        match fs4::available_space(path) {
            Ok(free) if free < needed => Err(Error::NoRoom { path: settings.cache_dir.clone(), needed, free }),
            // Where it cannot be asked, the disk will say so itself.
            _ => Ok(()),
        }
    }
}

impl Planned {
    pub fn hash(&self) -> &str {
        self.file.hash.as_deref().unwrap_or_default()
    }
}

/// A hub may claim any size: the sum stays the largest there is.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

fn is_whole(layout: &Layout<'_>, planned: &Planned) -> bool {
    std::fs::metadata(layout.blob(planned.hash())).is_ok_and(|m| m.is_file() && m.len() == planned.file.size_bytes)
}

/// Runs on a runtime of its own: nothing else in the program is asynchronous.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Threads)?;
    Ok(runtime.block_on(future))
}
