//! Sixteen blocks side by side: what is searched for in a block is searched for in all of them at once.
//!
//! A sum over a block has its order, and each addition waits for the one before. Across blocks nothing waits: the same
//! element of sixteen blocks is one row of an array, and loops over such a row become vectors.

use std::sync::atomic::{Ordering, compiler_fence};

/// Blocks of a group.
pub const LANES: usize = 16;

/// A number of each block of a group.
pub type Lane = [f32; LANES];

/// `N` values of each of sixteen runs as `[element][run]`; runs begin `stride` values apart, and those behind the end of
/// `values` are zeros.
#[inline(always)]
pub fn gather<const N: usize>(values: &[f32], stride: usize) -> [Lane; N] {
    transpose(std::array::from_fn(|run| {
        let rest = values.get(run * stride..).unwrap_or_default();
        rest.first_chunk().unwrap_or(&[0.0; N])
    }))
}

/// The importance of each value of the sixteen blocks from block `first` of the rows on.
#[inline(always)]
pub fn gather_importance<const N: usize>(importance: &[f32], first: usize) -> [Lane; N] {
    transpose(std::array::from_fn(|block| {
        let column = (first + block) * N % importance.len();
        importance[column..].first_chunk().unwrap_or(&[0.0; N])
    }))
}

/// `[run][element]` as `[element][run]`.
#[inline(always)]
pub fn transpose<const N: usize>(runs: [&[f32; N]; LANES]) -> [Lane; N] {
    let mut rows = [[0f32; LANES]; N];
    for (lane, run) in runs.iter().enumerate() {
        for (row, value) in rows.iter_mut().zip(*run) {
            row[lane] = *value;
            one_row_at_a_time();
        }
    }
    rows
}

/// To be called in a loop over rows that do not depend on each other: compilers would turn that loop, too, into vectors,
/// of one lane of many rows, and collect each number by itself.
#[inline(always)]
pub fn one_row_at_a_time() {
    compiler_fence(Ordering::SeqCst);
}

/// Makes an importance what an error weighs: times `sqrt(energy + x^2)`, so that large values count more and small ones
/// still count. `energy` is a mean square of the values around.
#[inline(always)]
pub fn weigh<const N: usize>(importance: &mut [Lane; N], values: &[Lane; N], energy: &Lane) {
    for (weights, x) in importance.iter_mut().zip(values) {
        for i in 0..LANES {
            weights[i] *= (energy[i] + x[i] * x[i]).sqrt();
        }
        one_row_at_a_time();
    }
}

/// Adds the squares of each run to its sum.
#[inline(always)]
pub fn add_squares(rows: &[Lane], sums: &mut Lane) {
    for x in rows {
        for i in 0..LANES {
            sums[i] += x[i] * x[i];
        }
    }
}

/// The first value of the largest magnitude of each block, and that magnitude.
#[inline(always)]
pub fn peaks(rows: &[Lane]) -> (Lane, Lane) {
    let (mut peak, mut magnitude) = ([0f32; LANES], [0f32; LANES]);
    for x in rows {
        for i in 0..LANES {
            let larger = x[i].abs() > magnitude[i];
            peak[i] = if larger { x[i] } else { peak[i] };
            magnitude[i] = if larger { x[i].abs() } else { magnitude[i] };
        }
    }
    (peak, magnitude)
}

/// Takes over what is better.
#[inline(always)]
pub fn keep(better: &[bool; LANES], new: &Lane, kept: &mut Lane) {
    for i in 0..LANES {
        kept[i] = if better[i] { new[i] } else { kept[i] };
    }
}

/// Added to this number, others lose their fraction, the nearest integer stays in the lowest bits, and of two the even
/// one: no processor needs a conversion for it, which compilers would do one by one.
const ROUNDING: f32 = 12_582_912.0;

/// The nearest integer of a number below 2^22; of others some integer.
#[inline(always)]
pub fn nearest(x: f32) -> i32 {
    ((x + ROUNDING).to_bits() & 0x7f_ffff) as i32 - 0x40_0000
}

/// [`nearest`] as f32, of any number: the lowest bits are those of a number from 2^23 on.
#[inline(always)]
pub fn round(x: f32) -> f32 {
    const TWO_TO_23: u32 = 8_388_608f32.to_bits();
    f32::from_bits((x + ROUNDING).to_bits() & 0x7f_ffff | TWO_TO_23) - ROUNDING
}

/// Writes the 32 levels of four bits of one block: the first half of them in the low bits.
#[inline(always)]
pub fn write_nibbles(levels: &[[u8; LANES]; 32], lane: usize, out: &mut [u8]) {
    let (low, high) = levels.split_at(16);
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = low[lane] & 15 | high[lane] << 4;
    }
}
