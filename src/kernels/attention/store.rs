//! Keys and values of one layer, as attention reads them.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::simd::LANES;
use super::{GROUP, KvType, Shape};
use crate::kernels::pool::{self, Shared};

/// So many elements are worth more than one thread.
const SPREAD: usize = 1 << 15;

/// Keys and values of some positions, preallocated.
///
/// Both lie in blocks of [`LANES`] positions, `[kv_heads, blocks, ..]`: keys `[k_dim, LANES]`, so that a vector holds the
/// same dimension of neighbouring positions and their scores need no sums across it; values `[LANES, v_lanes]`, padded
/// with zeros to whole vectors. Q8_0 has a scale a position for every [`GROUP`] dimensions, `[groups, LANES]` a block.
#[derive(Debug)]
pub struct Store {
    pub shape: Shape,
    pub(super) keys: Part,
    pub(super) values: Part,
}

/// The keys, or the values.
#[derive(Debug)]
pub(super) struct Part {
    pub cells: Cells,
    /// Elements a position.
    dim: usize,
    /// Of each head.
    blocks: usize,
}

#[derive(Debug)]
pub(super) enum Cells {
    F32(Vec<f32>),
    /// Bits.
    F16(Vec<u16>),
    /// Codes, and their scales as bits of f16.
    Q8_0(Vec<i8>, Vec<u16>),
}

impl Store {
    /// Without room yet.
    pub fn new(shape: Shape, kv_type: KvType) -> Store {
        let part = |dim: usize| Part { cells: Cells::new(kv_type, 0, 0), dim, blocks: 0 };
        Store { shape, keys: part(shape.k_dim), values: part(shape.v_lanes) }
    }

    /// How many positions there is room for.
    pub fn capacity(&self) -> usize {
        self.keys.blocks * LANES
    }

    pub fn bytes(&self) -> usize {
        self.keys.cells.bytes() + self.values.cells.bytes()
    }

    /// Makes room for `capacity` positions; those of `kept`, which begins with a block (a multiple of [`LANES`]), become
    /// the first. Keys and values move one after the other, so that only one of them is there twice.
    pub fn resize(&mut self, capacity: usize, kept: Range<usize>) {
        assert!(
            kept.start % LANES == 0 && kept.end <= self.capacity() && kept.len() <= capacity,
            "what cannot be kept"
        );
        let kept = kept.start / LANES..kept.end.div_ceil(LANES);
        for part in [&mut self.keys, &mut self.values] {
            part.resize(self.shape.kv_heads, capacity.div_ceil(LANES), &kept);
        }
    }

    /// Writes `k` `[tokens, kv_heads, k_dim]` and `v` `[tokens, kv_heads, v_dim]` at positions `at ..`.
    ///
    /// # Panics
    /// Without room for them, or with other shapes.
    pub fn append(&mut self, at: usize, k: &[f32], v: &[f32]) {
        let Shape { kv_heads, k_dim, v_dim, v_lanes } = self.shape;
        let tokens = k.len() / (kv_heads * k_dim);
        assert!(k.len() == tokens * kv_heads * k_dim && v.len() == tokens * kv_heads * v_dim, "keys unlike values");
        assert!(at + tokens <= self.capacity(), "no room for {tokens} positions from {at} on");
        self.keys.append(at, k, kv_heads, k_dim, (1, LANES));
        self.values.append(at, v, kv_heads, v_dim, (v_lanes, 1));
    }
}

impl Cells {
    fn new(kv_type: KvType, elements: usize, scales: usize) -> Cells {
        match kv_type {
            KvType::F32 => Cells::F32(vec![0.0; elements]),
            KvType::F16 => Cells::F16(vec![0; elements]),
            KvType::Q8_0 => Cells::Q8_0(vec![0; elements], vec![0; scales]),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Cells::F32(all) => size_of_val(&all[..]),
            Cells::F16(all) => size_of_val(&all[..]),
            Cells::Q8_0(codes, scales) => size_of_val(&codes[..]) + size_of_val(&scales[..]),
        }
    }
}

impl Part {
    /// Where a block begins.
    pub fn of(&self, head: usize, block: usize) -> usize {
        (head * self.blocks + block) * self.dim * LANES
    }

    /// The same in memory (of the codes, if there are scales).
    pub fn address(&self, head: usize, block: usize) -> *const u8 {
        let at = self.of(head, block);
        match &self.cells {
            Cells::F32(all) => all.as_ptr().wrapping_add(at).cast(),
            Cells::F16(all) => all.as_ptr().wrapping_add(at).cast(),
            Cells::Q8_0(all, _) => all.as_ptr().wrapping_add(at).cast(),
        }
    }

    /// Scales a position.
    pub fn groups(&self) -> usize {
        self.dim.div_ceil(GROUP)
    }

    fn resize(&mut self, heads: usize, blocks: usize, kept: &Range<usize>) {
        let (block, scales) = (self.dim * LANES, self.groups() * LANES);
        let counts = (self.blocks, blocks);
        match &mut self.cells {
            Cells::F32(all) => *all = moved(all, heads, counts, block, kept),
            Cells::F16(all) => *all = moved(all, heads, counts, block, kept),
            Cells::Q8_0(codes, all) => {
                *codes = moved(codes, heads, counts, block, kept);
                *all = moved(all, heads, counts, scales, kept);
            }
        }
        self.blocks = blocks;
    }

    /// Writes `x` `[tokens, heads, dim]`; in a block, positions are `steps.0` apart and dimensions `steps.1`.
    fn append(&mut self, at: usize, x: &[f32], heads: usize, dim: usize, steps: (usize, usize)) {
        let (block, scales) = (self.dim * LANES, self.groups() * LANES);
        let blocks = self.blocks;
        let tokens = x.len() / (heads * dim);
        let spread = |task: &(dyn Fn(usize) + Sync)| match x.len() < SPREAD {
            true => (0..heads).for_each(task),
            false => pool::run(heads, task),
        };
        // Each token's part of `x`, its block, and its place there.
        let rows = |head: usize| {
            (0..tokens).map(move |token| {
                let (from, position) = ((token * heads + head) * dim, at + token);
                (&x[from..from + dim], position / LANES, position % LANES)
            })
        };
        match &mut self.cells {
            Cells::F32(all) => {
                let all = Shared::new(all);
                spread(&|head| {
                    // SAFETY: each head is one task's.
                    let all = unsafe { all.slice(head * blocks * block, blocks * block) };
                    for (row, number, place) in rows(head) {
                        let start = number * block + place * steps.0;
                        for (i, x) in row.iter().enumerate() {
                            all[start + i * steps.1] = *x;
                        }
                    }
                });
            }
            Cells::F16(all) => {
                let all = Shared::new(all);
                spread(&|head| {
                    // SAFETY: each head is one task's.
                    let all = unsafe { all.slice(head * blocks * block, blocks * block) };
                    let mut narrow = [f16::ZERO; 64];
                    for (row, number, place) in rows(head) {
                        let start = number * block + place * steps.0;
                        for (part, x) in row.chunks(narrow.len()).enumerate() {
                            narrow[..x.len()].convert_from_f32_slice(x);
                            for (i, x) in narrow[..x.len()].iter().enumerate() {
                                all[start + (part * narrow.len() + i) * steps.1] = x.to_bits();
                            }
                        }
                    }
                });
            }
            Cells::Q8_0(codes, all_scales) => {
                let (codes, all_scales) = (Shared::new(codes), Shared::new(all_scales));
                spread(&|head| {
                    // SAFETY: each head is one task's.
                    let codes = unsafe { codes.slice(head * blocks * block, blocks * block) };
                    // SAFETY: as above.
                    let all_scales = unsafe { all_scales.slice(head * blocks * scales, blocks * scales) };
                    for (row, number, place) in rows(head) {
                        let start = number * block + place * steps.0;
                        for (group, x) in row.chunks(GROUP).enumerate() {
                            let scale = scale_of(x);
                            all_scales[number * scales + group * LANES + place] = scale.to_bits();
                            let by = if scale == f16::ZERO { 0.0 } else { scale.to_f32().recip() };
                            for (i, x) in x.iter().enumerate() {
                                let code = (x * by).round().clamp(-127.0, 127.0);
                                codes[start + (group * GROUP + i) * steps.1] = code as i8;
                            }
                        }
                    }
                });
            }
        }
    }
}

/// The scale by which codes of 127 reach the largest of `x`; no number where one of them is none, or infinite.
fn scale_of(x: &[f32]) -> f16 {
    match x.iter().all(|x| x.is_finite()) {
        true => f16::from_f32(x.iter().fold(0f32, |most, x| most.max(x.abs())) / 127.0),
        false => f16::NAN,
    }
}

/// Blocks of `block` elements, `counts.0` a head before and `counts.1` after, of which `kept` become each head's first.
fn moved<T: Copy + Default>(
    old: &[T],
    heads: usize,
    counts: (usize, usize),
    block: usize,
    kept: &Range<usize>,
) -> Vec<T> {
    // Zeros: memory that nobody has written takes no room.
    let mut new = vec![T::default(); heads * counts.1 * block];
    let len = kept.len() * block;
    for head in 0..heads {
        let (from, to) = ((head * counts.0 + kept.start) * block, head * counts.1 * block);
        new[to..to + len].copy_from_slice(&old[from..from + len]);
    }
    new
}
