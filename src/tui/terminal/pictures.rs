//! Pictures through [`Screen`] on a terminal emulator: after each one it shows what was drawn, whatever came before.

use std::num::NonZeroU16;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::grid::{Addresses, Grid};
use super::{Drawn, Frame, Link, Screen};

/// A terminal and what we think it shows.
struct Shown {
    screen: Screen,
    terminal: vt100::Parser,
}

impl Shown {
    fn new(width: u16, height: u16) -> Shown {
        let size = |number| NonZeroU16::new(number).unwrap();
        let terminal = vt100::Parser::new(size(height), size(width), 0);
        Shown { screen: Screen::new(true, true), terminal }
    }

    /// Draws, and compares the terminal with what was to be drawn.
    fn draw(&mut self, buffer: &Buffer, cursor: Option<(u16, u16)>) -> (String, Drawn) {
        let (bytes, drawn) = self.screen.render(buffer, &[], cursor);
        let bytes = bytes.to_vec();
        self.terminal.process(&bytes);
        let screen = self.terminal.screen();
        let mut expected = Grid::default();
        expected.fill(buffer, &[], &mut Addresses::default());
        for y in 0..expected.height {
            for (x, spot) in expected.row(y).iter().enumerate().filter(|(_, spot)| spot.width > 0) {
                let cell = screen.cell(y, x as u16).unwrap();
                let about = || format!("{x},{y} after {:?}", String::from_utf8_lossy(&bytes));
                let text = if cell.has_contents() { cell.contents() } else { " " };
                assert_eq!(text, spot.text(), "{}", about());
                assert_eq!(cell.is_wide(), spot.width == 2, "{}", about());
                let pen = spot.pen();
                let has = |attribute| pen.attributes.contains(attribute);
                assert_eq!(cell.bgcolor(), color(pen.background), "{}", about());
                assert_eq!(cell.underline(), has(Modifier::UNDERLINED), "{}", about());
                assert_eq!(cell.inverse(), has(Modifier::REVERSED), "{}", about());
                // A blank has no ink to look at.
                if text != " " {
                    assert_eq!(cell.fgcolor(), color(pen.foreground), "{}", about());
                    // Of both, the emulator keeps the last.
                    let both = has(Modifier::BOLD) && has(Modifier::DIM);
                    assert!(both || cell.bold() == has(Modifier::BOLD), "{}", about());
                    assert!(both || cell.dim() == has(Modifier::DIM), "{}", about());
                    assert_eq!(cell.italic(), has(Modifier::ITALIC), "{}", about());
                }
            }
        }
        assert_eq!(screen.hide_cursor(), cursor.is_none());
        if let Some((x, y)) = cursor {
            assert_eq!(screen.cursor_position(), (y, x));
        }
        (String::from_utf8(bytes).unwrap(), drawn)
    }
}

fn color(color: Color) -> vt100::Color {
    use vt100::Color::{Default, Idx, Rgb};
    match color {
        Color::Reset => Default,
        Color::Indexed(index) => Idx(index),
        Color::Rgb(red, green, blue) => Rgb(red, green, blue),
        named => {
            let order = [
                Color::Black,
                Color::Red,
                Color::Green,
                Color::Yellow,
                Color::Blue,
                Color::Magenta,
                Color::Cyan,
                Color::Gray,
                Color::DarkGray,
                Color::LightRed,
                Color::LightGreen,
                Color::LightYellow,
                Color::LightBlue,
                Color::LightMagenta,
                Color::LightCyan,
                Color::White,
            ];
            Idx(order.iter().position(|known| *known == named).unwrap() as u8)
        }
    }
}

/// xorshift64*: the same pictures in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn color(&mut self) -> Color {
        match self.below(6) {
            0 => Color::Red,
            1 => Color::LightBlue,
            2 => Color::Indexed(self.below(256) as u8),
            3 => Color::Rgb(self.below(256) as u8, 7, 255),
            _ => Color::Reset,
        }
    }

    fn style(&mut self) -> Style {
        let attributes = [
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::ITALIC,
            Modifier::UNDERLINED,
            Modifier::REVERSED,
            Modifier::CROSSED_OUT,
            Modifier::ITALIC | Modifier::UNDERLINED | Modifier::BOLD,
        ];
        let mut style = Style::new().fg(self.color());
        if self.below(3) == 0 {
            style = style.bg(self.color());
        }
        if self.below(3) == 0 {
            style = style.add_modifier(attributes[self.below(attributes.len())]);
        }
        style
    }

    /// Writes a random piece of text somewhere in `buffer`.
    fn write(&mut self, buffer: &mut Buffer) {
        const GLYPHS: [&str; 14] = ["a", "b", "c", " ", " ", "x", "字", "漢", "e\u{301}", "│", "ü", "🙂", "한", "…"];
        let (width, height) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
        let (x, y) = (self.below(width), self.below(height));
        let text: String = (0..self.below(width + 1)).map(|_| GLYPHS[self.below(GLYPHS.len())]).collect();
        let style = if self.below(2) == 0 { Style::new() } else { self.style() };
        buffer.set_string(x as u16, y as u16, text, style);
    }
}

/// `buffer` with the rows from `top` to `bottom` moved by `shift`, up for a positive number.
fn moved(buffer: &Buffer, top: usize, bottom: usize, shift: isize) -> Buffer {
    let mut moved = buffer.clone();
    let width = usize::from(buffer.area.width);
    for y in top..=bottom {
        let from = y as isize + shift;
        for x in 0..width {
            let inside = (top as isize..=bottom as isize).contains(&from);
            moved.content[y * width + x] =
                if inside { buffer.content[from as usize * width + x].clone() } else { Default::default() };
        }
    }
    moved
}

#[test]
fn any_picture_after_any_other_is_shown_as_drawn() {
    let mut dice = Dice(0x5eed_0a11);
    for _ in 0..60 {
        let (width, height) = (1 + dice.below(120) as u16, 1 + dice.below(30) as u16);
        let mut shown = Shown::new(width, height);
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        for _ in 0..12 {
            match dice.below(8) {
                0 => buffer.reset(),
                1 => shown.screen.forget(),
                2..=4 if height > 4 => {
                    let top = dice.below(usize::from(height) - 4);
                    let bottom = top + 1 + dice.below(usize::from(height) - top - 1);
                    let most = (bottom - top) as isize;
                    buffer = moved(&buffer, top, bottom, dice.below(2 * most as usize + 1) as isize - most);
                }
                _ => {}
            }
            for _ in 0..dice.below(usize::from(height) + 2) {
                dice.write(&mut buffer);
            }
            let cursor =
                (dice.below(3) > 0).then(|| (dice.below(width.into()) as u16, dice.below(height.into()) as u16));
            shown.draw(&buffer, cursor);
            let (again, _) = shown.draw(&buffer, cursor);
            assert_eq!(again, "", "nothing changed");
        }
    }
}

#[test]
fn a_letter_typed_is_one_byte() {
    let mut shown = Shown::new(80, 24);
    shown.draw(&Buffer::empty(Rect::new(0, 0, 80, 24)), Some((2, 20)));
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    buffer.set_string(2, 20, "a", Style::new());
    let (bytes, drawn) = shown.draw(&buffer, Some((3, 20)));
    assert_eq!((bytes.as_str(), drawn), ("a", Drawn { bytes: 1, cells: 1 }));
    let (bytes, _) = shown.draw(&buffer, Some((2, 20)));
    assert_eq!(bytes, "\x08", "only the cursor moved");
}

#[test]
fn the_cursor_does_not_flicker_through_the_picture() {
    let mut shown = Shown::new(80, 24);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    shown.draw(&buffer, Some((2, 20)));
    buffer.set_string(40, 3, "spin", Style::new());
    let (bytes, _) = shown.draw(&buffer, Some((2, 20)));
    assert_eq!(bytes, "\x1b[?25l\x1b[4;41Hspin\x1b[21;3H\x1b[?25h");
    buffer.set_string(0, 3, "x".repeat(80), Style::new());
    let (bytes, drawn) = shown.draw(&buffer, Some((2, 20)));
    assert!(bytes.starts_with("\x1b[?2026h") && bytes.ends_with("\x1b[?2026l") && drawn.cells == 80, "{bytes:?}");
}

#[test]
fn the_end_of_a_row_is_erased_rather_than_overwritten() {
    let mut shown = Shown::new(80, 3);
    shown.draw(&Buffer::with_lines(["z".repeat(80), String::new(), String::new()]), None);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 3));
    buffer.set_string(0, 0, "zz", Style::new());
    let (bytes, drawn) = shown.draw(&buffer, None);
    assert_eq!(drawn.cells, 78);
    assert!(bytes.contains("\x1b[K") && bytes.len() < 30, "{bytes:?}");
}

#[test]
fn a_conversation_that_moves_up_is_scrolled_by_the_terminal() {
    let line = |number: usize| format!("line {number} of a conversation that goes on and on");
    let picture = |first: usize| {
        let mut lines = vec!["title".to_owned()];
        lines.extend((first..first + 20).map(line));
        lines.extend(["composer".to_owned(), "status".to_owned(), String::new()]);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        for (y, line) in lines.iter().enumerate() {
            buffer.set_string(0, y as u16, line, Style::new());
        }
        buffer
    };
    let mut shown = Shown::new(80, 24);
    shown.draw(&picture(1), Some((0, 22)));
    let (bytes, _) = shown.draw(&picture(3), Some((0, 22)));
    assert!(bytes.contains("\x1b[2;21r\x1b[21H\n\n\x1b[r"), "{bytes:?}");
    assert!(bytes.len() < 250, "{} bytes", bytes.len());
    let (bytes, _) = shown.draw(&picture(1), Some((0, 22)));
    assert!(bytes.contains("\x1b[2;21r\x1b[2H\x1bM\x1bM\x1b[r"), "{bytes:?}");
}

#[test]
fn a_link_is_drawn_when_it_changes_and_only_where_links_are_known() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 2));
    buffer.set_string(0, 0, "see here now", Style::new());
    let to = |url: &str| vec![Link { row: 0, columns: 4..8, url: url.to_owned() }];
    let mut screen = Screen::new(true, false);
    let text = |screen: &mut Screen, links: &[Link]| {
        String::from_utf8(screen.render(&buffer, links, None).0.to_vec()).unwrap()
    };
    let first = text(&mut screen, &to("https://a.b"));
    assert!(first.contains(";https://a.b\x1b\\here\x1b[C\x1b]8;;\x1b\\now"), "{first:?}");
    assert_eq!(text(&mut screen, &to("https://a.b")), "");
    let changed = text(&mut screen, &to("https://a.c"));
    assert!(changed.contains(";https://a.c\x1b\\here\x1b]8;;\x1b\\") && !changed.contains("now"), "{changed:?}");
    assert!(text(&mut screen, &[]).ends_with("here"));
    let mut plain = Screen::new(false, false);
    assert!(!text(&mut plain, &to("https://a.b")).contains("]8"));
}

/// Words of an answer, laid out as the chat pane would: `tokens` of them, over the composer and a status row.
fn conversation(frame: &mut Frame, tokens: usize, ms: usize) {
    const WORDS: [&str; 9] = [" the", " model", " reads", " every", " word,", " and", " writes", " another", " one."];
    let mut rows = vec![String::new()];
    for token in 0..tokens {
        let word = WORDS[(token * token / 3 + token) % WORDS.len()];
        if rows.last().is_some_and(|row| row.len() + word.len() > 78) || token % 60 == 59 {
            rows.push(String::new());
        }
        rows.last_mut().unwrap().push_str(word);
    }
    let height = 20;
    let buffer = &mut *frame.buffer;
    buffer.set_string(0, 0, format!("{:<80}", " mistral-7b  Q4_K_M"), Style::new().add_modifier(Modifier::REVERSED));
    let first = rows.len().saturating_sub(height);
    for (y, (number, row)) in rows.iter().enumerate().skip(first).enumerate() {
        let style = match number % 5 {
            0 => Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
            1 => Style::new().fg(Color::Rgb(200, 200, 180)),
            _ => Style::new(),
        };
        buffer.set_string(1, 1 + y as u16, row, style);
    }
    buffer.set_string(0, 21, "─".repeat(80), Style::new().add_modifier(Modifier::DIM));
    buffer.set_string(0, 22, "> Send a message", Style::new());
    let spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴"][ms / 100 % 6];
    let rate = 49 + ms / 500 % 3;
    let status =
        format!(" {spinner} {tokens} tokens   {rate}.{} tok/s   {}.{} s", ms / 250 % 10, ms / 1000, ms / 100 % 10);
    buffer.set_string(0, 23, format!("{status:<80}"), Style::new().bg(Color::Indexed(236)));
    frame.cursor = Some((2, 22));
}

#[test]
fn an_answer_of_fifty_tokens_a_second_needs_less_than_six_kilobytes_a_second() {
    const SECONDS: usize = 20;
    let mut shown = Shown::new(80, 24);
    let mut bytes = 0;
    for frame_number in 0..SECONDS * 30 {
        let ms = frame_number * 1000 / 30;
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        let mut frame = Frame::new(&mut buffer);
        conversation(&mut frame, 300 + ms * 50 / 1000, ms);
        let cursor = frame.cursor;
        let (_, drawn) = shown.draw(&buffer, cursor);
        if frame_number > 0 {
            bytes += drawn.bytes;
        }
    }
    let bytes_per_s = bytes / SECONDS;
    println!("{bytes_per_s} bytes/s");
    assert!(bytes_per_s < 6_000, "{bytes_per_s} bytes/s");
}
