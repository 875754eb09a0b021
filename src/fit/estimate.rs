//! The reckoning: what a model needs of a machine, and how fast it will be.

use serde::Serialize;

use super::{Candidate, Machine, quantization};
use crate::engine::{Footprint, Kind, KvType};

/// Of the bandwidth that plain reading comes to, what decoding comes to: between 76 and 87 % in `oai bench` of models
/// from 0.6 to 7 billion parameters.
const EFFICIENCY: f64 = 0.8;

/// What oai takes besides weights and cache: its vocabulary, and what a prompt's chunk of 512 tokens passes through. The
/// peak that `oai bench` measures of models from 0.6 to 7 billion parameters, less their files and caches, is 90 to 140 MB.
const WORKING_BYTES: u64 = 120_000_000;
const WORKING_BYTES_A_BILLION: f64 = 1_500_000.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    No,
    /// If nothing else runs.
    Tight,
    Fits,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::No => "no",
            Verdict::Tight => "tight",
            Verdict::Fits => "yes",
        }
    }
}

/// What a model in one of its forms comes to on a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    pub size_bytes: u64,
    /// Keys and values of the whole context.
    pub kv_bytes: u64,
    /// All that it needs.
    pub memory_bytes: u64,
    pub fits: Verdict,
    /// At the beginning of a text, and at the end of the context; `None` of an encoder, or where it does not fit.
    pub tokens_per_s: Option<f64>,
    pub tokens_per_s_at_context: Option<f64>,
}

/// Reckons with a cache for `context` tokens.
pub fn estimate(of: &Candidate, shape: &Footprint, machine: &Machine, context: u64, kv_type: KvType) -> Estimate {
    // The cache grows by doubling.
    let room = context.checked_next_power_of_two().unwrap_or(context).max(256);
    let kv_bytes = shape.kv_bytes(room, kv_type);
    let working = WORKING_BYTES + (shape.parameters as f64 / 1e9 * WORKING_BYTES_A_BILLION) as u64;
    let memory_bytes = of.size_bytes.saturating_add(kv_bytes).saturating_add(working);
    let fits = match memory_bytes {
        needed if needed <= machine.for_models() => Verdict::Fits,
        needed if needed <= machine.at_most() => Verdict::Tight,
        _ => Verdict::No,
    };
    let speed = |depth: u64| {
        let read = of.size_bytes as f64 * shape.read_share + shape.kv_read_bytes(depth, kv_type) as f64;
        let reading = read / (EFFICIENCY * machine.bandwidth.bytes_per_s);
        let a_second = machine.threads as f64 * quantization::weights_a_nanosecond(&of.tag) * 1e9;
        1.0 / reading.max(shape.parameters as f64 * shape.read_share / a_second)
    };
    let decodes = shape.kind == Kind::Decoder && fits != Verdict::No && of.size_bytes > 0;
    Estimate {
        size_bytes: of.size_bytes,
        kv_bytes,
        memory_bytes,
        fits,
        tokens_per_s: decodes.then(|| speed(0)),
        tokens_per_s_at_context: decodes.then(|| speed(context.saturating_sub(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cache;

    fn llama_8b() -> Footprint {
        Footprint {
            kind: Kind::Decoder,
            parameters: 8_030_261_248,
            read_share: 0.935,
            context_length: 131_072,
            caches: vec![Cache { bytes_a_token: 131_072, window: None, shared: false }],
            state_bytes: 0,
        }
    }

    fn file(tag: &str, size_bytes: u64) -> Candidate {
        Candidate { tag: tag.to_owned(), size_bytes }
    }

    #[test]
    fn memory_is_weights_cache_and_work() {
        let machine = Machine::of(15 << 30, 50e9, 8);
        let of = |context, kv_type| estimate(&file("Q4_K_M", 4_920_734_176), &llama_8b(), &machine, context, kv_type);
        let at_8k = of(8192, KvType::F16);
        assert_eq!(at_8k.kv_bytes, 1 << 30);
        assert!((6.1e9..6.2e9).contains(&(at_8k.memory_bytes as f64)), "{at_8k:?}");
        assert_eq!(at_8k.fits, Verdict::Fits);
        assert_eq!(of(8192, KvType::Q8_0).kv_bytes, (1 << 30) * 34 / 64);
        // Room is made by doubling.
        assert_eq!(of(5000, KvType::F16).kv_bytes, 1 << 30);
        assert_eq!(of(65_536, KvType::F16).fits, Verdict::Tight);
        assert_eq!(of(131_072, KvType::F16).fits, Verdict::No);
        assert_eq!(of(u64::MAX, KvType::F32).memory_bytes, u64::MAX);
    }

    #[test]
    fn speed_is_bandwidth_over_what_a_token_reads() {
        let machine = Machine::of(16 << 30, 50e9, 8);
        let fast = estimate(&file("Q4_K_M", 4_920_734_176), &llama_8b(), &machine, 8192, KvType::F16);
        let speed = fast.tokens_per_s.unwrap();
        assert!((speed - 0.8 * 50e9 / (4_920_734_176.0 * 0.935 + 131_072.0)).abs() < 0.01, "{speed}");
        let deep = fast.tokens_per_s_at_context.unwrap();
        assert!((deep - 0.8 * 50e9 / (4_920_734_176.0 * 0.935 + f64::from(1 << 30))).abs() < 0.01, "{deep}");
        // Where the type is slow to unpack, threads bound it.
        let slow = estimate(&file("IQ4_XS", 4_447_663_104), &llama_8b(), &machine, 8192, KvType::F16);
        assert!(slow.tokens_per_s.unwrap() < speed, "{slow:?}");
        let encoder = Footprint { kind: Kind::Encoder, caches: Vec::new(), ..llama_8b() };
        assert_eq!(estimate(&file("F16", 1 << 30), &encoder, &machine, 512, KvType::F16).tokens_per_s, None);
    }
}
