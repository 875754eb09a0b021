//! The kernels for AVX-512 with VNNI.

use std::arch::x86_64::*;

use super::matmul::format::six_bits;
use super::matmul::input::Row;
use super::matmul::lanes::{Lanes, dot_unpacked};
use crate::tensor_type::TensorType;

/// Sixteen elements at a time.
#[derive(Clone, Copy)]
pub struct Avx512;

super::compiled!(Avx512, super::attention::x86::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c");

/// How far ahead of their use weights are asked for: the processor itself asks within a page of 4 KiB only.
const AHEAD: usize = 8192;

impl Lanes for Avx512 {
    const LANES: usize = 16;
    type I = __m512i;
    type F = __m512;

    #[inline(always)]
    unsafe fn load_bytes(at: *const u8) -> __m512i {
        // SAFETY: here and below, by the caller.
        unsafe { _mm512_loadu_si512(at.cast()) }
    }

    #[inline(always)]
    unsafe fn splat_i32(value: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn dot(_: bool, sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sum, unsigned, signed) }
    }

    #[inline(always)]
    unsafe fn to_f32(value: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(at, value) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn mul_sub(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sum(value: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(value) }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
        unsafe {
            let mut rows = [_mm512_setzero_si512(); 16];
            for (row, words) in rows.iter_mut().enumerate() {
                *words = _mm512_loadu_si512(from.add(row * from_row).cast());
            }
            // Words of two rows, then pairs of words, change places within quarters of a vector.
            let mut pairs = [_mm512_setzero_si512(); 16];
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
            }
            let mut quads = [_mm512_setzero_si512(); 16];
            for i in 0..4 {
                quads[4 * i] = _mm512_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
                quads[4 * i + 1] = _mm512_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
                quads[4 * i + 2] = _mm512_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
                quads[4 * i + 3] = _mm512_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
            }
            // Column i lies in quarters of quads i, 4 + i, 8 + i and 12 + i, as do columns 4 + i, 8 + i and 12 + i.
            for i in 0..4 {
                let (a, b) = (
                    _mm512_shuffle_i32x4::<0x88>(quads[i], quads[4 + i]),
                    _mm512_shuffle_i32x4::<0xdd>(quads[i], quads[4 + i]),
                );
                let (c, d) = (
                    _mm512_shuffle_i32x4::<0x88>(quads[8 + i], quads[12 + i]),
                    _mm512_shuffle_i32x4::<0xdd>(quads[8 + i], quads[12 + i]),
                );
                let columns = [
                    _mm512_shuffle_i32x4::<0x88>(a, c),
                    _mm512_shuffle_i32x4::<0x88>(b, d),
                    _mm512_shuffle_i32x4::<0xdd>(a, c),
                    _mm512_shuffle_i32x4::<0xdd>(b, d),
                ];
                for (j, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_si512(to.add((4 * j + i) * to_row).cast(), column);
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
                _ => dot_unpacked::<Avx512, W, T>(weights, x),
            }
        }
    }

    #[inline(always)]
    unsafe fn dot_f16(halves: &[u8], x: &[f32]) -> f32 {
        unsafe {
            let len = x.len();
            let mut sums = [_mm512_setzero_ps(); 4];
            let mut at = 0;
            while at + 64 <= len {
                fetch_ahead(halves.as_ptr().add(2 * at), 128);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let at = at + 16 * i;
                    let wide = _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().add(2 * at).cast()));
                    *sum = _mm512_fmadd_ps(wide, _mm512_loadu_ps(x.as_ptr().add(at)), *sum);
                }
                at += 64;
            }
            let sum = _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
            let mut rest = [0f32; 64];
            let rest = &mut rest[..len - at];
            Self::widen_f16(&halves[2 * at..], rest);
            _mm512_reduce_add_ps(sum) + rest.iter().zip(&x[at..]).map(|(a, b)| a * b).sum::<f32>()
        }
    }

    #[inline(always)]
    unsafe fn widen_f16(halves: &[u8], out: &mut [f32]) {
        let (parts, rest) = out.as_chunks_mut::<16>();
        let (whole, halves) = halves.split_at(32 * parts.len());
        for (part, halves) in parts.iter_mut().zip(whole.as_chunks::<32>().0) {
            unsafe {
                let wide = _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast()));
                _mm512_storeu_ps(part.as_mut_ptr(), wide);
            }
        }
        for (out, half) in rest.iter_mut().zip(halves.as_chunks::<2>().0) {
            *out = super::matmul::format::half(u16::from_le_bytes(*half));
        }
    }
}

/// Asks for what lies [`AHEAD`] of the `bytes` at an address; `bytes` is a constant wherever this is called.
#[inline(always)]
unsafe fn fetch_ahead(at: *const u8, bytes: usize) {
    for line in 0..bytes.div_ceil(64) {
        // SAFETY: by the caller; what is not mapped is not fetched.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + 64 * line).cast()) };
    }
}

/// Q4_K where a block has 144 bytes, Q5_K where it has 176.
#[inline(always)]
unsafe fn dot_q4_k_or_q5_k<const BYTES: usize, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns.
    unsafe {
        let low_bits = _mm512_set1_epi8(15);
        // The scale of each 16-bit product: those of runs 0 and 2, 1 and 3, 4 and 6, 5 and 7.
        let places = [halves(0, 2), halves(1, 3), halves(4, 6), halves(5, 7)];
        let fifths = [bits(0), bits(1), bits(4), bits(5)];
        let mut sums = [_mm512_setzero_ps(); T];
        let mut mins = [_mm_setzero_ps(); T];
        for (index, block) in weights.as_chunks::<BYTES>().0.iter().enumerate() {
            let at = block.as_ptr();
            fetch_ahead(at, BYTES);
            let (scales, block_mins) = six_bits(block, 4);
            let both = _mm256_cvtepu8_epi16(_mm_set_epi64x(block_mins as i64, scales as i64));
            let wide_scales = _mm512_castsi256_si512(both);
            let block_mins = _mm256_extracti128_si256::<1>(both);
            let high = match BYTES {
                176 => _mm512_broadcast_i64x4(_mm256_loadu_si256(at.add(16).cast())),
                _ => _mm512_setzero_si512(),
            };
            let pairs = [_mm512_loadu_si512(at.add(BYTES - 128).cast()), _mm512_loadu_si512(at.add(BYTES - 64).cast())];
            let mut parts = [
                _mm512_and_si512(pairs[0], low_bits),
                _mm512_and_si512(_mm512_srli_epi16::<4>(pairs[0]), low_bits),
                _mm512_and_si512(pairs[1], low_bits),
                _mm512_and_si512(_mm512_srli_epi16::<4>(pairs[1]), low_bits),
            ];
            let mut part_scales = [_mm512_setzero_si512(); 4];
            for i in 0..4 {
                if BYTES == 176 {
                    let mask = _mm512_test_epi8_mask(high, fifths[i]);
                    parts[i] = _mm512_mask_add_epi8(parts[i], mask, parts[i], _mm512_set1_epi8(16));
                }
                part_scales[i] = _mm512_permutexvar_epi16(places[i], wide_scales);
            }
            let d = _mm_cvtph_ps(_mm_cvtsi32_si128(at.cast::<i32>().read_unaligned()));
            for token in 0..T {
                let x = &x[token];
                let x_quants = x.paired.as_ptr().add(256 * index);
                let mut products = [_mm512_setzero_si512(); 2];
                for i in 0..4 {
                    let product = _mm512_maddubs_epi16(parts[i], _mm512_loadu_si512(x_quants.add(64 * i).cast()));
                    products[i % 2] = _mm512_dpwssd_epi32(products[i % 2], product, part_scales[i]);
                }
                let total = _mm512_cvtepi32_ps(_mm512_add_epi32(products[0], products[1]));
                let d = _mm_mul_ps(d, _mm_set1_ps(*x.scales.as_ptr().add(index)));
                sums[token] = _mm512_fmadd_ps(total, _mm512_broadcastss_ps(d), sums[token]);
                let x_sums = _mm_loadu_si128(x.sums32.as_ptr().add(8 * index).cast());
                let less = _mm_cvtepi32_ps(_mm_madd_epi16(block_mins, x_sums));
                mins[token] = _mm_fmadd_ps(less, _mm_shuffle_ps::<0x55>(d, d), mins[token]);
            }
        }
        let mut out = [0f32; T];
        for token in 0..T {
            out[token] = _mm512_reduce_add_ps(_mm512_sub_ps(sums[token], _mm512_zextps128_ps512(mins[token])));
        }
        out
    }
}

#[inline(always)]
unsafe fn dot_q6_k<const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns.
    unsafe {
        let low_bits = _mm512_set1_epi8(15);
        let high_bits = _mm512_set1_epi8(0x30);
        // Each scale is that of eight 16-bit products.
        let quarters = |first: i16| {
            let two = |low: i16, high: i16| _mm256_set_m128i(_mm_set1_epi16(high), _mm_set1_epi16(low));
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(two(first, first + 1)), two(first + 2, first + 3))
        };
        let places = [quarters(0), quarters(4), quarters(8), quarters(12)];
        let (left, right) = (halves(4, 2), halves(0, 2));
        let mut sums = [_mm512_setzero_ps(); T];
        for (index, block) in weights.as_chunks::<210>().0.iter().enumerate() {
            let at = block.as_ptr();
            fetch_ahead(at, 210);
            let scales = _mm256_cvtepi8_epi16(_mm_loadu_si128(at.add(192).cast()));
            let wide_scales = _mm512_castsi256_si512(scales);
            let mut parts = [_mm512_setzero_si512(); 4];
            let mut part_scales = [_mm512_setzero_si512(); 4];
            for half in 0..2 {
                let pairs = _mm512_loadu_si512(at.add(64 * half).cast());
                let high = _mm512_broadcast_i64x4(_mm256_loadu_si256(at.add(128 + 32 * half).cast()));
                parts[2 * half] = _mm512_or_si512(
                    _mm512_and_si512(pairs, low_bits),
                    _mm512_and_si512(_mm512_sllv_epi16(high, left), high_bits),
                );
                parts[2 * half + 1] = _mm512_or_si512(
                    _mm512_and_si512(_mm512_srli_epi16::<4>(pairs), low_bits),
                    _mm512_and_si512(_mm512_srlv_epi16(high, right), high_bits),
                );
                for i in [2 * half, 2 * half + 1] {
                    part_scales[i] = _mm512_permutexvar_epi16(places[i], wide_scales);
                }
            }
            let d = _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(at.add(208).cast::<u16>().read_unaligned())));
            for token in 0..T {
                let x = &x[token];
                let x_quants = x.quants.as_ptr().add(256 * index);
                let x_sums = _mm256_loadu_si256(x.sums16.as_ptr().add(16 * index).cast());
                // Quants stand for 32 less than they say.
                let less = _mm256_slli_epi32::<5>(_mm256_madd_epi16(scales, x_sums));
                let less = _mm256_sub_epi32(_mm256_setzero_si256(), less);
                let mut products = [_mm512_zextsi256_si512(less), _mm512_setzero_si512()];
                for i in 0..4 {
                    let product = _mm512_maddubs_epi16(parts[i], _mm512_loadu_si512(x_quants.add(64 * i).cast()));
                    products[i % 2] = _mm512_dpwssd_epi32(products[i % 2], product, part_scales[i]);
                }
                let total = _mm512_cvtepi32_ps(_mm512_add_epi32(products[0], products[1]));
                let d = _mm_mul_ps(d, _mm_set1_ps(*x.scales.as_ptr().add(index)));
                sums[token] = _mm512_fmadd_ps(total, _mm512_broadcastss_ps(d), sums[token]);
            }
        }
        let mut out = [0f32; T];
        for token in 0..T {
            out[token] = _mm512_reduce_add_ps(sums[token]);
        }
        out
    }
}

/// Q8_0 where a block has 34 bytes, Q4_0 where it has 18.
#[inline(always)]
unsafe fn dot_q8_0_or_q4_0<const BYTES: usize, const T: usize>(weights: &[u8], x: &[Row; T]) -> [f32; T] {
    // SAFETY: by the caller; blocks lie within `weights`, and `x` has as many columns, padded to whole chunks.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; T];
        // Four blocks at a time, their scales picked from the vectors that hold them.
        let words = BYTES as i16 / 2;
        let place = |low: i16, high: i16| _mm256_set_m128i(_mm_set1_epi16(high), _mm_set1_epi16(low));
        let pair = place(0, words);
        let places = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(pair), place(2 * words, 3 * words));
        let blocks = weights.as_chunks::<BYTES>().0;
        let (fours, rest) = blocks.as_chunks::<4>();
        for (index, four) in fours.iter().enumerate() {
            let at = four.as_ptr().cast::<u8>();
            fetch_ahead(at, 4 * BYTES);
            let scales = match BYTES {
                18 => {
                    let scales = _mm512_permutexvar_epi16(places, _mm512_loadu_si512(at.cast()));
                    [_mm512_castsi512_si256(scales), _mm512_extracti64x4_epi64::<1>(scales)]
                }
                _ => {
                    let of_pair = |at: *const u8| {
                        let scales =
                            _mm512_permutexvar_epi16(_mm512_castsi256_si512(pair), _mm512_loadu_si512(at.cast()));
                        _mm512_castsi512_si256(scales)
                    };
                    [of_pair(at), of_pair(at.add(2 * BYTES))]
                }
            };
            for half in 0..2 {
                let quants = two_blocks::<BYTES>(at.add(2 * BYTES * half), at.add(2 * BYTES * half + BYTES));
                let d = _mm512_cvtph_ps(scales[half]);
                for token in 0..T {
                    sums[token][half] =
                        add_two_blocks::<BYTES>(sums[token][half], quants, d, &x[token], 2 * index + half);
                }
            }
        }
        for (index, pair) in rest.chunks(2).enumerate() {
            let first = pair[0].as_ptr();
            let (quants, d) = match pair {
                [_, b] => {
                    let d = _mm256_set_m128i(eight_scales(b.as_ptr()), eight_scales(first));
                    (two_blocks::<BYTES>(first, b.as_ptr()), d)
                }
                // The other half meets zeros.
                _ => (two_blocks::<BYTES>(first, first), _mm256_zextsi128_si256(eight_scales(first))),
            };
            for token in 0..T {
                let index = 2 * fours.len() + index;
                sums[token][0] = add_two_blocks::<BYTES>(sums[token][0], quants, _mm512_cvtph_ps(d), &x[token], index);
            }
        }
        let mut out = [0f32; T];
        for token in 0..T {
            out[token] = _mm512_reduce_add_ps(_mm512_add_ps(sums[token][0], sums[token][1]));
        }
        out
    }
}

/// Adds to `sum` the products of two blocks with the pair of runs of `x` numbered `index`; `d` are their scales.
#[inline(always)]
unsafe fn add_two_blocks<const BYTES: usize>(sum: __m512, quants: __m512i, d: __m512, x: &Row, index: usize) -> __m512 {
    // SAFETY: by the caller.
    unsafe {
        // Quants stand for 128, or 8, less than they say.
        let quads = _mm512_loadu_si512(x.minus_quads.as_ptr().add(16 * index).cast());
        let start = match BYTES {
            34 => _mm512_slli_epi32::<7>(quads),
            _ => _mm512_slli_epi32::<3>(quads),
        };
        let x_quants = _mm512_loadu_si512(x.quants.as_ptr().add(64 * index).cast());
        let products = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(start, quants, x_quants));
        let d = _mm512_mul_ps(d, _mm512_loadu_ps(x.lane_scales.as_ptr().add(16 * index)));
        _mm512_fmadd_ps(products, d, sum)
    }
}

/// The quants of two blocks.
#[inline(always)]
unsafe fn two_blocks<const BYTES: usize>(a: *const u8, b: *const u8) -> __m512i {
    // SAFETY: by the caller.
    unsafe {
        match BYTES {
            34 => {
                let low = _mm512_castsi256_si512(_mm256_loadu_si256(a.add(2).cast()));
                let both = _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(b.add(2).cast()));
                _mm512_xor_si512(both, _mm512_set1_epi8(-128))
            }
            _ => {
                let low = _mm256_broadcastsi128_si256(_mm_loadu_si128(a.add(2).cast()));
                let high = _mm256_broadcastsi128_si256(_mm_loadu_si128(b.add(2).cast()));
                let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
                let shifted = _mm512_srlv_epi64(both, _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0));
                _mm512_and_si512(shifted, _mm512_set1_epi8(15))
            }
        }
    }
}

#[inline(always)]
unsafe fn eight_scales(block: *const u8) -> __m128i {
    // SAFETY: by the caller.
    unsafe { _mm_set1_epi16(block.cast::<i16>().read_unaligned()) }
}

/// One 16-bit number in the lower half, another in the upper.
#[inline(always)]
unsafe fn halves(low: i16, high: i16) -> __m512i {
    // SAFETY: by the caller.
    unsafe { _mm512_inserti64x4::<1>(_mm512_set1_epi16(low), _mm256_set1_epi16(high)) }
}

/// In each byte of the lower half the bit numbered, in the upper half the one two places higher.
#[inline(always)]
unsafe fn bits(bit: u32) -> __m512i {
    // SAFETY: by the caller.
    unsafe { _mm512_inserti64x4::<1>(_mm512_set1_epi8(1 << bit), _mm256_set1_epi8((4u8 << bit) as i8)) }
}
