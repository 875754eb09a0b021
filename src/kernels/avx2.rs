//! The kernels for AVX2.

super::matmul::lanes::lanes_256!(
    /// Eight elements at a time.
    Avx2,
    |wide, sum, unsigned, signed| {
        let ones = _mm256_set1_epi16(1);
        if wide {
            // Products of two bytes above 127 would not fit 16 bits: one at a time.
            let even = _mm256_and_si256(unsigned, _mm256_set1_epi16(0xff));
            let odd = _mm256_andnot_si256(_mm256_set1_epi16(0xff), unsigned);
            let even = _mm256_madd_epi16(_mm256_maddubs_epi16(even, signed), ones);
            let odd = _mm256_madd_epi16(_mm256_maddubs_epi16(odd, signed), ones);
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        } else {
            _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned, signed), ones))
        }
    }
);

super::compiled!(Avx2, "avx2,fma,f16c");
