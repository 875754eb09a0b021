//! What two lots of samples say of the ratio of their means.

use crate::bench::statistics::{mean, standard_deviation};

/// Quantiles 0.975 of Student's t for 1 to 30 degrees of freedom
/// (<https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm>).
#[rustfmt::skip]
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same of the normal distribution, which t comes to.
const NORMAL: f64 = 1.960;

/// The mean of `new` over that of `old`, with the ends of its 95 % confidence interval; `None` for the interval where
/// a single sample leaves no deviation. Samples are positive.
///
/// Welch's interval on the logarithm of the ratio: the variance of the logarithm of a mean is, to first order, the mean's
/// own over its square, and the degrees of freedom are those of Welch and Satterthwaite
/// (<https://www.itl.nist.gov/div898/handbook/eda/section3/eda353.htm>). On the logarithm, so that old against new is the
/// reciprocal of new against old.
pub fn ratio_of_means(old: &[f64], new: &[f64]) -> (f64, Option<(f64, f64)>) {
    let ratio = mean(new) / mean(old);
    if old.len() < 2 || new.len() < 2 {
        return (ratio, None);
    }
    let variance = |samples: &[f64]| (standard_deviation(samples) / mean(samples)).powi(2) / samples.len() as f64;
    let [of_old, of_new] = [variance(old), variance(new)];
    let variance = of_old + of_new;
    let part = |own: f64, samples: &[f64]| own.powi(2) / (samples.len() - 1) as f64;
    let degrees = variance.powi(2) / (part(of_old, old) + part(of_new, new));
    // Samples that are all the same have no variance, and any t will do.
    let factor = if variance > 0.0 { (t(degrees) * variance.sqrt()).exp() } else { 1.0 };
    (ratio, Some((ratio / factor, ratio * factor)))
}

/// How many standard errors of a mean hold the true one with 95 %. Degrees between whole numbers count as the lower one:
/// the interval is never too narrow.
fn t(degrees: f64) -> f64 {
    let whole = degrees.max(1.0) as usize;
    match T.get(whole - 1) {
        Some(t) => *t,
        // In the reciprocal of the degrees it is straight from here, to a thousandth.
        None => NORMAL + (T[T.len() - 1] - NORMAL) * T.len() as f64 / degrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_table_and_beyond_it() {
        for (degrees, quantile) in [(1.0, 12.706), (4.9, 2.776), (30.0, 2.042), (60.0, 2.000), (1e9, 1.960)] {
            assert!((t(degrees) - quantile).abs() < 1.5e-3, "{degrees}: {}", t(degrees));
        }
        // Rounding may bring it below what is possible.
        assert_eq!(t(0.999_999), 12.706);
    }

    #[test]
    fn the_interval_is_that_of_a_hand_count() {
        // Means 10 and 12; deviations 1 and 2; relative variances of the means 0.01/3 and (1/36)/3.
        let (old, new) = ([9.0, 10.0, 11.0], [10.0, 12.0, 14.0]);
        let (ratio, interval) = ratio_of_means(&old, &new);
        assert!((ratio - 1.2).abs() < 1e-12);
        let [a, b] = [0.01 / 3.0, 1.0 / 36.0 / 3.0];
        // Degrees: (a + b)² / (a²/2 + b²/2) = 3.28, so that t is that of 3.
        let factor = (3.182 * f64::sqrt(a + b)).exp();
        let (low, high) = interval.unwrap();
        assert!((low - 1.2 / factor).abs() < 1e-9 && (high - 1.2 * factor).abs() < 1e-9, "{low} {high}");
        // The other way round it is the reciprocal.
        let (back, interval) = ratio_of_means(&new, &old);
        assert!((back * 1.2 - 1.0).abs() < 1e-12 && (interval.unwrap().0 * high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_samples_leave_no_doubt_and_a_single_one_leaves_all() {
        assert_eq!(ratio_of_means(&[2.0, 2.0], &[3.0, 3.0, 3.0]), (1.5, Some((1.5, 1.5))));
        assert_eq!(ratio_of_means(&[2.0], &[3.0, 3.1]).1, None);
    }
}
