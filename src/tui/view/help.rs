//! Every key and command, from the tables that make them work.

use ratatui::text::{Line, Span};

use crate::tui::command;
use crate::tui::composer;
use crate::tui::markdown;
use crate::tui::theme::{Role, Theme};

/// The lines of the help, for a window of `width` columns.
pub fn lines(theme: &Theme, vi: bool, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut part = |title: &str, rows: Vec<(String, String)>| {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(title.to_owned(), theme.style(Role::Heading)));
        let widest = rows.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        let left = widest.min(usize::from(width) / 3);
        let room = width.saturating_sub(left as u16 + 2);
        for (key, help) in rows {
            let mut texts = markdown::plain_rows(&help, room, theme.style(Role::Text)).into_iter().map(|row| row.line);
            let named = Span::styled(format!("{key:<left$}  "), theme.style(Role::Accent));
            let beside = if key.chars().count() > left { None } else { texts.next() };
            lines.push(Line::from_iter(std::iter::once(named).chain(beside.into_iter().flatten())));
            for text in texts {
                let indent = Span::raw(" ".repeat(left + 2));
                lines.push(Line::from_iter(std::iter::once(indent).chain(text)));
            }
        }
    };
    let more = command::MORE_KEYS.iter().map(|(key, help)| ((*key).to_owned(), (*help).to_owned()));
    let keyed = |key: fn(&command::Entry) -> &'static str| {
        let with_key = command::TABLE.iter().filter(move |entry| !key(entry).is_empty());
        with_key.map(move |entry| (key(entry).to_owned(), entry.help.to_owned()))
    };
    part("Keys", keyed(|entry| entry.key).chain(more).collect());
    part("Keys on a chosen message", keyed(|entry| entry.message_key).collect());
    let named = |entry: &command::Entry| (format!("/{} {}", entry.name, entry.argument), entry.help.to_owned());
    part("Commands", command::TABLE.iter().map(named).collect());
    let own = |rows: &[(&str, &str)]| rows.iter().map(|(key, help)| ((*key).to_owned(), (*help).to_owned())).collect();
    part("Writing", own(composer::KEYS));
    if vi {
        part("Writing with vi's keys", own(composer::VI_KEYS));
    }
    lines
}
