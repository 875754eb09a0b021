//! Q3_K and Q6_K: blocks of 256 elements in sixteen parts, each with a scale, which is a level itself of a number that the
//! block has.
//!
//! Layouts: `block_q3_K` and `block_q6_K` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>.

use super::k_minimum::{ELEMENTS, write_pairs};
use super::lanes::*;
use super::plain::half;
use super::search::{NOTHING, symmetric, three_bits};
use super::weighted::mean_squares;
use crate::kernels::rows;

/// Elements of a part.
const PART: usize = 16;

/// Blocks whose levels of 3 bits are searched for together: a divisor of [`LANES`].
const TOGETHER: usize = 4;

#[inline(always)]
pub fn q3_k(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    for (batch, out) in out.as_chunks_mut::<110>().0.chunks_mut(LANES).enumerate() {
        let first = batch * LANES * ELEMENTS;
        let values = &values[first..][..out.len() * ELEMENTS];
        let energy = if importance.is_some() { mean_squares(values, ELEMENTS, 2.0) } else { Vec::new() };
        let (mut scales, mut sums) = ([[0f32; PART]; LANES], [[0f32; PART]; LANES]);
        let mut x = [[[0f32; LANES]; PART]; LANES];
        for (x, values) in x.iter_mut().zip(values.as_chunks::<ELEMENTS>().0) {
            *x = gather(values, PART);
        }
        let mut levels = [[[0u8; LANES]; PART]; LANES];
        match importance {
            Some(importance) => {
                for (block, (x, energy)) in x.iter().zip(&energy).enumerate().take(out.len()) {
                    let mut weights = gather_importance(importance, first / PART + block * LANES);
                    weigh(&mut weights, x, &[*energy; LANES]);
                    for weights in &weights {
                        for i in 0..LANES {
                            sums[block][i] += weights[i];
                        }
                    }
                    (scales[block], levels[block]) = symmetric(x, &weights, 4);
                }
            }
            None => {
                let groups = scales.as_chunks_mut().0.iter_mut().zip(levels.as_chunks_mut().0);
                for (x, (scales, levels)) in x.as_chunks().0.iter().zip(groups).take(out.len().div_ceil(TOGETHER)) {
                    three_bits::<PART, TOGETHER>(x, scales, levels);
                }
            }
        }
        let (units, scale_levels) = match importance {
            Some(_) => {
                let of_blocks = |numbers: &[Lane; LANES]| transpose(std::array::from_fn(|block| &numbers[block]));
                let (units, found) = symmetric::<LANES>(&of_blocks(&scales), &of_blocks(&sums), 32);
                (units.map(half), std::array::from_fn(|block| found.map(|level| level[block])))
            }
            None => six_bits(&scales),
        };
        for (block, (x, out)) in x.iter().zip(out).enumerate() {
            let unit = rows::half(&units[block], 0);
            let step = scale_levels[block].map(|level| unit * (i32::from(level) - 32) as f32);
            let levels = nearest_levels(x, &step, &levels[block], 4);
            for (i, out) in out[..32].iter_mut().enumerate() {
                *out = (0..8).fold(0, |bits, run| bits | (levels[32 * run + i] >> 2 & 1) << run);
            }
            write_pairs(&levels, &mut out[32..96]);
            write_scales(&scale_levels[block], &mut out[96..108]);
            out[108..].copy_from_slice(&units[block]);
        }
    }
}

/// For each block the number, in f16, that the largest of `scales` is -32 of, and the levels of all, counted from -32.
/// Where all are zero, so are the levels.
#[inline(always)]
fn six_bits(scales: &[Lane; LANES]) -> ([[u8; 2]; LANES], [[u8; LANES]; LANES]) {
    let (mut units, mut levels) = ([[0; 2]; LANES], [[0; LANES]; LANES]);
    for (scales, (unit, levels)) in scales.iter().zip(units.iter_mut().zip(&mut levels)) {
        let largest = largest(scales);
        if largest != 0.0 {
            let inverse = -32.0 / largest;
            *levels = scales.map(|scale| (nearest(inverse * scale).clamp(-32, 31) + 32) as u8);
            *unit = half(1.0 / inverse);
        }
    }
    (units, levels)
}

/// The first of the largest magnitude.
#[inline(always)]
fn largest(scales: &Lane) -> f32 {
    scales.iter().fold(0f32, |largest, scale| if scale.abs() > largest.abs() { *scale } else { largest })
}

/// The low four bits of two scales a byte, then their upper two bits, of four a byte.
#[inline(always)]
fn write_scales(levels: &[u8; LANES], out: &mut [u8]) {
    for i in 0..8 {
        out[i] = levels[i] & 15 | (levels[i + 8] & 15) << 4;
    }
    for i in 0..4 {
        out[i + 8] = (0..4).fold(0, |bits, run| bits | (levels[4 * run + i] >> 4) << (2 * run));
    }
}

#[inline(always)]
pub fn q6_k(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    let blocks = values.as_chunks::<ELEMENTS>().0.iter().zip(out.as_chunks_mut::<210>().0);
    for (block, (x, out)) in blocks.enumerate() {
        let x = gather::<PART>(x, PART);
        let weights = match importance {
            Some(importance) => gather_importance(importance, block * LANES),
            None => {
                let mut squares = x;
                for x in &mut squares {
                    for x in x.iter_mut() {
                        *x *= *x;
                    }
                    one_row_at_a_time();
                }
                squares
            }
        };
        let (scales, levels) = symmetric(&x, &weights, 32);
        let largest = largest(&scales);
        if largest.abs() < NOTHING {
            *out = [0; 210];
            continue;
        }
        let inverse = -128.0 / largest;
        let unit = half(1.0 / inverse);
        let scales = scales.map(|scale| nearest(inverse * scale).min(127) as i8);
        let step = scales.map(|scale| rows::half(&unit, 0) * f32::from(scale));
        let levels = nearest_levels(&x, &step, &levels, 32);
        for (half, levels) in levels.as_chunks::<128>().0.iter().enumerate() {
            for i in 0..32 {
                let [a, b, c, d] = [levels[i], levels[i + 32], levels[i + 64], levels[i + 96]];
                out[64 * half + i] = a & 15 | c << 4;
                out[64 * half + 32 + i] = b & 15 | d << 4;
                out[128 + 32 * half + i] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
            }
        }
        for (out, scale) in out[192..208].iter_mut().zip(scales) {
            *out = scale.cast_unsigned();
        }
        out[208..].copy_from_slice(&unit);
    }
}

/// The levels that are nearest with the scales as they are stored, `step`, counted from `-half_range` and in the order of
/// the elements; where a scale is stored as zero those that were found with it.
#[inline(always)]
fn nearest_levels(x: &[Lane; PART], step: &Lane, found: &[[u8; LANES]; PART], half_range: i32) -> [u8; ELEMENTS] {
    let mut levels = [[0u8; LANES]; PART];
    for (levels, x) in levels.iter_mut().zip(x) {
        for i in 0..LANES {
            levels[i] = (nearest(x[i] / step[i]).clamp(-half_range, half_range - 1) + half_range) as u8;
        }
        one_row_at_a_time();
    }
    for i in (0..LANES).filter(|i| step[*i] == 0.0) {
        for (level, found) in levels.iter_mut().zip(found) {
            level[i] = found[i];
        }
    }
    let mut ordered = [0u8; ELEMENTS];
    for (part, ordered) in ordered.as_chunks_mut::<PART>().0.iter_mut().enumerate() {
        *ordered = std::array::from_fn(|i| levels[i][part]);
    }
    ordered
}
