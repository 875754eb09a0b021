//! Conversations as JSON: all branches, to be read back.

use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::tree::{Node, NodeId};
use super::{Conversation, Error, Session};
use crate::engine::Role;
use crate::neutralize::commands_terminals;

const FORMAT: &str = "oai-session";
const VERSION: u32 = 1;

/// The file: `format` and `version` first, so that a reader knows what follows.
#[derive(Serialize, Deserialize)]
struct Exported {
    format: String,
    version: u32,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    sampling: Option<serde_json::Value>,
    #[serde(default)]
    created_ms: i64,
    #[serde(default)]
    updated_ms: i64,
    /// The last message on screen; the others follow from `parent`.
    #[serde(default)]
    leaf: Option<NodeId>,
    nodes: Vec<Node>,
}

/// What is looked at first.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u32,
    /// Of a plain conversation.
    #[serde(default)]
    messages: Option<IgnoredAny>,
}

/// A session with all branches, on several lines, with a line break at the end; [`from_json`] reads it. Characters
/// that terminals obey are escaped.
pub fn json(session: &Session) -> String {
    let exported = Exported {
        format: FORMAT.to_owned(),
        version: VERSION,
        name: session.name.clone(),
        tags: session.tags.clone(),
        model: session.model.clone(),
        system: session.system.clone(),
        sampling: session.sampling.clone(),
        created_ms: session.created_ms,
        updated_ms: session.updated_ms,
        leaf: session.leaf(),
        nodes: session.nodes().cloned().collect(),
    };
    // Strings, numbers and lists of them: nothing here that JSON has not.
    let text = serde_json::to_string_pretty(&exported).unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c == '\x7f' || commands_terminals(c) {
            out.push_str(&format!("\\u{:04x}", c as u32));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// Reads what [`json`] wrote. The session is new to the store: it has no number, and all of it is unsaved.
pub fn from_json(text: &str) -> Result<Session, Error> {
    let failed = |reason: String| Error::Json { reason };
    let head: Head = serde_json::from_str(text).map_err(|e| failed(e.to_string()))?;
    if head.format != FORMAT {
        return Err(failed(format!("it does not say \"format\": \"{FORMAT}\"")));
    }
    if head.version > VERSION {
        return Err(failed(format!("version {} is of a newer oai (this one knows {VERSION})", head.version)));
    }
    let file: Exported = serde_json::from_str(text).map_err(|e| failed(e.to_string()))?;
    let mut session = Session::new(&file.model, file.created_ms);
    session.set_name(file.name.as_deref());
    session.set_tags(&file.tags);
    session.set_system(file.system.as_deref());
    session.sampling = file.sampling;
    session.updated_ms = file.updated_ms;
    session.fill(file.nodes, file.leaf).map_err(failed)?;
    session.detach();
    Ok(session)
}

/// Reads a file that [`json`] or [`Conversation::save`] wrote: the first holds all branches, the second is one list.
pub fn from_file(path: &Path, now_ms: i64) -> Result<Session, Error> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|cause| Error::Read { file: file.clone(), cause })?;
    let head: Option<Head> = serde_json::from_str(&text).ok();
    let read = if head.is_some_and(|head| head.format.is_empty() && head.messages.is_some()) {
        let talk: Result<Conversation, _> = serde_json::from_str(&text);
        talk.map(|talk| from_conversation(&talk, now_ms)).map_err(|e| e.to_string())
    } else {
        from_json(&text).map_err(|error| match error {
            Error::Json { reason } => reason,
            error => error.to_string(),
        })
    };
    read.map_err(|reason| Error::Format { file, reason })
}

/// A plain conversation as a session of one branch.
pub fn from_conversation(talk: &Conversation, now_ms: i64) -> Session {
    let mut session = Session::new(&talk.model, now_ms);
    session.set_system(talk.system());
    for message in talk.messages.iter().filter(|message| message.role != Role::System) {
        session.append(message.clone(), now_ms);
    }
    session
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Finish, Message, Timings, Usage};
    use crate::session::Attachment;

    fn example() -> Session {
        let mut session = Session::new("qwen3:0.6b", 5);
        session.set_name(Some("example"));
        session.set_tags(&["a".to_owned()]);
        session.set_system(Some("be brief"));
        session.set_sampling(Some(serde_json::json!({"temperature": 0.5})));
        let question = session.append(Message::new(Role::User, "q \u{9b}\u{202e}\x7f\0"), 6);
        session.edit_node(question, |node| {
            node.attachments.push(Attachment { name: "f".to_owned(), text: "t".to_owned() });
        });
        let answer = session.append(Message::new(Role::Assistant, "a"), 7);
        session.edit_node(answer, |node| {
            node.message.reasoning_content = Some("hm".to_owned());
            node.model = Some("qwen3:0.6b".to_owned());
            node.finish = Some(Finish::Cancelled);
            node.usage = Some(Usage { prompt_tokens: 3, completion_tokens: 2, cached_tokens: 1 });
            node.timings = Some(Timings { decode_ms: 1.5, ..Timings::default() });
        });
        session.branch(answer, Message::new(Role::Assistant, "b"), 8);
        session
    }

    #[test]
    fn a_session_with_all_its_branches_survives_json() {
        let session = example();
        let text = json(&session);
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\x7f', '\0']) && text.ends_with("}\n"));
        let mut read = from_json(&text).unwrap();
        assert_eq!(json(&read), text);
        assert!(read.nodes().eq(session.nodes()));
        assert_eq!((read.path(), read.id), (session.path(), None));
        assert_eq!(read.take_changes(9).unwrap().nodes.len(), 3);
    }

    #[test]
    fn what_is_no_export_is_refused_with_a_reason() {
        for (text, reason) in [
            ("{", "EOF"),
            ("[1]", "invalid"),
            ("{}", "\"format\""),
            (r#"{"format": "oai-session", "version": 2}"#, "newer"),
            (r#"{"format": "oai-session", "version": 1}"#, "nodes"),
            (r#"{"format": "oai-session", "version": 1, "nodes": [], "leaf": 3}"#, "message 3"),
        ] {
            let error = from_json(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_is_read_as_what_it_is_and_its_error_is_of_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.json");
        std::fs::write(&path, json(&example())).unwrap();
        assert_eq!(json(&from_file(&path, 9).unwrap()), json(&example()));
        for (text, reason) in [
            ("{", "EOF"),
            ("{\"model\": 3}", "\"format\""),
            (r#"{"model": "m", "messages": [{"role": "nobody", "content": ""}]}"#, "nobody"),
            (r#"{"model": 3, "messages": []}"#, "expected a string"),
            (r#"{"format": "oai-session", "version": 2, "messages": []}"#, "newer"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = from_file(&path, 9).unwrap_err().to_string();
            assert!(error.contains("talk.json is not a saved conversation") && error.contains(reason), "{error}");
        }
        assert!(matches!(from_file(folder.path(), 9), Err(Error::Read { .. })));
    }

    #[test]
    fn a_plain_conversation_becomes_one_branch() {
        let mut talk = Conversation { model: "guide".to_owned(), messages: Vec::new() };
        talk.set_system("be brief");
        talk.push(Role::User, "q");
        talk.push(Role::Assistant, "a");
        let session = from_conversation(&talk, 3);
        assert_eq!(session.messages(), talk.messages);
        assert_eq!((session.model.as_str(), session.len()), ("guide", 2));
    }
}
