//! Tests of messages that come piece by piece: that they end as they would have at once, fit every width, cost little.

use ratatui::style::Style;

use super::{Document, Row, light, matches, plain_rows};
use crate::tui::theme::Theme;

/// Something of everything, and what is hard to cut: setext headings, lists that become loose, tables, lazy lines,
/// fences in lists, definitions after their use, formulas, HTML.
const RICH: &str = include_str!("sample.md");

/// Numbers that look random (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

fn all_rows(document: &mut Document, width: u16) -> Vec<Row> {
    let theme = Theme::plain();
    (0..document.block_count()).flat_map(|block| document.block_rows(block, width, &theme).to_vec()).collect()
}

fn texts(document: &mut Document) -> Vec<String> {
    all_rows(document, 40).into_iter().map(|row| row.text).collect()
}

fn pieces(text: &str, numbers: &mut Numbers, longest: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let mut rest = chars.as_slice();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + numbers.below(longest)).min(rest.len()));
        pieces.push(piece.iter().collect());
        rest = after;
    }
    pieces
}

#[test]
fn however_a_message_is_cut_it_ends_the_same() {
    let whole = all_rows(&mut Document::of(RICH), 40);
    for seed in 0..30 {
        let mut numbers = Numbers(seed);
        let mut document = Document::new();
        for piece in pieces(RICH, &mut numbers, 1 + seed as usize * 4) {
            document.push(&piece);
            if numbers.below(3) == 0 {
                let last = document.block_count().saturating_sub(1 + numbers.below(2));
                document.block_rows(last, 40, &Theme::plain());
            }
        }
        document.finish();
        assert_eq!(all_rows(&mut document, 40), whole, "seed {seed}");
    }
}

#[test]
fn on_its_way_a_message_reads_as_all_of_it_so_far() {
    // Without what only the whole text can tell.
    let text = RICH.split("<!-- what only the whole text can tell -->").next().unwrap();
    let mut document = Document::new();
    let mut so_far = String::new();
    for piece in pieces(text, &mut Numbers(7), 9) {
        document.push(&piece);
        so_far.push_str(&piece);
        let mut whole = Document::new();
        whole.push(&so_far);
        assert_eq!(texts(&mut document), texts(&mut whole), "after {so_far:?}");
    }
}

#[test]
fn nothing_breaks_the_width_or_panics() {
    let scraps: Vec<&str> = [
        "a",
        "word ",
        "\u{301}",
        "\u{200d}",
        "\u{200b}",
        "\u{fe0f}",
        "👩",
        "🇩",
        "中",
        "א",
        "ع",
        "\u{202e}",
        "\u{feff}",
        "\x1b[2J",
        "\0",
        "\r",
        "\n",
        "\n\n",
        "\t",
        "    ",
        "- ",
        "1. ",
        "> ",
        "# ",
        "```",
        "~~~\n",
        "|",
        "|-|-|\n",
        "---\n",
        "===\n",
        "*",
        "**",
        "_",
        "~~",
        "`",
        "[",
        "](",
        ")",
        "![",
        "<",
        ">",
        "<br>",
        "&#27;",
        "$",
        "$$",
        "\\(",
        "\\)",
        "\\[",
        "\\",
        "[^1]",
        "[^1]: ",
        ": ",
        "https://a.b/",
        "ｶﾞ",
        "क्",
        "क्ष",
        "\u{ff9e}",
        "\u{1100}",
        "\u{2028}",
        "|a|b|\n",
        "[x] ",
    ]
    .into();
    for seed in 0..400 {
        let mut numbers = Numbers(seed);
        let text: String = (0..numbers.below(120)).map(|_| scraps[numbers.below(scraps.len())]).collect();
        let width = 1 + numbers.below(if seed % 2 == 0 { 12 } else { 200 }) as u16;
        let mut document = Document::new();
        for piece in pieces(&text, &mut numbers, 40) {
            document.push(&piece);
            let rows = all_rows(&mut document, width);
            let plain = plain_rows(&text, width, Style::new());
            for row in rows.iter().chain(&plain) {
                let columns = row.line.width().max(row.columns());
                assert!(columns <= usize::from(width.max(2)), "{columns} > {width}: {row:?} in {text:?}");
                let said: String = row.line.spans.iter().map(|span| span.content.as_ref()).collect();
                assert_eq!(said, row.text);
                assert!(!said.contains(char::is_control), "{said:?}");
                assert!(
                    row.links
                        .iter()
                        .all(|link| link.columns.start < link.columns.end && link.columns.end <= width.max(2))
                );
                let lit: Vec<_> = matches(row, "a").into_iter().map(|columns| (columns, Style::new())).collect();
                light(row, &lit);
            }
        }
        document.finish();
        assert_eq!(all_rows(&mut document, width), all_rows(&mut Document::of(&text), width), "{text:?}");
        assert_eq!(document.text(), text);
    }
}

/// Run with `cargo test --release -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn streaming_costs_what_is_new() {
    let theme = Theme::plain();
    let line = "let value = compute(&input, 42)?; // a comment, \"a string\"\n";
    let kinds: [(&str, String); 4] = [
        ("mixed", RICH.to_owned() + "\n"),
        ("code", line.to_owned()),
        ("list", "- an item with **bold** and `code` in it, long enough for two rows of eighty columns\n".to_owned()),
        (
            "paragraph",
            "Plain words of prose, as they come, and at times some that *matter* more than others. ".to_owned(),
        ),
    ];
    for (kind, unit) in kinds {
        for chars in [50_000, 100_000, 200_000] {
            let head = if kind == "code" { "```rust\n" } else { "" };
            let text: Vec<char> = head.chars().chain(unit.chars().cycle().take(chars)).collect();
            let mut document = Document::new();
            let start = std::time::Instant::now();
            let mut reads = 0;
            for (i, token) in text.chunks(4).enumerate() {
                document.push(&String::from_iter(token));
                if i % 8 == 7 {
                    let last = document.block_count().saturating_sub(1);
                    std::hint::black_box(document.block_rows(last, 80, &theme).len());
                    reads += 1;
                }
            }
            let ms = start.elapsed().as_secs_f64() * 1e3;
            document.finish();
            let start = std::time::Instant::now();
            all_rows(&mut document, 80);
            let finish_ms = start.elapsed().as_secs_f64() * 1e3;
            let start = std::time::Instant::now();
            let rows = all_rows(&mut document, 81).len();
            let other_ms = start.elapsed().as_secs_f64() * 1e3;
            println!(
                "{kind:9} {chars:6}: {ms:8.1} ms, {:.4} ms a read; finish {finish_ms:.1} ms, \
                 all anew {other_ms:.1} ms, {rows} rows",
                ms / f64::from(reads)
            );
        }
    }
}
