//! A memory of the tokens so far that each token corrects: the delta rule (Schlag et al., 2021,
//! <https://arxiv.org/abs/2102.11174>) with forgetting, in the form that the gated delta rule (Yang et al., 2024,
//! <https://arxiv.org/abs/2412.06464>) and RWKV 7 (Peng et al., 2025, <https://arxiv.org/abs/2503.14456>) share.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// What one token asks of the memory of one head, a matrix `M` `[key_dim, value_dim]`.
///
/// `M[j] = decay[j] M[j] + correction[j] (recall M) + key[j] value`, for each row `j` of `M` and with `M` before it on
/// the right; then the result is `query M`.
pub struct Step {
    /// `[key_dim]`, as are the next four.
    pub decay: Vec<f32>,
    pub recall: Vec<f32>,
    pub correction: Vec<f32>,
    pub key: Vec<f32>,
    pub query: Vec<f32>,
    /// `[value_dim]`.
    pub value: Vec<f32>,
}

/// The sizes of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub tokens: usize,
    pub heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
}

/// Takes the memories `[heads, key_dim, value_dim]`, empty at the beginning, through the tokens. `fill` writes the step
/// of a head (first) and a token. Returns the results `[tokens, heads, value_dim]` and the memories after them.
pub fn scan(
    sizes: Sizes,
    before: Option<&Tensor>,
    fill: impl Fn(usize, usize, &mut Step) + Sync,
) -> Result<(Tensor, Tensor)> {
    let Sizes { tokens, heads, key_dim, value_dim } = sizes;
    let mut memories = match before {
        Some(memories) => memories.flatten_all()?.to_vec1::<f32>()?,
        None => vec![0f32; heads * key_dim * value_dim],
    };
    let of_head = |(head, memory): (usize, &mut [f32])| {
        let zeros = || vec![0f32; key_dim];
        let mut step = Step {
            decay: zeros(),
            recall: zeros(),
            correction: zeros(),
            key: zeros(),
            query: zeros(),
            value: vec![0f32; value_dim],
        };
        let mut recalled = vec![0f32; value_dim];
        let mut results = vec![0f32; tokens * value_dim];
        for (token, result) in results.chunks_mut(value_dim).enumerate() {
            fill(head, token, &mut step);
            step.apply(memory, &mut recalled, result);
        }
        results
    };
    let results: Vec<Vec<f32>> = memories.par_chunks_mut(key_dim * value_dim).enumerate().map(of_head).collect();
    let mut out = Vec::with_capacity(tokens * heads * value_dim);
    for token in 0..tokens {
        for of_head in &results {
            out.extend_from_slice(&of_head[token * value_dim..(token + 1) * value_dim]);
        }
    }
    let out = Tensor::from_vec(out, (tokens, heads, value_dim), &Device::Cpu)?;
    Ok((out, Tensor::from_vec(memories, (heads, key_dim, value_dim), &Device::Cpu)?))
}

impl Step {
    /// Adds what it finds to `result`, which is zero; `recalled` is room to work in.
    fn apply(&self, memory: &mut [f32], recalled: &mut [f32], result: &mut [f32]) {
        let value_dim = self.value.len();
        recalled.fill(0.0);
        for (row, recall) in memory.chunks(value_dim).zip(&self.recall) {
            for (sum, m) in recalled.iter_mut().zip(row) {
                *sum += recall * m;
            }
        }
        for (j, row) in memory.chunks_mut(value_dim).enumerate() {
            let (decay, correction, key, query) = (self.decay[j], self.correction[j], self.key[j], self.query[j]);
            for (((m, recalled), value), result) in row.iter_mut().zip(&*recalled).zip(&self.value).zip(&mut *result) {
                *m = decay * *m + correction * recalled + key * value;
                *result += query * *m;
            }
        }
    }
}

/// `x` divided by its length, into `out`; `eps` is added to the square of the length.
pub fn unit(x: &[f32], eps: f32, out: &mut [f32]) {
    let scale = 1.0 / (x.iter().map(|v| v * v).sum::<f32>() + eps).sqrt();
    for (out, x) in out.iter_mut().zip(x) {
        *out = x * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two heads whose tokens write a value under a key, in full or by half, and ask for it.
    fn remember(keys: &[[f32; 2]], values: &[f32], by: f32, before: Option<&Tensor>) -> (Vec<Vec<f32>>, Tensor) {
        let sizes = Sizes { tokens: keys.len(), heads: 2, key_dim: 2, value_dim: 1 };
        let (out, memory) = scan(sizes, before, |head, token, step| {
            step.decay.fill(1.0);
            step.recall.copy_from_slice(&keys[token]);
            step.query.copy_from_slice(&keys[token]);
            step.key.copy_from_slice(&keys[token]);
            step.correction = keys[token].iter().map(|k| -by * k).collect();
            step.value[0] = by * values[token] * (head + 1) as f32;
        })
        .unwrap();
        (out.squeeze(2).unwrap().to_vec2().unwrap(), memory)
    }

    #[test]
    fn a_value_replaces_the_one_before_it_under_its_key_alone() {
        let (keys, values) = ([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [3.0, 5.0, 7.0]);
        let (out, memory) = remember(&keys, &values, 1.0, None);
        assert_eq!(out, [[3.0, 6.0], [5.0, 10.0], [7.0, 14.0]]);
        assert_eq!(memory.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [7.0, 5.0, 14.0, 10.0]);
        // By half: what is there moves half of the way.
        let (out, _) = remember(&keys[..1], &[1.0], 0.5, Some(&memory));
        assert_eq!(out, [[4.0, 8.0]]);
        // The memory that was given is as it was.
        assert_eq!(memory.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [7.0, 5.0, 14.0, 10.0]);
    }
}
