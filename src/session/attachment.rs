//! Files and pasted texts that go with a question.

use serde::{Deserialize, Serialize};

/// A file or pasted text that goes with a user's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    pub text: String,
}

/// A text as Markdown: its name, and the text between fences longer than any inside.
pub fn fenced(name: &str, text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{name}:\n{fence}\n{text}{end}{fence}")
}

/// What a model reads of a message: the attachments, then what was typed.
pub(super) fn laid_out(attachments: &[Attachment], typed: &str) -> String {
    let mut parts: Vec<String> = attachments.iter().map(|a| fenced(&a.name, &a.text)).collect();
    if !typed.is_empty() || parts.is_empty() {
        parts.push(typed.to_owned());
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fenced("a.md", "```\nx\n```\n"), "a.md:\n````\n```\nx\n```\n````");
        assert_eq!(fenced("a", ""), "a:\n```\n\n```");
    }

    #[test]
    fn attachments_come_before_what_was_typed() {
        let file = Attachment { name: "a.rs".to_owned(), text: "fn a() {}".to_owned() };
        assert_eq!(laid_out(std::slice::from_ref(&file), "why?"), "a.rs:\n```\nfn a() {}\n```\n\nwhy?");
        assert_eq!(laid_out(&[file], ""), "a.rs:\n```\nfn a() {}\n```");
        assert_eq!(laid_out(&[], ""), "");
    }
}
