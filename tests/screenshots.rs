//! Pictures of the screen for people: SVG files from the cells of a terminal, in `tests/screens/`. To renew them:
//! `cargo test --test screenshots -- --ignored`.
#![cfg(unix)]

mod common;

use std::fmt::Write;
use std::path::Path;

use common::terminal::{Setup, Terminal};
use common::{Home, parrot};

/// Of one cell, and the window's edges, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const FONT_SIZE: f64 = 14.0;
const BASELINE: f64 = 13.5;
const EDGE: f64 = 12.0;
const BAR: f64 = 30.0;

/// The ground and the ink of the terminal, and its 16 colours.
struct Palette {
    ground: &'static str,
    ink: &'static str,
    bar: &'static str,
    colours: [&'static str; 16],
}

const DARK: Palette = Palette {
    ground: "#14191f",
    ink: "#d5dae0",
    bar: "#222a33",
    colours: [
        "#14191f", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c5ccd6", "#5c6773", "#ff8a92",
        "#b4dc95", "#f5d79a", "#86c6ff", "#dd9bf0", "#7ad3de", "#ffffff",
    ],
};

const LIGHT: Palette = Palette {
    ground: "#fbfbf8",
    ink: "#24292f",
    bar: "#e6e6e0",
    colours: [
        "#24292f", "#b3261e", "#2f6f2f", "#8a6100", "#0b5cad", "#8b2fa0", "#0e6f78", "#d0d0ca", "#6a737d", "#c8453d",
        "#3f8a3f", "#a67b12", "#2f7fd0", "#a24fb8", "#268c95", "#fbfbf8",
    ],
};

/// How a cell looks.
#[derive(Clone, PartialEq)]
struct Look {
    ink: String,
    ground: Option<String>,
    bold: bool,
    italic: bool,
    underline: bool,
    dim: bool,
}

fn colour(colour: vt100::Color, palette: &Palette) -> Option<String> {
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        vt100::Color::Idx(index @ 0..16) => Some(palette.colours[usize::from(index)].to_owned()),
        // xterm's cube of 6 x 6 x 6 and its 24 greys.
        vt100::Color::Idx(index @ 16..232) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = index - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        vt100::Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}

fn look(cell: &vt100::Cell, palette: &Palette) -> Look {
    let (mut ink, mut ground) = (colour(cell.fgcolor(), palette), colour(cell.bgcolor(), palette));
    if cell.inverse() {
        let was = ink.unwrap_or_else(|| palette.ink.to_owned());
        ink = Some(ground.unwrap_or_else(|| palette.ground.to_owned()));
        ground = Some(was);
    }
    Look {
        ink: ink.unwrap_or_else(|| palette.ink.to_owned()),
        ground,
        bold: cell.bold(),
        italic: cell.italic(),
        underline: cell.underline(),
        dim: cell.dim(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The screen in a window with `title`.
fn svg(screen: &vt100::Screen, title: &str, palette: &Palette) -> String {
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let (width, height) = (f64::from(columns) * CELL.0 + 2.0 * EDGE, f64::from(rows) * CELL.1 + BAR + 2.0 * EDGE - 4.0);
    let Palette { ground, ink, bar, .. } = palette;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"'DejaVu Sans Mono', 'Cascadia Mono', Menlo, Consolas, \
         monospace\" font-size=\"{FONT_SIZE}\">\n<title>{}</title>\n\
         <clipPath id=\"window\"><rect width=\"{width:.0}\" height=\"{height:.0}\" rx=\"9\"/></clipPath>\n\
         <g clip-path=\"url(#window)\">\n<rect width=\"100%\" height=\"100%\" fill=\"{ground}\"/>\n\
         <rect width=\"100%\" height=\"{BAR}\" fill=\"{bar}\"/>\n",
        escaped(title)
    );
    for (at, fill) in ["#ec6a5e", "#f4bf4f", "#61c554"].iter().enumerate() {
        writeln!(svg, "<circle cx=\"{}\" cy=\"{}\" r=\"5.5\" fill=\"{fill}\"/>", 20 + 20 * at, BAR / 2.0).unwrap();
    }
    writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{ink}\" opacity=\"0.7\" text-anchor=\"middle\">{}</text>",
        width / 2.0,
        BAR / 2.0 + 5.0,
        escaped(title)
    )
    .unwrap();
    for row in 0..rows {
        draw_row(&mut svg, screen, row, palette);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn left(column: u16) -> f64 {
    EDGE + f64::from(column) * CELL.0
}

fn top(row: u16) -> f64 {
    BAR + EDGE - 4.0 + f64::from(row) * CELL.1
}

/// Grounds and underlines of all cells that share a look, then lines and blocks cell by cell, then words.
fn draw_row(svg: &mut String, screen: &vt100::Screen, row: u16, palette: &Palette) {
    let cells: Vec<(&str, bool, Look)> = (0..screen.size().1.get())
        .map(|column| screen.cell(row, column).unwrap())
        .map(|cell| (cell.contents(), cell.is_wide_continuation(), look(cell, palette)))
        .collect();
    let place = |first: usize, end: usize| (left(first as u16), (end - first) as f64 * CELL.0);
    let y = top(row);
    for (first, end) in runs(&cells, |a, b| a.2 == b.2) {
        let ((x, width), look) = (place(first, end), &cells[first].2);
        if let Some(fill) = &look.ground {
            // A little more than its place, or seams show.
            let (width, height) = (width + 0.3, CELL.1 + 0.3);
            writeln!(svg, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#)
                .unwrap();
        }
        if look.underline {
            let (y, end) = (y + BASELINE + 2.0, x + width);
            writeln!(svg, r#"<path d="M{x:.1} {y:.1}H{end:.1}" stroke="{}"/>"#, look.ink).unwrap();
        }
    }
    for (column, (text, _, look)) in cells.iter().enumerate() {
        if let Some(shape) = text.chars().next().and_then(|c| shape(c, left(column as u16), y)) {
            writeln!(svg, "{}", shape.replace("INK", &look.ink)).unwrap();
        }
    }
    let is_word =
        |text: &str| !text.trim().is_empty() && text.chars().next().and_then(|c| shape(c, 0.0, 0.0)).is_none();
    // Fonts disagree about the width of what is no ASCII: each such character has a place of its own.
    let together = |a: &(&str, bool, Look), b: &(&str, bool, Look)| {
        b.1 || (a.2 == b.2 && is_word(a.0) && is_word(b.0) && a.0.is_ascii() && b.0.is_ascii())
    };
    for (first, end) in runs(&cells, together) {
        let text: String = cells[first..end].iter().map(|cell| cell.0).collect();
        if !is_word(&text) {
            continue;
        }
        let ((x, width), look) = (place(first, end), &cells[first].2);
        let mut more = String::new();
        for (is, attribute) in [
            (look.bold, r#" font-weight="bold""#),
            (look.italic, r#" font-style="italic""#),
            (look.dim, r#" opacity="0.65""#),
            (text.is_ascii() && text.len() > 1, &format!(r#" textLength="{width:.1}""#)),
        ] {
            if is {
                more.push_str(attribute);
            }
        }
        let (y, ink, text) = (y + BASELINE, &look.ink, escaped(&text));
        writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" fill="{ink}"{more}>{text}</text>"#).unwrap();
    }
}

/// The longest stretches in which each follows its neighbour.
fn runs<T>(all: &[T], follows: impl Fn(&T, &T) -> bool) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in 0..all.len() {
        match runs.last_mut() {
            Some(run) if follows(&all[at - 1], &all[at]) => run.1 = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// Lines and blocks, which meet their neighbours only when they are drawn; `INK` is their colour.
fn shape(c: char, x: f64, y: f64) -> Option<String> {
    let (width, height) = CELL;
    let (middle, centre) = (x + width / 2.0, y + height / 2.0);
    let (right, foot) = (x + width, y + height);
    let rect = |x: f64, y: f64, width: f64, height: f64| {
        format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" fill="INK"/>"#, width + 0.1)
    };
    let path = |d: String, stroke: f64| format!(r#"<path d="{d}" stroke="INK" stroke-width="{stroke}" fill="none"/>"#);
    let across = format!("M{x:.1} {centre:.1}H{right:.1}");
    let down = format!("M{middle:.1} {y:.1}V{foot:.1}");
    let round = |from: (f64, f64), to: (f64, f64)| {
        path(format!("M{:.1} {:.1}Q{middle:.1} {centre:.1} {:.1} {:.1}", from.0, from.1, to.0, to.1), 1.0)
    };
    Some(match c {
        '─' => path(across, 1.0),
        '━' => path(across, 2.4),
        '╸' => path(format!("M{x:.1} {centre:.1}H{middle:.1}"), 2.4),
        '╺' => path(format!("M{middle:.1} {centre:.1}H{right:.1}"), 2.4),
        '═' => path(format!("M{x:.1} {:.1}H{right:.1}M{x:.1} {:.1}H{right:.1}", centre - 1.5, centre + 1.5), 1.0),
        '│' => path(down, 1.0),
        '┃' => path(down, 2.4),
        '┼' => path(across + &down, 1.0),
        '╭' => round((middle, foot), (right, centre)),
        '╮' => round((x, centre), (middle, foot)),
        '╰' => round((middle, y), (right, centre)),
        '╯' => round((x, centre), (middle, y)),
        '▁'..='█' => {
            let part = f64::from(c as u32 - 0x2580) / 8.0 * height;
            rect(x, foot - part, width, part)
        }
        '▌' => rect(x, y, width / 2.0, height),
        _ => return None,
    })
}

fn save(terminal: &mut Terminal, name: &str, title: &str, palette: &Palette) {
    terminal.settle();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.svg"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, svg(terminal.screen.screen(), title, palette)).unwrap();
}

fn is_ready(screen: &vt100::Screen) -> bool {
    screen.rows(0, screen.size().1.get()).last().unwrap_or_default().starts_with("ready")
}

fn ask(terminal: &mut Terminal, question: &str, words: &str) {
    terminal.send(&format!("{question}\r"));
    terminal.wait_until(words, |screen| screen.contents().contains(words) && is_ready(screen));
}

const TALK: &str = "# Reading a file\n\n`read_to_string` has **all of it** in memory; `lines` has one line at a time:\n\n\
    ```rust\nfn main() -> std::io::Result<()> {\n    let text = std::fs::read_to_string(\"talk.md\")?; // all of it\n    \
    println!(\"{} lines\", text.lines().count());\n    Ok(())\n}\n```\n\n\
    | Way | Memory of a 2 GB file | Good for |\n|:----|-----:|:------|\n| whole | 2 GB | short files |\n\
    | by lines | 4 kB | logs |\n\nSee [the book](https://doc.rust-lang.org/book/).\n";

#[test]
#[ignore = "writes files: cargo test --test screenshots -- --ignored"]
fn screenshots() {
    let home = Home::new();
    for name in ["bird", "cat"] {
        let file = home.path().join(format!("{name}.gguf"));
        parrot::write(&file, "{{ messages[-1].content }}<|assistant|>", "<|assistant|>", &["hello"]);
        assert_eq!(home.run(&["import", file.to_str().unwrap(), &format!("{name}:1b")]).0, 0);
    }
    let dark = &[("COLORTERM", "truecolor"), ("OAI_THEME", "fjord")];
    let setup = Setup { columns: 100, rows: 30, environment: dark };
    let mut chat = Terminal::start_with(&home, &["chat", "guide"], &setup);
    chat.wait_until("a ready chat", is_ready);
    ask(&mut chat, "How do I get a model?", "oai pull");
    ask(&mut chat, "And how do I delete one?", "oai rm");
    chat.wait_for("cpu ");
    save(&mut chat, "chat", "oai chat guide", &DARK);

    let mut top = Terminal::start_with(&home, &["top"], &setup);
    top.wait_for("guide");
    save(&mut top, "top", "oai top", &DARK);
    top.send("q");
    assert_eq!(top.end(), 0);

    chat.send("\x1bOQ");
    chat.wait_for("bird");
    save(&mut chat, "models", "oai chat guide", &DARK);
    chat.send("\x1b\x04");
    drop(chat);

    let talk = home.path().join("talk.json");
    let messages = serde_json::json!([
        {"role": "user", "content": "How do I read a file in Rust?"}, {"role": "assistant", "content": TALK}
    ]);
    std::fs::write(&talk, serde_json::json!({"model": "guide", "messages": messages}).to_string()).unwrap();
    let light = &[("COLORTERM", "truecolor"), ("OAI_THEME", "porcelain"), ("OAI_MONITOR", "false")];
    let setup = Setup { columns: 88, rows: 30, environment: light };
    let mut chat = Terminal::start_with(&home, &["chat", "guide", "--load", talk.to_str().unwrap()], &setup);
    chat.wait_until("a ready chat", is_ready);
    save(&mut chat, "light", "oai chat guide", &LIGHT);
}
