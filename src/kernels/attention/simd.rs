//! Sixteen f32 at a time, the same way for every set of instructions: what the kernels of attention are written in.

use super::product::Product;
use super::tile::{Job, Scratch};
use crate::kernels::cpu::Isa;

/// How many f32 a vector has, and positions a block of keys.
pub const LANES: usize = 16;

/// Vectors of [`LANES`] f32.
///
/// # Safety
/// The processor must have the instructions; pointers must be good for [`LANES`] elements (alignment does not matter).
pub unsafe trait Simd: Sized {
    type Vector: Copy;
    /// How many vectors of columns a [`Product`] has at once: as many as leave its sums in registers.
    const COLUMNS: usize;

    unsafe fn splat(x: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn load_f16(from: *const u16) -> Self::Vector;
    unsafe fn load_i8(from: *const i8) -> Self::Vector;
    unsafe fn store(to: *mut f32, x: Self::Vector);
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once where that costs nothing.
    unsafe fn mul_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The greater; `b` where either is no number.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller; `b` where either is no number.
    unsafe fn min(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `x` where `a < b`, else `y`.
    unsafe fn if_less(a: Self::Vector, b: Self::Vector, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// `x * 2^n`, where the lowest bits of `n` are an integer and the result is a normal number.
    unsafe fn scale_by_power(x: Self::Vector, n: Self::Vector) -> Self::Vector;
    unsafe fn sum(x: Self::Vector) -> f32;
    /// Has the processor fetch what is there, if anything is.
    unsafe fn prefetch(_from: *const u8) {}
    unsafe fn largest(x: Self::Vector) -> f32;

    /// [`Product::compute`], compiled for these instructions.
    unsafe fn product<E: Element, const R: usize, const N: usize>(product: &Product<E>);
    /// [`Job::compute`], compiled for these instructions.
    unsafe fn attend(job: &Job, scratch: &mut Scratch);
}

/// What keys and values may be while they are multiplied.
pub trait Element: Copy {
    /// # Safety
    /// As [`Simd`] has it.
    unsafe fn load<S: Simd>(from: *const Self) -> S::Vector;
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const f32) -> S::Vector {
        // SAFETY: by the caller.
        unsafe { S::load(from) }
    }
}

/// The bits of an f16.
impl Element for u16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const u16) -> S::Vector {
        // SAFETY: by the caller.
        unsafe { S::load_f16(from) }
    }
}

impl Element for i8 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const i8) -> S::Vector {
        // SAFETY: by the caller.
        unsafe { S::load_i8(from) }
    }
}

/// [`Job::compute`] with the instructions of `isa`.
pub fn attend(job: &Job, scratch: &mut Scratch, isa: Isa) {
    // SAFETY: an `Isa` is only of instructions that this processor has; a `Job` is whole by its construction.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => super::x86::Avx512::attend(job, scratch),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni => super::x86::Avx2::attend(job, scratch),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot | Isa::NeonI8mm => super::neon::Neon::attend(job, scratch),
            Isa::Portable => Portable::attend(job, scratch),
        }
    }
}

/// Plain arrays, which compilers turn into the vectors that every processor of the architecture has.
pub struct Portable;

type Array = [f32; LANES];

#[inline(always)]
fn each(a: Array, b: Array, f: impl Fn(f32, f32) -> f32) -> Array {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// An f16 of these bits, without branches: its exponent counts from 15, that of f32 from 127.
#[inline(always)]
fn widen(bits: u16) -> f32 {
    const REBIASED: f32 = f32::from_bits((127 + 127 - 15) << 23);
    const INFINITY: u32 = 0x7c00 << 13;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let finite = (f32::from_bits(magnitude) * REBIASED).to_bits();
    let wide = if magnitude < INFINITY { finite } else { magnitude | f32::INFINITY.to_bits() };
    f32::from_bits(wide | u32::from(bits & 0x8000) << 16)
}

// SAFETY: no instructions but those that every processor has.
unsafe impl Simd for Portable {
    type Vector = Array;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Array {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Array {
        // SAFETY: by the caller, as below.
        unsafe { from.cast::<Array>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Array {
        // SAFETY: by the caller.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        bits.map(widen)
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Array {
        // SAFETY: by the caller.
        unsafe { from.cast::<[i8; LANES]>().read_unaligned() }.map(f32::from)
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Array) {
        // SAFETY: by the caller.
        unsafe { to.cast::<Array>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn add(a: Array, b: Array) -> Array {
        each(a, b, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(a: Array, b: Array) -> Array {
        each(a, b, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(a: Array, b: Array) -> Array {
        each(a, b, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(a: Array, b: Array) -> Array {
        each(a, b, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn mul_add(a: Array, b: Array, c: Array) -> Array {
        // Without the instruction it would be a call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }

    #[inline(always)]
    unsafe fn max(a: Array, b: Array) -> Array {
        each(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn min(a: Array, b: Array) -> Array {
        each(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    unsafe fn if_less(a: Array, b: Array, x: Array, y: Array) -> Array {
        std::array::from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }

    #[inline(always)]
    unsafe fn scale_by_power(x: Array, n: Array) -> Array {
        each(x, n, |x, n| f32::from_bits(x.to_bits().wrapping_add(n.to_bits() << 23)))
    }

    #[inline(always)]
    unsafe fn sum(x: Array) -> f32 {
        x.iter().sum()
    }

    #[inline(always)]
    unsafe fn largest(x: Array) -> f32 {
        x.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    unsafe fn product<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
        // SAFETY: by the caller.
        unsafe { product.compute::<Self, R, N>() }
    }

    unsafe fn attend(job: &Job, scratch: &mut Scratch) {
        // SAFETY: by the caller.
        unsafe { job.compute::<Self>(scratch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (ours, exact) = (widen(bits), half::f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == exact.to_bits() || ours.is_nan() && exact.is_nan(), "{bits:#x}: {ours}");
        }
    }
}
