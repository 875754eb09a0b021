//! The kernels for AVX2 with AVX-VNNI.

super::matmul::lanes::lanes_256!(
    /// Eight elements at a time.
    AvxVnni,
    |_wide, sum, unsigned, signed| _mm256_dpbusd_avx_epi32(sum, unsigned, signed)
);

super::compiled!(AvxVnni, "avx2,fma,f16c,avxvnni");
