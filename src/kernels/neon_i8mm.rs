//! The kernels for NEON with products of small matrices of bytes (i8mm).

use std::arch::aarch64::*;
use std::arch::asm;

use super::matmul::tile::VECTORS;
use super::neon::{Neon, as_signed};

type NeonI8mm = Neon<true>;

super::compiled!(NeonI8mm, super::attention::neon::Neon, "neon,dotprod,i8mm");

/// Adds to `sum`, a matrix of 2x2, the product of `a` and `b`, each of two rows of eight bytes, the latter transposed.
#[inline]
#[target_feature(enable = "i8mm")]
unsafe fn smmla(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: by the caller.
    unsafe {
        asm!(
            "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sum, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// [`super::matmul::lanes::Lanes::dot_tile`] for pairs of tokens: products of two rows, two tokens and eight bytes of each.
///
/// # Safety
/// As [`super::matmul::lanes::Lanes`], and the processor must have i8mm.
#[allow(clippy::needless_range_loop)] // a pair is a place in memory too
#[inline(always)]
pub unsafe fn dot_pairs<const T: usize>(
    wide: bool,
    words: usize,
    weights: *const u8,
    x: *const i32,
    sums: &mut [[[int32x4_t; 2]; T]; VECTORS],
) {
    // SAFETY: by the caller; a tile's word has 16 rows, in four registers.
    unsafe {
        // Of rows 4i and on: the lower and the upper two with a pair of tokens.
        let mut blocks = [[[vdupq_n_s32(0); 2]; T]; 4];
        for (i, blocks) in blocks.iter_mut().enumerate() {
            for pair in 0..T / 2 {
                let [a, b] = [2 * pair, 2 * pair + 1].map(|token| sums[i / 2][token][i % 2]);
                blocks[pair] = [vzip1q_s32(a, b), vzip2q_s32(a, b)];
            }
        }
        for word in (0..words).step_by(2) {
            let mut tokens = [vdupq_n_s8(0); T];
            for (pair, tokens) in tokens.iter_mut().enumerate().take(T / 2) {
                let load = |word: usize| {
                    let both = vld1_s32(x.add(word * T + 2 * pair));
                    vcombine_s32(both, both)
                };
                *tokens = vreinterpretq_s8_s32(vzip1q_s32(load(word), load(word + 1)));
            }
            for (i, blocks) in blocks.iter_mut().enumerate() {
                let load = |word: usize| vld1q_s32(weights.add(64 * word + 16 * i).cast());
                let (a, b) = (load(word), load(word + 1));
                let rows = [as_signed(wide, vzip1q_s32(a, b)), as_signed(wide, vzip2q_s32(a, b))];
                for pair in 0..T / 2 {
                    for half in 0..2 {
                        blocks[pair][half] = smmla(blocks[pair][half], rows[half], tokens[pair]);
                    }
                }
            }
        }
        for (i, blocks) in blocks.iter().enumerate() {
            for pair in 0..T / 2 {
                let [lower, upper] = blocks[pair];
                sums[i / 2][2 * pair][i % 2] = vuzp1q_s32(lower, upper);
                sums[i / 2][2 * pair + 1][i % 2] = vuzp2q_s32(lower, upper);
            }
        }
    }
}
