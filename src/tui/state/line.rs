//! One line that is typed: the query of a list, a name, a file.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// A line and its cursor, which is always between two characters as people see them.
#[derive(Debug, Default, Clone)]
pub struct LineEdit {
    text: String,
    /// In bytes.
    cursor: usize,
}

impl LineEdit {
    pub fn of(text: &str) -> LineEdit {
        let mut line = LineEdit::default();
        line.set(text);
        line
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is left of the cursor.
    pub fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    pub fn set(&mut self, text: &str) {
        self.text = text.replace(['\r', '\n'], " ");
        self.cursor = self.text.len();
    }

    pub fn insert(&mut self, text: &str) {
        let text = text.trim_end_matches(['\r', '\n']).replace(['\r', '\n'], " ");
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
        // What was typed may join what is there.
        let end = self.ends().find(|end| *end >= self.cursor);
        self.cursor = end.unwrap_or(self.text.len());
    }

    /// Whether the key was one of editing, and whether it changed the text.
    pub fn key(&mut self, key: KeyEvent) -> Option<bool> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let before = self.text.len();
        match key.code {
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('u') if control => drop(self.text.drain(..std::mem::take(&mut self.cursor))),
            KeyCode::Char('k') if control => self.text.truncate(self.cursor),
            KeyCode::Char('w') if control => {
                let kept = self.before_cursor().trim_end();
                let start = kept.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.text.drain(start..std::mem::replace(&mut self.cursor, start));
            }
            KeyCode::Char('h') if control => self.erase(),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c.encode_utf8(&mut [0; 4]));
                return Some(true);
            }
            KeyCode::Backspace => self.erase(),
            KeyCode::Delete => {
                let end = self.after();
                self.text.drain(self.cursor..end);
            }
            KeyCode::Left => self.cursor = self.preceding(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return None,
        }
        Some(self.text.len() != before)
    }

    fn erase(&mut self) {
        let start = self.preceding();
        self.text.drain(start..std::mem::replace(&mut self.cursor, start));
    }

    fn ends(&self) -> impl Iterator<Item = usize> + '_ {
        self.text.grapheme_indices(true).map(|(at, cluster)| at + cluster.len())
    }

    fn preceding(&self) -> usize {
        self.text.grapheme_indices(true).map(|(at, _)| at).take_while(|at| *at < self.cursor).last().unwrap_or(0)
    }

    fn after(&self) -> usize {
        self.ends().find(|end| *end > self.cursor).unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut LineEdit, code: KeyCode, modifiers: KeyModifiers) -> Option<bool> {
        line.key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn characters_are_erased_as_people_see_them() {
        let mut line = LineEdit::of("naïve 👨‍👩‍👧 e\u{301}");
        for left in ["naïve 👨‍👩‍👧 ", "naïve 👨‍👩‍👧", "naïve "] {
            assert_eq!(press(&mut line, KeyCode::Backspace, KeyModifiers::NONE), Some(true));
            assert_eq!(line.text(), left);
        }
        press(&mut line, KeyCode::Left, KeyModifiers::NONE);
        press(&mut line, KeyCode::Left, KeyModifiers::NONE);
        press(&mut line, KeyCode::Delete, KeyModifiers::NONE);
        assert_eq!((line.text(), line.before_cursor()), ("naïv ", "naïv"));
        press(&mut line, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), " ");
        line.set("two words");
        press(&mut line, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "two ");
        assert_eq!(press(&mut line, KeyCode::Char('x'), KeyModifiers::ALT), None);
    }
}
