//! The conversation on screen as Markdown.

use std::time::{Duration, UNIX_EPOCH};

use super::attachment::laid_out;
use super::tree::{Node, Session};
use crate::engine::{Finish, Role};

/// The path on screen: a title, then a section a message, as its author wrote it; thoughts are quoted. Neutralize it
/// before a terminal sees it.
pub fn markdown(session: &Session) -> String {
    let mut out = format!("# {}\n\n{}\n", session.title(), about(session));
    let mut section = |who: &str, text: &str| {
        out.push_str(&format!("\n## {who}\n"));
        if !text.trim().is_empty() {
            out.push_str(&format!("\n{}\n", text.trim_end()));
        }
    };
    if let Some(system) = &session.system {
        section("System", system);
    }
    for node in session.path().into_iter().filter_map(|id| session.node(id)) {
        section(&author(node, session), &body(node));
    }
    out
}

/// `qwen3:0.6b · 2026-01-31 12:00 UTC · tags: a, b`.
pub(super) fn about(session: &Session) -> String {
    let mut parts = vec![session.model.clone(), date(session.created_ms)];
    parts.retain(|part| !part.is_empty());
    if !session.tags.is_empty() {
        parts.push(format!("tags: {}", session.tags.join(", ")));
    }
    parts.join(" · ")
}

/// Who speaks: the model by its name.
pub(super) fn author(node: &Node, session: &Session) -> String {
    match node.message.role {
        Role::System => "System".to_owned(),
        Role::User => "You".to_owned(),
        Role::Assistant => match node.model.as_ref().unwrap_or(&session.model) {
            name if name.is_empty() => "Assistant".to_owned(),
            name => name.clone(),
        },
        Role::Tool => node.message.name.as_ref().map_or("Tool".to_owned(), |name| format!("Tool {name}")),
    }
}

/// What to say of an answer that did not end by itself.
pub(super) fn ending(node: &Node) -> Option<&'static str> {
    match node.finish? {
        Finish::Cancelled => Some("stopped"),
        Finish::Length => Some("cut off: the limit was reached"),
        Finish::Stop | Finish::ToolCalls => None,
    }
}

/// Calls of tools as `name(arguments)`.
pub(super) fn calls(node: &Node) -> Vec<String> {
    node.message.tool_calls.iter().map(|call| format!("{}({})", call.name, call.arguments)).collect()
}

fn body(node: &Node) -> String {
    let mut parts = Vec::new();
    if let Some(thoughts) = node.message.reasoning_content.as_ref().filter(|text| !text.trim().is_empty()) {
        let lines = thoughts.trim().lines().map(|line| format!("> {line}").trim_end().to_owned());
        parts.push(lines.collect::<Vec<_>>().join("\n"));
    }
    parts.push(laid_out(&node.attachments, &node.message.content));
    parts.extend(calls(node).iter().map(|call| laid_out_call(call)));
    parts.extend(ending(node).map(|ending| format!("*({ending})*")));
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n\n")
}

fn laid_out_call(call: &str) -> String {
    super::fenced("calls", call)
}

/// `2026-01-31 12:00 UTC`; nothing for a time that no calendar has.
pub(super) fn date(ms: i64) -> String {
    // Up to the year 9999.
    let Some(ms) = u64::try_from(ms).ok().filter(|ms| *ms < 253_402_300_800_000) else { return String::new() };
    let full = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
    match full.get(..16) {
        Some(minutes) => format!("{} UTC", minutes.replace('T', " ")),
        None => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, ToolCall};
    use crate::session::Attachment;

    #[test]
    fn the_path_on_screen_reads_as_a_document() {
        let mut session = Session::new("m", 0);
        session.set_system(Some("be brief"));
        session.set_tags(&["x".to_owned()]);
        let question = session.append(Message::new(Role::User, "why?\n"), 0);
        session.edit_node(question, |node| {
            node.attachments.push(Attachment { name: "a".to_owned(), text: "b".to_owned() });
        });
        let unseen = session.append(Message::new(Role::Assistant, "unseen"), 0);
        let answer = session.branch(unseen, Message::new(Role::Assistant, "so"), 0);
        session.edit_node(answer, |node| {
            node.message.reasoning_content = Some("hm\n\nhm".to_owned());
            node.model = Some("n".to_owned());
            node.finish = Some(Finish::Cancelled);
            let arguments = serde_json::json!({"x": 1});
            node.message.tool_calls = vec![ToolCall { id: String::new(), name: "f".to_owned(), arguments }];
        });
        let expected = "# why?\n\nm · 1970-01-01 00:00 UTC · tags: x\n\n## System\n\nbe brief\n\n## You\n\n\
            a:\n```\nb\n```\n\nwhy?\n\n## n\n\n> hm\n>\n> hm\n\nso\n\ncalls:\n```\nf({\"x\":1})\n```\n\n*(stopped)*\n";
        assert_eq!(markdown(&session), expected);
    }

    #[test]
    fn times_of_no_calendar_are_left_out() {
        assert_eq!(date(1_769_860_800_000), "2026-01-31 12:00 UTC");
        assert_eq!(date(253_402_300_799_999), "9999-12-31 23:59 UTC");
        assert_eq!((date(-1), date(i64::MAX)), (String::new(), String::new()));
    }
}
