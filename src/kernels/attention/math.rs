//! Functions of vectors.

use super::simd::Simd;

/// Below this `exp` is taken for 0, so that no result is subnormal.
const EXP_LEAST: f32 = -86.0;

/// `e^x` for `x` of at most 88, with a relative error of at most 2e-7; 0 below [`EXP_LEAST`]; what is no number stays so.
///
/// `x` is `n ln 2 + r` with whole `n`, `|r| <= ln(2) / 2`, and ln 2 in two parts (Cody and Waite, 1980); `e^r` is its
/// series to the seventh power.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::Vector) -> S::Vector {
    // Adding it rounds to whole numbers, which are then the lowest bits.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const SERIES: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // SAFETY: by the caller.
    unsafe {
        let n = S::mul_add(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let whole = S::sub(n, S::splat(ROUND));
        let r = S::mul_add(whole, S::splat(-LN_2_HIGH), x);
        let r = S::mul_add(whole, S::splat(-LN_2_LOW), r);
        let mut y = S::splat(1.0 / 5040.0);
        for coefficient in SERIES {
            y = S::mul_add(y, r, S::splat(coefficient));
        }
        S::if_less(x, S::splat(EXP_LEAST), S::splat(0.0), S::scale_by_power(y, n))
    }
}

/// The hyperbolic tangent with a relative error of at most 5e-7; what is no number stays so.
///
/// Small arguments by Lambert's continued fraction to its seventh level, others as `1 - 2 / (e^2x + 1)`.
///
/// # Safety
/// As [`Simd`] has it.
#[inline(always)]
pub unsafe fn tanh<S: Simd>(x: S::Vector) -> S::Vector {
    // SAFETY: by the caller.
    unsafe {
        // Beyond 9 it is 1 in f32.
        let x = S::max(S::splat(-9.0), S::min(S::splat(9.0), x));
        let square = S::mul(x, x);
        let mut above = S::splat(1.0);
        for coefficient in [378.0, 17_325.0, 135_135.0] {
            above = S::mul_add(above, square, S::splat(coefficient));
        }
        let mut below = S::splat(28.0);
        for coefficient in [3150.0, 62_370.0, 135_135.0] {
            below = S::mul_add(below, square, S::splat(coefficient));
        }
        let small = S::div(S::mul(x, above), below);
        let power = exp::<S>(S::add(x, x));
        let large = S::sub(S::splat(1.0), S::div(S::splat(2.0), S::add(power, S::splat(1.0))));
        S::if_less(square, S::splat(1.0), small, large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::attention::simd::{LANES, Portable};

    fn apply(x: f32, f: unsafe fn([f32; LANES]) -> [f32; LANES]) -> f64 {
        // SAFETY: every processor has what `Portable` needs.
        f64::from(unsafe { f([x; LANES]) }[0])
    }

    #[test]
    fn errors_are_within_what_is_said() {
        for step in 0..=200_000 {
            let x = step as f32 * -4.3e-4; // 0 to -86
            let exact = f64::from(x).exp();
            assert!((apply(x, exp::<Portable>) - exact).abs() <= 2e-7 * exact, "exp {x}");
            let x = step as f32 * 1.1e-4 - 11.0;
            let exact = f64::from(x).tanh();
            assert!((apply(x, tanh::<Portable>) - exact).abs() <= 5e-7 * exact.abs(), "tanh {x}");
        }
        for x in [f32::NEG_INFINITY, -1e9, -86.1] {
            assert_eq!(apply(x, exp::<Portable>), 0.0);
        }
        assert!(apply(f32::NAN, exp::<Portable>).is_nan() && apply(f32::NAN, tanh::<Portable>).is_nan());
    }
}
