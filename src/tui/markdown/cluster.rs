//! What is one character to a terminal: grapheme clusters and the columns that they take.

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::neutralize::neutralize;

/// Longer clusters are taken apart: no script needs as many, and a terminal shows them as it likes.
const MAX_CLUSTER_CHARS: usize = 32;
/// More characters without width than this in a row are dropped: real accents stack up to a handful.
const MAX_ZERO_WIDTH_CHARS: usize = 16;

/// `text` as cells may hold it: neutralized, each line and paragraph separator a space, floods of combining marks cut.
/// Newlines and tabs stay.
pub fn showable(text: &str) -> String {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t')) {
        return text.to_owned();
    }
    let mut shown = neutralize(text);
    if shown.contains(['\u{2028}', '\u{2029}']) {
        shown = shown.replace(['\u{2028}', '\u{2029}'], " ");
    }
    let mut zero_width_chars = 0;
    shown.retain(|c| {
        zero_width_chars = if c.width() == Some(0) { zero_width_chars + 1 } else { 0 };
        zero_width_chars <= MAX_ZERO_WIDTH_CHARS
    });
    shown
}

/// The columns that `text` takes, cluster by cluster.
pub fn columns(text: &str) -> usize {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return text.len();
    }
    Clusters::new(text, usize::MAX).map(|cluster| cluster.columns).sum()
}

/// One grapheme cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster<'a> {
    /// The byte where it starts.
    pub start: usize,
    pub text: &'a str,
    pub columns: usize,
}

impl Cluster<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The clusters of a text, none wider than `max_columns` unless one character alone is.
pub struct Clusters<'a> {
    text: &'a str,
    at: usize,
    max_columns: usize,
}

impl<'a> Clusters<'a> {
    pub fn new(text: &'a str, max_columns: usize) -> Clusters<'a> {
        Clusters { text, at: 0, max_columns }
    }
}

impl<'a> Iterator for Clusters<'a> {
    type Item = Cluster<'a>;

    fn next(&mut self) -> Option<Cluster<'a>> {
        let start = self.at;
        let rest = self.text.get(start..)?;
        let mut chars = rest.chars();
        let first = chars.next()?;
        let (text, columns) = if stands_alone(first) && chars.next().is_none_or(stands_alone) {
            // Nothing joins two of these, so that the rules of Unicode's Annex 29 need not be asked.
            let columns = if first.is_ascii() { 1 } else { first.width().unwrap_or(1) };
            (&rest[..first.len_utf8()], columns)
        } else {
            self.joined(rest)
        };
        self.at += text.len();
        Some(Cluster { start, text, columns })
    }
}

impl<'a> Clusters<'a> {
    fn joined(&self, rest: &'a str) -> (&'a str, usize) {
        // No more than may be used is looked at: a cluster can be as long as the text.
        let window = rest.char_indices().nth(MAX_CLUSTER_CHARS).map_or(rest, |(end, _)| &rest[..end]);
        let text = window.graphemes(true).next().unwrap_or(window);
        let columns = usize::from(text.cell_width());
        if columns <= self.max_columns {
            return (text, columns);
        }
        let mut ends = text.char_indices().skip(1);
        let end = ends.find(|(_, c)| c.width() != Some(0)).map_or(text.len(), |(end, _)| end);
        (&text[..end], usize::from(text[..end].cell_width()))
    }
}

/// Characters between two of which there is always a cluster's boundary, and which have their own width.
fn stands_alone(c: char) -> bool {
    matches!(c, ' '..='~'
        | '\u{c0}'..='\u{2ff}'      // Latin
        | '\u{386}'..='\u{482}'     // Greek, Cyrillic
        | '\u{5d0}'..='\u{5ea}'     // Hebrew
        | '\u{2013}'..='\u{2026}'   // dashes, quotation marks
        | '\u{2500}'..='\u{259f}'   // boxes
        | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30ff}' // kana
        | '\u{4e00}'..='\u{9fff}'   // Han
        | '\u{ff01}'..='\u{ff60}') // full-width forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, max_columns: usize) -> Vec<&str> {
        Clusters::new(text, max_columns).map(|cluster| cluster.text).collect()
    }

    #[test]
    fn what_a_reader_takes_for_one_character_is_one_cluster() {
        let text = "a\u{e9}e\u{301}中👩‍👩‍👧🇩🇪🇫🇷क्षि👍🏽x\u{fe0f}";
        assert_eq!(texts(text, 80), text.graphemes(true).collect::<Vec<_>>());
        assert_eq!(texts("👩‍👩‍👧🇩🇪", 80), ["👩‍👩‍👧", "🇩🇪"]);
        assert_eq!(columns("e\u{301}中👩‍👩‍👧🇩🇪"), 7);
    }

    #[test]
    fn the_shortcut_for_plain_characters_cuts_as_unicode_does() {
        let alone: Vec<char> = ('\0'..='\u{ffff}').filter(|c| stands_alone(*c)).collect();
        for pair in alone.windows(2) {
            for text in [String::from_iter(pair), String::from_iter([pair[1], pair[0]])] {
                assert_eq!(text.graphemes(true).count(), 2, "{text:?}");
                let columns: u16 = text.graphemes(true).map(|cluster| cluster.cell_width()).sum();
                assert_eq!(super::columns(&text), usize::from(columns), "{text:?}");
            }
        }
    }

    #[test]
    fn a_cluster_wider_than_its_room_is_taken_apart() {
        let conjunct = "क्".repeat(20) + "क";
        assert!(Clusters::new(&conjunct, 4).all(|cluster| cluster.columns <= 4));
        assert_eq!(texts(&conjunct, 4).concat(), conjunct);
        let family = "👩\u{200d}".repeat(500) + "👩";
        assert!(Clusters::new(&family, 2).all(|cluster| cluster.text.chars().count() <= MAX_CLUSTER_CHARS));
        assert_eq!(texts(&family, 2).concat(), family);
    }

    #[test]
    fn floods_of_marks_are_cut_and_commands_are_shown() {
        assert_eq!(showable(&("e".to_owned() + &"\u{301}".repeat(5000))).chars().count(), 1 + MAX_ZERO_WIDTH_CHARS);
        assert_eq!(showable("a\x1b[1m\u{202e}b\u{2028}c"), "a␛[1m\u{fffd}b c");
    }
}
