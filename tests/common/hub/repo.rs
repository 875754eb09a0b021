//! A repository and its files, as told and as they are.

use axum::body::Bytes;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Who may have a repository.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Access {
    Open,
    /// Seen by all, its files only for those who accepted the terms.
    Gated,
    Private,
    /// Taken away.
    Disabled,
}

#[derive(Debug, Clone)]
pub struct Repo {
    pub name: String,
    pub access: Access,
    pub commit: String,
    /// Branches and tags; the commit itself is always known.
    pub revisions: Vec<String>,
    pub files: Vec<RepoFile>,
    /// What else its page tells: `cardData`, `tags`, `downloads`, `gguf`, ….
    pub page: Value,
    /// Names under which it was known.
    pub old_names: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct RepoFile {
    pub path: String,
    pub content: Bytes,
    /// Size and hash as told, which a test may make lies.
    pub size_bytes: u64,
    pub hash: String,
    /// Stored by LFS and named by SHA-256; small files are git's.
    pub is_large: bool,
}

impl Repo {
    /// An open repository without files.
    pub fn new(name: &str) -> Repo {
        Repo {
            name: name.to_owned(),
            access: Access::Open,
            commit: COMMIT.to_owned(),
            revisions: vec!["main".to_owned()],
            files: Vec::new(),
            page: json!({
                "cardData": { "license": "apache-2.0", "base_model": ["org/base"] },
                "tags": ["gguf", "license:apache-2.0", "base_model:org/base"],
                "pipeline_tag": "text-generation",
                "downloads": 1234,
                "gguf": { "total": 1_000_000, "architecture": "llama", "context_length": 2048 },
            }),
            old_names: Vec::new(),
        }
    }

    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Bytes>) -> Repo {
        let content = content.into();
        let is_large = [".gguf", ".safetensors", ".bin"].iter().any(|ending| path.ends_with(ending));
        let hash = if is_large { sha256(&content) } else { git_hash(&content) };
        let size_bytes = content.len() as u64;
        self.files.push(RepoFile { path: path.to_owned(), content, size_bytes, hash, is_large });
        self
    }

    #[must_use]
    pub fn access(mut self, access: Access) -> Repo {
        self.access = access;
        self
    }

    /// Lies about the newest file's size.
    #[must_use]
    pub fn of_size(mut self, size_bytes: u64) -> Repo {
        self.files.last_mut().unwrap().size_bytes = size_bytes;
        self
    }

    /// Lies about the newest file's hash.
    #[must_use]
    pub fn of_hash(mut self, hash: &str) -> Repo {
        hash.clone_into(&mut self.files.last_mut().unwrap().hash);
        self
    }

    pub fn knows(&self, revision: &str) -> bool {
        revision == self.commit || self.revisions.iter().any(|known| known == revision)
    }

    pub fn find(&self, path: &str) -> Option<&RepoFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl RepoFile {
    /// What git itself keeps of a large file: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
    pub fn pointer(&self) -> String {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", self.hash, self.size_bytes)
    }

    /// The name that git gives the file, or its pointer.
    pub fn blob_id(&self) -> String {
        if self.is_large { git_hash(self.pointer().as_bytes()) } else { self.hash.clone() }
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Git's SHA-1 of a file.
pub fn git_hash(bytes: &[u8]) -> String {
    let mut sha = Sha1::new();
    sha.update(format!("blob {}\0", bytes.len()));
    sha.update(bytes);
    hex(&sha.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
