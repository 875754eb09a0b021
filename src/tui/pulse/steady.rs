//! Values that stand still while what they measure only flickers.

/// What to show of `value`, in whole steps of `step`, where `shown` is what stands there: it stays until the value is
/// three quarters of a step away, so that one which swings about the middle of two steps does not swing between them.
pub fn steady(shown: Option<f32>, value: f32, step: f32) -> f32 {
    match shown {
        Some(shown) if (value - shown).abs() <= 0.75 * step => shown,
        _ => (value / step).round() * step,
    }
}

/// The same where either may be unknown.
pub fn steady_option(shown: Option<f32>, value: Option<f32>, step: f32) -> Option<f32> {
    value.filter(|value| value.is_finite()).map(|value| steady(shown, value, step))
}

/// The same for bytes, in hundredths of `total`.
pub fn steady_bytes(shown: Option<u64>, value: u64, total: u64) -> u64 {
    let step = (total / 100).max(1);
    match shown {
        Some(shown) if value.abs_diff(shown) <= step / 4 * 3 => shown,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flickers_stands_still() {
        let mut shown = None;
        let seen: Vec<f32> = [2.4, 2.6, 2.4, 2.6, 3.7, 3.8, 5.2, 1.4, 1.2, 98.0, 99.9]
            .into_iter()
            .map(|value| {
                shown = Some(steady(shown, value, 5.0));
                shown.unwrap()
            })
            .collect();
        assert_eq!(seen, [0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 0.0, 100.0, 100.0]);
    }

    #[test]
    fn memory_moves_by_hundredths() {
        assert_eq!(steady_bytes(None, 1234, 10_000), 1234);
        assert_eq!(steady_bytes(Some(1234), 1300, 10_000), 1234);
        assert_eq!(steady_bytes(Some(1234), 1310, 10_000), 1310);
        assert_eq!(steady_bytes(Some(5), 7, 0), 7);
    }

    #[test]
    fn what_is_no_number_is_unknown() {
        assert_eq!(steady_option(Some(5.0), Some(f32::NAN), 5.0), None);
        assert_eq!(steady_option(Some(5.0), None, 5.0), None);
    }
}
