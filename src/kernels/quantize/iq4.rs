//! IQ4_NL and IQ4_XS, whose layouts stand in [`crate::kernels::iq`]: four bits say which of sixteen uneven levels.
//!
//! The scale of 32 elements is searched for: `quantize_row_iq4_nl_impl` in
//! <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c>.

use super::blocks::inverse;
use super::lanes::*;
use super::plain::half;
use super::search::NOTHING;
use crate::kernels::iq::LEVELS;

/// Elements with a scale.
const GROUP: usize = 32;

/// Scales in a block of IQ4_XS.
const SCALES: usize = 8;

/// Halfway between levels; what lies there goes up.
const BOUNDS: [f32; 15] = {
    let mut bounds = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        bounds[i] = (LEVELS[i] as f32 + LEVELS[i + 1] as f32) / 2.0;
        i += 1;
    }
    bounds
};

#[inline(always)]
pub fn iq4_nl(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    for (group, out) in out.as_chunks_mut::<18>().0.chunks_mut(LANES).enumerate() {
        let first = group * LANES;
        let x: [Lane; GROUP] = gather(&values[first * GROUP..], GROUP);
        let weights = weights(&x, importance, first);
        let scales = scales(&x, &weights);
        let levels = levels(&x, &scales.map(inverse));
        for (lane, out) in out.iter_mut().enumerate() {
            out[..2].copy_from_slice(&half(scales[lane]));
            write_nibbles(&levels, lane, &mut out[2..]);
        }
    }
}

#[inline(always)]
pub fn iq4_xs(values: &[f32], importance: Option<&[f32]>, out: &mut [u8]) {
    for (group, out) in out.as_chunks_mut::<136>().0.chunks_mut(LANES).enumerate() {
        let first = group * LANES;
        let x: [Lane; SCALES * GROUP] = gather(&values[first * SCALES * GROUP..], SCALES * GROUP);
        let weights = weights(&x, importance, first);
        let mut fine = [[0f32; LANES]; SCALES];
        for (fine, (x, weights)) in fine.iter_mut().zip(x.as_chunks().0.iter().zip(weights.as_chunks().0)) {
            *fine = scales(x, weights);
        }
        let scale = peaks(&fine).0.map(|peak| -peak / 32.0);
        let to_steps = scale.map(inverse);
        for (lane, out) in out.iter_mut().enumerate() {
            out.fill(0);
            out[..2].copy_from_slice(&half(scale[lane]));
        }
        for (index, (fine, x)) in fine.iter().zip(x.as_chunks().0).enumerate() {
            let steps: [i32; LANES] = std::array::from_fn(|i| nearest(to_steps[i] * fine[i]).clamp(-32, 31));
            let levels = levels(x, &std::array::from_fn(|i| inverse(scale[i] * steps[i] as f32)));
            for (lane, out) in out.iter_mut().enumerate() {
                let step = (steps[lane] + 32) as u8;
                out[2 + index / 4] |= step >> 4 << (2 * (index % 4));
                out[4 + index / 2] |= (step & 15) << (4 * (index % 2));
                write_nibbles(&levels, lane, &mut out[8 + index * GROUP / 2..]);
            }
        }
    }
}

/// What an error of each value weighs: its square, where no importance is known.
#[inline(always)]
fn weights<const N: usize>(x: &[Lane; N], importance: Option<&[f32]>, first: usize) -> [Lane; N] {
    match importance {
        Some(importance) => {
            let mut energy = [0f32; LANES];
            add_squares(x, &mut energy);
            let mut weights = gather_importance(importance, first);
            weigh(&mut weights, x, &energy.map(|sum| sum * (2.0 / N as f32)));
            weights
        }
        None => {
            let mut weights = *x;
            weights.iter_mut().flatten().for_each(|x| *x *= *x);
            weights
        }
    }
}

/// Of scales that bring the value of the largest magnitude near the outermost level, the one that fits best.
#[inline(always)]
fn scales(x: &[Lane; GROUP], weights: &[Lane; GROUP]) -> Lane {
    let (peak, magnitude) = peaks(x);
    let outermost = f32::from(LEVELS[0]);
    let (xq, qq) = products(x, weights, &peak.map(|peak| 1.0 / (-peak / outermost)));
    let mut scale: Lane = std::array::from_fn(|i| if qq[i] > 0.0 { xq[i] / qq[i] } else { 0.0 });
    let mut best: Lane = std::array::from_fn(|i| scale[i] * xq[i]);
    for step in -7..=7 {
        let near = peak.map(|peak| (step as f32 + outermost) / peak);
        let (xq, qq) = products(x, weights, &near);
        let better = std::array::from_fn(|i| (qq[i] > 0.0) & (xq[i] * xq[i] > best[i] * qq[i]));
        let fitted = std::array::from_fn(|i| xq[i] / qq[i]);
        keep(&better, &fitted, &mut scale);
        keep(&better, &std::array::from_fn(|i| fitted[i] * xq[i]), &mut best);
    }
    keep(&magnitude.map(|magnitude| magnitude < NOTHING), &[0.0; LANES], &mut scale);
    scale
}

/// The weighted sums of `value * level` and of `level^2`, with the levels nearest to the values times `inverse`.
#[inline(always)]
fn products(x: &[Lane; GROUP], weights: &[Lane; GROUP], inverse: &Lane) -> (Lane, Lane) {
    let (mut xq, mut qq) = ([0f32; LANES], [0f32; LANES]);
    for (x, w) in x.iter().zip(weights) {
        for i in 0..LANES {
            let scaled = inverse[i] * x[i];
            let mut level = f32::from(LEVELS[0]);
            for (bound, above) in BOUNDS.iter().zip(&LEVELS[1..]) {
                level = if scaled < *bound { level } else { f32::from(*above) };
            }
            xq[i] += w[i] * level * x[i];
            qq[i] += w[i] * level * level;
        }
    }
    (xq, qq)
}

/// The numbers of the levels nearest to the values times `inverse`.
#[inline(always)]
fn levels(x: &[Lane; GROUP], inverse: &Lane) -> [[u8; LANES]; GROUP] {
    let mut levels = [[0; LANES]; GROUP];
    for (levels, x) in levels.iter_mut().zip(x) {
        for i in 0..LANES {
            let scaled = inverse[i] * x[i];
            let mut bounds_above = 0;
            for bound in &BOUNDS {
                bounds_above += i32::from(scaled < *bound);
            }
            levels[i] = (BOUNDS.len() as i32 - bounds_above) as u8;
        }
        one_row_at_a_time();
    }
    levels
}
