//! What a conversation is called as long as nobody named it.

use super::tree::{Node, Session};
use crate::engine::Role;
use crate::neutralize::neutralize;

const NOTHING_SAID: &str = "new conversation";
const MAX_CHARS: usize = 50;

impl Session {
    /// The name, else the first question's first words, else `new conversation`; one line, fit for a terminal.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => one_line(name),
            None => self.first_words(),
        }
    }

    /// The title without a name.
    pub(super) fn first_words(&self) -> String {
        let on_path = self.path().into_iter().filter_map(|id| self.node(id));
        let title = on_path.chain(self.nodes()).find_map(question);
        title.unwrap_or_else(|| NOTHING_SAID.to_owned())
    }
}

/// The first words of a question, if it has any; of one that is all attachments, the first one's name.
fn question(node: &Node) -> Option<String> {
    if node.message.role != Role::User {
        return None;
    }
    let attached = node.attachments.iter().map(|a| a.name.as_str());
    let text = std::iter::once(node.message.content.as_str()).chain(attached).find(|text| !text.trim().is_empty())?;
    let mut title = String::new();
    for word in text.split_whitespace() {
        let used = title.chars().count();
        if used > 0 && used + 1 + word.chars().count() > MAX_CHARS {
            return Some(neutralize(&title) + "…");
        }
        if used > 0 {
            title.push(' ');
        }
        title.push_str(word);
    }
    // A single word may be longer than any title.
    let cut: String = title.chars().take(MAX_CHARS).collect();
    Some(if cut.len() < title.len() { neutralize(&cut) + "…" } else { neutralize(&title) })
}

fn one_line(text: &str) -> String {
    neutralize(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;
    use crate::session::Attachment;

    fn asked(text: &str) -> Session {
        let mut session = Session::new("m", 0);
        session.append(Message::new(Role::User, text), 0);
        session
    }

    #[test]
    fn a_title_is_the_name_else_the_first_words_else_says_that_nothing_was_said() {
        assert_eq!(Session::new("m", 0).title(), "new conversation");
        assert_eq!(asked(" \n").title(), "new conversation");
        let mut session = asked("why is\nthe sky\x1b blue?");
        assert_eq!(session.title(), "why is the sky␛ blue?");
        session.set_name(Some("sky"));
        assert_eq!(session.title(), "sky");
        assert_eq!(asked(&"abcd ".repeat(20)).title(), format!("{}…", "abcd ".repeat(10).trim_end()));
        assert_eq!(asked(&"é".repeat(200)).title(), "é".repeat(50) + "…");
    }

    #[test]
    fn a_question_of_attachments_alone_is_called_by_the_first_ones_name() {
        let mut session = asked("");
        let attached = Attachment { name: "notes.txt".to_owned(), text: String::new() };
        session.edit_node(session.leaf().unwrap(), |node| node.attachments.push(attached));
        assert_eq!(session.title(), "notes.txt");
    }
}
