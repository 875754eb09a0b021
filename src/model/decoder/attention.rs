//! Attention of the new tokens over all tokens so far (Vaswani et al., 2017,
//! <https://arxiv.org/abs/1706.03762>; grouped queries: Ainslie et al., 2023, <https://arxiv.org/abs/2305.13245>).

use std::cell::OnceCell;

use candle_core::{Result, Tensor};

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, LayerConfig};
use super::family::{NormKind, QkNorm, QkvLayout};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use super::norm::Norm;
use super::rope::Rope;
use crate::kernels::attention::Params;
use crate::model::Error;

/// The attention of one layer.
pub struct Attention {
    qkv: Qkv,
    /// Of Q and of K.
    norms: (Option<QkNorms>, Option<QkNorms>),
    /// After RoPE.
    norms_last: bool,
    v_norm: Option<Norm>,
    /// What Q, K and V may be at most, either side of zero.
    bound: Option<f64>,
    output: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    params: Params,
    rotation: Option<usize>,
    /// Q's matrix gives each head's query and a gate for its result.
    gated: bool,
}

/// One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Qkv {
    Apart(Linear, Linear, Linear),
    Fused(Linear, QkvLayout),
    /// K, before its norm, is V too.
    KeyIsValue(Linear, Linear),
    /// K and V are those of an earlier layer.
    QueryAlone(Linear),
}

impl Attention {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
    ) -> std::result::Result<Attention, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let DecoderConfig { family, hidden_size, heads, norm_eps, .. } = *config;
        let LayerConfig { kv_heads, head_dim, window, rotation, kv_of, .. } = config.layers[layer];
        let (q_size, kv_size) = (heads * head_dim, kv_heads * head_dim);
        let linear = |part: &str, rows: usize| checkpoint.linear(&name(part), rows, hidden_size, family.qkv_bias);
        let qkv = if checkpoint.has(&name("attn_qkv.weight")) {
            let layout = if checkpoint.is_folder() { family.hf_qkv } else { QkvLayout::Blocks };
            Qkv::Fused(linear("attn_qkv", q_size + 2 * kv_size)?, layout)
        } else {
            let q = linear("attn_q", if family.gated_attention { 2 * q_size } else { q_size })?;
            if kv_of.is_some() {
                Qkv::QueryAlone(q)
            } else if family.v_norm && !checkpoint.has(&name("attn_v.weight")) {
                Qkv::KeyIsValue(q, linear("attn_k", kv_size)?)
            } else {
                Qkv::Apart(q, linear("attn_k", kv_size)?, linear("attn_v", kv_size)?)
            }
        };
        let norm = |part: &str, heads: usize| QkNorms::load(checkpoint, config, &name(part), heads, head_dim);
        let k_norm = if kv_of.is_some() { None } else { norm("attn_k_norm", kv_heads)? };
        let sinks = checkpoint.vector_if_any(&name("attn_sinks.weight"), heads)?;
        let sinks = sinks.map(|sinks| sinks.to_vec1()).transpose()?;
        Ok(Attention {
            qkv,
            norms: (norm("attn_q_norm", heads)?, k_norm),
            norms_last: family.qk_norm == QkNorm::TurnedHeads,
            bound: config.scales.qkv_bound,
            v_norm: if family.v_norm { Some(Norm::plain(head_dim, NormKind::Rms, norm_eps)?) } else { None },
            output: checkpoint.linear(&name("attn_output"), hidden_size, q_size, false)?,
            heads,
            kv_heads,
            head_dim,
            params: Params {
                scale: config.scales.attention as f32,
                cap: config.scales.attention_cap.map(|cap| cap as f32),
                window,
                sinks,
            },
            rotation,
            gated: family.gated_attention,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to `[tokens, hidden]`. Keys and values are added to
    /// `cache`, or found there if they are another layer's.
    pub fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> Result<Tensor> {
        let Attention { heads, head_dim, .. } = *self;
        let tokens = pass.tokens;
        let (mut q, kv) = self.project(x)?; // [tokens, heads or kv_heads, head_dim]
        let gate = if self.gated { Some(q.narrow(2, head_dim, head_dim)?) } else { None };
        q = q.narrow(2, 0, head_dim)?;
        let bounded = |x: Tensor| match self.bound {
            Some(bound) => x.clamp(-bound, bound),
            None => Ok(x),
        };
        // Normed and turned, [heads or kv_heads, tokens, head_dim].
        let placed = |x: Tensor, norm: &Option<QkNorms>| -> Result<Tensor> {
            let x = match norm {
                Some(norm) if !self.norms_last => norm.forward(&x)?,
                _ => x,
            };
            let mut x = bounded(x)?.transpose(0, 1)?;
            if let Some(rotation) = self.rotation {
                let (rope, angles) = &pass.rotations[rotation];
                x = rope.apply(&x, angles)?;
            }
            match norm {
                Some(norm) if self.norms_last => norm.forward(&x),
                _ => Ok(x),
            }
        };
        let mut q = placed(q, &self.norms.0)?;
        if let Some(scales) = &pass.position_scales {
            q = q.broadcast_mul(scales)?;
        }
        if let Some((k, mut v)) = kv {
            if let Some(norm) = &self.v_norm {
                v = norm.forward(&v.contiguous()?)?;
            }
            cache.append(pass.past, &placed(k, &self.norms.1)?.transpose(0, 1)?, &bounded(v)?)?;
        }
        let mut out = cache.attend(pass.past, &q.transpose(0, 1)?, &self.params)?; // [tokens, heads, head_dim]
        if let Some(gate) = gate {
            out = (out * candle_nn::ops::sigmoid(&gate.contiguous()?)?)?;
        }
        self.output.forward(&out.reshape((tokens, heads * head_dim))?)
    }

    /// Q, with a gate the gates behind it; and K and V if they are the layer's own.
    fn project(&self, x: &Tensor) -> Result<(Tensor, Option<(Tensor, Tensor)>)> {
        let Attention { heads, kv_heads, head_dim, .. } = *self;
        let tokens = x.dim(0)?;
        let split = |x: Tensor, heads: usize| x.reshape((tokens, heads, ()));
        match &self.qkv {
            Qkv::Apart(q, k, v) => {
                let kv = (split(k.forward(x)?, kv_heads)?, split(v.forward(x)?, kv_heads)?);
                Ok((split(q.forward(x)?, heads)?, Some(kv)))
            }
            Qkv::KeyIsValue(q, k) => {
                let k = split(k.forward(x)?, kv_heads)?;
                Ok((split(q.forward(x)?, heads)?, Some((k.clone(), k))))
            }
            Qkv::QueryAlone(q) => Ok((split(q.forward(x)?, heads)?, None)),
            Qkv::Fused(qkv, QkvLayout::Blocks) => {
                let qkv = split(qkv.forward(x)?, heads + 2 * kv_heads)?;
                let part = |start: usize, heads: usize| qkv.narrow(1, start, heads)?.contiguous();
                Ok((part(0, heads)?, Some((part(heads, kv_heads)?, part(heads + kv_heads, kv_heads)?))))
            }
            Qkv::Fused(qkv, QkvLayout::Groups) => {
                let group = heads / kv_heads;
                let qkv = qkv.forward(x)?.reshape((tokens, kv_heads, group + 2, head_dim))?;
                let part =
                    |start: usize, count: usize| split(qkv.narrow(2, start, count)?.contiguous()?, kv_heads * count);
                Ok((part(0, group)?, Some((part(group, 1)?, part(group + 1, 1)?))))
            }
        }
    }
}

/// The norm of Q or of K.
struct QkNorms {
    /// Over a head, or over all when it is that wide.
    norm: Norm,
    /// `[heads, head_dim]`: what each head is multiplied with besides.
    weights: Option<Tensor>,
}

impl QkNorms {
    /// `None` where the family has none, or may have one and the file has not.
    fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        stem: &str,
        heads: usize,
        head_dim: usize,
    ) -> std::result::Result<Option<QkNorms>, Error> {
        let DecoderConfig { family, norm_eps, .. } = *config;
        let kind = if family.norm.subtracts_mean() { NormKind::Rms } else { family.norm };
        let (norm, weights) = match family.qk_norm {
            QkNorm::None => return Ok(None),
            QkNorm::HeadsIfAny if !checkpoint.has(&format!("{stem}.weight")) => return Ok(None),
            QkNorm::Heads | QkNorm::HeadsIfAny | QkNorm::TurnedHeads => {
                (Norm::load(checkpoint, stem, head_dim, kind, norm_eps)?, None)
            }
            QkNorm::Whole => (Norm::load(checkpoint, stem, heads * head_dim, kind, norm_eps)?, None),
            QkNorm::EachHead => match checkpoint.head_weights(stem, heads, head_dim)? {
                None => return Ok(None),
                weights => (Norm::plain(head_dim, NormKind::Layer, norm_eps)?, weights),
            },
        };
        Ok(Some(QkNorms { norm, weights }))
    }

    /// `x` `[tokens, heads, head_dim]` to the same shape.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shape = x.dims3()?;
        let normed = self.norm.forward(&x.contiguous()?.reshape(((), self.norm.size()))?)?.reshape(shape)?;
        match &self.weights {
            Some(weights) => normed.broadcast_mul(weights),
            None => Ok(normed),
        }
    }
}

/// `cap * tanh(x / cap)`.
pub fn soft_cap(x: &Tensor, cap: f64) -> Result<Tensor> {
    (x / cap)?.tanh()? * cap
}

/// What all layers of one forward pass share.
pub struct Pass<'a> {
    /// Tokens before those of this pass.
    pub past: usize,
    pub tokens: usize,
    /// Each rotation with the angles of this pass's positions.
    pub rotations: Vec<(&'a Rope, (Tensor, Tensor))>,
    /// `[1, tokens, 1]`.
    pub position_scales: Option<Tensor>,
    /// What layers add of their own embeddings, `[tokens, layers, size]`.
    pub layer_vectors: Option<Tensor>,
    /// RWKV 7's values of the first layer, which all others use.
    pub first_value: OnceCell<Tensor>,
}
