//! The kernels for every processor: what the compiler makes of plain loops.

use super::matmul::lanes::Lanes;

/// Eight elements at a time.
#[derive(Clone, Copy)]
pub struct Portable;

const N: usize = 8;

impl Lanes for Portable {
    const LANES: usize = N;
    /// Four bytes each.
    type I = [i32; N];
    type F = [f32; N];

    #[inline(always)]
    unsafe fn load_bytes(at: *const u8) -> [i32; N] {
        // SAFETY: by the caller.
        unsafe { at.cast::<[i32; N]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn splat_i32(value: i32) -> [i32; N] {
        [value; N]
    }

    #[inline(always)]
    unsafe fn dot(_: bool, sum: [i32; N], unsigned: [i32; N], signed: [i32; N]) -> [i32; N] {
        std::array::from_fn(|i| {
            let (u, s) = (unsigned[i].to_ne_bytes(), signed[i].to_ne_bytes());
            sum[i] + (0..4).map(|j| i32::from(u[j]) * i32::from(s[j] as i8)).sum::<i32>()
        })
    }

    #[inline(always)]
    unsafe fn to_f32(value: [i32; N]) -> [f32; N] {
        value.map(|value| value as f32)
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> [f32; N] {
        // SAFETY: by the caller.
        unsafe { at.cast::<[f32; N]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: [f32; N]) {
        // SAFETY: by the caller.
        unsafe { at.cast::<[f32; N]>().write_unaligned(value) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; N] {
        [value; N]
    }

    #[inline(always)]
    unsafe fn mul(a: [f32; N], b: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn mul_add(a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    unsafe fn mul_sub(a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| c[i] - a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn sum(value: [f32; N]) -> f32 {
        value.iter().sum()
    }
}

super::compiled!(Portable);
