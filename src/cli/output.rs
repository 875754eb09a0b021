//! Text that reaches people.

use std::io::{IsTerminal, Write};

pub use crate::units::{bytes, count};

/// A model's text is data: characters that a terminal would obey become visible ones. Lines and
/// tabs stay.
pub fn neutralize(text: &str) -> String {
    text.chars().filter(|c| *c != '\r').map(harmless).collect()
}

fn harmless(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // Control Pictures have a symbol for each.
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if commands_terminals(c) => '\u{fffd}',
        c => c,
    }
}

/// C1 controls and the characters that turn the direction of text.
fn commands_terminals(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

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

pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
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
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(neutralize("a\x1b[31mb\r\n\tc\u{9b}d\u{202e}e\x07\x7f"), "a␛[31mb\n\tc\u{fffd}d\u{fffd}e␇␡");
        assert_eq!(json(&"\u{9b}\x1b\u{202e}é").unwrap(), "\"\\u009b\\u001b\\u202eé\"");
    }
}
