//! The IQ types: a scale, and numbers of points in a table.
//!
//! Layouts: `block_iq*` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>. All
//! but IQ4_NL have blocks of 256 elements, in eight groups of 32.

use super::iq_points as points;
use super::rows::{half, pair};

/// Levels of IQ4_NL and IQ4_XS, unevenly spaced.
pub(super) const LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// What IQ1 adds to a point, or takes from it.
const SHIFT: f32 = 0.125;

pub fn iq4_nl(block: &[u8; 18], out: &mut [f32; 32]) {
    levels(half(block, 0), &block[2..], out);
}

pub fn iq4_xs(block: &[u8; 136], out: &mut [f32; 256]) {
    let d = half(block, 0);
    let high = pair(block, 2);
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
        let scale = i32::from(low) | i32::from(high >> (2 * group) & 3) << 4;
        levels(d * (scale - 32) as f32, &block[8 + 16 * group..][..16], out);
    }
}

/// 16 bytes: the first 16 elements in the low bits, the others in the high ones.
fn levels(scale: f32, bytes: &[u8], out: &mut [f32]) {
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        *low = scale * f32::from(LEVELS[usize::from(byte & 15)]);
        *high = scale * f32::from(LEVELS[usize::from(byte >> 4)]);
    }
}

pub fn iq2_xxs(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (group, out) in block[2..].chunks_exact(8).zip(out.chunks_exact_mut(32)) {
        let word = word(group, 4);
        let scale = d * (0.5 + (word >> 28) as f32) * 0.25;
        for (i, out) in out.chunks_exact_mut(8).enumerate() {
            signed(scale, &points::IQ2_XXS[usize::from(group[i])], even_signs(word >> (7 * i)), out);
        }
    }
}

pub fn iq2_xs(block: &[u8; 74], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (i, out) in out.chunks_exact_mut(8).enumerate() {
        let number = pair(block, 2 + 2 * i);
        let scale = d * (0.5 + nibble(block, 66, i / 2)) * 0.25;
        let signs = even_signs(u32::from(number >> 9));
        signed(scale, &points::IQ2_XS[usize::from(number & 511)], signs, out);
    }
}

pub fn iq2_s(block: &[u8; 82], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (i, out) in out.chunks_exact_mut(8).enumerate() {
        let high = usize::from(block[66 + i / 4] >> (2 * (i % 4)) & 3);
        let scale = d * (0.5 + nibble(block, 74, i / 2)) * 0.25;
        signed(scale, &points::IQ2_S[usize::from(block[2 + i]) | high << 8], block[34 + i], out);
    }
}

pub fn iq3_xxs(block: &[u8; 98], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let word = word(block, 66 + 4 * group);
        let scale = d * (0.5 + (word >> 28) as f32) * 0.5;
        for (i, out) in out.chunks_exact_mut(4).enumerate() {
            let signs = even_signs(word >> (7 * (i / 2))) >> (4 * (i % 2));
            signed(scale, &points::IQ3_XXS[usize::from(block[2 + 8 * group + i])], signs, out);
        }
    }
}

pub fn iq3_s(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (i, out) in out.chunks_exact_mut(4).enumerate() {
        let high = usize::from(block[66 + i / 8] >> (i % 8) & 1);
        let scale = d * (1.0 + 2.0 * nibble(block, 106, i / 8));
        let signs = block[74 + i / 2] >> (4 * (i % 2));
        signed(scale, &points::IQ3_S[usize::from(block[2 + i]) | high << 8], signs, out);
    }
}

pub fn iq1_s(block: &[u8; 50], out: &mut [f32; 256]) {
    let d = half(block, 0);
    for (i, out) in out.chunks_exact_mut(8).enumerate() {
        let high = pair(block, 34 + 2 * (i / 4));
        let scale = d * f32::from(2 * (high >> 12 & 7) + 1);
        let number = usize::from(block[2 + i]) | usize::from(high >> (3 * (i % 4)) & 7) << 8;
        shifted(scale, &points::IQ1[number], high & 0x8000 != 0, out);
    }
}

pub fn iq1_m(block: &[u8; 56], out: &mut [f32; 256]) {
    // The scale of the block lies in the highest bits of the four words of scales.
    let bits = (0..4).fold(0, |bits, i| bits | (pair(block, 48 + 2 * i) >> 12) << (4 * i));
    let d = half(&bits.to_le_bytes(), 0);
    for (i, out) in out.chunks_exact_mut(8).enumerate() {
        let scale = pair(block, 48 + 2 * (i / 8)) >> (3 * (i / 2 % 4)) & 7;
        let high = block[32 + i / 2] >> (4 * (i % 2));
        let number = usize::from(block[i]) | usize::from(high & 7) << 8;
        shifted(d * f32::from(2 * scale + 1), &points::IQ1[number], high & 8 != 0, out);
    }
}

/// A point with a sign bit an element.
fn signed(scale: f32, point: &[i8], signs: u8, out: &mut [f32]) {
    for (i, (out, level)) in out.iter_mut().zip(point).enumerate() {
        let value = scale * f32::from(*level);
        *out = if signs >> i & 1 == 1 { -value } else { value };
    }
}

fn shifted(scale: f32, point: &[i8; 8], down: bool, out: &mut [f32]) {
    let shift = if down { -SHIFT } else { SHIFT };
    for (out, level) in out.iter_mut().zip(point) {
        *out = scale * (f32::from(*level) + shift);
    }
}

/// Seven signs of eight are stored: the number of negative ones is even.
fn even_signs(stored: u32) -> u8 {
    let signs = (stored & 127) as u8;
    signs | ((signs.count_ones() % 2) as u8) << 7
}

/// The four bits of number `index` in the bytes from `at` on.
fn nibble(block: &[u8], at: usize, index: usize) -> f32 {
    f32::from(block[at + index / 2] >> (4 * (index % 2)) & 15)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(pair(bytes, at)) | u32::from(pair(bytes, at + 2)) << 16
}
