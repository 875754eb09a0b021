//! vi's normal and visual modes: which command the keys make.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::vi_reach::{self, Find};
use super::{Composer, Mode, Outcome};

/// vi's keys with what they do, for the help overlay; in insert mode `KEYS` hold.
pub const VI_KEYS: &[(&str, &str)] = &[
    ("Esc", "normal mode"),
    ("i a I A o O", "insert: here, after, at the line's start or end, in a new line"),
    ("v V", "visual mode, of characters or of lines; o goes to the other end"),
    ("h l, j k", "one character; one row, past the first or last the history"),
    ("w b e, W B E", "words; words between spaces"),
    ("0 ^ $", "the line's start, its first word, its end"),
    ("gg G", "the first line, the last; with a count that line"),
    ("f t F T, ; ,", "to a character of the line; again, backwards"),
    ("d c y", "delete, change, yank: with a motion, or iw aw iW aW"),
    ("dd cc yy, D C Y", "the same of lines; to the line's end, Y the line"),
    ("x X s S r", "delete after, before; substitute character, line; replace"),
    ("p P", "put after, before"),
    ("u, Ctrl-R", "undo, redo"),
    (".", "the last change again"),
    ("1 .. 9", "a count"),
    ("Enter", "send"),
];

/// Counts go no higher.
const MOST: usize = 9999;
/// A change of more keys than this is not kept for `.`.
const KEYS_KEPT: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Delete,
    Change,
    Yank,
}

/// What the next key is part of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Awaits {
    #[default]
    Command,
    SecondG,
    Replacement,
    FindTarget {
        forward: bool,
        till: bool,
    },
    Object {
        around: bool,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Vi {
    pub(super) mode: Mode,
    /// Visual mode of whole lines.
    pub(super) linewise: bool,
    pub(super) count: Option<usize>,
    /// With the count that was given before it.
    pub(super) operator: Option<(Operator, Option<usize>)>,
    pub(super) awaits: Awaits,
    pub(super) last_find: Option<Find>,
    /// The keys since the current command began, with what was typed in the insert mode that it led to.
    pub(super) keys: Vec<KeyEvent>,
    /// The current command changes the text: `.` is to do it again.
    pub(super) changes: bool,
    pub(super) last_change: Vec<KeyEvent>,
    /// What was done before the current command: with what it inserts it is one step to undo.
    pub(super) mark: usize,
}

impl Vi {
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn linewise(&self) -> bool {
        self.linewise
    }

    pub fn is_visual(&self) -> bool {
        self.mode == Mode::Visual
    }

    /// Whether a command has begun and is not complete.
    pub(super) fn is_pending(&self) -> bool {
        self.count.is_some() || self.operator.is_some() || self.awaits != Awaits::Command
    }

    pub(super) fn drop_pending(&mut self) {
        (self.count, self.operator, self.awaits) = (None, None, Awaits::Command);
    }

    fn keep_key(&mut self, key: KeyEvent) {
        if self.keys.len() < KEYS_KEPT {
            self.keys.push(key);
        } else {
            self.changes = false;
        }
    }

    /// The counts before the operator and before the motion, multiplied; `None` where there was none.
    pub(super) fn given_count(&self) -> Option<usize> {
        let before = self.operator.and_then(|(_, count)| count);
        match (before, self.count) {
            (None, None) => None,
            (before, count) => Some(before.unwrap_or(1).saturating_mul(count.unwrap_or(1)).min(MOST)),
        }
    }
}

/// The command that a key stands for in normal and visual mode.
fn command_of(key: KeyEvent) -> Option<char> {
    let held = key.modifiers & !KeyModifiers::SHIFT;
    let ctrl = held == KeyModifiers::CONTROL;
    match key.code {
        KeyCode::Char('p') if ctrl => Some('k'),
        KeyCode::Char('n') if ctrl => Some('j'),
        KeyCode::Left if ctrl => Some('b'),
        KeyCode::Right if ctrl => Some('w'),
        _ if !held.is_empty() => None,
        KeyCode::Char(c) => Some(c),
        KeyCode::Left | KeyCode::Backspace => Some('h'),
        KeyCode::Right => Some('l'),
        KeyCode::Up => Some('k'),
        KeyCode::Down => Some('j'),
        KeyCode::Home => Some('0'),
        KeyCode::End => Some('$'),
        KeyCode::Delete => Some('x'),
        _ => None,
    }
}

impl Composer {
    /// In vi's normal or visual mode.
    pub(super) fn is_normal(&self) -> bool {
        self.mode() != Mode::Insert
    }

    /// In normal and visual mode the cursor is on a character, not behind the last.
    pub(super) fn settle(&mut self) {
        if self.is_normal() && self.search.is_none() {
            let line = self.text.line(self.cursor.line);
            if self.cursor.byte >= line.len() {
                self.cursor.byte = line.previous(line.len());
            }
        }
        if let Some(vi) = self.vi.as_mut().filter(|vi| vi.mode == Mode::Visual && self.anchor.is_none()) {
            vi.mode = Mode::Normal;
        }
    }

    /// Back to insert mode, with nothing pending.
    pub(super) fn restart_vi(&mut self) {
        if let Some(vi) = &mut self.vi {
            *vi = Vi {
                last_find: vi.last_find.take(),
                last_change: std::mem::take(&mut vi.last_change),
                ..Vi::default()
            };
        }
    }

    pub(super) fn leave_visual(&mut self) {
        self.anchor = None;
        if let Some(vi) = &mut self.vi {
            vi.drop_pending();
            if vi.mode == Mode::Visual {
                vi.mode = Mode::Normal;
            }
        }
    }

    /// What the mouse selects in normal mode is vi's visual selection.
    pub(super) fn enter_visual(&mut self) {
        if let Some(vi) = self.vi.as_mut().filter(|vi| vi.mode == Mode::Normal) {
            (vi.mode, vi.linewise) = (Mode::Visual, false);
        }
    }

    pub(super) fn vi_key(&mut self, key: KeyEvent) -> Outcome {
        let searching = self.search.is_some();
        let mark = self.undo.mark();
        let Some(vi) = &mut self.vi else { return Outcome::Ignored };
        if vi.mode == Mode::Insert {
            let ctrl_bracket = key.code == KeyCode::Char('[') && key.modifiers.contains(KeyModifiers::CONTROL);
            vi.keep_key(key);
            if searching {
                return self.search_key(key);
            }
            if key.code == KeyCode::Esc || ctrl_bracket {
                self.leave_insert();
                return Outcome::Used;
            }
            return self.editing_key(key);
        }
        if vi.mode == Mode::Normal && !vi.is_pending() {
            vi.keys.clear();
            vi.changes = false;
            vi.mark = mark;
        }
        vi.keep_key(key);
        let outcome = self.command_key(key);
        if let Some(vi) = self.vi.as_mut().filter(|vi| vi.mode == Mode::Normal && vi.changes && !vi.is_pending()) {
            vi.last_change = std::mem::take(&mut vi.keys);
            vi.changes = false;
        }
        outcome
    }

    fn leave_insert(&mut self) {
        let Some(vi) = &mut self.vi else { return };
        vi.mode = Mode::Normal;
        self.undo.join_since(vi.mark);
        if vi.changes {
            vi.last_change = std::mem::take(&mut vi.keys);
            vi.changes = false;
        }
        let line = self.text.line(self.cursor.line);
        let left = super::Pos::new(self.cursor.line, line.previous(self.cursor.byte));
        self.move_to(left, false);
    }

    fn command_key(&mut self, key: KeyEvent) -> Outcome {
        let Some(vi) = &mut self.vi else { return Outcome::Ignored };
        let awaits = std::mem::take(&mut vi.awaits);
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc if vi.is_pending() || awaits != Awaits::Command => vi.drop_pending(),
            KeyCode::Esc if vi.mode == Mode::Visual => self.leave_visual(),
            KeyCode::Enter if awaits == Awaits::Replacement => self.replace_characters('\n'),
            KeyCode::Enter if vi.operator.is_none() && awaits == Awaits::Command => {
                vi.drop_pending();
                return Outcome::Submit;
            }
            KeyCode::Char('r') if ctrl => {
                vi.drop_pending();
                self.redo();
            }
            KeyCode::Char('_' | '/' | '7') if ctrl => {
                vi.drop_pending();
                self.undo();
            }
            _ => match command_of(key) {
                Some(command) => return self.command(command, awaits),
                None if vi.is_pending() || awaits != Awaits::Command => vi.drop_pending(),
                None => return Outcome::Ignored,
            },
        }
        Outcome::Used
    }

    /// A character of a command, where `awaits` is what it is part of.
    fn command(&mut self, c: char, awaits: Awaits) -> Outcome {
        let Some(vi) = &mut self.vi else { return Outcome::Ignored };
        match awaits {
            Awaits::Replacement => self.replace_characters(c),
            Awaits::SecondG if c == 'g' => self.reach_for('g'),
            Awaits::SecondG => vi.drop_pending(),
            Awaits::FindTarget { forward, till } => {
                vi.last_find = Some(Find { target: c, forward, till });
                self.reach_for('f');
            }
            Awaits::Object { around } => self.take_object(c, around),
            Awaits::Command => return self.first_of_command(c),
        }
        Outcome::Used
    }

    fn first_of_command(&mut self, c: char) -> Outcome {
        let Some(vi) = &mut self.vi else { return Outcome::Ignored };
        let visual = vi.mode == Mode::Visual;
        match c {
            '1'..='9' | '0' if c != '0' || vi.count.is_some() => {
                let digit = c as usize - '0' as usize;
                vi.count = Some((vi.count.unwrap_or(0) * 10 + digit).min(MOST));
            }
            'g' => vi.awaits = Awaits::SecondG,
            'f' | 't' | 'F' | 'T' => {
                vi.awaits = Awaits::FindTarget { forward: c.is_lowercase(), till: c.eq_ignore_ascii_case(&'t') };
            }
            'i' | 'a' if visual || vi.operator.is_some() => vi.awaits = Awaits::Object { around: c == 'a' },
            'd' | 'c' | 'y' => {
                let operator = match c {
                    'd' => Operator::Delete,
                    'c' => Operator::Change,
                    _ => Operator::Yank,
                };
                self.operator_key(operator);
            }
            _ if vi_reach::is_motion(c) => self.reach_for(c),
            _ if vi.operator.is_some() => vi.drop_pending(),
            _ => return self.simple_command(c, visual),
        }
        Outcome::Used
    }
}
