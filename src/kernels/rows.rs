//! Rows of a matrix as f32.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::matmul::format::{self, Format};
use super::{codes, iq, mxfp4, ternary};
use crate::tensor_type::TensorType;

/// Writes whole rows as f32; the second argument holds as many elements as the first encodes.
type Decoder = fn(&[u8], &mut [f32]);

/// Writes the whole rows in `bytes` to `out` as f32; `out` holds as many elements as `bytes` encode.
///
/// # Panics
/// For a type that [`super::supports`] denies: such models are refused when they are loaded.
pub fn dequantize_rows(dtype: TensorType, bytes: &[u8], out: &mut [f32]) {
    let decode = decoder(dtype).unwrap_or_else(|| unreachable!("{dtype} is refused when the model is loaded"));
    decode(bytes, out);
}

/// What turns elements of this type to f32; `None` where nothing does.
pub(super) fn decoder(dtype: TensorType) -> Option<Decoder> {
    use TensorType::*;
    Some(match dtype {
        F32 => floats,
        F16 => |bytes, out| halves::<f16>(bytes, out, |part, out| part.convert_to_f32_slice(out)),
        BF16 => |bytes, out| halves::<bf16>(bytes, out, |part, out| part.convert_to_f32_slice(out)),
        Q4_0 => unpacked::<format::Q4_0>,
        Q4_1 => unpacked::<format::Q4_1>,
        Q5_0 => unpacked::<format::Q5_0>,
        Q5_1 => unpacked::<format::Q5_1>,
        Q8_0 => unpacked::<format::Q8_0>,
        Q2K => unpacked::<format::Q2K>,
        Q3K => unpacked::<format::Q3K>,
        Q4K => unpacked::<format::Q4K>,
        Q5K => unpacked::<format::Q5K>,
        Q6K => unpacked::<format::Q6K>,
        IQ4_NL => |bytes, out| each(bytes, out, iq::iq4_nl),
        IQ4_XS => |bytes, out| each(bytes, out, iq::iq4_xs),
        IQ3_XXS => |bytes, out| each(bytes, out, iq::iq3_xxs),
        IQ3_S => |bytes, out| each(bytes, out, iq::iq3_s),
        IQ2_XXS => |bytes, out| each(bytes, out, iq::iq2_xxs),
        IQ2_XS => |bytes, out| each(bytes, out, iq::iq2_xs),
        IQ2_S => |bytes, out| each(bytes, out, iq::iq2_s),
        IQ1_S => |bytes, out| each(bytes, out, iq::iq1_s),
        IQ1_M => |bytes, out| each(bytes, out, iq::iq1_m),
        TQ1_0 => |bytes, out| each(bytes, out, ternary::tq1_0),
        TQ2_0 => |bytes, out| each(bytes, out, ternary::tq2_0),
        MXFP4 => |bytes, out| each(bytes, out, mxfp4::mxfp4),
        U8 => codes::u8,
        I8 => codes::i8,
        F8_E4M3 => codes::f8_e4m3,
        U4 => codes::u4,
        NF4 => codes::nf4,
        Q8_1 | Q8K | I16 | I32 | I64 | F64 => return None,
    })
}

/// Block after block, by the way from quants to elements that products take too.
fn unpacked<W: Format>(bytes: &[u8], out: &mut [f32]) {
    let (mut quants, mut scales, mut mins) = ([0u8; 256], [0f32; 16], [0f32; 16]);
    for (block, out) in bytes.chunks_exact(W::BYTES).zip(out.chunks_exact_mut(W::ELEMENTS)) {
        W::unpack(block, &mut quants, &mut scales, &mut mins);
        for (sub, out) in out.chunks_exact_mut(W::SUB).enumerate() {
            for (value, quant) in out.iter_mut().zip(&quants[sub * W::SUB..]) {
                let quant = (i32::from(*quant) - W::ZERO) as f32;
                *value = if W::MINS { scales[sub] * quant - mins[sub] } else { scales[sub] * quant };
            }
        }
    }
}

/// Block after block.
fn each<const BYTES: usize, const ELEMENTS: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; BYTES], &mut [f32; ELEMENTS]),
) {
    for (block, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        one(block, out);
    }
}

/// The f16 at byte `at`.
pub(super) fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_bits(pair(bytes, at)).to_f32()
}

/// The sixteen bits at byte `at`.
pub(super) fn pair(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn floats(bytes: &[u8], out: &mut [f32]) {
    for (out, word) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *out = f32::from_le_bytes(*word);
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
