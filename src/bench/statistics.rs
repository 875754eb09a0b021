//! What samples come to.

/// Of no samples, 0.
pub fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len().max(1) as f64
}

/// The standard deviation that a sample's own mean leaves (over n - 1); of a single sample there is none, and this
/// returns 0, as llama-bench does.
pub fn standard_deviation(samples: &[f64]) -> f64 {
    let mean = mean(samples);
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    (squares / samples.len().saturating_sub(1).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_a_hand_count() {
        assert_eq!(mean(&[2.0, 4.0, 9.0]), 5.0);
        // Squares 9, 1 and 16 over 2.
        assert!((standard_deviation(&[2.0, 4.0, 9.0]) - 13f64.sqrt()).abs() < 1e-12);
        assert_eq!((mean(&[7.0]), standard_deviation(&[7.0])), (7.0, 0.0));
        assert_eq!((mean(&[]), standard_deviation(&[])), (0.0, 0.0));
    }
}
