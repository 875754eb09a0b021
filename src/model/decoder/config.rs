//! What a decoder is made of, read from GGUF metadata or `config.json`.

use serde_json::Value as Json;

use super::family::{FAMILIES, Family, RopePairs, supported};
use super::rope::RopeScaling;
use crate::model::Error;
use crate::weights::Gguf;

/// The shape of a decoder.
#[derive(Debug, Clone)]
pub struct DecoderConfig {
    pub family: &'static Family,
    /// The name the file gives itself: `mistral` is of the `llama` family.
    pub architecture: String,
    pub layers: usize,
    pub hidden_size: usize,
    pub feed_forward_size: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Tokens the model was trained to attend over.
    pub context_length: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub rope_dim: usize,
    pub rope_pairs: RopePairs,
    pub rope_scaling: RopeScaling,
    /// For each layer, how many tokens back (itself included) it sees; `None` is all.
    pub windows: Vec<Option<usize>>,
}

impl DecoderConfig {
    pub fn from_gguf(gguf: &Gguf) -> Result<DecoderConfig, Error> {
        let file = &gguf.file;
        let meta = &gguf.metadata;
        let missing = |key: &str| Error::Config { file: file.clone(), reason: format!("metadata has no {key}") };
        let architecture = meta.str("general.architecture").ok_or_else(|| missing("general.architecture"))?;
        let unsupported = |what: String| Error::Unsupported { file: file.clone(), what, supported: supported() };
        let family = FAMILIES
            .iter()
            .find(|f| f.gguf_architecture == architecture)
            .ok_or_else(|| unsupported(format!("architecture {architecture:?}")))?;
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str| meta.u64(&key(name)).map(|v| v as usize);
        let required = |name: &str| number(name).ok_or_else(|| missing(&key(name)));

        if number("expert_count").is_some_and(|n| n > 0) {
            return Err(unsupported(format!("mixture of experts in {architecture:?}")));
        }
        let layers = required("block_count")?;
        let hidden_size = required("embedding_length")?;
        let heads = required("attention.head_count")?;
        let head_dim = number("attention.key_length").unwrap_or(hidden_size / heads.max(1));
        let linear = || RopeScaling::Linear { factor: f64::from(meta.f32(&key("rope.scaling.factor")).unwrap_or(1.0)) };
        let rope_scaling = match meta.str(&key("rope.scaling.type")) {
            None | Some("none") => RopeScaling::None,
            Some("linear") => linear(),
            Some(other) => return Err(unsupported(format!("rope scaling {other:?}"))),
        };
        DecoderConfig {
            family,
            architecture: architecture.to_owned(),
            layers,
            hidden_size,
            feed_forward_size: required("feed_forward_length")?,
            heads,
            kv_heads: number("attention.head_count_kv").unwrap_or(heads),
            head_dim,
            context_length: required("context_length")?,
            rms_norm_eps: f64::from(
                meta.f32(&key("attention.layer_norm_rms_epsilon"))
                    .ok_or_else(|| missing(&key("attention.layer_norm_rms_epsilon")))?,
            ),
            rope_theta: meta.f32(&key("rope.freq_base")).map_or(10_000.0, f64::from),
            rope_dim: number("rope.dimension_count").unwrap_or(head_dim),
            rope_pairs: family.gguf_rope_pairs,
            rope_scaling,
            // llama.cpp does not window these families, and their files say nothing reliable of it.
            windows: vec![None; layers.min(MAX_LAYERS)],
        }
        .checked(file)
    }

    /// From `config.json`; `file` is what errors mention.
    pub fn from_json(json: &Json, file: &str) -> Result<DecoderConfig, Error> {
        let wrong = |reason: String| Error::Config { file: file.to_owned(), reason };
        let unsupported = |what: String| Error::Unsupported { file: file.to_owned(), what, supported: supported() };
        let architecture = json["model_type"].as_str().ok_or_else(|| wrong("it has no model_type".to_owned()))?;
        let family = FAMILIES
            .iter()
            .find(|f| f.hf_model_types.contains(&architecture))
            .ok_or_else(|| unsupported(format!("architecture {architecture:?}")))?;
        let number = |name: &str| json[name].as_u64().map(|v| v as usize);
        let required = |name: &str| number(name).ok_or_else(|| wrong(format!("it has no {name}")));
        if let Some(act) = json["hidden_act"].as_str().filter(|act| *act != "silu") {
            return Err(unsupported(format!("activation {act:?} in {architecture:?}")));
        }
        if !json["quantization_config"].is_null() {
            let method = json["quantization_config"]["quant_method"].as_str().unwrap_or("unknown");
            return Err(unsupported(format!("quantization {method:?} in safetensors")));
        }
        // Newer files gather the rotation under rope_parameters; older ones have rope_theta and rope_scaling.
        let rope = if json["rope_parameters"].is_object() { &json["rope_parameters"] } else { &json["rope_scaling"] };
        let rope_theta = rope["rope_theta"].as_f64().or(json["rope_theta"].as_f64()).unwrap_or(10_000.0);
        let kind = rope["rope_type"].as_str().or(rope["type"].as_str()).unwrap_or("default");
        let parameter =
            |name: &str| rope[name].as_f64().ok_or_else(|| wrong(format!("rope scaling {kind:?} has no {name}")));
        let rope_scaling = match kind {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear { factor: parameter("factor")? },
            "llama3" => RopeScaling::Llama3 {
                factor: parameter("factor")?,
                low_freq_factor: parameter("low_freq_factor")?,
                high_freq_factor: parameter("high_freq_factor")?,
                original_context: parameter("original_max_position_embeddings")?,
            },
            other => return Err(unsupported(format!("rope scaling {other:?}"))),
        };
        let layers = required("num_hidden_layers")?;
        let hidden_size = required("hidden_size")?;
        let heads = required("num_attention_heads")?;
        let head_dim = number("head_dim").unwrap_or(hidden_size / heads.max(1));
        let fraction = rope["partial_rotary_factor"].as_f64().or(json["partial_rotary_factor"].as_f64()).unwrap_or(1.0);
        DecoderConfig {
            family,
            architecture: architecture.to_owned(),
            layers,
            hidden_size,
            feed_forward_size: required("intermediate_size")?,
            heads,
            kv_heads: number("num_key_value_heads").unwrap_or(heads),
            head_dim,
            context_length: required("max_position_embeddings")?,
            rms_norm_eps: json["rms_norm_eps"].as_f64().unwrap_or(1e-6),
            rope_theta,
            rope_dim: (head_dim as f64 * fraction) as usize,
            rope_pairs: RopePairs::Halves,
            rope_scaling,
            windows: windows(json, architecture, layers.min(MAX_LAYERS)),
        }
        .checked(file)
    }

    /// Refuses numbers that no arithmetic below could use: the file comes from a stranger.
    fn checked(self, file: &str) -> Result<DecoderConfig, Error> {
        let positive = [
            ("layers", self.layers),
            ("hidden size", self.hidden_size),
            ("feed-forward size", self.feed_forward_size),
            ("heads", self.heads),
            ("KV heads", self.kv_heads),
            ("head size", self.head_dim),
            ("context length", self.context_length),
        ];
        let wrong = |reason: String| Err(Error::Config { file: file.to_owned(), reason });
        if let Some((name, value)) = positive.iter().find(|(_, v)| *v == 0 || *v > 1 << 30) {
            return wrong(format!("{name} is {value}"));
        }
        if self.layers > MAX_LAYERS {
            return wrong(format!("layers is {}", self.layers));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return wrong(format!("{} heads do not share {} KV heads evenly", self.heads, self.kv_heads));
        }
        if self.rope_dim == 0 || self.rope_dim > self.head_dim || !self.rope_dim.is_multiple_of(2) {
            return wrong(format!("rope dimension {} does not fit heads of {}", self.rope_dim, self.head_dim));
        }
        Ok(self)
    }
}

const MAX_LAYERS: usize = 4096;

/// Sliding windows as `config.json` states them: Mistral's for all layers; Qwen's for those named
/// in `layer_types`, or from `max_window_layers` on, when `use_sliding_window` is set.
fn windows(json: &Json, architecture: &str, layers: usize) -> Vec<Option<usize>> {
    let Some(window) = json["sliding_window"].as_u64().map(|w| w as usize) else {
        return vec![None; layers];
    };
    let kinds = json["layer_types"].as_array();
    let switched_on = json["use_sliding_window"].as_bool().unwrap_or(architecture == "mistral");
    let first = if architecture == "mistral" { 0 } else { json["max_window_layers"].as_u64().unwrap_or(0) as usize };
    (0..layers)
        .map(|layer| {
            let windowed = match kinds.and_then(|kinds| kinds.get(layer)).and_then(Json::as_str) {
                Some(kind) => kind == "sliding_attention",
                None => switched_on && layer >= first,
            };
            windowed.then_some(window)
        })
        .collect()
}
