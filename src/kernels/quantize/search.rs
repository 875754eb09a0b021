//! Scales that leave the least error, of sixteen blocks at a time.
//!
//! For given levels the best scale, or scale and minimum, is that of weighted least squares. Levels come from a range of
//! scales to begin with, and the best of the results is kept: `make_qx_quants`, `make_qkx2_quants` and `make_qkx3_quants`
//! in <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c>. Where levels are few, single ones are changed as long
//! as that helps: `make_q3_quants` and `make_qp_quants`.

use std::array::from_ref;

use super::lanes::*;

/// Blocks of smaller magnitudes are zeros.
pub const NOTHING: f32 = 1e-15;

/// A level of each element of each block.
pub type Levels<const N: usize> = [[u8; LANES]; N];

/// The ranges of levels that are tried: the highest level and `from + by * i`, for `i` from 0 to `last`.
#[derive(Clone, Copy)]
pub struct Steps {
    pub from: f32,
    pub by: f32,
    pub last: u32,
}

/// Where an importance is known.
pub const FINE: Steps = Steps { from: -0.9, by: 0.05, last: 36 };

/// Scales and levels, which are counted from `-half_range`.
#[inline(always)]
pub fn symmetric<const N: usize>(x: &[Lane; N], weights: &[Lane; N], half_range: i32) -> (Lane, Levels<N>) {
    let (peak, magnitude) = peaks(x);
    let nothing = magnitude.map(|magnitude| magnitude < NOTHING);
    let range = half_range as f32;
    let mut inverse = peak.map(|peak| -range / peak);
    let (xl, ll) = products(x, weights, &inverse, half_range);
    let mut scale: Lane = std::array::from_fn(|i| if ll[i] != 0.0 { xl[i] / ll[i] } else { 0.0 });
    let mut best: Lane = std::array::from_fn(|i| scale[i] * xl[i]);
    for step in (-9..=9).filter(|step| *step != 0) {
        let near = peak.map(|peak| -(range + 0.1 * step as f32) / peak);
        let (xl, ll) = products(x, weights, &near, half_range);
        // The larger `xl^2 / ll`, the smaller the error that is left.
        let better = std::array::from_fn(|i| (ll[i] > 0.0) & (xl[i] * xl[i] > best[i] * ll[i]));
        let fitted = std::array::from_fn(|i| xl[i] / ll[i]);
        keep(&better, &fitted, &mut scale);
        keep(&better, &std::array::from_fn(|i| fitted[i] * xl[i]), &mut best);
        keep(&better, &near, &mut inverse);
    }
    let mut levels = [[0; LANES]; N];
    for (levels, x) in levels.iter_mut().zip(x) {
        for i in 0..LANES {
            let level = nearest(inverse[i] * x[i]).clamp(-half_range, half_range - 1) + half_range;
            levels[i] = if nothing[i] { 0 } else { level as u8 };
        }
        one_row_at_a_time();
    }
    keep(&nothing, &[0.0; LANES], &mut scale);
    (scale, levels)
}

/// The weighted sums of `value * level` and of `level^2`.
#[inline(always)]
fn products<const N: usize>(x: &[Lane; N], weights: &[Lane; N], inverse: &Lane, half_range: i32) -> (Lane, Lane) {
    let (mut xl, mut ll) = ([0f32; LANES], [0f32; LANES]);
    for (x, w) in x.iter().zip(weights) {
        for i in 0..LANES {
            let level = round(inverse[i] * x[i]).clamp(-half_range as f32, (half_range - 1) as f32);
            xl[i] += w[i] * x[i] * level;
            ll[i] += w[i] * level * level;
        }
    }
    (xl, ll)
}

/// Scales, minima (none above zero) and levels. `ABSOLUTE` sums magnitudes of errors instead of squares.
#[inline(always)]
pub fn above_minimum<const N: usize, const ABSOLUTE: bool>(
    x: &[Lane; N],
    weights: &[Lane; N],
    highest: i32,
    steps: Steps,
) -> (Lane, Lane, Levels<N>) {
    let (mut min, mut max) = (x[0], x[0]);
    let mut sums = [weights[0], std::array::from_fn(|i| weights[0][i] * x[0][i])];
    for (x, w) in x.iter().zip(weights).skip(1) {
        for i in 0..LANES {
            min[i] = if x[i] < min[i] { x[i] } else { min[i] };
            max[i] = if x[i] > max[i] { x[i] } else { max[i] };
            sums[0][i] += w[i];
            sums[1][i] += w[i] * x[i];
        }
    }
    min = min.map(|min| if min > 0.0 { 0.0 } else { min });
    // Where nothing lies above the minimum there is nothing to search for.
    let flat: [bool; LANES] = std::array::from_fn(|i| max[i] <= min[i]);
    let lowest = min;

    // Levels are those of the values above `base`, which the minimum was when the best of them were found.
    let (mut inverse, mut base): (Lane, Lane) = (std::array::from_fn(|i| highest as f32 / (max[i] - min[i])), min);
    let mut scale = inverse.map(|inverse| 1.0 / inverse);
    let first = levels_above(x, &base, &inverse, highest);
    let mut error = errors::<N, ABSOLUTE>(x, weights, &first, &scale, &min);
    for step in 0..=steps.last {
        let range = steps.from + steps.by * step as f32 + highest as f32;
        let near: Lane = std::array::from_fn(|i| range / (max[i] - min[i]));
        let levels = levels_above(x, &min, &near, highest);
        let (fitted, fitted_min, solvable) = least_squares(x, weights, &levels, &sums);
        let near_error = errors::<N, ABSOLUTE>(x, weights, &levels, &fitted, &fitted_min);
        let better = std::array::from_fn(|i| solvable[i] & (near_error[i] < error[i]));
        keep(&better, &near, &mut inverse);
        keep(&better, &min, &mut base);
        keep(&better, &near_error, &mut error);
        keep(&better, &fitted, &mut scale);
        keep(&better, &fitted_min, &mut min);
    }

    let mut levels = [[0; LANES]; N];
    for (levels, x) in levels.iter_mut().zip(x) {
        for i in 0..LANES {
            let level = nearest(inverse[i] * (x[i] - base[i])).clamp(0, highest);
            levels[i] = if flat[i] { 0 } else { level as u8 };
        }
        one_row_at_a_time();
    }
    keep(&flat, &[0.0; LANES], &mut scale);
    keep(&flat, &lowest, &mut min);
    (scale, min, levels)
}

/// Scale and minimum of least squares for given levels, and whether there is a solution; `sums` are those of the weights
/// and of the weighted values.
#[inline(always)]
fn least_squares<const N: usize>(
    x: &[Lane; N],
    weights: &[Lane; N],
    levels: &[Lane; N],
    [w, wx]: &[Lane; 2],
) -> (Lane, Lane, [bool; LANES]) {
    let (mut wl, mut wll, mut wlx) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
    for ((x, w), level) in x.iter().zip(weights).zip(levels) {
        for i in 0..LANES {
            let weighted = w[i] * level[i];
            wl[i] += weighted;
            wll[i] += weighted * level[i];
            wlx[i] += weighted * x[i];
        }
    }
    let determinant: Lane = std::array::from_fn(|i| w[i] * wll[i] - wl[i] * wl[i]);
    let scale: Lane = std::array::from_fn(|i| (w[i] * wlx[i] - wx[i] * wl[i]) / determinant[i]);
    let min: Lane = std::array::from_fn(|i| (wll[i] * wx[i] - wl[i] * wlx[i]) / determinant[i]);
    // A minimum above zero is not written: then the best scale is that without one.
    let without: Lane = std::array::from_fn(|i| wlx[i] / wll[i]);
    (
        std::array::from_fn(|i| if min[i] > 0.0 { without[i] } else { scale[i] }),
        std::array::from_fn(|i| if min[i] > 0.0 { 0.0 } else { min[i] }),
        std::array::from_fn(|i| determinant[i] > 0.0),
    )
}

/// The levels of values above `min`.
#[inline(always)]
fn levels_above<const N: usize>(x: &[Lane; N], min: &Lane, inverse: &Lane, highest: i32) -> [Lane; N] {
    let mut levels = [[0f32; LANES]; N];
    for (levels, x) in levels.iter_mut().zip(x) {
        for i in 0..LANES {
            levels[i] = round(inverse[i] * (x[i] - min[i])).clamp(0.0, highest as f32);
        }
        one_row_at_a_time();
    }
    levels
}

/// The weighted sum of errors.
#[inline(always)]
fn errors<const N: usize, const ABSOLUTE: bool>(
    x: &[Lane; N],
    weights: &[Lane; N],
    levels: &[Lane; N],
    scale: &Lane,
    min: &Lane,
) -> Lane {
    let mut sums = [0f32; LANES];
    for ((x, w), level) in x.iter().zip(weights).zip(levels) {
        for i in 0..LANES {
            let error = scale[i] * level[i] + min[i] - x[i];
            let error = if ABSOLUTE { error.abs() } else { error * error };
            sums[i] += w[i] * error;
        }
    }
    sums
}

/// Scales and levels of 3 bits, which are counted from -4: those of the largest scale, of which then single ones are
/// changed, of `G` groups at a time.
#[inline(always)]
pub fn three_bits<const N: usize, const G: usize>(
    x: &[[Lane; N]; G],
    scales: &mut [Lane; G],
    found: &mut [Levels<N>; G],
) {
    const HALF_RANGE: f32 = 4.0;
    let mut weights = [[[0f32; LANES]; N]; G];
    let mut levels = [[[0f32; LANES]; N]; G];
    let mut nothing = [[false; LANES]; G];
    for group in 0..G {
        let (peak, magnitude) = peaks(&x[group]);
        nothing[group] = magnitude.map(|magnitude| magnitude < NOTHING);
        let inverse = peak.map(|peak| -HALF_RANGE / peak);
        for ((weights, levels), x) in weights[group].iter_mut().zip(&mut levels[group]).zip(&x[group]) {
            for i in 0..LANES {
                weights[i] = x[i] * x[i];
                levels[i] = round(inverse[i] * x[i]).clamp(-HALF_RANGE, HALF_RANGE - 1.0);
            }
            one_row_at_a_time();
        }
    }
    *scales = improve::<N, G, false>(x, &weights, &mut levels, [-HALF_RANGE, HALF_RANGE - 1.0]);
    for group in 0..G {
        keep(&nothing[group], &[0.0; LANES], &mut scales[group]);
        found[group] = whole(&levels[group], HALF_RANGE, &nothing[group]);
    }
}

/// Levels, counted from `-from`, as bytes, zeros where there is nothing.
#[inline(always)]
fn whole<const N: usize>(levels: &[Lane; N], from: f32, nothing: &[bool; LANES]) -> Levels<N> {
    let mut whole = [[0; LANES]; N];
    for (whole, levels) in whole.iter_mut().zip(levels) {
        for i in 0..LANES {
            whole[i] = if nothing[i] { 0 } else { nearest(levels[i] + from) as u8 };
        }
        one_row_at_a_time();
    }
    whole
}

/// Scales and levels from 0 to `highest` of numbers that are not below zero.
#[inline(always)]
pub fn from_zero<const N: usize>(x: &[Lane; N], weights: &[Lane; N], highest: i32) -> (Lane, Levels<N>) {
    let mut max = [0f32; LANES];
    for x in x {
        for i in 0..LANES {
            max[i] = if x[i] > max[i] { x[i] } else { max[i] };
        }
    }
    let nothing = max.map(|max| max < NOTHING);
    let mut inverse = max.map(|max| highest as f32 / max);
    let mut error = errors_from_zero(x, weights, &inverse, |level| as_stored(level) as f32);
    for step in (-4..=4).filter(|step| *step != 0) {
        let near = max.map(|max| (0.1 * step as f32 + highest as f32) / max);
        let near_error = errors_from_zero(x, weights, &near, |level| level.min(highest) as f32);
        let better = std::array::from_fn(|i| near_error[i] < error[i]);
        keep(&better, &near_error, &mut error);
        keep(&better, &near, &mut inverse);
    }
    let mut levels = [[[0f32; LANES]; N]];
    for (levels, x) in levels[0].iter_mut().zip(x) {
        for i in 0..LANES {
            levels[i] = nearest(inverse[i] * x[i]).min(highest) as f32;
        }
        one_row_at_a_time();
    }
    let [mut scale] = improve::<N, 1, true>(from_ref(x), from_ref(weights), &mut levels, [0.0, highest as f32]);
    keep(&nothing, &[0.0; LANES], &mut scale);
    (scale, whole(&levels[0], 0.0, &nothing))
}

#[inline(always)]
fn errors_from_zero<const N: usize>(
    x: &[Lane; N],
    weights: &[Lane; N],
    inverse: &Lane,
    level: impl Fn(i32) -> f32,
) -> Lane {
    let scale = inverse.map(|inverse| 1.0 / inverse);
    let mut sums = [0f32; LANES];
    for (x, w) in x.iter().zip(weights) {
        for i in 0..LANES {
            let error = x[i] - scale[i] * level(nearest(inverse[i] * x[i]));
            sums[i] += w[i] * error * error;
        }
    }
    sums
}

/// A level in the byte that it is kept in: one below zero, which a scale has where hardly anything weighs, becomes a
/// large one, as in ggml.
#[inline(always)]
fn as_stored(level: i32) -> i32 {
    level & 255
}

/// Changes single levels as long as the error gets smaller, five times over all at most, and returns the scales that are
/// best for them. `POSITIVE` leaves alone what would have no weight without the level in question. Each change waits for
/// the one before, but not for those of another of the `G` groups.
#[inline(always)]
fn improve<const N: usize, const G: usize, const POSITIVE: bool>(
    x: &[[Lane; N]; G],
    weights: &[[Lane; N]; G],
    levels: &mut [[Lane; N]; G],
    [lowest, highest]: [f32; 2],
) -> [Lane; G] {
    let (mut xl, mut ll) = ([[0f32; LANES]; G], [[0f32; LANES]; G]);
    for group in 0..G {
        for ((x, w), level) in x[group].iter().zip(&weights[group]).zip(&levels[group]) {
            for i in 0..LANES {
                xl[group][i] += w[i] * x[i] * level[i];
                ll[group][i] += w[i] * level[i] * level[i];
            }
        }
    }
    if POSITIVE {
        for levels in levels.as_flattened_mut() {
            *levels = levels.map(|level| as_stored(nearest(level)) as f32);
        }
    }
    for _ in 0..5 {
        let mut changed = [[0u32; LANES]; G];
        for element in 0..N {
            for group in 0..G {
                let (x, w, level) = (&x[group][element], &weights[group][element], &mut levels[group][element]);
                let (xl, ll) = (&mut xl[group], &mut ll[group]);
                let mut after = [[0f32; LANES]; 3];
                for i in 0..LANES {
                    // Without this level, the best one for the scale that is best for the others.
                    let xl_without = xl[i] - w[i] * x[i] * level[i];
                    let ll_without = ll[i] - w[i] * level[i] * level[i];
                    let new = round(x[i] * ll_without / xl_without);
                    let new = if POSITIVE { new.min(highest) } else { new.clamp(lowest, highest) };
                    let xl_new = xl_without + w[i] * x[i] * new;
                    let ll_new = ll_without + w[i] * new * new;
                    let possible = (xl_without > 0.0) & ((ll_without > 0.0) | !POSITIVE) & ((ll_new > 0.0) | POSITIVE);
                    let better = possible & (new != level[i]) & (xl_new * xl_new * ll[i] > xl[i] * xl[i] * ll_new);
                    let stored = if POSITIVE { as_stored(nearest(new)) as f32 } else { new };
                    after[0][i] = if better { stored } else { level[i] };
                    after[1][i] = if better { xl_new } else { xl[i] };
                    after[2][i] = if better { ll_new } else { ll[i] };
                    changed[group][i] |= u32::from(better);
                }
                // What is chosen in place becomes stores under a mask, which are slow and waited for.
                one_row_at_a_time();
                (*level, *xl, *ll) = (after[0], after[1], after[2]);
            }
        }
        if changed.as_flattened().iter().all(|changed| *changed == 0) {
            break;
        }
    }
    for (xl, ll) in xl.iter_mut().zip(&ll) {
        for i in 0..LANES {
            xl[i] = if ll[i] > 0.0 { xl[i] / ll[i] } else { 0.0 };
        }
    }
    xl
}
