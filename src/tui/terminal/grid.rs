//! A picture as a terminal holds it: cells with a width, a look and a link, in one form, so that cells that look alike are
//! equal.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::style::{Color, Modifier};

use super::frame::{Link, safe_address};
use super::pen::Pen;
use crate::neutralize::commands_terminals;

/// Longest text of one cell, in bytes: a letter under a tower of accents is cut here.
const LONGEST_SYMBOL_BYTES: usize = 48;

/// One cell. Of a wide glyph the first cell has the text and its width, the others have width 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    /// Only text, colours and attributes count.
    cell: Cell,
    pub(super) width: u8,
    /// Key of the link in [`Addresses`]; 0 for none.
    pub(super) link: u64,
}

impl Spot {
    pub(super) const BLANK: Spot = Spot { cell: Cell::EMPTY, width: 1, link: 0 };

    pub(super) fn text(&self) -> &str {
        self.cell.symbol()
    }

    pub(super) fn pen(&self) -> Pen {
        Pen { foreground: self.cell.fg, background: self.cell.bg, attributes: self.cell.modifier }
    }

    /// What the terminal leaves where it erases.
    pub(super) fn is_blank(&self) -> bool {
        self.width == 1 && self.link == 0 && self.text() == " " && self.pen() == Pen::DEFAULT
    }

    /// Whether every terminal moves its cursor by `width` for this glyph. Emoji and clusters of several characters are
    /// measured differently by age and font.
    pub(super) fn has_certain_width(&self) -> bool {
        let mut chars = self.text().chars();
        let first = chars.next().unwrap_or(' ');
        chars.next().is_none()
            && (first < '\u{1f000}' && (self.width == 1 || !('\u{2000}'..'\u{2e80}').contains(&first)))
    }

    fn set_text(&mut self, text: &str, pen: Pen) {
        let pen = if text == " " { pen.of_blank() } else { pen };
        if text == " " {
            self.cell = Cell::EMPTY;
        } else {
            self.cell.set_symbol(text);
        }
        self.cell.fg = pen.foreground;
        self.cell.bg = pen.background;
        self.cell.modifier = pen.attributes;
    }
}

/// Where each key of a link leads.
#[derive(Default)]
pub(super) struct Addresses {
    keys: RandomState,
    known: HashMap<u64, String>,
}

impl Addresses {
    pub(super) fn get(&self, key: u64) -> Option<&str> {
        self.known.get(&key).map(String::as_str)
    }

    fn key_of(&mut self, url: &str) -> u64 {
        let Some(address) = safe_address(url) else { return 0 };
        let key = self.keys.hash_one(&address).max(1);
        self.known.insert(key, address);
        key
    }
}

/// The cells of a screen, row by row.
#[derive(Clone, Default)]
pub(super) struct Grid {
    pub(super) width: u16,
    pub(super) height: u16,
    spots: Vec<Spot>,
}

impl Grid {
    pub(super) fn blank(width: u16, height: u16) -> Grid {
        Grid { width, height, spots: vec![Spot::BLANK; usize::from(width) * usize::from(height)] }
    }

    pub(super) fn row(&self, y: u16) -> &[Spot] {
        let start = usize::from(y) * usize::from(self.width);
        self.spots.get(start..start + usize::from(self.width)).unwrap_or_default()
    }

    /// Takes `buffer` and `links` over. `addresses` keeps the links of this picture alone.
    pub(super) fn fill(&mut self, buffer: &Buffer, links: &[Link], addresses: &mut Addresses) {
        let (width, height) = (buffer.area.width, buffer.area.height);
        if (width, height) != (self.width, self.height) {
            *self = Grid::blank(width, height);
        }
        addresses.known.clear();
        let columns = usize::from(width).max(1);
        for (spots, cells) in self.spots.chunks_mut(columns).zip(buffer.content.chunks(columns)) {
            fill_row(spots, cells);
        }
        for link in links.iter().filter(|link| link.row < height) {
            let key = addresses.key_of(&link.url);
            let start = usize::from(link.row) * columns;
            let (first, end) = (usize::from(link.columns.start.min(width)), usize::from(link.columns.end.min(width)));
            for spot in self.spots.get_mut(start + first..start + end).unwrap_or_default() {
                spot.link = key;
            }
        }
        // A glyph has one link, that of its first cell.
        for x in 1..self.spots.len() {
            if self.spots[x].width == 0 {
                self.spots[x].link = self.spots[x - 1].link;
            }
        }
    }

    /// What a terminal does when it scrolls the rows `top..=bottom` by `shift`: up for a positive number.
    pub(super) fn scroll(&mut self, top: u16, bottom: u16, shift: i32) {
        let width = usize::from(self.width);
        let region = usize::from(top) * width..(usize::from(bottom) + 1) * width;
        let Some(spots) = self.spots.get_mut(region) else { return };
        let by = (shift.unsigned_abs() as usize * width).min(spots.len());
        if shift > 0 {
            spots.rotate_left(by);
            let kept = spots.len() - by;
            spots[kept..].fill(Spot::BLANK);
        } else {
            spots.rotate_right(by);
            spots[..by].fill(Spot::BLANK);
        }
    }
}

fn fill_row(spots: &mut [Spot], cells: &[Cell]) {
    let mut x = 0;
    while let (Some(cell), true) = (cells.get(x), x < spots.len()) {
        let pen = Pen { foreground: cell.fg, background: cell.bg, attributes: cell.modifier };
        let (text, width) = glyph(cell.symbol());
        // A wide glyph that the row's end would cut has no picture.
        let fits = x + width <= spots.len();
        let (text, width) = if fits { (text, width) } else { (" ", 1) };
        spots[x].set_text(text, pen);
        spots[x].width = width as u8;
        spots[x].link = 0;
        for covered in &mut spots[x + 1..x + width] {
            *covered = Spot { width: 0, ..Spot::BLANK };
            covered.set_text("", Pen { foreground: Color::Reset, attributes: Modifier::empty(), ..pen });
        }
        x += width;
    }
}

/// What a cell's text becomes on the terminal, and how many cells that takes: at least one and at most four.
fn glyph(symbol: &str) -> (&str, usize) {
    if let [byte] = symbol.as_bytes() {
        return if (0x20..0x7f).contains(byte) { (symbol, 1) } else { ("\u{fffd}", 1) };
    }
    if symbol.chars().any(|c| c.is_control() || commands_terminals(c)) {
        return ("\u{fffd}", 1);
    }
    let symbol = &symbol[..symbol.floor_char_boundary(LONGEST_SYMBOL_BYTES)];
    match symbol.cell_width() {
        0 => (" ", 1),
        width @ 1..=4 => (symbol, usize::from(width)),
        _ => ("\u{fffd}", 1),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn grid_of(buffer: &Buffer, links: &[Link]) -> (Grid, Addresses) {
        let (mut grid, mut addresses) = (Grid::default(), Addresses::default());
        grid.fill(buffer, links, &mut addresses);
        (grid, addresses)
    }

    fn texts(grid: &Grid, y: u16) -> Vec<&str> {
        grid.row(y).iter().map(Spot::text).collect()
    }

    #[test]
    fn what_commands_a_terminal_never_becomes_a_cell() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 1));
        for (x, symbol) in ["\x1b", "a\x1b[2J", "\u{9b}", "\u{202e}", "\u{301}"].into_iter().enumerate() {
            buffer.content[x].set_symbol(symbol);
        }
        let (grid, _) = grid_of(&buffer, &[]);
        assert_eq!(texts(&grid, 0), ["\u{fffd}", "\u{fffd}", "\u{fffd}", "\u{fffd}", " "]);
    }

    #[test]
    fn a_wide_glyph_covers_what_is_below_it_and_does_not_pass_the_edge() {
        let mut buffer = Buffer::with_lines(["abcde"]);
        buffer.content[1].set_symbol("字");
        buffer.content[4].set_symbol("字");
        let (grid, _) = grid_of(&buffer, &[]);
        assert_eq!(texts(&grid, 0), ["a", "字", "", "d", " "]);
        assert_eq!(grid.row(0).iter().map(|spot| spot.width).collect::<Vec<_>>(), [1, 2, 0, 1, 1]);
    }

    #[test]
    fn blanks_of_any_ink_are_equal() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
        buffer.content[0].set_style(Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        buffer.content[1].set_style(Style::new().add_modifier(Modifier::REVERSED));
        let (grid, _) = grid_of(&buffer, &[]);
        assert!(grid.row(0)[0].is_blank());
        assert!(!grid.row(0)[1].is_blank());
    }

    #[test]
    fn a_link_marks_its_cells_and_reaches_no_farther_than_the_screen() {
        let buffer = Buffer::with_lines(["abcd", "efgh"]);
        let link = |row, columns, url: &str| Link { row, columns, url: url.to_owned() };
        let links = [link(1, 1..3, "https://a"), link(0, 2..900, "https://b"), link(7, 0..1, "https://c")];
        let (grid, addresses) = grid_of(&buffer, &links);
        let of = |y: u16, x: usize| addresses.get(grid.row(y)[x].link);
        assert_eq!([of(1, 0), of(1, 1), of(1, 2), of(1, 3)], [None, Some("https://a"), Some("https://a"), None]);
        assert_eq!([of(0, 1), of(0, 3)], [None, Some("https://b")]);
    }

    #[test]
    fn a_tower_of_accents_is_cut() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 1, 1));
        buffer.content[0].set_symbol(&format!("e{}", "\u{301}".repeat(500)));
        let (grid, _) = grid_of(&buffer, &[]);
        assert_eq!(grid.row(0)[0].text().len(), 47);
    }

    #[test]
    fn rows_scroll_both_ways_and_leave_blanks() {
        let column = |grid: &Grid| (0..grid.height).map(|y| grid.row(y)[0].text().to_owned()).collect::<String>();
        let (mut grid, _) = grid_of(&Buffer::with_lines(["a", "b", "c", "d", "e"]), &[]);
        grid.scroll(1, 3, 1);
        assert_eq!(column(&grid), "acd e");
        grid.scroll(0, 4, -2);
        assert_eq!(column(&grid), "  acd");
    }
}
