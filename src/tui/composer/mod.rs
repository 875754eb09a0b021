//! The composer: the multi-line editor at the foot of the chat.
//!
//! | file | what |
//! |---|---|
//! | `text` | lines of graphemes and chips, changed by one operation |
//! | `chip` | long pastes and files, shown as a label |
//! | `layout` | soft wrapping: lines as rows, places as cells |
//! | `motion` | words |
//! | `undo` | steps back and forth |
//! | `history` | what was sent before: walking and searching |
//! | `completing` | the word before the cursor, for paths and commands |
//! | `keys` | readline's keys and the arrows |
//! | `vi` | vi's normal and visual modes: which command the keys make |
//! | `vi_reach` | where vi's motions go, and what its text objects hold |
//! | `vi_change` | what vi's commands do to the text |
//! | `render` | drawing, scrolling, the mouse |
//!
//! It is pure: keys, pastes and clicks go in, cells come out. Places are a line and a byte between two graphemes, so
//! that a key costs its line and the rows on the screen, however long the text is.

mod chip;
mod completing;
mod history;
mod keys;
mod layout;
mod motion;
mod render;
mod text;
mod undo;
mod vi;
mod vi_change;
mod vi_reach;

#[cfg(test)]
mod random;

use crossterm::event::{KeyEvent, KeyEventKind};

use chip::Chip;
pub use completing::{Completing, CompletingKind};
use history::{Past, Search};
pub use keys::KEYS;
use render::View;
use text::{Fragment, Pos, Text, clean};
use undo::{Edit, Undo};
pub use vi::VI_KEYS;
use vi::Vi;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The key did something or nothing here, and is used up.
    Used,
    /// Enter: `take` what was written.
    Submit,
    /// Not ours: the screen may use it.
    Ignored,
}

/// What typing does, for the status line and the cursor's shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Insert,
    /// vi's.
    Normal,
    /// vi's, of characters or of lines.
    Visual,
}

/// What a change is part of: like ones in a row join into one step to undo, and kills into one text to yank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Doing {
    Typing,
    Erasing,
    Killing,
    #[default]
    Other,
}

/// What was killed or, in vi's words, the register.
#[derive(Debug, Clone, Default)]
struct Killed {
    fragment: Fragment,
    /// Whole lines: vi puts them above or below.
    linewise: bool,
}

/// A multi-line editor with soft wrapping, chips, history, completion and, if wanted, vi's keys.
#[derive(Debug, Clone)]
pub struct Composer {
    text: Text,
    cursor: Pos,
    /// The selection's other end.
    anchor: Option<Pos>,
    /// The column that moving up and down tries to keep.
    goal: Option<u16>,
    undo: Undo,
    killed: Killed,
    /// What the last key did, and the one before.
    doing: Doing,
    did: Doing,
    /// This key has changed the text: what else it changes belongs to the same step.
    changed: bool,
    past: Past,
    search: Option<Search>,
    vi: Option<Vi>,
    view: View,
}

impl Composer {
    /// An empty one; with `vi` it has vi's modes, and starts in insert mode.
    pub fn new(vi: bool) -> Composer {
        Composer {
            text: Text::new(),
            cursor: Pos::default(),
            anchor: None,
            goal: None,
            undo: Undo::default(),
            killed: Killed::default(),
            doing: Doing::Other,
            did: Doing::Other,
            changed: false,
            past: Past::default(),
            search: None,
            vi: vi.then(Vi::default),
            view: View::default(),
        }
    }

    /// A key that was pressed. Releases are ignored.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Ignored;
        }
        self.begin();
        let outcome = if self.vi.is_some() {
            self.vi_key(key)
        } else if self.search.is_some() {
            self.search_key(key)
        } else {
            self.editing_key(key)
        };
        self.settle();
        outcome
    }

    /// Pasted text goes in at the cursor or for the selection, as one step to undo: as a chip when it has more than 8
    /// lines or 2,000 characters. `\r\n` and `\r` become `\n`; paste is data, so other C0 and C1 controls (escape
    /// among them) are replaced by their symbols for good. In a search, the first line joins the query.
    pub fn paste(&mut self, text: &str) {
        self.begin();
        let text = clean(text);
        if self.search.is_some() {
            self.search_for(text.lines().next().unwrap_or_default());
            return;
        }
        let fragment = match Chip::of_paste(&text) {
            Some(chip) => Fragment::chip(chip),
            None => Fragment::plain(&text),
        };
        self.insert(fragment, Doing::Other);
        self.settle();
    }

    /// A chip for a file goes in at the cursor. `text` is kept as it is.
    pub fn attach(&mut self, name: &str, text: String) {
        self.begin();
        self.take_found();
        self.insert(Fragment::chip(Chip::of_file(name, text)), Doing::Other);
        self.settle();
    }

    /// As typed, pasted chips as their whole text, file chips left out.
    pub fn text(&self) -> String {
        self.text.whole().expanded()
    }

    /// Of the file chips, in order: name and text.
    pub fn attachments(&self) -> Vec<(String, String)> {
        let files = self.text.whole().chips.into_iter();
        files.filter_map(|chip| chip.file.clone().map(|name| (name, chip.text.clone()))).collect()
    }

    /// Replaces all, chips too, by `text`, in full however long it is; can be undone. Controls as in `paste`.
    pub fn set_text(&mut self, text: &str) {
        self.begin();
        self.take_found();
        self.past.stop_walking();
        self.replace_all(Fragment::plain(text));
        self.settle();
    }

    /// Empties it; can be undone.
    pub fn clear(&mut self) {
        self.set_text("");
    }

    /// Neither text nor chips.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text and the attachments; leaves it empty and in insert mode, and remembers the text in the history, pasted
    /// chips as chips.
    pub fn take(&mut self) -> (String, Vec<(String, String)>) {
        self.begin();
        self.take_found();
        let taken = (self.text(), self.attachments());
        self.past.remember(self.text.whole().without_files());
        self.past.stop_walking();
        self.text = Text::new();
        self.undo = Undo::default();
        (self.cursor, self.anchor, self.goal) = (Pos::default(), None, None);
        self.restart_vi();
        taken
    }

    /// What was sent before, oldest first; set once, at the start.
    pub fn history(&mut self, entries: Vec<String>) {
        self.begin();
        self.take_found();
        self.past = Past::new(entries);
    }

    /// Insert, or vi's Normal or Visual.
    pub fn mode(&self) -> Mode {
        self.vi.as_ref().map_or(Mode::Insert, Vi::mode)
    }

    /// The query of the search through the history, while it is open.
    pub fn searching(&self) -> Option<&str> {
        self.search.as_ref().map(Search::query)
    }

    /// Whether the open search has found nothing for its query.
    pub fn search_failed(&self) -> bool {
        self.search.as_ref().is_some_and(Search::failed)
    }

    /// The selected text, pasted chips as their whole text; `None` without a selection.
    pub fn selected(&self) -> Option<String> {
        self.selection().map(|(from, to)| self.text.slice(from, to).expanded())
    }

    /// Takes the last step back; whether there was one.
    pub fn undo(&mut self) -> bool {
        self.begin();
        self.take_found();
        let cursor = self.undo.undo(&mut self.text);
        self.arrive(cursor)
    }

    /// Does again what was undone last; whether there was something.
    pub fn redo(&mut self) -> bool {
        self.begin();
        self.take_found();
        let cursor = self.undo.redo(&mut self.text);
        self.arrive(cursor)
    }

    fn arrive(&mut self, cursor: Option<Pos>) -> bool {
        let Some(cursor) = cursor else { return false };
        self.move_to(self.text.snap(cursor), false);
        self.settle();
        true
    }

    /// Each thing that a person does starts with this.
    fn begin(&mut self) {
        self.did = std::mem::take(&mut self.doing);
        self.changed = false;
    }

    /// Replaces what lies between `from` and `to`, and puts the cursor behind what came in. All changes come through
    /// here.
    fn edit(&mut self, from: Pos, to: Pos, with: Fragment, doing: Doing) {
        if from == to && with.is_empty() {
            return;
        }
        let starts_word = || {
            let before = self.text.line(from.line).text.get(..from.byte).and_then(|text| text.chars().next_back());
            before.is_none_or(char::is_whitespace) && !with.text.starts_with(char::is_whitespace)
        };
        let joins = self.changed
            || match doing {
                Doing::Typing => self.did == Doing::Typing && !starts_word(),
                Doing::Erasing => self.did == Doing::Erasing,
                Doing::Killing | Doing::Other => false,
            };
        let before = self.cursor;
        let removed = self.text.replace(from, to, &with);
        self.cursor = self.text.snap(with.end(from));
        self.undo.note(Edit { at: from, removed, inserted: with }, before, self.cursor, joins);
        self.doing = doing;
        self.changed = true;
        (self.anchor, self.goal) = (None, None);
    }

    /// Puts `fragment` at the cursor or for the selection.
    fn insert(&mut self, fragment: Fragment, doing: Doing) {
        let (from, to) = self.selection().unwrap_or((self.cursor, self.cursor));
        self.edit(from, to, fragment, doing);
    }

    fn replace_all(&mut self, with: Fragment) {
        self.edit(Pos::default(), self.text.end(), with, Doing::Other);
    }

    /// Moves the cursor; `selects` leaves the selection's other end where it is or was.
    fn move_to(&mut self, to: Pos, selects: bool) {
        self.anchor = if selects { self.anchor.or(Some(self.cursor)) } else { None };
        self.cursor = to;
        self.goal = None;
    }

    /// What is selected, in the text's order; never empty. vi's visual mode takes in what the cursor is on, or whole
    /// lines.
    fn selection(&self) -> Option<(Pos, Pos)> {
        let anchor = self.anchor.map(|anchor| self.text.snap(anchor))?;
        let (from, to) = (anchor.min(self.cursor), anchor.max(self.cursor));
        let (from, to) = match self.vi.as_ref().filter(|vi| vi.mode() == Mode::Visual) {
            Some(vi) if vi.linewise() => {
                let end = Pos::new(to.line, self.text.line(to.line).len());
                (Pos::new(from.line, 0), self.text.next(end).unwrap_or(end))
            }
            Some(_) => (from, self.text.next(to).unwrap_or(to)),
            None => (from, to),
        };
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_paste_is_one_chip_and_its_whole_text() {
        let mut composer = Composer::new(false);
        let long = "line\r\n".repeat(1234);
        composer.paste("before ");
        composer.paste(&long);
        assert_eq!(composer.text(), format!("before {}", "line\n".repeat(1234)));
        assert_eq!(composer.text.line(0).len(), "before ".len() + 1);
        assert!(composer.undo());
        assert_eq!(composer.text(), "before ");
        assert!(composer.redo());
        assert_eq!(composer.text.whole().chips[0].label, "[pasted 1,234 lines]");
    }

    #[test]
    fn files_are_taken_apart_from_the_text() {
        let mut composer = Composer::new(false);
        composer.set_text("compare ");
        composer.attach("a.txt", "A\x1b".to_owned());
        composer.paste(" and ");
        composer.attach("b.txt", "B".to_owned());
        let files = vec![("a.txt".to_owned(), "A\x1b".to_owned()), ("b.txt".to_owned(), "B".to_owned())];
        assert_eq!(composer.attachments(), files);
        assert_eq!(composer.take(), ("compare  and ".to_owned(), files));
        assert!(composer.is_empty() && composer.attachments().is_empty());
        assert!(!composer.undo());
    }

    #[test]
    fn clearing_can_be_undone() {
        let mut composer = Composer::new(false);
        composer.paste("a thought");
        composer.clear();
        assert!(composer.is_empty());
        assert!(composer.undo());
        assert_eq!(composer.text(), "a thought");
    }
}
