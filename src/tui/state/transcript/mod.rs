//! The conversation as rows: `turn` has one message, `thoughts` what came before its text. Only what is looked at is
//! laid out: a place in it is a turn, a part of the turn and a row of the part, and scrolling walks from there.

mod thoughts;
mod turn;

use std::mem;

use crate::session::{NodeId, Session};
use crate::tui::markdown::Row;
use crate::tui::theme::Theme;
use turn::REASONING;
pub use turn::Turn;

/// Columns left of the text: the mark of the chosen message, and a space.
pub const MARGIN: u16 = 2;
/// Turns this far from what is shown keep no rows.
const KEPT: usize = 50;

/// A row of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub turn: usize,
    pub part: usize,
    pub row: usize,
}

/// What the pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// The end, as it grows.
    End,
    /// This row at the top.
    At(Place),
}

pub struct Transcript {
    pub turns: Vec<Turn>,
    pub scroll: Scroll,
    /// Of the pane, as drawn last.
    pub width: u16,
    pub height: u16,
    /// The turns that may have rows, in no order.
    laid_out: Vec<usize>,
}

impl Default for Transcript {
    fn default() -> Transcript {
        Transcript { turns: Vec::new(), scroll: Scroll::End, width: 80, height: 20, laid_out: Vec::new() }
    }
}

impl Transcript {
    /// Takes over the messages on screen; what was laid out of those that stay is kept.
    pub fn sync(&mut self, session: &Session) {
        let path = session.path();
        let mut old: Vec<Option<Turn>> = mem::take(&mut self.turns).into_iter().map(Some).collect();
        for (index, id) in path.iter().enumerate() {
            let Some(node) = session.node(*id) else { continue };
            let kept = old.get_mut(index).filter(|turn| turn.as_ref().is_some_and(|t| t.id == *id));
            let mut turn =
                kept.and_then(Option::take).unwrap_or_else(|| Turn::new(node, node.message.content.is_empty()));
            turn.describe(node, session.siblings(*id));
            self.turns.push(turn);
        }
        self.clamp();
    }

    /// Another conversation: nothing of the old one is kept.
    pub fn replace(&mut self, session: &Session) {
        self.turns.clear();
        self.scroll = Scroll::End;
        self.sync(session);
    }

    fn turn_mut(&mut self, id: NodeId) -> Option<&mut Turn> {
        self.turns.iter_mut().rfind(|turn| turn.id == id)
    }

    /// More of the last answer came.
    pub fn push(&mut self, id: NodeId, text: &str) {
        if let Some(turn) = self.turn_mut(id) {
            turn.push(text);
        }
    }

    pub fn push_reasoning(&mut self, id: NodeId, text: &str) {
        if let Some(turn) = self.turn_mut(id) {
            turn.push_thoughts(text);
        }
    }

    /// The answer is whole: what it thought is folded away, unless the reader opened it or is reading it.
    pub fn finish(&mut self, id: NodeId) {
        let read = match self.scroll {
            Scroll::At(Place { turn, part: REASONING, .. }) => Some(turn),
            _ => None,
        };
        let read = read.and_then(|turn| self.turns.get(turn)).is_some_and(|turn| turn.id == id);
        if let Some(turn) = self.turn_mut(id) {
            turn.finish();
            if !turn.by_reader && !read {
                turn.fold(true);
            }
        }
        self.clamp();
    }

    /// An answer goes on that was whole.
    pub fn reopen(&mut self, id: NodeId, session: &Session) {
        if let Some(node) = session.node(id)
            && let Some(turn) = self.turn_mut(id)
        {
            let (folded, by_reader) = (turn.folded, turn.by_reader);
            *turn = Turn::new(node, true);
            if by_reader {
                (turn.folded, turn.by_reader) = (folded, true);
            }
        }
    }

    pub fn fold(&mut self, turn: usize) {
        if let Some(turn) = self.turns.get_mut(turn) {
            turn.fold(!turn.folded);
            turn.by_reader = true;
        }
        self.clamp();
    }

    fn text_width(&self) -> u16 {
        // One column on the right is the scroll bar's.
        self.width.saturating_sub(MARGIN + 1).max(1)
    }

    /// The rows of the part that `place` is in.
    pub fn part(&mut self, place: Place, theme: &Theme) -> &[Row] {
        let width = self.text_width();
        match self.turns.get_mut(place.turn) {
            Some(turn) => {
                if !mem::replace(&mut turn.laid_out, true) {
                    self.laid_out.push(place.turn);
                }
                turn.rows(place.part, place.turn == 0, width, theme)
            }
            None => &[],
        }
    }

    /// A place that there is.
    fn clamp(&mut self) {
        if let Scroll::At(place) = &mut self.scroll {
            match self.turns.get_mut(place.turn) {
                None => self.scroll = Scroll::End,
                Some(turn) => {
                    let parts = turn.parts();
                    if place.part >= parts {
                        *place = Place { part: parts - 1, row: 0, ..*place };
                    }
                }
            }
        }
    }

    /// The row after `place`.
    pub fn next(&mut self, place: Place, theme: &Theme) -> Option<Place> {
        let mut at = Place { row: place.row + 1, ..place };
        while at.row >= self.part(at, theme).len() {
            let parts = self.turns.get_mut(at.turn)?.parts();
            at = if at.part + 1 < parts {
                Place { part: at.part + 1, row: 0, ..at }
            } else {
                Place { turn: at.turn + 1, part: 0, row: 0 }
            };
            if at.turn >= self.turns.len() {
                return None;
            }
        }
        Some(at)
    }

    /// The row before `place`.
    pub fn before(&mut self, place: Place, theme: &Theme) -> Option<Place> {
        let mut at = place;
        if at.row > 0 {
            let rows = self.part(at, theme).len();
            if rows > 0 {
                return Some(Place { row: at.row.min(rows) - 1, ..at });
            }
        }
        loop {
            at = if at.part > 0 {
                Place { part: at.part - 1, row: 0, ..at }
            } else {
                let turn = at.turn.checked_sub(1)?;
                Place { turn, part: self.turns.get_mut(turn)?.parts() - 1, row: 0 }
            };
            let rows = self.part(at, theme).len();
            if rows > 0 {
                return Some(Place { row: rows - 1, ..at });
            }
        }
    }

    fn last(&mut self, theme: &Theme) -> Option<Place> {
        let end = Place { turn: self.turns.len(), part: 0, row: 0 };
        self.before(end, theme)
    }

    /// The top row that shows the end at the foot of the pane.
    fn top_of_end(&mut self, theme: &Theme) -> Place {
        let Some(last) = self.last(theme) else { return Place::default() };
        let rows = usize::from(self.height.max(1)) - 1;
        self.walk(last, -(rows as isize), theme)
    }

    /// The place `by` rows further, or as far as there is one.
    fn walk(&mut self, from: Place, by: isize, theme: &Theme) -> Place {
        let mut place = from;
        for _ in 0..by.unsigned_abs() {
            let next = if by < 0 { self.before(place, theme) } else { self.next(place, theme) };
            match next {
                Some(next) => place = next,
                None => break,
            }
        }
        place
    }

    /// The row at the top of the pane.
    pub fn top(&mut self, theme: &Theme) -> Place {
        match self.scroll {
            Scroll::End => self.top_of_end(theme),
            Scroll::At(place) => {
                let rows = self.part(place, theme).len();
                // What was there may have become shorter, or nothing.
                if place.row < rows {
                    place
                } else if rows > 0 {
                    Place { row: rows - 1, ..place }
                } else {
                    let next = self.next(place, theme);
                    next.or_else(|| self.before(place, theme)).unwrap_or_default()
                }
            }
        }
    }

    pub fn scroll_by(&mut self, rows: isize, theme: &Theme) {
        let top = self.top(theme);
        let place = self.walk(top, rows, theme);
        self.show_at_top(place, theme);
    }

    /// `place` at the top, or the end where that comes sooner.
    pub fn show_at_top(&mut self, place: Place, theme: &Theme) {
        self.scroll = if place >= self.top_of_end(theme) { Scroll::End } else { Scroll::At(place) };
    }

    /// Before the pane is drawn: where all from the top on fits into it, that is the end, and rows of turns that are out
    /// of sight go.
    pub fn settle(&mut self, theme: &Theme) {
        let top = self.top(theme);
        if !self.at_end() {
            let mut below = Some(top);
            for _ in 0..self.height {
                below = below.and_then(|place| self.next(place, theme));
            }
            if below.is_none() {
                self.scroll = Scroll::End;
            }
        }
        self.forget_far(top.turn);
    }

    pub fn show_start(&mut self) {
        if !self.turns.is_empty() {
            self.scroll = Scroll::At(Place::default());
        }
    }

    pub fn show_end(&mut self) {
        self.scroll = Scroll::End;
    }

    /// Scrolls as little as needed for `place` to be in sight, a third from the top if it was not.
    pub fn reveal(&mut self, place: Place, theme: &Theme) {
        let top = self.top(theme);
        let bottom = self.walk(top, self.height.saturating_sub(1) as isize, theme);
        if place < top || place > bottom {
            let above = -((self.height / 3) as isize);
            let top = self.walk(place, above, theme);
            self.show_at_top(top, theme);
        }
    }

    /// The row of the pane at `row` below its top.
    pub fn place_at(&mut self, row: u16, theme: &Theme) -> Option<Place> {
        let mut place = self.top(theme);
        if self.part(place, theme).is_empty() {
            return None;
        }
        for _ in 0..row {
            place = self.next(place, theme)?;
        }
        Some(place)
    }

    pub fn at_end(&self) -> bool {
        self.scroll == Scroll::End
    }

    /// How far down the pane is, from 0 to 1, by turns: whole heights are not known.
    pub fn progress(&mut self, theme: &Theme) -> f64 {
        if self.at_end() || self.turns.is_empty() {
            return 1.0;
        }
        let top = self.top(theme);
        let parts = self.turns.get_mut(top.turn).map_or(1, Turn::parts);
        let within = top.part as f64 / parts.max(1) as f64;
        ((top.turn as f64 + within) / self.turns.len() as f64).clamp(0.0, 1.0)
    }

    /// Rows of turns out of sight are made again when they are needed.
    fn forget_far(&mut self, turn: usize) {
        let turns = &mut self.turns;
        self.laid_out.retain(|index| {
            let is_near = index.abs_diff(turn) <= KEPT;
            if let Some(far) = turns.get_mut(*index).filter(|_| !is_near) {
                far.forget_layout();
            }
            is_near
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, Role};

    fn conversation(turns: usize) -> (Session, Transcript) {
        let mut session = Session::new("", 0);
        for number in 0..turns {
            let role = if number % 2 == 0 { Role::User } else { Role::Assistant };
            session.append(Message::new(role, format!("message {number}")), 0);
        }
        let mut transcript = Transcript::default();
        transcript.replace(&session);
        (session, transcript)
    }

    fn thinking() -> (Session, Transcript, NodeId) {
        let (mut session, mut transcript) = conversation(1);
        let id = session.append(Message::new(Role::Assistant, ""), 0);
        transcript.sync(&session);
        transcript.push_reasoning(id, &"a thought\n".repeat(50));
        transcript.push(id, "text");
        (session, transcript, id)
    }

    #[test]
    fn thoughts_fold_at_the_end_unless_someone_opened_or_reads_them() {
        let theme = Theme::plain();
        let (_, mut unread, id) = thinking();
        unread.finish(id);
        assert!(unread.turns[1].folded);

        let (session, mut opened, id) = thinking();
        opened.fold(1);
        opened.fold(1);
        opened.finish(id);
        assert!(!opened.turns[1].folded);
        opened.fold(1);
        opened.reopen(id, &session);
        opened.finish(id);
        assert!(opened.turns[1].folded);

        let (_, mut read, id) = thinking();
        read.scroll_by(-10, &theme);
        let top = read.top(&theme);
        assert_eq!((top.turn, top.part), (1, REASONING));
        read.finish(id);
        assert!(!read.turns[1].folded);
        assert_eq!(read.top(&theme), top);

        let (_, mut elsewhere, id) = thinking();
        elsewhere.show_start();
        elsewhere.finish(id);
        assert!(elsewhere.turns[1].folded);
    }

    #[test]
    fn what_fits_from_the_top_on_is_the_end() {
        let theme = Theme::plain();
        let (_, mut short) = conversation(2);
        short.show_start();
        short.settle(&theme);
        assert!(short.at_end());

        // A row above each header but the first: 10 turns are 29 rows.
        let (session, mut long) = conversation(10);
        long.show_start();
        (long.height, long.width) = (28, 80);
        long.settle(&theme);
        assert_eq!(long.scroll, Scroll::At(Place::default()));
        long.height = 29;
        long.settle(&theme);
        assert!(long.at_end());

        long.height = 10;
        long.show_start();
        long.settle(&theme);
        assert!(!long.at_end());
        let mut session = session;
        session.rewind_to(session.path().get(2).copied());
        long.sync(&session);
        long.settle(&theme);
        assert!(long.at_end());

        let (_, mut thoughts, _) = thinking();
        thoughts.show_start();
        thoughts.settle(&theme);
        assert!(!thoughts.at_end());
        thoughts.fold(1);
        thoughts.settle(&theme);
        assert!(thoughts.at_end());
    }

    #[test]
    fn turns_far_from_what_is_seen_keep_no_rows() {
        let theme = Theme::plain();
        let (_, mut transcript) = conversation(400);
        for _ in 0..40 {
            transcript.scroll_by(-20, &theme);
            transcript.settle(&theme);
        }
        let laid_out = |transcript: &Transcript| transcript.turns.iter().filter(|turn| turn.laid_out).count();
        assert!(laid_out(&transcript) > KEPT && laid_out(&transcript) < 2 * KEPT + 20, "{}", laid_out(&transcript));
        assert_eq!(transcript.laid_out.len(), laid_out(&transcript));
        transcript.show_start();
        transcript.settle(&theme);
        assert!(laid_out(&transcript) < 20);
        assert_eq!(transcript.part(Place { turn: 399, part: 3, row: 0 }, &theme)[0].text, "message 399");
    }
}
