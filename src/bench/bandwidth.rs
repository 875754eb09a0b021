//! How fast this process reads memory.

use std::hint::black_box;
use std::time::Instant;

use super::machine::PeakMemory;
use crate::engine::Measurement;
use crate::kernels;

/// More than caches hold.
const BUFFER_BYTES: usize = 512 << 20;
const SWEEPS: usize = 8;

/// Bytes a second, the best of several sweeps: over the weights where they lie, or over a buffer if those are fewer than
/// caches may hold. Where there is no room for the buffer, the weights are swept all the same.
pub fn measure(model: &Measurement, peak: &mut PeakMemory) -> f64 {
    let weights = model.weights();
    let bytes: usize = weights.iter().map(|part| part.len()).sum();
    if bytes >= BUFFER_BYTES {
        return best(&weights);
    }
    peak.without(|| {
        let mut buffer = Vec::new();
        if buffer.try_reserve_exact(BUFFER_BYTES).is_err() {
            return best(&weights);
        }
        // Written to, so that it is memory and not a promise of it.
        buffer.resize(BUFFER_BYTES, 1u8);
        best(&[&buffer])
    })
}

fn best(parts: &[&[u8]]) -> f64 {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let sweep = || {
        let started = Instant::now();
        black_box(kernels::read(parts));
        bytes as f64 / started.elapsed().as_secs_f64()
    };
    (0..SWEEPS).map(|_| sweep()).fold(0.0, f64::max)
}
