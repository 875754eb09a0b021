//! RWKV 7 "Goose" (Peng et al., 2025, <https://arxiv.org/abs/2503.14456>): its time mix in place of attention, and its
//! channel mix in place of the feed-forward layer.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::attention::Pass;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, Rwkv7Shape};
use super::delta_rule::{self, Sizes};
use super::family::{Activation, NormKind};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use super::norm::Norm;
use crate::model::Error;

/// What a token's mixtures with the one before it go to, in the order that GGUF files store their shares.
const MIXTURES: [&str; 6] = ["r", "w", "k", "v", "a", "g"];
/// Of the state that a layer keeps: the input before the next of the time mix, its memory, and the input of the channel
/// mix.
const TIME_STATES: usize = 2;

pub struct TimeMix {
    shape: Rwkv7Shape,
    /// How much of the token before each mixture holds: `[6, hidden]`.
    shares: Tensor,
    receptance: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    decay: LowRank,
    /// How far a token corrects the memory.
    rate: LowRank,
    /// How far a value becomes the first layer's, in the other layers.
    value_mix: Option<LowRank>,
    gate: LowRank,
    /// What turns a key into what is corrected, `[hidden]`.
    removal: Vec<f32>,
    /// How far the rate scales the key.
    rate_share: Tensor,
    /// What of a token's own value its result has besides, `[heads, head_dim]`.
    bonus: Tensor,
    /// Over the result of each head; then scaled and shifted, `[hidden]` each.
    norm: Norm,
    norm_weight: Tensor,
    norm_bias: Tensor,
}

impl TimeMix {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        shape: Rwkv7Shape,
        layer: usize,
    ) -> std::result::Result<TimeMix, Error> {
        let hidden = config.hidden_size;
        let head_dim = shape.head_dim;
        let name = |part: &str| format!("blk.{layer}.time_mix_{part}");
        let linear = |part: &str| checkpoint.linear(&name(part), hidden, hidden, false);
        let row = |part: &str| checkpoint.grid(&name(&format!("{part}.weight")), 1, hidden);
        let low_rank = |part: &str| LowRank::load(checkpoint, &name(part), hidden);
        let shares = match checkpoint.has(&name("lerp_fused.weight")) {
            true => checkpoint.grid(&name("lerp_fused.weight"), MIXTURES.len(), hidden)?,
            false => {
                let rows = MIXTURES.map(|part| row(&format!("lerp_{part}")));
                Tensor::cat(&rows.into_iter().collect::<std::result::Result<Vec<_>, _>>()?, 0)?
            }
        };
        // GGUF files hold it as one vector, and their reader's epsilon is that of heads of 64.
        let (bonus, eps) = match checkpoint.is_folder() {
            true => {
                (checkpoint.grid(&name("r_k.weight"), hidden / head_dim, head_dim)?, head_dim as f64 * config.norm_eps)
            }
            false => (row("r_k")?.reshape((hidden / head_dim, head_dim))?, 64e-5),
        };
        Ok(TimeMix {
            shares,
            receptance: linear("receptance")?,
            key: linear("key")?,
            value: linear("value")?,
            output: linear("output")?,
            decay: low_rank("w")?,
            rate: low_rank("a")?,
            value_mix: if layer == 0 { None } else { Some(low_rank("v")?) },
            gate: low_rank("g")?,
            removal: row("k_k")?.flatten_all()?.to_vec1()?,
            rate_share: row("k_a")?,
            bonus,
            norm: Norm::plain(head_dim, NormKind::Layer, eps),
            norm_weight: checkpoint.vector(&name("ln.weight"), hidden)?,
            norm_bias: checkpoint.vector(&name("ln.bias"), hidden)?,
            shape,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape.
    pub fn forward(&self, x: &Tensor, pass: &Pass, cache: &mut LayerCache) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        let head_dim = self.shape.head_dim;
        let heads = hidden / head_dim;
        let change = (before(x, cache.state().first())? - x)?;
        let mixture = |i: usize| x + change.broadcast_mul(&self.shares.narrow(0, i, 1)?)?;
        let receptance = self.receptance.forward(&mixture(0)?)?;
        // In (e^(-e^(-1/2)), 1).
        let decay = candle_nn::ops::sigmoid(&self.decay.forward(&mixture(1)?, Tensor::tanh)?)?;
        let decay = (decay * -(-0.5f64).exp())?.exp()?;
        let key = self.key.forward(&mixture(2)?)?;
        let for_value = mixture(3)?;
        let mut value = self.value.forward(&for_value)?;
        let first = pass.first_value.get_or_init(|| value.clone());
        if let Some(mix) = &self.value_mix {
            let mix = candle_nn::ops::sigmoid(&mix.forward(&for_value, |x| Ok(x.clone()))?)?;
            value = (&value + ((first - &value)? * mix)?)?;
        }
        let rate = candle_nn::ops::sigmoid(&self.rate.forward(&mixture(4)?, |x| Ok(x.clone()))?)?;
        let gate = self.gate.forward(&mixture(5)?, candle_nn::ops::sigmoid)?;
        // key * (1 + (rate - 1) * share)
        let written = (&key + (&key * (&rate - 1.0)?.broadcast_mul(&self.rate_share)?)?)?;

        let rows = |x: &Tensor| x.to_vec2::<f32>();
        let (queries, decays, keys, rates) = (rows(&receptance)?, rows(&decay)?, rows(&key)?, rows(&rate)?);
        let (writes, values) = (rows(&written)?, rows(&value)?);
        let sizes = Sizes { tokens, heads, key_dim: head_dim, value_dim: head_dim };
        let (out, memory) = delta_rule::scan(sizes, cache.state().get(1), |head, token, step| {
            let part = head * head_dim..(head + 1) * head_dim;
            step.query.copy_from_slice(&queries[token][part.clone()]);
            step.decay.copy_from_slice(&decays[token][part.clone()]);
            step.value.copy_from_slice(&values[token][part.clone()]);
            // What is recalled by the direction that a key removes is taken away from there, by the rate.
            let removed: Vec<f32> = part.clone().map(|i| keys[token][i] * self.removal[i]).collect();
            delta_rule::unit(&removed, self.shape.unit_eps(), &mut step.recall);
            for (i, j) in part.clone().enumerate() {
                step.correction[i] = -step.recall[i] * rates[token][j];
            }
            step.key.copy_from_slice(&writes[token][part]);
        })?;
        let channel_state = cache.state().get(TIME_STATES).cloned();
        cache.set_state([last(x)?, memory].into_iter().chain(channel_state).collect());

        let out = self.norm.forward(&out)?.reshape((tokens, hidden))?;
        let out = out.broadcast_mul(&self.norm_weight)?.broadcast_add(&self.norm_bias)?;
        let by_head = |x: &Tensor| x.reshape((tokens, heads, head_dim));
        let own = by_head(&(receptance * written)?)?.broadcast_mul(&self.bonus)?.sum_keepdim(2)?; // [tokens, heads, 1]
        let own = by_head(&value)?.broadcast_mul(&own)?.reshape((tokens, hidden))?;
        self.output.forward(&((out + own)? * gate)?)
    }
}

/// Two matrices with few components between them.
struct LowRank {
    down: Linear,
    up: Linear,
}

impl LowRank {
    /// `stem1` and `stem2`; the bias of the second is `stem0` in GGUF files.
    fn load(checkpoint: &Checkpoint, stem: &str, hidden: usize) -> std::result::Result<LowRank, Error> {
        let down = checkpoint.matrix(&format!("{stem}1.weight"), None, hidden)?;
        let mut up = checkpoint.linear(&format!("{stem}2"), hidden, down.rows(), false)?;
        if let Some(bias) = checkpoint.vector_if_any(&format!("{stem}0.weight"), hidden)? {
            up.bias = Some(Arc::new(bias.to_vec1()?));
        }
        Ok(LowRank { down: Linear { weight: down, bias: None }, up })
    }

    fn forward(&self, x: &Tensor, between: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        self.up.forward(&between(&self.down.forward(x)?)?)
    }
}

pub struct ChannelMix {
    /// How much of the token before the mixture holds: `[1, hidden]`.
    share: Tensor,
    key: Linear,
    value: Linear,
    activation: Activation,
}

impl ChannelMix {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
    ) -> std::result::Result<ChannelMix, Error> {
        let name = |part: &str| format!("blk.{layer}.channel_mix_{part}");
        let (hidden, size) = (config.hidden_size, config.layers[layer].feed_forward_size);
        Ok(ChannelMix {
            share: checkpoint.grid(&name("lerp_k.weight"), 1, hidden)?,
            key: checkpoint.linear(&name("key"), size, hidden, false)?,
            value: checkpoint.linear(&name("value"), hidden, size, false)?,
            activation: config.activation,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape; after the layer's time mix.
    pub fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let change = (before(x, cache.state().get(TIME_STATES))? - x)?;
        let mut state = cache.state().to_vec();
        state.truncate(TIME_STATES);
        state.push(last(x)?);
        cache.set_state(state);
        let mixture = (x + change.broadcast_mul(&self.share)?)?;
        self.value.forward(&self.activation.apply(&self.key.forward(&mixture)?)?)
    }
}

/// For each of the tokens `x` `[tokens, hidden]` the one before it; `earlier` `[1, hidden]` is that of the first, zeros
/// at the beginning.
fn before(x: &Tensor, earlier: Option<&Tensor>) -> Result<Tensor> {
    let (tokens, hidden) = x.dims2()?;
    let zeros = Tensor::zeros((1, hidden), DType::F32, &Device::Cpu)?;
    Tensor::cat(&[earlier.unwrap_or(&zeros), &x.narrow(0, 0, tokens - 1)?], 0)
}

/// The last of the tokens, `[1, hidden]`: a copy, which does not keep the others alive.
fn last(x: &Tensor) -> Result<Tensor> {
    x.narrow(0, x.dim(0)? - 1, 1)?.copy()
}
