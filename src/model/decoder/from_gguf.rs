//! A decoder's shape from GGUF metadata.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and what llama.cpp's
//! `src/llama-arch.cpp` adds to them.

use super::config::{
    DecoderConfig, ExpertGroups, Experts, Latent, LayerConfig, MAX_LAYERS, PositionScale, Rotation, Scales,
};
use super::family::{FAMILIES, Residual, Windows};
use super::rope::RopeScaling;
use crate::model::Error;
use crate::weights::{Gguf, Value};

/// The configuration that the metadata of `gguf` describe.
pub fn config(gguf: &Gguf) -> Result<DecoderConfig, Error> {
    let file = &gguf.file;
    let meta = &gguf.metadata;
    let wrong = |reason: String| Error::Config { file: file.clone(), reason };
    let architecture =
        meta.str("general.architecture").ok_or_else(|| wrong("metadata has no general.architecture".to_owned()))?;
    let unsupported = |what: String| Error::Unsupported { file: file.clone(), what };
    let family = FAMILIES
        .iter()
        .find(|f| f.gguf_architecture == architecture)
        .ok_or_else(|| unsupported(format!("architecture {architecture:?}")))?;
    let key = |name: &str| format!("{architecture}.{name}");
    // Some files give a list, a number for each layer; where all are the same it is that number.
    let number = |name: &str| match meta.get(&key(name)) {
        Some(Value::Array(all)) => all.first().filter(|first| all.iter().all(|v| v == *first))?.as_u64(),
        value => value?.as_u64(),
    };
    let number = |name: &str| number(name).map(|v| v as usize);
    let required = |name: &str| number(name).ok_or_else(|| wrong(format!("metadata has no {}", key(name))));
    let float = |name: &str| meta.f32(&key(name)).map(f64::from);

    let layers = required("block_count")?;
    if layers > MAX_LAYERS {
        return Err(wrong(format!("layers is {layers}")));
    }
    let hidden_size = required("embedding_length")?;
    let heads = required("attention.head_count")?;
    let latent = match number("attention.kv_lora_rank") {
        None => None,
        Some(rank) => {
            // Newer files give the cached key's width as key_length, and a head's own beside it.
            let rope_dim = required("rope.dimension_count")?;
            let key_dim = number("attention.key_length_mla").map_or_else(|| required("attention.key_length"), Ok)?;
            Some(Latent {
                query_rank: number("attention.q_lora_rank").filter(|rank| *rank > 0),
                rank,
                nope_dim: key_dim.saturating_sub(rope_dim),
                rope_dim,
                v_dim: number("attention.value_length_mla").map_or_else(|| required("attention.value_length"), Ok)?,
            })
        }
    };
    let head_dim = match &latent {
        Some(latent) => latent.rank.saturating_add(latent.rope_dim),
        None => number("attention.key_length").unwrap_or(hidden_size / heads.max(1)),
    };
    let context_length = required("context_length")?;
    let rope_dim = number("rope.dimension_count").unwrap_or(head_dim);
    let factor =
        float("rope.scaling.factor").or(float("rope.scale_linear")).filter(|factor| *factor > 0.0).unwrap_or(1.0);
    let original_context = float("rope.scaling.original_context_length")
        .or(number("rope.scaling.original_context_length").map(|n| n as f64))
        .unwrap_or(context_length as f64);
    // What DeepSeek calls mscale. With latent attention the file has a tenth of it; there it sharpens
    // the scores, and its two cancel in the rotation.
    let mscale = float("rope.scaling.yarn_log_multiplier").filter(|multiplier| *multiplier != 0.0);
    let stretched = |mscale: f64| 1.0 + 0.1 * mscale * factor.max(1.0).ln();
    let scaling = match meta.str(&key("rope.scaling.type")) {
        Some("none") => RopeScaling::None,
        None if factor == 1.0 => RopeScaling::None,
        // Files older than the key stretch evenly.
        None | Some("linear") => RopeScaling::Linear { factor },
        Some("yarn") => RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast: float("rope.scaling.yarn_beta_fast").unwrap_or(32.0),
            beta_slow: float("rope.scaling.yarn_beta_slow").unwrap_or(1.0),
            magnitude: float("rope.scaling.attn_factor").unwrap_or(1.0)
                * match (mscale, latent) {
                    (Some(_), Some(_)) => 1.0,
                    (mscale, _) => stretched(1.0) / stretched(mscale.unwrap_or(0.0)),
                },
            whole_steps: true,
        },
        Some(other) => return Err(unsupported(format!("rope scaling {other:?}"))),
    };
    let theta = float("rope.freq_base").unwrap_or(10_000.0);
    let mut rotations = vec![Rotation { theta, dim: rope_dim, pairs: family.gguf_rope_pairs, scaling }];
    if let Some(theta) = float("rope.freq_base_swa").or(family.windowed_theta) {
        rotations.push(Rotation { theta, scaling: RopeScaling::None, ..rotations[0].clone() });
    }

    let window = number("attention.sliding_window").filter(|window| *window > 0);
    let expert_count = number("expert_count").unwrap_or(0);
    let dense_layers = number("leading_dense_block_count").unwrap_or(0);
    let expert_size = || match number("expert_feed_forward_length") {
        Some(size) => Ok(size),
        None => required("feed_forward_length"),
    };
    let experts = match expert_count {
        0 => None,
        count => Some(Experts {
            count,
            used: required("expert_used_count")?,
            feed_forward_size: expert_size()?,
            shared_feed_forward_size: number("expert_shared_feed_forward_length").unwrap_or(match latent {
                Some(_) => number("expert_shared_count").unwrap_or(0).saturating_mul(expert_size()?),
                None => 0,
            }),
            sum_to_one: meta.bool(&key("expert_weights_norm")).unwrap_or(family.experts_sum_to_one),
            scale: float("expert_weights_scale").filter(|scale| *scale != 0.0).unwrap_or(1.0),
            sigmoid: match number("expert_gating_func") {
                None | Some(0 | 1 | 3) => false,
                Some(2) => true,
                Some(other) => return Err(unsupported(format!("expert_gating_func {other}"))),
            },
            groups: match number("expert_group_count").filter(|count| *count > 1) {
                None => None,
                Some(count) => Some(ExpertGroups { count, used: required("expert_group_used_count")?, best: 2 }),
            },
        }),
    };
    // Which layers are windowed, or every how manieth is not; where the family's own rule may differ.
    let pattern = meta.get(&key("attention.sliding_window_pattern"));
    let layer = |index: usize| {
        let windowed = match (family.windows, pattern) {
            (Windows::Never, _) => false,
            (Windows::All, _) => true,
            (_, Some(Value::Array(each))) => each.get(index).is_some_and(|flag| flag == &Value::Bool(true)),
            (Windows::FullEvery(n), every) => {
                let n = every.and_then(Value::as_u64).map_or(n, |n| n as usize);
                n == 0 || !(index + 1).is_multiple_of(n)
            }
        };
        let has_windows = window.is_some();
        let window = window.filter(|_| windowed);
        LayerConfig {
            window,
            rotation: match family.rope_free_every {
                Some(n) if (index + 1).is_multiple_of(n) => None,
                _ if family.rope_in_windows && has_windows && !windowed => None,
                _ => Some(if window.is_some() { rotations.len() - 1 } else { 0 }),
            },
            experts: expert_count > 0 && index >= dense_layers,
        }
    };
    // The largest Gemma 2 and 3 scale by the width of a head as if the state were split among them.
    let scored_dim = match (architecture, layers) {
        ("gemma2", 46) | ("gemma3", 62) => hidden_size / heads.max(1),
        _ => latent.map_or(head_dim, |latent| latent.nope_dim + latent.rope_dim),
    };
    let sharper = match (mscale, latent) {
        (Some(mscale), Some(_)) => stretched(10.0 * mscale).powi(2),
        _ => 1.0,
    };
    let scales = Scales {
        embedding: float("embedding_scale").unwrap_or(if family.scaled_embedding {
            (hidden_size as f64).sqrt()
        } else {
            1.0
        }),
        residual: float("residual_scale").unwrap_or(1.0),
        attention: float("attention.scale").filter(|s| *s > 0.0).unwrap_or(sharper * (scored_dim as f64).powf(-0.5)),
        // Granite's divides, Cohere's multiplies.
        logits: float("logit_scale")
            .filter(|s| *s > 0.0)
            .map_or(1.0, |scale| if family.multiplied_logits { scale } else { 1.0 / scale }),
        attention_cap: float("attn_logit_softcapping").filter(|c| *c > 0.0),
        logits_cap: float("final_logit_softcapping").filter(|c| *c > 0.0),
        position: float("attention.temperature_scale")
            .filter(|beta| *beta > 0.0)
            .map(|beta| PositionScale { beta, context: original_context }),
    };
    let feed_forward_size = number("feed_forward_length").filter(|n| *n > 0).map_or_else(expert_size, Ok)?;
    DecoderConfig {
        family,
        architecture: architecture.to_owned(),
        hidden_size,
        feed_forward_size,
        heads,
        kv_heads: if latent.is_some() { 1 } else { number("attention.head_count_kv").unwrap_or(heads) },
        head_dim,
        context_length,
        norm_eps: float("attention.layer_norm_rms_epsilon")
            .or(float("attention.layer_norm_epsilon"))
            .ok_or_else(|| wrong(format!("metadata has no {}", key("attention.layer_norm_rms_epsilon"))))?,
        residual: match meta.bool(&key("use_parallel_residual")) {
            Some(true) => Residual::Parallel,
            Some(false) => Residual::Pre,
            None => family.residual,
        },
        activation: family.activation,
        layers: (0..layers).map(layer).collect(),
        rotations,
        experts,
        latent,
        scales,
    }
    .checked(file)
}
