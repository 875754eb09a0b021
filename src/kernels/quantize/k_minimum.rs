//! Q2_K, Q4_K and Q5_K: blocks of 256 elements in parts, each with a scale and a minimum, which are levels themselves of
//! two numbers that the block has.
//!
//! Layouts: `block_q2_K`, `block_q4_K` and `block_q5_K` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>.

use super::lanes::*;
use super::plain::half;
use super::search::{FINE, Steps, above_minimum, from_zero};
use super::weighted::mean_squares;
use crate::kernels::rows;

/// Elements of a block.
pub const ELEMENTS: usize = 256;

/// What tells the types apart, besides their layouts.
struct Kind {
    /// The highest level of an element, and of a scale or minimum.
    highest: i32,
    highest_scale: i32,
    /// Ranges that are tried where no importance is known.
    steps: Steps,
    /// Of the block's mean square, what is added to each square before it weighs an importance.
    energy: f32,
    /// Whether levels of scales above the highest become the highest.
    cut: bool,
}

const TWO_BITS: Kind =
    Kind { highest: 3, highest_scale: 15, steps: Steps { from: -0.5, by: 0.1, last: 15 }, energy: 1.0, cut: false };
const FOUR_BITS: Kind =
    Kind { highest: 15, highest_scale: 63, steps: Steps { from: -1.0, by: 0.1, last: 20 }, energy: 2.0, cut: false };
const FIVE_BITS: Kind =
    Kind { highest: 31, highest_scale: 63, steps: Steps { from: -0.5, by: 0.1, last: 15 }, energy: 2.0, cut: true };

#[inline(always)]
pub fn q2_k(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    quantize::<16, 16, 84, true>(values, importance, &TWO_BITS, out, |block, out| {
        for (out, (scale, min)) in out.iter_mut().zip(block.scales.iter().zip(&block.mins)) {
            *out = scale | min << 4;
        }
        write_pairs(&block.levels, &mut out[16..80]);
        out[80..82].copy_from_slice(&block.scale);
        out[82..].copy_from_slice(&block.min);
    });
}

#[inline(always)]
pub fn q4_k(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    quantize::<32, 8, 144, false>(values, importance, &FOUR_BITS, out, |block, out| {
        out[..2].copy_from_slice(&block.scale);
        out[2..4].copy_from_slice(&block.min);
        write_six_bits(block, &mut out[4..16]);
        write_halves(&block.levels, &mut out[16..]);
    });
}

#[inline(always)]
pub fn q5_k(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    quantize::<32, 8, 176, false>(values, importance, &FIVE_BITS, out, |block, out| {
        out[..2].copy_from_slice(&block.scale);
        out[2..4].copy_from_slice(&block.min);
        write_six_bits(block, &mut out[4..16]);
        // The fifth bits of part `i` are the bits `i`.
        for (column, out) in out[16..48].iter_mut().enumerate() {
            *out = (0..8).fold(0, |bits, part| bits | (block.levels[32 * part + column] >> 4) << part);
        }
        write_halves(&block.levels, &mut out[48..]);
    });
}

/// A block before it is laid out.
struct Block<const PARTS: usize> {
    /// In f16.
    scale: [u8; 2],
    min: [u8; 2],
    scales: [u8; PARTS],
    mins: [u8; PARTS],
    levels: [u8; ELEMENTS],
}

/// Blocks of `PARTS` parts of `N` elements, sixteen at a time. `ABSOLUTE` as in [`above_minimum`].
#[inline(always)]
fn quantize<const N: usize, const PARTS: usize, const BYTES: usize, const ABSOLUTE: bool>(
    values: &[f32],
    importance: Option<&[f32]>,
    kind: &Kind,
    out: &mut [u8],
    write: impl Fn(&Block<PARTS>, &mut [u8; BYTES]),
) {
    for (batch, out) in out.as_chunks_mut::<BYTES>().0.chunks_mut(LANES).enumerate() {
        let first = batch * LANES * ELEMENTS;
        let values = &values[first..][..out.len() * ELEMENTS];
        let groups = (out.len() * PARTS).div_ceil(LANES);
        // Numbers of each part of the batch.
        let (mut scales, mut mins, mut sums) = ([[0f32; PARTS]; LANES], [[0f32; PARTS]; LANES], [[0f32; PARTS]; LANES]);
        let mut levels = [[0u8; ELEMENTS]; LANES];
        let energy = if importance.is_some() { mean_squares(values, ELEMENTS, kind.energy) } else { Vec::new() };
        for group in 0..groups {
            let x = gather::<N>(&values[group * LANES * N..], N);
            let (weights, steps) = match importance {
                Some(importance) => {
                    let mut weights = gather_importance(importance, first / N + group * LANES);
                    let energy =
                        std::array::from_fn(|i| energy.get((group * LANES + i) / PARTS).copied().unwrap_or_default());
                    weigh(&mut weights, &x, &energy);
                    (weights, FINE)
                }
                None => (magnitudes::<N, ABSOLUTE>(&x), kind.steps),
            };
            // With an importance squares count in all types.
            let (scale, min, found) = match importance {
                Some(_) => above_minimum::<N, false>(&x, &weights, kind.highest, steps),
                None => above_minimum::<N, ABSOLUTE>(&x, &weights, kind.highest, steps),
            };
            let mut sum = [0f32; LANES];
            for weights in &weights {
                for i in 0..LANES {
                    sum[i] += weights[i];
                }
            }
            for i in 0..LANES {
                let (block, part) = ((group * LANES + i) / PARTS, (group * LANES + i) % PARTS);
                (scales[block][part], mins[block][part], sums[block][part]) = (scale[i], -min[i], sum[i]);
                for (level, found) in levels[block][part * N..][..N].iter_mut().zip(&found) {
                    *level = found[i];
                }
            }
        }
        let [(scale, mut scales), (min, mut mins)] = match importance {
            Some(_) => [&scales, &mins].map(|numbers| weighted_levels(numbers, &sums, kind.highest_scale)),
            None => [&scales, &mins].map(|numbers| plain_levels(numbers, kind.highest_scale)),
        };
        // A level that went below zero, see `as_stored`, is cut off, or has bits that lie in those of another level and are
        // read with it.
        for (scales, mins) in scales.iter_mut().zip(&mut mins) {
            if kind.cut {
                *scales = scales.map(|level| level.min(kind.highest_scale as u8));
                *mins = mins.map(|level| level.min(kind.highest_scale as u8));
            } else if PARTS == 8 {
                for part in 4..PARTS {
                    scales[part] |= scales[part - 4] >> 6 << 4;
                    mins[part] |= mins[part - 4] >> 6 << 4;
                }
            } else {
                mins.iter_mut().zip(&*scales).for_each(|(min, scale)| *min |= scale >> 4);
            }
        }
        for group in 0..groups {
            let x = gather::<N>(&values[group * LANES * N..], N);
            let place = |i: usize| ((group * LANES + i) / PARTS, (group * LANES + i) % PARTS);
            let of = |number: &[[u8; 2]; LANES], levels: &[[u8; PARTS]; LANES]| -> Lane {
                std::array::from_fn(|i| {
                    let (block, part) = place(i);
                    let level = i32::from(levels[block][part]) & kind.highest_scale;
                    rows::half(&number[block], 0) * level as f32
                })
            };
            let (step, down) = (of(&scale, &scales), of(&min, &mins));
            // The levels that are nearest with the numbers as they are stored.
            let mut nearer = [[0u8; LANES]; N];
            for (nearer, x) in nearer.iter_mut().zip(&x) {
                for i in 0..LANES {
                    nearer[i] = nearest((x[i] + down[i]) / step[i]).clamp(0, kind.highest) as u8;
                }
                one_row_at_a_time();
            }
            for i in (0..LANES).filter(|i| step[*i] != 0.0) {
                let (block, part) = place(i);
                for (level, nearer) in levels[block][part * N..][..N].iter_mut().zip(&nearer) {
                    *level = nearer[i];
                }
            }
        }
        for (i, out) in out.iter_mut().enumerate() {
            let block = Block { scale: scale[i], min: min[i], scales: scales[i], mins: mins[i], levels: levels[i] };
            write(&block, out);
        }
    }
}

/// What an error weighs where no importance is known: the larger the value, the more; if not `ABSOLUTE`, more by the root
/// of the mean square for all.
#[inline(always)]
fn magnitudes<const N: usize, const ABSOLUTE: bool>(x: &[Lane; N]) -> [Lane; N] {
    let mut sums = [0f32; LANES];
    add_squares(x, &mut sums);
    let base = sums.map(|sum| if ABSOLUTE { 0.0 } else { (sum / N as f32).sqrt() });
    let mut weights = *x;
    for weights in &mut weights {
        for i in 0..LANES {
            weights[i] = base[i] + weights[i].abs();
        }
        one_row_at_a_time();
    }
    weights
}

/// For each block the number, in f16, that the largest of `numbers` is `highest` of, and the levels of all.
#[inline(always)]
fn plain_levels<const PARTS: usize>(
    numbers: &[[f32; PARTS]; LANES],
    highest: i32,
) -> ([[u8; 2]; LANES], [[u8; PARTS]; LANES]) {
    let (mut units, mut levels) = ([[0; 2]; LANES], [[0; PARTS]; LANES]);
    for (numbers, (unit, levels)) in numbers.iter().zip(units.iter_mut().zip(&mut levels)) {
        let max = numbers.iter().fold(0f32, |max, number| if *number > max { *number } else { max });
        let inverse = if max > 0.0 { highest as f32 / max } else { 0.0 };
        *levels = numbers.map(|number| (nearest(inverse * number) as u8).min(highest as u8));
        *unit = half(max / highest as f32);
    }
    (units, levels)
}

/// The same with the least error, `weights` considered.
#[inline(always)]
fn weighted_levels<const PARTS: usize>(
    numbers: &[[f32; PARTS]; LANES],
    weights: &[[f32; PARTS]; LANES],
    highest: i32,
) -> ([[u8; 2]; LANES], [[u8; PARTS]; LANES]) {
    let of_blocks = |numbers: &[[f32; PARTS]; LANES]| transpose(std::array::from_fn(|block| &numbers[block]));
    let (units, found) = from_zero(&of_blocks(numbers), &of_blocks(weights), highest);
    let levels = std::array::from_fn(|block| std::array::from_fn(|part| found[part][block]));
    (units.map(half), levels)
}

/// Scales and minima of six bits: those of the first four parts lie in the low bits of eight bytes, and the upper two
/// bits of the others above them.
#[inline(always)]
fn write_six_bits(block: &Block<8>, out: &mut [u8]) {
    for part in 0..4 {
        let (scale, min) = (block.scales[part + 4], block.mins[part + 4]);
        out[part] = block.scales[part] | scale >> 4 << 6;
        out[part + 4] = block.mins[part] | min >> 4 << 6;
        out[part + 8] = scale & 15 | (min & 15) << 4;
    }
}

/// Four bits a level: of two parts the first in the low bits.
#[inline(always)]
fn write_halves(levels: &[u8; ELEMENTS], out: &mut [u8]) {
    for (out, levels) in out.as_chunks_mut::<32>().0.iter_mut().zip(levels.as_chunks::<64>().0) {
        for i in 0..32 {
            out[i] = levels[i] & 15 | levels[i + 32] << 4;
        }
    }
}

/// Two bits a level: of four runs of 32 the first in the lowest bits.
#[inline(always)]
pub fn write_pairs(levels: &[u8; ELEMENTS], out: &mut [u8]) {
    for (out, levels) in out.as_chunks_mut::<32>().0.iter_mut().zip(levels.as_chunks::<128>().0) {
        for i in 0..32 {
            let pair = |run: usize| (levels[i + 32 * run] & 3) << (2 * run);
            out[i] = pair(0) | pair(1) | pair(2) | pair(3);
        }
    }
}
