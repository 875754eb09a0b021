//! What a decoder is made of: read from GGUF metadata ([`super::from_gguf`]) or `config.json`
//! ([`super::from_json`]).

use super::family::{Activation, Family, KeySharing, Residual, RopePairs};
use super::rope::RopeScaling;
use crate::model::Error;

/// The shape of a decoder.
#[derive(Debug, Clone)]
pub struct DecoderConfig {
    pub family: &'static Family,
    /// The name the file gives itself: `mistral` is of the `llama` family.
    pub architecture: String,
    pub hidden_size: usize,
    pub heads: usize,
    /// Tokens the model was trained to attend over.
    pub context_length: usize,
    pub norm_eps: f64,
    pub residual: Residual,
    pub activation: Activation,
    /// The rotations that layers choose from by index.
    pub rotations: Vec<Rotation>,
    pub layers: Vec<LayerConfig>,
    pub experts: Option<Experts>,
    /// Keys and values are latents: one KV head of `rank + rope_dim` components.
    pub latent: Option<Latent>,
    /// Width of the embedding that each token has of its own in every layer (Gemma 3n and 4); 0 where there is none.
    pub layer_embedding_size: usize,
    pub scales: Scales,
}

/// What one layer has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerConfig {
    /// How many tokens back (itself included) it sees; `None` is all.
    pub window: Option<usize>,
    /// Which of the rotations it uses, if any.
    pub rotation: Option<usize>,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// An earlier layer whose keys and values it uses in place of its own.
    pub kv_of: Option<usize>,
    pub feed_forward_size: usize,
    /// Its feed-forward layer is a mixture of experts.
    pub experts: bool,
    pub mixer: MixerKind,
}

/// What lets a layer's token look at those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixerKind {
    Attention,
    /// LFM2's gated convolution over `width` tokens.
    ShortConv {
        width: usize,
    },
    DeltaNet(DeltaNetShape),
    Rwkv7(Rwkv7Shape),
}

/// The heads of a layer of the gated delta rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaNetShape {
    /// Of queries and keys.
    pub key_heads: usize,
    /// Of values; several share a key head.
    pub value_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
    /// Tokens that the convolution before it spans.
    pub conv_width: usize,
    pub sharing: KeySharing,
}

/// The heads of a layer of RWKV 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rwkv7Shape {
    pub head_dim: usize,
    /// The file was made for kernels that add more to a length before dividing by it.
    pub fused_norms: bool,
}

impl Rwkv7Shape {
    /// What is added to the square of a length before dividing by it.
    pub fn unit_eps(&self) -> f32 {
        if self.fused_norms { 1e-6 } else { 1e-24 }
    }
}

/// How heads are rotated by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    pub theta: f64,
    /// Components of a head that turn.
    pub dim: usize,
    pub pairs: RopePairs,
    pub scaling: RopeScaling,
}

/// A mixture of experts (Shazeer et al., 2017, <https://arxiv.org/abs/1701.06538>).
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    pub count: usize,
    /// Chosen for each token.
    pub used: usize,
    pub feed_forward_size: usize,
    /// Of the expert that every token passes through; 0 where there is none.
    pub shared_feed_forward_size: usize,
    /// The weights of the chosen are scaled to sum to one.
    pub sum_to_one: bool,
    /// What the weights are multiplied with besides.
    pub scale: f64,
    /// Each expert is scored for itself, by a sigmoid; else all of a token together, by a softmax.
    pub sigmoid: bool,
    pub groups: Option<ExpertGroups>,
}

/// Only experts of the best groups may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpertGroups {
    pub count: usize,
    /// Groups that a token may choose from.
    pub used: usize,
    /// A group is as good as the sum of its best `best` experts.
    pub best: usize,
}

/// The widths of multi-head latent attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latent {
    /// Of the state that queries pass through, if they do.
    pub query_rank: Option<usize>,
    /// Of the latent that holds keys and values.
    pub rank: usize,
    /// A head's part without RoPE, and that with it.
    pub nope_dim: usize,
    pub rope_dim: usize,
    pub v_dim: usize,
}

/// Constants that families multiply or bound their numbers with.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    pub embedding: f64,
    /// Of what each part adds to the residual stream.
    pub residual: f64,
    /// Of the products of Q and K.
    pub attention: f64,
    pub logits: f64,
    /// `cap * tanh(x / cap)` of the attention scores.
    pub attention_cap: Option<f64>,
    pub logits_cap: Option<f64>,
    /// What Q, K and V may be at most, either side of zero.
    pub qkv_bound: Option<f64>,
    /// Q grows with the logarithm of its position.
    pub position: Option<PositionScale>,
}

/// Q at position `p` is multiplied by `1 + beta * ln(1 + floor(p / context))` (Llama 4, Ministral 3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionScale {
    pub beta: f64,
    pub context: f64,
}

pub const MAX_LAYERS: usize = 4096;

impl DecoderConfig {
    /// Whether some layer has a state that every token replaces.
    pub fn is_recurrent(&self) -> bool {
        self.layers.iter().any(|layer| layer.mixer != MixerKind::Attention)
    }

    /// Refuses numbers that no arithmetic below could use: the file comes from a stranger.
    pub(super) fn checked(self, file: &str) -> Result<DecoderConfig, Error> {
        let mut positive = vec![
            ("layers", self.layers.len()),
            ("hidden size", self.hidden_size),
            ("heads", self.heads),
            ("context length", self.context_length),
        ];
        let wrong = |reason: String| Err(Error::Config { file: file.to_owned(), reason });
        if let Some(experts) = &self.experts {
            positive.push(("experts", experts.count));
            positive.push(("experts used", experts.used));
            positive.push(("expert feed-forward size", experts.feed_forward_size));
            if experts.used > experts.count {
                return wrong(format!("it uses {} of {} experts", experts.used, experts.count));
            }
            if let Some(groups) = experts.groups {
                let size = experts.count / groups.count.max(1);
                if groups.used == 0 || groups.used > groups.count || size * groups.count != experts.count {
                    return wrong(format!("{} of {} groups of {} experts", groups.used, groups.count, experts.count));
                }
                if groups.used * size < experts.used {
                    return wrong(format!("{} experts used of {} groups of {size}", experts.used, groups.used));
                }
            }
        }
        if let Some(latent) = &self.latent {
            positive.push(("latent size", latent.rank));
            positive.push(("head size without RoPE", latent.nope_dim));
            positive.push(("head size with RoPE", latent.rope_dim));
            positive.push(("value size", latent.v_dim));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            positive.push(("feed-forward size", layer.feed_forward_size));
            positive.push(("KV heads", layer.kv_heads));
            positive.push(("head size", layer.head_dim));
            if !self.heads.is_multiple_of(layer.kv_heads.max(1)) {
                return wrong(format!("{} heads do not share {} KV heads evenly", self.heads, layer.kv_heads));
            }
            let turned = layer.rotation.and_then(|rotation| self.rotations.get(rotation));
            if let Some(rotation) = turned.filter(|rotation| rotation.dim > layer.head_dim) {
                return wrong(format!("rope dimension {} does not fit heads of {}", rotation.dim, layer.head_dim));
            }
            let of = layer.kv_of.map(|of| (of, self.layers.get(of)));
            if let Some((of, found)) = of
                && (of >= index || found.is_none_or(|l| (l.kv_heads, l.head_dim) != (layer.kv_heads, layer.head_dim)))
            {
                return wrong(format!("layer {index} cannot use the keys and values of layer {of}"));
            }
            match layer.mixer {
                MixerKind::Attention => {}
                MixerKind::ShortConv { width } => positive.push(("convolution width", width)),
                MixerKind::DeltaNet(shape) => {
                    positive.push(("convolution width", shape.conv_width));
                    let DeltaNetShape { key_heads, value_heads, key_dim, value_dim, .. } = shape;
                    if !value_heads.is_multiple_of(key_heads) {
                        return wrong(format!("{value_heads} value heads do not share {key_heads} key heads evenly"));
                    }
                    positive.push(("state", value_heads.saturating_mul(key_dim).saturating_mul(value_dim)));
                }
                MixerKind::Rwkv7(Rwkv7Shape { head_dim, .. }) => {
                    if head_dim == 0 || !self.hidden_size.is_multiple_of(head_dim) {
                        return wrong(format!(
                            "hidden size {} does not divide into heads of {head_dim}",
                            self.hidden_size
                        ));
                    }
                    positive.push(("state", self.hidden_size.saturating_mul(head_dim)));
                }
            }
        }
        if let Some((name, value)) = positive.iter().find(|(_, v)| *v == 0 || *v > 1 << 30) {
            return wrong(format!("{name} is {value}"));
        }
        for rotation in &self.rotations {
            if rotation.dim == 0 || !rotation.dim.is_multiple_of(2) {
                return wrong(format!("rope dimension {} is not even", rotation.dim));
            }
        }
        Ok(self)
    }
}
