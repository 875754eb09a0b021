//! Q4_0, Q4_1, Q5_0 and Q5_1 where some errors weigh more than others: scales are searched for.

use super::blocks::ELEMENTS;
use super::lanes::*;
use super::plain::half;
use super::search::{FINE, Levels, above_minimum, symmetric};

#[inline(always)]
pub fn q4_0(values: &[f32], columns: usize, importance: &[f32], out: &mut [u8]) {
    let energy = mean_squares(values, columns, 1.0);
    for (group, out) in out.as_chunks_mut::<18>().0.chunks_mut(LANES).enumerate() {
        let (x, weights) = weighted(values, columns, importance, &energy, group);
        let (scales, levels) = symmetric(&x, &weights, 8);
        for (lane, out) in out.iter_mut().enumerate() {
            out[..2].copy_from_slice(&half(scales[lane]));
            write_nibbles(&levels, lane, &mut out[2..]);
        }
    }
}

#[inline(always)]
pub fn q5_0(values: &[f32], columns: usize, importance: &[f32], out: &mut [u8]) {
    let energy = mean_squares(values, columns, 1.0);
    for (group, out) in out.as_chunks_mut::<22>().0.chunks_mut(LANES).enumerate() {
        let (x, weights) = weighted(values, columns, importance, &energy, group);
        let (scales, levels) = symmetric(&x, &weights, 16);
        let fifth_bits = fifth_bits(&levels);
        for (lane, out) in out.iter_mut().enumerate() {
            out[..2].copy_from_slice(&half(scales[lane]));
            out[2..6].copy_from_slice(&fifth_bits[lane].to_le_bytes());
            write_nibbles(&levels, lane, &mut out[6..]);
        }
    }
}

#[inline(always)]
pub fn q4_1(values: &[f32], columns: usize, importance: &[f32], out: &mut [u8]) {
    let energy = mean_squares(values, columns, 1.0);
    for (group, out) in out.as_chunks_mut::<20>().0.chunks_mut(LANES).enumerate() {
        let (x, weights) = weighted(values, columns, importance, &energy, group);
        let (scales, mins, levels) = above_minimum::<ELEMENTS, false>(&x, &weights, 15, FINE);
        for (lane, out) in out.iter_mut().enumerate() {
            out[..2].copy_from_slice(&half(scales[lane]));
            out[2..4].copy_from_slice(&half(mins[lane]));
            write_nibbles(&levels, lane, &mut out[4..]);
        }
    }
}

#[inline(always)]
pub fn q5_1(values: &[f32], columns: usize, importance: &[f32], out: &mut [u8]) {
    let energy = mean_squares(values, columns, 1.0);
    for (group, out) in out.as_chunks_mut::<24>().0.chunks_mut(LANES).enumerate() {
        let (x, weights) = weighted(values, columns, importance, &energy, group);
        let (scales, mins, levels) = above_minimum::<ELEMENTS, false>(&x, &weights, 31, FINE);
        let fifth_bits = fifth_bits(&levels);
        for (lane, out) in out.iter_mut().enumerate() {
            out[..2].copy_from_slice(&half(scales[lane]));
            out[2..4].copy_from_slice(&half(mins[lane]));
            out[4..8].copy_from_slice(&fifth_bits[lane].to_le_bytes());
            write_nibbles(&levels, lane, &mut out[8..]);
        }
    }
}

/// The mean square of each run of `columns` values, `times` over.
#[inline(always)]
pub fn mean_squares(values: &[f32], columns: usize, times: f32) -> Vec<f32> {
    let mut means = Vec::with_capacity((values.len() / columns).next_multiple_of(LANES));
    for rows in values.chunks(LANES * columns) {
        let mut sums = [0f32; LANES];
        for column in (0..columns).step_by(ELEMENTS) {
            add_squares(&gather::<ELEMENTS>(&rows[column..], columns), &mut sums);
        }
        means.extend(sums.map(|sum| times * sum / columns as f32));
    }
    means
}

/// The values of a group of blocks, and their weights.
#[inline(always)]
fn weighted(
    values: &[f32],
    columns: usize,
    importance: &[f32],
    energy: &[f32],
    group: usize,
) -> ([Lane; ELEMENTS], [Lane; ELEMENTS]) {
    let first = group * LANES;
    let x = gather(&values[first * ELEMENTS..], ELEMENTS);
    let mut weights = gather_importance(importance, first);
    // Behind the last block there is nothing to weigh.
    let energy = std::array::from_fn(|i| energy.get((first + i) * ELEMENTS / columns).copied().unwrap_or_default());
    weigh(&mut weights, &x, &energy);
    (x, weights)
}

/// The fifth bits of each block's levels.
#[inline(always)]
fn fifth_bits(levels: &Levels<ELEMENTS>) -> [u32; LANES] {
    let mut bits = [0; LANES];
    for (element, levels) in levels.iter().enumerate() {
        for i in 0..LANES {
            bits[i] |= u32::from(levels[i] >> 4 & 1) << element;
        }
    }
    bits
}
