//! Chips: a long paste or a file, shown as one short label and moved over as one character.

use ratatui::buffer::CellWidth;

use crate::neutralize::neutralize;
use crate::units;

/// A paste with more lines than this becomes a chip.
const LINES_IN_FULL: usize = 8;
/// A paste with more characters than this becomes a chip.
const CHARACTERS_IN_FULL: usize = 2000;

/// What stands behind a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The file's name; `None` of pasted text.
    pub file: Option<String>,
    pub text: String,
    pub label: String,
    /// Of the label, in cells.
    pub width: u16,
}

impl Chip {
    /// A chip of pasted text that is too long to be shown in full; `None` of a short one.
    pub fn of_paste(text: &str) -> Option<Chip> {
        let lines = text.lines().count();
        let long = text.chars().nth(CHARACTERS_IN_FULL).is_some();
        let what = match lines {
            lines if lines > LINES_IN_FULL => format!("{} lines", grouped(lines)),
            _ if long => format!("{} characters", grouped(text.chars().count())),
            _ => return None,
        };
        Some(Chip::labelled(format!("[pasted {what}]"), None, text.to_owned()))
    }

    /// A chip of a file that is to go along.
    pub fn of_file(name: &str, text: String) -> Chip {
        let size = units::bytes(text.len() as u64).replace(".0 ", " ");
        let shown = neutralize(name).replace(['\n', '\t'], " ");
        Chip::labelled(format!("[{shown} {size}]"), Some(name.to_owned()), text)
    }

    fn labelled(label: String, file: Option<String>, text: String) -> Chip {
        Chip { file, text, width: label.cell_width().max(1), label }
    }
}

/// `1,234`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_becomes_a_chip_past_eight_lines_or_two_thousand_characters() {
        assert_eq!(Chip::of_paste(&"line\n".repeat(8)), None);
        assert_eq!(Chip::of_paste(&"é".repeat(2000)), None);
        let label = |text: String| Chip::of_paste(&text).map(|chip| chip.label);
        assert_eq!(label("line\n".repeat(9)).as_deref(), Some("[pasted 9 lines]"));
        assert_eq!(label("line\n".repeat(1234)).as_deref(), Some("[pasted 1,234 lines]"));
        assert_eq!(label("é".repeat(2001)).as_deref(), Some("[pasted 2,001 characters]"));
    }

    #[test]
    fn a_files_chip_tells_its_name_and_size_and_obeys_nothing() {
        assert_eq!(Chip::of_file("notes.txt", "x".repeat(12_000)).label, "[notes.txt 12 kB]");
        assert_eq!(Chip::of_file("a\x1b[2J\nb", String::new()).label, "[a␛[2J b 0 B]");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 12, 123, 1234, 123_456, 1_234_567].map(grouped).join(" "), "1 12 123 1,234 123,456 1,234,567");
    }
}
