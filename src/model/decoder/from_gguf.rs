//! A decoder's shape from GGUF metadata.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and what llama.cpp's
//! `src/llama-arch.cpp` adds to them.

use super::checkpoint::Checkpoint;
use super::config::{
    DecoderConfig, DeltaNetShape, ExpertGroups, Experts, Latent, LayerConfig, MAX_LAYERS, MixerKind, PositionScale,
    Rotation, Rwkv7Shape, Scales, Selective, StateSpace,
};
use super::families::FAMILIES;
use super::family::{Recurrence, Residual, WindowedRope, Windows};
use super::rope::RopeScaling;
use crate::model::Error;
use crate::weights::{Gguf, Value};

/// The configuration that the metadata of `gguf` describe; `checkpoint` is the same file.
pub fn config(checkpoint: &Checkpoint, gguf: &Gguf) -> Result<DecoderConfig, Error> {
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
    // The number of a layer, where they may differ.
    let of_layer = |name: &str, layer: usize| match meta.get(&key(name)) {
        Some(Value::Array(all)) => all.get(layer)?.as_u64().map(|v| v as usize),
        _ => number(name),
    };
    let required = |name: &str| number(name).ok_or_else(|| wrong(format!("metadata has no {}", key(name))));
    let float = |name: &str| meta.f32(&key(name)).map(f64::from);

    if meta.bool(&key("attention.causal")) == Some(false) {
        return Err(unsupported(format!("attention in both directions in {architecture:?}")));
    }
    // Layers that predict tokens further ahead come after those of the model.
    let layers = required("block_count")?.saturating_sub(number("nextn_predict_layers").unwrap_or(0));
    if layers > MAX_LAYERS {
        return Err(wrong(format!("layers is {layers}")));
    }
    if number("moe_latent_size").is_some_and(|size| size > 0) {
        return Err(unsupported(format!("moe_latent_size in {architecture:?}")));
    }
    let hidden_size = required("embedding_length")?;
    let rwkv7 = number("wkv.head_size").map(|head_dim| Rwkv7Shape { head_dim, fused_norms: false });
    // Where nothing attends it is 0.
    let heads = match (rwkv7, number("attention.head_count")) {
        (Some(shape), _) => hidden_size / shape.head_dim.max(1),
        (_, None | Some(0)) if family.recurrence.is_some() => 1,
        (_, heads) => heads.ok_or_else(|| wrong(format!("metadata has no {}", key("attention.head_count"))))?,
    };
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
    // A divisor for each frequency.
    let divisors = |name: &str| -> Result<Option<Vec<f32>>, Error> {
        let Some(tensor) = checkpoint.find(name) else { return Ok(None) };
        let divisors = checkpoint.floats(tensor)?;
        if divisors.len() != rope_dim / 2 {
            return Err(wrong(format!("{name} has {} elements, not {}", divisors.len(), rope_dim / 2)));
        }
        Ok(Some(divisors))
    };
    let long = divisors("rope_factors_short.weight")?.zip(divisors("rope_factors_long.weight")?);
    let scaling = match (meta.str(&key("rope.scaling.type")), divisors("rope_freqs.weight")?, long) {
        (_, _, Some((short, long))) => RopeScaling::Long {
            short,
            long,
            original_context: original_context as usize,
            magnitude: float("rope.scaling.attn_factor").unwrap_or(1.0),
        },
        (_, Some(divisors), _) => RopeScaling::Factors(divisors),
        (Some("none" | "longrope"), ..) => RopeScaling::None,
        (None, ..) if factor == 1.0 => RopeScaling::None,
        // Files older than the key stretch evenly.
        (None | Some("linear"), ..) => RopeScaling::Linear { factor },
        (Some("yarn"), ..) => RopeScaling::Yarn {
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
        (Some(other), ..) => return Err(unsupported(format!("rope scaling {other:?}"))),
    };
    let theta = float("rope.freq_base").unwrap_or(10_000.0);
    let mut rotations = vec![Rotation { theta, dim: rope_dim, pairs: family.gguf_rope_pairs, scaling }];
    let theta = match (float("rope.freq_base_swa"), family.windowed_rope) {
        (None, WindowedRope::Same) => None,
        (Some(theta), _) | (None, WindowedRope::Theta(theta)) => Some(theta),
        (None, WindowedRope::Unscaled) => Some(theta),
    };
    if let Some(theta) = theta {
        let scaling = match family.windowed_rope {
            WindowedRope::Same => rotations[0].scaling.clone(),
            _ => RopeScaling::None,
        };
        let dim = number("rope.dimension_count_swa").unwrap_or(rope_dim);
        rotations.push(Rotation { theta, dim, scaling, ..rotations[0].clone() });
    }

    let window = number("attention.sliding_window").filter(|window| *window > 0);
    let expert_count = number("expert_count").unwrap_or(0);
    let dense_layers = number("leading_dense_block_count").unwrap_or(0);
    let expert_size = || match number("expert_feed_forward_length") {
        Some(size) => Ok(size),
        None => required("feed_forward_length"),
    };
    let sigmoid = match number("expert_gating_func") {
        // Files that do not say it have such a bias where the scores are a sigmoid's.
        None | Some(0) => family.experts_by_sigmoid || gguf.tensors.iter().any(|t| t.name.contains("exp_probs_b")),
        Some(1 | 3) => false,
        Some(2) => true,
        Some(other) => return Err(unsupported(format!("expert_gating_func {other}"))),
    };
    let experts = match expert_count {
        0 => None,
        count => Some(Experts {
            count,
            used: required("expert_used_count")?,
            feed_forward_size: expert_size()?,
            shared_feed_forward_size: number("expert_shared_feed_forward_length")
                .unwrap_or(number("expert_shared_count").unwrap_or(0).saturating_mul(expert_size()?)),
            sum_to_one: meta.bool(&key("expert_weights_norm")).unwrap_or(family.experts_sum_to_one),
            scale: float("expert_weights_scale").filter(|scale| *scale != 0.0).unwrap_or(1.0),
            sigmoid,
            groups: match number("expert_group_count").filter(|count| *count > 1) {
                None => None,
                Some(count) => Some(ExpertGroups {
                    count,
                    used: required("expert_group_used_count")?,
                    best: if sigmoid { 2 } else { 1 },
                }),
            },
        }),
    };
    let kv_heads = (0..layers).filter_map(|layer| of_layer("attention.head_count_kv", layer)).max();
    let kv_heads = kv_heads.filter(|n| *n > 0).unwrap_or(heads);
    let feed_forward_size = match (0..layers).filter_map(|layer| of_layer("feed_forward_length", layer)).max() {
        // Where no layer has such a part.
        Some(0) if expert_count == 0 => 0,
        None | Some(0) => expert_size()?,
        Some(size) => size,
    };
    let pattern = meta.get(&key("attention.sliding_window_pattern"));
    let windowed = |index: usize| match (pattern, family.windows) {
        (Some(Value::Array(all)), _) => all.get(index).and_then(Value::as_bool).unwrap_or(false),
        (_, Windows::Never) => false,
        (_, Windows::All) => true,
        (pattern, Windows::FullEvery(n)) => {
            let n = pattern.and_then(Value::as_u64).map_or(n, |n| n as usize);
            n == 0 || !(index + 1).is_multiple_of(n)
        }
    };
    let own_kv = layers - number("attention.shared_kv_layers").unwrap_or(0).min(layers);
    let windowed_dim = number("attention.key_length_swa").unwrap_or(head_dim);
    let delta_net = match family.delta_net {
        None => None,
        Some(sharing) => {
            let value_heads = required("ssm.time_step_rank")?;
            Some(DeltaNetShape {
                key_heads: required("ssm.group_count")?,
                value_heads,
                key_dim: required("ssm.state_size")?,
                value_dim: required("ssm.inner_size")? / value_heads.max(1),
                conv_width: required("ssm.conv_kernel")?,
                sharing,
            })
        }
    };
    let attention_every = number("full_attention_interval").unwrap_or(4).max(1);
    let recurrent = |index: usize| match meta.get(&key("attention.recurrent_layers")) {
        Some(Value::Array(all)) => matches!(all.get(index), Some(Value::Bool(true))),
        _ => !(index + 1).is_multiple_of(attention_every),
    };
    let recurrence = match family.recurrence {
        None => None,
        Some(Recurrence::Mamba) => Some(MixerKind::Mamba(Selective {
            inner: required("ssm.inner_size")?,
            states: required("ssm.state_size")?,
            rank: required("ssm.time_step_rank")?,
            conv_width: required("ssm.conv_kernel")?,
            // Falcon Mamba's and Jamba's.
            norm_eps: match meta.bool(&key("ssm.dt_b_c_rms")).unwrap_or(architecture == "jamba") {
                true => float("attention.layer_norm_rms_epsilon").map(|eps| eps as f32),
                false => None,
            },
        })),
        Some(Recurrence::Mamba2) => {
            let heads = required("ssm.time_step_rank")?;
            Some(MixerKind::Mamba2(StateSpace {
                heads,
                head_dim: required("ssm.inner_size")? / heads.max(1),
                states: required("ssm.state_size")?,
                groups: number("ssm.group_count").unwrap_or(1),
                conv_width: required("ssm.conv_kernel")?,
                time_step_limit: (0.0, f32::INFINITY),
            }))
        }
    };
    let single = family.residual == Residual::Single;
    let layer = |index: usize| {
        let windowed_here = window.is_some() && windowed(index);
        LayerConfig {
            window: window.filter(|_| windowed_here),
            rotation: match family.rope_free_every {
                _ if rwkv7.is_some() => None,
                // Granite's newest say so by this.
                _ if meta.bool(&key("rope.scaling.finetuned")) == Some(false) && recurrence.is_some() => None,
                Some(n) if (index + 1).is_multiple_of(n) => None,
                _ if family.rope_in_windows && window.is_some() && !windowed_here => None,
                _ => Some(if windowed_here { rotations.len() - 1 } else { 0 }),
            },
            kv_heads: match &latent {
                Some(_) => 1,
                // Layers without attention have none.
                None => of_layer("attention.head_count_kv", index).filter(|n| *n > 0).unwrap_or(kv_heads),
            },
            head_dim: if windowed_here { windowed_dim } else { head_dim },
            kv_of: (0..own_kv).rev().find(|of| index >= own_kv && windowed(*of) == windowed(index)),
            feed_forward_size: of_layer("feed_forward_length", index).filter(|n| *n > 0).unwrap_or(feed_forward_size),
            experts: expert_count > 0
                && index >= dense_layers
                && gguf.tensor(&format!("blk.{index}.ffn_gate_inp.weight")).is_some(),
            mixer: match (of_layer("attention.head_count_kv", index), number("shortconv.l_cache"), recurrence) {
                (Some(0), Some(width), _) => MixerKind::ShortConv { width },
                (None | Some(0), _, Some(_)) if single && of_layer("feed_forward_length", index) > Some(0) => {
                    MixerKind::None
                }
                (None | Some(0), _, Some(recurrence)) => recurrence,
                _ => match (delta_net, rwkv7) {
                    (Some(shape), _) if recurrent(index) => MixerKind::DeltaNet(shape),
                    (_, Some(shape)) => MixerKind::Rwkv7(shape),
                    _ => MixerKind::Attention,
                },
            },
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
        attention: family
            .score_scale
            .or(float("attention.scale").filter(|s| *s > 0.0))
            .unwrap_or(sharper * (scored_dim as f64).powf(-0.5)),
        // Granite's divides, Cohere's multiplies.
        logits: float("logit_scale")
            .filter(|s| *s > 0.0)
            .map_or(1.0, |scale| if family.multiplied_logits { scale } else { 1.0 / scale }),
        attention_cap: float("attn_logit_softcapping").filter(|c| *c > 0.0),
        logits_cap: float("final_logit_softcapping").filter(|c| *c > 0.0),
        qkv_bound: float("attention.clamp_kqv").filter(|c| *c > 0.0),
        position: float("attention.temperature_scale")
            .filter(|beta| *beta > 0.0)
            .map(|beta| PositionScale { beta, context: original_context }),
    };
    DecoderConfig {
        family,
        architecture: architecture.to_owned(),
        hidden_size,
        heads,
        layer_embedding_size: number("embedding_length_per_layer_input").unwrap_or(0),
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
