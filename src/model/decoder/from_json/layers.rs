//! What each layer is.

use serde_json::Value as Json;

use super::Reader;
use crate::model::Error;
use crate::model::decoder::config::{
    DeltaNetShape, LayerConfig, MAX_LAYERS, MixerKind, Rwkv7Shape, Selective, StateSpace,
};
use crate::model::decoder::family::{KeySharing, Recurrence, Residual, Windows};

impl Reader<'_> {
    pub(super) fn layers(
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
        let window = self.number(&["sliding_window"]).filter(|window| *window > 0);
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

    /// What layer `index` is said to be.
    pub(super) fn layer_kind(&self, index: usize) -> Option<&str> {
        let json = self.json;
        if let Some(attends) = json["attn_layer_indices"].as_array() {
            return attends.contains(&index.into()).then_some("attention");
        }
        if let (Some(attends), true) = (json["full_attn_idxs"].as_array(), json["layer_types"].is_null()) {
            return Some(if attends.contains(&index.into()) { "full_attention" } else { "conv" });
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
    pub(super) fn periodic(&self, what: &str, index: usize) -> Option<bool> {
        let [period, offset] = ["period", "offset"].map(|part| self.number(&[&format!("{what}_{part}")]));
        Some(index % period?.max(1) == offset?)
    }

    pub(super) fn rwkv7(&self) -> Result<Option<Rwkv7Shape>, Error> {
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

    pub(super) fn delta_net(&self) -> Result<Option<DeltaNetShape>, Error> {
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

    /// What the family's layers are that do not attend.
    pub(super) fn recurrence(&self) -> Result<Option<MixerKind>, Error> {
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

    /// KV heads and head size of the layers that see everything, which Gemma 4 gives others than `kv_heads` and
    /// `head_dim`.
    pub(super) fn full_heads(&self, kv_heads: usize, head_dim: usize) -> (usize, usize) {
        // Files that transformers wrote again list the layers that differ.
        let listed = self.json["per_layer_config"].as_object().and_then(|layers| layers.values().next());
        let listed = |name: &str| listed.map(|layer| layer[name].as_u64().map(|n| n as usize));
        let global = self.number(&["num_global_key_value_heads"]).filter(|_| self.json["attention_k_eq_v"] == true);
        (
            listed("num_key_value_heads").unwrap_or(global).unwrap_or(kv_heads),
            listed("head_dim").unwrap_or(self.number(&["global_head_dim"]).or(Some(512))).unwrap_or(head_dim),
        )
    }

    pub(super) fn kv_heads(&self, heads: usize) -> usize {
        if self.architecture != "falcon" {
            return self.number(&["num_key_value_heads"]).unwrap_or(heads);
        }
        match (self.json["new_decoder_architecture"] == true, self.json["multi_query"] == false) {
            (true, _) => self.number(&["num_kv_heads"]).unwrap_or(heads),
            (false, true) => heads,
            (false, false) => 1,
        }
    }

    pub(super) fn feed_forward_size(&self, hidden_size: usize) -> usize {
        let names = ["shared_intermediate_size", "block_ff_dim", "ffn_hidden_size", "n_inner", "intermediate_size"];
        let size = self.number(&names).unwrap_or_else(|| match self.float(&["hidden_ratio"]) {
            Some(ratio) => ((ratio * hidden_size as f64) as usize).min(1 << 31).next_multiple_of(32),
            None => 4 * hidden_size,
        });
        if self.architecture != "lfm2" || self.json["block_auto_adjust_ff_dim"] == false {
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
}
