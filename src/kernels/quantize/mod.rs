//! Rows of f32 in the types that models are stored in: the reverse of [`super::dequantize_rows`].
//!
//! What is written of finite numbers is, bit for bit, what ggml's `ggml_quantize_chunk` writes on a processor without fused
//! products, so that a file does not depend on who made it, nor on what machine. The arithmetic is plain f32 in a fixed
//! order; it is fast because many elements, or the same element of many blocks, are computed at a time.

mod blocks;
mod iq4;
mod k_minimum;
mod k_symmetric;
mod lanes;
mod mxfp4;
mod plain;
mod search;
#[cfg(test)]
mod tests;
mod weighted;

use super::by_isa;
use super::cpu::Isa;
use crate::tensor_type::TensorType;

/// Whether [`quantize_rows`] writes this type.
pub fn quantizes(dtype: TensorType) -> bool {
    use TensorType::*;
    matches!(
        dtype,
        F32 | F16 | BF16 | Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 | IQ4_NL | IQ4_XS | MXFP4 | Q2K | Q3K | Q4K | Q5K | Q6K
    )
}

/// Whether an importance changes what [`quantize_rows`] writes.
pub fn heeds_importance(dtype: TensorType) -> bool {
    use TensorType::*;
    quantizes(dtype) && !matches!(dtype, F32 | F16 | BF16 | Q8_0 | MXFP4)
}

/// Writes whole rows of `columns` values as `dtype`; `importance` `[columns]` says how much an error in each column
/// weighs. Runs on the calling thread, with the processor's best instructions.
///
/// # Panics
/// For a type that [`quantizes`] denies, rows that do not divide into its blocks, and lengths that do not belong together.
pub fn quantize_rows(dtype: TensorType, values: &[f32], columns: usize, importance: Option<&[f32]>, out: &mut [u8]) {
    assert!(quantizes(dtype), "nothing writes {dtype}");
    assert!(columns > 0 && values.len().is_multiple_of(columns), "{} values in rows of {columns}", values.len());
    assert_eq!(dtype.storage_bytes(values.len(), columns), Some(out.len()), "room for {dtype} of {columns} columns");
    assert!(importance.is_none_or(|importance| importance.len() == columns), "an importance of other columns");
    by_isa!(Isa::best(), encode(dtype, values, columns, importance, out));
}

/// [`quantize_rows`], to be compiled for each set of instructions.
#[inline(always)]
pub(super) fn encode(dtype: TensorType, values: &[f32], columns: usize, importance: Option<&[f32]>, out: &mut [u8]) {
    use TensorType::*;
    match (dtype, importance) {
        (F32, _) => plain::f32(values, out),
        (F16, _) => plain::f16(values, out),
        (BF16, _) => plain::bf16(values, out),
        (Q4_0, None) => blocks::q4_0(values, out),
        (Q4_1, None) => blocks::q4_1(values, out),
        (Q5_0, None) => blocks::q5_0(values, out),
        (Q5_1, None) => blocks::q5_1(values, out),
        (Q8_0, _) => blocks::q8_0(values, out),
        (Q4_0, Some(importance)) => weighted::q4_0(values, columns, importance, out),
        (Q4_1, Some(importance)) => weighted::q4_1(values, columns, importance, out),
        (Q5_0, Some(importance)) => weighted::q5_0(values, columns, importance, out),
        (Q5_1, Some(importance)) => weighted::q5_1(values, columns, importance, out),
        (IQ4_NL, _) => iq4::iq4_nl(values, importance, out),
        (IQ4_XS, _) => iq4::iq4_xs(values, importance, out),
        (Q2K, _) => k_minimum::q2_k(values, importance, out),
        (Q3K, _) => k_symmetric::q3_k(values, importance, out),
        (Q4K, _) => k_minimum::q4_k(values, importance, out),
        (Q5K, _) => k_minimum::q5_k(values, importance, out),
        (Q6K, _) => k_symmetric::q6_k(values, importance, out),
        (MXFP4, _) => mxfp4::mxfp4(values, out),
        _ => unreachable!("{dtype} is refused by `quantize_rows`"),
    }
}
