//! TQ1_0 and TQ2_0: elements of -1, 0 and 1 with a scale for 256.
//!
//! Layouts: `block_tq*` in <https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h>.

use super::rows::half;

/// Five elements a byte, as the digits of a fraction of 256 to the base 3, the first the highest.
pub fn tq1_0(block: &[u8; 54], out: &mut [f32; 256]) {
    let d = half(block, 52);
    let mut out = out.iter_mut();
    for (bytes, digits) in [(&block[..32], 5), (&block[32..48], 5), (&block[48..52], 4)] {
        for power in [1u8, 3, 9, 27, 81].into_iter().take(digits) {
            for (byte, out) in bytes.iter().zip(&mut out) {
                let digit = (u16::from(byte.wrapping_mul(power)) * 3) >> 8;
                *out = d * (f32::from(digit) - 1.0);
            }
        }
    }
}

/// Two bits an element, four elements 32 apart in a byte.
pub fn tq2_0(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = half(block, 64);
    for (i, out) in out.iter_mut().enumerate() {
        let byte = block[32 * (i / 128) + i % 32];
        *out = d * (f32::from(byte >> (2 * (i / 32 % 4)) & 3) - 1.0);
    }
}
