//! A plain conversation in a JSON file, which `oai chat --plain` saves and loads.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, write_file};
use crate::engine::{Message, Role};

/// A conversation: JSON with the model's name and the messages in order, the system message first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    pub model: String,
    pub messages: Vec<Message>,
}

impl Conversation {
    /// Writes a file that [`from_file`](super::from_file) reads; an older one is lost only to a whole new one.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let failed = |cause: std::io::Error| Error::Write { file: path.display().to_string(), cause };
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.into()))?;
        write_file(path, &(text + "\n"), true).map_err(failed)
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
    use crate::session::from_file;

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
        let loaded = from_file(&path, 0).unwrap();
        assert_eq!((loaded.messages(), loaded.model), (talk.messages.clone(), talk.model.clone()));
        assert_eq!(talk.undo().as_deref(), Some("c"));
        assert_eq!(talk.undo().as_deref(), Some("a"));
        assert_eq!(talk.undo(), None);
        assert_eq!(talk.system(), Some("be brief"));
    }
}
