//! One decoder for every family: a configuration and a map of tensor names make it what it is.

mod attention;
mod checkpoint;
mod config;
mod family;
mod feed_forward;
mod from_gguf;
mod from_json;
mod kv_cache;
mod latent_attention;
mod linear;
mod names;
mod norm;
mod rope;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};

pub use checkpoint::Checkpoint;
pub use config::DecoderConfig;
pub use family::{Architecture, Checked, FAMILIES, Family, architectures};

// The parts that the encoder is made of too.
pub(super) use self::config::{MAX_LAYERS, Rotation};
pub(super) use self::family::{Activation, NormKind, RopePairs};
pub(super) use self::feed_forward::Dense;
pub(super) use self::linear::{Linear, Matrix};
pub(super) use self::norm::Norm;
pub(super) use self::rope::{Rope, RopeScaling};

use self::attention::{Attention, Pass, soft_cap};
use self::family::Residual;
use self::feed_forward::FeedForward;
use self::kv_cache::LayerCache;
use self::latent_attention::LatentAttention;
use super::Error;

/// Bytes that the attention scores of one forward pass may take; longer prompts go in chunks.
const SCORES_BYTES: usize = 128 << 20;
const MAX_CHUNK: usize = 256;

/// Which positions' logits a forward pass returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Last,
    All,
}

/// A decoder with its weights and the keys and values of the tokens it has seen.
pub struct Decoder {
    pub config: DecoderConfig,
    embedding: Matrix,
    /// Learned positions `[context, hidden]`, for the families without RoPE.
    positions: Option<Matrix>,
    layers: Vec<Layer>,
    output_norm: Norm,
    output: Linear,
    rotations: Vec<Rope>,
    caches: Vec<LayerCache>,
    /// Tokens in the cache.
    len: usize,
}

struct Layer {
    residual: Residual,
    /// Before and after each part; which there are, `residual` says.
    attn_norm: Option<Norm>,
    post_attn_norm: Option<Norm>,
    ffn_norm: Option<Norm>,
    post_ffn_norm: Option<Norm>,
    mixer: Mixer,
    feed_forward: FeedForward,
    /// What each part's result is multiplied with before it is added.
    scale: f64,
}

/// What lets a token look at those before it. One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Mixer {
    Attention(Attention),
    Latent(LatentAttention),
}

impl Mixer {
    fn load(checkpoint: &Checkpoint, config: &DecoderConfig, layer: usize) -> Result<Mixer, Error> {
        match &config.latent {
            Some(latent) => Ok(Mixer::Latent(LatentAttention::load(checkpoint, config, latent, layer)?)),
            None => Ok(Mixer::Attention(Attention::load(checkpoint, config, layer)?)),
        }
    }

    fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> candle_core::Result<Tensor> {
        match self {
            Mixer::Attention(attention) => attention.forward(x, pass, cache),
            Mixer::Latent(attention) => attention.forward(x, pass, cache),
        }
    }
}

impl Layer {
    fn load(checkpoint: &Checkpoint, config: &DecoderConfig, index: usize) -> Result<Layer, Error> {
        let norm = |part: &str, wanted: bool| match wanted {
            true => norm(checkpoint, config, &format!("blk.{index}.{part}")).map(Some),
            false => Ok(None),
        };
        let has = |part: &str| checkpoint.has(&format!("blk.{index}.{part}.weight"));
        let before = config.residual != Residual::Post;
        let after = matches!(config.residual, Residual::Post | Residual::Sandwich);
        // Falcon's GGUF files name the norm of attention after that of the other part, if there are two.
        let (attn_name, ffn_name) =
            if has("attn_norm_2") { ("attn_norm_2", "attn_norm") } else { ("attn_norm", "ffn_norm") };
        let shared = config.residual == Residual::Parallel && !has(ffn_name);
        Ok(Layer {
            residual: config.residual,
            attn_norm: norm(attn_name, before)?,
            post_attn_norm: norm("post_attention_norm", after)?,
            ffn_norm: norm(ffn_name, before && !shared)?,
            post_ffn_norm: norm("post_ffw_norm", after)?,
            mixer: Mixer::load(checkpoint, config, index)?,
            feed_forward: FeedForward::load(checkpoint, config, index)?,
            scale: config.scales.residual,
        })
    }

    /// `x` `[tokens, hidden]` to the same shape.
    fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> Result<Tensor, Error> {
        let maybe = |norm: &Option<Norm>, x: &Tensor| match norm {
            Some(norm) => norm.forward(x),
            None => Ok(x.clone()),
        };
        let scaled = |x: Tensor| if self.scale == 1.0 { Ok(x) } else { x * self.scale };
        let normed = maybe(&self.attn_norm, x)?;
        let attended = maybe(&self.post_attn_norm, &self.mixer.forward(&normed, pass, cache)?)?;
        if self.residual == Residual::Parallel {
            let normed = if self.ffn_norm.is_some() { maybe(&self.ffn_norm, x)? } else { normed };
            let fed = self.feed_forward.forward(&normed)?;
            return Ok((x + scaled((attended + fed)?)?)?);
        }
        let x = (x + scaled(attended)?)?;
        let fed = self.feed_forward.forward(&maybe(&self.ffn_norm, &x)?)?;
        Ok((&x + scaled(maybe(&self.post_ffn_norm, &fed)?)?)?)
    }
}

fn norm(checkpoint: &Checkpoint, config: &DecoderConfig, stem: &str) -> Result<Norm, Error> {
    Norm::load(checkpoint, stem, config.hidden_size, config.family.norm, config.norm_eps)
}

impl Decoder {
    /// Binds the tensors of `checkpoint`; nothing but norms and biases is copied.
    pub fn load(checkpoint: &Checkpoint) -> Result<Decoder, Error> {
        let mut config = checkpoint.config()?;
        if let (Some(tensor), Some(rotation)) = (checkpoint.find("rope_freqs.weight"), config.rotations.first_mut()) {
            let divisors = checkpoint.floats(tensor)?;
            if divisors.len() != rotation.dim / 2 {
                let reason = format!("rope_freqs.weight has {} elements, not {}", divisors.len(), rotation.dim / 2);
                return Err(Error::Config { file: checkpoint.file(), reason });
            }
            rotation.scaling = RopeScaling::Factors(divisors);
        }
        let hidden = config.hidden_size;
        let embedding = checkpoint.matrix("token_embd.weight", None, hidden)?;
        let rotates = config.layers.iter().any(|layer| layer.rotation.is_some());
        let positions = match rotates {
            true => None,
            false => Some(checkpoint.matrix("position_embd.weight", Some(config.context_length), hidden)?),
        };
        // Without a matrix of its own the output shares the embedding's.
        let output = match checkpoint.has("output.weight") {
            true => checkpoint.matrix("output.weight", Some(embedding.rows()), hidden)?,
            false => embedding.clone(),
        };
        let bias = match checkpoint.has("output.bias") {
            true => Some(checkpoint.vector("output.bias", output.rows())?),
            false => None,
        };
        let count = config.layers.len();
        let layers = (0..count).map(|index| Layer::load(checkpoint, &config, index)).collect::<Result<Vec<_>, _>>()?;
        Ok(Decoder {
            embedding,
            positions,
            output: Linear { weight: output, bias },
            output_norm: norm(checkpoint, &config, "output_norm")?,
            rotations: config.rotations.iter().map(Rope::new).collect(),
            caches: layers.iter().map(|_| LayerCache::new()).collect(),
            layers,
            config,
            len: 0,
        })
    }

    /// Tokens in the KV cache.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn vocab_size(&self) -> usize {
        self.output.weight.rows()
    }

    /// Forgets all tokens from position `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// How many tokens the next forward pass should take: the scores of one pass are
    /// heads x tokens x positions of f32.
    pub fn chunk_len(&self, remaining: usize) -> usize {
        let row_bytes = self.config.heads * (self.len + MAX_CHUNK) * size_of::<f32>();
        remaining.min((SCORES_BYTES / row_bytes).clamp(8, MAX_CHUNK))
    }

    /// Continues with `tokens` after those in the cache and returns their states `[tokens, hidden]`, not
    /// normed yet ([`Decoder::normed`]).
    ///
    /// When `cancel` is set the pass ends at the next layer with [`Error::Cancelled`]; the cache
    /// is as it was before.
    pub fn states(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<Tensor, Error> {
        let scales = &self.config.scales;
        let mut x = self.embedding.embed(tokens)?; // [tokens, hidden]
        if scales.embedding != 1.0 {
            x = (x * scales.embedding)?;
        }
        let positions = self.len..self.len + tokens.len();
        if let Some(learned) = &self.positions {
            x = (x + learned.embed(&positions.clone().map(|p| p as u32).collect::<Vec<_>>())?)?;
        }
        let mut rotations = Vec::with_capacity(self.rotations.len());
        for rope in &self.rotations {
            rotations.push((rope, rope.angles(self.len, tokens.len(), &Device::Cpu)?));
        }
        let position_scales = match scales.position {
            None => None,
            Some(scale) => {
                let of = |p: usize| (1.0 + scale.beta * (1.0 + (p as f64 / scale.context).floor()).ln()) as f32;
                Some(Tensor::from_vec(positions.map(of).collect(), (1, tokens.len(), 1), &Device::Cpu)?)
            }
        };
        let pass = Pass { past: self.len, tokens: tokens.len(), rotations, position_scales };
        for (layer, cache) in self.layers.iter().zip(&mut self.caches) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            x = layer.forward(&x, &pass, cache)?;
        }
        self.len += tokens.len();
        Ok(x)
    }

    /// `states` `[tokens, hidden]` as the output reads them.
    pub fn normed(&self, states: &Tensor) -> Result<Tensor, Error> {
        Ok(self.output_norm.forward(&states.contiguous()?)?)
    }

    /// Continues as [`Decoder::states`] does and returns logits `[1 or tokens, vocab]`.
    pub fn forward(&mut self, tokens: &[u32], logits: Logits, cancel: &AtomicBool) -> Result<Tensor, Error> {
        let mut x = self.states(tokens, cancel)?;
        if logits == Logits::Last {
            x = x.narrow(0, tokens.len() - 1, 1)?;
        }
        let scales = &self.config.scales;
        let mut out = self.output.forward(&self.normed(&x)?)?;
        if scales.logits != 1.0 {
            out = (out * scales.logits)?;
        }
        if let Some(cap) = scales.logits_cap {
            out = soft_cap(&out, cap)?;
        }
        Ok(out)
    }
}
