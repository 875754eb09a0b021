//! CPU kernels over weights where they lie in their file: no second copy in memory.
//!
//! The only `unsafe` in the tree beside the memory map. Products ([`matmul`]), attention and what is done to each element
//! are written once over vectors, and compiled for each set of instructions ([`cpu`]), of which the processor's best is
//! chosen at run time; `avx512`, `avx2`, `avx_vnni`, `neon`, `neon_i8mm` and `portable` hold what differs. Types of elements
//! are a file a family. All of it runs on the threads of [`pool`].

pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod codes;
pub mod cpu;
pub mod elementwise;
mod groups;
mod iq;
mod iq_points;
mod matmul;
mod mxfp4;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
#[cfg(target_arch = "aarch64")]
mod neon_rows;
mod peak;
pub mod pool;
mod portable;
mod quantize;
mod read;
mod rows;
mod ternary;

pub use codes::NF4_LEVELS;
pub use groups::Groups;
pub use matmul::{Input, Product, Weights, multiply};
pub use peak::{Factors, factors, peak_operations};
pub use quantize::{heeds_importance, quantize_rows, quantizes};
pub use read::{ENOUGH_BYTES, bandwidth, bandwidth_of_buffer};
pub use rows::dequantize_rows;

use crate::tensor_type::TensorType;

/// The kernels that are written once, compiled for one set of instructions: functions that may be called only where the
/// processor has them. Features are those of the set, none for the portable one.
macro_rules! compiled {
    ($lanes:ident, $simd:path $(, $features:literal)?) => {
        use $crate::kernels::elementwise::{self, Gate};
        use $crate::kernels::matmul::{self, Job, Scratch, format::Format};

        $(#[target_feature(enable = $features)])?
        pub unsafe fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
            // SAFETY: by the caller.
            unsafe { elementwise::rms_norm_row::<$simd>(x, weight, eps, out) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
            // SAFETY: by the caller.
            unsafe { elementwise::layer_norm_row::<$simd>(x, weight, bias, eps, out) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn gate(kind: Gate, gates: &mut [f32], x: Option<&[f32]>) {
            // SAFETY: by the caller.
            unsafe { elementwise::gate_part::<$simd>(kind, gates, x) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn quantize(x: &[f32], by: usize, quants: &mut [i8], sums: &mut [i16], scales: &mut [f32]) {
            matmul::input::quantize(x, by, quants, sums, scales);
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn encode(
            dtype: $crate::tensor_type::TensorType,
            values: &[f32],
            columns: usize,
            importance: Option<&[f32]>,
            out: &mut [u8],
        ) {
            $crate::kernels::quantize::encode(dtype, values, columns, importance, out);
        }

        pub unsafe fn tile_rows() -> usize {
            matmul::tile::tile_rows::<$lanes>()
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn rows<W: Format>(job: &Job, first: usize) {
            // SAFETY: by the caller.
            unsafe { matmul::quantized_rows::<$lanes, W>(job, first) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn tile<W: Format>(job: &Job, first: usize, scratch: &mut Scratch) {
            // SAFETY: by the caller.
            unsafe { matmul::tile::quantized::<$lanes, W>(job, first, scratch) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn widened_rows(job: &Job, first: usize, scratch: &mut Scratch) {
            // SAFETY: by the caller.
            unsafe { matmul::float_rows::<$lanes>(job, first, scratch) }
        }

        $(#[target_feature(enable = $features)])?
        pub unsafe fn widened_tile(job: &Job, first: usize, scratch: &mut Scratch) {
            // SAFETY: by the caller.
            unsafe { matmul::tile::widened::<$lanes>(job, first, scratch) }
        }
    };
}
use compiled;

/// Calls one of the functions of [`compiled`] for the set of instructions `$isa`, which the processor has:
/// [`cpu::Isa`]s come from asking it.
macro_rules! by_isa {
    ($isa:expr, $($call:tt)+) => {
        match $isa {
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::Portable => unsafe { $crate::kernels::portable::$($call)+ },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::Avx2 => unsafe { $crate::kernels::avx2::$($call)+ },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::AvxVnni => unsafe { $crate::kernels::avx_vnni::$($call)+ },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::Avx512Vnni => unsafe { $crate::kernels::avx512::$($call)+ },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::NeonDot => unsafe { $crate::kernels::neon::$($call)+ },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: see above.
            $crate::kernels::cpu::Isa::NeonI8mm => unsafe { $crate::kernels::neon_i8mm::$($call)+ },
        }
    };
}
use by_isa;

/// Whether the kernels can compute with this type.
pub fn supports(dtype: TensorType) -> bool {
    rows::decoder(dtype).is_some()
}
