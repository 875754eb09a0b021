//! Rows of a matrix as f32.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::k_quants::GgmlType;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::{blocks, with_block_type};

/// Writes the whole rows in `bytes` to `out` as f32; `out` holds as many elements as `bytes` encode.
pub fn dequantize_rows(dtype: GgmlDType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        GgmlDType::F32 => {
            for (out, word) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = f32::from_le_bytes(*word);
            }
        }
        GgmlDType::F16 => halves::<f16>(bytes, out, |part, out| part.convert_to_f32_slice(out)),
        GgmlDType::BF16 => halves::<bf16>(bytes, out, |part, out| part.convert_to_f32_slice(out)),
        _ => with_block_type!(dtype, Block => Block::to_float(blocks::<Block>(bytes), out), else {
            unreachable!("{dtype:?} is refused when the model is loaded")
        }),
    }
}

/// Converts through a small aligned buffer: 16-bit tensors of safetensors may lie at odd addresses.
fn halves<T: Half>(bytes: &[u8], out: &mut [f32], convert: impl Fn(&[T], &mut [f32])) {
    let mut buffer = [T::from_bits(0); 512];
    for (bytes, out) in bytes.chunks(2 * 512).zip(out.chunks_mut(512)) {
        let buffer = &mut buffer[..out.len()];
        for (half, word) in buffer.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *half = T::from_bits(u16::from_le_bytes(*word));
        }
        convert(buffer, out);
    }
}

trait Half: Copy {
    fn from_bits(bits: u16) -> Self;
}

impl Half for f16 {
    fn from_bits(bits: u16) -> f16 {
        f16::from_bits(bits)
    }
}

impl Half for bf16 {
    fn from_bits(bits: u16) -> bf16 {
        bf16::from_bits(bits)
    }
}
