//! A tile of queries over a range of positions of one KV head.

use std::ops::Range;

use super::math::{exp, tanh};
use super::simd::{Element, LANES, Simd};
use super::store::{Cells, Store};
use super::{Params, Shape};

/// Positions whose scores are weighed at once.
pub const BLOCK: usize = 128;
/// Rows of a [`Product`] at most.
const ROWS: usize = 6;
/// From so many rows on, keys and values of a type other than f32 are widened once instead of for each [`ROWS`].
const WIDENED_ROWS: usize = 13;

/// What a task computes: the queries of some tokens by all heads that share a KV head, over some positions. Its rows are
/// those of the first token, then those of the next.
pub struct Job<'a> {
    pub store: &'a Store,
    pub kv_head: usize,
    /// Of all tokens and heads, `[tokens, heads, k_dim]`.
    pub q: &'a [f32],
    pub heads: usize,
    pub tokens: Range<usize>,
    /// Positions before the first of all tokens.
    pub past: usize,
    pub positions: Range<usize>,
    pub params: &'a Params,
}

/// What a thread computes with, kept from job to job.
#[derive(Default)]
pub struct Scratch {
    /// `[rows, k_dim]`, scaled.
    q: Vec<f32>,
    /// `[rows, BLOCK]`: scores, then their weights.
    scores: Vec<f32>,
    /// Widened keys `[BLOCK / LANES, k_dim, LANES]`.
    keys: Vec<f32>,
    /// Widened values `[v_lanes / LANES, BLOCK, LANES]`.
    values: Vec<f32>,
    /// Of each row: the greatest score so far, the sum of the weights relative to it, and the values by those weights
    /// `[rows, v_lanes]`.
    pub largest: Vec<f32>,
    pub sum: Vec<f32>,
    pub out: Vec<f32>,
}

/// `out[r, n] (+)= a[r, ..] * b[.., n]` for `R` rows and `N` vectors of columns.
pub struct Product<E> {
    a: *const f32,
    a_row: usize,
    b: *const E,
    /// From a vector of `b` to the next of the same columns, and to the next columns.
    b_step: usize,
    b_column: usize,
    depth: usize,
    out: *mut f32,
    out_row: usize,
    add: bool,
}

impl<E: Element> Product<E> {
    /// # Safety
    /// The pointers must be good for what is read and written; the processor must have the instructions.
    #[inline(always)]
    pub unsafe fn compute<S: Simd, const R: usize, const N: usize>(&self) {
        // SAFETY: by the caller.
        unsafe {
            let mut sums = [[S::splat(0.0); N]; R];
            if self.add {
                for r in 0..R {
                    for n in 0..N {
                        sums[r][n] = S::load(self.out.add(r * self.out_row + n * LANES));
                    }
                }
            }
            let mut b = self.b;
            for step in 0..self.depth {
                let mut columns = [S::splat(0.0); N];
                for n in 0..N {
                    columns[n] = E::load::<S>(b.add(n * self.b_column));
                }
                for r in 0..R {
                    let a = S::splat(*self.a.add(r * self.a_row + step));
                    for n in 0..N {
                        sums[r][n] = S::mul_add(a, columns[n], sums[r][n]);
                    }
                }
                b = b.wrapping_add(self.b_step);
            }
            for r in 0..R {
                for n in 0..N {
                    S::store(self.out.add(r * self.out_row + n * LANES), sums[r][n]);
                }
            }
        }
    }

    /// With `rows`, at most [`ROWS`], and `N` vectors of columns.
    ///
    /// # Safety
    /// As of [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_rows<S: Simd, const N: usize>(&self, rows: usize) {
        // SAFETY: by the caller.
        unsafe {
            match rows {
                1 => S::product::<E, 1, N>(self),
                2 => S::product::<E, 2, N>(self),
                3 => S::product::<E, 3, N>(self),
                4 => S::product::<E, 4, N>(self),
                5 => S::product::<E, 5, N>(self),
                _ => S::product::<E, 6, N>(self),
            }
        }
    }

    /// With `rows` and `columns` vectors of columns, 1 or more as [`next_columns`] has it.
    ///
    /// # Safety
    /// As of [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, rows: usize, columns: usize) {
        // SAFETY: by the caller.
        unsafe {
            match columns {
                4 => self.of_rows::<S, 4>(rows),
                2 => self.of_rows::<S, 2>(rows),
                _ => self.of_rows::<S, 1>(rows),
            }
        }
    }
}

/// How many vectors of columns to take of those that are left.
#[inline(always)]
fn next_columns<S: Simd>(rows: usize, left: usize) -> usize {
    // Few rows leave room for more columns, which are longer runs of memory and more sums under way.
    let most = if rows <= 2 { 2 * S::COLUMNS } else { S::COLUMNS };
    if left >= most { most } else { 1 }
}

impl Job<'_> {
    pub fn shape(&self) -> &Shape {
        &self.store.shape
    }

    pub fn group(&self) -> usize {
        self.heads / self.shape().kv_heads
    }

    pub fn rows(&self) -> usize {
        self.tokens.len() * self.group()
    }

    /// The positions that a row sees.
    fn seen(&self, row: usize) -> Range<usize> {
        let end = self.past + self.tokens.start + row / self.group() + 1;
        self.params.first_seen(end)..end
    }

    /// The positions of `block` that rows `from .. to` see between them.
    fn seen_of(&self, from: usize, to: usize, block: &Range<usize>) -> Range<usize> {
        self.seen(from).start.max(block.start)..self.seen(to - 1).end.min(block.end)
    }

    /// Leaves each row's result in `scratch`: `out` is not divided by `sum` yet, and sinks are not in it.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[inline(always)]
    pub unsafe fn compute<S: Simd>(&self, scratch: &mut Scratch) {
        let Shape { k_dim, v_lanes, .. } = *self.shape();
        let rows = self.rows();
        scratch.q.resize(rows * k_dim, 0.0);
        scratch.scores.resize(rows * BLOCK, 0.0);
        for (all, value) in [(&mut scratch.largest, f32::NEG_INFINITY), (&mut scratch.sum, 0.0)] {
            all.clear();
            all.resize(rows, value);
        }
        scratch.out.clear();
        scratch.out.resize(rows * v_lanes, 0.0);
        for (row, scaled) in scratch.q.chunks_exact_mut(k_dim).enumerate() {
            let head = self.kv_head * self.group() + row % self.group();
            let from = ((self.tokens.start + row / self.group()) * self.heads + head) * k_dim;
            for (scaled, q) in scaled.iter_mut().zip(&self.q[from..from + k_dim]) {
                *scaled = q * self.params.scale;
            }
        }
        let all = self.seen_of(0, rows, &self.positions);
        let mut start = all.start / LANES * LANES;
        while start < all.end {
            let block = start..all.end.min(start + BLOCK);
            // SAFETY: the scratch has room for the rows, and the store has the block's positions.
            unsafe {
                self.score::<S>(&block, scratch);
                self.weigh::<S>(&block, scratch);
                self.average::<S>(&block, scratch);
            }
            start += BLOCK;
        }
    }

    /// Queries times keys.
    #[inline(always)]
    unsafe fn score<S: Simd>(&self, block: &Range<usize>, scratch: &mut Scratch) {
        let Shape { k_dim, .. } = *self.shape();
        let lanes = block.len().div_ceil(LANES);
        let first = self.store.keys.of(self.kv_head, block.start / LANES);
        let widened = self.rows() >= WIDENED_ROWS;
        // SAFETY: the blocks from `first` on are the store's; the scratch has room.
        unsafe {
            match &self.store.keys.cells {
                Cells::F32(keys) => self.score_of::<S, f32>(keys.as_ptr().add(first), block, scratch),
                Cells::F16(keys) if !widened => self.score_of::<S, u16>(keys.as_ptr().add(first), block, scratch),
                cells => {
                    scratch.keys.resize(BLOCK * k_dim, 0.0);
                    let groups = self.store.keys.groups();
                    for lane in 0..lanes {
                        for dim in 0..k_dim {
                            let index = first + (lane * k_dim + dim) * LANES;
                            let x = match cells {
                                Cells::Q8_0(codes, scales) => {
                                    let group = first / k_dim * groups + (lane * groups + dim / super::GROUP) * LANES;
                                    let scales = S::load_f16(scales.as_ptr().add(group));
                                    S::mul(S::load_i8(codes.as_ptr().add(index)), scales)
                                }
                                Cells::F16(bits) => S::load_f16(bits.as_ptr().add(index)),
                                Cells::F32(x) => S::load(x.as_ptr().add(index)),
                            };
                            S::store(scratch.keys.as_mut_ptr().add((lane * k_dim + dim) * LANES), x);
                        }
                    }
                    self.score_of::<S, f32>(scratch.keys.as_ptr(), block, scratch);
                }
            }
        }
    }

    /// `keys` are those from the block's first position on.
    #[inline(always)]
    unsafe fn score_of<S: Simd, E: Element>(&self, keys: *const E, block: &Range<usize>, scratch: &mut Scratch) {
        let Shape { k_dim, .. } = *self.shape();
        let (rows, lanes) = (self.rows(), block.len().div_ceil(LANES));
        let mut lane = 0;
        while lane < lanes {
            let columns = next_columns::<S>(rows, lanes - lane);
            let start = block.start + lane * LANES;
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                if self.seen_of(row, row + count, &(start..start + columns * LANES)).is_empty() {
                    continue;
                }
                let product = Product {
                    a: scratch.q[row * k_dim..].as_ptr(),
                    a_row: k_dim,
                    b: keys.wrapping_add(lane * k_dim * LANES),
                    b_step: LANES,
                    b_column: k_dim * LANES,
                    depth: k_dim,
                    out: scratch.scores[row * BLOCK + lane * LANES..].as_mut_ptr(),
                    out_row: BLOCK,
                    add: false,
                };
                // SAFETY: by the caller.
                unsafe { product.run::<S>(count, columns) };
            }
            lane += columns;
        }
    }

    /// Scores to weights relative to the greatest so far; what was summed with another greatest is scaled to the new.
    #[inline(always)]
    unsafe fn weigh<S: Simd>(&self, block: &Range<usize>, scratch: &mut Scratch) {
        let Shape { v_lanes, .. } = *self.shape();
        let padded = block.len().next_multiple_of(LANES);
        for (row, scores) in scratch.scores.chunks_exact_mut(BLOCK).enumerate().take(self.rows()) {
            let scores = &mut scores[..padded];
            let seen = self.seen_of(row, row + 1, block);
            if seen.is_empty() {
                scores.fill(0.0);
                continue;
            }
            // SAFETY: `scores` is a multiple of LANES long, and `out` has `v_lanes` a row.
            unsafe {
                let vectors = || (0..padded).step_by(LANES);
                let at = scores.as_mut_ptr();
                if let Some(cap) = self.params.cap {
                    for i in vectors() {
                        let x = tanh::<S>(S::mul(S::load(at.add(i)), S::splat(1.0 / cap)));
                        S::store(at.add(i), S::mul(x, S::splat(cap)));
                    }
                }
                scores[..seen.start - block.start].fill(f32::NEG_INFINITY);
                scores[seen.end - block.start..].fill(f32::NEG_INFINITY);
                let mut largest = S::splat(scratch.largest[row]);
                for i in vectors() {
                    largest = S::max(S::load(at.add(i)), largest);
                }
                let before = scratch.largest[row];
                let largest = S::largest(largest);
                // Scores that all are minus infinity weigh alike nothing against any other.
                let reference = if largest == f32::NEG_INFINITY { 0.0 } else { largest };
                let mut sum = S::splat(0.0);
                for i in vectors() {
                    let weight = exp::<S>(S::sub(S::load(at.add(i)), S::splat(reference)));
                    S::store(at.add(i), weight);
                    sum = S::add(sum, weight);
                }
                let faded = if before == largest { 1.0 } else { (before - reference).exp() };
                scratch.largest[row] = largest;
                scratch.sum[row] = scratch.sum[row] * faded + S::sum(sum);
                if faded != 1.0 {
                    let out = scratch.out[row * v_lanes..(row + 1) * v_lanes].as_mut_ptr();
                    for i in (0..v_lanes).step_by(LANES) {
                        S::store(out.add(i), S::mul(S::load(out.add(i)), S::splat(faded)));
                    }
                }
            }
        }
    }

    /// Adds the values by their weights.
    #[inline(always)]
    unsafe fn average<S: Simd>(&self, block: &Range<usize>, scratch: &mut Scratch) {
        let Shape { v_lanes, .. } = *self.shape();
        let first = self.store.values.of(self.kv_head, block.start / LANES);
        let widened = self.rows() >= WIDENED_ROWS;
        // SAFETY: the positions from `first` on are the store's; the scratch has room.
        unsafe {
            match &self.store.values.cells {
                Cells::F32(values) if !widened => {
                    self.average_of::<S, f32>(values.as_ptr().add(first), (v_lanes, LANES), block, scratch);
                }
                Cells::F16(values) if !widened => {
                    self.average_of::<S, u16>(values.as_ptr().add(first), (v_lanes, LANES), block, scratch);
                }
                cells => {
                    scratch.values.resize(BLOCK * v_lanes, 0.0);
                    let groups = self.store.values.groups();
                    for position in 0..block.len() {
                        for column in 0..v_lanes / LANES {
                            let index = first + position * v_lanes + column * LANES;
                            let x = match cells {
                                Cells::Q8_0(codes, scales) => {
                                    let lane = first / v_lanes + position;
                                    let group = column * LANES / super::GROUP;
                                    let scale = scales[(lane / LANES * groups + group) * LANES + lane % LANES];
                                    let scale = S::splat(half::f16::from_bits(scale).to_f32());
                                    S::mul(S::load_i8(codes.as_ptr().add(index)), scale)
                                }
                                Cells::F16(bits) => S::load_f16(bits.as_ptr().add(index)),
                                Cells::F32(x) => S::load(x.as_ptr().add(index)),
                            };
                            S::store(scratch.values.as_mut_ptr().add((column * BLOCK + position) * LANES), x);
                        }
                    }
                    let steps = (LANES, BLOCK * LANES);
                    self.average_of::<S, f32>(scratch.values.as_ptr(), steps, block, scratch);
                }
            }
        }
    }

    /// `values` are those from the block's first position on, `steps` apart from position to position and from columns to
    /// columns.
    #[inline(always)]
    unsafe fn average_of<S: Simd, E: Element>(
        &self,
        values: *const E,
        steps: (usize, usize),
        block: &Range<usize>,
        scratch: &mut Scratch,
    ) {
        let Shape { v_lanes, .. } = *self.shape();
        let rows = self.rows();
        let mut column = 0;
        while column < v_lanes / LANES {
            let columns = next_columns::<S>(rows, v_lanes / LANES - column);
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                let seen = self.seen_of(row, row + count, block);
                if seen.is_empty() {
                    continue;
                }
                let skipped = seen.start - block.start;
                let product = Product {
                    a: scratch.scores[row * BLOCK + skipped..].as_ptr(),
                    a_row: BLOCK,
                    b: values.wrapping_add(skipped * steps.0 + column * steps.1),
                    b_step: steps.0,
                    b_column: steps.1,
                    depth: seen.len(),
                    out: scratch.out[row * v_lanes + column * LANES..].as_mut_ptr(),
                    out_row: v_lanes,
                    add: true,
                };
                // SAFETY: by the caller.
                unsafe { product.run::<S>(count, columns) };
            }
            column += columns;
        }
    }
}
