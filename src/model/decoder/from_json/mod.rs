//! A decoder's shape from Hugging Face's `config.json`.
//!
//! Keys: the `configuration_*.py` of each family in <https://github.com/huggingface/transformers>.

mod layers;
mod rope;

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::config::{DecoderConfig, ExpertGroups, Experts, Latent, UNBOUNDED_CONTEXT};
use super::families::FAMILIES;
use super::family::{Activation, Family, NormKind, Residual};
use super::feed_forward::{SILU_BOUND, SILU_SLOPE};
use super::packed::Packing;
use crate::model::Error;

/// What transformers takes where a file says nothing, by `model_type`: the class attributes of its `configuration_*.py`.
/// The part of a file that describes a model within another names only what differs from them.
static USUAL: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("defaults.json")).expect("a test parses the file that is built in")
});

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
pub fn text_model(json: &Json) -> &Json {
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
        self.given_or_usual(names, Json::as_u64).map(|v| v as usize)
    }

    /// What the file has under the first of `names` that `read` understands; what is usual, if it mentions none of them.
    fn given_or_usual<T>(&self, names: &[&str], read: impl Fn(&Json) -> Option<T>) -> Option<T> {
        let silent = names.iter().all(|name| self.json.get(*name).is_none());
        let json = if silent { &USUAL[self.architecture] } else { self.json };
        names.iter().find_map(|name| read(&json[*name]))
    }

    fn required(&self, names: &[&str]) -> Result<usize, Error> {
        self.number(names).ok_or_else(|| self.wrong(format!("it has no {}", names[0])))
    }

    fn float(&self, names: &[&str]) -> Option<f64> {
        self.given_or_usual(names, Json::as_f64)
    }

    fn config(&self) -> Result<DecoderConfig, Error> {
        let json = self.json;
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
        let both_ways = &json["use_bidirectional_attention"];
        if *both_ways == true || *both_ways == "all" || json["is_causal"] == false {
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
        let Some(count) = self.number(&names).filter(|count| *count >= least && self.json["enable_moe_block"] != false)
        else {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is published of Gemma 3's text model within one that also sees: the rest is the class's.
    #[test]
    fn what_a_file_does_not_say_is_as_transformers_has_it() {
        let text = r#"{"model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240,
            "model_type": "gemma3_text", "num_hidden_layers": 34, "sliding_window": 1024,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}}"#;
        let config = super::config(&super::parse(text).unwrap(), "config.json").unwrap();
        let layer = config.layers[0];
        assert_eq!((config.heads, layer.kv_heads, layer.head_dim, config.context_length), (8, 4, 256, 131_072));
        assert_eq!(config.rotations.iter().map(|rotation| rotation.theta).collect::<Vec<_>>(), [1e6, 1e4]);
        let windows: Vec<bool> = config.layers.iter().map(|layer| layer.window == Some(1024)).collect();
        assert_eq!(windows[..7], [true, true, true, true, true, false, true]);
        assert_eq!(config.scales.attention, 1.0 / 16.0);
    }

    #[test]
    fn numbers_that_only_python_knows_are_null() {
        let json = parse(r#"{"a": [0.0, Infinity], "b": "NaN \" Infinity", "c": -Infinity, "d": NaN}"#).unwrap();
        assert_eq!(json, serde_json::json!({"a": [0.0, null], "b": "NaN \" Infinity", "c": null, "d": null}));
        assert!(parse("{Infinity").is_err());
    }
}
