//! [`Simd`] on x86-64: AVX-512, and AVX2 with FMA and F16C.

use std::arch::x86_64::*;

use super::simd::{Element, Simd};
use super::tile::{Job, Product, Scratch};

/// One register a vector.
pub struct Avx512;

/// Two registers a vector.
pub struct Avx2;

// SAFETY: the functions are those of the trait.
unsafe impl Simd for Avx512 {
    type Vector = __m512;
    const COLUMNS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: __m512) {
        // SAFETY: by the caller.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn if_less(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x) }
    }

    #[inline(always)]
    unsafe fn scale_by_power(x: __m512, n: __m512) -> __m512 {
        // SAFETY: by the caller.
        unsafe {
            let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(n));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), n))
        }
    }

    #[inline(always)]
    unsafe fn sum(x: __m512) -> f32 {
        // SAFETY: by the caller.
        unsafe { _mm512_reduce_add_ps(x) }
    }

    #[inline(always)]
    unsafe fn largest(x: __m512) -> f32 {
        // SAFETY: by the caller.
        unsafe { _mm512_reduce_max_ps(x) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        // SAFETY: no address is wrong to this instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    unsafe fn product<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn compiled<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
            // SAFETY: by the caller.
            unsafe { product.compute::<Avx512, R, N>() }
        }
        // SAFETY: by the caller.
        unsafe { compiled::<E, R, N>(product) }
    }

    unsafe fn attend(job: &Job, scratch: &mut Scratch) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn compiled(job: &Job, scratch: &mut Scratch) {
            // SAFETY: by the caller.
            unsafe { job.compute::<Avx512>(scratch) }
        }
        // SAFETY: by the caller.
        unsafe { compiled(job, scratch) }
    }
}

// SAFETY: the functions are those of the trait.
unsafe impl Simd for Avx2 {
    type Vector = [__m256; 2];
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn splat(x: f32) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_set1_ps(x); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_cvtph_ps(_mm_loadu_si128(from.cast())), _mm256_cvtph_ps(_mm_loadu_si128(from.add(8).cast()))] }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe {
            let half = |from: *const i8| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())));
            [half(from), half(from.add(8))]
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, x: [__m256; 2]) {
        // SAFETY: by the caller.
        unsafe {
            _mm256_storeu_ps(to, x[0]);
            _mm256_storeu_ps(to.add(8), x[1]);
        }
    }

    #[inline(always)]
    unsafe fn add(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn sub(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn div(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_add(a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    unsafe fn max(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn min(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn if_less(a: [__m256; 2], b: [__m256; 2], x: [__m256; 2], y: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe {
            [
                _mm256_blendv_ps(y[0], x[0], _mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0])),
                _mm256_blendv_ps(y[1], x[1], _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn scale_by_power(x: [__m256; 2], n: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: by the caller.
        unsafe {
            [
                _mm256_castsi256_ps(_mm256_add_epi32(
                    _mm256_castps_si256(x[0]),
                    _mm256_slli_epi32::<23>(_mm256_castps_si256(n[0])),
                )),
                _mm256_castsi256_ps(_mm256_add_epi32(
                    _mm256_castps_si256(x[1]),
                    _mm256_slli_epi32::<23>(_mm256_castps_si256(n[1])),
                )),
            ]
        }
    }

    #[inline(always)]
    unsafe fn sum(x: [__m256; 2]) -> f32 {
        // SAFETY: by the caller.
        unsafe {
            let x = _mm256_add_ps(x[0], x[1]);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    unsafe fn largest(x: [__m256; 2]) -> f32 {
        // SAFETY: by the caller.
        unsafe {
            let x = _mm256_max_ps(x[0], x[1]);
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        // SAFETY: no address is wrong to this instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    unsafe fn product<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn compiled<E: Element, const R: usize, const N: usize>(product: &Product<E>) {
            // SAFETY: by the caller.
            unsafe { product.compute::<Avx2, R, N>() }
        }
        // SAFETY: by the caller.
        unsafe { compiled::<E, R, N>(product) }
    }

    unsafe fn attend(job: &Job, scratch: &mut Scratch) {
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn compiled(job: &Job, scratch: &mut Scratch) {
            // SAFETY: by the caller.
            unsafe { job.compute::<Avx2>(scratch) }
        }
        // SAFETY: by the caller.
        unsafe { compiled(job, scratch) }
    }
}
