//! The text: lines of graphemes and chips, changed by one operation.

use std::cell::Cell;
use std::sync::Arc;

use unicode_segmentation::GraphemeCursor;

use super::chip::Chip;
use super::layout::Row;
use crate::neutralize::neutralize;

/// Stands for a chip within a line. Typed or pasted text cannot hold it, as `clean` replaces all such controls.
/// As a control it is a grapheme of its own, whatever stands beside it.
pub const CHIP: char = '\x1a';

/// A place between two graphemes: the line, and the byte within it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    pub line: usize,
    pub byte: usize,
}

impl Pos {
    pub fn new(line: usize, byte: usize) -> Pos {
        Pos { line, byte }
    }
}

/// `text` as the composer holds it: `\r\n` and `\r` are newlines, and other C0 and C1 controls are shown by symbols for
/// good. Bidi controls stay, and are neutralised only where they are drawn.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' => {
                characters.next_if_eq(&'\n');
                clean.push('\n');
            }
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => clean.push_str(&neutralize(c.encode_utf8(&mut [0; 4]))),
            c => clean.push(c),
        }
    }
    clean
}

/// A piece of text with its chips: the k-th `CHIP` of `text` is `chips[k]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragment {
    pub text: String,
    pub chips: Vec<Arc<Chip>>,
}

impl Fragment {
    /// Cleaned text without chips.
    pub fn plain(text: &str) -> Fragment {
        Fragment { text: clean(text), chips: Vec::new() }
    }

    pub fn chip(chip: Chip) -> Fragment {
        Fragment { text: CHIP.to_string(), chips: vec![Arc::new(chip)] }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn append(&mut self, mut other: Fragment) {
        self.text.push_str(&other.text);
        self.chips.append(&mut other.chips);
    }

    /// The place where it ends once it has been put at `at`.
    pub fn end(&self, at: Pos) -> Pos {
        match self.text.rfind('\n') {
            Some(last) => Pos::new(at.line + self.text.matches('\n').count(), self.text.len() - last - 1),
            None => Pos::new(at.line, at.byte + self.text.len()),
        }
    }

    /// Pasted chips as their whole text, files left out.
    pub fn expanded(&self) -> String {
        let mut chips = self.chips.iter();
        let mut expanded = String::with_capacity(self.text.len());
        for (at, piece) in self.text.split(CHIP).enumerate() {
            if at > 0
                && let Some(chip) = chips.next().filter(|chip| chip.file.is_none())
            {
                expanded.push_str(&chip.text);
            }
            expanded.push_str(piece);
        }
        expanded
    }

    /// The same without its files.
    pub fn without_files(&self) -> Fragment {
        let mut chips = self.chips.iter();
        let mut kept = Fragment::default();
        for c in self.text.chars() {
            if c != CHIP {
                kept.text.push(c);
            } else if let Some(chip) = chips.next().filter(|chip| chip.file.is_none()) {
                kept.text.push(c);
                kept.chips.push(chip.clone());
            }
        }
        kept
    }
}

/// One line, without its newline; the k-th `CHIP` of `text` is `chips[k]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    chips: Vec<Arc<Chip>>,
    rows: WrappedRows,
}

/// The rows that a line was last wrapped to, and their width; part of no comparison and no copy.
#[derive(Default)]
struct WrappedRows(Cell<Option<(u16, Arc<[Row]>)>>);

impl Clone for WrappedRows {
    fn clone(&self) -> WrappedRows {
        WrappedRows::default()
    }
}

impl PartialEq for WrappedRows {
    fn eq(&self, _: &WrappedRows) -> bool {
        true
    }
}

impl Eq for WrappedRows {}

impl std::fmt::Debug for WrappedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("WrappedRows")
    }
}

impl Line {
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// The rows at `width`: of the last time, or else as `wrap` has them.
    pub fn rows_at(&self, width: u16, wrap: impl Fn() -> Vec<Row>) -> Arc<[Row]> {
        let rows = match self.rows.0.take() {
            Some((of, rows)) if of == width => rows,
            _ => wrap().into(),
        };
        self.rows.0.set(Some((width, rows.clone())));
        rows
    }

    /// The grapheme's end that starts at `byte`; the line's end at the end.
    pub fn next(&self, byte: usize) -> usize {
        let bytes = self.text.as_bytes();
        match (bytes.get(byte), bytes.get(byte + 1)) {
            (None, _) => bytes.len(),
            (Some(this), None) if this.is_ascii() => byte + 1,
            // Without carriage returns, two ASCII characters are two graphemes.
            (Some(this), Some(next)) if this.is_ascii() && next.is_ascii() => byte + 1,
            _ => {
                let mut cursor = GraphemeCursor::new(byte, bytes.len(), true);
                cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(bytes.len())
            }
        }
    }

    /// The start of the grapheme that ends at `byte`; 0 at the start.
    pub fn previous(&self, byte: usize) -> usize {
        let bytes = self.text.as_bytes();
        let byte = byte.min(bytes.len());
        match byte {
            0 | 1 => 0,
            _ if bytes[byte - 1].is_ascii() && bytes[byte - 2].is_ascii() => byte - 1,
            _ => {
                let mut cursor = GraphemeCursor::new(byte, bytes.len(), true);
                cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
            }
        }
    }

    /// `byte`, or the next place after it that is between graphemes.
    fn snap(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.len());
        while !self.text.is_char_boundary(byte) {
            byte += 1;
        }
        let between = GraphemeCursor::new(byte, self.len(), true).is_boundary(&self.text, 0).unwrap_or(true);
        if between { byte } else { self.next(byte) }
    }

    /// The grapheme at `byte`; empty at the end.
    pub fn grapheme(&self, byte: usize) -> &str {
        self.text.get(byte..self.next(byte)).unwrap_or_default()
    }

    /// The chip at `byte`, where there is one.
    pub fn chip(&self, byte: usize) -> Option<&Chip> {
        if self.chips.is_empty() || !self.text.get(byte..)?.starts_with(CHIP) {
            return None;
        }
        self.chips.get(self.chips_before(byte)).map(Arc::as_ref)
    }

    fn chips_before(&self, byte: usize) -> usize {
        match self.chips.is_empty() {
            true => 0,
            false => self.text.bytes().take(byte).filter(|b| *b == CHIP as u8).count(),
        }
    }

    fn slice(&self, from: usize, to: usize) -> Fragment {
        let text = self.text.get(from..to).unwrap_or_default().to_owned();
        let chips = self.chips.get(self.chips_before(from)..self.chips_before(to)).unwrap_or_default().to_vec();
        Fragment { text, chips }
    }
}

/// All lines: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Line>,
}

impl Text {
    pub fn new() -> Text {
        Text { lines: vec![Line::default()] }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.len() == 1 && self.lines[0].text.is_empty()
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Line `at`, or the last.
    pub fn line(&self, at: usize) -> &Line {
        &self.lines[at.min(self.lines.len() - 1)]
    }

    pub fn end(&self) -> Pos {
        let last = self.lines.len() - 1;
        Pos::new(last, self.lines[last].len())
    }

    /// The place after the grapheme, chip or newline at `pos`; `None` at the end.
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        let line = self.line(pos.line);
        if pos.byte < line.len() {
            Some(Pos::new(pos.line, line.next(pos.byte)))
        } else {
            (pos.line + 1 < self.lines()).then(|| Pos::new(pos.line + 1, 0))
        }
    }

    /// The place before the grapheme, chip or newline that ends at `pos`; `None` at the start.
    pub fn previous(&self, pos: Pos) -> Option<Pos> {
        if pos.byte > 0 {
            return Some(Pos::new(pos.line, self.line(pos.line).previous(pos.byte)));
        }
        let line = pos.line.checked_sub(1)?;
        Some(Pos::new(line, self.line(line).len()))
    }

    /// `pos` moved to the nearest place within the text and between graphemes.
    pub fn snap(&self, pos: Pos) -> Pos {
        match self.lines.get(pos.line) {
            Some(line) => Pos::new(pos.line, line.snap(pos.byte)),
            None => self.end(),
        }
    }

    pub fn slice(&self, from: Pos, to: Pos) -> Fragment {
        if from.line == to.line {
            return self.line(from.line).slice(from.byte, to.byte);
        }
        let mut fragment = self.line(from.line).slice(from.byte, self.line(from.line).len());
        for line in self.lines.get(from.line + 1..to.line).unwrap_or_default() {
            fragment.text.push('\n');
            fragment.text.push_str(&line.text);
            fragment.chips.extend_from_slice(&line.chips);
        }
        fragment.text.push('\n');
        fragment.append(self.line(to.line).slice(0, to.byte));
        fragment
    }

    pub fn whole(&self) -> Fragment {
        self.slice(Pos::default(), self.end())
    }

    /// Puts `with` in the place of what lies between `from` and `to`, both on character boundaries and within the text,
    /// and returns what lay there. Costs the touched lines, not the whole text.
    pub fn replace(&mut self, from: Pos, to: Pos, with: &Fragment) -> Fragment {
        let removed = self.slice(from, to);
        let chips = self.line(from.line).chips_before(from.byte);
        if from.line == to.line && !with.text.contains('\n') {
            let line = &mut self.lines[from.line];
            line.text.replace_range(from.byte..to.byte, &with.text);
            line.chips.splice(chips..chips + removed.chips.len(), with.chips.iter().cloned());
            line.rows = WrappedRows::default();
            return removed;
        }
        let tail = self.line(to.line).slice(to.byte, self.line(to.line).len());
        let mut head = self.line(from.line).slice(0, from.byte);
        head.append(with.clone());
        head.append(tail);
        self.lines.splice(from.line..=to.line, lines_of(head));
        removed
    }
}

fn lines_of(fragment: Fragment) -> Vec<Line> {
    let mut chips = fragment.chips.into_iter();
    fragment
        .text
        .split('\n')
        .map(|text| Line {
            text: text.to_owned(),
            chips: chips.by_ref().take(text.matches(CHIP).count()).collect(),
            rows: WrappedRows::default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> Text {
        let mut text = Text::new();
        text.replace(Pos::default(), Pos::default(), &Fragment::plain(of));
        text
    }

    #[test]
    fn what_comes_in_keeps_lines_and_tabs_and_no_other_control() {
        assert_eq!(clean("a\r\nb\rc\td\x1b[m\x1a\u{9b}\u{202e}"), "a\nb\nc\td␛[m␚\u{fffd}\u{202e}");
    }

    #[test]
    fn a_step_is_a_grapheme_or_a_newline() {
        let text = text("e\u{301}👩‍👧漢\nx");
        let mut at = Some(Pos::default());
        let mut steps = Vec::new();
        while let Some(pos) = at {
            steps.push((pos.line, pos.byte));
            at = text.next(pos);
        }
        assert_eq!(steps, [(0, 0), (0, 3), (0, 14), (0, 17), (1, 0), (1, 1)]);
        let mut back = vec![(1, 1)];
        let mut pos = text.end();
        while let Some(before) = text.previous(pos) {
            back.insert(0, (before.line, before.byte));
            pos = before;
        }
        assert_eq!(back, steps);
    }

    #[test]
    fn what_is_replaced_can_be_put_back_with_its_chips() {
        let mut text = text("one\ntwo\nthree");
        let chip = Fragment::chip(Chip::of_file("f", "content".to_owned()));
        text.replace(Pos::new(1, 1), Pos::new(1, 1), &chip);
        let before = text.clone();
        let with = Fragment::plain("X\nY");
        let removed = text.replace(Pos::new(0, 2), Pos::new(2, 1), &with);
        assert_eq!(removed.text, format!("e\nt{CHIP}wo\nt"));
        assert_eq!(text.whole().text, "onX\nYhree");
        text.replace(Pos::new(0, 2), with.end(Pos::new(0, 2)), &removed);
        assert_eq!(text, before);
        assert_eq!(text.line(1).chip(1).map(|chip| chip.text.as_str()), Some("content"));
    }

    #[test]
    fn a_place_within_a_grapheme_moves_to_its_end() {
        let text = text("e\u{301}x");
        assert_eq!(text.snap(Pos::new(0, 1)), Pos::new(0, 3));
        assert_eq!(text.snap(Pos::new(0, 2)), Pos::new(0, 3));
        assert_eq!(text.snap(Pos::new(5, 9)), Pos::new(0, 4));
    }

    #[test]
    fn pasted_chips_count_as_text_and_files_do_not() {
        let long = "line\n".repeat(9);
        let mut all = Fragment::plain("a ");
        all.append(Fragment::chip(Chip::of_paste(&long).unwrap()));
        all.append(Fragment::chip(Chip::of_file("f", "content".to_owned())));
        all.append(Fragment::plain(" b"));
        assert_eq!(all.expanded(), format!("a {long} b"));
        assert_eq!(all.without_files().chips.len(), 1);
        assert_eq!(all.without_files().expanded(), all.expanded());
    }
}
