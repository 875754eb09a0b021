//! A block at the top of a message with the rows that are kept of it.

use super::block::{Block, List};
use super::code::{Highlighted, label_row, push_rows};
use super::layout::{Layout, Place, number};
use super::wrap::Row;
use crate::tui::theme::Theme;

/// A block and its rows.
#[derive(Debug)]
pub struct Laid {
    pub block: Block,
    /// Colours of the code blocks in `block`, in order.
    highlighted: Vec<Highlighted>,
    kept: Option<Kept>,
}

/// Rows, and what they were made for.
#[derive(Debug)]
struct Kept {
    width: u16,
    generation: u64,
    gap: bool,
    rows: Vec<Row>,
    /// Of a list: how many rows there were after each item. Of code: after each finished line.
    part_ends: Vec<usize>,
    /// So many parts are still as `part_ends` has them.
    valid_parts: usize,
    /// Whether everything in `rows` is as the block is now.
    complete: bool,
}

impl Laid {
    pub fn new(block: Block) -> Laid {
        Laid { block, highlighted: Vec::new(), kept: None }
    }

    /// The block is `block` now. Rows that stay the same stay.
    pub fn renew(&mut self, block: Block) {
        if self.block == block {
            return;
        }
        if let Some(kept) = &mut self.kept {
            let same = match (&self.block, &block) {
                (Block::List(old), Block::List(new)) => same_items(old, new),
                // The highlighter knows which lines are the same.
                (Block::Code(old), Block::Code(new)) if old.language == new.language && old.fenced == new.fenced => {
                    kept.valid_parts
                }
                _ => 0,
            };
            kept.valid_parts = kept.valid_parts.min(same);
            kept.complete = false;
        }
        self.block = block;
    }

    /// More lines came at the end of a code block.
    pub fn lengthen_code(&mut self, change: impl FnOnce(&mut String)) {
        if let Block::Code(code) = &mut self.block {
            change(&mut code.text);
            if let Some(kept) = &mut self.kept {
                kept.complete = false;
            }
        }
    }

    /// The rows at `width`, the first one blank where there is a `gap` to the block before.
    pub fn rows(&mut self, width: u16, theme: &Theme, gap: bool) -> &[Row] {
        let generation = theme.generation();
        let kept = self.kept.take().filter(|kept| (kept.width, kept.generation, kept.gap) == (width, generation, gap));
        let mut kept = kept.unwrap_or_else(|| Kept {
            width,
            generation,
            gap,
            rows: Vec::new(),
            part_ends: Vec::new(),
            valid_parts: 0,
            complete: false,
        });
        if !kept.complete {
            self.lay_out(&mut kept, theme);
        }
        &self.kept.insert(kept).rows
    }

    pub fn forget(&mut self) {
        self.kept = None;
        self.highlighted = Vec::new();
    }

    fn lay_out(&mut self, kept: &mut Kept, theme: &Theme) {
        let place = Place::top(kept.width, theme);
        let mut layout = Layout { theme, highlighted: &mut self.highlighted, next_code: 0 };
        match &self.block {
            Block::List(list) => {
                kept.keep(kept.valid_parts, None);
                let first = kept.part_ends.len();
                let skipped = list.items.get(..first).unwrap_or_default();
                skipped.iter().for_each(|item| item.each_code(&mut |_| layout.next_code += 1));
                for (i, item) in list.items.iter().enumerate().skip(first) {
                    layout.push_item(&mut kept.rows, list, i, item, place);
                    kept.part_ends.push(kept.rows.len());
                }
            }
            Block::Code(code) => {
                let (known, highlighted) = layout.follow(code);
                kept.keep(kept.valid_parts.min(known), label_row(code, place.width, theme));
                let first = kept.part_ends.len();
                let Kept { rows, part_ends, .. } = kept;
                push_rows(rows, code, highlighted, first, place.width, theme, |rows| part_ends.push(rows));
            }
            block => {
                kept.keep(0, None);
                kept.rows.extend(layout.block(block, place));
            }
        }
        kept.valid_parts = kept.part_ends.len();
        kept.complete = true;
    }
}

impl Kept {
    /// Leaves the rows of the first `parts` parts; without any, the gap and the `head`.
    fn keep(&mut self, parts: usize, head: Option<Row>) {
        self.part_ends.truncate(parts);
        match self.part_ends.last() {
            Some(end) => self.rows.truncate(*end),
            None => {
                self.rows.clear();
                if self.gap {
                    self.rows.push(Row::default());
                }
                self.rows.extend(head);
            }
        }
    }
}

/// How many items at the start look the same in both lists.
fn same_items(old: &List, new: &List) -> usize {
    let digits =
        |list: &List| list.start.map(|start| number(start, list.items.len().saturating_sub(1)).to_string().len());
    if (old.start, old.loose, digits(old)) != (new.start, new.loose, digits(new)) {
        return 0;
    }
    old.items.iter().zip(&new.items).take_while(|(old, new)| old == new).count()
}
