//! CPU kernels over weights where they lie in their file: no second copy in memory.
//!
//! The only `unsafe` in the tree beside the memory map. Element types are candle's `GgmlDType`.

mod linear;
mod rows;

pub use linear::MatMulTransposed;
pub use rows::dequantize_rows;

use candle_core::quantized::GgmlDType;

/// Runs `$body` with `$block` bound to the block type of `$dtype`.
macro_rules! with_block_type {
    ($dtype:expr, $block:ident => $body:expr, else $other:expr) => {{
        use candle_core::quantized::k_quants as k;
        match $dtype {
            GgmlDType::Q4_0 => {
                type $block = k::BlockQ4_0;
                $body
            }
            GgmlDType::Q4_1 => {
                type $block = k::BlockQ4_1;
                $body
            }
            GgmlDType::Q5_0 => {
                type $block = k::BlockQ5_0;
                $body
            }
            GgmlDType::Q5_1 => {
                type $block = k::BlockQ5_1;
                $body
            }
            GgmlDType::Q8_0 => {
                type $block = k::BlockQ8_0;
                $body
            }
            GgmlDType::Q2K => {
                type $block = k::BlockQ2K;
                $body
            }
            GgmlDType::Q3K => {
                type $block = k::BlockQ3K;
                $body
            }
            GgmlDType::Q4K => {
                type $block = k::BlockQ4K;
                $body
            }
            GgmlDType::Q5K => {
                type $block = k::BlockQ5K;
                $body
            }
            GgmlDType::Q6K => {
                type $block = k::BlockQ6K;
                $body
            }
            _ => $other,
        }
    }};
}
use with_block_type;

/// Whether the kernels can compute with this type.
pub fn supports(dtype: GgmlDType) -> bool {
    matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
        || with_block_type!(dtype, Block => size_of::<Block>() > 0, else false)
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
