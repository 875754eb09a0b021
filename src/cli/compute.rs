//! The flags that `perplexity`, `fit` and `quantize` share: what computes, and in what the KV cache is.

use super::exit::Usage;
use crate::config::Settings;

#[derive(Debug, clap::Args)]
pub struct ComputeArgs {
    /// Processor threads [default: all that this process may use]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// What the KV cache holds: f32, f16 or, in half the memory of f16, q8_0 [default: f16]
    #[arg(long, value_name = "TYPE")]
    kv_type: Option<String>,
}

impl ComputeArgs {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), Usage> {
        let flags = [("threads", "--threads", &self.threads), ("kv_type", "--kv-type", &self.kv_type)];
        settings.lay(&flags).map_err(|e| Usage(e.to_string()))
    }
}
