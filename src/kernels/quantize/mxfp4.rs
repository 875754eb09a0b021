//! MXFP4, whose layout stands in [`crate::kernels::mxfp4`].

use super::blocks::{ELEMENTS, largest_magnitude, write_nibbles};
use crate::kernels::mxfp4::{DOUBLED, half_scale};

#[inline(always)]
pub fn mxfp4(values: &[f32], out: &mut [u8]) {
    for (x, out) in values.as_chunks::<ELEMENTS>().0.iter().zip(out.as_chunks_mut::<17>().0) {
        out[0] = exponent(f32::from_bits(largest_magnitude(x)));
        let half_scale = half_scale(out[0]);
        // Between the eight levels that are not negative; of two at one distance the smaller is taken.
        let bounds: [f32; 7] =
            std::array::from_fn(|i| [i, i + 1].map(|i| half_scale * f32::from(DOUBLED[i]) * 0.5).iter().sum());
        let mut codes = [0; ELEMENTS];
        for (code, x) in codes.iter_mut().zip(x) {
            let mut level = 0;
            for bound in &bounds {
                level += i32::from(x.abs() > *bound);
            }
            let sign = (x.to_bits() >> 28 & 8) as i32;
            *code = if level > 0 { level | sign } else { 0 };
        }
        write_nibbles(&codes, &mut out[1..]);
    }
}

/// The exponent of the scale that brings the largest magnitude to 4 or above, which has two bits before the point.
///
/// The logarithm is that of f32, which is a whole number already a little below a power of two; and of the smallest
/// numbers the exponent runs out of its byte, where any will do: all their levels are 0.
#[inline(always)]
fn exponent(largest: f32) -> u8 {
    if largest > 0.0 && largest < f32::INFINITY {
        let log2 = f64::from(largest).log2() as f32;
        (log2.floor() as i32 - 2 + 127) as u8
    } else {
        0
    }
}
