//! Conversations: trees of messages in memory, in a database, in files.
//!
//! A [`Session`] is edited in memory and says with [`Session::take_changes`] what is to be saved; a [`Store`], on any
//! thread, saves that. Nothing here reads a clock: times are given in.

mod attachment;
mod changes;
mod conversation;
mod file;
mod html;
mod json;
mod markdown;
mod mend;
mod name;
mod save;
mod schema;
mod search;
mod store;
mod title;
mod tree;
mod words;

#[cfg(test)]
mod random_walk;

pub use attachment::{Attachment, fenced};
pub use changes::Changes;
pub use conversation::Conversation;
pub use file::write_file;
pub use html::html;
pub use json::{from_conversation, from_file, from_json, json};
pub use markdown::markdown;
pub use name::check_name;
pub use search::Hit;
pub use store::{Filter, Store, Summary};
pub use tree::{Node, NodeId, Session};

/// The database in oai's data folder.
pub const FILE: &str = "sessions.sqlite";

/// What can go wrong with a saved conversation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {file}: {cause}")]
    Read { file: String, cause: std::io::Error },
    #[error("cannot write {file}: {cause}")]
    Write { file: String, cause: std::io::Error },
    #[error("{file} is not a saved conversation: {reason}")]
    Format { file: String, reason: String },
    #[error("not a conversation that oai exported: {reason}")]
    Json { reason: String },
    #[error("{file} is not a database of conversations: {reason}; move it away, and oai begins a new one")]
    NotOurs { file: String, reason: String },
    #[error("{file} is damaged ({reason}); move it away, and oai begins a new one")]
    Damaged { file: String, reason: String },
    #[error("{file} was written by a newer oai (schema {found}; this one knows {known}): update oai")]
    Newer { file: String, found: i64, known: i64 },
    #[error("another process keeps {file} locked")]
    Busy { file: String },
    #[error("the database {file} failed: {reason}")]
    Database { file: String, reason: String },
    #[error("no conversation is called {what}; oai history lists them")]
    Unknown { what: String },
    #[error("{what} means several conversations: {candidates}; give a number")]
    Ambiguous { what: String, candidates: String },
    #[error("conversation {id} was deleted meanwhile")]
    Gone { id: i64 },
    #[error("conversation {id} was continued elsewhere meanwhile")]
    ChangedElsewhere { id: i64 },
    #[error("{name} cannot be a name: it means another conversation")]
    Name { name: String },
    #[error("what was said last is not saved: {reason}")]
    Unsaved { reason: String },
}
