//! What was sent before: walking through it, and searching it backwards.

use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::text::{Fragment, Pos};
use super::{Composer, Doing, Outcome};

/// The entries, and where a walk through them has come to.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Oldest first.
    entries: Vec<Fragment>,
    walk: Option<Walk>,
}

#[derive(Debug, Clone)]
struct Walk {
    /// The entry that was last shown.
    at: usize,
    draft: Fragment,
    cursor: Pos,
}

impl Past {
    pub fn new(entries: Vec<String>) -> Past {
        Past { entries: entries.iter().map(|entry| Fragment::plain(entry)).collect(), walk: None }
    }

    /// Blank text and what was just sent are not kept again.
    pub fn remember(&mut self, entry: Fragment) {
        let blank = entry.chips.is_empty() && entry.text.trim().is_empty();
        if !blank && self.entries.last() != Some(&entry) {
            self.entries.push(entry);
        }
    }

    pub fn stop_walking(&mut self) {
        self.walk = None;
    }
}

/// An open search.
#[derive(Debug, Clone)]
pub struct Search {
    query: String,
    /// The entry that is shown.
    entry: Option<usize>,
    /// Where it matches.
    matched: Option<(Pos, Pos)>,
    failed: bool,
    draft: Fragment,
    cursor: Pos,
}

impl Search {
    pub fn query(&self) -> &str {
        &self.query
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    pub fn matched(&self) -> Option<(Pos, Pos)> {
        self.matched
    }
}

impl Composer {
    /// Shows the entry before the one that is shown; keeps the draft.
    pub(super) fn older(&mut self) {
        let last = self.past.entries.len();
        let Some(at) = self.past.walk.as_ref().map_or(last, |walk| walk.at).checked_sub(1) else { return };
        let Some(entry) = self.past.entries.get(at).cloned() else { return };
        match &mut self.past.walk {
            Some(walk) => walk.at = at,
            None => self.past.walk = Some(Walk { at, draft: self.text.whole(), cursor: self.cursor }),
        }
        self.replace_all(entry);
    }

    /// Shows the entry after the one that is shown, or the draft after the last.
    pub(super) fn newer(&mut self) {
        let Some(mut walk) = self.past.walk.take() else { return };
        match self.past.entries.get(walk.at + 1).cloned() {
            Some(entry) => {
                walk.at += 1;
                self.past.walk = Some(walk);
                self.replace_all(entry);
            }
            None => {
                self.replace_all(walk.draft);
                self.cursor = self.text.snap(walk.cursor);
            }
        }
    }

    pub(super) fn open_search(&mut self) {
        self.anchor = None;
        self.search = Some(Search {
            query: String::new(),
            entry: None,
            matched: None,
            failed: false,
            draft: self.text.whole(),
            cursor: self.cursor,
        });
    }

    /// A key while a search is open. One that the search has no use for takes what was found, then does its own work.
    pub(super) fn search_key(&mut self, key: KeyEvent) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(c) if !ctrl && !alt => self.search_for(c.encode_utf8(&mut [0; 4])),
            KeyCode::Char('r') if ctrl => self.search_on(true),
            KeyCode::Char('s') if ctrl => self.search_on(false),
            KeyCode::Char('g' | 'c') if ctrl => self.give_up_search(),
            KeyCode::Esc => self.give_up_search(),
            KeyCode::Backspace => self.shorten_query(),
            KeyCode::Char('h') if ctrl => self.shorten_query(),
            KeyCode::Enter | KeyCode::Tab | KeyCode::Left | KeyCode::Right | KeyCode::Up | KeyCode::Down => {
                self.take_found();
            }
            _ => {
                self.take_found();
                return self.editing_key(key);
            }
        }
        Outcome::Used
    }

    /// Adds `more` to the query: what is shown stays where it still matches.
    pub(super) fn search_for(&mut self, more: &str) {
        let Some(search) = &mut self.search else { return };
        search.query.push_str(&super::clean(more));
        let newest = search.entry.unwrap_or(self.past.entries.len().saturating_sub(1));
        self.find((0..newest + 1).rev());
    }

    fn search_on(&mut self, older: bool) {
        let Some(search) = &self.search else { return };
        match (search.entry, older) {
            (Some(entry), true) => self.find((0..entry).rev()),
            (Some(entry), false) => self.find(entry + 1..self.past.entries.len()),
            (None, _) => self.find((0..self.past.entries.len()).rev()),
        }
    }

    fn shorten_query(&mut self) {
        let Some(search) = &mut self.search else { return };
        search.query.pop();
        (search.entry, search.matched, search.failed) = (None, None, false);
        if search.query.is_empty() {
            let (draft, cursor) = (search.draft.clone(), search.cursor);
            self.show(draft, cursor);
        } else {
            self.find((0..self.past.entries.len()).rev());
        }
    }

    /// Shows the first of the entries at `order` that matches; what is shown stays where none does.
    fn find(&mut self, order: impl Iterator<Item = usize>) {
        let Some(search) = &mut self.search else { return };
        if search.query.is_empty() {
            return;
        }
        let exact = search.query.chars().any(char::is_uppercase);
        let shown = search.entry.and_then(|entry| self.past.entries.get(entry)).map(|entry| &entry.text);
        let found = order.filter_map(|at| Some((at, self.past.entries.get(at)?))).find_map(|(at, entry)| {
            // What is shown already is an answer only where the query has grown.
            let again = search.entry != Some(at) && shown == Some(&entry.text);
            let matched = matched(&entry.text, &search.query, exact).filter(|_| !again)?;
            Some((at, entry.clone(), matched))
        });
        search.failed = found.is_none();
        let Some((at, entry, matched)) = found else { return };
        let place = |byte: usize| {
            let before = entry.text.get(..byte).unwrap_or_default();
            Fragment { text: before.to_owned(), chips: Vec::new() }.end(Pos::default())
        };
        let (from, to) = (place(matched.start), place(matched.end));
        search.entry = Some(at);
        search.matched = Some((from, to));
        self.show(entry, from);
    }

    /// Shows `fragment` without a step to undo.
    fn show(&mut self, fragment: Fragment, cursor: Pos) {
        self.text.replace(Pos::default(), self.text.end(), &fragment);
        self.move_to(self.text.snap(cursor), false);
    }

    fn give_up_search(&mut self) {
        if let Some(search) = self.search.take() {
            self.show(search.draft, search.cursor);
        }
    }

    /// Ends a search, where one is open, with what it has found, as one step to undo.
    pub(super) fn take_found(&mut self) {
        let Some(search) = self.search.take() else { return };
        if search.entry.is_none() {
            return;
        }
        let (found, cursor) = (self.text.whole(), self.cursor);
        self.show(search.draft, search.cursor);
        self.edit(Pos::default(), self.text.end(), found, Doing::Other);
        self.cursor = cursor;
        self.past.stop_walking();
    }
}

/// Where `query` first is in `text`; without `exact`, in upper or lower case.
fn matched(text: &str, query: &str, exact: bool) -> Option<Range<usize>> {
    if exact {
        return text.find(query).map(|start| start..start + query.len());
    }
    text.char_indices().find_map(|(start, _)| {
        let mut rest = text[start..].char_indices();
        for wanted in query.chars() {
            let (_, c) = rest.next()?;
            if c != wanted && !c.to_lowercase().eq(wanted.to_lowercase()) {
                return None;
            }
        }
        Some(start..rest.next().map_or(text.len(), |(after, _)| start + after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(composer: &mut Composer, code: KeyCode) -> Outcome {
        composer.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn ctrl(composer: &mut Composer, c: char) {
        composer.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    }

    fn with_past() -> Composer {
        let mut composer = Composer::new(false);
        composer.history(["cargo build", "git push", "Cargo test", "ls"].map(str::to_owned).to_vec());
        composer.set_text("draft");
        composer
    }

    #[test]
    fn what_was_sent_comes_back_with_its_paste_still_a_chip() {
        let mut composer = Composer::new(false);
        composer.paste(&"x\n".repeat(9));
        composer.attach("f", "content".to_owned());
        let (text, _) = composer.take();
        composer.set_text("  ");
        composer.take();
        press(&mut composer, KeyCode::Up);
        assert_eq!((composer.text(), composer.text.lines()), (text, 1));
        assert_eq!(composer.attachments(), []);
        press(&mut composer, KeyCode::Down);
        assert!(composer.is_empty());
    }

    #[test]
    fn a_walk_keeps_the_drafts_chips() {
        let mut composer = with_past();
        composer.attach("f", "content".to_owned());
        press(&mut composer, KeyCode::Up);
        assert_eq!((composer.text().as_str(), composer.attachments().len()), ("ls", 0));
        press(&mut composer, KeyCode::Down);
        assert_eq!((composer.text().as_str(), composer.attachments().len()), ("draft", 1));
    }

    #[test]
    fn a_search_narrows_goes_on_and_is_taken() {
        let mut composer = with_past();
        ctrl(&mut composer, 'r');
        for c in "car".chars() {
            press(&mut composer, KeyCode::Char(c));
        }
        assert_eq!((composer.searching(), composer.text().as_str()), (Some("car"), "Cargo test"));
        ctrl(&mut composer, 'r');
        assert_eq!(composer.text(), "cargo build");
        ctrl(&mut composer, 'r');
        assert_eq!((composer.search_failed(), composer.text().as_str()), (true, "cargo build"));
        ctrl(&mut composer, 's');
        assert_eq!((composer.search_failed(), composer.text().as_str()), (false, "Cargo test"));
        assert_eq!(press(&mut composer, KeyCode::Enter), Outcome::Used);
        assert_eq!((composer.searching(), composer.text().as_str()), (None, "Cargo test"));
        assert!(composer.undo());
        assert_eq!(composer.text(), "draft");
    }

    #[test]
    fn a_search_given_up_gives_the_draft_back() {
        let mut composer = with_past();
        ctrl(&mut composer, 'r');
        composer.paste("push\nmore");
        assert_eq!((composer.searching(), composer.text().as_str()), (Some("push"), "git push"));
        assert_eq!(composer.cursor, Pos::new(0, 4));
        press(&mut composer, KeyCode::Backspace);
        press(&mut composer, KeyCode::Char('x'));
        assert!(composer.search_failed());
        assert_eq!(press(&mut composer, KeyCode::Esc), Outcome::Used);
        assert_eq!((composer.searching(), composer.text().as_str()), (None, "draft"));
        assert!(composer.undo());
        assert_eq!(composer.text(), "");
    }

    #[test]
    fn upper_case_in_a_query_asks_for_upper_case() {
        assert_eq!(matched("say ÄPFEL", "äpf", false), Some(4..8));
        assert_eq!(matched("cargo Cargo", "Car", true), Some(6..9));
        assert_eq!(matched("abc", "abcd", false), None);
    }
}
