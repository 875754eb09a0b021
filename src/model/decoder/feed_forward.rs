//! The feed-forward layer: dense, with or without a gate (Shazeer, 2020,
//! <https://arxiv.org/abs/2002.05202>), or a mixture of experts.

use candle_core::cpu::erf::erf_f64 as erf;
use candle_core::{Device, Result, Tensor};

use super::attention::parts;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, Experts, MixerKind};
use super::family::Activation;
use super::kv_cache::LayerCache;
use super::linear::{Linear, Matrix, with_floats};
use super::norm::Norm;
use super::rwkv7::ChannelMix;
use crate::kernels::elementwise::{self, Gate};
use crate::kernels::pool;
use crate::model::Error;

/// One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
pub enum FeedForward {
    Dense(Dense),
    Experts(Mixture),
    ChannelMix(ChannelMix),
    Both(Both),
}

/// Gemma 4: a dense layer and a mixture of experts beside each other, each with norms of its own.
pub struct Both {
    dense: Dense,
    post_dense_norm: Norm,
    experts_norm: Norm,
    experts: Mixture,
    post_experts_norm: Norm,
}

impl FeedForward {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
    ) -> std::result::Result<FeedForward, Error> {
        if let MixerKind::Rwkv7(_) = config.layers[layer].mixer {
            return Ok(FeedForward::ChannelMix(ChannelMix::load(checkpoint, config, layer)?));
        }
        let size = config.layers[layer].feed_forward_size;
        let dense = || Dense::load(checkpoint, config, layer, "", size);
        let Some(experts) = config.experts.as_ref().filter(|_| config.layers[layer].experts) else {
            return Ok(FeedForward::Dense(dense()?));
        };
        let experts = Mixture::load(checkpoint, config, experts, layer)?;
        if !checkpoint.has(&format!("blk.{layer}.pre_ffw_norm_2.weight")) {
            return Ok(FeedForward::Experts(experts));
        }
        let norm = |part: &str| {
            let stem = format!("blk.{layer}.{part}");
            Norm::load(checkpoint, &stem, config.hidden_size, config.family.norm, config.norm_eps)
        };
        Ok(FeedForward::Both(Both {
            dense: dense()?,
            post_dense_norm: norm("post_ffw_norm_1")?,
            experts_norm: norm("pre_ffw_norm_2")?,
            experts,
            post_experts_norm: norm("post_ffw_norm_2")?,
        }))
    }

    /// `x` `[tokens, hidden]`, normed, to the same shape; `raw` is `x` before its norm.
    pub fn forward(&self, x: &Tensor, raw: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        match self {
            FeedForward::ChannelMix(mix) => mix.forward(x, cache),
            FeedForward::Dense(dense) => dense.forward(x),
            FeedForward::Experts(mixture) => mixture.forward(x, raw),
            FeedForward::Both(both) => {
                let dense = both.post_dense_norm.forward(&both.dense.forward(x)?)?;
                let chosen = both.experts.forward(&both.experts_norm.forward(raw)?, raw)?;
                dense + both.post_experts_norm.forward(&chosen)?
            }
        }
    }
}

pub struct Dense {
    input: Input,
    down: Linear,
    activation: Activation,
}

/// What widens the state.
enum Input {
    Plain {
        up: Linear,
    },
    Gated {
        gate: Linear,
        up: Linear,
    },
    /// Gate above, up below.
    Fused {
        gate_up: Linear,
    },
}

impl Dense {
    /// `suffix` tells the shared expert (`_shexp`) from the layer's own.
    fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
        suffix: &str,
        size: usize,
    ) -> std::result::Result<Dense, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}{suffix}");
        Dense::new(checkpoint, name, config.family.gated, config.activation, config.hidden_size, size)
    }

    /// `name` gives the stem of each part's tensors.
    pub fn new(
        checkpoint: &Checkpoint,
        name: impl Fn(&str) -> String,
        gated: bool,
        activation: Activation,
        hidden: usize,
        size: usize,
    ) -> std::result::Result<Dense, Error> {
        let wide = |part: &str, rows: usize| checkpoint.linear(&name(part), rows, hidden, false);
        let input = match gated {
            false => Input::Plain { up: wide("ffn_up", size)? },
            true if checkpoint.has(&format!("{}.weight", name("ffn_gate"))) => {
                Input::Gated { gate: wide("ffn_gate", size)?, up: wide("ffn_up", size)? }
            }
            true => Input::Fused { gate_up: wide("ffn_up", size.saturating_mul(2))? },
        };
        let down = checkpoint.linear(&name("ffn_down"), hidden, size, false)?;
        Ok(Dense { input, down, activation })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let out = with_floats(&x.contiguous()?, |x| {
            let wide = match &self.input {
                Input::Plain { up } => {
                    let [mut up] = Linear::all([up], x, tokens);
                    self.activation.gate(&mut up, None);
                    up
                }
                Input::Gated { gate, up } => {
                    let [mut gate, up] = Linear::all([gate, up], x, tokens);
                    self.activation.gate(&mut gate, Some(&up));
                    gate
                }
                Input::Fused { gate_up } => {
                    let [both] = Linear::all([gate_up], x, tokens);
                    let size = both.len() / tokens / 2;
                    let [mut gate, up] = parts(&both, size, size);
                    self.activation.gate(&mut gate, Some(&up));
                    gate
                }
            };
            let [out] = Linear::all([&self.down], &wide, tokens);
            out
        })?;
        let width = out.len() / tokens.max(1);
        Tensor::from_vec(out, (tokens, width), &Device::Cpu)
    }
}

/// What [`Activation::BoundedSilu`] bounds by, and its slope: `swiglu_limit` and `swiglu_alpha` of gpt-oss.
pub const SILU_BOUND: f64 = 7.0;
pub const SILU_SLOPE: f64 = 1.702;

impl Activation {
    /// [`gate`](Self::gate) of a tensor, alone.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        let mut gates = with_floats(&x.contiguous()?, <[f32]>::to_vec)?;
        self.gate(&mut gates, None);
        Tensor::from_vec(gates, x.shape(), &Device::Cpu)
    }

    /// Makes of `gates` what they let through of `x`; of 1 where there is no `x`.
    pub fn gate(self, gates: &mut [f32], x: Option<&[f32]>) {
        let each = |gates: &mut [f32], open: fn(f32) -> f32| {
            pool::for_each_chunk(gates, 4096, |index, gates| match x {
                Some(x) => gates.iter_mut().zip(&x[index * 4096..]).for_each(|(gate, x)| *gate = open(*gate) * x),
                None => gates.iter_mut().for_each(|gate| *gate = open(*gate)),
            });
        };
        match self {
            Activation::Silu => elementwise::gate(Gate::Silu, gates, x),
            Activation::GeluTanh => elementwise::gate(Gate::GeluTanh, gates, x),
            Activation::Gelu => each(gates, |gate| {
                let gate = f64::from(gate);
                (gate * 0.5 * (1.0 + erf(gate * std::f64::consts::FRAC_1_SQRT_2))) as f32
            }),
            Activation::ReluSquared => each(gates, |gate| gate.max(0.0) * gate.max(0.0)),
            Activation::BoundedSilu => {
                let (bound, slope) = (SILU_BOUND as f32, SILU_SLOPE as f32);
                for (index, gate) in gates.iter_mut().enumerate() {
                    let g = gate.min(bound);
                    let x = x.map_or(1.0, |x| x[index].clamp(-bound, bound) + 1.0);
                    *gate = g / (1.0 + (-slope * g).exp()) * x;
                }
            }
        }
    }
}

/// Experts of which a router chooses a few for each token.
pub struct Mixture {
    router: Linear,
    /// Gemma 4's router reads the state before the layer's norm, through one of its own, and
    router_norm: Option<Norm>,
    /// multiplies each expert's weight with a number of the expert's.
    expert_scales: Option<Vec<f32>>,
    experts: Vec<Expert>,
    /// Added to the scores for choosing alone, `[experts]`.
    bias: Option<Vec<f32>>,
    config: Experts,
    /// The expert of all tokens, and what gates it.
    shared: Option<(Dense, Option<Matrix>)>,
    activation: Activation,
}

struct Expert {
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

impl Mixture {
    fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        experts: &Experts,
        layer: usize,
    ) -> std::result::Result<Mixture, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let (hidden, size, count) = (config.hidden_size, experts.feed_forward_size, experts.count);
        let gates = match config.family.gated {
            true => checkpoint.experts(layer, "ffn_gate", count, size, hidden)?.into_iter().map(Some).collect(),
            false => vec![None; count],
        };
        let ups = checkpoint.experts(layer, "ffn_up", count, size, hidden)?;
        let downs = checkpoint.experts(layer, "ffn_down", count, hidden, size)?;
        let shared = match experts.shared_feed_forward_size {
            0 => None,
            size => {
                let gate = name("ffn_gate_inp_shexp");
                let gate = match checkpoint.has(&gate) {
                    true => Some(checkpoint.row(&gate, hidden)?),
                    false => None,
                };
                Some((Dense::load(checkpoint, config, layer, "_shexp", size)?, gate))
            }
        };
        let numbers = |part: &str| -> std::result::Result<Option<Vec<f32>>, Error> {
            let numbers = checkpoint.vector_if_any(&format!("blk.{layer}.{part}"), count)?;
            Ok(numbers.map(|numbers| numbers.to_vec1()).transpose()?)
        };
        let bias = numbers("exp_probs_b.bias")?;
        // One of another shape is an error: a router that does without would choose other experts.
        let router_norm = match checkpoint.vector_if_any(&format!("blk.{layer}.ffn_gate_inp.scale"), hidden)? {
            Some(scale) => Some(Norm::rms((scale * (hidden as f64).powf(-0.5))?.to_vec1()?, config.norm_eps)),
            None => None,
        };
        let expert_scales = numbers("ffn_down_exps.scale")?;
        let experts_of = gates.into_iter().zip(ups).zip(downs);
        Ok(Mixture {
            router: checkpoint.linear(&format!("blk.{layer}.ffn_gate_inp"), count, hidden, false)?,
            experts: experts_of.map(|((gate, up), down)| Expert { gate, up, down }).collect(),
            router_norm,
            expert_scales,
            bias,
            config: experts.clone(),
            shared,
            activation: config.activation,
        })
    }

    /// As [`FeedForward::forward`].
    fn forward(&self, x: &Tensor, raw: &Tensor) -> Result<Tensor> {
        let scores = match &self.router_norm {
            Some(norm) => self.router.forward(&norm.forward(raw)?)?,
            None => self.router.forward(x)?,
        }; // [tokens, experts]
        let scores = match self.config.sigmoid {
            true => candle_nn::ops::sigmoid(&scores)?,
            false => candle_nn::ops::softmax_last_dim(&scores)?,
        };
        let (tokens, hidden) = x.dims2()?;
        let chosen = self.choose(&scores.to_vec2()?);
        let out = with_floats(&x.contiguous()?, |x| self.mix(x, hidden, &chosen))?;
        let mut out = Tensor::from_vec(out, (tokens, hidden), &Device::Cpu)?;
        if let Some((shared, gate)) = &self.shared {
            let mut common = shared.forward(x)?;
            if let Some(gate) = gate {
                common = common.broadcast_mul(&candle_nn::ops::sigmoid(&gate.forward(x)?)?)?;
            }
            out = (out + common)?;
        }
        Ok(out)
    }

    /// The experts that are chosen for any token.
    fn choose(&self, scores: &[Vec<f32>]) -> Vec<Chosen<'_>> {
        let all = self.experts.iter().map(|expert| Chosen { expert, tokens: Vec::new(), weights: Vec::new() });
        let mut chosen: Vec<Chosen> = all.collect();
        for (token, scores) in scores.iter().enumerate() {
            let best = self.best(scores);
            let sum = if self.config.sum_to_one { best.iter().map(|e| scores[*e]).sum() } else { 1.0 };
            for expert in best {
                chosen[expert].tokens.push(token);
                let scale = self.expert_scales.as_ref().map_or(1.0, |scales| scales[expert]);
                chosen[expert].weights.push(scores[expert] / sum * self.config.scale as f32 * scale);
            }
        }
        chosen.retain(|chosen| !chosen.tokens.is_empty());
        chosen
    }

    /// The experts that a token's `scores` choose, best first.
    fn best(&self, scores: &[f32]) -> Vec<usize> {
        let biased: Vec<f32> = match &self.bias {
            Some(bias) => scores.iter().zip(bias).map(|(score, bias)| score + bias).collect(),
            None => scores.to_vec(),
        };
        let mut order = descending(&biased);
        if let Some(groups) = self.config.groups {
            let size = biased.len() / groups.count;
            let score = |group: &[f32]| descending(group).iter().take(groups.best).map(|e| group[*e]).sum();
            let scores: Vec<f32> = biased.chunks(size).map(score).collect();
            let allowed = &descending(&scores)[..groups.used];
            order.retain(|expert| allowed.contains(&(expert / size)));
        }
        order.truncate(self.config.used);
        order
    }

    /// The results of the experts `chosen` for tokens of `x` `[tokens, hidden]`, weighted and added up. All experts are
    /// computed together.
    fn mix(&self, x: &[f32], hidden: usize, chosen: &[Chosen]) -> Vec<f32> {
        let row = |token: &usize| &x[token * hidden..][..hidden];
        let gathered: Vec<Vec<f32>> =
            chosen.iter().map(|chosen| chosen.tokens.iter().flat_map(row).copied().collect()).collect();
        // A single token is what all its experts read.
        let alone = x.len() == hidden;
        let inputs: Vec<(&[f32], usize)> = match alone {
            true => vec![(x, 1)],
            false => gathered.iter().zip(chosen).map(|(x, chosen)| (&x[..], chosen.tokens.len())).collect(),
        };
        let mut wide = Vec::new();
        for (index, Chosen { expert, .. }) in chosen.iter().enumerate() {
            let input = if alone { 0 } else { index };
            wide.extend(expert.gate.iter().chain([&expert.up]).map(|layer| (layer, input)));
        }
        let mut wide = Linear::each(&wide, &inputs).into_iter();
        let mut opened = Vec::new();
        for Chosen { expert, .. } in chosen {
            let mut first = wide.next().unwrap_or_default();
            match expert.gate.is_some() {
                true => self.activation.gate(&mut first, Some(&wide.next().unwrap_or_default())),
                false => self.activation.gate(&mut first, None),
            }
            opened.push(first);
        }
        let inputs: Vec<(&[f32], usize)> =
            opened.iter().zip(chosen).map(|(x, chosen)| (&x[..], chosen.tokens.len())).collect();
        let downs: Vec<_> = chosen.iter().enumerate().map(|(index, chosen)| (&chosen.expert.down, index)).collect();
        let mut out = vec![0f32; x.len()];
        for (results, Chosen { tokens, weights, .. }) in Linear::each(&downs, &inputs).iter().zip(chosen) {
            for ((result, token), weight) in results.chunks_exact(hidden).zip(tokens).zip(weights) {
                let out = &mut out[token * hidden..][..hidden];
                out.iter_mut().zip(result).for_each(|(out, result)| *out += result * weight);
            }
        }
        out
    }
}

/// An expert with the tokens that it is chosen for, and its weight for each.
struct Chosen<'a> {
    expert: &'a Expert,
    tokens: Vec<usize>,
    weights: Vec<f32>,
}

/// Indices of `values`, the largest first; of two alike the first.
fn descending(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}
