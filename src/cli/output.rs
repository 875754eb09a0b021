//! Text that reaches people.

use std::io::{IsTerminal, Write};

use crate::config::Settings;
use crate::neutralize::commands_terminals;
pub use crate::neutralize::neutralize;
use crate::tui::terminal::{self, Options};
pub use crate::units::{bytes, count};

/// JSON on one line; what JSON itself lets through of control characters is escaped.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let mut out = String::new();
    for c in serde_json::to_string(value)?.chars() {
        if c == '\x7f' || commands_terminals(c) {
            out.push_str(&format!("\\u{:04x}", c as u32));
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// Prints a line to standard output; a closed pipe is an error that ends the program quietly.
pub fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Prints a note to standard error.
pub fn note(text: &str) {
    eprintln!("{}", neutralize(text));
}

/// What the terminal may be asked for, as the surroundings tell.
pub fn abilities(settings: &Settings) -> Options {
    terminal::abilities(&|name| settings.surrounding(&[name]).map(|(_, value)| value.to_owned()))
}

pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Rows in aligned columns, the last one as wide as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_what_a_terminal_obeys() {
        assert_eq!(json(&"\u{9b}\x1b\u{202e}é").unwrap(), "\"\\u009b\\u001b\\u202eé\"");
    }
}
