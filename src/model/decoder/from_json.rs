//! A decoder's shape from Hugging Face's `config.json`.
//!
//! Keys: the `configuration_*.py` of each family in <https://github.com/huggingface/transformers>.

use serde_json::Value as Json;

use super::config::{
    DecoderConfig, DeltaNetShape, ExpertGroups, Experts, Latent, LayerConfig, MAX_LAYERS, MixerKind, PositionScale,
    Rotation, Rwkv7Shape, Scales, Selective, StateSpace, UNBOUNDED_CONTEXT,
};
use super::family::{Activation, FAMILIES, Family, KeySharing, NormKind, Recurrence, Residual, WindowedRope, Windows};
use super::feed_forward::{SILU_BOUND, SILU_SLOPE};
use super::packed::Packing;
use super::rope::RopeScaling;
use crate::model::Error;

/// The configuration that `json` describes; `file` is what errors mention.
pub fn config(json: &Json, file: &str) -> Result<DecoderConfig, Error> {
    let reader = Reader::new(json, file)?;
    Packing::of(json).map_err(|what| reader.unsupported(what))?;
    reader.config()
}

/// The family of the text model that `json` describes, if it runs.
pub fn family(json: &Json) -> Option<&'static Family> {
    let name = text_model(json)["model_type"].as_str()?;
    FAMILIES.iter().find(|family| family.hf_model_types.contains(&name))
}

/// The text model's part, where the model also sees.
fn text_model(json: &Json) -> &Json {
    if json["text_config"]["model_type"].is_string() { &json["text_config"] } else { json }
}

/// The JSON of `text`, where Python may have written numbers that JSON has not: they are read as null.
pub fn parse(text: &str) -> serde_json::Result<Json> {
    let strict = serde_json::from_str(text);
    if strict.is_ok() {
        return strict;
    }
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    for part in text.split_inclusive('"') {
        match in_string {
            true => out.push_str(part),
            false => {
                out.push_str(&part.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null"))
            }
        }
        let before_quote = part.strip_suffix('"').unwrap_or(part);
        let backslashes = before_quote.len() - before_quote.trim_end_matches('\\').len();
        in_string = if in_string { backslashes % 2 == 1 } else { true };
    }
    serde_json::from_str(&out)
}

struct Reader<'a> {
    file: &'a str,
    /// The text model's part, where the model also sees.
    json: &'a Json,
    architecture: &'a str,
    family: &'static Family,
}

impl<'a> Reader<'a> {
    fn new(json: &'a Json, file: &'a str) -> Result<Reader<'a>, Error> {
        let reason = || "it has no model_type".to_owned();
        let json = text_model(json);
        let architecture =
            json["model_type"].as_str().ok_or_else(|| Error::Config { file: file.to_owned(), reason: reason() })?;
        let family = family(json).ok_or_else(|| {
            let what = format!("architecture {architecture:?}");
            Error::Unsupported { file: file.to_owned(), what }
        })?;
        Ok(Reader { file, json, architecture, family })
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Config { file: self.file.to_owned(), reason }
    }

    fn unsupported(&self, what: String) -> Error {
        let what = format!("{what} in {:?}", self.architecture);
        Error::Unsupported { file: self.file.to_owned(), what }
    }

    /// The first of `names` that is a number.
    fn number(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.json[*name].as_u64()).map(|v| v as usize)
    }

    fn required(&self, names: &[&str]) -> Result<usize, Error> {
        self.number(names).ok_or_else(|| self.wrong(format!("it has no {}", names[0])))
    }

    fn float(&self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| self.json[*name].as_f64())
    }

    fn config(&self) -> Result<DecoderConfig, Error> {
        let json = self.json;
        if json["use_bidirectional_attention"] == "all" {
            return Err(self.unsupported("attention in both directions".to_owned()));
        }
        if self.architecture == "gpt2" && json["scale_attn_weights"] == false {
            return Err(self.unsupported("scale_attn_weights = false".to_owned()));
        }
        let unheard_of = [
            ("falcon", "alibi"),
            ("phi", "qk_layernorm"),
            ("gpt2", "scale_attn_by_inverse_layer_idx"),
            ("nemotron_h", "moe_latent_size"),
        ];
        let asks = |what: &str| json[what] == true || json[what].as_u64().is_some_and(|size| size > 0);
        if let Some((_, what)) = unheard_of.iter().find(|(of, what)| *of == self.architecture && asks(what)) {
            return Err(self.unsupported(format!("{what:?}")));
        }
        if json["use_bidirectional_attention"] == true || json["is_causal"] == false {
            return Err(self.unsupported("attention in both directions".to_owned()));
        }
        let hidden_size = self.required(&["hidden_size", "n_embd"])?;
        let rwkv7 = self.rwkv7()?;
        let heads = match (rwkv7, self.number(&["num_attention_heads", "n_head"])) {
            (Some(shape), _) => hidden_size / shape.head_dim.max(1),
            // Where nothing attends.
            (None, None) if self.family.recurrence.is_some() => 1,
            (None, heads) => heads.ok_or_else(|| self.wrong("it has no num_attention_heads".to_owned()))?,
        };
        let latent = self.latent()?;
        if self.architecture.starts_with("deepseek") && self.json["rope_interleave"] == false {
            return Err(self.unsupported("rope_interleave = false".to_owned()));
        }
        let head_dim = match &latent {
            Some(latent) => latent.rank + latent.rope_dim,
            None => self.number(&["head_dim"]).unwrap_or(hidden_size / heads.max(1)),
        };
        let kv_heads = if latent.is_some() { 1 } else { self.kv_heads(heads) };
        let experts = self.experts()?;
        let full_dim =
            if self.architecture == "gemma4_text" { self.full_heads(kv_heads, head_dim).1 } else { head_dim };
        let rotations = match latent {
            Some(latent) => self.rotations(latent.rope_dim, latent.rope_dim)?,
            None => self.rotations(full_dim, head_dim)?,
        };
        DecoderConfig {
            family: self.family,
            architecture: self.architecture.to_owned(),
            hidden_size,
            heads,
            context_length: match self.number(&["max_position_embeddings", "n_positions"]) {
                // What RWKV's files say was trained with is no bound.
                _ if rwkv7.is_some() => UNBOUNDED_CONTEXT,
                None if self.family.recurrence.is_some() => UNBOUNDED_CONTEXT,
                length => length.ok_or_else(|| self.wrong("it has no max_position_embeddings".to_owned()))?,
            },
            norm_eps: self
                .float(&["rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"])
                // OLMo's is fixed, and its files do not say it.
                .unwrap_or(if self.family.norm == NormKind::LayerPlain { 1e-5 } else { 1e-6 }),
            residual: self.residual(),
            activation: self.activation()?,
            layers: self.layers(hidden_size, (kv_heads, head_dim), experts.is_some(), rotations.len())?,
            layer_embedding_size: self.number(&["hidden_size_per_layer_input"]).unwrap_or(0),
            scales: self.scales(hidden_size, latent.map_or(head_dim, |latent| latent.nope_dim + latent.rope_dim)),
            latent,
            rotations,
            experts,
        }
        .checked(self.file)
    }

    fn feed_forward_size(&self, hidden_size: usize) -> usize {
        let names = ["shared_intermediate_size", "block_ff_dim", "ffn_hidden_size", "n_inner", "intermediate_size"];
        let size = self.number(&names).unwrap_or_else(|| match self.float(&["hidden_ratio"]) {
            Some(ratio) => ((ratio * hidden_size as f64) as usize).min(1 << 31).next_multiple_of(32),
            None => 4 * hidden_size,
        });
        if self.json["block_auto_adjust_ff_dim"] != true {
            return size;
        }
        // LFM2 says how wide an ungated layer of as many weights would be.
        let size = 2 * size / 3;
        match self.float(&["block_ffn_dim_multiplier"]) {
            Some(factor) => {
                let multiple = self.number(&["block_multiple_of"]).unwrap_or(1).max(1);
                ((factor * size as f64) as usize).next_multiple_of(multiple)
            }
            None => size,
        }
    }

    fn latent(&self) -> Result<Option<Latent>, Error> {
        let Some(rank) = self.number(&["kv_lora_rank"]) else { return Ok(None) };
        Ok(Some(Latent {
            query_rank: self.number(&["q_lora_rank"]),
            rank,
            nope_dim: self.required(&["qk_nope_head_dim"])?,
            rope_dim: self.required(&["qk_rope_head_dim"])?,
            v_dim: self.required(&["v_head_dim"])?,
        }))
    }

    fn kv_heads(&self, heads: usize) -> usize {
        if self.architecture != "falcon" {
            return self.number(&["num_key_value_heads"]).unwrap_or(heads);
        }
        match (self.json["new_decoder_architecture"] == true, self.json["multi_query"] == false) {
            (true, _) => self.number(&["num_kv_heads"]).unwrap_or(heads),
            (false, true) => heads,
            (false, false) => 1,
        }
    }

    /// KV heads and head size of the layers that see everything, which Gemma 4 gives others than `kv_heads` and
    /// `head_dim`.
    fn full_heads(&self, kv_heads: usize, head_dim: usize) -> (usize, usize) {
        // Files that transformers wrote again list the layers that differ.
        let listed = self.json["per_layer_config"].as_object().and_then(|layers| layers.values().next());
        let listed = |name: &str| listed.map(|layer| layer[name].as_u64().map(|n| n as usize));
        let global = self.number(&["num_global_key_value_heads"]).filter(|_| self.json["attention_k_eq_v"] == true);
        (
            listed("num_key_value_heads").unwrap_or(global).unwrap_or(kv_heads),
            listed("head_dim").unwrap_or(self.number(&["global_head_dim"]).or(Some(512))).unwrap_or(head_dim),
        )
    }

    fn residual(&self) -> Residual {
        let parallel = ["use_parallel_residual", "parallel_attn"].iter().find_map(|name| self.json[*name].as_bool());
        // Falcon's later decoder is always parallel, whatever the older switch says.
        match parallel.filter(|_| self.json["new_decoder_architecture"] != true) {
            Some(true) => Residual::Parallel,
            Some(false) => Residual::Pre,
            None => self.family.residual,
        }
    }

    fn activation(&self) -> Result<Activation, Error> {
        if self.family.activation == Activation::BoundedSilu {
            // The file says silu; what it means is fixed but for two numbers, which no file has changed.
            return match (self.float(&["swiglu_limit"]), self.float(&["swiglu_alpha"])) {
                (None | Some(SILU_BOUND), None | Some(SILU_SLOPE)) => Ok(Activation::BoundedSilu),
                other => Err(self.unsupported(format!("swiglu_limit and swiglu_alpha {other:?}"))),
            };
        }
        let names = ["mlp_hidden_act", "hidden_activation", "hidden_act", "activation_function", "activation"];
        match names.iter().find_map(|name| self.json[*name].as_str()) {
            None => Ok(self.family.activation),
            // Gemma's first files say gelu and mean its approximation.
            Some("gelu") if self.architecture == "gemma" => Ok(Activation::GeluTanh),
            Some("gelu") => Ok(Activation::Gelu),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("sqrelu" | "relu2") => Ok(Activation::ReluSquared),
            Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") => Ok(Activation::GeluTanh),
            Some(other) => Err(self.unsupported(format!("activation {other:?}"))),
        }
    }

    fn experts(&self) -> Result<Option<Experts>, Error> {
        let least = if self.architecture == "jamba" { 2 } else { 1 };
        let names = ["num_local_experts", "num_experts", "n_routed_experts"];
        let Some(count) = self.number(&names).filter(|count| *count >= least) else {
            return Ok(None);
        };
        let feed_forward_size = self.required(&["moe_intermediate_size", "intermediate_size"])?;
        // DeepSeek V3 and what follows it scores by sigmoid and groups by their best two; V2 by softmax and their best.
        let third = self.family.experts_by_sigmoid;
        let grouped = third || self.json["topk_method"] == "group_limited_greedy";
        let groups = self.number(&["n_group"]).filter(|count| grouped && *count > 1);
        let shared = self.number(&["n_shared_experts"]).map(|count| count * feed_forward_size);
        let shared_sizes =
            ["shared_expert_intermediate_size", "shared_intermediate_size", "moe_shared_expert_intermediate_size"];
        let sum_to_one = match self.architecture {
            // transformers does not read what its files say.
            "deepseek_v2" => None,
            _ => self.json["norm_topk_prob"].as_bool(),
        };
        Ok(Some(Experts {
            count,
            used: self.required(&["num_experts_per_tok", "top_k_experts"])?,
            feed_forward_size,
            shared_feed_forward_size: self.number(&shared_sizes).or(shared).unwrap_or(0),
            sum_to_one: sum_to_one.unwrap_or(self.family.experts_sum_to_one),
            scale: self.float(&["routed_scaling_factor"]).unwrap_or(1.0),
            sigmoid: third,
            groups: match groups {
                None => None,
                Some(count) => {
                    Some(ExpertGroups { count, used: self.required(&["topk_group"])?, best: if third { 2 } else { 1 } })
                }
            },
        }))
    }

    fn layers(
        &self,
        hidden_size: usize,
        (kv_heads, head_dim): (usize, usize),
        experts: bool,
        rotations: usize,
    ) -> Result<Vec<LayerConfig>, Error> {
        let json = self.json;
        let count = match json["layers_block_type"].as_array() {
            Some(kinds) => kinds.len(),
            None => self.required(&["num_hidden_layers", "n_layer", "num_layers"])?,
        };
        if count > MAX_LAYERS {
            return Err(self.wrong(format!("layers is {count}")));
        }
        let window = self.number(&["sliding_window"]);
        let full_every = self.number(&["sliding_window_pattern"]);
        // Granite's newest do without unless they say otherwise.
        let unrotated = self.architecture == "granitemoehybrid" && json["position_embedding_type"] != "rope";
        let with_rope = |index: usize| match json["no_rope_layers"].get(index).and_then(Json::as_u64) {
            Some(flag) => flag != 0,
            None => {
                let every = self.number(&["no_rope_layer_interval"]).or(self.family.rope_free_every);
                every.is_none_or(|n| !(index + 1).is_multiple_of(n))
            }
        };
        let first = self.number(&["first_k_dense_replace", "num_dense_layers"]).unwrap_or(0);
        let step = self.number(&["decoder_sparse_step"]).unwrap_or(1).max(1);
        let conv_width = self.number(&["conv_L_cache"]).unwrap_or(0);
        let recurrence = self.recurrence()?;
        let delta_net = self.delta_net()?;
        let rwkv7 = self.rwkv7()?;
        let attention_every = self.number(&["full_attention_interval"]).unwrap_or(4).max(1);
        let feed_forward_size = self.feed_forward_size(hidden_size);
        // The last layers use the keys and values of the last before them of their kind.
        let own_kv = count - self.number(&["num_kv_shared_layers"]).unwrap_or(0).min(count);
        let full_heads = self.full_heads(kv_heads, head_dim);
        let windowed = |index: usize| {
            let windowed = match json["layer_types"].get(index).and_then(Json::as_str) {
                Some(kind) => kind == "sliding_attention",
                // Qwen's switch, and the first layer that it turns on.
                None if json["use_sliding_window"].is_boolean() => {
                    json["use_sliding_window"] == true && index >= self.number(&["max_window_layers"]).unwrap_or(0)
                }
                None => match (self.family.windows, full_every) {
                    (Windows::FullEvery(n), pattern) => !(index + 1).is_multiple_of(pattern.unwrap_or(n).max(1)),
                    (Windows::All, _) => true,
                    (Windows::Never, _) => false,
                },
            };
            windowed && window.is_some()
        };
        let layer = |index: usize| {
            let windowed_here = windowed(index);
            let full_without_rope = self.family.rope_in_windows && window.is_some() && !windowed_here;
            let kind = self.layer_kind(index);
            let dense = kind == Some("mlp")
                || json["mlp_layer_types"].get(index).is_some_and(|kind| *kind == "dense")
                || json["mlp_only_layers"].as_array().is_some_and(|all| all.contains(&index.into()))
                || self.periodic("expert_layer", index) == Some(false);
            let widened = self.architecture == "gemma4_text" && !windowed_here;
            let (kv_heads, head_dim) = if widened { full_heads } else { (kv_heads, head_dim) };
            let shares = index >= own_kv;
            LayerConfig {
                window: window.filter(|_| windowed_here),
                rotation: (with_rope(index) && !unrotated && !full_without_rope && rwkv7.is_none())
                    .then(|| if windowed_here { rotations - 1 } else { 0 }),
                kv_heads,
                head_dim,
                kv_of: (0..own_kv).rev().find(|of| shares && windowed(*of) == windowed_here),
                feed_forward_size: match shares && json["use_double_wide_mlp"] == true {
                    true => 2 * feed_forward_size,
                    false => feed_forward_size,
                },
                experts: experts && !dense && index >= first && (index + 1).is_multiple_of(step),
                mixer: match (kind, recurrence, delta_net) {
                    _ if let Some(shape) = rwkv7 => MixerKind::Rwkv7(shape),
                    (Some("conv"), ..) => MixerKind::ShortConv { width: conv_width },
                    (Some("mlp" | "moe"), ..) if self.family.residual == Residual::Single => MixerKind::None,
                    (None | Some("mamba" | "linear_attention"), Some(recurrence), _) => recurrence,
                    (Some("linear_attention"), _, Some(shape)) => MixerKind::DeltaNet(shape),
                    (None, _, Some(shape)) if !(index + 1).is_multiple_of(attention_every) => {
                        MixerKind::DeltaNet(shape)
                    }
                    _ => MixerKind::Attention,
                },
            }
        };
        Ok((0..count).map(layer).collect())
    }

    fn rwkv7(&self) -> Result<Option<Rwkv7Shape>, Error> {
        if self.architecture != "rwkv7" {
            return Ok(None);
        }
        if !self.json["attn"].is_null() {
            return Err(self.unsupported("layers of attention".to_owned()));
        }
        if self.json["norm_first"] == false {
            return Err(self.unsupported("an embedding without norm".to_owned()));
        }
        let by_count =
            self.number(&["num_heads"]).map(|heads| self.number(&["hidden_size"]).unwrap_or(0) / heads.max(1));
        Ok(Some(Rwkv7Shape {
            head_dim: self.number(&["head_dim"]).or(by_count).unwrap_or(64),
            fused_norms: self.json["fuse_norm"] != false,
        }))
    }

    fn delta_net(&self) -> Result<Option<DeltaNetShape>, Error> {
        if self.family.delta_net.is_none() {
            return Ok(None);
        }
        Ok(Some(DeltaNetShape {
            key_heads: self.required(&["linear_num_key_heads"])?,
            value_heads: self.required(&["linear_num_value_heads"])?,
            key_dim: self.required(&["linear_key_head_dim"])?,
            value_dim: self.required(&["linear_value_head_dim"])?,
            conv_width: self.required(&["linear_conv_kernel_dim"])?,
            sharing: KeySharing::Neighbours,
        }))
    }

    /// What layer `index` is said to be.
    fn layer_kind(&self, index: usize) -> Option<&str> {
        let json = self.json;
        if let Some(attends) = json["attn_layer_indices"].as_array() {
            return attends.contains(&index.into()).then_some("attention");
        }
        if let Some(attends) = self.periodic("attn_layer", index) {
            return attends.then_some("attention");
        }
        if let Some(pattern) = json["hybrid_override_pattern"].as_str() {
            return match pattern.as_bytes().get(index)? {
                b'*' => Some("attention"),
                b'-' => Some("mlp"),
                b'E' => Some("moe"),
                _ => None,
            };
        }
        ["layer_types", "layers_block_type"].iter().find_map(|name| json[*name].get(index)?.as_str())
    }

    /// Whether layer `index` is one of those that `what_period` and `what_offset` tell, if they are given.
    fn periodic(&self, what: &str, index: usize) -> Option<bool> {
        let [period, offset] = ["period", "offset"].map(|part| self.number(&[&format!("{what}_{part}")]));
        Some(index % period?.max(1) == offset?)
    }

    /// What the family's layers are that do not attend.
    fn recurrence(&self) -> Result<Option<MixerKind>, Error> {
        let Some(recurrence) = self.family.recurrence else { return Ok(None) };
        match ["mamba_hidden_act", "hidden_act"].iter().find_map(|name| self.json[*name].as_str()) {
            None | Some("silu" | "swish") => {}
            Some(other) => return Err(self.unsupported(format!("activation {other:?}"))),
        }
        let hidden_size = self.required(&["hidden_size"])?;
        let states = self.required(&["mamba_d_state", "ssm_state_size", "state_size"])?;
        let conv_width = self.number(&["mamba_d_conv", "conv_kernel"]).unwrap_or(4);
        let inner = || match self.float(&["mamba_expand", "expand"]) {
            Some(expand) => (expand * hidden_size as f64) as usize,
            None => hidden_size.saturating_mul(2),
        };
        Ok(Some(match recurrence {
            Recurrence::Mamba => MixerKind::Mamba(Selective {
                inner: match self.number(&["mamba_expand"]) {
                    None => self.number(&["intermediate_size"]).unwrap_or_else(inner),
                    Some(_) => inner(),
                },
                states,
                rank: self.number(&["mamba_dt_rank", "time_step_rank"]).unwrap_or(hidden_size.div_ceil(16)),
                conv_width,
                norm_eps: (self.architecture != "mamba")
                    .then(|| self.float(&["mixer_rms_eps", "rms_norm_eps"]).unwrap_or(1e-6) as f32),
            }),
            Recurrence::Mamba2 => {
                let heads = self.required(&["mamba_n_heads", "mamba_num_heads", "num_heads"])?;
                let limit = |index: usize| self.json["time_step_limit"].get(index).and_then(Json::as_f64);
                // What transformers does with Nemotron's, whatever the limit.
                let least = self.float(&["time_step_min"]).filter(|_| self.architecture == "nemotron_h");
                MixerKind::Mamba2(StateSpace {
                    heads,
                    // Granite's files may say "auto".
                    head_dim: self
                        .number(&["mamba_d_head", "mamba_head_dim"])
                        .unwrap_or_else(|| inner() / heads.max(1)),
                    states,
                    groups: self.number(&["mamba_n_groups", "n_groups"]).unwrap_or(1),
                    conv_width,
                    time_step_limit: (
                        least.or(limit(0)).unwrap_or(0.0) as f32,
                        limit(1).map_or(f32::INFINITY, |limit| limit as f32),
                    ),
                })
            }
        }))
    }

    /// The rotation of layers that see all, whose heads are `full_dim` wide, and that of windowed ones where it
    /// differs.
    fn rotations(&self, full_dim: usize, windowed_dim: usize) -> Result<Vec<Rotation>, Error> {
        let json = self.json;
        // Newer files gather the rotation under rope_parameters, by kind of layer where they differ;
        // older ones have rope_theta and rope_scaling.
        let newer = &json["rope_parameters"];
        if newer["full_attention"].is_object() {
            let full = self.rotation(&newer["full_attention"], full_dim, None)?;
            let windowed = self.rotation(&newer["sliding_attention"], windowed_dim, None)?;
            return Ok(vec![full, windowed]);
        }
        let full = self.rotation(if newer.is_object() { newer } else { &json["rope_scaling"] }, full_dim, None)?;
        let local = self.float(&["rope_local_base_freq"]);
        let theta = match (local, self.family.windowed_rope) {
            (None, WindowedRope::Same) => return Ok(vec![full]),
            (Some(theta), _) | (None, WindowedRope::Theta(theta)) => theta,
            (None, WindowedRope::Unscaled) => full.theta,
        };
        Ok(vec![full, self.rotation(&Json::Null, windowed_dim, Some(theta))?])
    }

    fn rotation(&self, rope: &Json, head_dim: usize, theta: Option<f64>) -> Result<Rotation, Error> {
        let theta = theta.or(rope["rope_theta"].as_f64()).or(self.float(&["rope_theta", "rotary_emb_base"]));
        let kind = rope["rope_type"].as_str().or(rope["type"].as_str()).unwrap_or("default");
        let parameter =
            |name: &str| rope[name].as_f64().ok_or_else(|| self.wrong(format!("rope scaling {kind:?} has no {name}")));
        let context = || {
            let named = rope["original_max_position_embeddings"].as_f64();
            named.or(self.float(&["original_max_position_embeddings", "max_position_embeddings"])).unwrap_or(0.0)
        };
        let fraction = match kind {
            "proportional" => None,
            _ => rope["partial_rotary_factor"].as_f64().or(self.float(&["partial_rotary_factor", "rotary_pct"])),
        };
        let usual = if self.family.delta_net.is_some() { 0.25 } else { 1.0 };
        let dim = (head_dim as f64 * fraction.unwrap_or(usual)) as usize;
        let scaling = match kind {
            // Images and text have axes of their own in multimodal files; text alone turns as ever.
            "default" | "mrope" => RopeScaling::None,
            // It differs only past the context that is allowed here.
            "dynamic" => RopeScaling::None,
            "linear" => RopeScaling::Linear { factor: parameter("factor")? },
            "llama3" => RopeScaling::Llama3 {
                factor: parameter("factor")?,
                low_freq_factor: parameter("low_freq_factor")?,
                high_freq_factor: parameter("high_freq_factor")?,
                original_context: parameter("original_max_position_embeddings")?,
            },
            "yarn" => {
                let factor = parameter("factor")?;
                RopeScaling::Yarn {
                    factor,
                    original_context: context(),
                    beta_fast: rope["beta_fast"].as_f64().unwrap_or(32.0),
                    beta_slow: rope["beta_slow"].as_f64().unwrap_or(1.0),
                    magnitude: yarn_magnitude(rope, factor),
                    whole_steps: rope["truncate"].as_bool().unwrap_or(true),
                }
            }
            "longrope" | "su" => {
                let factors = |name: &str| -> Result<Vec<f32>, Error> {
                    let factors = rope[name].as_array().map(|all| all.iter().filter_map(Json::as_f64));
                    let factors: Vec<f32> = factors.into_iter().flatten().map(|f| f as f32).collect();
                    match factors.len() == dim / 2 {
                        true => Ok(factors),
                        false => Err(self.wrong(format!("{name} has {} numbers, not {}", factors.len(), dim / 2))),
                    }
                };
                let original = context();
                let factor = rope["factor"].as_f64().unwrap_or_else(|| {
                    self.float(&["max_position_embeddings"]).unwrap_or(original) / original.max(1.0)
                });
                let stretched = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original.ln()).sqrt() };
                RopeScaling::Long {
                    short: factors("short_factor")?,
                    long: factors("long_factor")?,
                    original_context: original as usize,
                    magnitude: rope["attention_factor"].as_f64().unwrap_or(stretched),
                }
            }
            "proportional" => RopeScaling::Proportional {
                part: rope["partial_rotary_factor"].as_f64().unwrap_or(1.0),
                factor: rope["factor"].as_f64().unwrap_or(1.0),
            },
            other => return Err(self.unsupported(format!("rope scaling {other:?}"))),
        };
        let mut theta = theta.unwrap_or(10_000.0);
        // Hunyuan's base, stretched for all positions alike (NTK-aware scaling).
        if let (Some(alpha), true) = (rope["alpha"].as_f64(), kind == "dynamic") {
            theta *= alpha.powf(dim as f64 / (dim as f64 - 2.0));
        }
        Ok(Rotation { theta, dim, pairs: self.family.hf_rope_pairs, scaling })
    }

    fn scales(&self, hidden_size: usize, head_dim: usize) -> Scales {
        let by_root = |n: f64| n.powf(-0.5);
        let rope = match &self.json["rope_parameters"] {
            Json::Null => &self.json["rope_scaling"],
            newer => newer,
        };
        // DeepSeek's YaRN scales the scores besides.
        let sharper = match (rope["mscale_all_dim"].as_f64(), rope["factor"].as_f64()) {
            (Some(mscale), Some(factor)) if mscale != 0.0 => yarn_log(mscale, factor).powi(2),
            _ => 1.0,
        };
        Scales {
            embedding: self.float(&["embedding_multiplier"]).unwrap_or(if self.family.scaled_embedding {
                (hidden_size as f64).sqrt()
            } else {
                1.0
            }),
            residual: self.float(&["residual_multiplier"]).unwrap_or(1.0),
            attention: self
                .family
                .score_scale
                .or(self.float(&["attention_multiplier"]))
                .or(self.float(&["query_pre_attn_scalar"]).map(by_root))
                .unwrap_or(
                    by_root(head_dim as f64) * if self.number(&["kv_lora_rank"]).is_some() { sharper } else { 1.0 },
                ),
            // Granite divides, Cohere multiplies.
            logits: self.float(&["logit_scale"]).unwrap_or(1.0) / self.float(&["logits_scaling"]).unwrap_or(1.0),
            attention_cap: self.float(&["attn_logit_softcapping"]),
            logits_cap: self.float(&["final_logit_softcapping"]),
            qkv_bound: self.float(&["clip_qkv"]),
            position: rope["llama_4_scaling_beta"].as_f64().map(|beta| PositionScale {
                beta,
                context: rope["original_max_position_embeddings"].as_f64().unwrap_or(f64::INFINITY),
            }),
        }
    }
}

/// What YaRN multiplies cosines and sines with (Peng et al., 2023, <https://arxiv.org/abs/2309.00071>,
/// and DeepSeek's two `mscale`).
fn yarn_magnitude(rope: &Json, factor: f64) -> f64 {
    if let Some(given) = rope["attention_factor"].as_f64() {
        return given;
    }
    match (rope["mscale"].as_f64(), rope["mscale_all_dim"].as_f64()) {
        (Some(one), Some(all)) if one != 0.0 && all != 0.0 => yarn_log(one, factor) / yarn_log(all, factor),
        _ => yarn_log(1.0, factor),
    }
}

fn yarn_log(mscale: f64, factor: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_only_python_knows_are_null() {
        let json = parse(r#"{"a": [0.0, Infinity], "b": "NaN \" Infinity", "c": -Infinity, "d": NaN}"#).unwrap();
        assert_eq!(json, serde_json::json!({"a": [0.0, null], "b": "NaN \" Infinity", "c": null, "d": null}));
        assert!(parse("{Infinity").is_err());
    }
}
