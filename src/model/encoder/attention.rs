//! Attention of every token over all tokens, or over those near it (Vaswani et al., 2017,
//! <https://arxiv.org/abs/1706.03762>).

use candle_core::{Device, Result, Tensor};

use super::config::EncoderConfig;
use crate::model::decoder::{Angles, Linear, Rope};
use crate::model::{Checkpoint, Error};

/// Bytes that the scores of one step may take; the queries of a longer text go in several.
const SCORES_BYTES: usize = 64 << 20;

/// The attention of one layer.
pub struct Attention {
    qkv: Qkv,
    output: Linear,
    heads: usize,
    reach: Option<usize>,
    rotation: Option<usize>,
}

/// One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
enum Qkv {
    Apart([Linear; 3]),
    Fused(Linear),
}

impl Attention {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &EncoderConfig,
        layer: usize,
    ) -> std::result::Result<Attention, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let hidden = config.hidden_size;
        let linear = |part: &str, rows: usize| checkpoint.linear(&name(part), rows, hidden, false);
        let qkv = match checkpoint.has(&name("attn_qkv.weight")) {
            true => Qkv::Fused(linear("attn_qkv", 3 * hidden)?),
            false => Qkv::Apart([linear("attn_q", hidden)?, linear("attn_k", hidden)?, linear("attn_v", hidden)?]),
        };
        Ok(Attention {
            qkv,
            output: linear("attn_output", hidden)?,
            heads: config.heads,
            reach: config.layers[layer].reach,
            rotation: config.layers[layer].rotation,
        })
    }

    /// `x` `[tokens, hidden]` to the same shape. `rotations` are those of the model with the angles of
    /// the text's positions; `distances` say what relative positions add to the scores.
    pub fn forward(&self, x: &Tensor, rotations: &[(&Rope, Angles)], distances: Option<&Distances>) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        let head_dim = hidden / self.heads;
        let split = |x: Tensor| x.reshape((tokens, self.heads, head_dim))?.transpose(0, 1)?.contiguous();
        let (mut q, mut k, v) = match &self.qkv {
            Qkv::Apart([q, k, v]) => (split(q.forward(x)?)?, split(k.forward(x)?)?, split(v.forward(x)?)?),
            Qkv::Fused(qkv) => {
                let qkv = qkv.forward(x)?;
                let part = |index: usize| split(qkv.narrow(1, index * hidden, hidden)?.contiguous()?);
                (part(0)?, part(1)?, part(2)?)
            }
        }; // [heads, tokens, head_dim]
        if let Some(rotation) = self.rotation {
            let (rope, angles) = &rotations[rotation];
            q = rope.apply(&q, angles)?;
            k = rope.apply(&k, angles)?;
        }
        let q = (q * (head_dim as f64).powf(-0.5))?;
        let reach = self.reach.unwrap_or(tokens);
        let step = (SCORES_BYTES / (self.heads * tokens * size_of::<f32>())).clamp(8, reach.max(64));
        let mut parts = Vec::new();
        for start in (0..tokens).step_by(step) {
            let end = (start + step).min(tokens);
            // The keys that any of these queries sees.
            let (first, last) = (start.saturating_sub(reach), end.saturating_add(reach).min(tokens));
            let keys = k.narrow(1, first, last - first)?.contiguous()?;
            let values = v.narrow(1, first, last - first)?.contiguous()?;
            let queries = q.narrow(1, start, end - start)?.contiguous()?;
            let mut scores = queries.matmul(&keys.transpose(1, 2)?)?; // [heads, queries, keys]
            if let Some(distances) = distances {
                scores = (scores + distances.of(start..end, first..last)?)?;
            }
            if last - first > reach {
                scores = scores.broadcast_add(&mask(start..end, first..last, reach)?)?;
            }
            parts.push(candle_nn::ops::softmax_last_dim(&scores)?.matmul(&values)?);
        }
        let out = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 1)? };
        self.output.forward(&out.transpose(0, 1)?.reshape((tokens, hidden))?)
    }
}

type Positions = std::ops::Range<usize>;

/// `[queries, keys]` of 0 and minus infinity: a query sees `reach` tokens to each side.
fn mask(queries: Positions, keys: Positions, reach: usize) -> Result<Tensor> {
    let shape = (queries.len(), keys.len());
    let seen = queries.flat_map(|query| keys.clone().map(move |key| query.abs_diff(key) <= reach));
    let values = seen.map(|seen| if seen { 0.0 } else { f32::NEG_INFINITY }).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// What each head adds to a score for how far the key is from the query, in buckets that grow with the
/// distance (Raffel et al., 2020, <https://arxiv.org/abs/1910.10683>).
pub struct Distances {
    /// `[buckets, heads]`: half the buckets for keys before the query, half for keys after it.
    table: Vec<Vec<f32>>,
}

impl Distances {
    /// Distances of this many tokens and more share a bucket.
    const FARTHEST: f32 = 128.0;

    /// `None` where the file has no such tensor.
    pub fn load(checkpoint: &Checkpoint, heads: usize) -> std::result::Result<Option<Distances>, Error> {
        let name = "attn_rel_b.weight";
        if !checkpoint.has(name) {
            return Ok(None);
        }
        let matrix = checkpoint.matrix(name, None, heads)?;
        let rows: Vec<u32> = (0..matrix.rows() as u32).collect();
        if rows.len() < 4 {
            let reason = format!("tensor {name} has {} rows: too few", rows.len());
            return Err(Error::Config { file: checkpoint.file(), reason });
        }
        Ok(Some(Distances { table: matrix.embed(&rows)?.to_vec2()? }))
    }

    fn bucket(&self, query: usize, key: usize) -> usize {
        let half = self.table.len() / 2;
        let (exact, distance) = (half / 2, query.abs_diff(key));
        let bucket = if distance < exact {
            distance
        } else {
            let steps = (distance as f32 / exact as f32).ln() / (Self::FARTHEST / exact as f32).ln();
            (exact + (steps * (half - exact) as f32) as usize).min(half - 1)
        };
        if key > query { half + bucket } else { bucket }
    }

    /// `[heads, queries, keys]`.
    fn of(&self, queries: Positions, keys: Positions) -> Result<Tensor> {
        let heads = self.table[0].len();
        let shape = (heads, queries.len(), keys.len());
        let buckets: Vec<usize> = queries
            .flat_map(|query| keys.clone().map(move |key| (query, key)))
            .map(|(q, k)| self.bucket(q, k))
            .collect();
        let values = (0..heads).flat_map(|head| buckets.iter().map(move |bucket| self.table[*bucket][head])).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }
}
