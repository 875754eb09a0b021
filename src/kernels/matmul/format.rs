//! How each quantized type lies in its blocks, and what it unpacks to.
//!
//! Source of the layouts: <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>.

use crate::tensor_type::TensorType;

/// Elements that are unpacked together: a block of a K type, eight of the others.
pub const CHUNK: usize = 256;

/// A type whose elements are small whole numbers times a scale: `scale * (quant - ZERO)`, or `scale * quant - min`.
///
/// Types with blocks of 256 elements meet activations with a scale for 256 elements, the others activations with one
/// for 32, as in llama.cpp.
pub trait Format {
    const TYPE: TensorType;
    /// Elements of a block, 32 or 256, and its bytes.
    const ELEMENTS: usize;
    const BYTES: usize;
    /// Elements that share a scale: 16 or 32.
    const SUB: usize;
    /// What quants stand for zero; 0 where `MINS`.
    const ZERO: i32;
    /// Whether a minimum is taken off instead.
    const MINS: bool;
    /// Whether quants may be 128 and more.
    const WIDE: bool = Self::ZERO == 128;
    const CHUNK_BYTES: usize = CHUNK / Self::ELEMENTS * Self::BYTES;

    /// Unpacks one block: `ELEMENTS` quants, and a scale (and minimum) for each `SUB` of them.
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]);
}

/// The f16 whose bits are given, widened.
#[inline(always)]
pub fn half(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let finite = f32::from_bits(magnitude) * f32::from_bits(0x7780_0000); // 2^112, for the difference of the biases
    let value = if magnitude >= 0x7c00 << 13 { f32::from_bits(magnitude | 0x7f80_0000) } else { finite };
    f32::from_bits(value.to_bits() | u32::from(bits & 0x8000) << 16)
}

/// The same, its size known to the compiler.
#[inline(always)]
fn of_size<const N: usize>(slice: &[u8]) -> &[u8; N] {
    slice.first_chunk().expect("a whole block")
}

#[inline(always)]
fn of_size_mut<const N: usize>(slice: &mut [u8]) -> &mut [u8; N] {
    slice.first_chunk_mut().expect("room for a block")
}

#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    half(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// The 6-bit scales and minimums of Q4_K and Q5_K, in 12 bytes at `at`: eight each, as one little-endian number.
#[inline(always)]
pub fn six_bits(block: &[u8], at: usize) -> (u64, u64) {
    let word = |i: usize| u32::from_le_bytes([block[at + i], block[at + i + 1], block[at + i + 2], block[at + i + 3]]);
    let (a, b, c) = (word(0), word(4), word(8));
    let scales = (c & 0x0f0f_0f0f) | (a >> 6 & 0x0303_0303) << 4;
    let mins = (c >> 4 & 0x0f0f_0f0f) | (b >> 6 & 0x0303_0303) << 4;
    let both = |low: u32, high: u32| u64::from(low & 0x3f3f_3f3f) | u64::from(high) << 32;
    (both(a, scales), both(b, mins))
}

/// Scales and minimums of a block whose scales are numbers of 6 bits.
#[inline(always)]
fn scaled(block: &[u8], scales: &mut [f32], mins: &mut [f32]) {
    let (d, min) = (half_at(block, 0), half_at(block, 2));
    let (of_scales, of_mins) = six_bits(block, 4);
    for i in 0..8 {
        scales[i] = d * f32::from((of_scales >> (8 * i)) as u8);
        mins[i] = min * f32::from((of_mins >> (8 * i)) as u8);
    }
}

pub struct Q4K;
impl Format for Q4K {
    const TYPE: TensorType = TensorType::Q4K;
    const ELEMENTS: usize = 256;
    const BYTES: usize = 144;
    const SUB: usize = 32;
    const ZERO: i32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        scaled(block, scales, mins);
        for part in 0..4 {
            for i in 0..32 {
                let pair = block[16 + 32 * part + i];
                quants[64 * part + i] = pair & 15;
                quants[64 * part + 32 + i] = pair >> 4;
            }
        }
    }
}

pub struct Q5K;
impl Format for Q5K {
    const TYPE: TensorType = TensorType::Q5K;
    const ELEMENTS: usize = 256;
    const BYTES: usize = 176;
    const SUB: usize = 32;
    const ZERO: i32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        scaled(block, scales, mins);
        for part in 0..4 {
            for i in 0..32 {
                let (pair, high) = (block[48 + 32 * part + i], block[16 + i] >> (2 * part));
                quants[64 * part + i] = pair & 15 | (high & 1) << 4;
                quants[64 * part + 32 + i] = pair >> 4 | (high & 2) << 3;
            }
        }
    }
}

pub struct Q6K;
impl Format for Q6K {
    const TYPE: TensorType = TensorType::Q6K;
    const ELEMENTS: usize = 256;
    const BYTES: usize = 210;
    const SUB: usize = 16;
    const ZERO: i32 = 32;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        let d = half_at(block, 208);
        for i in 0..16 {
            scales[i] = d * f32::from(block[192 + i] as i8);
        }
        for half in 0..2 {
            for i in 0..32 {
                let (low, low32) = (block[64 * half + i], block[64 * half + 32 + i]);
                let high = block[128 + 32 * half + i];
                let at = 128 * half + i;
                quants[at] = low & 15 | (high & 3) << 4;
                quants[at + 32] = low32 & 15 | (high & 12) << 2;
                quants[at + 64] = low >> 4 | high & 48;
                quants[at + 96] = low32 >> 4 | (high & 192) >> 2;
            }
        }
    }
}

pub struct Q3K;
impl Format for Q3K {
    const TYPE: TensorType = TensorType::Q3K;
    const ELEMENTS: usize = 256;
    const BYTES: usize = 110;
    const SUB: usize = 16;
    const ZERO: i32 = 4;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        let d = half_at(block, 108);
        for i in 0..16 {
            // Four low bits in eight bytes, two high bits in the four after them.
            let low = if i < 8 { block[96 + i] & 15 } else { block[96 + i - 8] >> 4 };
            let high = block[104 + i % 4] >> (2 * (i / 4)) & 3;
            scales[i] = d * (f32::from(low | high << 4) - 32.0);
        }
        for half in 0..2 {
            for part in 0..4 {
                for i in 0..32 {
                    let low = block[32 + 32 * half + i] >> (2 * part) & 3;
                    let high = block[i] >> (4 * half + part) & 1;
                    quants[128 * half + 32 * part + i] = low | high << 2;
                }
            }
        }
    }
}

pub struct Q2K;
impl Format for Q2K {
    const TYPE: TensorType = TensorType::Q2K;
    const ELEMENTS: usize = 256;
    const BYTES: usize = 84;
    const SUB: usize = 16;
    const ZERO: i32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        let (d, min) = (half_at(block, 80), half_at(block, 82));
        for i in 0..16 {
            scales[i] = d * f32::from(block[i] & 15);
            mins[i] = min * f32::from(block[i] >> 4);
        }
        for half in 0..2 {
            for part in 0..4 {
                for i in 0..32 {
                    quants[128 * half + 32 * part + i] = block[16 + 32 * half + i] >> (2 * part) & 3;
                }
            }
        }
    }
}

pub struct Q8_0;
impl Format for Q8_0 {
    const TYPE: TensorType = TensorType::Q8_0;
    const ELEMENTS: usize = 32;
    const BYTES: usize = 34;
    const SUB: usize = 32;
    const ZERO: i32 = 128;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        scales[0] = half_at(block, 0);
        for i in 0..32 {
            quants[i] = block[2 + i] ^ 128;
        }
    }
}

/// Sixteen bytes of pairs: the first element of each makes the first half of the block.
#[inline(always)]
fn pairs(bytes: &[u8], quants: &mut [u8]) {
    for i in 0..16 {
        quants[i] = bytes[i] & 15;
        quants[16 + i] = bytes[i] >> 4;
    }
}

/// Adds a fifth bit to each of 32 quants, from four bytes.
#[inline(always)]
fn fifth_bits(bytes: &[u8], quants: &mut [u8]) {
    for i in 0..32 {
        quants[i] |= (bytes[i / 8] >> (i % 8) & 1) << 4;
    }
}

pub struct Q4_0;
impl Format for Q4_0 {
    const TYPE: TensorType = TensorType::Q4_0;
    const ELEMENTS: usize = 32;
    const BYTES: usize = 18;
    const SUB: usize = 32;
    const ZERO: i32 = 8;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        scales[0] = half_at(block, 0);
        pairs(&block[2..], quants);
    }
}

pub struct Q4_1;
impl Format for Q4_1 {
    const TYPE: TensorType = TensorType::Q4_1;
    const ELEMENTS: usize = 32;
    const BYTES: usize = 20;
    const SUB: usize = 32;
    const ZERO: i32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        (scales[0], mins[0]) = (half_at(block, 0), -half_at(block, 2));
        pairs(&block[4..], quants);
    }
}

pub struct Q5_0;
impl Format for Q5_0 {
    const TYPE: TensorType = TensorType::Q5_0;
    const ELEMENTS: usize = 32;
    const BYTES: usize = 22;
    const SUB: usize = 32;
    const ZERO: i32 = 16;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        scales[0] = half_at(block, 0);
        pairs(&block[6..], quants);
        fifth_bits(&block[2..6], quants);
    }
}

pub struct Q5_1;
impl Format for Q5_1 {
    const TYPE: TensorType = TensorType::Q5_1;
    const ELEMENTS: usize = 32;
    const BYTES: usize = 24;
    const SUB: usize = 32;
    const ZERO: i32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], quants: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let block = of_size::<{ Self::BYTES }>(block);
        let quants = of_size_mut::<{ Self::ELEMENTS }>(quants);
        (scales[0], mins[0]) = (half_at(block, 0), -half_at(block, 2));
        pairs(&block[8..], quants);
        fifth_bits(&block[4..8], quants);
    }
}

/// Evaluates an expression with `$format` standing for the [`Format`] of a type; `None` for types without one.
macro_rules! with_format {
    ($dtype:expr, $format:ident => $value:expr) => {
        with_format!(@ $dtype, $format => $value, [Q4K Q5K Q6K Q3K Q2K Q8_0 Q4_0 Q4_1 Q5_0 Q5_1])
    };
    (@ $dtype:expr, $format:ident => $value:expr, [$($name:ident)*]) => {
        match $dtype {
            $($crate::tensor_type::TensorType::$name => {
                type $format = $crate::kernels::matmul::format::$name;
                Some($value)
            })*
            _ => None,
        }
    };
}
pub(in crate::kernels) use with_format;

/// A chunk of a row.
pub struct Unpacked {
    pub quants: [u8; CHUNK],
    pub scales: [f32; 16],
    pub mins: [f32; 16],
}

impl Unpacked {
    #[inline(always)]
    pub fn new() -> Unpacked {
        Unpacked { quants: [0; CHUNK], scales: [0.0; 16], mins: [0.0; 16] }
    }

    /// Unpacks the whole blocks in `blocks`, at most [`CHUNK`] elements.
    #[inline(always)]
    pub fn read<W: Format>(&mut self, blocks: &[u8]) {
        let subs = W::ELEMENTS / W::SUB;
        for (index, block) in blocks.chunks_exact(W::BYTES).enumerate() {
            let (at, sub) = (index * W::ELEMENTS, index * subs);
            let quants = &mut self.quants[at..at + W::ELEMENTS];
            W::unpack(block, quants, &mut self.scales[sub..sub + subs], &mut self.mins[sub..sub + subs]);
        }
    }
}
