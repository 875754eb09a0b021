//! Mamba 2's state-space layer: in place of attention (Dao and Gu, 2024, <https://arxiv.org/abs/2405.21060>).

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::causal_conv::CausalConv;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, StateSpace};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use crate::model::Error;

pub struct Mamba2 {
    shape: StateSpace,
    /// To gate, what the convolution mixes, and a time step a head: `[2 * inner + 2 * groups * states + heads, hidden]`.
    input: Linear,
    /// Over the heads' inputs, B of all groups and C of all groups.
    conv: CausalConv,
    /// How fast each head forgets: negative.
    a: Vec<f32>,
    /// How much of its input each head passes on as it is.
    d: Vec<f32>,
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
            d: checkpoint.values(&name("ssm_d"), heads)?,
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

    /// The recurrence over the tokens, with a state `h` `[head_dim, states]` a head that starts as `before` or zero:
    ///
    ///     dt = softplus(time_step + bias)
    ///     h  = exp(dt * a) * h + dt * x B^T
    ///     y  = h C + d * x
    ///
    /// `mixed` `[tokens, inner + 2 * groups * states]` are x, B and C, `time_steps` `[tokens, heads]`. Returns y
    /// `[tokens, inner]` and the states after the last token `[heads, states, head_dim]`.
    fn scan(&self, mixed: &Tensor, time_steps: &Tensor, before: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let StateSpace { heads, head_dim, states, groups, time_step_limit: (least, most), .. } = self.shape;
        let (inner, width) = (self.shape.inner(), self.shape.mixed());
        let tokens = mixed.dim(0)?;
        let mixed: Vec<f32> = mixed.flatten_all()?.to_vec1()?;
        let time_steps: Vec<f32> = time_steps.flatten_all()?.to_vec1()?;
        let mut after = match before {
            Some(state) => state.flatten_all()?.to_vec1()?,
            None => vec![0f32; inner * states],
        };
        let mut y = vec![0f32; heads * tokens * head_dim];
        let of_heads = after.par_chunks_mut(states * head_dim).zip(y.par_chunks_mut(tokens * head_dim)).enumerate();
        of_heads.for_each(|(head, (h, y))| {
            let b_start = inner + head / (heads / groups) * states;
            let c_start = b_start + groups * states;
            let mut dt_x = vec![0f32; head_dim];
            for (token, (mixed, y)) in mixed.chunks(width).zip(y.chunks_mut(head_dim)).enumerate() {
                let x = &mixed[head * head_dim..][..head_dim];
                let dt = softplus(time_steps[token * heads + head] + self.time_step_bias[head]).clamp(least, most);
                let decay = (dt * self.a[head]).exp();
                for (dt_x, (y, x)) in dt_x.iter_mut().zip(y.iter_mut().zip(x)) {
                    *dt_x = dt * x;
                    *y = self.d[head] * x;
                }
                step(h, decay, &dt_x, &mixed[b_start..][..states], &mixed[c_start..][..states], y);
            }
        });
        let y = Tensor::from_vec(y, (heads, tokens, head_dim), &Device::Cpu)?;
        let y = y.transpose(0, 1)?.reshape((tokens, inner))?;
        Ok((y, Tensor::from_vec(after, (heads, states, head_dim), &Device::Cpu)?))
    }
}

/// `h = decay * h + b x^T`, then `y += c^T h`; `h` is `[b.len(), x.len()]`.
fn step(h: &mut [f32], decay: f32, x: &[f32], b: &[f32], c: &[f32], y: &mut [f32]) {
    for (h, (b, c)) in h.chunks_mut(x.len()).zip(b.iter().zip(c)) {
        for (h, (x, y)) in h.iter_mut().zip(x.iter().zip(y.iter_mut())) {
            *h = decay * *h + b * x;
            *y += c * *h;
        }
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
