//! Rotary position embedding (Su et al., 2021, <https://arxiv.org/abs/2104.09864>).

use candle_core::{Device, Result, Tensor};

use super::family::RopePairs;

/// How rotation frequencies differ from `theta^(-2i/dim)`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    None,
    /// All frequencies divided by `factor`.
    Linear {
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high ones kept, a ramp between
    /// (`rope_type: llama3` of Hugging Face's `modeling_rope_utils.py`).
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_context: f64,
    },
    /// GGUF's `rope_freqs.weight`: a divisor for each frequency.
    Factors(Vec<f32>),
}

/// The rotation of a model's heads. `dim` components of each head turn; the rest stay.
#[derive(Debug)]
pub struct Rope {
    pub dim: usize,
    pairs: RopePairs,
    /// Radians a position, for each of `dim / 2` pairs.
    frequencies: Vec<f64>,
}

impl Rope {
    pub fn new(dim: usize, theta: f64, pairs: RopePairs, scaling: &RopeScaling) -> Rope {
        let plain = (0..dim / 2).map(|i| theta.powf(-2.0 * i as f64 / dim as f64));
        let frequencies = plain
            .enumerate()
            .map(|(i, frequency)| match scaling {
                RopeScaling::None => frequency,
                RopeScaling::Linear { factor } => frequency / factor,
                RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                    let turns = original_context * frequency / std::f64::consts::TAU;
                    let keep = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    frequency * (keep + (1.0 - keep) / factor)
                }
                RopeScaling::Factors(divisors) => frequency / f64::from(divisors[i]),
            })
            .collect();
        Rope { dim, pairs, frequencies }
    }

    /// Cosines and sines of positions `start .. start + tokens`, each `[tokens, dim / 2]`. Angles
    /// are computed in f64: at position 100,000 an f32 product is already off by 0.004 radians.
    pub fn angles(&self, start: usize, tokens: usize, device: &Device) -> Result<(Tensor, Tensor)> {
        let mut cos = Vec::with_capacity(tokens * self.frequencies.len());
        let mut sin = Vec::with_capacity(cos.capacity());
        for position in start..start + tokens {
            for frequency in &self.frequencies {
                let (s, c) = (position as f64 * frequency).sin_cos();
                cos.push(c as f32);
                sin.push(s as f32);
            }
        }
        let shape = (tokens, self.frequencies.len());
        Ok((Tensor::from_vec(cos, shape, device)?, Tensor::from_vec(sin, shape, device)?))
    }

    /// Turns `x` `[heads, tokens, head_dim]` by the angles of its positions.
    pub fn apply(&self, x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
        let head_dim = x.dim(2)?;
        let turning = if self.dim == head_dim { x.clone() } else { x.narrow(2, 0, self.dim)? };
        let turning = turning.unsqueeze(0)?.contiguous()?; // [1, heads, tokens, dim]
        let turned = match self.pairs {
            RopePairs::Halves => candle_nn::rotary_emb::rope(&turning, cos, sin)?,
            RopePairs::Neighbours => candle_nn::rotary_emb::rope_i(&turning, cos, sin)?,
        };
        let turned = turned.squeeze(0)?;
        if self.dim == head_dim {
            return Ok(turned);
        }
        let staying = x.narrow(2, self.dim, head_dim - self.dim)?;
        Tensor::cat(&[&turned, &staying], 2)
    }
}
