//! Products with many tokens: a tile of rows of weights is unpacked once, chunk by chunk, and meets all tokens.
//!
//! In a tile, vectors run over rows: `[depth / 4][2][LANES]` words of four bytes (or `[depth][2][LANES]` f32), so that a
//! product of a vector of weights with a token's broadcast word is one instruction, sums of [`super::input::GROUP`]
//! tokens stay in registers, and nothing is ever added up across a vector.

// Sums are numbered by vector and token, which are numbers of weights and activations too.
#![allow(clippy::needless_range_loop)]

use super::format::{CHUNK, Format, Unpacked};
use super::input::groups;
use super::lanes::{Lanes, zero};
use super::{Job, Scratch};
use crate::kernels::rows::dequantize_rows;
use crate::tensor_type::TensorType;

/// Vectors of rows in a tile.
pub const VECTORS: usize = 2;
/// The widest vector's elements, times two.
const MAX_ROWS: usize = 32;
/// Columns of an f32 tile: it stays in the first-level cache.
pub const FLOAT_CHUNK: usize = 128;

/// Rows of the tiles of a set of instructions.
pub const fn tile_rows<L: Lanes>() -> usize {
    VECTORS * L::LANES
}

/// Quantized weights, unpacked. Vectors lie on cache lines of their own.
#[repr(align(64))]
pub struct Quantized {
    /// Row after row, then as words `[depth / 4][rows]`.
    raw: [[u8; CHUNK]; MAX_ROWS],
    quants: [u32; MAX_ROWS * CHUNK / 4],
    /// `[depth / SUB][rows]`.
    scales: [f32; MAX_ROWS * CHUNK / 16],
    mins: [f32; MAX_ROWS * CHUNK / 16],
}

impl Default for Quantized {
    fn default() -> Quantized {
        Quantized {
            raw: [[0; CHUNK]; MAX_ROWS],
            quants: [0; MAX_ROWS * CHUNK / 4],
            scales: [0.0; MAX_ROWS * CHUNK / 16],
            mins: [0.0; MAX_ROWS * CHUNK / 16],
        }
    }
}

/// Multiplies the tile of rows from `first` on with all tokens.
///
/// # Safety
/// The processor must have the instructions of `L`.
#[inline(always)]
pub unsafe fn quantized<L: Lanes, W: Format>(job: &Job, first: usize, scratch: &mut Scratch) {
    let rows = tile_rows::<L>();
    let tokens = job.input.tokens;
    let panel = job.input.panel::<W>();
    let (sum_columns, scale_columns) = (16, if W::ELEMENTS == CHUNK { CHUNK } else { 32 });
    let Scratch { sums, tile, .. } = scratch;
    sums.clear();
    sums.resize(tokens * rows, 0.0);
    for chunk in 0..job.columns.div_ceil(CHUNK) {
        let depth = CHUNK.min(job.columns - chunk * CHUNK);
        // SAFETY: by the caller.
        unsafe { unpack::<L, W>(job, first, chunk, depth, tile) };
        for (token, size) in groups(tokens) {
            let before = |columns: usize| chunk * (CHUNK / columns) * tokens + token * depth.div_ceil(columns);
            // SAFETY: by the caller; the panel holds what `groups` says for this chunk, and `sums` all tokens.
            unsafe {
                let quants = panel.quants.as_ptr().add(before(1));
                let x_sums = panel.sums.as_ptr().add(before(sum_columns));
                let scales = panel.scales.as_ptr().add(before(scale_columns));
                let out = sums.as_mut_ptr().add(token * rows);
                match size {
                    6 => multiply::<L, W, 6>(tile, depth, quants, x_sums, scales, out),
                    4 => multiply::<L, W, 4>(tile, depth, quants, x_sums, scales, out),
                    2 => multiply::<L, W, 2>(tile, depth, quants, x_sums, scales, out),
                    _ => multiply::<L, W, 1>(tile, depth, quants, x_sums, scales, out),
                }
            }
        }
    }
    // SAFETY: tiles are disjoint, and each is one task's.
    unsafe { job.store(first, rows, sums) };
}

/// # Safety
/// As [`quantized`].
#[inline(always)]
unsafe fn unpack<L: Lanes, W: Format>(job: &Job, first: usize, chunk: usize, depth: usize, tile: &mut Quantized) {
    let rows = tile_rows::<L>();
    let chunk_bytes = depth / W::ELEMENTS * W::BYTES;
    let mut unpacked = Unpacked::new();
    for row in 0..rows {
        let weights = job.row(first + row);
        let start = chunk * W::CHUNK_BYTES;
        // Rows lie apart: the processor does not guess that the next chunk of each is wanted soon.
        let ahead = weights.as_ptr().wrapping_add(start + W::CHUNK_BYTES);
        for line in 0..W::CHUNK_BYTES.div_ceil(64) {
            // SAFETY: by the caller; what is not mapped is not fetched.
            unsafe { L::prefetch(ahead.wrapping_add(64 * line)) };
        }
        unpacked.read::<W>(&weights[start..start + chunk_bytes]);
        tile.raw[row] = unpacked.quants;
        for part in 0..depth / W::SUB {
            tile.scales[part * rows + row] = unpacked.scales[part];
            tile.mins[part * rows + row] = unpacked.mins[part];
        }
    }
    for vector in 0..VECTORS {
        for word in (0..depth / 4).step_by(L::LANES) {
            // SAFETY: `depth / 4` is a multiple of 8, and `raw` and `quants` have room for whole chunks.
            unsafe {
                let from = tile.raw[vector * L::LANES].as_ptr().cast::<u32>().add(word);
                let to = tile.quants.as_mut_ptr().add(word * rows + vector * L::LANES);
                L::transpose(from, CHUNK / 4, to, rows);
            }
        }
    }
}

/// Adds to `out` `[T][rows]` the products of a chunk of the tile with `T` tokens.
///
/// # Safety
/// As [`quantized`]; the pointers are those of a group of `T` tokens.
#[allow(clippy::needless_range_loop)] // tokens and vectors are places in memory too
#[inline(always)]
unsafe fn multiply<L: Lanes, W: Format, const T: usize>(
    tile: &Quantized,
    depth: usize,
    x: *const i8,
    x_sums: *const i32,
    x_scales: *const f32,
    out: *mut f32,
) {
    let rows = tile_rows::<L>();
    let of_chunk = W::ELEMENTS == CHUNK;
    // SAFETY: by the caller, and as `tile` is laid out.
    unsafe {
        let words = x.cast::<i32>();
        let mut totals = [[L::splat(0.0); T]; VECTORS];
        for part in 0..depth / W::SUB {
            let mut x_sum = [0i32; T];
            for (token, sum) in x_sum.iter_mut().enumerate() {
                for i in 0..W::SUB / 16 {
                    *sum += *x_sums.add((part * W::SUB / 16 + i) * T + token);
                }
            }
            let mut sums = [[L::splat_i32(0); T]; VECTORS];
            if zero::<L, W>() != 0 {
                for token in 0..T {
                    let start = L::splat_i32(-zero::<L, W>() * x_sum[token]);
                    for sums in &mut sums {
                        sums[token] = start;
                    }
                }
            }
            let word = part * W::SUB / 4;
            let weights = tile.quants.as_ptr().add(word * rows).cast();
            L::dot_tile(W::WIDE, W::SUB / 4, weights, words.add(word * T), &mut sums);
            for vector in 0..VECTORS {
                let at = part * rows + vector * L::LANES;
                let scale = L::load(tile.scales.as_ptr().add(at));
                for token in 0..T {
                    let mut sum = L::to_f32(sums[vector][token]);
                    if !of_chunk {
                        sum = L::mul(sum, L::splat(*x_scales.add(part * T + token)));
                    }
                    totals[vector][token] = L::mul_add(sum, scale, totals[vector][token]);
                }
                if W::MINS {
                    let min = L::load(tile.mins.as_ptr().add(at));
                    for token in 0..T {
                        let mut less = x_sum[token] as f32;
                        if !of_chunk {
                            less *= *x_scales.add(part * T + token);
                        }
                        totals[vector][token] = L::mul_sub(min, L::splat(less), totals[vector][token]);
                    }
                }
            }
        }
        for vector in 0..VECTORS {
            for token in 0..T {
                let at = out.add(token * rows + vector * L::LANES);
                let scale = if of_chunk { *x_scales.add(token) } else { 1.0 };
                L::store(at, L::mul_add(totals[vector][token], L::splat(scale), L::load(at)));
            }
        }
    }
}

/// Something on cache lines of its own.
#[repr(align(64))]
struct Lines<T>(T);

/// As [`quantized`], for weights that are widened to f32.
///
/// # Safety
/// As [`quantized`].
#[inline(always)]
pub unsafe fn widened<L: Lanes>(job: &Job, first: usize, scratch: &mut Scratch) {
    let rows = tile_rows::<L>();
    let Job { columns, .. } = *job;
    let tokens = job.input.tokens;
    let floats = job.input.floats();
    let is_plain = matches!(job.weights.dtype, TensorType::F32 | TensorType::F16 | TensorType::BF16);
    let Scratch { sums, rows: wide, .. } = scratch;
    sums.clear();
    sums.resize(tokens * rows, 0.0);
    if !is_plain {
        let count = rows.min(job.rows - first);
        wide.resize(count * columns, 0.0);
        dequantize_rows(job.weights.dtype, &job.weights.bytes[first * job.row_bytes..][..count * job.row_bytes], wide);
        if let Some(groups) = job.weights.groups {
            groups.apply(first, columns, wide);
        }
    }
    let mut raw = [[0f32; FLOAT_CHUNK]; MAX_ROWS];
    let mut tile = Lines([0f32; MAX_ROWS * FLOAT_CHUNK]);
    let tile = &mut tile.0;
    for chunk in 0..columns.div_ceil(FLOAT_CHUNK) {
        let start = chunk * FLOAT_CHUNK;
        let depth = FLOAT_CHUNK.min(columns - start);
        for (row, raw) in raw[..rows].iter_mut().enumerate() {
            let out = &mut raw[..depth];
            if is_plain {
                // SAFETY: by the caller.
                unsafe { widen::<L>(job.weights.dtype, job.row(first + row), start, out) };
            } else {
                let row = row.min(job.rows - first - 1);
                out.copy_from_slice(&wide[row * columns + start..][..depth]);
            }
        }
        for vector in 0..VECTORS {
            for column in (0..depth).step_by(L::LANES) {
                // SAFETY: `raw` and `tile` have room for whole chunks.
                unsafe {
                    let from = raw[vector * L::LANES].as_ptr().cast::<u32>().add(column);
                    let to = tile.as_mut_ptr().cast::<u32>().add(column * rows + vector * L::LANES);
                    L::transpose(from, FLOAT_CHUNK, to, rows);
                }
            }
        }
        for (token, size) in groups(tokens) {
            // SAFETY: as in `quantized`.
            unsafe {
                let x = floats.as_ptr().add(start * tokens + token * depth);
                let out = sums.as_mut_ptr().add(token * rows);
                match size {
                    6 => multiply_floats::<L, 6>(tile, depth, x, out),
                    4 => multiply_floats::<L, 4>(tile, depth, x, out),
                    2 => multiply_floats::<L, 2>(tile, depth, x, out),
                    _ => multiply_floats::<L, 1>(tile, depth, x, out),
                }
            }
        }
    }
    // SAFETY: tiles are disjoint, and each is one task's.
    unsafe { job.store(first, rows, sums) };
}

/// Widens columns `start ..` of a row of plain elements, as many as `out` holds.
///
/// # Safety
/// As [`quantized`].
#[inline(always)]
pub unsafe fn widen<L: Lanes>(dtype: TensorType, row: &[u8], start: usize, out: &mut [f32]) {
    match dtype {
        // SAFETY: by the caller.
        TensorType::F16 => unsafe { L::widen_f16(&row[2 * start..], out) },
        TensorType::BF16 => {
            for (out, bits) in out.iter_mut().zip(row[2 * start..].as_chunks::<2>().0) {
                *out = f32::from_bits(u32::from(u16::from_le_bytes(*bits)) << 16);
            }
        }
        _ => {
            for (out, bits) in out.iter_mut().zip(row[4 * start..].as_chunks::<4>().0) {
                *out = f32::from_le_bytes(*bits);
            }
        }
    }
}

/// # Safety
/// As [`multiply`].
#[allow(clippy::needless_range_loop)] // tokens and vectors are places in memory too
#[inline(always)]
unsafe fn multiply_floats<L: Lanes, const T: usize>(tile: &[f32], depth: usize, x: *const f32, out: *mut f32) {
    let rows = tile_rows::<L>();
    // SAFETY: by the caller, and as `tile` is laid out.
    unsafe {
        let mut sums = [[L::splat(0.0); T]; VECTORS];
        for column in 0..depth {
            let at = tile.as_ptr().add(column * rows);
            let weights: [L::F; VECTORS] = [L::load(at), L::load(at.add(L::LANES))];
            for token in 0..T {
                let x = L::splat(*x.add(column * T + token));
                for vector in 0..VECTORS {
                    sums[vector][token] = L::mul_add(weights[vector], x, sums[vector][token]);
                }
            }
        }
        for vector in 0..VECTORS {
            for token in 0..T {
                let at = out.add(token * rows + vector * L::LANES);
                L::store(at, L::mul_add(sums[vector][token], L::splat(1.0), L::load(at)));
            }
        }
    }
}
