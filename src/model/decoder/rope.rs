//! Rotary position embedding (Su et al., 2021, <https://arxiv.org/abs/2104.09864>).

use candle_core::{Device, Result, Tensor};

use super::config::Rotation;
use super::family::RopePairs;
use crate::kernels::pool;

/// Tokens that a task turns.
const TOKENS: usize = 16;

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
    /// Peng et al., 2023, <https://arxiv.org/abs/2309.00071>: a ramp between frequencies kept and
    /// divided, from those that turn `beta_fast` times over the original context to `beta_slow`.
    Yarn {
        factor: f64,
        original_context: f64,
        beta_fast: f64,
        beta_slow: f64,
        /// What cosines and sines are multiplied with.
        magnitude: f64,
        /// The ends of the ramp are rounded outwards to whole pairs.
        whole_steps: bool,
    },
    /// GGUF's `rope_freqs.weight`: a divisor for each frequency.
    Factors(Vec<f32>),
    /// Ding et al., 2024, <https://arxiv.org/abs/2402.13753>: a divisor for each frequency, others when there are more
    /// tokens than the original context.
    Long {
        short: Vec<f32>,
        long: Vec<f32>,
        original_context: usize,
        /// What cosines and sines are multiplied with.
        magnitude: f64,
    },
    /// Gemma 4: the lower frequencies, all but a part of them, are zero.
    Proportional {
        part: f64,
        factor: f64,
    },
}

/// The rotation of a model's heads. `dim` components of each head turn; the rest stay.
#[derive(Debug)]
pub struct Rope {
    dim: usize,
    pairs: RopePairs,
    /// Radians a position, for each of `dim / 2` pairs.
    frequencies: Vec<f64>,
    /// The same when there are more tokens than this many.
    long: Option<(usize, Vec<f64>)>,
    /// What cosines and sines are multiplied with.
    magnitude: f64,
}

impl Rope {
    pub fn new(rotation: &Rotation) -> Rope {
        let Rotation { theta, dim, pairs, scaling } = rotation;
        let plain = |i: usize| theta.powf(-2.0 * i as f64 / *dim as f64);
        // The pair that turns `turns` times over `context` positions.
        let pair = |turns: f64, context: f64| {
            *dim as f64 * (context / (turns * std::f64::consts::TAU)).ln() / (2.0 * theta.ln())
        };
        let frequency = |i: usize| match scaling {
            RopeScaling::None => plain(i),
            RopeScaling::Linear { factor } => plain(i) / factor,
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let turns = original_context * plain(i) / std::f64::consts::TAU;
                let keep = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                plain(i) * (keep + (1.0 - keep) / factor)
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, whole_steps, .. } => {
                let (mut low, mut high) = (pair(*beta_fast, *original_context), pair(*beta_slow, *original_context));
                if *whole_steps {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, high) = (low.max(0.0), high.min(*dim as f64 - 1.0));
                let width = if high > low { high - low } else { 0.001 };
                let keep = 1.0 - ((i as f64 - low) / width).clamp(0.0, 1.0);
                plain(i) * (keep + (1.0 - keep) / factor)
            }
            RopeScaling::Factors(divisors) | RopeScaling::Long { short: divisors, .. } => {
                plain(i) / f64::from(divisors[i])
            }
            RopeScaling::Proportional { part, factor } => {
                if i < (part * *dim as f64) as usize / 2 {
                    plain(i) / factor
                } else {
                    0.0
                }
            }
        };
        let magnitude = match scaling {
            RopeScaling::Yarn { magnitude, .. } | RopeScaling::Long { magnitude, .. } => *magnitude,
            _ => 1.0,
        };
        let long = match scaling {
            RopeScaling::Long { long, original_context, .. } => {
                let divided = long.iter().enumerate().map(|(i, divisor)| plain(i) / f64::from(*divisor));
                Some((*original_context, divided.collect()))
            }
            _ => None,
        };
        Rope { dim: *dim, pairs: *pairs, frequencies: (0..dim / 2).map(frequency).collect(), long, magnitude }
    }

    /// Whether positions turn otherwise when there are `len` tokens than when there are few.
    pub fn is_long(&self, len: usize) -> bool {
        self.long.as_ref().is_some_and(|(context, _)| len > *context)
    }

    /// The angles of positions `start .. start + tokens` of `len` tokens in all. They are computed in f64: at position
    /// 100,000 an f32 product is already off by 0.004 radians.
    pub fn angles(&self, start: usize, tokens: usize, len: usize) -> Angles {
        let frequencies = match &self.long {
            Some((_, long)) if self.is_long(len) => long,
            _ => &self.frequencies,
        };
        let mut cos = Vec::with_capacity(tokens * frequencies.len());
        let mut sin = Vec::with_capacity(cos.capacity());
        for position in start..start + tokens {
            for frequency in frequencies {
                let (s, c) = (position as f64 * frequency).sin_cos();
                cos.push((c * self.magnitude) as f32);
                sin.push((s * self.magnitude) as f32);
            }
        }
        Angles { cos, sin }
    }

    /// Turns `x` `[heads, tokens, head_dim]` by the angles of its positions.
    pub fn apply(&self, x: &Tensor, angles: &Angles) -> Result<Tensor> {
        let (_, tokens, head_dim) = x.dims3()?;
        let mut turned = x.flatten_all()?.to_vec1()?;
        for (row, x) in turned.chunks_exact_mut(head_dim).enumerate() {
            self.turn(x, angles, row % tokens);
        }
        Tensor::from_vec(turned, x.shape(), &Device::Cpu)
    }

    /// Turns `x` `[tokens, heads, head_dim]`, in place.
    pub fn turn_heads(&self, x: &mut [f32], heads: usize, head_dim: usize, angles: &Angles) {
        pool::for_each_chunk(x, TOKENS * heads * head_dim, |index, x| {
            for (row, x) in x.chunks_exact_mut(head_dim).enumerate() {
                self.turn(x, angles, index * TOKENS + row / heads);
            }
        });
    }

    /// Turns one head by the angles of the position numbered `at` among `angles`.
    fn turn(&self, x: &mut [f32], angles: &Angles, at: usize) {
        let half = self.dim / 2;
        let (cos, sin) = (&angles.cos[at * half..(at + 1) * half], &angles.sin[at * half..(at + 1) * half]);
        match self.pairs {
            RopePairs::Halves => {
                let (low, high) = x[..self.dim].split_at_mut(half);
                for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                }
            }
            RopePairs::Neighbours => {
                for (([a, b], cos), sin) in x[..self.dim].as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                }
            }
        }
    }
}

/// Cosines and sines of some positions, each `[positions, dim / 2]`.
pub struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
}
