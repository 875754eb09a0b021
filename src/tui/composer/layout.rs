//! Soft wrapping: lines as rows of a width, and which cell a place in the text has.
//!
//! Rows break after spaces, beside wide characters and beside chips; within a word only where it is wider than a row.
//! One space may hang over the row's end, in the column that is kept free for the cursor.

use std::borrow::Cow;
use std::sync::Arc;

use ratatui::buffer::CellWidth;

use super::text::{CHIP, Line, Pos, Text};
use crate::neutralize::neutralize;

/// In cells.
const TAB_WIDTH: u16 = 4;
/// Shown in place of a character that has no width of its own, or that breaks lines where the composer does not.
const NO_WIDTH: &str = "◌";

/// The bytes of a line that one row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub start: usize,
    pub end: usize,
}

/// What a grapheme or chip looks like on the screen, tabs left aside: nothing that a terminal obeys.
pub fn shown<'a>(line: &'a Line, byte: usize) -> Cow<'a, str> {
    if let Some(chip) = line.chip(byte) {
        return Cow::Borrowed(&chip.label);
    }
    let grapheme = line.grapheme(byte);
    match grapheme.as_bytes() {
        [b' '..=b'~'] => Cow::Borrowed(grapheme),
        _ if ["\u{2028}", "\u{2029}"].contains(&grapheme) => Cow::Borrowed(NO_WIDTH),
        _ => {
            let harmless = neutralize(grapheme);
            if harmless.cell_width() == 0 { Cow::Borrowed(NO_WIDTH) } else { Cow::Owned(harmless) }
        }
    }
}

/// How many cells the grapheme or chip at `byte` takes in a row of `width` cells when it starts at `column`, never 0.
pub fn cells(line: &Line, byte: usize, column: u16, width: u16) -> u16 {
    let cells = match line.text.as_bytes().get(byte) {
        Some(b'\t') => TAB_WIDTH - column % TAB_WIDTH,
        Some(b' '..=b'~') if line.next(byte) == byte + 1 => 1,
        _ => shown(line, byte).cell_width(),
    };
    cells.clamp(1, width.max(1))
}

/// Whether a row may break between the graphemes at `before` and `after`.
fn may_break(line: &Line, before: usize, after: usize) -> bool {
    let bytes = line.text.as_bytes();
    let plain = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii() && *b != CHIP as u8);
    if plain(before) && plain(after) {
        return matches!(bytes[before], b' ' | b'\t');
    }
    let wide = |at: usize| {
        let grapheme = line.grapheme(at);
        grapheme.starts_with(CHIP) || (grapheme.len() > 1 && grapheme.cell_width() > 1)
    };
    line.grapheme(before).chars().all(char::is_whitespace) || wide(before) || wide(after)
}

/// The rows of `line`: at least one.
pub fn rows(line: &Line, width: u16) -> Arc<[Row]> {
    let width = width.max(1);
    line.rows_at(width, || wrap(line, width))
}

fn wrap(line: &Line, width: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut start, mut column, mut at) = (0, 0, 0);
    let mut before = None;
    let mut last_break = None;
    while at < line.len() {
        if let Some(before) = before
            && at > start
            && may_break(line, before, at)
        {
            last_break = Some(at);
        }
        let needs = cells(line, at, column, width);
        let next = line.next(at);
        if column + needs > width && at > start {
            let hangs = column == width && line.grapheme(at) == " ";
            let cut = if hangs { next } else { last_break.unwrap_or(at) };
            if cut == line.len() {
                break;
            }
            rows.push(Row { start, end: cut });
            (start, last_break) = (cut, None);
            at = at.max(cut);
            column = column_between(line, start, at, width);
            before = (at > start).then(|| line.previous(at));
            continue;
        }
        column += needs;
        before = Some(at);
        at = next;
    }
    rows.push(Row { start, end: line.len() });
    rows
}

/// How many rows `line` takes.
pub fn row_count(line: &Line, width: u16) -> usize {
    // A short line needs no look: only tabs and chips have more cells than bytes.
    if line.len() <= width as usize && !line.text.contains(['\t', CHIP]) {
        return 1;
    }
    rows(line, width).len()
}

/// The index of the row that shows the cursor at `byte`.
pub fn row_of(rows: &[Row], byte: usize) -> usize {
    rows.partition_point(|row| row.start <= byte).saturating_sub(1)
}

/// The column of `byte` in a row that starts at `start`.
pub fn column_between(line: &Line, start: usize, byte: usize, width: u16) -> u16 {
    let (mut column, mut at) = (0u16, start);
    while at < byte.min(line.len()) {
        column = column.saturating_add(cells(line, at, column, width));
        at = line.next(at);
    }
    column
}

/// The place in `row` that is drawn at `column`: of a wide character or chip its start, past the row's text its end.
pub fn byte_at(line: &Line, row: Row, column: u16, width: u16) -> usize {
    let (mut reached, mut at) = (0u16, row.start);
    while at < row.end {
        reached = reached.saturating_add(cells(line, at, reached, width));
        if reached > column {
            return at;
        }
        at = line.next(at);
    }
    row_end(line, row)
}

/// The last place that is shown in `row`: its end is the next row's start, except at the line's end.
pub fn row_end(line: &Line, row: Row) -> usize {
    if row.end < line.len() { line.previous(row.end).max(row.start) } else { row.end }
}

/// A row of the text: the line, and which of the line's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowAt {
    pub line: usize,
    pub row: usize,
}

/// The row that shows `pos`.
pub fn row_at(text: &Text, pos: Pos, width: u16) -> RowAt {
    RowAt { line: pos.line, row: row_of(&rows(text.line(pos.line), width), pos.byte) }
}

/// The row `count` rows above `at`, or the first.
pub fn above(text: &Text, at: RowAt, count: usize, width: u16) -> RowAt {
    let (mut at, mut left) = (at, count);
    while left > at.row {
        if at.line == 0 {
            return RowAt { line: 0, row: 0 };
        }
        left -= at.row + 1;
        at.line -= 1;
        at.row = row_count(text.line(at.line), width) - 1;
    }
    RowAt { line: at.line, row: at.row - left }
}

/// How many rows lie between `from` and a later `to`; `None` when they are `limit` or more.
pub fn distance(text: &Text, from: RowAt, to: RowAt, limit: usize, width: u16) -> Option<usize> {
    if from.line == to.line {
        return Some(to.row.checked_sub(from.row)?).filter(|distance| *distance < limit);
    }
    let mut distance = row_count(text.line(from.line), width).checked_sub(from.row)?;
    for line in from.line + 1..to.line {
        if distance >= limit {
            return None;
        }
        distance += row_count(text.line(line), width);
    }
    Some(distance + to.row).filter(|distance| *distance < limit)
}

#[cfg(test)]
mod tests {
    use super::super::chip::Chip;
    use super::super::text::Fragment;
    use super::*;

    fn text(fragment: &Fragment) -> Text {
        let mut text = Text::new();
        text.replace(Pos::default(), Pos::default(), fragment);
        text
    }

    fn wrapped(of: &str, width: u16) -> Vec<String> {
        let text = text(&Fragment::plain(of));
        let line = text.line(0);
        rows(line, width).iter().map(|row| line.text[row.start..row.end].to_owned()).collect()
    }

    #[test]
    fn rows_break_after_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("the quick brown", 9), ["the quick ", "brown"]);
        assert_eq!(wrapped("the quick brown", 8), ["the ", "quick ", "brown"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij ", "kl"]);
        assert_eq!(wrapped("abcd ", 4), ["abcd "]);
        assert_eq!(wrapped("abcd  e", 4), ["abcd ", " e"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn wide_characters_are_never_cut_in_two() {
        assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrapped("ab漢", 3), ["ab", "漢"]);
        assert_eq!(wrapped("漢字", 1), ["漢", "字"]);
        assert_eq!(wrapped("👩‍👧👩‍👧", 3), ["👩‍👧", "👩‍👧"]);
    }

    #[test]
    fn a_chip_is_one_piece_even_when_it_is_wider_than_the_row() {
        let mut all = Fragment::plain("see ");
        all.append(Fragment::chip(Chip::of_file("notes.txt", String::new())));
        all.append(Fragment::plain(" x"));
        let text = text(&all);
        let line = text.line(0);
        assert_eq!(*rows(line, 10), [Row { start: 0, end: 4 }, Row { start: 4, end: 6 }, Row { start: 6, end: 7 }]);
        assert_eq!(cells(line, 4, 0, 10), 10);
        assert_eq!(shown(line, 4), "[notes.txt 0 B]");
    }

    #[test]
    fn tabs_go_to_the_next_stop_and_controls_are_shown() {
        let text = text(&Fragment::plain("a\tb\u{202e}\u{200b}"));
        let line = text.line(0);
        assert_eq!(column_between(line, 0, 2, 20), 4);
        assert_eq!(shown(line, 3), "\u{fffd}");
        assert_eq!(shown(line, 6), "◌");
        assert_eq!(column_between(line, 0, line.len(), 20), 7);
    }

    #[test]
    fn rows_are_counted_across_lines() {
        let text = text(&Fragment::plain("abcdef\n\nabc"));
        let last = row_at(&text, text.end(), 3);
        assert_eq!(last, RowAt { line: 2, row: 0 });
        assert_eq!(above(&text, last, 2, 3), RowAt { line: 0, row: 1 });
        assert_eq!(above(&text, last, 9, 3), RowAt { line: 0, row: 0 });
        assert_eq!(distance(&text, RowAt { line: 0, row: 0 }, last, 9, 3), Some(3));
        assert_eq!(distance(&text, RowAt { line: 0, row: 0 }, last, 3, 3), None);
    }
}
