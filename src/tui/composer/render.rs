//! Drawing, scrolling, and where the mouse points.

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Composer;
use super::layout::{self, Row, RowAt};
use super::text::{Line, Pos};
use crate::neutralize::neutralize;
use crate::tui::theme::{Role, Theme};

/// The columns of the prompt's mark, where there is room for it.
const GUTTER: u16 = 2;
/// `height` counts no further: no screen has more rows.
const ROWS_COUNTED: usize = 1000;

/// Where and how the text was last drawn.
#[derive(Debug, Clone, Copy)]
pub struct View {
    area: Rect,
    /// A place in the top row.
    top: Pos,
}

impl Default for View {
    fn default() -> View {
        View { area: Rect::new(0, 0, 80, 1), top: Pos::default() }
    }
}

impl View {
    /// The width of the rows of text, in cells: one column is kept free at the right for the cursor.
    pub fn width(&self) -> u16 {
        text_width(self.area.width)
    }
}

fn gutter(width: u16) -> u16 {
    if width > 2 * GUTTER { GUTTER } else { 0 }
}

fn text_width(width: u16) -> u16 {
    width.saturating_sub(gutter(width) + 1).max(1)
}

impl Composer {
    /// How many rows the text has in an area of `width` columns: at least 1, and counted up to 1,000.
    pub fn height(&self, width: u16) -> u16 {
        let width = text_width(width);
        let mut rows = 0;
        for line in 0..self.text.lines() {
            rows += layout::row_count(self.text.line(line), width);
            if rows >= ROWS_COUNTED {
                return ROWS_COUNTED as u16;
            }
        }
        rows as u16
    }

    /// Draws the text, scrolled so that the cursor is in sight, and returns the cursor's cell; `None` of an area
    /// without cells. The first two columns are the prompt's: `>`, or an arrow where there is more above or below.
    /// `placeholder` is shown when there is no text. Expects blank cells.
    pub fn render(&mut self, area: Rect, buffer: &mut Buffer, theme: &Theme, placeholder: &str) -> Option<(u16, u16)> {
        let area = area.intersection(buffer.area);
        self.view.area = area;
        if area.is_empty() {
            return None;
        }
        let width = self.view.width();
        let height = area.height as usize;
        let cursor = layout::row_at(&self.text, self.cursor, width);
        let top = self.scrolled(cursor, height, width);
        let below = layout::distance(&self.text, top, self.last_row(width), height, width).is_none();
        self.draw_gutter(area, buffer, theme, top > RowAt { line: 0, row: 0 }, below);

        let left = area.x + gutter(area.width);
        if self.is_empty() {
            let placeholder = neutralize(placeholder).replace(['\n', '\t'], " ");
            buffer.set_stringn(left, area.y, placeholder, width as usize, theme.style(Role::Muted));
        }
        let (mut y, mut at) = (area.y, top);
        let mut found = None;
        while y < area.bottom() && at.line < self.text.lines() {
            let line = self.text.line(at.line);
            for (index, row) in layout::rows(line, width).iter().copied().enumerate().skip(at.row) {
                if y >= area.bottom() {
                    break;
                }
                self.draw_row(at.line, row, left, y, buffer, theme);
                if (RowAt { line: at.line, row: index }) == cursor {
                    let column = layout::column_between(line, row.start, self.cursor.byte, width);
                    found = Some((left.saturating_add(column).min(area.right() - 1), y));
                }
                y += 1;
            }
            at = RowAt { line: at.line + 1, row: 0 };
        }
        found
    }

    /// The row to draw at the top: where it was, moved no further than the cursor and the text's end need.
    fn scrolled(&mut self, cursor: RowAt, height: usize, width: u16) -> RowAt {
        let mut top = layout::row_at(&self.text, self.text.snap(self.view.top), width);
        top = top.min(cursor);
        if layout::distance(&self.text, top, cursor, height, width).is_none() {
            top = layout::above(&self.text, cursor, height - 1, width);
        }
        // No blank rows at the bottom while there is text above.
        top = top.min(layout::above(&self.text, self.last_row(width), height - 1, width));
        let rows = layout::rows(self.text.line(top.line), width);
        self.view.top = Pos::new(top.line, rows.get(top.row).map_or(0, |row| row.start));
        top
    }

    fn last_row(&self, width: u16) -> RowAt {
        layout::row_at(&self.text, self.text.end(), width)
    }

    fn draw_gutter(&self, area: Rect, buffer: &mut Buffer, theme: &Theme, above: bool, below: bool) {
        if gutter(area.width) == 0 {
            return;
        }
        let (mark, role) = if above { ("↑", Role::Muted) } else { (">", Role::Accent) };
        buffer.set_stringn(area.x, area.y, mark, 1, theme.style(role));
        if below && area.height > 1 {
            buffer.set_stringn(area.x, area.bottom() - 1, "↓", 1, theme.style(Role::Muted));
        }
    }

    fn draw_row(&self, at: usize, row: Row, left: u16, y: u16, buffer: &mut Buffer, theme: &Theme) {
        let width = self.view.width();
        let right = self.view.area.right();
        let line = self.text.line(at);
        let selection = self.selection();
        let matched = self.search.as_ref().and_then(|search| search.matched());
        let within = |range: Option<(Pos, Pos)>, pos: Pos| range.is_some_and(|(from, to)| from <= pos && pos < to);
        let (plain, chip) = (theme.style(Role::Text), theme.style(Role::Chip));
        let style_at = |byte: usize| {
            let pos = Pos::new(at, byte);
            let mut style = if line.chip(byte).is_some() { plain.patch(chip) } else { plain };
            if within(matched, pos) {
                style = style.patch(theme.style(Role::Match));
            }
            if within(selection, pos) {
                style = style.patch(theme.style(Role::Selection));
            }
            style
        };
        let (mut column, mut byte) = (0u16, row.start);
        while byte < row.end {
            let cells = layout::cells(line, byte, column, width);
            let x = left.saturating_add(column);
            let room = cells.min(right.saturating_sub(x));
            draw_atom(line, byte, Rect::new(x, y, room, 1), buffer, style_at(byte));
            column = column.saturating_add(cells);
            byte = line.next(byte);
        }
        // A selected newline shows as one cell.
        let x = left.saturating_add(column);
        if row.end == line.len() && x < right && within(selection, Pos::new(at, line.len())) {
            buffer.set_stringn(x, y, " ", 1, style_at(line.len()));
        }
    }

    /// A click on a cell of the screen: the cursor goes there. Cells outside the last rendered area are ignored.
    pub fn click(&mut self, column: u16, row: u16) {
        self.begin();
        let Some(pos) = self.pointed_at(column, row) else { return };
        self.take_found();
        self.leave_visual();
        self.move_to(self.text.snap(pos), false);
        self.settle();
    }

    /// The mouse moved to a cell with its button held: selects from where the cursor was.
    pub fn drag(&mut self, column: u16, row: u16) {
        self.begin();
        let Some(pos) = self.pointed_at(column, row) else { return };
        self.take_found();
        self.move_to(self.text.snap(pos), true);
        self.enter_visual();
        self.settle();
    }

    fn pointed_at(&self, column: u16, row: u16) -> Option<Pos> {
        let area = self.view.area;
        if !area.contains((column, row).into()) {
            return None;
        }
        let width = self.view.width();
        let column = column.saturating_sub(area.x + gutter(area.width));
        let top = layout::row_at(&self.text, self.text.snap(self.view.top), width);
        let mut left = (row - area.y) as usize + top.row;
        for at in top.line..self.text.lines() {
            let line = self.text.line(at);
            let rows = layout::rows(line, width);
            if let Some(row) = rows.get(left) {
                return Some(Pos::new(at, layout::byte_at(line, *row, column, width)));
            }
            left -= rows.len();
        }
        Some(self.text.end())
    }
}

/// Draws a grapheme or chip into its cells: in part where it is wider, blank where it is narrower.
fn draw_atom(line: &Line, byte: usize, cells: Rect, buffer: &mut Buffer, style: Style) {
    if cells.is_empty() {
        return;
    }
    let grapheme = line.grapheme(byte);
    if let [c @ b' '..=b'~'] = *grapheme.as_bytes() {
        if let Some(cell) = buffer.cell_mut((cells.x, cells.y)) {
            cell.set_char(c as char).set_style(style);
        }
        return;
    }
    if grapheme == "\t" {
        buffer.set_stringn(cells.x, cells.y, " ".repeat(cells.width as usize), cells.width as usize, style);
        return;
    }
    let shown = layout::shown(line, byte);
    if shown.cell_width() <= cells.width {
        buffer.set_stringn(cells.x, cells.y, shown, cells.width as usize, style);
    } else {
        buffer.set_stringn(cells.x, cells.y, &shown, cells.width as usize - 1, style);
        buffer.set_stringn(cells.right() - 1, cells.y, "…", 1, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(composer: &mut Composer, width: u16, height: u16) -> (Vec<String>, Option<(u16, u16)>) {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let cursor = composer.render(area, &mut buffer, &Theme::plain(), "Say something");
        let row = |y: u16| {
            let cells = (0..width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        ((0..height).map(row).collect(), cursor)
    }

    #[test]
    fn text_is_wrapped_beside_the_prompt_with_the_cursor_after_it() {
        let mut composer = Composer::new(false);
        assert_eq!(drawn(&mut composer, 20, 1), (vec!["> Say something".to_owned()], Some((2, 0))));
        composer.paste("the quick brown\nfox");
        assert_eq!(composer.height(12), 3);
        assert_eq!(
            drawn(&mut composer, 12, 3),
            (vec!["> the quick".into(), "  brown".into(), "  fox".into()], Some((5, 2)))
        );
    }

    #[test]
    fn it_scrolls_only_as_far_as_the_cursor_needs() {
        let mut composer = Composer::new(false);
        composer.set_text("1\n2\n3\n4\n5");
        assert_eq!(drawn(&mut composer, 9, 3).0, ["↑ 3", "  4", "  5"]);
        composer.vertical(false, false);
        composer.vertical(false, false);
        assert_eq!(drawn(&mut composer, 9, 3).0, ["↑ 3", "  4", "  5"]);
        composer.vertical(false, false);
        assert_eq!(drawn(&mut composer, 9, 3), (vec!["↑ 2".into(), "  3".into(), "↓ 4".into()], Some((3, 0))));
        composer.set_text("1");
        assert_eq!(drawn(&mut composer, 9, 2).0, ["> 1", ""]);
    }

    #[test]
    fn a_chip_wider_than_the_area_is_drawn_in_part() {
        let mut composer = Composer::new(false);
        composer.attach("notes.txt", String::new());
        assert_eq!(drawn(&mut composer, 10, 2), (vec!["> [notes…".into(), String::new()], Some((9, 0))));
        assert_eq!(drawn(&mut composer, 1, 1), (vec!["…".into()], Some((0, 0))));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_drawn() {
        let mut composer = Composer::new(false);
        composer.paste("a\x1b[2J\u{202e}b\u{9b}\tc");
        assert_eq!(drawn(&mut composer, 20, 1).0, ["> a␛[2J\u{fffd}b\u{fffd}    c"]);
        assert_eq!(composer.text(), "a␛[2J\u{202e}b\u{fffd}\tc");
    }

    #[test]
    fn a_click_goes_to_its_cell_and_a_drag_selects() {
        let mut composer = Composer::new(false);
        composer.set_text("漢字 text\nsecond");
        drawn(&mut composer, 20, 3);
        composer.click(5, 0);
        assert_eq!(composer.cursor, Pos::new(0, 3));
        composer.drag(4, 1);
        assert_eq!(composer.selected().as_deref(), Some("字 text\nse"));
        composer.click(19, 0);
        assert_eq!((composer.cursor, composer.selected()), (Pos::new(0, 11), None));
        composer.click(0, 2);
        assert_eq!(composer.cursor, composer.text.end());
        composer.click(90, 90);
        assert_eq!(composer.cursor, composer.text.end());
    }
}
