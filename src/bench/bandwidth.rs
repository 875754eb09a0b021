//! How fast this process reads memory.

use super::machine::PeakMemory;
use crate::engine::Measurement;
use crate::kernels::{ENOUGH_BYTES, bandwidth, bandwidth_of_buffer};

/// Bytes a second, the best of several sweeps: over the weights where they lie, or over a buffer if those are fewer than
/// caches may hold. Where there is no room for the buffer, the weights are swept all the same.
pub fn measure(model: &Measurement, peak: &mut PeakMemory) -> f64 {
    let weights = model.weights();
    let bytes: usize = weights.iter().map(|part| part.len()).sum();
    if bytes >= ENOUGH_BYTES {
        return bandwidth(&weights);
    }
    peak.without(|| bandwidth_of_buffer(ENOUGH_BYTES)).unwrap_or_else(|| bandwidth(&weights))
}
