//! Styled text into rows that fit a width.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cluster::{Cluster, Clusters, columns, showable};

/// What a tab is shown as.
pub const TAB: &str = "    ";

/// One row of a pane.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    pub line: Line<'static>,
    /// The links of this row, from left to right.
    pub links: Vec<Link>,
    /// What the spans of `line` say, joined: for searching.
    pub text: String,
}

/// A part of a row that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Columns within the row.
    pub columns: Range<u16>,
    /// Scheme http, https, mailto or file; neutralized.
    pub url: String,
}

/// A stretch of a text, from the end of the one before to `end` (a byte).
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub end: usize,
    pub style: Style,
    /// Index into [`Styled::links`].
    pub link: Option<usize>,
}

/// Text with styles, showable (see [`showable`]) and without tabs. A newline breaks the row.
#[derive(Debug, Default)]
pub struct Styled<'a> {
    pub text: String,
    pub pieces: Vec<Piece>,
    pub links: &'a [String],
}

/// Where a row may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Between words, and within one only when it is longer than a row. White space at a row's end goes.
    Words,
    /// Anywhere; every blank counts.
    Anywhere,
}

impl Row {
    pub fn push(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        match self.line.spans.last_mut() {
            Some(span) if span.style == style => span.content.to_mut().push_str(text),
            _ => self.line.spans.push(Span::styled(text.to_owned(), style)),
        }
    }

    /// Puts `prefix` before everything else.
    pub fn indent(&mut self, prefix: &[(String, Style)]) {
        let text: String = prefix.iter().map(|(text, _)| text.as_str()).collect();
        if text.is_empty() || (self.text.is_empty() && text.trim().is_empty()) {
            return;
        }
        let shift = u16::try_from(columns(&text)).unwrap_or(u16::MAX);
        for link in &mut self.links {
            link.columns = link.columns.start.saturating_add(shift)..link.columns.end.saturating_add(shift);
        }
        self.text.insert_str(0, &text);
        let spans = prefix.iter().filter(|(text, _)| !text.is_empty());
        self.line.spans.splice(0..0, spans.map(|(text, style)| Span::styled(text.clone(), *style)));
    }

    /// Adds `other` to the right.
    pub fn append(&mut self, other: Row) {
        let shift = u16::try_from(self.columns()).unwrap_or(u16::MAX);
        self.links.extend(other.links.into_iter().map(|link| Link {
            columns: link.columns.start.saturating_add(shift)..link.columns.end.saturating_add(shift),
            url: link.url,
        }));
        self.text.push_str(&other.text);
        self.line.spans.extend(other.line.spans);
    }

    /// The columns that are taken.
    pub fn columns(&self) -> usize {
        columns(&self.text)
    }
}

/// Text without Markdown: what a person wrote, or a model's reasoning. Lines stay lines.
pub fn plain_rows(text: &str, width: u16, style: Style) -> Vec<Row> {
    let text = showable(text).replace('\t', TAB);
    let pieces = vec![Piece { end: text.len(), style, link: None }];
    wrap(&Styled { text, pieces, links: &[] }, width, Break::Words)
}

/// The rows of `styled`, each at most `width` columns wide (at least two). At least one row.
pub fn wrap(styled: &Styled, width: u16, breaks: Break) -> Vec<Row> {
    let width = usize::from(width.max(2));
    let mut rows = Vec::new();
    let mut next_piece = 0;
    let mut emit = |span| rows.push(row(styled, span, &mut next_piece));
    let mut line_start = 0;
    for line in styled.text.split('\n') {
        match breaks {
            Break::Words => words(line, line_start, width, &mut emit),
            Break::Anywhere => anywhere(line, line_start, width, &mut emit),
        }
        line_start += line.len() + 1;
    }
    rows
}

fn anywhere(line: &str, offset: usize, width: usize, emit: &mut impl FnMut(Range<usize>)) {
    let (mut start, mut taken) = (0, 0);
    for cluster in Clusters::new(line, width) {
        if taken + cluster.columns > width {
            emit(offset + start..offset + cluster.start);
            (start, taken) = (cluster.start, 0);
        }
        taken += cluster.columns;
    }
    emit(offset + start..offset + line.len());
}

fn words(line: &str, offset: usize, width: usize, emit: &mut impl FnMut(Range<usize>)) {
    // The row so far: where it starts, how wide it is, where its last cluster that is not white space ends.
    let (mut start, mut taken, mut content_end) = (0, 0, 0);
    // The last place to break at: where the row would end, where the next one would start, the columns up to there.
    let mut chance: Option<(usize, usize, usize)> = None;
    let mut before = Before::default();
    for cluster in Clusters::new(line, width) {
        let blank = is_blank(cluster.text);
        if !blank {
            if cluster.start > start && content_end > start && before.may_break(&cluster) {
                chance = Some((content_end, cluster.start, taken));
            }
            // Twice where the rest of the row after its last chance leaves no room for a wide cluster.
            while taken + cluster.columns > width && cluster.start > start {
                match chance.take() {
                    Some((row_end, next_start, columns)) => {
                        emit(offset + start..offset + row_end);
                        (start, taken) = (next_start, taken - columns);
                    }
                    None => {
                        // Blanks alone make no row of their own.
                        if content_end > start {
                            emit(offset + start..offset + cluster.start);
                        }
                        (start, taken) = (cluster.start, 0);
                    }
                }
            }
            content_end = cluster.end();
        }
        taken += cluster.columns;
        before.is_now(&cluster);
    }
    emit(offset + start..offset + content_end.max(start));
}

/// A zero-width space is a place to break, as other blanks are. A no-break space is not.
fn is_blank(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let first = chars.next();
    let blank =
        |c| matches!(c, ' ' | '\u{1680}' | '\u{2000}'..='\u{2006}' | '\u{2008}'..='\u{200b}' | '\u{205f}' | '\u{3000}');
    first.is_some_and(blank) && chars.next().is_none()
}

/// What stands before a cluster, as far as breaking a row there depends on it.
#[derive(Default)]
struct Before {
    blank: bool,
    wide: bool,
    last: Option<char>,
    /// Whether a letter or digit stood before `last`.
    after_word: bool,
}

impl Before {
    fn is_now(&mut self, cluster: &Cluster) {
        self.after_word = self.last.is_some_and(char::is_alphanumeric);
        self.last = cluster.text.chars().next_back();
        self.blank = is_blank(cluster.text);
        self.wide = cluster.columns >= 2 && !cluster.text.starts_with(is_hangul);
    }

    fn may_break(&self, cluster: &Cluster) -> bool {
        let (Some(last), Some(next)) = (self.last, cluster.text.chars().next()) else { return false };
        if self.blank {
            return true;
        }
        if matches!(last, '-' | '\u{2013}') {
            return self.after_word && next.is_alphabetic();
        }
        let wide = self.wide || (cluster.columns >= 2 && !is_hangul(next));
        last == '\u{2014}' && !starts_no_row(next) || wide && !starts_no_row(next) && !ends_no_row(last)
    }
}

/// Korean is written with spaces between its words.
fn is_hangul(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{ac00}'..='\u{d7fb}')
}

fn starts_no_row(c: char) -> bool {
    "!),.:;?]}%\"'\u{a0}\u{2019}\u{201d}\u{2026}、。々〉》」』】〕〗ぁぃぅぇぉっゃゅょァィゥェォッャュョー！），．：；？］｝～".contains(c)
}

fn ends_no_row(c: char) -> bool {
    "([{\"'\u{a0}\u{2018}\u{201c}〈《「『【〔〖（［｛￥＄".contains(c)
}

/// The row of the bytes `span`. Rows come in order; `next_piece` is where the one before left off.
fn row(styled: &Styled, span: Range<usize>, next_piece: &mut usize) -> Row {
    let mut row = Row { text: String::with_capacity(span.len()), ..Row::default() };
    let mut start = span.start;
    while start < span.end {
        while styled.pieces.get(*next_piece).is_some_and(|piece| piece.end <= start) {
            *next_piece += 1;
        }
        let (piece_end, style, link) = match styled.pieces.get(*next_piece) {
            Some(piece) => (piece.end, piece.style, piece.link),
            None => (span.end, Style::new(), None),
        };
        let end = cluster_end(&styled.text, start, piece_end.min(span.end), span.end);
        let Some(text) = styled.text.get(start..end) else { break };
        if let Some(url) = link.and_then(|link| styled.links.get(link)) {
            add_link(&mut row, text, url);
        }
        row.push(text, style);
        start = end;
    }
    row
}

/// `end`, or where the cluster ends that `end` would cut: a mark looks as its base does.
fn cluster_end(all: &str, start: usize, end: usize, row_end: usize) -> usize {
    let next = all.get(end..row_end).and_then(|rest| rest.chars().next());
    if next.is_none_or(|c| c.is_ascii()) {
        return end;
    }
    let Some(rest) = all.get(start..row_end) else { return end };
    Clusters::new(rest, usize::MAX).map(|cluster| start + cluster.end()).find(|at| *at >= end).unwrap_or(end)
}

fn add_link(row: &mut Row, text: &str, url: &str) {
    let start = u16::try_from(row.columns()).unwrap_or(u16::MAX);
    let end = start.saturating_add(u16::try_from(columns(text)).unwrap_or(u16::MAX));
    match row.links.last_mut() {
        Some(link) if link.columns.end == start && link.url == url => link.columns.end = end,
        _ => row.links.push(Link { columns: start..end, url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, width: u16) -> Vec<String> {
        plain_rows(text, width, Style::new()).into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn rows_break_between_words_and_a_long_word_is_cut() {
        assert_eq!(texts("the quick  brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(texts("a abcdefghij b", 4), ["a", "abcd", "efgh", "ij b"]);
        assert_eq!(texts("a well-known fact -1", 7), ["a well-", "known", "fact -1"]);
        assert_eq!(texts("one\n\n  two", 80), ["one", "", "  two"]);
        assert_eq!(texts("", 80), [""]);
        assert_eq!(texts("     ab", 4), ["ab"]);
        assert_eq!(texts("a bcd👩", 4), ["a", "bcd", "👩"]);
    }

    #[test]
    fn wide_characters_break_anywhere_but_at_their_punctuation() {
        assert_eq!(texts("中文字符很多", 5), ["中文", "字符", "很多"]);
        assert_eq!(texts("中文。字", 5), ["中", "文。", "字"]);
        assert_eq!(texts("한국어 문장", 7), ["한국어", "문장"]);
    }

    #[test]
    fn clusters_stay_whole() {
        assert_eq!(texts("👩‍👩‍👧👩‍👩‍👧🇩🇪", 3), ["👩‍👩‍👧", "👩‍👩‍👧", "🇩🇪"]);
        assert_eq!(texts("abe\u{301}d", 3), ["abe\u{301}", "d"]);
    }

    #[test]
    fn a_mark_looks_as_its_base_and_links_know_their_columns() {
        let bold = Style::new().bold();
        let links = ["https://a.b".to_owned()];
        let piece = |end, style, link| Piece { end, style, link };
        let pieces = vec![piece(4, bold, None), piece(10, Style::new(), Some(0))];
        let rows = wrap(&Styled { text: "中e\u{301} xyz".into(), pieces, links: &links }, 5, Break::Words);
        assert_eq!(rows[0].line.spans, [Span::styled("中e\u{301}", bold)]);
        assert_eq!(rows[1].links, [Link { columns: 0..3, url: links[0].clone() }]);
    }
}
