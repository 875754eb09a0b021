//! A Llama decoder that gradients flow through.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{ops, rotary_emb};
use rand::Rng;
use rand::rngs::StdRng;

/// The shape of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub layers: usize,
    pub heads: usize,
    pub feed_forward_size: usize,
}

impl Shape {
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.heads
    }
}

pub const RMS_NORM_EPS: f32 = 1e-5;
pub const ROPE_THETA: f32 = 10_000.0;

/// Weights under their GGUF names, in file order.
pub struct Llama {
    pub shape: Shape,
    pub weights: Vec<(String, Var)>,
}

/// Weights of one layer, in the order that `Llama::new` makes them.
const LAYER_WEIGHTS: usize = 9;

impl Llama {
    /// Random weights: normal, of standard deviation 0.02, smaller where a residual is written
    /// (Radford et al., 2019); norms are one.
    pub fn new(shape: Shape, rng: &mut StdRng, device: &Device) -> Result<Llama> {
        let mut weights = Vec::new();
        let mut add = |name: String, rows: usize, columns: usize, deviation: f32| -> Result<()> {
            let values = (0..rows * columns).map(|_| deviation * normal(rng)).collect::<Vec<f32>>();
            weights.push((name, Var::from_tensor(&Tensor::from_vec(values, (rows, columns), device)?)?));
            Ok(())
        };
        let (hidden, ffn) = (shape.hidden_size, shape.feed_forward_size);
        let residual = 0.02 / (2.0 * shape.layers as f32).sqrt();
        add("token_embd.weight".to_owned(), shape.vocab_size, hidden, 0.02)?;
        let mut norms = vec![(1, "output_norm.weight".to_owned())];
        for layer in 0..shape.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            norms.push((2 + layer * LAYER_WEIGHTS, name("attn_norm")));
            add(name("attn_q"), hidden, hidden, 0.02)?;
            add(name("attn_k"), hidden, hidden, 0.02)?;
            add(name("attn_v"), hidden, hidden, 0.02)?;
            add(name("attn_output"), hidden, hidden, residual)?;
            norms.push((2 + layer * LAYER_WEIGHTS + 5, name("ffn_norm")));
            add(name("ffn_gate"), ffn, hidden, 0.02)?;
            add(name("ffn_up"), ffn, hidden, 0.02)?;
            add(name("ffn_down"), hidden, ffn, residual)?;
        }
        for (at, name) in norms {
            weights.insert(at, (name, Var::ones(hidden, DType::F32, device)?));
        }
        Ok(Llama { shape, weights })
    }

    pub fn vars(&self) -> Vec<Var> {
        self.weights.iter().map(|(_, var)| var.clone()).collect()
    }

    /// Logits `[batch, tokens, vocab]` of `ids` `[batch, tokens]`.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let Shape { hidden_size: hidden, heads, .. } = self.shape;
        let head_dim = self.shape.head_dim();
        let device = ids.device();
        let linear = |x: &Tensor, w: &Tensor| -> Result<Tensor> {
            let out = w.dim(0)?;
            x.reshape((batch * tokens, ()))?.matmul(&w.t()?)?.reshape((batch, tokens, out))
        };
        let (cos, sin) = angles(tokens, head_dim, device)?;
        let mask = causal_mask(tokens, device)?;
        let w = |at: usize| self.weights[at].1.as_tensor();
        let embedding = w(0);
        let mut x = embedding.index_select(&ids.flatten_all()?, 0)?.reshape((batch, tokens, hidden))?;
        for layer in 0..self.shape.layers {
            let w = |at: usize| w(2 + layer * LAYER_WEIGHTS + at);
            let normed = ops::rms_norm_slow(&x, w(0), RMS_NORM_EPS)?;
            let split = |x: Tensor| x.reshape((batch, tokens, heads, head_dim))?.transpose(1, 2)?.contiguous();
            let q = rotary_emb::rope_i_slow(&split(linear(&normed, w(1))?)?, &cos, &sin)?;
            let k = rotary_emb::rope_i_slow(&split(linear(&normed, w(2))?)?, &cos, &sin)?;
            let v = split(linear(&normed, w(3))?)?;
            let scores = (q.matmul(&k.t()?)? * (head_dim as f64).powf(-0.5))?.broadcast_add(&mask)?;
            let attended = ops::softmax(&scores, D::Minus1)?.matmul(&v)?; // [batch, heads, tokens, head_dim]
            let attended = attended.transpose(1, 2)?.reshape((batch, tokens, hidden))?;
            x = (x + linear(&attended, w(4))?)?;
            let normed = ops::rms_norm_slow(&x, w(5), RMS_NORM_EPS)?;
            let gated = (linear(&normed, w(6))?.silu()? * linear(&normed, w(7))?)?;
            x = (x + linear(&gated, w(8))?)?;
        }
        linear(&ops::rms_norm_slow(&x, w(1), RMS_NORM_EPS)?, embedding)
    }
}

/// A standard normal number (Box and Muller, 1958).
fn normal(rng: &mut StdRng) -> f32 {
    let (u, v): (f32, f32) = (1.0 - rng.random::<f32>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

fn angles(tokens: usize, head_dim: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let half = head_dim / 2;
    let angle = |i: usize| (i / half) as f32 * ROPE_THETA.powf(-2.0 * (i % half) as f32 / head_dim as f32);
    let of = |f: fn(f32) -> f32| {
        Tensor::from_vec((0..tokens * half).map(|i| f(angle(i))).collect::<Vec<_>>(), (tokens, half), device)
    };
    Ok((of(f32::cos)?, of(f32::sin)?))
}

fn causal_mask(tokens: usize, device: &Device) -> Result<Tensor> {
    let mask = (0..tokens * tokens).map(|i| if i % tokens > i / tokens { f32::NEG_INFINITY } else { 0.0 });
    Tensor::from_vec(mask.collect::<Vec<_>>(), (tokens, tokens), device)
}
