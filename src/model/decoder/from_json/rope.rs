//! How heads are rotated, and what numbers are scaled by.

use serde_json::Value as Json;

use super::Reader;
use crate::model::Error;
use crate::model::decoder::config::{PositionScale, Rotation, Scales};
use crate::model::decoder::family::WindowedRope;
use crate::model::decoder::rope::RopeScaling;

impl Reader<'_> {
    /// The rotation of layers that see all, whose heads are `full_dim` wide, and that of windowed ones where it
    /// differs.
    pub(super) fn rotations(&self, full_dim: usize, windowed_dim: usize) -> Result<Vec<Rotation>, Error> {
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

    pub(super) fn rotation(&self, rope: &Json, head_dim: usize, theta: Option<f64>) -> Result<Rotation, Error> {
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
        // MiniMax's files say how many components turn.
        let turning = self.json["rotary_dim"].as_u64().filter(|_| fraction.is_none());
        let dim = turning.map_or((head_dim as f64 * fraction.unwrap_or(1.0)) as usize, |dim| dim as usize);
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

    pub(super) fn scales(&self, hidden_size: usize, head_dim: usize) -> Scales {
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
