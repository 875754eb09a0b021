//! The feed-forward layer: dense, with or without a gate (Shazeer, 2020,
//! <https://arxiv.org/abs/2002.05202>), or a mixture of experts.

use candle_core::{Device, Result, Tensor};

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, Experts};
use super::family::Activation;
use super::linear::{Linear, Matrix};
use crate::model::Error;

/// One a layer: the size of a variant costs nothing.
#[allow(clippy::large_enum_variant)]
pub enum FeedForward {
    Dense(Dense),
    Experts(Mixture),
}

impl FeedForward {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
    ) -> std::result::Result<FeedForward, Error> {
        match config.experts.as_ref().filter(|_| config.layers[layer].experts) {
            Some(experts) => Ok(FeedForward::Experts(Mixture::load(checkpoint, config, experts, layer)?)),
            None => Ok(FeedForward::Dense(Dense::load(checkpoint, config, layer, "", config.feed_forward_size)?)),
        }
    }

    /// `x` `[tokens, hidden]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            FeedForward::Dense(dense) => dense.forward(x),
            FeedForward::Experts(mixture) => mixture.forward(x),
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
            true => Input::Fused { gate_up: wide("ffn_up", 2 * size)? },
        };
        let down = checkpoint.linear(&name("ffn_down"), hidden, size, false)?;
        Ok(Dense { input, down, activation })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let wide = match &self.input {
            Input::Plain { up } => self.activation.apply(&up.forward(x)?)?,
            Input::Gated { gate, up } => (self.activation.apply(&gate.forward(x)?)? * up.forward(x)?)?,
            Input::Fused { gate_up } => {
                let both = gate_up.forward(x)?.chunk(2, 1)?;
                (self.activation.apply(&both[0].contiguous()?)? * &both[1])?
            }
        };
        self.down.forward(&wide)
    }
}

impl Activation {
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Silu => x.silu(),
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
        }
    }
}

/// Experts of which a router chooses a few for each token.
pub struct Mixture {
    router: Matrix,
    experts: Vec<Expert>,
    /// Added to the scores for choosing alone, `[experts]`.
    bias: Option<Vec<f32>>,
    config: Experts,
    /// The expert of all tokens, and what gates it.
    shared: Option<(Dense, Option<Matrix>)>,
    activation: Activation,
}

struct Expert {
    gate: Matrix,
    up: Matrix,
    down: Matrix,
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
        let gates = checkpoint.experts(layer, "ffn_gate", count, size, hidden)?;
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
        let bias = match checkpoint.has(&format!("blk.{layer}.exp_probs_b.bias")) {
            true => Some(checkpoint.vector(&format!("blk.{layer}.exp_probs_b.bias"), count)?.to_vec1()?),
            false => None,
        };
        let experts_of = gates.into_iter().zip(ups).zip(downs);
        Ok(Mixture {
            router: checkpoint.matrix(&name("ffn_gate_inp"), Some(count), hidden)?,
            experts: experts_of.map(|((gate, up), down)| Expert { gate, up, down }).collect(),
            bias,
            config: experts.clone(),
            shared,
            activation: config.activation,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let scores = self.router.forward(x)?; // [tokens, experts]
        let scores = match self.config.sigmoid {
            true => candle_nn::ops::sigmoid(&scores)?,
            false => candle_nn::ops::softmax_last_dim(&scores)?,
        };
        let mut out = x.zeros_like()?;
        for (expert, (tokens, weights)) in self.experts.iter().zip(self.choose(&scores.to_vec2()?)) {
            if tokens.is_empty() {
                continue;
            }
            let count = tokens.len();
            let tokens = Tensor::from_vec(tokens, count, &Device::Cpu)?;
            let chosen = x.index_select(&tokens, 0)?;
            let wide = (self.activation.apply(&expert.gate.forward(&chosen)?)? * expert.up.forward(&chosen)?)?;
            let weights = Tensor::from_vec(weights, (count, 1), &Device::Cpu)?;
            out = out.index_add(&tokens, &expert.down.forward(&wide)?.broadcast_mul(&weights)?, 0)?;
        }
        if let Some((shared, gate)) = &self.shared {
            let mut common = shared.forward(x)?;
            if let Some(gate) = gate {
                common = common.broadcast_mul(&candle_nn::ops::sigmoid(&gate.forward(x)?)?)?;
            }
            out = (out + common)?;
        }
        Ok(out)
    }

    /// For each expert, the tokens that it is chosen for, with its weight for each.
    fn choose(&self, scores: &[Vec<f32>]) -> Vec<(Vec<u32>, Vec<f32>)> {
        let mut chosen = vec![(Vec::new(), Vec::new()); self.experts.len()];
        for (token, scores) in scores.iter().enumerate() {
            let best = self.best(scores);
            let sum = if self.config.sum_to_one { best.iter().map(|e| scores[*e]).sum() } else { 1.0 };
            for expert in best {
                chosen[expert].0.push(token as u32);
                chosen[expert].1.push(scores[expert] / sum * self.config.scale as f32);
            }
        }
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
}

/// Indices of `values`, the largest first; of two alike the first.
fn descending(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}
