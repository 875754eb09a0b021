//! The double buffer: what the terminal shows, and the fewest bytes that make it show the next picture.

use ratatui::buffer::Buffer;

use super::frame::Link;
use super::grid::{Addresses, Grid, Spot};
use super::moves::{Place, numbered};
use super::pen::Pen;
use super::scroll;

/// More changed cells than this are worth the 16 bytes of a synchronized update.
const FEW_CELLS: usize = 8;
/// A gap of unchanged cells up to this long is written over when that is shorter than a move.
const SHORT_GAP: usize = 3;
/// From this many blanks on within a row, erasing them and moving on is shorter than writing them.
const MANY_BLANKS: usize = 12;
/// From this many blanks on at the end of a row, erasing is shorter.
const TRAILING_BLANKS: usize = 4;

/// What a picture cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drawn {
    pub bytes: usize,
    /// Cells that differed from what was shown, after scrolling.
    pub cells: usize,
}

/// What the terminal shows. Pure: it makes bytes, [`super::Terminal`] writes them.
pub struct Screen {
    hyperlinks: bool,
    synchronized: bool,
    shown: Grid,
    next: Grid,
    addresses: Addresses,
    /// Nothing is known of what is shown.
    unknown: bool,
    place: Place,
    pen: Pen,
    link: u64,
    cursor_shows: bool,
    body: Vec<u8>,
    out: Vec<u8>,
}

impl Screen {
    /// `hyperlinks` and `synchronized`: whether OSC 8 and mode 2026 may be used.
    pub fn new(hyperlinks: bool, synchronized: bool) -> Screen {
        Screen {
            hyperlinks,
            synchronized,
            shown: Grid::default(),
            next: Grid::default(),
            addresses: Addresses::default(),
            unknown: true,
            place: Place::default(),
            pen: Pen::DEFAULT,
            link: 0,
            cursor_shows: false,
            body: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Someone else may have written: the next picture is drawn whole.
    pub fn forget(&mut self) {
        self.unknown = true;
    }

    /// The bytes that turn what is shown into `buffer`, with the cursor at `cursor` (column and row; `None` hides it).
    /// Empty if that is what is shown already.
    pub fn render(&mut self, buffer: &Buffer, links: &[Link], cursor: Option<(u16, u16)>) -> (&[u8], Drawn) {
        self.body.clear();
        self.out.clear();
        let links = if self.hyperlinks { links } else { &[] };
        self.next.fill(buffer, links, &mut self.addresses);
        let (width, height) = (self.next.width, self.next.height);
        let whole = self.unknown || (self.shown.width, self.shown.height) != (width, height);
        if whole {
            self.start_anew();
        }
        let scrolled = self.scroll();
        let cells = (0..height).map(|y| self.draw_row(y)).sum::<usize>();
        self.follow_link(0);
        self.write_with(Pen::DEFAULT);

        let cursor = cursor.filter(|(column, row)| *column < width && *row < height);
        // A cursor that only runs ahead of the letters typed, or only moves, does not flicker.
        let strays = self.body.iter().any(u8::is_ascii_control);
        if let Some((column, row)) = cursor {
            self.place.go(column, row, &mut self.body);
        }
        let gather = self.synchronized && (whole || scrolled || cells > FEW_CELLS);
        if gather {
            self.out.extend_from_slice(b"\x1b[?2026h");
        }
        if self.cursor_shows && (strays || cursor.is_none()) {
            self.out.extend_from_slice(b"\x1b[?25l");
            self.cursor_shows = false;
        }
        self.out.append(&mut self.body);
        if cursor.is_some() && !self.cursor_shows {
            self.out.extend_from_slice(b"\x1b[?25h");
            self.cursor_shows = true;
        }
        if gather {
            self.out.extend_from_slice(b"\x1b[?2026l");
        }
        self.unknown = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        (&self.out, Drawn { bytes: self.out.len(), cells })
    }

    /// An empty screen with nothing left of whatever went before: region, look, link, cursor.
    fn start_anew(&mut self) {
        self.shown = Grid::blank(self.next.width, self.next.height);
        if self.hyperlinks {
            self.body.extend_from_slice(b"\x1b]8;;\x1b\\");
        }
        self.body.extend_from_slice(b"\x1b[?25l\x1b[r\x1b[m\x1b[H\x1b[2J");
        self.place = Place::at(0, 0);
        self.pen = Pen::DEFAULT;
        self.link = 0;
        self.cursor_shows = false;
    }

    /// Lets the terminal move a block of rows. By line feeds and reverse line feeds at the region's edge, which the Linux
    /// console knows too.
    fn scroll(&mut self) -> bool {
        let Some(found) = scroll::find(&self.shown, &self.next) else { return false };
        let region = format!("\x1b[{};{}r", found.top + 1, found.bottom + 1);
        self.body.extend_from_slice(region.as_bytes());
        self.place = Place::at(0, 0);
        let edge = if found.shift > 0 { found.bottom } else { found.top };
        // Not by `Place::go`: line feeds stop at the region's edge, and this is the shortest anyway.
        if edge > 0 {
            self.body.extend_from_slice(&numbered(edge + 1, b'H'));
        }
        for _ in 0..found.shift.unsigned_abs() {
            self.body.extend_from_slice(if found.shift > 0 { b"\n" } else { b"\x1bM" });
        }
        self.body.extend_from_slice(b"\x1b[r");
        self.place = Place::at(0, 0);
        self.shown.scroll(found.top, found.bottom, found.shift);
        true
    }

    /// Draws what differs in row `y`; returns how many cells that is.
    fn draw_row(&mut self, y: u16) -> usize {
        let (old, new) = (self.shown.row(y), self.next.row(y));
        if old == new {
            return 0;
        }
        let dirty = differences(old, new);
        let new = new.to_vec();
        let changed = dirty.iter().filter(|dirty| **dirty).count();
        // Where only blanks are left.
        let text_end = new.iter().rposition(|spot| !spot.is_blank()).map_or(0, |last| last + 1);

        let mut x = 0;
        while let Some(found) = dirty.get(x..).and_then(|rest| rest.iter().position(|dirty| *dirty)) {
            x += found;
            if x >= text_end {
                let left = dirty[x..].iter().filter(|dirty| **dirty).count();
                if left >= TRAILING_BLANKS {
                    self.erase(x, y, b"\x1b[K");
                    break;
                }
            }
            let blanks = new[x..].iter().take_while(|spot| spot.is_blank()).count();
            if x < text_end && blanks >= MANY_BLANKS && dirty[x..x + blanks].iter().filter(|dirty| **dirty).count() > 8
            {
                self.erase(x, y, &numbered(blanks as u16, b'X'));
                x += blanks;
                continue;
            }
            self.reach(x, y, &new);
            let width = usize::from(new[x].width.max(1));
            self.put(&new[x]);
            x += width;
        }
        changed
    }

    /// Erases by `sequence` from column `x` on, in the default look.
    fn erase(&mut self, x: usize, y: u16, sequence: &[u8]) {
        self.follow_link(0);
        self.write_with(Pen::DEFAULT);
        self.place.go(x as u16, y, &mut self.body);
        self.body.extend_from_slice(sequence);
    }

    /// Brings the cursor to column `x`: over a short gap by writing what stands there already.
    fn reach(&mut self, x: usize, y: u16, row: &[Spot]) {
        if let (Some(from), true) = (self.place.column.map(usize::from), self.place.row == Some(y))
            && from < x
            && x - from <= SHORT_GAP
        {
            let gap = &row[from..x];
            let plain = |spot: &Spot| spot.text().len() == 1 && spot.width == 1;
            let same = |spot: &Spot| self.suits(spot) && spot.link == self.link;
            if gap.iter().all(|spot| plain(spot) && same(spot)) {
                gap.iter().for_each(|spot| self.put(spot));
                return;
            }
        }
        self.place.go(x as u16, y, &mut self.body);
    }

    /// Writes one glyph where the cursor is.
    fn put(&mut self, spot: &Spot) {
        self.follow_link(spot.link);
        if !self.suits(spot) {
            self.write_with(spot.pen());
        }
        if let (Some(column), Some(row), false) = (self.place.column, self.place.row, spot.has_certain_width()) {
            // A terminal that takes the glyph for a narrower one must not leave the old cell beside it.
            self.body.extend(std::iter::repeat_n(b' ', usize::from(spot.width)));
            let after = column + u16::from(spot.width);
            self.place.column = (after < self.next.width).then_some(after);
            self.place.go(column, row, &mut self.body);
        }
        self.body.extend_from_slice(spot.text().as_bytes());
        let next = self.place.column.map(|column| column + u16::from(spot.width.max(1)));
        self.place.column = next.filter(|column| *column < self.next.width && spot.has_certain_width());
    }

    /// Whether `spot` looks right when it is written as the pen is now: a blank may be written in the ink of its neighbours.
    fn suits(&self, spot: &Spot) -> bool {
        let pen = if spot.text() == " " { self.pen.of_blank() } else { self.pen };
        pen == spot.pen()
    }

    fn write_with(&mut self, pen: Pen) {
        self.pen.change(pen, &mut self.body);
        self.pen = pen;
    }

    /// Opens the link `key` or, for 0, closes the open one. The id makes one link of cells that are drawn at different times.
    fn follow_link(&mut self, key: u64) {
        if self.link == key {
            return;
        }
        match self.addresses.get(key) {
            Some(address) => {
                self.body.extend_from_slice(format!("\x1b]8;id={:x};{address}\x1b\\", key as u32).as_bytes());
            }
            None => self.body.extend_from_slice(b"\x1b]8;;\x1b\\"),
        }
        self.link = key;
    }
}

/// Which cells of a row must be written. A wide glyph, old or new, is written or erased as one.
fn differences(old: &[Spot], new: &[Spot]) -> Vec<bool> {
    let mut dirty: Vec<bool> = old.iter().zip(new).map(|(old, new)| old != new).collect();
    loop {
        let mut grew = false;
        for row in [old, new] {
            let mut x = 0;
            while let Some(spot) = row.get(x) {
                let width = usize::from(spot.width.max(1));
                if let Some(glyph) = dirty.get_mut(x..x + width)
                    && glyph.contains(&true)
                    && glyph.contains(&false)
                {
                    glyph.fill(true);
                    grew = true;
                }
                x += width;
            }
        }
        if !grew {
            return dirty;
        }
    }
}
