//! One layer: what mixes tokens, what feeds forward, and how their results are normed and added.

use candle_core::{Device, Tensor};

use super::attention::{Attention, Pass};
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, MixerKind};
use super::delta_net::DeltaNet;
use super::family::Residual;
use super::feed_forward::FeedForward;
use super::kv_cache::LayerCache;
use super::latent_attention::LatentAttention;
use super::layer_embedding::LayerEmbedding;
use super::linear::with_floats;
use super::mamba::Mamba;
use super::mamba2::Mamba2;
use super::norm::Norm;
use super::rwkv7::TimeMix;
use super::short_conv::ShortConv;
use crate::kernels::elementwise;
use crate::model::Error;

pub struct Layer {
    residual: Residual,
    /// Before and after each part; which there are, `residual` says.
    attn_norm: Option<Norm>,
    post_attn_norm: Option<Norm>,
    ffn_norm: Option<Norm>,
    post_ffn_norm: Option<Norm>,
    mixer: Option<Mixer>,
    feed_forward: Option<FeedForward>,
    /// What each part's result is multiplied with before it is added.
    scale: f64,
    embedding: Option<LayerEmbedding>,
    /// What the layer's result is multiplied with, `[1]`.
    output_scale: Option<Tensor>,
    /// Whose cache it uses.
    pub cache: usize,
}

/// What lets a token look at those before it. One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Mixer {
    Attention(Attention),
    Latent(LatentAttention),
    ShortConv(ShortConv),
    DeltaNet(DeltaNet),
    Rwkv7(TimeMix),
    Mamba(Mamba),
    Mamba2(Mamba2),
}

impl Mixer {
    fn load(checkpoint: &Checkpoint, config: &DecoderConfig, layer: usize) -> Result<Option<Mixer>, Error> {
        Ok(Some(match (&config.layers[layer].mixer, &config.latent) {
            (MixerKind::None, _) => return Ok(None),
            (MixerKind::Attention, None) => Mixer::Attention(Attention::load(checkpoint, config, layer)?),
            (MixerKind::Attention, Some(latent)) => {
                Mixer::Latent(LatentAttention::load(checkpoint, config, latent, layer)?)
            }
            (MixerKind::ShortConv { width }, _) => {
                Mixer::ShortConv(ShortConv::load(checkpoint, config, *width, layer)?)
            }
            (MixerKind::Rwkv7(shape), _) => Mixer::Rwkv7(TimeMix::load(checkpoint, config, *shape, layer)?),
            (MixerKind::DeltaNet(shape), _) => Mixer::DeltaNet(DeltaNet::load(checkpoint, config, *shape, layer)?),
            (MixerKind::Mamba(shape), _) => Mixer::Mamba(Mamba::load(checkpoint, config, *shape, layer)?),
            (MixerKind::Mamba2(shape), _) => Mixer::Mamba2(Mamba2::load(checkpoint, config, *shape, layer)?),
        }))
    }

    fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> candle_core::Result<Tensor> {
        match self {
            Mixer::Attention(attention) => attention.forward(x, pass, cache),
            Mixer::Latent(attention) => attention.forward(x, pass, cache),
            Mixer::ShortConv(conv) => conv.forward(x, cache),
            Mixer::DeltaNet(net) => net.forward(x, cache),
            Mixer::Rwkv7(mix) => mix.forward(x, pass, cache),
            Mixer::Mamba(mamba) => mamba.forward(x, cache),
            Mixer::Mamba2(mamba) => mamba.forward(x, cache),
        }
    }
}

impl Layer {
    pub fn load(checkpoint: &Checkpoint, config: &DecoderConfig, index: usize) -> Result<Layer, Error> {
        let norm = |part: &str, wanted: bool| match wanted {
            true => norm(checkpoint, config, &format!("blk.{index}.{part}")).map(Some),
            false => Ok(None),
        };
        let has = |part: &str| checkpoint.has(&format!("blk.{index}.{part}.weight"));
        let before = config.residual != Residual::Post;
        let after = matches!(config.residual, Residual::Post | Residual::Sandwich);
        // Falcon's GGUF files name the norm of attention after that of the other part, if there are two; RWKV's
        // number them as they come.
        let (attn_name, ffn_name) = match (has("attn_norm_2"), config.residual == Residual::Pre) {
            (true, true) => ("attn_norm", "attn_norm_2"),
            (true, false) => ("attn_norm_2", "attn_norm"),
            // gpt-oss's and Qwen3-Next's call the norm before the other part by what it comes after.
            (false, true) if !has("ffn_norm") && has("post_attention_norm") => ("attn_norm", "post_attention_norm"),
            _ => ("attn_norm", "ffn_norm"),
        };
        let shared = config.residual == Residual::Parallel && !has(ffn_name);
        // The norm of a layer's only part is called as if that were attention.
        let ffn_name = if config.residual == Residual::Single { "attn_norm" } else { ffn_name };
        let mixer = Mixer::load(checkpoint, config, index)?;
        let feed_forward = match config.feeds_forward(index) {
            true => Some(FeedForward::load(checkpoint, config, index)?),
            false => None,
        };
        Ok(Layer {
            residual: config.residual,
            attn_norm: norm(attn_name, before && mixer.is_some())?,
            post_attn_norm: norm("post_attention_norm", after)?,
            ffn_norm: norm(ffn_name, before && !shared && feed_forward.is_some())?,
            post_ffn_norm: norm("post_ffw_norm", after)?,
            mixer,
            feed_forward,
            scale: config.scales.residual,
            embedding: LayerEmbedding::load(checkpoint, config, index)?,
            output_scale: checkpoint.vector_if_any(&format!("blk.{index}.layer_output_scale.weight"), 1)?,
            cache: config.layers[index].kv_of.unwrap_or(index),
        })
    }

    /// `x` `[tokens, hidden]` to the same shape.
    pub fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> Result<Tensor, Error> {
        let maybe = |norm: &Option<Norm>, x: &Tensor| match norm {
            Some(norm) => norm.forward(x),
            None => Ok(x.clone()),
        };
        let scaled = |x: Tensor| if self.scale == 1.0 { Ok(x) } else { x * self.scale };
        let mut out = x.clone();
        let mut normed = x.clone();
        if let Some(mixer) = &self.mixer {
            normed = maybe(&self.attn_norm, x)?;
            let mixed = maybe(&self.post_attn_norm, &mixer.forward(&normed, pass, cache)?)?;
            out = sum(&out, &scaled(mixed)?)?;
        }
        if let Some(feed_forward) = &self.feed_forward {
            let normed = match (self.residual, &self.ffn_norm) {
                (Residual::Parallel, None) => normed,
                (Residual::Parallel, norm) => maybe(norm, x)?,
                (_, norm) => maybe(norm, &out)?,
            };
            let fed = feed_forward.forward(&normed, &out, cache)?;
            out = sum(&out, &scaled(maybe(&self.post_ffn_norm, &fed)?)?)?;
        }
        if let (Some(embedding), Some(vectors)) = (&self.embedding, &pass.layer_vectors) {
            out = (&out + embedding.forward(&out, vectors)?)?;
        }
        if let Some(scale) = &self.output_scale {
            out = out.broadcast_mul(scale)?;
        }
        Ok(out)
    }
}

/// `a + b`, contiguous both.
fn sum(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    let mut sum = with_floats(a, <[f32]>::to_vec)?;
    with_floats(&b.contiguous()?, |b| elementwise::add(&mut sum, b))?;
    Tensor::from_vec(sum, a.shape(), &Device::Cpu)
}

/// The family's norm over the hidden state.
pub fn norm(checkpoint: &Checkpoint, config: &DecoderConfig, stem: &str) -> Result<Norm, Error> {
    Norm::load(checkpoint, stem, config.hidden_size, config.family.norm, config.norm_eps)
}
