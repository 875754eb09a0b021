//! Finds the block of rows that moved up or down between two pictures, so that the terminal can move it itself.
//!
//! Rows are compared in pieces of eight cells, so that a block is found too when something beside it stands still (a
//! column of gauges): the terminal then moves whole rows, and the still part is written again where that pays.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::grid::{Grid, Spot};

/// The rows `top..=bottom` move by `shift` rows: up for a positive number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scroll {
    pub(super) top: u16,
    pub(super) bottom: u16,
    pub(super) shift: i32,
}

const PIECE_CELLS: usize = 8;
/// Fewer rows than this are as soon written as moved.
const LEAST_ROWS: usize = 4;
/// What a piece costs, about in bytes: one that gets text, and one that only gets blank.
const TEXT_COST: i64 = 8;
const BLANK_COST: i64 = 1;
/// Bytes of the sequences that scroll, beside one for each row.
const SCROLL_COST: i64 = 24;

/// The scroll that saves most on the way from `shown` to `next`, if any pays.
pub(super) fn find(shown: &Grid, next: &Grid) -> Option<Scroll> {
    let height = usize::from(next.height);
    if (shown.width, shown.height) != (next.width, next.height) || height < LEAST_ROWS || next.width == 0 {
        return None;
    }
    let changed = (0..next.height).filter(|y| shown.row(*y) != next.row(*y)).count();
    if changed < LEAST_ROWS {
        return None;
    }
    let old = Pieces::of(shown);
    let new = Pieces::of(next);
    let still: Vec<i64> = (0..height).map(|y| new.cost(y, old.row(y))).collect();
    let blank: Vec<i64> = (0..height).map(|y| new.cost(y, &new.blank_row)).collect();

    let mut best = None;
    let mut most = 0;
    for by in 1..=height - LEAST_ROWS {
        for up in [true, false] {
            // Row `y` of a block would come from row `y + by` (up) or `y - by` (down).
            let rows = if up { 0..height - by } else { by..height };
            let gain = |y: usize| still[y] - new.cost(y, old.row(if up { y + by } else { y - by }));
            let Some((first, last, saved)) = best_run(rows, gain) else { continue };
            let exposed = if up { last + 1..last + 1 + by } else { first - by..first };
            let saved = saved + exposed.clone().map(|y| still[y] - blank[y]).sum::<i64>() - SCROLL_COST - by as i64;
            let (top, bottom) = if up { (first, last + by) } else { (first - by, last) };
            if saved > most && last + 1 - first >= LEAST_ROWS {
                most = saved;
                let shift = if up { by as i32 } else { -(by as i32) };
                best = Some(Scroll { top: top as u16, bottom: bottom as u16, shift });
            }
        }
    }
    best
}

/// The run of neighbouring rows whose gains have the greatest sum (Kadane's algorithm), with that sum.
fn best_run(rows: std::ops::Range<usize>, gain: impl Fn(usize) -> i64) -> Option<(usize, usize, i64)> {
    let mut best: Option<(usize, usize, i64)> = None;
    let (mut start, mut sum) = (rows.start, 0);
    for y in rows {
        if sum <= 0 {
            (start, sum) = (y, 0);
        }
        sum += gain(y);
        if sum > best.map_or(0, |(_, _, most)| most) {
            best = Some((start, y, sum));
        }
    }
    best
}

/// The pieces of every row, by hash.
struct Pieces {
    a_row: usize,
    hashes: Vec<u64>,
    blank_row: Vec<u64>,
}

impl Pieces {
    fn of(grid: &Grid) -> Pieces {
        let blank = Grid::blank(grid.width, 1);
        Pieces {
            a_row: usize::from(grid.width).div_ceil(PIECE_CELLS),
            hashes: (0..grid.height).flat_map(|y| grid.row(y).chunks(PIECE_CELLS).map(hash)).collect(),
            blank_row: blank.row(0).chunks(PIECE_CELLS).map(hash).collect(),
        }
    }

    fn row(&self, y: usize) -> &[u64] {
        self.hashes.get(y * self.a_row..(y + 1) * self.a_row).unwrap_or_default()
    }

    /// What it costs to turn `from` into row `y`.
    fn cost(&self, y: usize, from: &[u64]) -> i64 {
        let pieces = self.row(y).iter().zip(from).zip(&self.blank_row);
        pieces
            .map(|((new, old), blank)| {
                if new == old {
                    0
                } else if new == blank {
                    BLANK_COST
                } else {
                    TEXT_COST
                }
            })
            .sum()
    }
}

fn hash(spots: &[Spot]) -> u64 {
    let mut hasher = DefaultHasher::new();
    spots.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::super::grid::Addresses;
    use super::*;

    fn grid(lines: &[String]) -> Grid {
        let mut grid = Grid::default();
        grid.fill(&Buffer::with_lines(lines.iter().map(String::as_str)), &[], &mut Addresses::default());
        grid
    }

    fn line(number: usize) -> String {
        format!("{number:03} a line of some forty characters, no.{number:03}")
    }

    fn lines(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
        numbers.into_iter().map(line).collect()
    }

    #[test]
    fn a_block_between_still_rows_is_found_in_both_directions() {
        let before = lines([100, 1, 2, 3, 4, 5, 6, 7, 8, 101]);
        let after = lines([100, 3, 4, 5, 6, 7, 8, 9, 10, 101]);
        let up = Scroll { top: 1, bottom: 8, shift: 2 };
        assert_eq!(find(&grid(&before), &grid(&after)), Some(up));
        let down = Scroll { shift: -2, ..up };
        assert_eq!(find(&grid(&after), &grid(&before)), Some(down));
    }

    #[test]
    fn a_block_beside_a_column_that_stands_still_is_found() {
        let beside = |first: usize| {
            (0..12).map(|y| format!("{}|{:<16}", line(first + y), format!("gauge {y}"))).collect::<Vec<_>>()
        };
        let found = find(&grid(&beside(1)), &grid(&beside(2)));
        assert_eq!(found, Some(Scroll { top: 0, bottom: 11, shift: 1 }));
    }

    #[test]
    fn a_few_rows_or_rows_that_only_changed_are_not_moved() {
        let before = lines(0..10);
        let mut after = before.clone();
        after[4] = line(77);
        assert_eq!(find(&grid(&before), &grid(&after)), None);
        assert_eq!(find(&grid(&before), &grid(&lines(20..30))), None);
        let three = lines([0, 1, 2, 3, 5, 6, 7, 77, 8, 9]);
        assert_eq!(find(&grid(&before), &grid(&three)), None, "three rows moved");
    }
}
