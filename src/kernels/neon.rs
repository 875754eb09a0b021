//! The kernels for NEON with products of bytes (dotprod).
//!
//! Instructions whose intrinsics are not stable yet are written out.

use std::arch::aarch64::*;
use std::arch::asm;

use super::matmul::input::Row;
use super::matmul::lanes::{self, Lanes, dot_unpacked};
use super::matmul::tile::VECTORS;
use super::neon_i8mm::dot_pairs;
use super::neon_rows::{dot_q4_k_or_q5_k, dot_q6_k, dot_q8_0_or_q4_0};
use crate::tensor_type::TensorType;

/// Eight elements at a time, in two registers: a tile's sums for six tokens leave just enough of the 32 for the rest.
#[derive(Clone, Copy)]
pub struct Neon<const I8MM: bool>;

type NeonDot = Neon<false>;

super::compiled!(NeonDot, super::attention::neon::Neon, "neon,dotprod");

/// Adds to each element of `sum` the products of four bytes of `a` and of `b`.
#[inline]
#[target_feature(enable = "dotprod")]
pub unsafe fn sdot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: by the caller.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sum, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// Widens eight f16.
#[inline(always)]
pub unsafe fn widen(halves: uint16x8_t) -> [float32x4_t; 2] {
    let (low, high): (float32x4_t, float32x4_t);
    // SAFETY: every processor of the architecture has the instructions.
    unsafe {
        asm!(
            "fcvtl {0:v}.4s, {1:v}.4h",
            out(vreg) low, in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags)
        );
        asm!(
            "fcvtl2 {0:v}.4s, {1:v}.8h",
            out(vreg) high, in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    [low, high]
}

/// The f16 at an address, widened.
#[inline(always)]
pub unsafe fn half(at: *const u8) -> f32 {
    // SAFETY: by the caller.
    let bits = unsafe { u16::from_le_bytes(at.cast::<[u8; 2]>().read()) };
    let wide: f32;
    // SAFETY: every processor of the architecture has the instruction.
    unsafe {
        asm!(
            "fmov {0:s}, {1:w}",
            "fcvt {0:s}, {0:h}",
            out(vreg) wide, in(reg) u32::from(bits),
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    wide
}

/// Asks for the memory at an address that may be any.
#[inline(always)]
pub unsafe fn prefetch(at: *const u8) {
    // SAFETY: what is not mapped is not fetched.
    unsafe { asm!("prfm pldl1keep, [{}]", in(reg) at, options(readonly, nostack, preserves_flags)) }
}

impl<const I8MM: bool> Lanes for Neon<I8MM> {
    const LANES: usize = 8;
    const SIGNED: bool = true;
    type I = [int32x4_t; 2];
    type F = [float32x4_t; 2];

    #[inline(always)]
    unsafe fn load_bytes(at: *const u8) -> [int32x4_t; 2] {
        // SAFETY: here and below, by the caller.
        unsafe { [vreinterpretq_s32_u8(vld1q_u8(at)), vreinterpretq_s32_u8(vld1q_u8(at.add(16)))] }
    }

    #[inline(always)]
    unsafe fn splat_i32(value: i32) -> [int32x4_t; 2] {
        unsafe { [vdupq_n_s32(value); 2] }
    }

    #[inline(always)]
    unsafe fn dot(wide: bool, sum: [int32x4_t; 2], unsigned: [int32x4_t; 2], signed: [int32x4_t; 2]) -> [int32x4_t; 2] {
        unsafe {
            [
                sdot(sum[0], as_signed(wide, unsigned[0]), vreinterpretq_s8_s32(signed[0])),
                sdot(sum[1], as_signed(wide, unsigned[1]), vreinterpretq_s8_s32(signed[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn to_f32(value: [int32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vcvtq_f32_s32(value[0]), vcvtq_f32_s32(value[1])] }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> [float32x4_t; 2] {
        unsafe { [vld1q_f32(at), vld1q_f32(at.add(4))] }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: [float32x4_t; 2]) {
        unsafe {
            vst1q_f32(at, value[0]);
            vst1q_f32(at.add(4), value[1]);
        }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [float32x4_t; 2] {
        unsafe { [vdupq_n_f32(value); 2] }
    }

    #[inline(always)]
    unsafe fn mul(a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_add(a: [float32x4_t; 2], b: [float32x4_t; 2], c: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_sub(a: [float32x4_t; 2], b: [float32x4_t; 2], c: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vfmsq_f32(c[0], a[0], b[0]), vfmsq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn sum(value: [float32x4_t; 2]) -> f32 {
        unsafe { vaddvq_f32(vaddq_f32(value[0], value[1])) }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        unsafe { prefetch(at) }
    }

    #[inline(always)]
    unsafe fn dot_tile<const T: usize>(
        wide: bool,
        words: usize,
        weights: *const u8,
        x: *const i32,
        sums: &mut [[[int32x4_t; 2]; T]; VECTORS],
    ) {
        unsafe {
            match I8MM && T.is_multiple_of(2) {
                true => dot_pairs(wide, words, weights, x, sums),
                false => lanes::dot_tile::<Self, T>(wide, words, weights, x, sums),
            }
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
        for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            unsafe {
                let load = |i: usize| vld1q_u32(from.add((row + i) * from_row + column));
                let (a, b, c, d) = (load(0), load(1), load(2), load(3));
                // Words of two rows, then pairs of words, change places.
                let [even, odd] = [vtrn1q_u32(a, b), vtrn2q_u32(a, b)].map(|pair| vreinterpretq_u64_u32(pair));
                let [even2, odd2] = [vtrn1q_u32(c, d), vtrn2q_u32(c, d)].map(|pair| vreinterpretq_u64_u32(pair));
                let columns =
                    [vtrn1q_u64(even, even2), vtrn1q_u64(odd, odd2), vtrn2q_u64(even, even2), vtrn2q_u64(odd, odd2)];
                for (i, words) in columns.into_iter().enumerate() {
                    vst1q_u32(to.add((column + i) * to_row + row), vreinterpretq_u32_u64(words));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn dot_row<W: Format, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
        unsafe {
            match W::TYPE {
                TensorType::Q4K => dot_q4_k_or_q5_k::<144, T>(weights, x),
                TensorType::Q5K => dot_q4_k_or_q5_k::<176, T>(weights, x),
                TensorType::Q6K => dot_q6_k(weights, x),
                TensorType::Q8_0 => dot_q8_0_or_q4_0::<34, T>(weights, x),
                TensorType::Q4_0 => dot_q8_0_or_q4_0::<18, T>(weights, x),
                _ => dot_unpacked::<Self, W, T>(weights, x),
            }
        }
    }

    #[inline(always)]
    unsafe fn dot_f16(halves: &[u8], x: &[f32]) -> f32 {
        unsafe {
            let mut sums = [vdupq_n_f32(0.0); 4];
            let (parts, rest) = x.as_chunks::<16>();
            let (whole, halves) = halves.split_at(32 * parts.len());
            for (part, halves) in parts.iter().zip(whole.as_chunks::<32>().0) {
                let [a, b] = widen(vreinterpretq_u16_u8(vld1q_u8(halves.as_ptr())));
                let [c, d] = widen(vreinterpretq_u16_u8(vld1q_u8(halves.as_ptr().add(16))));
                for (i, (wide, sum)) in [a, b, c, d].into_iter().zip(&mut sums).enumerate() {
                    *sum = vfmaq_f32(*sum, wide, vld1q_f32(part.as_ptr().add(4 * i)));
                }
            }
            let sum = vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3]));
            let halves = halves.as_chunks::<2>().0;
            vaddvq_f32(sum) + rest.iter().zip(halves).map(|(x, bits)| x * half(bits.as_ptr())).sum::<f32>()
        }
    }

    #[inline(always)]
    unsafe fn widen_f16(halves: &[u8], out: &mut [f32]) {
        let (parts, rest) = out.as_chunks_mut::<8>();
        let (whole, halves) = halves.split_at(16 * parts.len());
        for (part, halves) in parts.iter_mut().zip(whole.as_chunks::<16>().0) {
            unsafe {
                let wide = widen(vreinterpretq_u16_u8(vld1q_u8(halves.as_ptr())));
                Self::store(part.as_mut_ptr(), wide);
            }
        }
        for (out, bits) in rest.iter_mut().zip(halves.as_chunks::<2>().0) {
            *out = unsafe { half(bits.as_ptr()) };
        }
    }
}

/// Bytes as they are if they are below 128, with 128 taken off if `wide`.
#[inline(always)]
pub unsafe fn as_signed(wide: bool, bytes: int32x4_t) -> int8x16_t {
    // SAFETY: every processor of the architecture has the instructions.
    unsafe {
        let bytes = vreinterpretq_s8_s32(bytes);
        if wide { veorq_s8(bytes, vdupq_n_s8(-128)) } else { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let exact = half::f16::from_bits(bits).to_f32();
            let mut wide = [0f32; 9];
            // SAFETY: every processor of the architecture has the instructions.
            unsafe {
                let [low, high] = widen(vdupq_n_u16(bits));
                vst1q_f32(wide.as_mut_ptr(), low);
                vst1q_f32(wide.as_mut_ptr().add(4), high);
                wide[8] = super::half(bits.to_le_bytes().as_ptr());
            }
            for ours in wide {
                assert!(ours.to_bits() == exact.to_bits() || ours.is_nan() && exact.is_nan(), "{bits:#x}: {ours}");
            }
        }
    }
}
