//! Where a row says what is searched for, and what a message says without its layout.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::block::{Block, Inlines, List};
use super::cluster::{Cluster, Clusters};
use super::layout::number;
use super::parse::{Definitions, parse};
use super::wrap::Row;

/// A match, or the part of it that is in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lit {
    pub row: usize,
    pub columns: Range<u16>,
    /// Which match it is.
    pub found: usize,
}

/// `text` as it is searched: small letters, and a single space for blanks. Lines stay.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' {
            folded.push('\n');
        } else if !is_blank(c) {
            if c.is_ascii() { folded.push(c.to_ascii_lowercase()) } else { folded.extend(c.to_lowercase()) }
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded
}

/// What may be dropped where a row ends.
fn is_blank(c: char) -> bool {
    c == ' ' || c.is_whitespace() || c == '\u{200b}'
}

/// What each block of a message says, in the order of its rows: without marks that only decorate, and broken only where
/// the message breaks it.
pub fn block_texts(source: &str) -> Vec<String> {
    let say = |(block, _): (Block, Range<usize>)| {
        let mut text = String::new();
        block_text(&block, &mut text);
        text
    };
    parse(source, &Definitions::new()).blocks.into_iter().map(say).collect()
}

fn block_text(block: &Block, text: &mut String) {
    let line = |text: &mut String, inlines: &Inlines| text.extend([inlines.text.as_str(), "\n"]);
    match block {
        Block::Heading { level, text: heading } => {
            if *level > 2 {
                text.extend(["#".repeat(usize::from(*level)).as_str(), " "]);
            }
            line(text, heading);
        }
        Block::Paragraph(paragraph) => line(text, paragraph),
        Block::Code(code) => {
            if code.fenced {
                text.extend([if code.language.is_empty() { "code" } else { &code.language }, "\n"]);
            }
            text.extend([code.text.as_str(), "\n"]);
        }
        Block::Quote { kind, blocks } => {
            kind.iter().for_each(|kind| text.extend([*kind, "\n"]));
            blocks.iter().for_each(|block| block_text(block, text));
        }
        Block::List(list) => list_text(list, text),
        Block::Rule => {}
        Block::Table(table) => {
            let rows = std::iter::once(&table.head).chain(&table.rows);
            rows.flatten().for_each(|cell| line(text, cell));
        }
        Block::Html(html) => text.extend([html.as_str(), "\n"]),
        Block::Footnote { label, blocks } => {
            text.extend(["[^", label, "] "]);
            blocks.iter().for_each(|block| block_text(block, text));
        }
    }
}

fn list_text(list: &List, text: &mut String) {
    for (i, item) in list.items.iter().enumerate() {
        if let Some(start) = list.start {
            text.push_str(&format!("{}. ", number(start, i)));
        }
        text.push_str(match item.task {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        });
        item.blocks.iter().for_each(|block| block_text(block, text));
    }
}

/// Where in `rows` the stretches `found` (in order) of the folded `text` are. What rows have beside the text, bullets and
/// rules say, is passed over. None where the rows say it in another order, as those of a table with wrapped cells.
pub fn locate(rows: &[Row], text: &str, found: &[Range<usize>]) -> Option<Vec<Lit>> {
    let mut letters = rows.iter().enumerate().flat_map(|(row, of)| {
        let mut column = 0_u16;
        Clusters::new(&of.text, usize::MAX).flat_map(move |Cluster { text, columns, .. }| {
            let columns = column..column.saturating_add(u16::try_from(columns).unwrap_or(u16::MAX));
            column = columns.end;
            let letters = text.chars().flat_map(char::to_lowercase).filter(|c| !is_blank(*c));
            letters.map(move |letter| (letter, row, columns.clone()))
        })
    });
    let mut lit: Vec<Lit> = Vec::with_capacity(found.len());
    let mut next = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| !is_blank(*c)) {
        let (_, row, columns) = letters.find(|(letter, ..)| *letter == c)?;
        while found.get(next).is_some_and(|bytes| bytes.end <= at) {
            next += 1;
        }
        if found.get(next).is_some_and(|bytes| bytes.start <= at) {
            match lit.last_mut() {
                Some(last) if (last.row, last.found) == (row, next) => last.columns.end = columns.end,
                _ => lit.push(Lit { row, columns, found: next }),
            }
        }
    }
    Some(lit)
}

/// The columns of `row` where `needle` stands, without regard to case. Matches do not overlap, and a character that
/// takes part in one does so as a whole.
pub fn matches(row: &Row, needle: &str) -> Vec<Range<u16>> {
    let found = byte_matches(&row.text, needle);
    let mut columns = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    let (mut column, mut start) = (0_u16, None);
    for cluster in Clusters::new(&row.text, usize::MAX) {
        let end = column.saturating_add(u16::try_from(cluster.columns).unwrap_or(u16::MAX));
        if found.peek().is_some_and(|bytes| bytes.start < cluster.end()) {
            let from = *start.get_or_insert(column);
            while found.next_if(|bytes| bytes.end <= cluster.end()).is_some() {
                if start.take().is_some() {
                    columns.push(from..end);
                }
            }
        }
        column = end;
    }
    columns
}

/// The line of `row` with these columns, from left to right, in these styles.
pub fn light(row: &Row, lit: &[(Range<u16>, Style)]) -> Line<'static> {
    let mut lit = lit.iter().peekable();
    let mut marked = Row::default();
    let mut column = 0_u16;
    let mut at = 0;
    let mut spans = row.line.spans.iter();
    let mut span: Option<&Span> = None;
    let mut span_end = 0;
    for cluster in Clusters::new(&row.text, usize::MAX) {
        while span.is_none() || at >= span_end {
            let Some(next) = spans.next() else { break };
            span_end += next.content.len();
            span = Some(next);
        }
        while lit.next_if(|(columns, _)| columns.end <= column).is_some() {}
        let base = span.map_or_else(Style::new, |span| span.style);
        let style = lit.peek().filter(|(columns, _)| cluster.columns > 0 && columns.contains(&column));
        marked.push(cluster.text, style.map_or(base, |(_, style)| base.patch(*style)));
        column = column.saturating_add(u16::try_from(cluster.columns).unwrap_or(u16::MAX));
        at = cluster.end();
    }
    Line { spans: marked.line.spans, ..row.line.clone() }
}

/// The bytes of `text` that match.
fn byte_matches(text: &str, needle: &str) -> Vec<Range<usize>> {
    let needle: String = needle.chars().flat_map(char::to_lowercase).collect();
    if needle.is_empty() {
        return Vec::new();
    }
    // A letter and its small form may differ in length: each byte of the small text knows its letter.
    let mut small = String::with_capacity(text.len());
    let mut letters: Vec<Range<usize>> = Vec::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        small.extend(letter.to_lowercase());
        letters.resize(small.len(), at..at + letter.len_utf8());
    }
    let found = small.match_indices(&needle);
    found.filter_map(|(at, _)| Some(letters.get(at)?.start..letters.get(at + needle.len() - 1)?.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::markdown::Document;
    use crate::tui::theme::Theme;

    fn row(text: &str) -> Row {
        let mut row = Row::default();
        row.push(text, Style::new());
        row
    }

    #[test]
    fn matches_are_columns_whatever_the_case_and_the_width() {
        assert_eq!(matches(&row("中文 Rust rUST"), "rust"), [5..9, 10..14]);
        assert_eq!(matches(&row("a中中文"), "中文"), vec![3..7]);
        assert_eq!(matches(&row("İx ΣΑΣ"), "x σ"), vec![1..4]);
        assert_eq!(matches(&row("aaaa"), "aa"), [0..2, 2..4]);
        assert_eq!(matches(&row("abc"), ""), []);
        assert_eq!(matches(&row("caf e\u{301}"), "e"), vec![4..5]);
    }

    #[test]
    fn a_match_is_lit_over_the_styles_below() {
        let mut row = row("one ");
        row.push("two", Style::new().bold());
        let lit = Style::new().underlined();
        let columns: Vec<_> = matches(&row, "E T").into_iter().map(|columns| (columns, lit)).collect();
        let line = light(&row, &columns);
        let expected = [
            Span::raw("on"),
            Span::styled("e ", lit),
            Span::styled("t", lit.bold()),
            Span::styled("wo", Style::new().bold()),
        ];
        assert_eq!(line.spans, expected);
        assert_eq!(light(&row, &[]).spans, row.line.spans);
    }

    const SOURCE: &str = "# A *title*\n\nOne **two**\nthree `four` &amp; [five](https://a.b) six seven eight nine ten.\n\n\
        > [!NOTE]\n> quoted words that are long enough to wrap\n\n3. [x] first item of a list\n4. second\n   - inner\n\n\
        ### Third\n\n```rust\nlet a\t= \"a string that goes over the end\";\n```\n\n| k | v |\n|---|---|\n| a | b |\n\n\
        漢字かな交じり文が折り返される。\u{200b} x\n";

    #[test]
    fn blocks_say_what_is_shown() {
        let texts: Vec<String> = block_texts(SOURCE).iter().map(|text| folded(text).trim_end().to_owned()).collect();
        let expected = [
            "a title",
            "one two three four & five six seven eight nine ten.",
            "note\nquoted words that are long enough to wrap",
            "3. [x] first item of a list\n4. second\ninner",
            "### third",
            "rust\nlet a = \"a string that goes over the end\";",
            "k\nv\na\nb",
            "漢字かな交じり文が折り返される。 x",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn text_is_found_in_its_rows_at_any_width() {
        let texts = block_texts(SOURCE);
        let mut document = Document::of(SOURCE);
        assert_eq!(document.block_count(), texts.len());
        for width in 12..80 {
            for (block, text) in texts.iter().enumerate() {
                let text = folded(text);
                let rows = document.block_rows(block, width, &Theme::plain());
                // Each word by itself has all its letters lit, and nothing else.
                let words: Vec<&str> = text.split_whitespace().collect();
                let start = |word: &&str| word.as_ptr() as usize - text.as_ptr() as usize;
                let bytes: Vec<_> = words.iter().map(|word| start(word)..start(word) + word.len()).collect();
                let lit = locate(rows, &text, &bytes).unwrap_or_else(|| panic!("block {block} at {width}"));
                for (index, word) in words.iter().enumerate().filter(|(_, word)| word.len() > 3) {
                    let of_word = lit.iter().filter(|lit| lit.found == index);
                    let shown: String = of_word.map(|lit| cut(&rows[lit.row].text, &lit.columns)).collect();
                    assert_eq!(folded(&shown).trim_end(), *word, "block {block} at {width}");
                }
            }
        }
    }

    fn cut(text: &str, columns: &Range<u16>) -> String {
        let mut column = 0;
        let clusters = Clusters::new(text, usize::MAX).filter(|cluster| {
            column += cluster.columns as u16;
            columns.contains(&(column - 1))
        });
        clusters.map(|cluster| cluster.text).collect()
    }

    #[test]
    fn a_match_may_go_over_the_end_of_a_row_but_not_across_cells() {
        let rows = [row("▌ the quick "), row("▌ brown fox")];
        let lit = |row, columns, found| Lit { row, columns, found };
        let text = "the quick brown fox\n";
        let expected = [lit(0, 6..11, 0), lit(1, 2..7, 0), lit(1, 8..11, 1)];
        assert_eq!(locate(&rows, text, &[4..15, 16..19]).unwrap(), expected);
        let rows = [row("alpha │ x"), row("beta  │")];
        assert_eq!(locate(&rows, "alpha beta\nx\n", &[0..5, 11..12]), None);
    }
}
