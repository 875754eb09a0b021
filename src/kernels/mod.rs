//! CPU kernels over weights where they lie in their file: no second copy in memory.
//!
//! The only `unsafe` in the tree beside the memory map. A file a family of element types; candle
//! knows some of them, the others are ours.

mod codes;
pub mod cpu;
mod groups;
mod iq;
mod iq_points;
mod linear;
mod mxfp4;
pub mod pool;
mod read;
mod rows;
mod ternary;

pub use codes::NF4_LEVELS;
pub use groups::Groups;
pub use linear::MatMulTransposed;
pub use read::read;
pub use rows::dequantize_rows;

use crate::tensor_type::TensorType;

/// Whether the kernels can compute with this type.
pub fn supports(dtype: TensorType) -> bool {
    rows::decoder(dtype).is_some()
}

/// The blocks that `bytes` hold.
///
/// # Panics
/// If `bytes` is not aligned for `T` or does not divide into blocks: the readers check both.
fn blocks<T: candle_core::quantized::k_quants::GgmlType>(bytes: &[u8]) -> &[T] {
    // SAFETY: the block types are `repr(C)` structures of integers and f16 without padding, for
    // which every bit pattern is valid; `align_to` itself checks alignment and length.
    let (before, blocks, after) = unsafe { bytes.align_to::<T>() };
    assert!(before.is_empty() && after.is_empty(), "misaligned quantized weights");
    blocks
}
