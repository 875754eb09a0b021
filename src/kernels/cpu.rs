//! Which instructions this processor has, asked while running: one binary is as fast as one built for the machine.

use std::sync::OnceLock;

/// A set of instructions that kernels are written for, of which each includes those before it on the same architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// What every processor of the architecture has.
    Portable,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Besides, products of bytes in one instruction, 32 bytes wide.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// NEON with products of bytes (dotprod).
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    /// Besides, products of small matrices of bytes (i8mm).
    #[cfg(target_arch = "aarch64")]
    NeonI8mm,
}

impl Isa {
    /// Those that this processor has, slowest first.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut available = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
            available.push(Isa::Avx2);
            if is_x86_feature_detected!("avxvnni") {
                available.push(Isa::AvxVnni);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                available.push(Isa::Avx512Vnni);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            available.push(Isa::NeonDot);
            if std::arch::is_aarch64_feature_detected!("i8mm") {
                available.push(Isa::NeonI8mm);
            }
        }
        available
    }

    /// The fastest that this processor has.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| *Isa::available().last().unwrap_or(&Isa::Portable))
    }

    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => "AVX-VNNI",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => "AVX-512-VNNI",
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => "NEON dotprod",
            #[cfg(target_arch = "aarch64")]
            Isa::NeonI8mm => "NEON i8mm",
        }
    }
}
