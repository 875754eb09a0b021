//! What is known of a model before its files are here.

use super::Candidate;
use super::quantization;
use crate::engine::{Cache, Footprint, Kind};
use crate::hub::{Alias, GgufSummary};

/// f16 keys and values of a token: of today's models with grouped queries, from 0.6 to 120 billion parameters, a fit to
/// a third either way.
const KV_BYTES: u64 = 96 << 10;
const KV_BYTES_A_BILLION: f64 = 4096.0;

/// The shape of a model of so many parameters of which nothing else is known.
pub fn guessed(parameters: u64, context_length: Option<u64>) -> Footprint {
    let bytes_a_token = KV_BYTES + (parameters as f64 / 1e9 * KV_BYTES_A_BILLION) as u64;
    Footprint {
        kind: Kind::Decoder,
        parameters,
        read_share: 1.0,
        context_length: context_length.unwrap_or(super::CONTEXT),
        caches: vec![Cache { bytes_a_token, window: None, shared: false }],
        state_bytes: 0,
    }
}

/// The shape of a model by the table of short names, else by what the hub read in its files, else by the sizes of what
/// there is of it.
pub fn shape_of(alias: Option<&Alias>, hub: Option<&GgufSummary>, candidates: &[Candidate]) -> Footprint {
    let of_hub = hub.and_then(|summary| summary.parameters);
    if let Some(shape) = alias.and_then(|alias| of_alias(alias, of_hub)) {
        return shape;
    }
    let of_sizes = || {
        let by_size = |of: &Candidate| Some((of.size_bytes as f64 * 8.0 / quantization::bits(&of.tag)?) as u64);
        let mut counts: Vec<u64> = candidates.iter().filter_map(by_size).collect();
        counts.sort_unstable();
        // Of files of unknown types: as if they had six bits a weight.
        let any = candidates.iter().map(|of| of.size_bytes / 6 * 8).min();
        counts.get(counts.len() / 2).copied().or(any)
    };
    guessed(of_hub.or_else(of_sizes).unwrap_or(0), hub.and_then(|summary| summary.context_length))
}

/// `None` where the table does not say how large the model is.
fn of_alias(alias: &Alias, parameters: Option<u64>) -> Option<Footprint> {
    let declared = count(&alias.parameters)?;
    let active = alias.active.as_deref().and_then(count);
    let window = WINDOWS.iter().find(|(begin, _)| alias.name.starts_with(begin)).map(|(_, tokens)| *tokens);
    let cache = |bytes_a_token, window| Cache { bytes_a_token, window, shared: false };
    let mut caches = vec![cache(alias.kv_bytes_per_token, None)];
    caches.extend(window.map(|tokens| cache(alias.kv_fixed_bytes / tokens, Some(tokens))));
    caches.retain(|cache| cache.bytes_a_token > 0);
    let is_encoder = alias.kv_bytes_per_token == 0 && alias.kv_fixed_bytes == 0;
    Some(Footprint {
        kind: if is_encoder { Kind::Encoder } else { Kind::Decoder },
        parameters: parameters.unwrap_or(declared),
        read_share: active.map_or(1.0, |active| (active as f64 / declared.max(1) as f64).min(1.0)),
        context_length: alias.context,
        caches,
        state_bytes: if window.is_none() { alias.kv_fixed_bytes } else { 0 },
    })
}

/// How many tokens back layers with windows look, by the beginning of a short name; the table says only what they hold
/// when full. What other models hold besides are states.
const WINDOWS: &[(&str, u64)] = &[
    ("gemma3:270m", 512),
    ("gemma3:1b", 512),
    ("gemma3:", 1024),
    ("gemma4:e", 512),
    ("gemma4:", 1024),
    ("gemma2:", 4096),
    ("gpt-oss:", 128),
    ("olmo-3:", 4096),
    ("command-r7b:", 4096),
    ("exaone4:32b", 4096),
];

/// `1.2B`, `600M`, as a number.
fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.chars().last()?.to_ascii_uppercase() {
        'B' => (&text[..text.len() - 1], 1e9),
        'M' => (&text[..text.len() - 1], 1e6),
        'K' => (&text[..text.len() - 1], 1e3),
        'T' => (&text[..text.len() - 1], 1e12),
        _ => (text, 1.0),
    };
    let value = digits.trim().parse::<f64>().ok()? * factor;
    (value.is_finite() && value >= 1.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::KvType;

    fn candidates(all: &[(&str, u64)]) -> Vec<Candidate> {
        all.iter().map(|(tag, size_bytes)| Candidate { tag: (*tag).to_owned(), size_bytes: *size_bytes }).collect()
    }

    #[test]
    fn counts_are_read_as_the_table_writes_them() {
        assert_eq!(
            ["1.2B", "600M", "33m", "7", "1T"].map(count).map(Option::unwrap),
            [1_200_000_000, 600_000_000, 33_000_000, 7, 1_000_000_000_000]
        );
        assert!(["", "B", "-1B", "many", "inf", "0"].iter().all(|text| count(text).is_none()));
    }

    #[test]
    fn the_table_tells_windows_from_states() {
        let shape = |name: &str| shape_of(crate::hub::aliases().iter().find(|alias| alias.name == name), None, &[]);
        let gemma = shape("gemma3:1b");
        assert_eq!(gemma.caches.iter().map(|cache| cache.window).collect::<Vec<_>>(), [None, Some(512)]);
        // 22 of its 26 layers, one KV head of 256.
        assert_eq!(gemma.caches[1].bytes_a_token, 22 * 256 * 2 * 2);
        let mamba = shape("falcon-mamba:7b");
        assert_eq!((mamba.kind, mamba.caches.len()), (Kind::Decoder, 0));
        assert!(mamba.state_bytes > 0);
        assert_eq!(shape("all-minilm").kind, Kind::Encoder);
        let moe = shape("qwen3:30b");
        assert!((0.05..0.2).contains(&moe.read_share), "{moe:?}");
        for (begin, _) in WINDOWS {
            let windowed = |alias: &&Alias| alias.name.starts_with(begin) && alias.kv_fixed_bytes > 0;
            assert!(crate::hub::aliases().iter().any(|alias| windowed(&alias)), "{begin} is no model's");
        }
        assert!(crate::hub::aliases().iter().all(|alias| of_alias(alias, None).is_some()));
    }

    #[test]
    fn of_sizes_alone_a_shape_is_guessed() {
        let shape = shape_of(None, None, &candidates(&[("Q4_K_M", 4_920_734_176), ("Q8_0", 8_540_771_424)]));
        assert!((7.8e9..8.3e9).contains(&(shape.parameters as f64)), "{shape:?}");
        // Llama 3.1 8B keeps 128 KiB a token.
        let kept = shape.kv_bytes(8192, KvType::F16) as f64 / (8192 * 131_072) as f64;
        assert!((0.75..1.33).contains(&kept), "{kept}");
        let hub = GgufSummary { architecture: None, context_length: Some(40_960), parameters: Some(596_049_920) };
        let shape = shape_of(None, Some(&hub), &[]);
        assert_eq!((shape.parameters, shape.context_length), (596_049_920, 40_960));
        assert_eq!(shape_of(None, None, &[]).parameters, 0);
    }
}
