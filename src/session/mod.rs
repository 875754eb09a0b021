//! Conversations on disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::{Message, Role};

/// What can go wrong with a saved conversation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {file}: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("cannot write {file}: {source}")]
    Write { file: String, source: std::io::Error },
    #[error("{file} is not a saved conversation: {reason}")]
    Format { file: String, reason: String },
}

/// A conversation: JSON with the model's name and the messages in order, the system message first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    pub model: String,
    pub messages: Vec<Message>,
}

impl Conversation {
    pub fn load(path: &Path) -> Result<Conversation, Error> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { file: file.clone(), source })?;
        serde_json::from_str(&text).map_err(|e| Error::Format { file, reason: e.to_string() })
    }

    /// Writes beside `path` and renames, so that an older file is lost only to a whole new one.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let failed = |source: std::io::Error| Error::Write { file: path.display().to_string(), source };
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.into()))?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".partial");
        std::fs::write(&temporary, text + "\n").map_err(failed)?;
        std::fs::rename(&temporary, path).map_err(failed)
    }

    pub fn push(&mut self, role: Role, content: &str) {
        self.messages.push(Message::new(role, content));
    }

    /// Sets, replaces or (with an empty text) removes the system message.
    pub fn set_system(&mut self, text: &str) {
        self.messages.retain(|m| m.role != Role::System);
        if !text.is_empty() {
            self.messages.insert(0, Message::new(Role::System, text));
        }
    }

    pub fn system(&self) -> Option<&str> {
        self.messages.iter().find(|m| m.role == Role::System).map(|m| m.content.as_str())
    }

    /// Forgets all but the system message.
    pub fn clear(&mut self) {
        self.messages.retain(|m| m.role == Role::System);
    }

    /// Takes back the last question and what came after it; returns the question.
    pub fn undo(&mut self) -> Option<String> {
        let at = self.messages.iter().rposition(|m| m.role == Role::User)?;
        self.messages.drain(at..).next().map(|m| m.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_survives_the_disk_and_undo_takes_back_one_turn() {
        let mut talk = Conversation { model: "guide".to_owned(), messages: Vec::new() };
        talk.set_system("be brief");
        talk.push(Role::User, "a");
        talk.push(Role::Assistant, "b");
        talk.push(Role::User, "c");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.json");
        talk.save(&path).unwrap();
        assert_eq!(Conversation::load(&path).unwrap(), talk);
        assert_eq!(talk.undo().as_deref(), Some("c"));
        assert_eq!(talk.undo().as_deref(), Some("a"));
        assert_eq!(talk.undo(), None);
        assert_eq!(talk.system(), Some("be brief"));
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(Conversation::load(&path), Err(Error::Format { .. })));
    }
}
