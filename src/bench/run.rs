//! One test.

use super::machine::PeakMemory;
use super::noise::Noise;
use super::peak::Peak;
use super::plan::Test;
use super::results::Row;
use super::statistics::{mean, standard_deviation};
use super::{bandwidth, noise};
use crate::engine::{Error, Measurement};

/// Tokens that are decoded before those that count.
const WARM_UP: usize = 32;

/// Runs `test` once to warm up and then `repetitions` times; `tell` hears of each run that begins.
pub fn run(
    model: &mut Measurement,
    test: &Test,
    repetitions: usize,
    peak_memory: &mut PeakMemory,
    mut tell: impl FnMut(usize),
) -> Result<Row, Error> {
    let Test { depth, prompt, generated, batch } = *test;
    let (prefills, decodes) = (prompt > 0 && generated == 0, prompt == 0);
    let bandwidth_before = decodes.then(|| bandwidth::measure(model, peak_memory));
    let peak_before = prefills.then(Peak::measure);
    let mut noise = Noise::start();
    let mut samples = Vec::new();
    for repetition in 0..=repetitions {
        tell(repetition);
        let warms_up = repetition == 0;
        if repetition == 1 {
            noise = Noise::start();
        }
        let generated = if warms_up { generated.min(WARM_UP) } else { generated };
        model.fill(depth)?;
        let mut seconds = 0.0;
        if prompt > 0 {
            seconds += model.prefill(prompt, batch)?.as_secs_f64();
        }
        if generated > 0 {
            seconds += model.decode(generated)?.as_secs_f64();
        }
        if !warms_up {
            samples.push(test.tokens() as f64 / seconds);
        }
    }
    let mut warnings = noise.warnings();
    let bandwidth = bandwidth_before.map(|before| before.max(bandwidth::measure(model, peak_memory)));
    let peak = peak_before.map(|before| before.max(Peak::measure()));
    let (tokens_per_s, stddev) = (mean(&samples), standard_deviation(&samples));
    warnings.splice(0..0, noise::scatter(tokens_per_s, stddev));
    let bytes = decodes.then(|| model.bytes_a_token(depth + generated / 2));
    let operations = prefills.then(|| model.operations(depth, prompt));
    let total = operations.map(|operations| operations.bytes + operations.floats);
    let peak = peak.zip(operations).map(|(peak, operations)| peak.of(operations));
    let share = |a_token: f64, limit: f64| a_token * tokens_per_s / limit;
    Ok(Row {
        test: test.name(),
        n_prompt: prompt,
        n_gen: generated,
        depth,
        batch,
        tokens_per_s,
        stddev,
        samples_tokens_per_s: samples,
        bytes_per_token: bytes,
        bandwidth_bytes_per_s: bandwidth,
        bandwidth_share: bytes.zip(bandwidth).map(|(bytes, bandwidth)| share(bytes as f64, bandwidth)),
        operations: total,
        peak_operations_per_s: peak,
        peak_share: total.zip(peak).map(|(total, peak)| share(total / prompt as f64, peak)),
        peak_rss_bytes: peak_memory.bytes(),
        warnings,
    })
}
