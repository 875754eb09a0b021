//! What the word before the cursor asks to be completed: `@` a path, `/` at the very start a command.

use super::Composer;
use super::text::{CHIP, Fragment, Pos};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletingKind {
    /// After an `@` at a word's start; `@"` begins one that may hold spaces.
    Path,
    /// After a `/` at the very start of the text.
    Command,
}

/// A word that can be completed, from its mark to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completing {
    pub kind: CompletingKind,
    /// What was typed after the mark: after `@`, `@"` or `/`.
    pub prefix: String,
    /// The word as it stands, with its mark.
    word: String,
    start: Pos,
}

impl Composer {
    /// What the word before the cursor asks for. `None` in a search, with something selected and in vi's normal mode.
    pub fn completion(&self) -> Option<Completing> {
        if self.search.is_some() || self.anchor.is_some() || self.is_normal() {
            return None;
        }
        let Pos { line, byte } = self.cursor;
        let before = self.text.line(line).text.get(..byte)?;
        let completing = |kind, start: usize, mark: usize| {
            let word = before[start..].to_owned();
            Some(Completing { kind, prefix: word[mark..].to_owned(), word, start: Pos::new(line, start) })
        };
        let divides = |c: char| c.is_whitespace() || c == CHIP;
        if line == 0 && before.starts_with('/') && !before.contains(divides) {
            return completing(CompletingKind::Command, 0, 1);
        }
        let starts_word = |at: usize| before[..at].chars().next_back().is_none_or(divides);
        if let Some(start) = before.rfind("@\"").filter(|start| starts_word(*start))
            && !before[start + 2..].contains(['"', CHIP])
        {
            return completing(CompletingKind::Path, start, 2);
        }
        let start = before.char_indices().rfind(|(_, c)| divides(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        if before[start..].starts_with('@') { completing(CompletingKind::Path, start, 1) } else { None }
    }

    /// Replaces the whole word, its mark included, by `with`, and leaves the cursor behind it. Does nothing when the
    /// word is no longer there.
    pub fn complete(&mut self, completing: &Completing, with: &str) {
        let to = Pos::new(completing.start.line, completing.start.byte + completing.word.len());
        let still_there = completing.start.line < self.text.lines()
            && self.text.line(to.line).text.get(completing.start.byte..to.byte) == Some(completing.word.as_str());
        if still_there {
            self.begin();
            self.take_found();
            self.edit(completing.start, to, Fragment::plain(with), super::Doing::Other);
            self.settle();
        }
    }

    /// Takes the whole word out, its mark included: for `@path` once the file is a chip.
    pub fn remove_word_for(&mut self, completing: &Completing) {
        self.complete(completing, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<(CompletingKind, String)> {
        let mut composer = Composer::new(false);
        composer.set_text(text);
        composer.completion().map(|completing| (completing.kind, completing.prefix))
    }

    #[test]
    fn paths_follow_an_at_sign_and_commands_a_slash_at_the_start() {
        let path = |prefix: &str| Some((CompletingKind::Path, prefix.to_owned()));
        assert_eq!(asked("see @src/ma"), path("src/ma"));
        assert_eq!(asked("@"), path(""));
        assert_eq!(asked("a\n漢\u{3000}@x"), path("x"));
        assert_eq!(asked("see @\"my fi"), path("my fi"));
        assert_eq!(asked("see @\"my file\" "), None);
        assert_eq!(asked("me@example.org"), None);
        assert_eq!(asked("/mo"), Some((CompletingKind::Command, "mo".to_owned())));
        assert_eq!(asked("/model x"), None);
        assert_eq!(asked("a\n/mo"), None);
        assert_eq!(asked(""), None);
    }

    #[test]
    fn completing_replaces_the_word_and_is_one_step_to_undo() {
        let mut composer = Composer::new(false);
        composer.set_text("see @src/ma");
        let completing = composer.completion().unwrap();
        composer.complete(&completing, "@src/main.rs ");
        assert_eq!(composer.text(), "see @src/main.rs ");
        assert!(composer.undo());
        assert_eq!(composer.text(), "see @src/ma");
        composer.remove_word_for(&completing);
        assert_eq!(composer.text(), "see ");
        composer.complete(&completing, "gone");
        assert_eq!(composer.text(), "see ");
    }
}
