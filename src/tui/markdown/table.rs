//! Tables: columns fitted to the width, cells wrapped; where there is no room for columns, a list of cells.

use ratatui::style::Style;

use super::block::{Align, Inlines, Table};
use super::cluster::columns;
use super::layout::styled;
use super::wrap::{Break, Row, wrap};
use crate::tui::theme::{Role, Theme};

const SEPARATOR: &str = " │ ";
const SEPARATOR_COLUMNS: usize = 3;
const CROSSING: &str = "─┼─";
/// A column that has to shrink keeps at least this.
const MIN_COLUMN: usize = 4;
/// A word up to this long is kept whole where the width allows.
const MAX_KEPT_WORD: usize = 24;

/// The rows of `table`, each at most `width` columns.
pub fn table_rows(table: &Table, width: u16, base: Style, theme: &Theme) -> Vec<Row> {
    let count = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.head.len());
    match widths(table, count, usize::from(width)) {
        Some(widths) => grid(table, &widths, base, theme),
        None => list(table, width, base, theme),
    }
}

/// How wide each column is, or None where they do not fit side by side.
fn widths(table: &Table, count: usize, width: usize) -> Option<Vec<usize>> {
    if count == 0 {
        return None;
    }
    let room = width.checked_sub(SEPARATOR_COLUMNS * (count - 1))?;
    let (mut natural, mut words) = (vec![1; count], vec![1; count]);
    for row in table.rows.iter().chain([&table.head]) {
        for (column, cell) in row.iter().enumerate() {
            let widest = cell.text.split('\n').map(columns).max().unwrap_or(0);
            let word = cell.text.split_whitespace().map(columns).max().unwrap_or(0);
            natural[column] = natural[column].max(widest);
            words[column] = words[column].max(word.min(MAX_KEPT_WORD));
        }
    }
    if natural.iter().sum::<usize>() <= room {
        return Some(natural);
    }
    let fitted = if words.iter().sum::<usize>() <= room {
        let wishes: Vec<usize> =
            natural.iter().zip(&words).map(|(natural, word)| natural.saturating_sub(*word)).collect();
        let shares = share(room - words.iter().sum::<usize>(), &wishes);
        words.iter().zip(shares).map(|(word, share)| word + share).collect()
    } else {
        share(room, &natural)
    };
    let readable = fitted.iter().zip(&natural).all(|(fitted, natural)| *fitted >= MIN_COLUMN.min(*natural));
    readable.then_some(fitted)
}

/// Divides `room` so that small wishes come true and the large ones get equal parts of the rest.
fn share(room: usize, wishes: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by_key(|column| wishes[*column]);
    let mut shares = vec![0; wishes.len()];
    let mut left = room;
    for (done, column) in order.iter().enumerate() {
        shares[*column] = wishes[*column].min(left / (wishes.len() - done));
        left -= shares[*column];
    }
    shares
}

fn grid(table: &Table, widths: &[usize], base: Style, theme: &Theme) -> Vec<Row> {
    let border = base.patch(theme.style(Role::Border));
    let cells = |row: &[Inlines], style: Style| -> Vec<Vec<Row>> {
        let empty = Inlines::default();
        let cell = |(column, width): (usize, &usize)| {
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            wrap(&styled(row.get(column).unwrap_or(&empty), style, theme), width, Break::Words)
        };
        widths.iter().enumerate().map(cell).collect()
    };
    let rule = || {
        let parts: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let mut row = Row::default();
        row.push(&parts.join(CROSSING), border);
        row
    };
    let body: Vec<Vec<Vec<Row>>> = table.rows.iter().map(|row| cells(row, base)).collect();
    // Where a cell takes several rows, a line shows which rows belong together.
    let ruled = body.iter().flatten().any(|cell| cell.len() > 1);
    let mut rows = Vec::new();
    push_cells(&mut rows, cells(&table.head, base.patch(theme.style(Role::Strong))), widths, &table.alignments, border);
    rows.push(rule());
    for (i, row) in body.into_iter().enumerate() {
        if ruled && i > 0 {
            rows.push(rule());
        }
        push_cells(&mut rows, row, widths, &table.alignments, border);
    }
    rows
}

fn push_cells(rows: &mut Vec<Row>, cells: Vec<Vec<Row>>, widths: &[usize], alignments: &[Align], border: Style) {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut cells: Vec<_> = cells.into_iter().map(Vec::into_iter).collect();
    for _ in 0..height {
        let mut row = Row::default();
        for (column, (cell, width)) in cells.iter_mut().zip(widths).enumerate() {
            if column > 0 {
                row.push(SEPARATOR, border);
            }
            let line = cell.next().unwrap_or_default();
            let free = width.saturating_sub(line.columns());
            let left = match alignments.get(column).copied().unwrap_or_default() {
                Align::Left => 0,
                Align::Center => free / 2,
                Align::Right => free,
            };
            row.push(&" ".repeat(left), Style::new());
            row.append(line);
            if column + 1 < widths.len() {
                row.push(&" ".repeat(free - left), Style::new());
            }
        }
        rows.push(row);
    }
}

/// Each cell below its column's name, a blank row between the table's rows.
fn list(table: &Table, width: u16, base: Style, theme: &Theme) -> Vec<Row> {
    let strong = base.patch(theme.style(Role::Strong));
    let mut rows = Vec::new();
    if table.rows.is_empty() {
        table.head.iter().for_each(|name| rows.extend(wrap(&styled(name, strong, theme), width, Break::Words)));
    }
    for (i, row) in table.rows.iter().enumerate() {
        if i > 0 {
            rows.push(Row::default());
        }
        for (column, cell) in row.iter().enumerate() {
            if let Some(name) = table.head.get(column).filter(|name| !name.text.is_empty()) {
                let mut name = styled(name, strong, theme);
                name.text.push(':');
                if let Some(piece) = name.pieces.last_mut() {
                    piece.end = name.text.len();
                }
                rows.extend(wrap(&name, width, Break::Words));
            }
            if !cell.text.is_empty() {
                rows.extend(wrap(&styled(cell, base, theme), width, Break::Words));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::markdown::Document;

    fn texts(source: &str, width: u16) -> Vec<String> {
        let mut document = Document::of(source);
        let rows = document.block_rows(0, width, &Theme::plain());
        rows.iter().map(|row| row.text.trim_end().to_owned()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_cells_and_aligned() {
        let rows = texts("| a | b | c |\n|:--|:-:|--:|\n| 中文 | x | 1 |\n| y | long | 100 |\n", 80);
        assert_eq!(rows, ["a    │  b   │   c", "─────┼──────┼────", "中文 │  x   │   1", "y    │ long │ 100"]);
    }

    #[test]
    fn cells_wrap_where_the_table_is_too_wide() {
        let rows = texts("| k | text |\n|---|---|\n| a | one two three |\n| b | four |\n", 13);
        assert_eq!(rows, ["k │ text", "──┼──────────", "a │ one two", "  │ three", "──┼──────────", "b │ four"]);
    }

    #[test]
    fn without_room_for_columns_it_is_a_list_of_cells() {
        let rows = texts("| name | value |\n|---|---|\n| alpha | beta |\n| gamma | d |\n", 8);
        assert_eq!(rows, ["name:", "alpha", "value:", "beta", "", "name:", "gamma", "value:", "d"]);
    }

    #[test]
    fn room_is_shared_fairly() {
        assert_eq!(share(10, &[2, 20, 30]), [2, 4, 4]);
        assert_eq!(share(100, &[2, 20, 30]), [2, 20, 30]);
    }

    #[test]
    fn a_break_in_a_cell_is_one() {
        assert_eq!(texts("| a |\n|---|\n| x<br>y |\n", 20), ["a", "─", "x", "y"]);
    }
}
