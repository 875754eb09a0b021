//! MXFP4: 32 elements of four bits (E2M1) with a power of two.
//!
//! The format: <https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf>;
//! the order in a block: `block_mxfp4` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>.

/// What the four bits stand for, doubled.
pub(super) const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// One byte of exponent; then the first 16 elements in the low bits, the others in the high ones.
pub fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    let half_scale = half_scale(block[0]);
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in block[1..].iter().zip(low).zip(high) {
        *low = half_scale * f32::from(DOUBLED[usize::from(byte & 15)]);
        *high = half_scale * f32::from(DOUBLED[usize::from(byte >> 4)]);
    }
}

/// 2^(exponent - 127), halved for the doubled levels; below the normal numbers a shift.
#[inline(always)]
pub(super) fn half_scale(exponent: u8) -> f32 {
    match u32::from(exponent) {
        exponent @ 0..2 => f32::from_bits(0x0020_0000 << exponent),
        exponent => f32::from_bits((exponent - 1) << 23),
    }
}
