//! What an encoder is made of, from GGUF metadata or `config.json`.
//!
//! Keys: the `configuration_*.py` of each family in <https://github.com/huggingface/transformers>, and
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use serde_json::Value as Json;

use super::family::{FAMILIES, Family, Positions};
use crate::model::decoder::{Activation, MAX_LAYERS, RopePairs, RopeScaling, Rotation};
use crate::model::{Checkpoint, Error};
use crate::weights::{Metadata, Value};

/// The shape of an encoder.
#[derive(Debug, Clone)]
pub struct EncoderConfig {
    pub family: &'static Family,
    /// The name the file gives itself.
    pub architecture: String,
    pub hidden_size: usize,
    pub feed_forward_size: usize,
    pub heads: usize,
    /// Tokens that it reads at once.
    pub context_length: usize,
    /// Rows of the learned positions before that of the first token.
    pub first_position: usize,
    pub norm_eps: f64,
    pub activation: Activation,
    /// The rotations that layers choose from by index; none where positions are learned.
    pub rotations: Vec<Rotation>,
    pub layers: Vec<LayerConfig>,
}

/// What one layer has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerConfig {
    /// How many tokens to each side it sees; `None` is all.
    pub reach: Option<usize>,
    /// Which of the rotations it uses, if there are any.
    pub rotation: Option<usize>,
}

impl EncoderConfig {
    /// The encoder that `checkpoint` holds; `None` if what it holds is none.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<EncoderConfig>, Error> {
        let Some(family) = family(checkpoint) else { return Ok(None) };
        let read = match checkpoint {
            Checkpoint::Gguf(gguf) => from_gguf(&gguf.metadata, &gguf.file, family),
            Checkpoint::Folder { config, tensors, .. } => {
                from_json(config, &tensors.folder.join("config.json").display().to_string(), family)
            }
        };
        Ok(Some(read?))
    }

    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// Refuses numbers that no arithmetic could use: the file comes from a stranger.
    fn checked(self, file: &str) -> Result<EncoderConfig, Error> {
        let positive = [
            ("layers", self.layers.len()),
            ("hidden size", self.hidden_size),
            ("feed-forward size", self.feed_forward_size),
            ("heads", self.heads),
            ("context length", self.context_length),
        ];
        let wrong = |reason: String| Err(Error::Config { file: file.to_owned(), reason });
        if let Some((name, value)) = positive.iter().find(|(_, v)| *v == 0 || *v > 1 << 30) {
            return wrong(format!("{name} is {value}"));
        }
        if !self.hidden_size.is_multiple_of(self.heads) {
            return wrong(format!(
                "a hidden size of {} is not shared by {} heads evenly",
                self.hidden_size, self.heads
            ));
        }
        for rotation in &self.rotations {
            if rotation.dim == 0 || rotation.dim > self.head_dim() || !rotation.dim.is_multiple_of(2) {
                return wrong(format!("rope dimension {} does not fit heads of {}", rotation.dim, self.head_dim()));
            }
        }
        Ok(self)
    }
}

/// The row of the table that `checkpoint` belongs to.
fn family(checkpoint: &Checkpoint) -> Option<&'static Family> {
    let name = checkpoint.architecture()?;
    match checkpoint {
        Checkpoint::Gguf(_) => FAMILIES.iter().find(|f| f.gguf_architecture == name),
        Checkpoint::Folder { .. } => FAMILIES.iter().find(|f| f.hf_model_types.contains(&name)),
    }
}

fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "silu" | "swish" | "swiglu" => Activation::Silu,
        "gelu" | "geglu" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
        _ => return None,
    })
}

fn rotation(theta: f64, dim: usize) -> Rotation {
    Rotation { theta, dim, pairs: RopePairs::Halves, scaling: RopeScaling::None }
}

/// Layers of which every `n`th, beginning with the first, sees everything, and has the first rotation.
fn layers(count: usize, reach: Option<usize>, full_every: usize, rotations: usize) -> Vec<LayerConfig> {
    let layer = |index: usize| {
        let reach = reach.filter(|_| !index.is_multiple_of(full_every.max(1)));
        let rotation = rotations.checked_sub(1).map(|last| if reach.is_some() { last } else { 0 });
        LayerConfig { reach, rotation }
    };
    (0..count).map(layer).collect()
}

fn from_json(json: &Json, file: &str, family: &'static Family) -> Result<EncoderConfig, Error> {
    let architecture = json["model_type"].as_str().unwrap_or_default();
    let wrong = |reason: String| Error::Config { file: file.to_owned(), reason };
    let unsupported = |what: String| Error::Unsupported { file: file.to_owned(), what };
    let number = |names: &[&str]| names.iter().find_map(|name| json[*name].as_u64()).map(|v| v as usize);
    let required = |names: &[&str]| number(names).ok_or_else(|| wrong(format!("it has no {}", names[0])));
    let float = |names: &[&str]| names.iter().find_map(|name| json[*name].as_f64());

    // What changes the arithmetic in ways that no row of the table has.
    match json["position_embedding_type"].as_str() {
        None | Some("absolute" | "rotary") => {}
        Some(other) => return Err(unsupported(format!("position_embedding_type {other:?} in {architecture:?}"))),
    }
    let switches = ["is_decoder", "prenorm", "parallel_block", "use_rms_norm", "rotary_emb_interleaved"];
    if let Some(name) = switches.iter().find(|name| json[**name] == true) {
        return Err(unsupported(format!("{name} in {architecture:?}")));
    }
    if number(&["moe_every_n_layers"]).is_some_and(|n| n > 0) {
        return Err(unsupported(format!("a mixture of experts in {architecture:?}")));
    }
    let count = required(&["num_hidden_layers", "n_layers", "n_layer"])?;
    if count > MAX_LAYERS {
        return Err(wrong(format!("layers is {count}")));
    }
    let hidden_size = required(&["hidden_size", "dim", "n_embd"])?;
    let heads = required(&["num_attention_heads", "n_heads", "n_head"])?;
    let mut positions = required(&["max_position_embeddings", "n_positions"])?;
    // Beyond what it was trained on nomic-bert's rotations would stretch with the text.
    if json["rotary_scaling_factor"].is_number() {
        positions = positions.min(number(&["max_trained_positions"]).unwrap_or(positions));
    }
    let first_position = match family.positions {
        Positions::LearnedAfterPadding => number(&["pad_token_id"]).unwrap_or(1).saturating_add(1),
        _ => 0,
    };
    let name = ["hidden_act", "hidden_activation", "activation", "activation_function"]
        .iter()
        .find_map(|key| json[*key].as_str());
    let activation = match name {
        None => family.activation,
        Some(name) => {
            activation(name).ok_or_else(|| unsupported(format!("activation {name:?} in {architecture:?}")))?
        }
    };
    let rotations = match family.positions {
        Positions::Rotary => {
            let head_dim = hidden_size / heads.max(1);
            let fraction = float(&["rotary_emb_fraction"]).unwrap_or(1.0).clamp(0.0, 1.0);
            // One set of parameters, or one for each kind of layer.
            let parameters = |kind: &str| match &json["rope_parameters"] {
                all if all[kind].is_object() => all[kind].clone(),
                all => all.clone(),
            };
            let of = |kind: &str, names: &[&str], default: f64| {
                let parameters = parameters(kind);
                match parameters["rope_type"].as_str() {
                    None | Some("default") => {}
                    Some(other) => return Err(unsupported(format!("rope scaling {other:?} in {architecture:?}"))),
                }
                let theta = parameters["rope_theta"].as_f64().or(float(names)).unwrap_or(default);
                Ok(rotation(theta, (head_dim as f64 * fraction) as usize))
            };
            // Older files say nothing where they mean the default of their own code.
            vec![
                of("full_attention", &["global_rope_theta", "rotary_emb_base", "rope_theta"], family.theta)?,
                of("sliding_attention", &["local_rope_theta"], family.windowed_theta)?,
            ]
        }
        _ => Vec::new(),
    };
    let reach = number(&["local_attention"]).filter(|_| family.pre_norm).map(|window| window / 2);
    let mut layers = layers(count, reach, number(&["global_attn_every_n_layers"]).unwrap_or(3), rotations.len());
    if let Some(kinds) = json["layer_types"].as_array() {
        for (layer, kind) in layers.iter_mut().zip(kinds) {
            let windowed = kind == "sliding_attention";
            layer.reach = reach.filter(|_| windowed);
            layer.rotation = rotations.len().checked_sub(1).map(|last| if windowed { last } else { 0 });
        }
    }
    EncoderConfig {
        family,
        architecture: architecture.to_owned(),
        hidden_size,
        feed_forward_size: number(&["intermediate_size", "hidden_dim", "n_inner"])
            .unwrap_or(hidden_size.saturating_mul(4)),
        heads,
        context_length: positions.saturating_sub(first_position),
        first_position,
        norm_eps: float(&["layer_norm_eps", "layer_norm_epsilon", "norm_eps"]).unwrap_or(family.norm_eps),
        activation,
        rotations,
        layers,
    }
    .checked(file)
}

fn from_gguf(meta: &Metadata, file: &str, family: &'static Family) -> Result<EncoderConfig, Error> {
    let architecture = family.gguf_architecture;
    let wrong = |reason: String| Error::Config { file: file.to_owned(), reason };
    let key = |name: &str| format!("{architecture}.{name}");
    let number = |name: &str| meta.u64(&key(name)).map(|v| v as usize);
    let required = |name: &str| number(name).ok_or_else(|| wrong(format!("metadata has no {}", key(name))));
    let float = |name: &str| meta.f32(&key(name)).map(f64::from);

    let count = required("block_count")?;
    if count > MAX_LAYERS {
        return Err(wrong(format!("layers is {count}")));
    }
    let hidden_size = required("embedding_length")?;
    let heads = required("attention.head_count")?;
    let rotations = match family.positions {
        Positions::Rotary => {
            let dim = number("rope.dimension_count").unwrap_or(hidden_size / heads.max(1));
            let theta = float("rope.freq_base").unwrap_or(family.theta);
            let windowed = float("rope.freq_base_swa").unwrap_or(family.windowed_theta);
            vec![rotation(theta, dim), rotation(windowed, dim)]
        }
        _ => Vec::new(),
    };
    let reach = number("attention.sliding_window").filter(|window| *window > 0).map(|window| window / 2);
    let mut layers = layers(
        count,
        reach,
        number("attention.sliding_window_pattern").filter(|n| *n > 0).unwrap_or(3),
        rotations.len(),
    );
    if let Some(Value::Array(windowed)) = meta.get(&key("attention.sliding_window_pattern")) {
        for (layer, windowed) in layers.iter_mut().zip(windowed) {
            let windowed = windowed.as_bool() == Some(true);
            layer.reach = reach.filter(|_| windowed);
            layer.rotation = rotations.len().checked_sub(1).map(|last| if windowed { last } else { 0 });
        }
    }
    let activation = match meta.str(&key("hidden_activation")) {
        None => family.activation,
        Some(name) => activation(name).ok_or_else(|| {
            let what = format!("activation {name:?} in {architecture:?}");
            Error::Unsupported { file: file.to_owned(), what }
        })?,
    };
    EncoderConfig {
        family,
        architecture: architecture.to_owned(),
        hidden_size,
        feed_forward_size: required("feed_forward_length")?,
        heads,
        context_length: required("context_length")?,
        first_position: 0,
        norm_eps: float("attention.layer_norm_epsilon")
            // Written for ModernBERT, whatever the name says.
            .or(float("attention.layer_norm_rms_epsilon"))
            .unwrap_or(family.norm_eps),
        activation,
        rotations,
        layers,
    }
    .checked(file)
}
