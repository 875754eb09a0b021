//! What tests come to.

use serde::{Deserialize, Serialize};

/// What the tests of one process have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setting {
    pub architecture: String,
    pub quantization: String,
    pub parameters: u64,
    pub size_bytes: u64,
    /// [`crate::engine::Measurement::fingerprint`].
    pub model_fingerprint: String,
    pub threads: usize,
    /// What the KV cache holds.
    pub kv_type: String,
    /// The instructions that the kernels use.
    pub kernels: String,
    pub cpu: Option<String>,
    /// Those that share a core count once.
    pub cores: Option<usize>,
    /// Of oai.
    pub version: String,
    /// `release`, or `debug`, which is slower.
    pub build: String,
    pub load_ms: f64,
    /// Of the prompt of the next two; `None` where no test has a prompt.
    pub first_token_prompt: Option<usize>,
    /// From a prompt to the first token, in a process that has computed before.
    pub first_token_warm_ms: Option<f64>,
    /// The same in a new process, from its start on: with loading, and with the file in the system's cache.
    pub first_token_cold_ms: Option<f64>,
    /// What makes the numbers of this machine doubtful; a line each.
    pub warnings: Vec<String>,
}

/// What a test came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub test: String,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub depth: usize,
    /// Tokens that a pass of prefill takes at most.
    pub batch: usize,
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
    /// Of a prefill test: multiplications and additions that the tokens take together.
    pub operations: Option<f64>,
    /// Of a prefill test: what as many threads compute a second of the same mixture of products of bytes and of f32, with
    /// operands at hand; the best of what was measured before it and after.
    pub peak_operations_per_s: Option<f64>,
    /// How much of that peak prefill used.
    pub peak_share: Option<f64>,
    /// The most memory that the process had taken by then, the benchmark's own buffer left out.
    pub peak_rss_bytes: Option<u64>,
    /// What makes the numbers doubtful; a line each.
    pub warnings: Vec<String>,
}
