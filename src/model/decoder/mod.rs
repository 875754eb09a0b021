//! One decoder for every family: a configuration and a map of tensor names make it what it is.

mod checkpoint;
mod config;
mod family;
mod kv_cache;
mod linear;
mod rope;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{D, Device, Tensor};

pub use checkpoint::Checkpoint;
pub use config::DecoderConfig;
pub use family::{FAMILIES, Family, RopePairs, supported};
pub use rope::RopeScaling;

use self::kv_cache::LayerCache;
use self::linear::{Linear, Matrix};
use self::rope::Rope;
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
    layers: Vec<Layer>,
    output_norm: Tensor,
    output: Matrix,
    rope: Rope,
    caches: Vec<LayerCache>,
    /// Tokens in the cache.
    len: usize,
}

struct Layer {
    attn_norm: Tensor,
    q: Linear,
    k: Linear,
    v: Linear,
    attn_output: Linear,
    /// RMSNorm weights over each head of Q and of K.
    qk_norm: Option<(Tensor, Tensor)>,
    ffn_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
    window: Option<usize>,
}

impl Layer {
    fn load(checkpoint: &Checkpoint, config: &DecoderConfig, index: usize) -> Result<Layer, Error> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let (hidden, ffn) = (config.hidden_size, config.feed_forward_size);
        let (q_size, kv_size) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        let bias = config.family.qkv_bias;
        let norm = |part: &str, len: usize| checkpoint.vector(&name(part), len);
        Ok(Layer {
            attn_norm: norm("attn_norm.weight", hidden)?,
            q: checkpoint.linear(&name("attn_q"), q_size, hidden, bias)?,
            k: checkpoint.linear(&name("attn_k"), kv_size, hidden, bias)?,
            v: checkpoint.linear(&name("attn_v"), kv_size, hidden, bias)?,
            attn_output: checkpoint.linear(&name("attn_output"), hidden, q_size, false)?,
            qk_norm: match config.family.qk_norm {
                true => {
                    Some((norm("attn_q_norm.weight", config.head_dim)?, norm("attn_k_norm.weight", config.head_dim)?))
                }
                false => None,
            },
            ffn_norm: norm("ffn_norm.weight", hidden)?,
            gate: checkpoint.linear(&name("ffn_gate"), ffn, hidden, false)?,
            up: checkpoint.linear(&name("ffn_up"), ffn, hidden, false)?,
            down: checkpoint.linear(&name("ffn_down"), hidden, ffn, false)?,
            window: config.windows[index],
        })
    }
}

impl Decoder {
    /// Binds the tensors of `checkpoint`; nothing but norms and biases is copied.
    pub fn load(checkpoint: &Checkpoint) -> Result<Decoder, Error> {
        let mut config = checkpoint.config()?;
        if let Some(tensor) = checkpoint.find("rope_freqs.weight") {
            let divisors = checkpoint.floats(tensor)?;
            if divisors.len() != config.rope_dim / 2 {
                let reason = format!("rope_freqs.weight has {} elements, not {}", divisors.len(), config.rope_dim / 2);
                return Err(Error::Config { file: checkpoint.file(), reason });
            }
            config.rope_scaling = RopeScaling::Factors(divisors);
        }
        let embedding = checkpoint.matrix("token_embd.weight", None, config.hidden_size)?;
        // Without a matrix of its own the output shares the embedding's.
        let output = match checkpoint.find("output.weight") {
            Some(_) => checkpoint.matrix("output.weight", Some(embedding.rows()), config.hidden_size)?,
            None => embedding.clone(),
        };
        let layers =
            (0..config.layers).map(|index| Layer::load(checkpoint, &config, index)).collect::<Result<Vec<_>, _>>()?;
        Ok(Decoder {
            embedding,
            output,
            output_norm: checkpoint.vector("output_norm.weight", config.hidden_size)?,
            rope: Rope::new(config.rope_dim, config.rope_theta, config.rope_pairs, &config.rope_scaling),
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
        self.output.rows()
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

    /// Continues with `tokens` after those in the cache and returns logits `[1 or tokens, vocab]`.
    ///
    /// When `cancel` is set the pass ends at the next layer with [`Error::Cancelled`]; the cache
    /// is as it was before.
    pub fn forward(&mut self, tokens: &[u32], logits: Logits, cancel: &AtomicBool) -> Result<Tensor, Error> {
        let config = &self.config;
        let eps = config.rms_norm_eps as f32;
        let mut x = self.embedding.embed(tokens)?; // [tokens, hidden]
        let angles = self.rope.angles(self.len, tokens.len(), &Device::Cpu)?;
        let masks = Masks::new(self.len, tokens.len());
        for (layer, cache) in self.layers.iter().zip(&mut self.caches) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let normed = candle_nn::ops::rms_norm(&x, &layer.attn_norm, eps)?;
            let attended = attention(config, layer, cache, &self.rope, &angles, &masks, self.len, &normed)?;
            x = (x + attended)?;
            let normed = candle_nn::ops::rms_norm(&x, &layer.ffn_norm, eps)?;
            let gated = (layer.gate.forward(&normed)?.silu()? * layer.up.forward(&normed)?)?; // [tokens, ffn]
            x = (x + layer.down.forward(&gated)?)?;
        }
        if logits == Logits::Last {
            x = x.narrow(0, tokens.len() - 1, 1)?;
        }
        let normed = candle_nn::ops::rms_norm(&x.contiguous()?, &self.output_norm, eps)?;
        let out = self.output.forward(&normed)?;
        self.len += tokens.len();
        Ok(out)
    }
}

/// Grouped-query attention of the new tokens `x` `[tokens, hidden]` over all tokens so far.
#[allow(clippy::too_many_arguments)]
fn attention(
    config: &DecoderConfig,
    layer: &Layer,
    cache: &mut LayerCache,
    rope: &Rope,
    angles: &(Tensor, Tensor),
    masks: &Masks,
    past: usize,
    x: &Tensor,
) -> Result<Tensor, Error> {
    let tokens = x.dim(0)?;
    let (heads, kv_heads, head_dim) = (config.heads, config.kv_heads, config.head_dim);
    let eps = config.rms_norm_eps as f32;
    let split = |x: Tensor, heads: usize| x.reshape((tokens, heads, head_dim));
    let mut q = split(layer.q.forward(x)?, heads)?;
    let mut k = split(layer.k.forward(x)?, kv_heads)?;
    let v = split(layer.v.forward(x)?, kv_heads)?.transpose(0, 1)?;
    if let Some((q_norm, k_norm)) = &layer.qk_norm {
        q = candle_nn::ops::rms_norm(&q, q_norm, eps)?;
        k = candle_nn::ops::rms_norm(&k, k_norm, eps)?;
    }
    let q = rope.apply(&q.transpose(0, 1)?, angles)?; // [heads, tokens, head_dim]
    let k = rope.apply(&k.transpose(0, 1)?, angles)?;
    let (k, v) = cache.append(past, &k, &v)?; // [kv_heads, past + tokens, head_dim]

    // The heads that share a KV head are stacked along the tokens, so that K and V are not repeated.
    let group = heads / kv_heads;
    let q = (q.reshape((kv_heads, group * tokens, head_dim))? * (head_dim as f64).powf(-0.5))?;
    let mut scores = q.matmul(&k.transpose(1, 2)?)?; // [kv_heads, group * tokens, past + tokens]
    if let Some(mask) = masks.get(layer.window)? {
        let len = past + tokens;
        scores = scores.reshape((heads, tokens, len))?.broadcast_add(&mask)?;
        scores = scores.reshape((kv_heads, group * tokens, len))?;
    }
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    let out = weights.matmul(&v)?; // [kv_heads, group * tokens, head_dim]
    let out = out.reshape((heads, tokens, head_dim))?.transpose(0, 1)?;
    let out = out.reshape((tokens, heads * head_dim))?;
    debug_assert_eq!(out.dim(D::Minus1)?, heads * head_dim);
    Ok(layer.attn_output.forward(&out)?)
}

/// Which positions each new token may see.
struct Masks {
    past: usize,
    tokens: usize,
}

impl Masks {
    fn new(past: usize, tokens: usize) -> Masks {
        Masks { past, tokens }
    }

    /// `[tokens, past + tokens]` of 0 and minus infinity, or `None` when every token sees all.
    fn get(&self, window: Option<usize>) -> Result<Option<Tensor>, Error> {
        let len = self.past + self.tokens;
        if self.tokens == 1 && window.is_none_or(|window| window >= len) {
            return Ok(None);
        }
        let mut mask = vec![0f32; self.tokens * len];
        for (token, row) in mask.chunks_mut(len).enumerate() {
            let position = self.past + token;
            row[position + 1..].fill(f32::NEG_INFINITY);
            if let Some(window) = window {
                row[..(position + 1).saturating_sub(window)].fill(f32::NEG_INFINITY);
            }
        }
        Ok(Some(Tensor::from_vec(mask, (self.tokens, len), &Device::Cpu)?))
    }
}
