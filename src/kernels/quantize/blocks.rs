//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: 32 elements with a scale, and a minimum where the name ends in 1.
//!
//! Layouts: `block_q*` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>. The scale comes from the extremes of
//! the block; how it is found where an importance is known stands in [`super::weighted`].

use std::hint::black_box;

use super::lanes::nearest;
use super::plain::half;

/// Elements of a block.
pub const ELEMENTS: usize = 32;

#[inline(always)]
pub fn q4_0(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<18>().0) {
        let (scale, levels) = symmetric(x, 8.0);
        out[..2].copy_from_slice(&half(scale));
        write_nibbles(&levels, &mut out[2..]);
    }
}

#[inline(always)]
pub fn q5_0(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<22>().0) {
        let (scale, levels) = symmetric(x, 16.0);
        out[..2].copy_from_slice(&half(scale));
        write_fifth_bits(&levels, &mut out[2..6]);
        write_nibbles(&levels, &mut out[6..]);
    }
}

#[inline(always)]
pub fn q4_1(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<20>().0) {
        let (scale, min, levels) = above_minimum(x, 15.0);
        out[..2].copy_from_slice(&half(scale));
        out[2..4].copy_from_slice(&half(min));
        write_nibbles(&levels, &mut out[4..]);
    }
}

#[inline(always)]
pub fn q5_1(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<24>().0) {
        let (scale, min, levels) = above_minimum(x, 31.0);
        out[..2].copy_from_slice(&half(scale));
        out[2..4].copy_from_slice(&half(min));
        write_fifth_bits(&levels, &mut out[4..8]);
        write_nibbles(&levels, &mut out[8..]);
    }
}

#[inline(always)]
pub fn q8_0(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks::<ELEMENTS>().0.iter().zip(out.as_chunks_mut::<34>().0) {
        let scale = f32::from_bits(largest_magnitude(x)) / 127.0;
        let inverse = inverse(scale);
        out[..2].copy_from_slice(&half(scale));
        for (out, x) in out[2..].iter_mut().zip(x) {
            let level = x * inverse;
            // Halves go away from zero; what is added is the number below one half.
            let magnitude = whole(level.abs() + 0.499_999_97);
            *out = (if level < 0.0 { -magnitude } else { magnitude }) as u8;
        }
    }
}

/// Scale and levels of a block whose levels are counted from `-half_range`. The value of the largest magnitude gets the
/// lowest level: there is one more below zero than above.
#[inline(always)]
fn symmetric(x: &[f32; ELEMENTS], half_range: f32) -> (f32, [i32; ELEMENTS]) {
    let scale = peak(x) / -half_range;
    let inverse = inverse(scale);
    let mut levels = [0; ELEMENTS];
    for (level, x) in levels.iter_mut().zip(x) {
        *level = whole(x * inverse + (half_range + 0.5)).min(2 * half_range as i32 - 1);
    }
    (scale, levels)
}

/// Scale, minimum and levels of a block whose levels are counted from its minimum.
#[inline(always)]
fn above_minimum(x: &[f32; ELEMENTS], highest: f32) -> (f32, f32, [i32; ELEMENTS]) {
    let (min, max) = extremes(x);
    let scale = (max - min) / highest;
    let inverse = inverse(scale);
    let mut levels = [0; ELEMENTS];
    for (level, x) in levels.iter_mut().zip(x) {
        *level = whole((x - min) * inverse + 0.5).min(highest as i32);
    }
    (scale, min, levels)
}

/// The inverse of a scale; of zero, zero.
#[inline(always)]
pub fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The integer part of a level; 0 where the scale was too small to divide by.
#[inline(always)]
fn whole(level: f32) -> i32 {
    let level = if level.abs() < 256.0 { level } else { 0.0 };
    let nearest = nearest(level);
    nearest - i32::from(nearest as f32 > level)
}

/// The bits of the largest magnitude: magnitudes compare as their bits do, and the largest of integers is found in
/// vectors.
#[inline(always)]
pub fn largest_magnitude(x: &[f32; ELEMENTS]) -> u32 {
    x.iter().fold(0, |largest, x| largest.max(x.abs().to_bits()))
}

/// The first value of the largest magnitude.
#[inline(always)]
fn peak(x: &[f32; ELEMENTS]) -> f32 {
    // Read as integers, positive numbers come in their order, and negative ones do without their sign.
    let (mut above, mut below) = (0, 0);
    for x in x {
        let bits = x.to_bits().cast_signed();
        above = above.max(bits);
        below = below.max(bits ^ i32::MIN);
    }
    let [above, below] = [above, below].map(|bits| f32::from_bits(bits.cast_unsigned()));
    if above > below {
        above
    } else if above < below {
        -below
    } else {
        x.iter().copied().find(|x| x.abs() == above && above > 0.0).unwrap_or_default()
    }
}

/// The smallest value and the largest.
#[inline(always)]
fn extremes(x: &[f32; ELEMENTS]) -> (f32, f32) {
    // Integers in the order of the numbers: those of negative ones run backwards.
    let key = |bits: i32| bits ^ (bits >> 31 & i32::MAX);
    let (mut min, mut max) = (i32::MAX, i32::MIN);
    for x in x {
        let key = key(x.to_bits().cast_signed());
        min = min.min(key);
        max = max.max(key);
    }
    let [min, max] = [min, max].map(|of| f32::from_bits(key(of).cast_unsigned()));
    // Of two zeros the first counts, not the negative one.
    let min = if min == 0.0 { x.iter().copied().find(|x| *x == 0.0).unwrap_or(min) } else { min };
    (min, max)
}

/// Four bits of each level: the first half of them low, the others high.
#[inline(always)]
pub fn write_nibbles(levels: &[i32; ELEMENTS], out: &mut [u8]) {
    let (low, high) = levels.split_at(ELEMENTS / 2);
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = (low & 15 | high << 4) as u8;
    }
}

/// The fifth bit of each level.
#[inline(always)]
fn write_fifth_bits(levels: &[i32; ELEMENTS], out: &mut [u8]) {
    // By this factor the lowest bits of eight bytes come together in the highest byte.
    const TOGETHER: u64 = 0x0102_0408_1020_4080;
    let mut high = [0u8; ELEMENTS];
    for (high, level) in high.iter_mut().zip(levels) {
        *high = (level >> 4) as u8;
    }
    // Read from memory; left alone, compilers would put the words together from 32 single numbers.
    for (out, eight) in out.iter_mut().zip(black_box(high).as_chunks().0) {
        *out = (u64::from_le_bytes(*eight).wrapping_mul(TOGETHER) >> 56) as u8;
    }
}
