//! Attention of the new tokens over all tokens so far (Vaswani et al., 2017,
//! <https://arxiv.org/abs/1706.03762>; grouped queries: Ainslie et al., 2023, <https://arxiv.org/abs/2305.13245>).

use std::cell::OnceCell;

use candle_core::{Device, Result, Tensor};

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, LayerConfig};
use super::family::{NormKind, QkNorm, QkvLayout};
use super::kv_cache::LayerCache;
use super::linear::{Linear, with_floats};
use super::norm::Norm;
use super::rope::{Angles, Rope};
use crate::kernels::attention::{Params, Shape};
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
            v_norm: if family.v_norm { Some(Norm::plain(head_dim, NormKind::Rms, norm_eps)) } else { None },
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
        let Attention { heads, kv_heads, head_dim, .. } = *self;
        let tokens = pass.tokens;
        let (mut q, kv) = with_floats(x, |x| self.project(x, tokens))?;
        let gate = self.gated.then(|| {
            // Behind each head's query lies its gate.
            let [queries, gates] = parts(&q, head_dim, head_dim);
            q = queries;
            gates
        });
        self.place(&mut q, heads, &self.norms.0, pass);
        if let Some(scales) = &pass.position_scales {
            for (q, scale) in q.chunks_exact_mut(heads * head_dim).zip(scales) {
                q.iter_mut().for_each(|q| *q *= scale);
            }
        }
        if let Some([mut k, mut v]) = kv {
            self.place(&mut k, kv_heads, &self.norms.1, pass);
            if let Some(norm) = &self.v_norm {
                v = norm.apply(&v);
            }
            self.bind(&mut v);
            cache.append(pass.past, Shape::new(kv_heads, head_dim, head_dim), &k, &v)?;
        }
        let mut out = cache.attend(pass.past, heads, &q, &self.params)?;
        if let Some(gates) = gate {
            out.iter_mut().zip(&gates).for_each(|(out, gate)| *out /= 1.0 + (-gate).exp());
        }
        let [out] = Linear::all([&self.output], &out, tokens);
        let width = out.len() / tokens;
        Tensor::from_vec(out, (tokens, width), &Device::Cpu)
    }

    /// Norms and turns `x` `[tokens, heads, head_dim]`.
    fn place(&self, x: &mut Vec<f32>, heads: usize, norm: &Option<QkNorms>, pass: &Pass) {
        let normed = |x: &mut Vec<f32>, now: bool| {
            if let Some(norm) = norm.as_ref().filter(|_| now) {
                *x = norm.apply(x);
            }
        };
        normed(x, !self.norms_last);
        self.bind(x);
        if let Some(rotation) = self.rotation {
            let (rope, angles) = &pass.rotations[rotation];
            rope.turn_heads(x, heads, self.head_dim, angles);
        }
        normed(x, self.norms_last);
    }

    /// Keeps `x` within the bounds that the model has for it.
    fn bind(&self, x: &mut [f32]) {
        if let Some(bound) = self.bound.map(|bound| bound as f32) {
            // Not `clamp`, which panics where a file has a bound below zero. What is no number stays so.
            for x in x {
                *x = if *x > bound {
                    bound
                } else if *x < -bound {
                    -bound
                } else {
                    *x
                };
            }
        }
    }

    /// Q `[tokens, heads, head_dim]`, with a gate the gates behind each head; and K and V `[tokens, kv_heads, head_dim]` if
    /// they are the layer's own.
    fn project(&self, x: &[f32], tokens: usize) -> (Vec<f32>, Option<[Vec<f32>; 2]>) {
        let Attention { heads, kv_heads, head_dim, .. } = *self;
        match &self.qkv {
            Qkv::Apart(q, k, v) => {
                let [q, k, v] = Linear::all([q, k, v], x, tokens);
                (q, Some([k, v]))
            }
            Qkv::KeyIsValue(q, k) => {
                let [q, k] = Linear::all([q, k], x, tokens);
                (q, Some([k.clone(), k]))
            }
            Qkv::QueryAlone(q) => {
                let [q] = Linear::all([q], x, tokens);
                (q, None)
            }
            Qkv::Fused(qkv, layout) => {
                let [qkv] = Linear::all([qkv], x, tokens);
                let sizes = match layout {
                    QkvLayout::Blocks => [heads, kv_heads, kv_heads],
                    QkvLayout::Groups => [heads / kv_heads, 1, 1],
                };
                let [q, kv] = parts(&qkv, sizes[0] * head_dim, (sizes[1] + sizes[2]) * head_dim);
                (q, Some(parts(&kv, sizes[1] * head_dim, sizes[2] * head_dim)))
            }
        }
    }
}

/// Rows of two parts, of so many elements, as two matrices.
pub fn parts(rows: &[f32], first: usize, second: usize) -> [Vec<f32>; 2] {
    let count = rows.len() / (first + second);
    let (mut a, mut b) = (Vec::with_capacity(count * first), Vec::with_capacity(count * second));
    for row in rows.chunks_exact(first + second) {
        a.extend_from_slice(&row[..first]);
        b.extend_from_slice(&row[first..]);
    }
    [a, b]
}

/// The norm of Q or of K.
struct QkNorms {
    /// Over a head, or over all when it is that wide.
    norm: Norm,
    /// `[heads, head_dim]`: what each head is multiplied with besides.
    weights: Option<Vec<f32>>,
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
                Some(weights) => {
                    (Norm::plain(head_dim, NormKind::Layer, norm_eps), Some(weights.flatten_all()?.to_vec1()?))
                }
            },
        };
        Ok(Some(QkNorms { norm, weights }))
    }

    /// `x` `[tokens, heads, head_dim]` to the same shape.
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut normed = self.norm.apply(x);
        if let Some(weights) = &self.weights {
            for token in normed.chunks_exact_mut(weights.len()) {
                token.iter_mut().zip(weights).for_each(|(x, weight)| *x *= weight);
            }
        }
        normed
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
    pub rotations: Vec<(&'a Rope, Angles)>,
    /// Of each token.
    pub position_scales: Option<Vec<f32>>,
    /// What layers add of their own embeddings, `[tokens, layers, size]`.
    pub layer_vectors: Option<Tensor>,
    /// RWKV 7's values of the first layer, which all others use.
    pub first_value: OnceCell<Tensor>,
}
