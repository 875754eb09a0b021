//! Multiplying as fast as the kernels' instructions can, to learn what bounds prefill.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::cpu::Isa;
use super::matmul::format::with_format;
use super::matmul::lanes::Lanes;
use super::{pool, portable};
use crate::tensor_type::TensorType;

/// What is multiplied and added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// Bytes, to sums of 32 bits.
    Bytes,
    /// f32.
    Floats,
}

/// As what weights of this type meet activations: quantized ones as bytes, and those that are widened as f32.
pub fn factors(dtype: TensorType) -> Factors {
    with_format!(dtype, W => size_of::<W>()).map_or(Factors::Floats, |_| Factors::Bytes)
}

const SWEEPS: usize = 8;
/// A sweep takes at least so long: much longer than starting a step of the pool.
const SWEEP: Duration = Duration::from_millis(4);
/// Parts of a sweep, so that a thread that comes late is not waited for with half of the work.
const TASKS_A_THREAD: usize = 8;

/// Groups of operands, one after the other; all of them fit the nearest cache.
const GROUPS: usize = 16;
/// The widest vectors of a group: see `WIDE`.
const GROUP_BYTES: usize = 7 * 64;
/// Every vector of `.0` meets every one of `.1`: as many sums as hide how long an instruction takes, and as few as leave
/// registers for the operands. Half as many where a vector is two registers of sixteen.
const WIDE: (usize, usize) = (2, 5);
const NARROW: (usize, usize) = (2, 2);

/// Operands, all of them 1.
#[repr(align(64))]
struct Ones<T, const N: usize>([T; N]);
static BYTES: Ones<u8, { GROUPS * GROUP_BYTES }> = Ones([1; GROUPS * GROUP_BYTES]);
static FLOATS: Ones<f32, { GROUPS * GROUP_BYTES / 4 }> = Ones([1.0; GROUPS * GROUP_BYTES / 4]);

/// Operations a second of all threads together, the best of several sweeps, with operands from the nearest cache; a
/// multiplication and an addition count as two.
pub fn peak_operations(factors: Factors) -> f64 {
    let isa = Isa::best();
    let tasks = TASKS_A_THREAD * pool::threads();
    let mut turns = 16;
    let sweep = |turns: usize| {
        let started = Instant::now();
        pool::run(tasks, |_| {
            black_box(multiply(isa, factors, turns));
        });
        started.elapsed()
    };
    while sweep(turns) < SWEEP {
        turns *= 2;
    }
    let operations = tasks as f64 * multiply(isa, factors, turns).1;
    (0..SWEEPS).map(|_| operations / sweep(turns).as_secs_f64()).fold(0.0, f64::max)
}

/// Multiplies all groups `turns` times. Returns the sum, and how many operations it took: twice the sum, as far as the
/// sum is exact.
fn multiply(isa: Isa, factors: Factors, turns: usize) -> (f32, f64) {
    match isa {
        // SAFETY: here and below, the processor has what `Isa` names.
        Isa::Portable => unsafe { of_lanes::<portable::Portable, { NARROW.0 }, { NARROW.1 }>(factors, turns) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(factors, turns) },
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni => unsafe { avx_vnni(factors, turns) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { avx512(factors, turns) },
        #[cfg(target_arch = "aarch64")]
        Isa::NeonI8mm if factors == Factors::Bytes => unsafe { small_matrices(turns) },
        #[cfg(target_arch = "aarch64")]
        Isa::NeonDot | Isa::NeonI8mm => unsafe { neon(factors, turns) },
    }
}

/// [`of_lanes`], compiled for a set of instructions.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! compiled {
    ($name:ident, $lanes:ty, $features:literal) => {
        /// # Safety
        /// The processor must have these instructions.
        #[target_feature(enable = $features)]
        unsafe fn $name(factors: Factors, turns: usize) -> (f32, f64) {
            // SAFETY: by the caller.
            unsafe { of_lanes::<$lanes, { WIDE.0 }, { WIDE.1 }>(factors, turns) }
        }
    };
}
#[cfg(target_arch = "x86_64")]
compiled!(avx2, super::avx2::Avx2, "avx2,fma,f16c");
#[cfg(target_arch = "x86_64")]
compiled!(avx_vnni, super::avx_vnni::AvxVnni, "avx2,fma,f16c,avxvnni");
#[cfg(target_arch = "x86_64")]
compiled!(avx512, super::avx512::Avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c");
#[cfg(target_arch = "aarch64")]
compiled!(neon, super::neon::Neon<false>, "neon,dotprod");

/// # Safety
/// The processor must have the instructions of `L`.
#[inline(always)]
unsafe fn of_lanes<L: Lanes, const A: usize, const B: usize>(factors: Factors, turns: usize) -> (f32, f64) {
    const { assert!((A + B) * 4 * L::LANES <= GROUP_BYTES) };
    let (mut sum, products) = (0.0, turns * GROUPS * A * B * L::LANES);
    // SAFETY: by the caller; a group's vectors lie within it.
    unsafe {
        match factors {
            Factors::Bytes => {
                let mut sums = [[L::splat_i32(0); B]; A];
                for _ in 0..turns {
                    // The compiler must not know that it has read them before.
                    let mut at = black_box(BYTES.0.as_ptr());
                    for _ in 0..GROUPS {
                        for (i, sums) in sums.iter_mut().enumerate() {
                            let a = L::load_bytes(at.add(i * 4 * L::LANES));
                            for (j, sum) in sums.iter_mut().enumerate() {
                                let b = L::load_bytes(at.add((A + j) * 4 * L::LANES));
                                *sum = L::dot(false, *sum, a, b);
                            }
                        }
                        at = at.add(GROUP_BYTES);
                    }
                }
                sums.iter().flatten().for_each(|part| sum += L::sum(L::to_f32(*part)));
                (sum, (2 * 4 * products) as f64)
            }
            Factors::Floats => {
                let mut sums = [[L::splat(0.0); B]; A];
                for _ in 0..turns {
                    let mut at = black_box(FLOATS.0.as_ptr());
                    for _ in 0..GROUPS {
                        for (i, sums) in sums.iter_mut().enumerate() {
                            let a = L::load(at.add(i * L::LANES));
                            for (j, sum) in sums.iter_mut().enumerate() {
                                *sum = L::mul_add(a, L::load(at.add((A + j) * L::LANES)), *sum);
                            }
                        }
                        at = at.add(GROUP_BYTES / 4);
                    }
                }
                sums.iter().flatten().for_each(|part| sum += L::sum(*part));
                (sum, (2 * products) as f64)
            }
        }
    }
}

/// Products of two rows of eight bytes with two others.
///
/// # Safety
/// The processor must have i8mm.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon,dotprod,i8mm")]
unsafe fn small_matrices(turns: usize) -> (f32, f64) {
    use std::arch::aarch64::*;
    use std::arch::asm;
    const A: usize = 2;
    const B: usize = 8;
    // SAFETY: a group's vectors lie within it; the instruction is there by the caller.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); B]; A];
        for _ in 0..turns {
            let mut at = black_box(BYTES.0.as_ptr()).cast::<i8>();
            for _ in 0..GROUPS {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let a = vld1q_s8(at.add(16 * i));
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let b = vld1q_s8(at.add(16 * (A + j)));
                        asm!(
                            "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                            inout(vreg) *sum, in(vreg) a, in(vreg) b,
                            options(pure, nomem, nostack, preserves_flags)
                        );
                    }
                }
                at = at.add(GROUP_BYTES);
            }
        }
        let sum = sums.iter().flatten().map(|sum| vaddvq_s32(*sum) as f32).sum();
        (sum, (2 * turns * GROUPS * A * B * 32) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_multiplies_as_often_as_it_says() {
        for isa in Isa::available() {
            for factors in [Factors::Bytes, Factors::Floats] {
                for turns in [0, 1, 37] {
                    let (sum, operations) = multiply(isa, factors, turns);
                    assert_eq!(2.0 * f64::from(sum), operations, "{isa:?} {factors:?} {turns}");
                }
            }
        }
    }

    #[test]
    fn quantized_weights_are_bytes_and_all_others_floats() {
        use TensorType::{BF16, F16, F32, IQ4_NL, Q4K, Q8_0};
        assert_eq!([Q4K, Q8_0].map(factors), [Factors::Bytes; 2]);
        assert_eq!([F32, F16, BF16, IQ4_NL].map(factors), [Factors::Floats; 4]);
    }

    #[test]
    #[ignore = "measures time: cargo test --release -- --ignored --nocapture peaks"]
    fn peaks_of_this_machine() {
        for factors in [Factors::Bytes, Factors::Floats] {
            eprintln!("{factors:?}: {:.1} G operations/s", peak_operations(factors) / 1e9);
        }
    }
}
