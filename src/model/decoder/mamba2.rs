//! Mamba 2's state-space layer: in place of attention (Dao and Gu, 2024, <https://arxiv.org/abs/2405.21060>).

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::causal_conv::CausalConv;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, StateSpace};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use crate::model::Error;

/// Tokens that one round of matrix products takes.
const CHUNK: usize = 64;

pub struct Mamba2 {
    shape: StateSpace,
    /// To gate, what the convolution mixes, and a time step a head: `[2 * inner + 2 * groups * states + heads, hidden]`.
    input: Linear,
    /// Over the heads' inputs, B of all groups and C of all groups.
    conv: CausalConv,
    /// How fast each head forgets: negative.
    a: Vec<f32>,
    /// How much of its input each head passes on as it is, `[heads, 1]`.
    d: Tensor,
    time_step_bias: Vec<f32>,
    norm: GatedNorm,
    output: Linear,
}

impl Mamba2 {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        shape: StateSpace,
        layer: usize,
    ) -> std::result::Result<Mamba2, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (hidden, inner, heads) = (config.hidden_size, shape.inner(), shape.heads);
        Ok(Mamba2 {
            shape,
            input: checkpoint.linear(&name("ssm_in"), inner + shape.mixed() + heads, hidden, false)?,
            conv: CausalConv::load(checkpoint, &name("ssm_conv1d"), shape.mixed(), shape.conv_width)?,
            a: negative_rates(checkpoint, &name("ssm_a"), heads)?,
            d: Tensor::from_vec(checkpoint.values(&name("ssm_d"), heads)?, (heads, 1), &Device::Cpu)?,
            time_step_bias: checkpoint.values(&name("ssm_dt.bias"), heads)?,
            norm: GatedNorm::load(checkpoint, &name("ssm_norm.weight"), shape.groups, inner, config.norm_eps)?,
            output: checkpoint.linear(&name("ssm_out"), hidden, inner, false)?,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape.
    pub fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let (inner, mixed) = (self.shape.inner(), self.shape.mixed());
        let projected = self.input.forward(x)?;
        let gate = projected.narrow(1, 0, inner)?;
        let time_steps = projected.narrow(1, inner + mixed, self.shape.heads)?;
        let before = cache.state().first();
        let (mixed, conv_state) = self.conv.forward(&projected.narrow(1, inner, mixed)?, before)?;
        let (y, state) = self.scan(&mixed.silu()?, &time_steps, cache.state().get(1))?;
        cache.set_state(vec![conv_state, state]);
        self.output.forward(&self.norm.forward(&y, &gate)?)
    }

    /// The recurrence over the tokens, with a state `h` `[states, head_dim]` a head that starts as `before` or zero:
    ///
    /// ```text
    /// dt = softplus(time_step + bias)
    /// h  = exp(dt * a) * h + B (dt * x)^T
    /// y  = C^T h + d * x
    /// ```
    ///
    /// `mixed` `[tokens, inner + 2 * groups * states]` are x, B and C, `time_steps` `[tokens, heads]`. Returns y
    /// `[tokens, inner]` and the state after the last token, `[groups, states, inner / groups]`.
    fn scan(&self, mixed: &Tensor, time_steps: &Tensor, before: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let StateSpace { heads, head_dim, states, groups, time_step_limit: (least, most), .. } = self.shape;
        let inner = self.shape.inner();
        let mut state = match before {
            Some(state) => state.clone(),
            None => Tensor::zeros((groups, states, inner / groups), DType::F32, &Device::Cpu)?,
        };
        let mut outputs = Vec::new();
        let tokens = mixed.dim(0)?;
        for start in (0..tokens).step_by(CHUNK) {
            let len = CHUNK.min(tokens - start);
            let mixed = mixed.narrow(0, start, len)?;
            let part = |start: usize| mixed.narrow(1, start, groups * states)?.reshape((len, groups, states));
            let mut dt: Vec<f32> = time_steps.narrow(0, start, len)?.flatten_all()?.to_vec1()?;
            for token in dt.chunks_mut(heads) {
                for (dt, bias) in token.iter_mut().zip(&self.time_step_bias) {
                    *dt = softplus(*dt + bias).clamp(least, most);
                }
            }
            let decays = dt.iter().zip(self.a.iter().cycle()).map(|(dt, a)| (dt * a).exp()).collect();
            let x = mixed.narrow(1, 0, inner)?.reshape((len, heads, head_dim))?;
            let inputs = Inputs {
                dt_x: x.broadcast_mul(&Tensor::from_vec(dt, (len, heads, 1), &Device::Cpu)?)?,
                b: part(inner)?,
                c: part(inner + groups * states)?,
                decays,
            };
            let (y, after) = if len == 1 { inputs.one(&state)? } else { inputs.several(&state)? };
            state = after;
            outputs.push((y + x.broadcast_mul(&self.d)?)?.reshape((len, inner))?);
        }
        Ok((Tensor::cat(&outputs, 0)?, state))
    }
}

/// What the recurrence reads of a few tokens.
struct Inputs {
    /// `[tokens, heads, head_dim]`.
    dt_x: Tensor,
    /// `[tokens, groups, states]` each.
    b: Tensor,
    c: Tensor,
    /// `[tokens, heads]`.
    decays: Vec<f32>,
}

impl Inputs {
    /// The recurrence as it stands, for one token: what it adds to y `[1, heads, head_dim]`, and the new state.
    fn one(&self, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let (_, heads, head_dim) = self.dt_x.dims3()?;
        let (groups, states, width) = state.dims3()?;
        let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
        let (dt_x, b, c) = (values(&self.dt_x)?, values(&self.b)?, values(&self.c)?);
        let decays: Vec<f32> = self.decays.iter().flat_map(|decay| std::iter::repeat_n(*decay, head_dim)).collect();
        let mut after = values(state)?;
        let mut y = vec![0f32; groups * width];
        for (group, (h, y)) in after.chunks_mut(states * width).zip(y.chunks_mut(width)).enumerate() {
            let (dt_x, decays) = (&dt_x[group * width..][..width], &decays[group * width..][..width]);
            for (h, (b, c)) in h.chunks_mut(width).zip(b[group * states..].iter().zip(&c[group * states..])) {
                for ((h, y), (x, decay)) in h.iter_mut().zip(y.iter_mut()).zip(dt_x.iter().zip(decays)) {
                    *h = decay * *h + b * x;
                    *y += c * *h;
                }
            }
        }
        let y = Tensor::from_vec(y, (1, heads, head_dim), &Device::Cpu)?;
        Ok((y, Tensor::from_vec(after, (groups, states, width), &Device::Cpu)?))
    }

    /// The same as matrix products, for several tokens (section 6 of the paper): what token s gave reaches token t
    /// as `(C_t . B_s) * decays between them * dt_x_s`, and what was before decays likewise.
    fn several(&self, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let (tokens, heads, head_dim) = self.dt_x.dims3()?;
        let (groups, _, width) = state.dims3()?;
        let (b, c) = (self.b.transpose(0, 1)?, self.c.transpose(0, 1)?); // [groups, tokens, states]
        let decay = |token: usize, head: usize| self.decays[token * heads + head];

        let reach: Vec<f32> = c.matmul(&b.transpose(1, 2)?)?.flatten_all()?.to_vec1()?;
        let mut weights = vec![0f32; heads * tokens * tokens];
        weights.par_chunks_mut(tokens * tokens).enumerate().for_each(|(head, weights)| {
            let reach = &reach[head / (heads / groups) * tokens * tokens..];
            for to in 0..tokens {
                let mut between = 1f32;
                for from in (0..=to).rev() {
                    weights[to * tokens + from] = between * reach[to * tokens + from];
                    between *= decay(from, head);
                }
            }
        });
        let weights = Tensor::from_vec(weights, (heads, tokens, tokens), &Device::Cpu)?;
        let within = weights.matmul(&self.dt_x.transpose(0, 1)?)?.transpose(0, 1)?; // [tokens, heads, head_dim]

        // The decay from before the first token to each, and from each to the last.
        let mut since = self.decays.clone();
        let mut until = vec![1f32; tokens * heads];
        for i in heads..tokens * heads {
            since[i] *= since[i - heads];
        }
        for i in (0..(tokens - 1) * heads).rev() {
            until[i] = until[i + heads] * self.decays[i + heads];
        }
        let whole = since[(tokens - 1) * heads..].iter().flat_map(|decay| std::iter::repeat_n(*decay, head_dim));
        let whole = Tensor::from_iter(whole, &Device::Cpu)?.reshape((groups, 1, width))?;
        let since = Tensor::from_vec(since, (tokens, heads, 1), &Device::Cpu)?;
        let until = Tensor::from_vec(until, (tokens, heads, 1), &Device::Cpu)?;

        let from_before = c.matmul(state)?.transpose(0, 1)?.reshape((tokens, heads, head_dim))?;
        let y = (within + from_before.broadcast_mul(&since)?)?;
        let given = self.dt_x.broadcast_mul(&until)?.reshape((tokens, groups, width))?.transpose(0, 1)?;
        let given = b.transpose(1, 2)?.matmul(&given)?; // [groups, states, inner / groups]
        Ok((y, (state.broadcast_mul(&whole)? + given)?))
    }
}

/// `ln(1 + exp(x))`, which is `x` where it is large.
pub fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// The `len` rates by which states decay. GGUF files hold them as they are, safetensors the logarithms of their
/// opposites.
pub fn negative_rates(checkpoint: &Checkpoint, name: &str, len: usize) -> std::result::Result<Vec<f32>, Error> {
    let mut rates = checkpoint.values(name, len)?;
    if checkpoint.is_folder() {
        rates.iter_mut().for_each(|rate| *rate = -rate.exp());
    }
    Ok(rates)
}

/// RMSNorm of each of some groups of what a gate has passed.
struct GatedNorm {
    /// `[inner]`.
    weight: Tensor,
    /// As many ones as a group is wide.
    ones: Tensor,
    eps: f32,
}

impl GatedNorm {
    fn load(
        checkpoint: &Checkpoint,
        name: &str,
        groups: usize,
        inner: usize,
        eps: f64,
    ) -> std::result::Result<GatedNorm, Error> {
        Ok(GatedNorm {
            weight: Tensor::from_vec(checkpoint.values(name, inner)?, inner, &Device::Cpu)?,
            ones: Tensor::ones(inner / groups, DType::F32, &Device::Cpu)?,
            eps: eps as f32,
        })
    }

    /// `x` and `gate` `[tokens, inner]` to the same shape.
    fn forward(&self, x: &Tensor, gate: &Tensor) -> Result<Tensor> {
        let gated = (x * gate.silu()?)?;
        let groups = gated.reshape(((), self.ones.elem_count()))?;
        candle_nn::ops::rms_norm(&groups, &self.ones, self.eps)?.reshape(x.shape())?.broadcast_mul(&self.weight)
    }
}
