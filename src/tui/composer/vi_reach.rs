//! Where vi's motions go, and what its text objects hold.

use super::motion::{self, Class, Words};
use super::text::Pos;
use super::vi::{Operator, Vi};
use super::{Composer, Mode};

/// What `f`, `t`, `F` or `T` looked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Find {
    pub target: char,
    pub forward: bool,
    /// Stops before it.
    pub till: bool,
}

/// What an operator takes of the way to a motion's goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Not what the later end is on.
    Exclusive,
    Inclusive,
    Lines,
}

/// Whether a single key is a motion (`f`, `t`, `F`, `T` and `gg` need another).
pub fn is_motion(c: char) -> bool {
    "hjkl wWbBeE0^$G;,".contains(c)
}

impl Composer {
    /// Moves by a motion, or gives the way to a waiting operator.
    pub(super) fn reach_for(&mut self, motion: char) {
        let Some(vi) = &mut self.vi else { return };
        let count = vi.given_count();
        let operator = vi.operator.map(|(operator, _)| operator);
        let visual = vi.mode == Mode::Visual;
        vi.drop_pending();
        match (operator, motion) {
            (None, 'j' | 'k') => self.move_by_rows(motion == 'j', visual, count.unwrap_or(1)),
            (None, _) => {
                if let Some((to, _)) = self.goal_of(motion, count, visual) {
                    self.move_to(to, visual);
                }
            }
            (Some(operator), _) => {
                let changes_word = operator == Operator::Change && matches!(motion, 'w' | 'W');
                let reach = if changes_word {
                    self.words_to_change(motion == 'W', count.unwrap_or(1))
                } else {
                    self.goal_of(motion, count, true)
                };
                if let Some((to, reach)) = reach {
                    self.operate_to(operator, to, reach, matches!(motion, 'w' | 'W'));
                }
            }
        }
    }

    fn move_by_rows(&mut self, down: bool, visual: bool, count: usize) {
        for _ in 0..count {
            let before = (self.cursor, self.text.lines());
            match (visual, down) {
                (true, _) => {
                    self.vertical(down, true);
                }
                (false, true) => self.down(false),
                (false, false) => self.up(false),
            }
            self.settle();
            if (self.cursor, self.text.lines()) == before && !self.changed {
                break;
            }
        }
    }

    /// Where `motion` goes. `past_end` allows the place behind a line's last character.
    fn goal_of(&self, motion: char, count: Option<usize>, past_end: bool) -> Option<(Pos, Reach)> {
        let text = &self.text;
        let Pos { line: at, byte } = self.cursor;
        let line = text.line(at);
        let times = count.unwrap_or(1);
        let repeat = |step: &dyn Fn(Pos) -> Pos| {
            let mut pos = self.cursor;
            for _ in 0..times {
                let next = step(pos);
                if next == pos {
                    break;
                }
                pos = next;
            }
            pos
        };
        let words = if motion.is_uppercase() { Words::Big } else { Words::Small };
        Some(match motion {
            'h' => (repeat(&|pos| Pos::new(pos.line, line.previous(pos.byte))), Reach::Exclusive),
            'l' | ' ' => {
                let to = repeat(&|pos| Pos::new(pos.line, line.next(pos.byte)));
                let last = line.previous(line.len());
                (if past_end { to } else { Pos::new(at, to.byte.min(last.max(byte))) }, Reach::Exclusive)
            }
            'w' | 'W' => (repeat(&|pos| motion::next_start(text, pos, words)), Reach::Exclusive),
            'b' | 'B' => (repeat(&|pos| motion::previous_start(text, pos, words)), Reach::Exclusive),
            'e' | 'E' => (repeat(&|pos| motion::next_end(text, pos, words)), Reach::Inclusive),
            '0' => (Pos::new(at, 0), Reach::Exclusive),
            '^' => (motion::first_of_line(text, at), Reach::Exclusive),
            '$' => {
                let to = (at + times - 1).min(text.lines() - 1);
                let last = text.line(to);
                let reach = if last.len() == 0 { Reach::Exclusive } else { Reach::Inclusive };
                (Pos::new(to, last.previous(last.len())), reach)
            }
            'j' if at + 1 < text.lines() => (Pos::new((at + times).min(text.lines() - 1), 0), Reach::Lines),
            'k' if at > 0 => (Pos::new(at.saturating_sub(times), 0), Reach::Lines),
            'G' => {
                let to = count.map_or(text.lines(), |count| count.min(text.lines())) - 1;
                (motion::first_of_line(text, to), Reach::Lines)
            }
            'g' => (motion::first_of_line(text, times.min(text.lines()) - 1), Reach::Lines),
            'f' | ';' | ',' => {
                let find = self.vi.as_ref()?.last_find?;
                let forward = find.forward == (motion != ',');
                let to = self.found_in_line(Find { forward, ..find }, times, motion != 'f')?;
                (to, if forward { Reach::Inclusive } else { Reach::Exclusive })
            }
            _ => return None,
        })
    }

    fn found_in_line(&self, find: Find, count: usize, again: bool) -> Option<Pos> {
        let line = self.text.line(self.cursor.line);
        let step = |byte: usize| if find.forward { line.next(byte) } else { line.previous(byte) };
        let mut at = self.cursor.byte;
        // Again till a character that is next already: till the one after.
        if again && find.till && line.grapheme(step(at)).starts_with(find.target) {
            at = step(at);
        }
        for _ in 0..count {
            loop {
                let next = step(at);
                if next == at || next >= line.len() {
                    return None;
                }
                at = next;
                if line.grapheme(at).starts_with(find.target) {
                    break;
                }
            }
        }
        let to = match (find.till, find.forward) {
            (false, _) => at,
            (true, true) => line.previous(at),
            (true, false) => line.next(at),
        };
        Some(Pos::new(self.cursor.line, to))
    }

    /// What `cw` takes: as `dw`, but the last word without the space behind it.
    fn words_to_change(&self, big: bool, count: usize) -> Option<(Pos, Reach)> {
        let words = if big { Words::Big } else { Words::Small };
        let mut at = self.cursor;
        for _ in 1..count {
            at = motion::next_start(&self.text, at, words);
        }
        Some((motion::run_end(&self.text, at, words), Reach::Exclusive))
    }

    fn operate_to(&mut self, operator: Operator, to: Pos, reach: Reach, over_words: bool) {
        let (from, mut end) = (self.cursor.min(to), self.cursor.max(to));
        if reach == Reach::Lines {
            return self.operate_on_lines(operator, from.line, end.line);
        }
        // Over words, an operator stays in the line of the last one.
        if over_words && end.line > from.line && end.byte <= motion::first_of_line(&self.text, end.line).byte {
            end = Pos::new(end.line - 1, self.text.line(end.line - 1).len());
        }
        if reach == Reach::Inclusive {
            end = Pos::new(end.line, self.text.line(end.line).next(end.byte));
        }
        self.operate(operator, from, end);
    }

    /// `iw`, `aw`, `iW` or `aW`: to a waiting operator, or as what is selected.
    pub(super) fn take_object(&mut self, object: char, around: bool) {
        let Some(vi) = &mut self.vi else { return };
        let count = vi.given_count().unwrap_or(1);
        let operator = vi.operator.map(|(operator, _)| operator);
        vi.drop_pending();
        let words = match object {
            'w' => Words::Small,
            'W' => Words::Big,
            _ => return,
        };
        let (from, to) = self.word_object(words, around, count);
        if let Some(operator) = operator {
            self.operate(operator, from, to);
        } else if self.vi.as_ref().is_some_and(Vi::is_visual) {
            let last = self.text.line(to.line).previous(to.byte);
            self.anchor = Some(from);
            self.move_to(Pos::new(to.line, last.max(from.byte)), true);
        }
    }

    /// A run of one class within the line; around it, with the white space behind it or else before it.
    fn word_object(&self, words: Words, around: bool, count: usize) -> (Pos, Pos) {
        let text = &self.text;
        let is_space = |pos| words.class(text, pos) == Class::Space;
        let mut from = motion::run_start(text, self.cursor, words);
        let mut to = self.cursor;
        for _ in 0..count {
            let on_space = is_space(to);
            to = motion::run_end(text, to, words);
            if !around {
                continue;
            }
            let behind = motion::run_end(text, to, words);
            if behind > to && on_space != is_space(to) {
                to = behind;
            } else if !on_space && from.byte > 0 {
                let before = Pos::new(from.line, text.line(from.line).previous(from.byte));
                if is_space(before) {
                    from = motion::run_start(text, before, words);
                }
            }
        }
        (from, to)
    }
}
