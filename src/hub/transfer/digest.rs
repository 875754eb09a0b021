//! The hash of a file while it comes: a thread that follows the pieces in their order.

use std::sync::Arc;
use std::thread::JoinHandle;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::partial::{Found, Partial, pieces_of};
use crate::hub::Error;

/// SHA-256 of large files, or git's SHA-1, which is taken over `blob SIZE\0` and the content
/// (<https://git-scm.com/book/en/v2/Git-Internals-Git-Objects>).
pub enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// The kind that made `hash`, which has 64 or 40 hex digits.
    pub fn like(hash: &str, size: u64) -> Hasher {
        if hash.len() == 64 {
            return Hasher::Sha256(Sha256::new());
        }
        let mut sha = Sha1::new();
        sha.update(format!("blob {size}\0"));
        Hasher::Git(sha)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(sha) => sha.update(bytes),
            Hasher::Git(sha) => sha.update(bytes),
        }
    }

    /// The hash in lower-case hex digits.
    pub fn finish(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Hasher::Sha256(sha) => hex(&sha.finalize()),
            Hasher::Git(sha) => hex(&sha.finalize()),
        }
    }
}

/// What the thread tells.
enum News {
    /// A piece of an earlier run was damaged and is missing again.
    Damaged,
    Finished(Result<String, Error>),
}

/// The hash of `partial`, being taken.
pub struct Digest {
    partial: Arc<Partial>,
    news: UnboundedReceiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl Digest {
    /// Starts the thread; `like` tells the kind of hash.
    pub fn start(partial: Arc<Partial>, like: &str) -> Result<Digest, Error> {
        let (tell, news) = unbounded_channel();
        let hasher = Hasher::like(like, partial.size);
        let shared = Arc::clone(&partial);
        let thread = std::thread::Builder::new().name("hash".to_owned()).spawn(move || follow(&shared, hasher, &tell));
        let thread = thread.map_err(Error::Threads)?;
        Ok(Digest { partial, news, thread: Some(thread) })
    }

    /// The hash, once all bytes are here; None when some have to come again.
    pub async fn finished(&mut self) -> Option<Result<String, Error>> {
        match self.news.recv().await {
            Some(News::Finished(hash)) => Some(hash),
            Some(News::Damaged) | None => None,
        }
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        self.partial.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn follow(partial: &Partial, mut hasher: Hasher, tell: &UnboundedSender<News>) {
    let mut buffer = Vec::new();
    let mut index = 0;
    while index < pieces_of(partial.size) {
        match partial.read_whole(index, &mut buffer) {
            Ok(Found::Whole) => {
                hasher.update(&buffer);
                index += 1;
            }
            Ok(Found::Damaged) => drop(tell.send(News::Damaged)),
            Ok(Found::Unwanted) => return,
            Err(error) => return drop(tell.send(News::Finished(Err(error)))),
        }
    }
    drop(tell.send(News::Finished(Ok(hasher.finish()))));
}
