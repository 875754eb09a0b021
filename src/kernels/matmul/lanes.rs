//! What the matrix products ask of a set of instructions.

use super::format::{CHUNK, Format, Unpacked, half};
use super::input::Row;
use super::tile::VECTORS;

/// Vectors of one set of instructions. The products are written once, over these, and compiled for each set.
///
/// # Safety
/// Everything here may be called only where the processor has the instructions, and pointers must be good for a whole
/// vector: [`LANES`](Self::LANES) elements of 32 bits.
pub trait Lanes: Copy {
    /// Elements of 32 bits in a vector.
    const LANES: usize;
    /// Whether [`dot`](Self::dot) takes 128 off each wide byte: it multiplies signed bytes alone.
    const SIGNED: bool = false;
    type I: Copy;
    type F: Copy;

    unsafe fn load_bytes(at: *const u8) -> Self::I;
    unsafe fn splat_i32(value: i32) -> Self::I;
    /// Adds to each element of `sum` the products of four bytes of `unsigned` and of `signed`. Bytes of `unsigned`
    /// are below 128 unless `wide` (always a constant); those of `signed` are not -128.
    unsafe fn dot(wide: bool, sum: Self::I, unsigned: Self::I, signed: Self::I) -> Self::I;
    unsafe fn to_f32(value: Self::I) -> Self::F;
    unsafe fn load(at: *const f32) -> Self::F;
    unsafe fn store(at: *mut f32, value: Self::F);
    unsafe fn splat(value: f32) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`.
    unsafe fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `c - a * b`.
    unsafe fn mul_sub(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    unsafe fn sum(value: Self::F) -> f32;

    /// Asks for the memory at an address that may be any.
    #[inline(always)]
    unsafe fn prefetch(_: *const u8) {}

    /// Turns `LANES` rows of `LANES` words, `from_row` words apart, to as many columns, `to_row` words apart.
    #[inline(always)]
    unsafe fn transpose(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
        for column in 0..Self::LANES {
            for row in 0..Self::LANES {
                // SAFETY: by the caller.
                unsafe { *to.add(column * to_row + row) = *from.add(row * from_row + column) };
            }
        }
    }

    /// As [`dot_tile`].
    #[inline(always)]
    unsafe fn dot_tile<const T: usize>(
        wide: bool,
        words: usize,
        weights: *const u8,
        x: *const i32,
        sums: &mut [[Self::I; T]; VECTORS],
    ) {
        // SAFETY: by the caller.
        unsafe { dot_tile::<Self, T>(wide, words, weights, x, sums) }
    }

    /// The products of the quantized row `weights` with the quantized `x` of `T` tokens, of the same columns. What a token
    /// gets does not depend on the others.
    #[inline(always)]
    unsafe fn dot_row<W: Format, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
        // SAFETY: by the caller.
        unsafe { dot_unpacked::<Self, W, T>(weights, x) }
    }

    /// The product of a row of f16 and one of f32.
    #[inline(always)]
    unsafe fn dot_f16(halves: &[u8], x: &[f32]) -> f32 {
        let mut wide = [0f32; CHUNK];
        let mut product = 0.0;
        for (halves, x) in halves.chunks(2 * CHUNK).zip(x.chunks(CHUNK)) {
            let wide = &mut wide[..x.len()];
            // SAFETY: by the caller.
            unsafe {
                Self::widen_f16(halves, wide);
                product += dot_f32::<Self>(wide, x);
            }
        }
        product
    }

    /// Turns f16 to f32, as many as `out` holds.
    #[inline(always)]
    unsafe fn widen_f16(halves: &[u8], out: &mut [f32]) {
        for (out, bits) in out.iter_mut().zip(halves.as_chunks::<2>().0) {
            *out = half(u16::from_le_bytes(*bits));
        }
    }
}

/// What quants of the format stand for zero, as [`Lanes::dot`] takes them.
pub const fn zero<L: Lanes, W: Format>() -> i32 {
    if W::WIDE && L::SIGNED { 0 } else { W::ZERO }
}

/// Adds to `sums` the products of an even number of words of the rows of a tile, `[words][VECTORS][LANES]`, with those of
/// `T` tokens, `[words][T]`.
///
/// # Safety
/// As [`Lanes`].
#[allow(clippy::needless_range_loop)] // a token is a place in memory too
#[inline(always)]
pub unsafe fn dot_tile<L: Lanes, const T: usize>(
    wide: bool,
    words: usize,
    weights: *const u8,
    x: *const i32,
    sums: &mut [[L::I; T]; VECTORS],
) {
    for word in 0..words {
        // SAFETY: by the caller.
        unsafe {
            let at = weights.add(word * VECTORS * 4 * L::LANES);
            let weights: [L::I; VECTORS] = [L::load_bytes(at), L::load_bytes(at.add(4 * L::LANES))];
            for token in 0..T {
                let x = L::splat_i32(x.add(word * T + token).read_unaligned());
                for vector in 0..VECTORS {
                    sums[vector][token] = L::dot(wide, sums[vector][token], weights[vector], x);
                }
            }
        }
    }
}

/// [`Lanes::dot_row`], through the unpacked form of a chunk at a time.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
pub unsafe fn dot_unpacked<L: Lanes, W: Format, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    let mut unpacked = Unpacked::new();
    let parts = CHUNK / W::SUB;
    // All loops are over whole chunks, whose sizes the compiler knows; what a last one lacks has scales of zero.
    // SAFETY: by the caller; pointers stay within arrays of a chunk, and `x` is padded to whole chunks.
    unsafe {
        let mut totals = [[L::splat(0.0); 2]; T];
        let mut corrections = [[0f32; 16]; T];
        for (index, blocks) in weights.chunks(W::CHUNK_BYTES).enumerate() {
            unpacked.read::<W>(blocks);
            if blocks.len() < W::CHUNK_BYTES {
                let depth = blocks.len() / W::BYTES * W::ELEMENTS;
                unpacked.scales[depth / W::SUB..].fill(0.0);
                unpacked.mins[depth / W::SUB..].fill(0.0);
            }
            for token in 0..T {
                let x = &x[token];
                let quants = x.quants.as_ptr().add(index * CHUNK).cast::<u8>();
                let sums16 = x.sums16.as_ptr().add(index * CHUNK / 16).cast::<[i16; 16]>().read();
                let mut scales = [0f32; 16];
                let mut sums = [0f32; 16];
                for part in 0..parts {
                    let scale = match W::ELEMENTS == CHUNK {
                        true => *x.scales.as_ptr().add(index),
                        false => *x.scales.as_ptr().add(index * CHUNK / 32 + part),
                    };
                    let sum = match W::SUB {
                        16 => i32::from(sums16[part]),
                        _ => i32::from(sums16[2 * part]) + i32::from(sums16[2 * part + 1]),
                    };
                    scales[part] = unpacked.scales[part] * scale;
                    sums[part] = sum as f32 * scale;
                }
                for part in 0..parts {
                    let less = match W::MINS {
                        true => unpacked.mins[part],
                        false => unpacked.scales[part] * zero::<L, W>() as f32,
                    };
                    corrections[token][part] += less * sums[part];
                }
                let mut lane_scales = [0f32; CHUNK / 4];
                for part in 0..parts {
                    for lane in 0..W::SUB / 4 {
                        lane_scales[part * W::SUB / 4 + lane] = scales[part];
                    }
                }
                for step in 0..CHUNK / (4 * L::LANES) {
                    let q = L::load_bytes(unpacked.quants.as_ptr().add(step * 4 * L::LANES));
                    let y = L::load_bytes(quants.add(step * 4 * L::LANES));
                    let product = L::to_f32(L::dot(W::WIDE, L::splat_i32(0), q, y));
                    let scale = L::load(lane_scales.as_ptr().add(step * L::LANES));
                    totals[token][step % 2] = L::mul_add(product, scale, totals[token][step % 2]);
                }
            }
        }
        let mut out = [0f32; T];
        for token in 0..T {
            let corrections: f32 = corrections[token].iter().sum();
            out[token] = L::sum(totals[token][0]) + L::sum(totals[token][1]) - corrections;
        }
        out
    }
}

/// The product of two f32 rows.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
pub unsafe fn dot_f32<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    // SAFETY: by the caller; pointers stay within both rows.
    unsafe {
        let mut sums = [L::splat(0.0); 4];
        let mut at = 0;
        while at + 4 * L::LANES <= len {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * L::LANES;
                *sum = L::mul_add(L::load(a.as_ptr().add(at)), L::load(b.as_ptr().add(at)), *sum);
            }
            at += 4 * L::LANES;
        }
        while at + L::LANES <= len {
            sums[0] = L::mul_add(L::load(a.as_ptr().add(at)), L::load(b.as_ptr().add(at)), sums[0]);
            at += L::LANES;
        }
        let rest: f32 = a[at..len].iter().zip(&b[at..len]).map(|(a, b)| a * b).sum();
        (L::sum(sums[0]) + L::sum(sums[1])) + (L::sum(sums[2]) + L::sum(sums[3])) + rest
    }
}

/// [`Lanes`] of 256 bits on x86, which differ in how they multiply bytes.
#[cfg(target_arch = "x86_64")]
macro_rules! lanes_256 {
    ($(#[$doc:meta])* $name:ident, |$wide:ident, $sum:ident, $unsigned:ident, $signed:ident| $dot:expr) => {
        use std::arch::x86_64::*;

        use $crate::kernels::matmul::lanes::Lanes;

        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;

        impl Lanes for $name {
            const LANES: usize = 8;
            type I = __m256i;
            type F = __m256;

            #[inline(always)]
            unsafe fn load_bytes(at: *const u8) -> __m256i {
                // SAFETY: here and below, by the caller.
                unsafe { _mm256_loadu_si256(at.cast()) }
            }

            #[inline(always)]
            unsafe fn splat_i32(value: i32) -> __m256i {
                unsafe { _mm256_set1_epi32(value) }
            }

            #[inline(always)]
            unsafe fn dot($wide: bool, $sum: __m256i, $unsigned: __m256i, $signed: __m256i) -> __m256i {
                unsafe { $dot }
            }

            #[inline(always)]
            unsafe fn to_f32(value: __m256i) -> __m256 {
                unsafe { _mm256_cvtepi32_ps(value) }
            }

            #[inline(always)]
            unsafe fn load(at: *const f32) -> __m256 {
                unsafe { _mm256_loadu_ps(at) }
            }

            #[inline(always)]
            unsafe fn store(at: *mut f32, value: __m256) {
                unsafe { _mm256_storeu_ps(at, value) }
            }

            #[inline(always)]
            unsafe fn splat(value: f32) -> __m256 {
                unsafe { _mm256_set1_ps(value) }
            }

            #[inline(always)]
            unsafe fn mul(a: __m256, b: __m256) -> __m256 {
                unsafe { _mm256_mul_ps(a, b) }
            }

            #[inline(always)]
            unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
                unsafe { _mm256_fmadd_ps(a, b, c) }
            }

            #[inline(always)]
            unsafe fn mul_sub(a: __m256, b: __m256, c: __m256) -> __m256 {
                unsafe { _mm256_fnmadd_ps(a, b, c) }
            }

            #[inline(always)]
            unsafe fn sum(value: __m256) -> f32 {
                unsafe {
                    let four = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps::<1>(value));
                    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
                }
            }

            #[inline(always)]
            unsafe fn prefetch(at: *const u8) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }

            #[inline(always)]
            unsafe fn widen_f16(halves: &[u8], out: &mut [f32]) {
                let (parts, rest) = out.as_chunks_mut::<8>();
                let (whole, halves) = halves.split_at(16 * parts.len());
                for (part, halves) in parts.iter_mut().zip(whole.as_chunks::<16>().0) {
                    unsafe {
                        let wide = _mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().cast()));
                        _mm256_storeu_ps(part.as_mut_ptr(), wide);
                    }
                }
                for (out, half) in rest.iter_mut().zip(halves.as_chunks::<2>().0) {
                    *out = $crate::kernels::matmul::format::half(u16::from_le_bytes(*half));
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(in crate::kernels) use lanes_256;
