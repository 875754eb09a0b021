//! How fast a model is, and how near to what bounds it.

mod bandwidth;
mod machine;
mod statistics;

use serde::Serialize;

use self::machine::PeakMemory;
use self::statistics::{mean, standard_deviation};
use crate::engine::{Error, KvType, Measurement};
use crate::kernels::cpu::Isa;
use crate::kernels::pool;
use crate::monitor;
use crate::weights::Source;

/// Tokens that are decoded before those that count.
const WARM_UP: usize = 32;

/// What is measured: each count of tokens at each depth.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of prefill tests; 0 is none.
    pub prompts: Vec<usize>,
    /// Of decode tests; 0 is none.
    pub generations: Vec<usize>,
    /// Tokens in the cache before the test.
    pub depths: Vec<usize>,
    pub repetitions: usize,
    /// Of the KV cache.
    pub kv_type: KvType,
}

/// What the tests of one run have in common.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    pub architecture: String,
    pub quantization: String,
    pub parameters: u64,
    pub size_bytes: u64,
    pub load_ms: f64,
    pub threads: usize,
    /// The instructions that the kernels use.
    pub kernels: &'static str,
    pub cpu: Option<String>,
}

/// What a test came to.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub test: String,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub depth: usize,
    pub tokens_per_s: f64,
    /// Of a sample, over the repetitions; 0 for a single one.
    pub stddev: f64,
    pub samples_tokens_per_s: Vec<f64>,
    /// Of a decode test: weights, keys and values that a token reads in the middle of the test.
    pub bytes_per_token: Option<u64>,
    /// Of a decode test: memory read by as many threads, the best of what was measured before it and after.
    pub bandwidth_bytes_per_s: Option<f64>,
    /// How much of that bandwidth decoding used.
    pub bandwidth_share: Option<f64>,
    /// The most memory that the process had taken by then, the benchmark's own buffer left out.
    pub peak_rss_bytes: Option<u64>,
}

/// How far a run is.
pub struct Progress<'a> {
    pub test: &'a str,
    pub done_runs: usize,
    pub total_runs: usize,
}

#[derive(Debug, Clone, Copy)]
struct Test {
    depth: usize,
    tokens: usize,
    decodes: bool,
}

impl Test {
    /// `tg128 @ d2048`, as llama-bench has it.
    fn name(&self) -> String {
        let kind = if self.decodes { "tg" } else { "pp" };
        let depth = if self.depth > 0 { format!(" @ d{}", self.depth) } else { String::new() };
        format!("{kind}{}{depth}", self.tokens)
    }
}

impl Plan {
    /// By depth, so that the cache is filled once for each; prefill comes first.
    fn tests(&self) -> Vec<Test> {
        let mut tests = Vec::new();
        for depth in &self.depths {
            for (counts, decodes) in [(&self.prompts, false), (&self.generations, true)] {
                let counts = counts.iter().filter(|count| **count > 0);
                tests.extend(counts.map(|tokens| Test { depth: *depth, tokens: *tokens, decodes }));
            }
        }
        tests
    }
}

/// Runs the tests of `plan` with the model of `source`, each after a warm-up. Fails before any if the model's context is
/// too short for one.
pub fn run(source: &Source, plan: &Plan, mut progress: impl FnMut(&Progress)) -> Result<(Setting, Vec<Row>), Error> {
    let mut model = Measurement::load(source, plan.kv_type)?;
    let tests = plan.tests();
    tests.iter().try_for_each(|test| model.check(test.depth, test.tokens))?;
    let setting = setting(&model);
    let (mut peak, mut rows) = (PeakMemory::new(), Vec::new());
    let runs = plan.repetitions + 1;
    for (index, test) in tests.iter().enumerate() {
        let name = test.name();
        let before = test.decodes.then(|| bandwidth::measure(&model, &mut peak));
        let mut samples = Vec::new();
        for repetition in 0..runs {
            progress(&Progress { test: &name, done_runs: index * runs + repetition, total_runs: tests.len() * runs });
            let tokens = if repetition == 0 && test.decodes { test.tokens.min(WARM_UP) } else { test.tokens };
            model.fill(test.depth)?;
            let took = if test.decodes { model.decode(tokens)? } else { model.prefill(tokens)? };
            if repetition > 0 {
                samples.push(tokens as f64 / took.as_secs_f64());
            }
        }
        let after = test.decodes.then(|| bandwidth::measure(&model, &mut peak));
        let bandwidth = before.zip(after).map(|(before, after)| before.max(after));
        let bytes = test.decodes.then(|| model.bytes_a_token(test.depth + test.tokens / 2));
        let tokens_per_s = mean(&samples);
        rows.push(Row {
            test: name,
            n_prompt: if test.decodes { 0 } else { test.tokens },
            n_gen: if test.decodes { test.tokens } else { 0 },
            depth: test.depth,
            tokens_per_s,
            stddev: standard_deviation(&samples),
            samples_tokens_per_s: samples,
            bytes_per_token: bytes,
            bandwidth_bytes_per_s: bandwidth,
            bandwidth_share: bytes.zip(bandwidth).map(|(bytes, bandwidth)| bytes as f64 * tokens_per_s / bandwidth),
            peak_rss_bytes: peak.bytes(),
        });
    }
    Ok((setting, rows))
}

fn setting(model: &Measurement) -> Setting {
    let info = model.info();
    Setting {
        architecture: info.architecture.clone(),
        quantization: info.quantization.clone(),
        parameters: info.parameters,
        size_bytes: info.size_bytes,
        load_ms: model.load_time().as_micros() as f64 / 1000.0,
        threads: pool::threads(),
        kernels: Isa::best().name(),
        cpu: monitor::cpu().name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_go_by_depth_and_zero_is_none() {
        let plan = Plan {
            prompts: vec![512, 0, 8],
            generations: vec![0, 128],
            depths: vec![0, 2048],
            repetitions: 1,
            kv_type: KvType::F16,
        };
        let names: Vec<String> = plan.tests().iter().map(Test::name).collect();
        assert_eq!(names, ["pp512", "pp8", "tg128", "pp512 @ d2048", "pp8 @ d2048", "tg128 @ d2048"]);
    }
}
