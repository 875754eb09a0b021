//! readline's keys and the arrows.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::layout::{self, RowAt};
use super::motion::{space_left, word_left, word_right};
use super::text::{Fragment, Pos};
use super::{Composer, Doing, Killed, Outcome};

/// All keys with what they do, for the help overlay.
pub const KEYS: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Alt-Enter, Shift-Enter, Ctrl-J, \\ Enter", "new line"),
    ("Left, Right, Ctrl-B", "one character"),
    ("Ctrl-Left, Ctrl-Right, Alt-B, Alt-F", "one word"),
    ("Up, Down, Ctrl-P, Ctrl-N", "one row; past the first or last, the history"),
    ("Home, End", "the row's start, its end"),
    ("Ctrl-A, Ctrl-E", "the line's start, its end"),
    ("Alt-<, Alt->", "the text's start, its end"),
    ("Shift-Left, Shift-Right, Shift-Home, Shift-End", "select"),
    ("Esc", "drop the selection"),
    ("Backspace, Ctrl-H", "delete the character before"),
    ("Delete, Ctrl-D", "delete the character after"),
    ("Ctrl-W", "kill back to white space"),
    ("Alt-Backspace, Ctrl-Backspace", "kill the word before"),
    ("Alt-D, Ctrl-Delete", "kill the word after"),
    ("Ctrl-U", "kill to the line's start"),
    ("Ctrl-K", "kill to the line's end"),
    ("Ctrl-Y", "yank what was killed"),
    ("Ctrl-T", "swap two characters"),
    ("Ctrl-_, Ctrl-/, Alt-/", "undo"),
    ("Alt-_, Ctrl-Shift-Z", "redo"),
    ("Ctrl-R", "search the history; again for older, Ctrl-S for newer"),
    ("Enter, Tab, an arrow (in a search)", "take what was found"),
    ("Esc, Ctrl-G (in a search)", "back to the draft"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    RowStart,
    RowEnd,
    LineStart,
    LineEnd,
    Start,
    End,
}

/// Control and Alt, whatever else is held; `None` with keys of the window manager.
fn held(key: KeyEvent) -> Option<(bool, bool)> {
    let foreign = KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META;
    let has = |modifier| key.modifiers.contains(modifier);
    (!key.modifiers.intersects(foreign)).then(|| (has(KeyModifiers::CONTROL), has(KeyModifiers::ALT)))
}

fn motion_of(key: KeyEvent) -> Option<Motion> {
    Some(match (held(key)?, key.code) {
        ((false, false), KeyCode::Left) | ((true, false), KeyCode::Char('b')) => Motion::Left,
        ((false, false), KeyCode::Right) | ((true, false), KeyCode::Char('f')) => Motion::Right,
        ((true, false) | (false, true), KeyCode::Left) | ((false, true), KeyCode::Char('b')) => Motion::WordLeft,
        ((true, false) | (false, true), KeyCode::Right) | ((false, true), KeyCode::Char('f')) => Motion::WordRight,
        ((false, false), KeyCode::Up) | ((true, false), KeyCode::Char('p')) => Motion::Up,
        ((false, false), KeyCode::Down) | ((true, false), KeyCode::Char('n')) => Motion::Down,
        ((false, false), KeyCode::Home) => Motion::RowStart,
        ((false, false), KeyCode::End) => Motion::RowEnd,
        ((true, false), KeyCode::Char('a')) => Motion::LineStart,
        ((true, false), KeyCode::Char('e')) => Motion::LineEnd,
        ((true, false), KeyCode::Home) | ((false, true), KeyCode::Char('<')) => Motion::Start,
        ((true, false), KeyCode::End) | ((false, true), KeyCode::Char('>')) => Motion::End,
        _ => return None,
    })
}

impl Composer {
    /// A key as readline has it.
    pub(super) fn editing_key(&mut self, key: KeyEvent) -> Outcome {
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        if let Some(motion) = motion_of(key) {
            self.go(motion, shift && !matches!(key.code, KeyCode::Char(_)));
            return Outcome::Used;
        }
        let Some(held) = held(key) else { return Outcome::Ignored };
        match (held, key.code) {
            ((false, false), KeyCode::Char(c)) => {
                self.insert(Fragment::plain(c.encode_utf8(&mut [0; 4])), Doing::Typing);
            }
            ((false, false), KeyCode::Enter) if !shift => return self.enter(),
            ((false, _), KeyCode::Enter) | ((true, false), KeyCode::Char('j')) => self.newline(),
            ((false, false), KeyCode::Backspace) | ((true, false), KeyCode::Char('h')) => self.erase(false),
            ((true, false), KeyCode::Char('d')) if self.is_empty() => return Outcome::Ignored,
            ((false, false), KeyCode::Delete) | ((true, false), KeyCode::Char('d')) => self.erase(true),
            ((true, false), KeyCode::Char('w')) => self.kill_to(space_left(&self.text, self.cursor)),
            ((true, false) | (false, true), KeyCode::Backspace) => self.kill_to(word_left(&self.text, self.cursor)),
            ((false, true), KeyCode::Char('d')) | ((true, false) | (false, true), KeyCode::Delete) => {
                self.kill_to(word_right(&self.text, self.cursor));
            }
            ((true, false), KeyCode::Char('u')) => self.kill_to(self.line_start_or_before()),
            ((true, false), KeyCode::Char('k')) => self.kill_to(self.line_end_or_after()),
            ((true, false), KeyCode::Char('y')) => self.insert(self.killed.fragment.clone(), Doing::Other),
            ((true, false), KeyCode::Char('t')) => self.transpose(),
            ((true, false), KeyCode::Char('r')) => self.open_search(),
            // 0x1f, which Ctrl-_ and Ctrl-/ send to older terminals, is reported as Ctrl-7.
            ((true, false), KeyCode::Char('_' | '/' | '7')) | ((false, true), KeyCode::Char('/')) => {
                self.undo();
            }
            ((true, false), KeyCode::Char('-')) if shift => {
                self.undo();
            }
            ((false, true), KeyCode::Char('_')) | ((true, false), KeyCode::Char('Z')) => {
                self.redo();
            }
            ((false, true), KeyCode::Char('-')) | ((true, false), KeyCode::Char('z')) if shift => {
                self.redo();
            }
            (_, KeyCode::Esc) if self.anchor.is_some() => self.anchor = None,
            _ => return Outcome::Ignored,
        }
        Outcome::Used
    }

    /// Sends, or goes on in a new line after a backslash at the line's end.
    fn enter(&mut self) -> Outcome {
        let Pos { line, byte } = self.cursor;
        let text = &self.text.line(line).text;
        if self.selection().is_none() && byte == text.len() && text.ends_with('\\') {
            self.edit(Pos::new(line, byte - 1), self.cursor, Fragment::plain("\n"), Doing::Other);
            return Outcome::Used;
        }
        Outcome::Submit
    }

    fn newline(&mut self) {
        self.insert(Fragment::plain("\n"), Doing::Other);
    }

    fn erase(&mut self, forward: bool) {
        if let Some((from, to)) = self.selection() {
            return self.edit(from, to, Fragment::default(), Doing::Other);
        }
        let other = if forward { self.text.next(self.cursor) } else { self.text.previous(self.cursor) };
        if let Some(other) = other {
            let (from, to) = (other.min(self.cursor), other.max(self.cursor));
            self.edit(from, to, Fragment::default(), Doing::Erasing);
        }
    }

    /// Kills the selection or, without one, what lies between the cursor and `to`. Kills in a row make one text.
    fn kill_to(&mut self, to: Pos) {
        let (from, to) = self.selection().unwrap_or((to.min(self.cursor), to.max(self.cursor)));
        if from == to {
            return;
        }
        let mut killed = Fragment::default();
        let new = self.text.slice(from, to);
        let before =
            if self.did == Doing::Killing { std::mem::take(&mut self.killed.fragment) } else { killed.clone() };
        for part in if to == self.cursor { [new, before] } else { [before, new] } {
            killed.append(part);
        }
        self.killed = Killed { fragment: killed, linewise: false };
        self.edit(from, to, Fragment::default(), Doing::Killing);
    }

    fn line_start_or_before(&self) -> Pos {
        match self.cursor {
            Pos { byte: 0, .. } => self.text.previous(self.cursor).unwrap_or(self.cursor),
            Pos { line, .. } => Pos::new(line, 0),
        }
    }

    fn line_end_or_after(&self) -> Pos {
        let end = Pos::new(self.cursor.line, self.text.line(self.cursor.line).len());
        if self.cursor == end { self.text.next(end).unwrap_or(end) } else { end }
    }

    /// Swaps the characters around the cursor and steps over them; at the line's end the last two.
    fn transpose(&mut self) {
        let line = self.text.line(self.cursor.line);
        let middle = if self.cursor.byte == line.len() { line.previous(line.len()) } else { self.cursor.byte };
        let (start, end) = (line.previous(middle), line.next(middle));
        if start == middle || middle == end {
            return;
        }
        let at = |byte| Pos::new(self.cursor.line, byte);
        let mut swapped = self.text.slice(at(middle), at(end));
        swapped.append(self.text.slice(at(start), at(middle)));
        self.edit(at(start), at(end), swapped, Doing::Other);
    }

    fn go(&mut self, motion: Motion, selects: bool) {
        let Pos { line, byte } = self.cursor;
        let selection = self.selection().filter(|_| !selects);
        let to = match motion {
            Motion::Up => return self.up(selects),
            Motion::Down => return self.down(selects),
            // Without Shift, a step leaves the selection on its side.
            Motion::Left => selection.map_or_else(|| self.text.previous(self.cursor), |(from, _)| Some(from)),
            Motion::Right => selection.map_or_else(|| self.text.next(self.cursor), |(_, to)| Some(to)),
            Motion::WordLeft => Some(word_left(&self.text, self.cursor)),
            Motion::WordRight => Some(word_right(&self.text, self.cursor)),
            Motion::RowStart | Motion::RowEnd => {
                let line = self.text.line(line);
                let rows = layout::rows(line, self.view.width());
                let row = rows.get(layout::row_of(&rows, byte)).copied();
                row.map(|row| if motion == Motion::RowStart { row.start } else { layout::row_end(line, row) })
                    .map(|byte| Pos::new(self.cursor.line, byte))
            }
            Motion::LineStart => Some(Pos::new(line, 0)),
            Motion::LineEnd => Some(Pos::new(line, self.text.line(line).len())),
            Motion::Start => Some(Pos::default()),
            Motion::End => Some(self.text.end()),
        };
        self.move_to(to.unwrap_or(self.cursor), selects);
    }

    /// One row up; on the first row, the history.
    pub(super) fn up(&mut self, selects: bool) {
        if self.vertical(false, selects) {
            return;
        }
        if selects {
            self.move_to(Pos::default(), true);
        } else {
            self.anchor = None;
            self.older();
        }
    }

    /// One row down; on the last row, the history.
    pub(super) fn down(&mut self, selects: bool) {
        if self.vertical(true, selects) {
            return;
        }
        if selects {
            self.move_to(self.text.end(), true);
        } else {
            self.anchor = None;
            self.newer();
        }
    }

    /// One row up or down; whether there was one.
    pub(super) fn vertical(&mut self, down: bool, selects: bool) -> bool {
        let width = self.view.width();
        let Pos { line: at, byte } = self.cursor;
        let line = self.text.line(at);
        let rows = layout::rows(line, width);
        let row = layout::row_of(&rows, byte);
        let Some(here) = rows.get(row) else { return false };
        let goal = self.goal.unwrap_or_else(|| layout::column_between(line, here.start, byte, width));
        let to = match down {
            true if row + 1 < rows.len() => RowAt { line: at, row: row + 1 },
            true if at + 1 < self.text.lines() => RowAt { line: at + 1, row: 0 },
            false if row > 0 => RowAt { line: at, row: row - 1 },
            false if at > 0 => {
                RowAt { line: at - 1, row: layout::row_count(self.text.line(at - 1), width).saturating_sub(1) }
            }
            _ => return false,
        };
        let line = self.text.line(to.line);
        let Some(row) = layout::rows(line, width).get(to.row).copied() else { return false };
        self.move_to(Pos::new(to.line, layout::byte_at(line, row, goal, width)), selects);
        self.goal = Some(goal);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;
    const ALT: KeyModifiers = KeyModifiers::ALT;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

    fn press(composer: &mut Composer, modifiers: KeyModifiers, code: KeyCode) -> Outcome {
        composer.key(KeyEvent::new(code, modifiers))
    }

    fn ctrl(composer: &mut Composer, keys: &str) {
        for c in keys.chars() {
            assert_eq!(press(composer, CTRL, KeyCode::Char(c)), Outcome::Used, "Ctrl-{c}");
        }
    }

    fn type_in(composer: &mut Composer, text: &str) {
        for c in text.chars() {
            press(composer, NONE, KeyCode::Char(c));
        }
    }

    fn typed(text: &str) -> Composer {
        let mut composer = Composer::new(false);
        type_in(&mut composer, text);
        composer
    }

    #[test]
    fn enter_sends_and_a_backslash_or_a_modifier_makes_a_new_line() {
        let mut composer = typed("one\\");
        assert_eq!(press(&mut composer, NONE, KeyCode::Enter), Outcome::Used);
        assert_eq!(press(&mut composer, ALT, KeyCode::Enter), Outcome::Used);
        assert_eq!(press(&mut composer, SHIFT, KeyCode::Enter), Outcome::Used);
        ctrl(&mut composer, "j");
        assert_eq!(composer.text(), "one\n\n\n\n");
        assert_eq!(press(&mut composer, NONE, KeyCode::Enter), Outcome::Submit);
    }

    #[test]
    fn the_screen_gets_the_keys_that_are_not_the_composers() {
        let mut composer = typed("text");
        for code in [KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::PageUp, KeyCode::PageDown, KeyCode::F(1)] {
            assert_eq!(press(&mut composer, NONE, code), Outcome::Ignored, "{code:?}");
        }
        for c in "cglmoqsvxz".chars() {
            assert_eq!(press(&mut composer, CTRL, KeyCode::Char(c)), Outcome::Ignored, "Ctrl-{c}");
        }
        assert_eq!(press(&mut composer, ALT, KeyCode::Char('q')), Outcome::Ignored);
        assert_eq!(press(&mut composer, KeyModifiers::SUPER, KeyCode::Char('q')), Outcome::Ignored);
        assert_eq!(composer.text(), "text");
        composer.clear();
        assert_eq!(press(&mut composer, CTRL, KeyCode::Char('d')), Outcome::Ignored);
    }

    #[test]
    fn words_are_moved_over_and_killed_and_yanked() {
        let mut composer = typed("one two-three four");
        ctrl(&mut composer, "ww");
        assert_eq!(composer.text(), "one ");
        ctrl(&mut composer, "y");
        assert_eq!(composer.text(), "one two-three four");
        press(&mut composer, ALT, KeyCode::Char('b'));
        press(&mut composer, CTRL, KeyCode::Left);
        press(&mut composer, ALT, KeyCode::Char('d'));
        assert_eq!(composer.text(), "one two- four");
        press(&mut composer, ALT, KeyCode::Backspace);
        assert_eq!(composer.text(), "one  four");
        ctrl(&mut composer, "u");
        assert_eq!(composer.text(), " four");
        ctrl(&mut composer, "fky");
        assert_eq!(composer.text(), " four");
        ctrl(&mut composer, "ay");
        assert_eq!(composer.text(), "four four");
    }

    #[test]
    fn kills_take_the_newline_only_at_the_lines_edge() {
        let mut composer = typed("one");
        ctrl(&mut composer, "j");
        type_in(&mut composer, "two");
        ctrl(&mut composer, "u");
        assert_eq!(composer.text(), "one\n");
        ctrl(&mut composer, "u");
        assert_eq!(composer.text(), "one");
        ctrl(&mut composer, "y");
        assert_eq!(composer.text(), "one\ntwo");
    }

    #[test]
    fn a_character_is_a_grapheme_and_a_chip_is_one() {
        let mut composer = typed("e\u{301}👩\u{200d}👧");
        press(&mut composer, NONE, KeyCode::Backspace);
        assert_eq!(composer.text(), "e\u{301}");
        composer.paste(&"x\n".repeat(20));
        ctrl(&mut composer, "b");
        assert_eq!(composer.cursor, Pos::new(0, 3));
        ctrl(&mut composer, "td");
        assert_eq!(composer.text(), format!("{}e\u{301}", "x\n".repeat(20)));
        press(&mut composer, NONE, KeyCode::Home);
        press(&mut composer, NONE, KeyCode::Delete);
        assert_eq!(composer.text(), "e\u{301}");
    }

    #[test]
    fn typing_is_undone_by_words_and_redone() {
        let mut composer = typed("hello wide world");
        ctrl(&mut composer, "7");
        assert_eq!(composer.text(), "hello wide ");
        press(&mut composer, ALT, KeyCode::Char('/'));
        assert_eq!(composer.text(), "hello ");
        press(&mut composer, ALT, KeyCode::Char('_'));
        assert_eq!(composer.text(), "hello wide ");
        press(&mut composer, CTRL | SHIFT, KeyCode::Char('Z'));
        assert_eq!(composer.text(), "hello wide world");
        for _ in 0..5 {
            press(&mut composer, NONE, KeyCode::Backspace);
        }
        ctrl(&mut composer, "_");
        assert_eq!(composer.text(), "hello wide world");
    }

    #[test]
    fn what_is_selected_is_replaced() {
        let mut composer = typed("one two");
        for _ in 0..3 {
            press(&mut composer, SHIFT, KeyCode::Left);
        }
        assert_eq!(composer.selected().as_deref(), Some("two"));
        type_in(&mut composer, "2");
        assert_eq!(composer.text(), "one 2");
        press(&mut composer, SHIFT, KeyCode::Home);
        press(&mut composer, NONE, KeyCode::Left);
        assert_eq!((composer.cursor, composer.selected()), (Pos::default(), None));
        press(&mut composer, CTRL | SHIFT, KeyCode::Right);
        assert_eq!(press(&mut composer, NONE, KeyCode::Esc), Outcome::Used);
        assert_eq!(composer.selected(), None);
    }

    #[test]
    fn up_and_down_keep_their_column_over_rows_and_reach_the_history() {
        let mut composer = Composer::new(false);
        composer.history(vec!["older".into(), "newer".into()]);
        composer.set_text("a long line\n\nanother one");
        press(&mut composer, NONE, KeyCode::Up);
        assert_eq!(composer.cursor, Pos::new(1, 0));
        press(&mut composer, NONE, KeyCode::Up);
        assert_eq!(composer.cursor, Pos::new(0, 11));
        ctrl(&mut composer, "pp");
        assert_eq!(composer.text(), "older");
        ctrl(&mut composer, "pn");
        assert_eq!(composer.text(), "newer");
        ctrl(&mut composer, "n");
        assert_eq!((composer.text().as_str(), composer.cursor), ("a long line\n\nanother one", Pos::new(0, 11)));
        press(&mut composer, CTRL, KeyCode::End);
        press(&mut composer, NONE, KeyCode::Down);
        assert_eq!(composer.cursor, composer.text.end());
    }

    #[test]
    fn home_and_end_are_of_the_row_that_is_seen() {
        let mut composer = Composer::new(false);
        composer.set_text("the quick brown");
        let area = ratatui::layout::Rect::new(0, 0, 12, 4);
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        composer.render(area, &mut buffer, &crate::tui::theme::Theme::plain(), "");
        press(&mut composer, NONE, KeyCode::Home);
        assert_eq!(composer.cursor.byte, 10);
        press(&mut composer, NONE, KeyCode::Up);
        press(&mut composer, NONE, KeyCode::End);
        assert_eq!(composer.cursor.byte, 9);
        ctrl(&mut composer, "e");
        assert_eq!(composer.cursor.byte, 15);
    }
}
