//! Types of one byte or less that stand alone: their scales, if any, are [`super::Groups`].

/// Levels of NF4 (Dettmers and others, 2023, <https://arxiv.org/abs/2305.14314>, appendix E).
pub const NF4_LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

pub fn u4(bytes: &[u8], out: &mut [f32]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = f32::from(byte & 15);
        pair[1] = f32::from(byte >> 4);
    }
}

pub fn nf4(bytes: &[u8], out: &mut [f32]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = NF4_LEVELS[usize::from(byte >> 4)];
        pair[1] = NF4_LEVELS[usize::from(byte & 15)];
    }
}

pub fn u8(bytes: &[u8], out: &mut [f32]) {
    for (byte, out) in bytes.iter().zip(out) {
        *out = f32::from(*byte);
    }
}

pub fn i8(bytes: &[u8], out: &mut [f32]) {
    for (byte, out) in bytes.iter().zip(out) {
        *out = f32::from(byte.cast_signed());
    }
}

pub fn f8_e4m3(bytes: &[u8], out: &mut [f32]) {
    for (byte, out) in bytes.iter().zip(out) {
        *out = E4M3[usize::from(*byte)];
    }
}

/// Every number of E4M3 without infinities (Micikevicius and others, 2022, <https://arxiv.org/abs/2209.05433>).
static E4M3: [f32; 256] = {
    let mut all = [0.0; 256];
    let mut byte = 0;
    while byte < 256u32 {
        let (exponent, fraction) = (byte >> 3 & 15, byte & 7);
        let magnitude = match (exponent, fraction) {
            (15, 7) => f32::NAN,
            // Multiples of 2^-9.
            (0, _) => fraction as f32 / 512.0,
            // From a bias of 7 to f32's of 127.
            _ => f32::from_bits((exponent + 120) << 23 | fraction << 20),
        };
        all[byte as usize] = if byte & 128 == 0 { magnitude } else { -magnitude };
        byte += 1;
    }
    all
};
