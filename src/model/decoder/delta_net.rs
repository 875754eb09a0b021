//! The gated delta rule (Yang et al., 2024, <https://arxiv.org/abs/2412.06464>) as Qwen3-Next and Qwen3.5 have it in
//! most layers: in place of attention.

use candle_core::{Device, Result, Tensor};

use super::causal_conv::CausalConv;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, DeltaNetShape};
use super::delta_rule::{self, Sizes};
use super::family::{KeySharing, NormKind};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use super::mamba2::softplus;
use super::norm::Norm;
use crate::model::Error;

/// What is added to the square of a query's or key's length before dividing by it.
const UNIT_EPS: f32 = 1e-6;

pub struct DeltaNet {
    shape: DeltaNetShape,
    /// To queries, keys and values, and to the gates of the result.
    qkv_gate: Pair,
    /// To how far a token corrects the memory, and to how far it forgets.
    beta_alpha: Pair,
    conv: CausalConv,
    /// Negative, `[value_heads]`.
    decay: Vec<f32>,
    decay_bias: Vec<f32>,
    /// Over the result of each head.
    norm: Norm,
    output: Linear,
}

impl DeltaNet {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        shape: DeltaNetShape,
        layer: usize,
    ) -> std::result::Result<DeltaNet, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let hidden = config.hidden_size;
        let DeltaNetShape { key_heads, value_heads, key_dim, value_dim, conv_width, .. } = shape;
        let group = value_heads / key_heads;
        let values = group * value_dim;
        let pair = |apart: [&str; 2], woven: &str, parts: &[usize]| {
            Pair::load(checkpoint, apart.map(name), name(woven), hidden, (key_heads, parts))
        };
        // safetensors hold the logarithm.
        let decay = match checkpoint.is_folder() {
            true => checkpoint.vector(&name("ssm_a.weight"), value_heads)?.exp()?.neg()?,
            false => checkpoint.vector(&name("ssm_a"), value_heads)?,
        };
        Ok(DeltaNet {
            qkv_gate: pair(["attn_qkv", "attn_gate"], "ssm_in", &[key_dim, key_dim, values, values])?,
            beta_alpha: pair(["ssm_beta", "ssm_alpha"], "ssm_ba", &[group, group])?,
            conv: CausalConv::load(checkpoint, &name("ssm_conv1d"), key_heads * (2 * key_dim + values), conv_width)?,
            decay: decay.to_vec1()?,
            decay_bias: checkpoint.vector(&name("ssm_dt.bias"), value_heads)?.to_vec1()?,
            norm: Norm::load(checkpoint, &name("ssm_norm"), value_dim, NormKind::Rms, config.norm_eps)?,
            output: checkpoint.linear(&name("ssm_out"), hidden, value_heads * value_dim, false)?,
            shape,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape.
    pub fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let DeltaNetShape { key_heads, value_heads, key_dim, value_dim, sharing, .. } = self.shape;
        let tokens = x.dim(0)?;
        let (qkv, gate) = self.qkv_gate.forward(x)?;
        let (beta, alpha) = self.beta_alpha.forward(x)?; // [tokens, value_heads] each
        let (qkv, conv_state) = self.conv.forward(&qkv, cache.state().first())?;
        let qkv: Vec<Vec<f32>> = qkv.silu()?.to_vec2()?;
        let beta: Vec<Vec<f32>> = candle_nn::ops::sigmoid(&beta)?.to_vec2()?;
        let alpha: Vec<Vec<f32>> = alpha.to_vec2()?;
        let sizes = Sizes { tokens, heads: value_heads, key_dim, value_dim };
        let (out, memory) = delta_rule::scan(sizes, cache.state().get(1), |head, token, step| {
            let key_head = match sharing {
                KeySharing::Neighbours => head / (value_heads / key_heads),
                KeySharing::InTurn => head % key_heads,
            };
            let (queries, rest) = qkv[token].split_at(key_heads * key_dim);
            let (keys, values) = rest.split_at(key_heads * key_dim);
            let part = key_head * key_dim..(key_head + 1) * key_dim;
            delta_rule::unit(&queries[part.clone()], UNIT_EPS, &mut step.query);
            delta_rule::unit(&keys[part], UNIT_EPS, &mut step.key);
            let decay = (self.decay[head] * softplus(alpha[token][head] + self.decay_bias[head])).exp();
            let beta = beta[token][head];
            let scale = (key_dim as f32).sqrt();
            step.query.iter_mut().for_each(|q| *q /= scale);
            // The memory fades; then what it holds of the key moves towards the value by `beta`.
            for (j, key) in step.key.iter().enumerate() {
                step.decay[j] = decay;
                step.recall[j] = decay * key;
                step.correction[j] = -beta * key;
            }
            for (out, value) in step.value.iter_mut().zip(&values[head * value_dim..]) {
                *out = beta * value;
            }
        })?;
        cache.set_state(vec![conv_state, memory]);
        let out = self.norm.forward(&out)?.reshape((tokens, value_heads * value_dim))?;
        self.output.forward(&(out * gate.silu()?)?)
    }
}

/// Two linear layers of the same input.
enum Pair {
    Apart(Linear, Linear),
    /// In one matrix, the rows of both for each key head together: `order` sorts its results, the first layer's
    /// `first` before the second's.
    Woven {
        both: Linear,
        order: Tensor,
        first: usize,
    },
}

impl Pair {
    /// The `parts` are a key head's rows in a woven matrix, the last of them the second layer's.
    fn load(
        checkpoint: &Checkpoint,
        [first, second]: [String; 2],
        woven: String,
        hidden: usize,
        (heads, parts): (usize, &[usize]),
    ) -> std::result::Result<Pair, Error> {
        let rows: usize = parts.iter().sum();
        let second_rows = parts[parts.len() - 1];
        if !checkpoint.has(&format!("{woven}.weight")) {
            return Ok(Pair::Apart(
                checkpoint.linear(&first, heads * (rows - second_rows), hidden, false)?,
                checkpoint.linear(&second, heads * second_rows, hidden, false)?,
            ));
        }
        let both = checkpoint.linear(&woven, heads * rows, hidden, false)?;
        let mut order = Vec::with_capacity(heads * rows);
        let mut start = 0;
        for part in parts {
            order.extend((0..heads).flat_map(|head| head * rows + start..head * rows + start + part).map(|i| i as u32));
            start += part;
        }
        let order = Tensor::from_vec(order, heads * rows, &Device::Cpu)?;
        Ok(Pair::Woven { both, order, first: heads * (rows - second_rows) })
    }

    /// `x` `[tokens, hidden]` to `[tokens, first]` and `[tokens, second]`.
    fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        match self {
            Pair::Apart(first, second) => Ok((first.forward(x)?, second.forward(x)?)),
            Pair::Woven { both, order, first } => {
                let both = both.forward(x)?.index_select(order, 1)?;
                let second = both.dim(1)? - first;
                Ok((both.narrow(1, 0, *first)?.contiguous()?, both.narrow(1, *first, second)?.contiguous()?))
            }
        }
    }
}
