//! From the hub into the cache that Hugging Face's tools share: `models--ORG--NAME` with `blobs`,
//! `refs`, `snapshots` and, beside it, `.locks`
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>).
//!
//! A file gets its name after its size and hash were checked, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::Client;
use super::store::{self, LocalModel, Store};
use super::{Choice, Error, HubSettings, ModelRef, files};

/// How to pull.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    /// A branch, tag or commit instead of `main`.
    pub revision: Option<String>,
    /// Fetch again what is already here.
    pub force: bool,
}

/// How far a pull is.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    pub file: &'a str,
    /// Of all files together.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// Fetches what `name` names; `progress` is called as bytes come, those of an earlier try included.
pub fn pull(
    settings: &HubSettings,
    name: &ModelRef,
    options: &PullOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<LocalModel, Error> {
    let (repo, tag, revision) = match name {
        ModelRef::Guide => return Err(Error::Guide { what: "pulled" }),
        ModelRef::File(path) => return Err(Error::Local { path: path.clone(), what: "pull" }),
        ModelRef::Repo { repo, tag, revision, .. } => (repo, tag.as_deref(), revision.as_deref()),
    };
    let revision = options.revision.as_deref().or(revision).unwrap_or("main");
    let connection =
        |e: std::io::Error| Error::Connection { endpoint: settings.endpoint.clone(), reason: e.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(connection)?;
    let pull = Pull {
        settings,
        repo,
        client: Client::new(settings, repo)?,
        folder: settings.cache_dir.join(store::folder_name(repo)),
    };
    let chosen = runtime.block_on(pull.run(tag, revision, options.force, progress))?;
    Store::new(&settings.cache_dir).model_of(repo, &chosen)
}

struct Pull<'a> {
    settings: &'a HubSettings,
    repo: &'a str,
    client: Client<'a>,
    folder: PathBuf,
}

/// A file to fetch: its path in the repository, size and the name of its blob.
struct Remote {
    path: String,
    size: u64,
    etag: String,
}

impl Pull<'_> {
    async fn run(
        &self,
        tag: Option<&str>,
        revision: &str,
        force: bool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<String>, Error> {
        let all = self.client.list(revision).await?;
        let variants = files::variants(&all);
        if variants.is_empty() {
            return Err(files::no_model(self.repo, &all));
        }
        let chosen = match files::choose(self.repo, &variants, tag)? {
            Choice::One(one) => one,
            Choice::Several(several) => files::usual(&several)
                .cloned()
                .ok_or_else(|| Error::Ambiguous { repo: self.repo.to_owned(), choices: files::list(&several) })?,
        };
        let chosen: Vec<String> = chosen.files.into_iter().map(|file| file.path).collect();
        let mut remotes = Vec::new();
        let mut commit = String::new();
        for path in &chosen {
            if !safe(path) {
                return Err(Error::Malformed {
                    what: format!("{}/{path}", self.repo),
                    why: "leads elsewhere".to_owned(),
                });
            }
            let head = self.client.head(revision, path).await?;
            commit = head.commit;
            remotes.push(Remote { path: path.clone(), size: head.size, etag: head.etag });
        }
        let total_bytes = remotes.iter().map(|r| r.size).sum();
        let mut before = 0;
        for remote in &remotes {
            let mut report =
                |done: u64| progress(Progress { file: &remote.path, done_bytes: before + done, total_bytes });
            self.fetch(remote, &commit, force, &mut report).await?;
            self.link(remote, &commit)?;
            before += remote.size;
        }
        let reference = self.folder.join("refs").join(revision);
        if safe(revision) && revision != commit {
            create_parent(&reference)?;
            fs::write(&reference, &commit).map_err(|source| Error::Write { path: reference, source })?;
        }
        Ok(chosen)
    }

    /// Brings a blob up to its full size, checks it, and gives it its name.
    async fn fetch(
        &self,
        remote: &Remote,
        commit: &str,
        force: bool,
        report: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let blob = self.folder.join("blobs").join(&remote.etag);
        create_parent(&blob)?;
        let _lock = self.lock(&remote.etag)?;
        if !force && fs::metadata(&blob).is_ok_and(|m| m.len() == remote.size) {
            report(remote.size);
            return Ok(());
        }
        let partial = self.folder.join("blobs").join(format!("{}.incomplete", remote.etag));
        let failed = |source| Error::Write { path: partial.clone(), source };
        if force {
            let _ = fs::remove_file(&partial);
        }
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(&partial).map_err(failed)?;
        let mut have = file.metadata().map_err(failed)?.len();
        if have > remote.size {
            file.set_len(0).map_err(failed)?;
            have = 0;
        }
        if have < remote.size {
            let response = self.client.get(commit, &remote.path, have).await?;
            // A server that does not know ranges sends the whole file.
            if have > 0 && response.status() != reqwest::StatusCode::PARTIAL_CONTENT {
                file.set_len(0).map_err(failed)?;
                have = 0;
            }
            let mut stream = std::pin::pin!(response.bytes_stream());
            report(have);
            while let Some(bytes) = stream.next().await {
                let bytes = match bytes {
                    Ok(bytes) => bytes,
                    Err(_) => break,
                };
                file.write_all(&bytes).map_err(failed)?;
                have += bytes.len() as u64;
                report(have);
            }
        }
        file.sync_all().map_err(failed)?;
        if have != remote.size {
            if have > remote.size {
                let _ = fs::remove_file(&partial);
            }
            return Err(Error::Incomplete { file: remote.path.clone(), got: have, expected: remote.size });
        }
        if hash(&partial, remote)? != remote.etag {
            let _ = fs::remove_file(&partial);
            return Err(Error::Hash { file: remote.path.clone() });
        }
        fs::rename(&partial, &blob).map_err(|source| Error::Write { path: blob, source })
    }

    /// Two pulls of one file wait for each other, Python's included.
    fn lock(&self, etag: &str) -> Result<File, Error> {
        let path =
            self.settings.cache_dir.join(".locks").join(store::folder_name(self.repo)).join(format!("{etag}.lock"));
        create_parent(&path)?;
        let failed = |source| Error::Write { path: path.clone(), source };
        let file = File::create(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// `snapshots/COMMIT/PATH` points at the blob; where links cannot be made it is a copy.
    fn link(&self, remote: &Remote, commit: &str) -> Result<(), Error> {
        let link = self.folder.join("snapshots").join(commit).join(&remote.path);
        create_parent(&link)?;
        if link.exists() {
            return Ok(());
        }
        let failed = |source| Error::Write { path: link.clone(), source };
        let up = "../".repeat(2 + remote.path.matches('/').count());
        // A link left dangling by a tool that deleted the blob.
        let _ = fs::remove_file(&link);
        #[cfg(unix)]
        if std::os::unix::fs::symlink(format!("{up}blobs/{}", remote.etag), &link).is_ok() {
            return Ok(());
        }
        fs::copy(self.folder.join("blobs").join(&remote.etag), &link).map(drop).map_err(failed)
    }
}

/// Whether a relative path stays below where it is put.
fn safe(path: &str) -> bool {
    !path.is_empty() && !path.contains('\\') && path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

fn create_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|source| Error::Write { path: parent.to_owned(), source })
}

/// The hash that names the blob: SHA-256, or git's SHA-1 over `blob SIZE\0` and the content.
fn hash(path: &Path, remote: &Remote) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    let mut each = |update: &mut dyn FnMut(&[u8])| -> Result<(), Error> {
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(()),
                n => update(&buffer[..n]),
            }
        }
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
    if remote.etag.len() == 64 {
        let mut sha = Sha256::new();
        each(&mut |bytes| sha.update(bytes))?;
        Ok(hex(&sha.finalize()))
    } else {
        let mut sha = Sha1::new();
        sha.update(format!("blob {}\0", remote.size));
        each(&mut |bytes| sha.update(bytes))?;
        Ok(hex(&sha.finalize()))
    }
}
