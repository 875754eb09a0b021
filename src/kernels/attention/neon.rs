//! [`Simd`] on Arm: NEON, which every processor of 64 bits has.

use std::arch::aarch64::*;

use super::product::Product;
use super::simd::{Element, Simd};
use super::tile::{Job, Scratch};
use crate::kernels::neon;

/// Four registers a vector.
pub struct Neon;

type Vector = [float32x4_t; 4];

#[inline(always)]
fn each(a: Vector, b: Vector, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Vector {
    std::array::from_fn(|i| f(a[i], b[i]))
}

// SAFETY: the functions are those of the trait.
unsafe impl Simd for Neon {
    type Vector = Vector;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Vector {
        // SAFETY: here and below, by the caller.
        unsafe { [vdupq_n_f32(x); 4] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Vector {
        std::array::from_fn(|i| unsafe { vld1q_f32(from.add(4 * i)) })
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Vector {
        unsafe {
            let ([a, b], [c, d]) = (neon::widen(vld1q_u16(from)), neon::widen(vld1q_u16(from.add(8))));
            [a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Vector {
        unsafe {
            let bytes = vld1q_s8(from);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            let wide = [
                vmovl_s16(vget_low_s16(low)),
                vmovl_high_s16(low),
                vmovl_s16(vget_low_s16(high)),
                vmovl_high_s16(high),
            ];
            wide.map(|x| vcvtq_f32_s32(x))
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Vector) {
        for (i, x) in x.into_iter().enumerate() {
            unsafe { vst1q_f32(to.add(4 * i), x) };
        }
    }

    #[inline(always)]
    unsafe fn add(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vaddq_f32(a, b) })
    }

    #[inline(always)]
    unsafe fn sub(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vsubq_f32(a, b) })
    }

    #[inline(always)]
    unsafe fn mul(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vmulq_f32(a, b) })
    }

    #[inline(always)]
    unsafe fn div(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vdivq_f32(a, b) })
    }

    #[inline(always)]
    unsafe fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
        std::array::from_fn(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }

    #[inline(always)]
    unsafe fn max(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
    }

    #[inline(always)]
    unsafe fn min(a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
    }

    #[inline(always)]
    unsafe fn if_less(a: Vector, b: Vector, x: Vector, y: Vector) -> Vector {
        std::array::from_fn(|i| unsafe { vbslq_f32(vcltq_f32(a[i], b[i]), x[i], y[i]) })
    }

    #[inline(always)]
    unsafe fn scale_by_power(x: Vector, n: Vector) -> Vector {
        each(x, n, |x, n| unsafe {
            let n = vshlq_n_s32::<23>(vreinterpretq_s32_f32(n));
            vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), n))
        })
    }

    #[inline(always)]
    unsafe fn sum(x: Vector) -> f32 {
        unsafe { vaddvq_f32(vaddq_f32(vaddq_f32(x[0], x[1]), vaddq_f32(x[2], x[3]))) }
    }

    #[inline(always)]
    unsafe fn largest(x: Vector) -> f32 {
        unsafe { vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(x[0], x[1]), vmaxnmq_f32(x[2], x[3]))) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        unsafe { neon::prefetch(from) }
    }

    unsafe fn product<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
        unsafe { product.compute::<Self, R, N>() }
    }

    unsafe fn attend(job: &Job, scratch: &mut Scratch) {
        unsafe { job.compute::<Self>(scratch) }
    }
}
