//! Types without blocks.

#[inline(always)]
pub fn f32(values: &[f32], out: &mut [u8]) {
    for (out, x) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *out = x.to_le_bytes();
    }
}

#[inline(always)]
pub fn f16(values: &[f32], out: &mut [u8]) {
    for (out, x) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *out = half(*x);
    }
}

#[inline(always)]
pub fn bf16(values: &[f32], out: &mut [u8]) {
    for (out, x) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        let bits = x.to_bits();
        // Half of the last place is added, less one bit where the place is even. What is no number stays none.
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        let bits = if x.is_nan() { bits >> 16 | 64 } else { rounded };
        *out = (bits as u16).to_le_bytes();
    }
}

/// The f16 nearest to `x`, the even one of two, without branches.
#[inline(always)]
pub fn half(x: f32) -> [u8; 2] {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    /// The smallest f32 that rounds to no f16, and the smallest that is a normal one.
    const TOO_LARGE: u32 = (127 + 16) << 23;
    const NORMAL: u32 = (127 - 14) << 23;
    /// A number whose last place is that of the subnormal f16.
    const SUBNORMAL: f32 = 0.5;
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let sign = (x.to_bits() ^ magnitude) >> 16;
    let subnormal = (f32::from_bits(magnitude) + SUBNORMAL).to_bits().wrapping_sub(SUBNORMAL.to_bits());
    // The exponent counts from 15 instead of 127; rounding may carry into it, up to infinity.
    let normal = magnitude.wrapping_sub((127 - 15) << 23).wrapping_add(0xfff + (magnitude >> 13 & 1)) >> 13;
    let finite = if magnitude < NORMAL { subnormal } else { normal };
    let bits = if magnitude < TOO_LARGE { finite } else { 0x7c00 };
    let bits = if magnitude > INFINITY { 0x7e00 } else { bits };
    ((sign | bits) as u16).to_le_bytes()
}
