//! How fast this process computes at best.

use crate::kernels::{Factors, peak_operations};
use crate::model::decoder::Operations;

/// Operations a second, with each kind of factors.
#[derive(Debug, Clone, Copy)]
pub struct Peak {
    bytes: f64,
    floats: f64,
}

impl Peak {
    pub fn measure() -> Peak {
        Peak { bytes: peak_operations(Factors::Bytes), floats: peak_operations(Factors::Floats) }
    }

    pub fn max(self, other: Peak) -> Peak {
        Peak { bytes: self.bytes.max(other.bytes), floats: self.floats.max(other.floats) }
    }

    /// Operations a second of the mixture that `operations` are: each kind takes its time.
    pub fn of(&self, operations: Operations) -> f64 {
        let Operations { bytes, floats } = operations;
        (bytes + floats) / (bytes / self.bytes + floats / self.floats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_takes_the_time_of_its_parts() {
        let peak = Peak { bytes: 256.0, floats: 64.0 };
        let of = |bytes, floats| peak.of(Operations { bytes, floats });
        assert_eq!((of(8.0, 0.0), of(0.0, 8.0)), (256.0, 64.0));
        // One second of each.
        assert_eq!(of(256.0, 64.0), 160.0);
        let other = Peak { bytes: 128.0, floats: 128.0 };
        assert_eq!(peak.max(other).of(Operations { bytes: 256.0, floats: 128.0 }), 192.0);
    }
}
