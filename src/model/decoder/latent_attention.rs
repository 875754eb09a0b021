//! Multi-head latent attention (DeepSeek-AI, 2024, <https://arxiv.org/abs/2405.04434>, section 2.1).
//!
//! Keys and values of all heads are one narrow latent a token. What would widen it to keys is applied
//! to the queries instead, and what would widen it to values to the result, so that the cache holds
//! the latents alone: attention with a single KV head.

use candle_core::{Result, Tensor};

use super::attention::Pass;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, Latent};
use super::family::NormKind;
use super::kv_cache::LayerCache;
use super::linear::{Linear, Matrix};
use super::norm::Norm;
use crate::kernels::attention::Params;
use crate::model::Error;

pub struct LatentAttention {
    query: Query,
    /// `[latent + rope, hidden]`.
    compress: Linear,
    norm: Norm,
    /// A head's: a query without RoPE `[nope]` to one over latents `[latent]`.
    absorb: Vec<Matrix>,
    /// A head's: an averaged latent `[latent]` to its values `[v_dim]`.
    expand: Vec<Matrix>,
    output: Linear,
    latent: Latent,
    params: Params,
    rotation: Option<usize>,
}

/// One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Query {
    Plain(Linear),
    /// Through a narrow state of its own.
    Narrow {
        down: Linear,
        norm: Norm,
        up: Linear,
    },
}

impl LatentAttention {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        latent: &Latent,
        layer: usize,
    ) -> std::result::Result<LatentAttention, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let Latent { rank, nope_dim, rope_dim, v_dim, .. } = *latent;
        let DecoderConfig { hidden_size, heads, .. } = *config;
        let q_size = heads * (nope_dim + rope_dim);
        let linear = |part: &str, rows: usize, columns: usize| checkpoint.linear(&name(part), rows, columns, false);
        // The inner norms have an epsilon of their own, whatever the configuration gives the others.
        let norm = |part: &str, size: usize| Norm::load(checkpoint, &name(part), size, NormKind::Rms, 1e-6);
        let query = match latent.query_rank {
            None => Query::Plain(linear("attn_q", q_size, hidden_size)?),
            Some(rank) => Query::Narrow {
                down: linear("attn_q_a", rank, hidden_size)?,
                norm: norm("attn_q_a_norm", rank)?,
                up: linear("attn_q_b", q_size, rank)?,
            },
        };
        let (absorb, expand) = match checkpoint.has(&name("attn_k_b.weight")) {
            true => (
                checkpoint.stack(&name("attn_k_b.weight"), heads, rank, nope_dim)?,
                checkpoint.stack(&name("attn_v_b.weight"), heads, v_dim, rank)?,
            ),
            false => checkpoint.keys_and_values(&name("attn_kv_b.weight"), heads, (nope_dim, v_dim), rank)?,
        };
        Ok(LatentAttention {
            query,
            compress: linear("attn_kv_a_mqa", rank + rope_dim, hidden_size)?,
            norm: norm("attn_kv_a_norm", rank)?,
            absorb,
            expand,
            output: linear("attn_output", hidden_size, heads * v_dim)?,
            latent: *latent,
            params: Params { scale: config.scales.attention as f32, ..Params::default() },
            rotation: config.layers[layer].rotation,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to `[tokens, hidden]`. The latents are added to `cache`.
    pub fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> Result<Tensor> {
        let Latent { rank, nope_dim, rope_dim, v_dim, .. } = self.latent;
        let (tokens, heads) = (pass.tokens, self.absorb.len());
        let q = match &self.query {
            Query::Plain(q) => q.forward(x)?,
            Query::Narrow { down, norm, up } => up.forward(&norm.forward(&down.forward(x)?)?)?,
        };
        let q = q.reshape((tokens, heads, nope_dim + rope_dim))?.transpose(0, 1)?; // [heads, tokens, ..]
        let (q_nope, mut q_rope) = (q.narrow(2, 0, nope_dim)?, q.narrow(2, nope_dim, rope_dim)?);
        let compressed = self.compress.forward(x)?;
        let latent = self.norm.forward(&compressed.narrow(1, 0, rank)?.contiguous()?)?.unsqueeze(0)?;
        let mut k_rope = compressed.narrow(1, rank, rope_dim)?.unsqueeze(0)?; // [1, tokens, rope]
        if let Some(rotation) = self.rotation {
            let (rope, angles) = &pass.rotations[rotation];
            q_rope = rope.apply(&q_rope, angles)?;
            k_rope = rope.apply(&k_rope, angles)?;
        }
        let k = Tensor::cat(&[&latent, &k_rope], 2)?; // [1, tokens, latent + rope]
        cache.append(pass.past, &k.transpose(0, 1)?, &latent.transpose(0, 1)?)?;

        let mut absorbed = Vec::with_capacity(heads);
        for (head, matrix) in self.absorb.iter().enumerate() {
            absorbed.push(matrix.forward(&q_nope.get(head)?)?);
        }
        let q = Tensor::cat(&[&Tensor::stack(&absorbed, 0)?, &q_rope], 2)?; // [heads, tokens, latent + rope]
        let averaged = cache.attend(pass.past, &q.transpose(0, 1)?, &self.params)?; // [tokens, heads, latent]
        let averaged = averaged.transpose(0, 1)?.contiguous()?;
        let mut values = Vec::with_capacity(heads);
        for (head, matrix) in self.expand.iter().enumerate() {
            values.push(matrix.forward(&averaged.get(head)?)?);
        }
        let values = Tensor::stack(&values, 1)?; // [tokens, heads, v_dim]
        self.output.forward(&values.reshape((tokens, heads * v_dim))?)
    }
}
