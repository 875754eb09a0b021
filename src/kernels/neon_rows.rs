//! Rows of weights with a few tokens, for NEON with products of bytes: the types that most models have.

use std::arch::aarch64::*;

use super::matmul::format::six_bits;
use super::matmul::input::Row;
use super::neon::{half, sdot};

/// The sum of each of four vectors from `first` on.
#[inline(always)]
unsafe fn four_sums(runs: &[int32x4_t; 8], first: usize) -> int32x4_t {
    // SAFETY: every processor of the architecture has the instructions.
    unsafe {
        let (low, high) = (vpaddq_s32(runs[first], runs[first + 1]), vpaddq_s32(runs[first + 2], runs[first + 3]));
        vpaddq_s32(low, high)
    }
}

/// The products of two vectors, added up to four numbers.
#[inline(always)]
unsafe fn sums_of_products(a: int16x8_t, b: int16x8_t) -> int32x4_t {
    // SAFETY: every processor of the architecture has the instructions.
    unsafe { vmlal_high_s16(vmull_s16(vget_low_s16(a), vget_low_s16(b)), a, b) }
}

/// Q4_K where a block has 144 bytes, Q5_K where it has 176.
///
/// # Safety
/// As [`super::matmul::lanes::Lanes`].
#[inline(always)]
pub unsafe fn dot_q4_k_or_q5_k<const BYTES: usize, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns.
    unsafe {
        let (low_bits, fifth) = (vdupq_n_u8(15), vdupq_n_u8(16));
        let mut sums = [vdupq_n_f32(0.0); T];
        for (index, block) in weights.as_chunks::<BYTES>().0.iter().enumerate() {
            let at = block.as_ptr();
            let mut high = match BYTES {
                176 => [vld1q_u8(at.add(16)), vld1q_u8(at.add(32))],
                _ => [vdupq_n_u8(0); 2],
            };
            let mut quants = [vdupq_n_s8(0); 16];
            for part in 0..4 {
                for (i, high) in high.iter_mut().enumerate() {
                    let pairs = vld1q_u8(at.add(BYTES - 128 + 32 * part + 16 * i));
                    let mut both = [vandq_u8(pairs, low_bits), vshrq_n_u8::<4>(pairs)];
                    if BYTES == 176 {
                        both[0] = vorrq_u8(both[0], vandq_u8(vshlq_n_u8::<4>(*high), fifth));
                        both[1] = vorrq_u8(both[1], vandq_u8(vshlq_n_u8::<3>(*high), fifth));
                        *high = vshrq_n_u8::<2>(*high);
                    }
                    quants[4 * part + i] = vreinterpretq_s8_u8(both[0]);
                    quants[4 * part + 2 + i] = vreinterpretq_s8_u8(both[1]);
                }
            }
            let (scales, mins) = six_bits(block, 4);
            let scales = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(scales)));
            let scales = [vmovl_s16(vget_low_s16(scales)), vmovl_high_s16(scales)];
            let mins = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(mins)));
            let (d, min) = (half(at), half(at.add(2)));
            for (x, sum) in x.iter().zip(&mut sums) {
                let x_quants = x.quants.as_ptr().add(256 * index);
                let mut runs = [vdupq_n_s32(0); 8];
                for (i, quants) in quants.into_iter().enumerate() {
                    runs[i / 2] = sdot(runs[i / 2], quants, vld1q_s8(x_quants.add(16 * i)));
                }
                let total = vmulq_s32(four_sums(&runs, 0), scales[0]);
                let total = vmlaq_s32(total, four_sums(&runs, 4), scales[1]);
                let less = sums_of_products(mins, vld1q_s16(x.sums32.as_ptr().add(8 * index)));
                let scale = *x.scales.as_ptr().add(index);
                *sum = vfmaq_n_f32(*sum, vcvtq_f32_s32(total), d * scale);
                *sum = vfmsq_n_f32(*sum, vcvtq_f32_s32(less), min * scale);
            }
        }
        sums.map(|sum| vaddvq_f32(sum))
    }
}

/// # Safety
/// As [`super::matmul::lanes::Lanes`].
#[inline(always)]
pub unsafe fn dot_q6_k<const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns.
    unsafe {
        let (low_bits, high_bits) = (vdupq_n_u8(15), vdupq_n_u8(0x30));
        let mut sums = [vdupq_n_f32(0.0); T];
        for (index, block) in weights.as_chunks::<210>().0.iter().enumerate() {
            let at = block.as_ptr();
            let mut quants = [vdupq_n_s8(0); 16];
            for half in 0..2 {
                for i in 0..2 {
                    let low = vld1q_u8(at.add(64 * half + 16 * i));
                    let low32 = vld1q_u8(at.add(64 * half + 32 + 16 * i));
                    let high = vld1q_u8(at.add(128 + 32 * half + 16 * i));
                    let parts = [
                        vorrq_u8(vandq_u8(low, low_bits), vandq_u8(vshlq_n_u8::<4>(high), high_bits)),
                        vorrq_u8(vandq_u8(low32, low_bits), vandq_u8(vshlq_n_u8::<2>(high), high_bits)),
                        vorrq_u8(vshrq_n_u8::<4>(low), vandq_u8(high, high_bits)),
                        vorrq_u8(vshrq_n_u8::<4>(low32), vandq_u8(vshrq_n_u8::<2>(high), high_bits)),
                    ];
                    for (part, bytes) in parts.into_iter().enumerate() {
                        quants[8 * half + 2 * part + i] = vreinterpretq_s8_u8(bytes);
                    }
                }
            }
            let scales = vld1q_s8(at.add(192).cast());
            let scales = [vmovl_s8(vget_low_s8(scales)), vmovl_high_s8(scales)];
            let d = half(at.add(208));
            for (x, sum) in x.iter().zip(&mut sums) {
                let x_quants = x.quants.as_ptr().add(256 * index);
                let x_sums = x.sums16.as_ptr().add(16 * index);
                let less = vaddq_s32(
                    sums_of_products(scales[0], vld1q_s16(x_sums)),
                    sums_of_products(scales[1], vld1q_s16(x_sums.add(8))),
                );
                // Quants stand for 32 less than they say.
                let mut total = vmulq_n_s32(less, -32);
                for (half, scales) in scales.into_iter().enumerate() {
                    let mut runs = [vdupq_n_s32(0); 8];
                    for (i, run) in runs.iter_mut().enumerate() {
                        let at = 8 * half + i;
                        *run = sdot(*run, quants[at], vld1q_s8(x_quants.add(16 * at)));
                    }
                    total = vmlaq_s32(total, four_sums(&runs, 0), vmovl_s16(vget_low_s16(scales)));
                    total = vmlaq_s32(total, four_sums(&runs, 4), vmovl_high_s16(scales));
                }
                *sum = vfmaq_n_f32(*sum, vcvtq_f32_s32(total), d * *x.scales.as_ptr().add(index));
            }
        }
        sums.map(|sum| vaddvq_f32(sum))
    }
}

/// Q8_0 where a block has 34 bytes, Q4_0 where it has 18.
///
/// # Safety
/// As [`super::matmul::lanes::Lanes`].
#[inline(always)]
pub unsafe fn dot_q8_0_or_q4_0<const BYTES: usize, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns.
    unsafe {
        let (pairs, last) = weights.as_chunks::<BYTES>().0.as_chunks::<2>();
        let (mut even, mut odd) = ([vdupq_n_f32(0.0); T], [vdupq_n_f32(0.0); T]);
        for (index, [a, b]) in pairs.iter().enumerate() {
            add_block(&mut even, a, x, 2 * index);
            add_block(&mut odd, b, x, 2 * index + 1);
        }
        if let [last] = last {
            add_block(&mut even, last, x, 2 * pairs.len());
        }
        std::array::from_fn(|token| vaddvq_f32(vaddq_f32(even[token], odd[token])))
    }
}

/// Adds to `sums` the products of the block numbered `index` of a row.
#[inline(always)]
unsafe fn add_block<const BYTES: usize, const T: usize>(
    sums: &mut [float32x4_t; T],
    block: &[u8; BYTES],
    x: &[Row; T],
    index: usize,
) {
    // SAFETY: by the caller.
    unsafe {
        let at = block.as_ptr().add(2);
        let quants = match BYTES {
            34 => [vld1q_s8(at.cast()), vld1q_s8(at.add(16).cast())],
            _ => {
                // Quants stand for 8 less than they say.
                let pairs = vld1q_u8(at);
                [vandq_u8(pairs, vdupq_n_u8(15)), vshrq_n_u8::<4>(pairs)]
                    .map(|quants| vsubq_s8(vreinterpretq_s8_u8(quants), vdupq_n_s8(8)))
            }
        };
        let d = half(block.as_ptr());
        for (x, sum) in x.iter().zip(sums) {
            let x_quants = x.quants.as_ptr().add(32 * index);
            let product = sdot(vdupq_n_s32(0), quants[0], vld1q_s8(x_quants));
            let product = sdot(product, quants[1], vld1q_s8(x_quants.add(16)));
            *sum = vfmaq_n_f32(*sum, vcvtq_f32_s32(product), d * *x.scales.as_ptr().add(index));
        }
    }
}
