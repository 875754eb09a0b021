//! Mamba's selective state-space layer: in place of attention (Gu and Dao, 2023, <https://arxiv.org/abs/2312.00752>).

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::causal_conv::CausalConv;
use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, Selective};
use super::kv_cache::LayerCache;
use super::linear::Linear;
use super::mamba2::{negative_rates, softplus};
use crate::model::Error;

/// Channels that one task of the scan takes.
const BLOCK: usize = 64;

pub struct Mamba {
    shape: Selective,
    /// To what the convolution mixes and its gate: `[2 * inner, hidden]`.
    input: Linear,
    conv: CausalConv,
    /// To the time steps' latent, B and C: `[rank + 2 * states, inner]`.
    selection: Linear,
    /// From the latent to a time step a channel: `[inner, rank]`.
    time_step: Linear,
    norms: Option<Norms>,
    /// How fast each state forgets: negative, `[inner, states]`.
    a: Vec<f32>,
    /// How much of its input each channel passes on as it is.
    d: Vec<f32>,
    output: Linear,
}

/// The weights of the RMSNorms of latent, B and C (Jamba's; Falcon Mamba's are ones).
struct Norms {
    latent: Tensor,
    b: Tensor,
    c: Tensor,
    eps: f32,
}

impl Mamba {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        shape: Selective,
        layer: usize,
    ) -> std::result::Result<Mamba, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let Selective { inner, states, rank, conv_width, .. } = shape;
        let weight = |part: &str, len: usize| match checkpoint.has(&name(part)) {
            true => checkpoint.vector(&name(part), len),
            false => Ok(Tensor::ones(len, DType::F32, &Device::Cpu)?),
        };
        let norms = match shape.norm_eps {
            None => None,
            Some(eps) => Some(Norms {
                latent: weight("ssm_dt_norm.weight", rank)?,
                b: weight("ssm_b_norm.weight", states)?,
                c: weight("ssm_c_norm.weight", states)?,
                eps,
            }),
        };
        Ok(Mamba {
            shape,
            input: checkpoint.linear(&name("ssm_in"), 2 * inner, config.hidden_size, false)?,
            conv: CausalConv::load(checkpoint, &name("ssm_conv1d"), inner, conv_width)?,
            selection: checkpoint.linear(&name("ssm_x"), rank + 2 * states, inner, false)?,
            time_step: checkpoint.linear(&name("ssm_dt"), inner, rank, true)?,
            norms,
            a: negative_rates(checkpoint, &name("ssm_a"), inner * states)?,
            d: checkpoint.values(&name("ssm_d"), inner)?,
            output: checkpoint.linear(&name("ssm_out"), config.hidden_size, inner, false)?,
        })
    }

    /// `x` `[tokens, hidden]`, already normed, to the same shape.
    pub fn forward(&self, x: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let Selective { inner, states, rank, .. } = self.shape;
        let projected = self.input.forward(x)?;
        let gate = projected.narrow(1, inner, inner)?;
        let (mixed, conv_state) = self.conv.forward(&projected.narrow(1, 0, inner)?, cache.state().first())?;
        let mixed = mixed.silu()?;
        let selected = self.selection.forward(&mixed)?;
        let part = |start: usize, len: usize| selected.narrow(1, start, len)?.contiguous();
        let (mut latent, mut b, mut c) = (part(0, rank)?, part(rank, states)?, part(rank + states, states)?);
        if let Some(norms) = &self.norms {
            latent = candle_nn::ops::rms_norm(&latent, &norms.latent, norms.eps)?;
            b = candle_nn::ops::rms_norm(&b, &norms.b, norms.eps)?;
            c = candle_nn::ops::rms_norm(&c, &norms.c, norms.eps)?;
        }
        let (y, state) = self.scan(&mixed, &self.time_step.forward(&latent)?, &b, &c, cache.state().get(1))?;
        cache.set_state(vec![conv_state, state]);
        self.output.forward(&(y * gate.silu()?)?)
    }

    /// The recurrence over the tokens, with a state `h` `[states]` a channel that starts as `before` or zero:
    ///
    /// ```text
    /// dt = softplus(time_step)
    /// h  = exp(dt * a) * h + dt * x * B
    /// y  = h . C + d * x
    /// ```
    ///
    /// `x` and `time_steps` `[tokens, inner]`, `b` and `c` `[tokens, states]`. Returns y `[tokens, inner]` and the
    /// states after the last token `[inner, states]`.
    fn scan(
        &self,
        x: &Tensor,
        time_steps: &Tensor,
        b: &Tensor,
        c: &Tensor,
        before: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        let Selective { inner, states, .. } = self.shape;
        let tokens = x.dim(0)?;
        let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
        // A channel's values side by side: `[inner, tokens]`.
        let (x, time_steps) = (values(&x.t()?)?, values(&time_steps.t()?)?);
        let (b, c) = (values(b)?, values(c)?);
        let mut after = match before {
            Some(state) => values(state)?,
            None => vec![0f32; inner * states],
        };
        let mut y = vec![0f32; inner * tokens];
        let blocks = after.par_chunks_mut(BLOCK * states).zip(y.par_chunks_mut(BLOCK * tokens)).enumerate();
        blocks.for_each(|(block, (after, y))| {
            let channels = after.chunks_mut(states).zip(y.chunks_mut(tokens)).enumerate();
            for (channel, (h, y)) in channels.map(|(i, of_channel)| (block * BLOCK + i, of_channel)) {
                let a = &self.a[channel * states..][..states];
                let inputs = x[channel * tokens..].iter().zip(&time_steps[channel * tokens..]);
                let selected = b.chunks(states).zip(c.chunks(states));
                for (y, ((x, time_step), (b, c))) in y.iter_mut().zip(inputs.zip(selected)) {
                    let dt = softplus(*time_step);
                    *y = self.d[channel] * x;
                    for ((h, a), (b, c)) in h.iter_mut().zip(a).zip(b.iter().zip(c)) {
                        *h = (dt * a).exp() * *h + dt * x * b;
                        *y += *h * c;
                    }
                }
            }
        });
        let y = Tensor::from_vec(y, (inner, tokens), &Device::Cpu)?.t()?.contiguous()?;
        Ok((y, Tensor::from_vec(after, (inner, states), &Device::Cpu)?))
    }
}
