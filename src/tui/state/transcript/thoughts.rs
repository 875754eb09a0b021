//! What a model thought before it answered, as rows, while it comes.

use super::turn::one_row;
use crate::tui::markdown::{self, Row};
use crate::tui::theme::{Role, Theme};

const BORDER: &str = "│ ";
/// The row above the thoughts, which says how many words they are.
pub const HEAD_ROWS: usize = 1;

#[derive(Default)]
pub struct Thoughts {
    text: String,
    words: usize,
    in_word: bool,
    rows: Vec<Row>,
    /// So many of `rows` are of finished lines, the head's among them ...
    finished_rows: usize,
    /// ... which end at this byte.
    finished_bytes: usize,
    /// Whether `rows` has all that came.
    complete: bool,
}

impl Thoughts {
    pub fn of(text: &str) -> Thoughts {
        let mut thoughts = Thoughts::default();
        thoughts.push(text);
        thoughts
    }

    pub fn push(&mut self, text: &str) {
        for c in text.chars() {
            let in_word = !c.is_whitespace();
            self.words += usize::from(in_word && !self.in_word);
            self.in_word = in_word;
        }
        self.text.push_str(text);
        self.complete = false;
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn forget_layout(&mut self) {
        (self.rows, self.finished_rows, self.finished_bytes, self.complete) = (Vec::new(), 0, 0, false);
    }

    /// Nothing without a word. What the rows are made for is the same at each call, or [`Self::forget_layout`] came
    /// between.
    pub fn rows(&mut self, folded: bool, width: u16, theme: &Theme) -> &[Row] {
        if !self.complete {
            self.lay_out(folded, width, theme);
            self.complete = true;
        }
        &self.rows
    }

    fn lay_out(&mut self, folded: bool, width: u16, theme: &Theme) {
        if self.words == 0 {
            return;
        }
        let mark = if folded { "▸" } else { "▾" };
        let style = theme.style(Role::Muted);
        let head = one_row(&format!("{mark} thought, {} words", self.words), width, style);
        self.rows.truncate(self.finished_rows.max(HEAD_ROWS));
        match self.rows.first_mut() {
            Some(row) => *row = head,
            None => self.rows.push(head),
        }
        if folded {
            return;
        }
        let inner = width.saturating_sub(2).max(1);
        let border = [(BORDER.to_owned(), theme.style(Role::Border))];
        let bordered = |text: &str| {
            let mut rows = markdown::plain_rows(text, inner, style);
            rows.iter_mut().for_each(|row| row.indent(&border));
            rows
        };
        // Blank lines at the end are shown when something follows.
        let shown = self.text.trim_end();
        if self.finished_bytes == 0 {
            self.finished_bytes = shown.len() - shown.trim_start().len();
        }
        let rest = shown.get(self.finished_bytes..).unwrap_or_default();
        let tail = match rest.rsplit_once('\n') {
            Some((lines, tail)) => {
                self.rows.extend(bordered(lines));
                self.finished_bytes += lines.len() + 1;
                tail
            }
            None => rest,
        };
        self.finished_rows = self.rows.len();
        self.rows.extend(bordered(tail));
        self.rows.push(Row::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(thoughts: &mut Thoughts) -> Vec<String> {
        thoughts.rows(false, 20, &Theme::plain()).iter().map(|row| row.text.clone()).collect()
    }

    #[test]
    fn thoughts_that_come_in_pieces_look_as_those_that_came_at_once() {
        let text =
            " \n\n First I look\tat the question, then\r\n\n\nat what 漢字 it is e\u{301}\u{301} about.\n\n\nSo\n  ";
        let mut thoughts = Thoughts::default();
        assert!(texts(&mut thoughts).is_empty());
        for (at, c) in text.char_indices() {
            thoughts.push(c.encode_utf8(&mut [0; 4]));
            let whole = text.get(..at + c.len_utf8()).unwrap();
            assert_eq!(texts(&mut thoughts), texts(&mut Thoughts::of(whole)), "{whole:?}");
        }
        assert_eq!(thoughts.words, text.split_whitespace().count());
        thoughts.forget_layout();
        assert_eq!(texts(&mut thoughts), texts(&mut Thoughts::of(text)));
        assert_eq!(texts(&mut thoughts)[..3], ["▾ thought, 15 words", "│ First I look    at", "│ the question, then"]);
    }

    #[test]
    fn only_the_last_line_is_wrapped_again() {
        let mut thoughts = Thoughts::of(&"a line of thoughts\n".repeat(5_000));
        texts(&mut thoughts);
        let finished = thoughts.finished_rows;
        // A row of a finished line that is not made again keeps what it is given.
        thoughts.rows[3].text = "kept".to_owned();
        thoughts.push("more");
        assert_eq!(texts(&mut thoughts)[3], "kept");
        assert!(finished > 4_990 && thoughts.finished_rows >= finished);
        assert_eq!(texts(&mut thoughts).iter().rev().nth(1).unwrap(), "│ more");
    }
}
