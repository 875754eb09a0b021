//! A tile of queries over a range of positions of one KV head.

use std::ops::Range;
use std::ptr::null;

use super::math::{exp, tanh};
use super::simd::{Element, LANES, Simd};
use super::store::{Cells, Store};
use super::{GROUP, Params, Shape};

/// Positions whose scores are weighed at once.
pub const BLOCK: usize = 128;
/// Rows of a [`Product`] at most.
const ROWS: usize = 6;
/// From so many rows on, keys and values of a type other than f32 are widened once instead of for each [`ROWS`].
const WIDENED_ROWS: usize = 13;

/// Bytes that come from memory together.
const LINE: usize = 64;

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
    /// Weights by the scales of Q8_0.
    scaled: Vec<f32>,
    /// Widened keys `[BLOCK / LANES, k_dim, LANES]`.
    wide_keys: Vec<f32>,
    /// Widened values `[v_lanes / LANES, BLOCK, LANES]`.
    wide_values: Vec<f32>,
    /// Of each row: the greatest score so far, the sum of the weights relative to it, and the values by those weights
    /// `[rows, v_lanes]`.
    pub largest: Vec<f32>,
    pub sum: Vec<f32>,
    pub out: Vec<f32>,
}

/// `out[r, n] (+)= scales[n] * (a[r, ..] * b[.., n])` for `R` rows and `N` vectors of columns.
pub struct Product<E> {
    a: *const f32,
    a_row: usize,
    b: *const E,
    /// From a vector of `b` to the next of the same columns, and to the next columns.
    b_step: usize,
    b_column: usize,
    depth: usize,
    /// Bits of f16 for each column, `scale_column` from vector to vector; null for ones.
    scales: *const u16,
    scale_column: usize,
    out: *mut f32,
    out_row: usize,
    add: bool,
    /// What is read after this, as many bytes as of `b`: it is fetched from memory meanwhile. Null for nothing.
    next: *const u8,
}

impl<E: Element> Product<E> {
    /// # Safety
    /// The pointers must be good for what is read and written; the processor must have the instructions.
    #[inline(always)]
    pub unsafe fn compute<S: Simd, const R: usize, const N: usize>(&self) {
        // SAFETY: by the caller.
        unsafe {
            let mut sums = [[S::splat(0.0); N]; R];
            let (mut b, mut next) = (self.b, self.next);
            let bytes = N * LANES * size_of::<E>();
            for step in 0..self.depth {
                if !next.is_null() {
                    for _ in 0..bytes.div_ceil(LINE) {
                        S::prefetch(next);
                        next = next.wrapping_add(LINE.min(bytes));
                    }
                }
                let mut columns = [S::splat(0.0); N];
                for n in 0..N {
                    columns[n] = E::load::<S>(b.wrapping_add(n * self.b_column));
                }
                for r in 0..R {
                    let a = S::splat(*self.a.add(r * self.a_row + step));
                    for n in 0..N {
                        sums[r][n] = S::mul_add(a, columns[n], sums[r][n]);
                    }
                }
                b = b.wrapping_add(self.b_step);
            }
            for n in 0..N {
                let scale = match self.scales.is_null() {
                    true => S::splat(1.0),
                    false => S::load_f16(self.scales.wrapping_add(n * self.scale_column)),
                };
                for r in 0..R {
                    let out = self.out.add(r * self.out_row + n * LANES);
                    let before = if self.add { S::load(out) } else { S::splat(0.0) };
                    S::store(out, S::mul_add(sums[r][n], scale, before));
                }
            }
        }
    }

    /// With `rows`, at most [`ROWS`], and `columns` vectors of columns, as [`next_columns`] gives them.
    ///
    /// # Safety
    /// As of [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, rows: usize, columns: usize) {
        // SAFETY: by the caller.
        unsafe {
            match columns {
                8 if rows == 1 => S::product::<E, 1, 8>(self),
                8 => S::product::<E, 2, 8>(self),
                4 => self.of_rows::<S, 4>(rows),
                2 => self.of_rows::<S, 2>(rows),
                _ => self.of_rows::<S, 1>(rows),
            }
        }
    }

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
}

/// How many vectors of columns to take of those that are left: 1, 2, 4, or with up to two rows 8.
#[inline(always)]
fn next_columns<S: Simd>(rows: usize, left: usize) -> usize {
    // Few rows leave room for more columns, which are longer runs of memory and more sums under way.
    let mut columns = if rows <= 2 { 2 * S::COLUMNS } else { S::COLUMNS };
    while columns > left {
        columns /= 2;
    }
    columns
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

    /// Where the keys after those of `block` are; null where the job ends with it.
    fn next_keys(&self, block: &Range<usize>) -> *const u8 {
        match block.end < self.positions.end {
            true => self.store.keys.address(self.kv_head, block.end / LANES),
            false => null(),
        }
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
        let keys = &self.store.keys;
        let (first, groups) = (keys.of(self.kv_head, block.start / LANES), keys.groups());
        let widened = self.rows() >= WIDENED_ROWS;
        // SAFETY: the blocks from `first` on are the store's; the scratch has room.
        unsafe {
            match &keys.cells {
                Cells::F32(all) => self.score_of::<S, f32>(&all[first..], null(), block, scratch),
                Cells::F16(all) if !widened => self.score_of::<S, u16>(&all[first..], null(), block, scratch),
                Cells::Q8_0(codes, scales) if !widened => {
                    let scales = scales[first / k_dim * groups..].as_ptr();
                    self.score_of::<S, i8>(&codes[first..], scales, block, scratch);
                }
                cells => {
                    let mut wide = std::mem::take(&mut scratch.wide_keys);
                    wide.resize(BLOCK * k_dim, 0.0);
                    let to = wide.as_mut_ptr();
                    let lanes = block.len().div_ceil(LANES);
                    match cells {
                        Cells::Q8_0(codes, scales) => {
                            let mut scale = scales[first / k_dim * groups..].as_ptr();
                            for lane in 0..lanes {
                                for group in (0..k_dim).step_by(GROUP) {
                                    let by = S::load_f16(scale);
                                    scale = scale.wrapping_add(LANES);
                                    for dim in group..k_dim.min(group + GROUP) {
                                        let at = (lane * k_dim + dim) * LANES;
                                        S::store(to.add(at), S::mul(S::load_i8(codes.as_ptr().add(first + at)), by));
                                    }
                                }
                            }
                        }
                        Cells::F16(bits) => {
                            for at in (0..lanes * k_dim * LANES).step_by(LANES) {
                                S::store(to.add(at), S::load_f16(bits.as_ptr().add(first + at)));
                            }
                        }
                        Cells::F32(_) => unreachable!("taken above"),
                    }
                    self.score_of::<S, f32>(&wide, null(), block, scratch);
                    scratch.wide_keys = wide;
                }
            }
        }
    }

    /// `keys` are those from the block's first position on; so are `scales`, if they are not null.
    #[inline(always)]
    unsafe fn score_of<S: Simd, E: Element>(
        &self,
        keys: &[E],
        scales: *const u16,
        block: &Range<usize>,
        scratch: &mut Scratch,
    ) {
        let Shape { k_dim, .. } = *self.shape();
        let groups = self.store.keys.groups();
        let (rows, lanes) = (self.rows(), block.len().div_ceil(LANES));
        let next = self.store.values.address(self.kv_head, block.start / LANES);
        let depth = if scales.is_null() { k_dim } else { GROUP };
        assert!(keys.len() >= lanes * k_dim * LANES, "keys beyond the store");
        let mut lane = 0;
        while lane < lanes {
            let columns = next_columns::<S>(rows, lanes - lane);
            let start = block.start + lane * LANES;
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                if self.seen_of(row, row + count, &(start..start + columns * LANES)).is_empty() {
                    continue;
                }
                for (group, dim) in (0..k_dim).step_by(depth).enumerate() {
                    let first = (lane * k_dim + dim) * LANES;
                    let product = Product {
                        a: scratch.q[row * k_dim + dim..].as_ptr(),
                        a_row: k_dim,
                        b: keys[first..].as_ptr(),
                        b_step: LANES,
                        b_column: k_dim * LANES,
                        depth: depth.min(k_dim - dim),
                        scales: match scales.is_null() {
                            true => null(),
                            false => scales.wrapping_add((lane * groups + group) * LANES),
                        },
                        scale_column: groups * LANES,
                        out: scratch.scores[row * BLOCK + lane * LANES..].as_mut_ptr(),
                        out_row: BLOCK,
                        add: dim > 0,
                        next: match row {
                            0 => next.wrapping_add((lane * k_dim + dim * columns) * LANES * size_of::<E>()),
                            _ => null(),
                        },
                    };
                    // SAFETY: by the caller.
                    unsafe { product.run::<S>(count, columns) };
                }
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
        let values = &self.store.values;
        let (first, groups) = (values.of(self.kv_head, block.start / LANES), values.groups());
        let widened = self.rows() >= WIDENED_ROWS;
        let (together, apart) = ((v_lanes, LANES), (LANES, BLOCK * LANES));
        let Scratch { scores, wide_values, scaled, out, .. } = scratch;
        // SAFETY: the positions from `first` on are the store's; the scratch has room.
        unsafe {
            match &values.cells {
                Cells::F32(all) if !widened => {
                    self.average_of::<S, f32>(scores, &all[first..], together, 0..v_lanes, block, out);
                }
                Cells::F16(all) if !widened => {
                    self.average_of::<S, u16>(scores, &all[first..], together, 0..v_lanes, block, out);
                }
                Cells::Q8_0(codes, scales) if !widened => {
                    // A position's scale is its weight's.
                    scaled.resize(scores.len(), 0.0);
                    for group in 0..groups {
                        for lane in 0..block.len().div_ceil(LANES) {
                            let scale = first / v_lanes * groups + (lane * groups + group) * LANES;
                            let scale = S::load_f16(scales[scale..scale + LANES].as_ptr());
                            for at in (lane * LANES..scores.len()).step_by(BLOCK) {
                                S::store(scaled.as_mut_ptr().add(at), S::mul(S::load(scores.as_ptr().add(at)), scale));
                            }
                        }
                        let dims = group * GROUP..v_lanes.min((group + 1) * GROUP);
                        self.average_of::<S, i8>(scaled, &codes[first..], together, dims, block, out);
                    }
                }
                cells => {
                    wide_values.resize(BLOCK * v_lanes, 0.0);
                    let to = wide_values.as_mut_ptr();
                    match cells {
                        Cells::Q8_0(codes, scales) => {
                            for (position, dim) in self.vectors(block) {
                                let row = first / v_lanes + position;
                                let scale = scales[(row / LANES * groups + dim / GROUP) * LANES + row % LANES];
                                let x = S::load_i8(codes.as_ptr().add(first + position * v_lanes + dim));
                                let x = S::mul(x, S::splat(half::f16::from_bits(scale).to_f32()));
                                S::store(to.add(dim * BLOCK + position * LANES), x);
                            }
                        }
                        Cells::F16(bits) => {
                            for (position, dim) in self.vectors(block) {
                                let x = S::load_f16(bits.as_ptr().add(first + position * v_lanes + dim));
                                S::store(to.add(dim * BLOCK + position * LANES), x);
                            }
                        }
                        Cells::F32(all) => {
                            for (position, dim) in self.vectors(block) {
                                let x = S::load(all.as_ptr().add(first + position * v_lanes + dim));
                                S::store(to.add(dim * BLOCK + position * LANES), x);
                            }
                        }
                    }
                    self.average_of::<S, f32>(scores, wide_values, apart, 0..v_lanes, block, out);
                }
            }
        }
    }

    /// Where the vectors of a block's values begin: which position, which dimension.
    #[inline(always)]
    fn vectors(&self, block: &Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let v_lanes = self.shape().v_lanes;
        (0..block.len()).flat_map(move |position| (0..v_lanes).step_by(LANES).map(move |dim| (position, dim)))
    }

    /// Adds dimensions `dims` of `values` to `out`. `values` are those from the block's first position on, `steps` apart
    /// from position to position and from columns to columns.
    #[inline(always)]
    unsafe fn average_of<S: Simd, E: Element>(
        &self,
        weights: &[f32],
        values: &[E],
        steps: (usize, usize),
        dims: Range<usize>,
        block: &Range<usize>,
        out: &mut [f32],
    ) {
        let Shape { v_lanes, .. } = *self.shape();
        let rows = self.rows();
        let next = self.next_keys(block);
        let (mut column, end) = (dims.start / LANES, dims.end / LANES);
        assert!(values.len() >= block.len() * v_lanes, "values beyond the store");
        while column < end {
            let columns = next_columns::<S>(rows, end - column);
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                let seen = self.seen_of(row, row + count, block);
                if seen.is_empty() {
                    continue;
                }
                let skipped = seen.start - block.start;
                let product = Product {
                    a: weights[row * BLOCK + skipped..].as_ptr(),
                    a_row: BLOCK,
                    b: values[skipped * steps.0 + column * steps.1..].as_ptr(),
                    b_step: steps.0,
                    b_column: steps.1,
                    depth: seen.len(),
                    scales: null(),
                    scale_column: 0,
                    out: out[row * v_lanes + column * LANES..].as_mut_ptr(),
                    out_row: v_lanes,
                    add: true,
                    next: match row == 0 && !next.is_null() {
                        true => next.wrapping_add(column * BLOCK * LANES * size_of::<E>()),
                        false => null(),
                    },
                };
                // SAFETY: by the caller.
                unsafe { product.run::<S>(count, columns) };
            }
            column += columns;
        }
    }
}
