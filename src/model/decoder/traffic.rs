//! How many bytes a token reads, which bounds the speed of decoding, and how many it leaves.

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, MixerKind};
use crate::kernels::attention::KvType;

/// Matrices of which a token reads one row.
const LOOKED_UP: [&str; 3] = ["token_embd.weight", "position_embd.weight", "per_layer_token_embd.weight"];

impl Checkpoint {
    /// Bytes of the matrices that a single token passes through: all, but those it only looks a row up in, and of
    /// experts the share that is chosen. What of the file the decoder does not use counts where its name does not
    /// show it: a model that also sees reads less.
    pub fn bytes_a_token(&self, config: &DecoderConfig) -> u64 {
        let is_output = |name: &str| name == LOOKED_UP[0] && !self.has("output.weight");
        let looked_up: Vec<&str> = LOOKED_UP
            .into_iter()
            .filter(|name| !is_output(name))
            .filter_map(|name| self.find(name).map(|tensor| tensor.name.as_str()))
            .collect();
        let passed = self
            .tensors()
            .filter(|tensor| tensor.shape.len() > 1 && !looked_up.contains(&tensor.name.as_str()))
            .filter(|tensor| layer(&tensor.name).is_none_or(|layer| layer < config.layers.len()));
        passed
            .map(|tensor| {
                let bytes = tensor.data().len() as u64;
                match &config.experts {
                    Some(experts) if is_of_experts(&tensor.name) => bytes * experts.used as u64 / experts.count as u64,
                    _ => bytes,
                }
            })
            .sum()
    }
}

/// What a layer keeps of each token that it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How many tokens back it looks; `None` is all.
    pub window: Option<usize>,
    /// Elements of a token's key and value.
    pub elements: usize,
    /// They are an earlier layer's: read again, but not kept again.
    pub shared: bool,
}

impl Kept {
    /// Of `tokens` those that the last one reads.
    pub fn read(&self, tokens: usize) -> usize {
        self.window.map_or(tokens, |window| window.min(tokens))
    }
}

impl DecoderConfig {
    /// What each layer with attention keeps.
    pub fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let attends = self.layers.iter().filter(|layer| layer.mixer == MixerKind::Attention);
        attends.map(|layer| Kept {
            window: layer.window,
            elements: match &self.latent {
                Some(latent) => 2 * latent.rank + latent.rope_dim,
                None => 2 * layer.kv_heads * layer.head_dim,
            },
            shared: layer.kv_of.is_some(),
        })
    }

    /// Bytes of the states of recurrent layers, which are as many after any number of tokens. Those that hold a few
    /// tokens of a convolution are left out.
    pub fn state_bytes(&self) -> u64 {
        let elements = self.layers.iter().map(|layer| match layer.mixer {
            MixerKind::None | MixerKind::Attention | MixerKind::ShortConv { .. } => 0,
            MixerKind::DeltaNet(shape) => product(&[shape.value_heads, shape.key_dim, shape.value_dim]),
            MixerKind::Rwkv7(shape) => product(&[self.hidden_size, shape.head_dim]),
            MixerKind::Mamba(shape) => product(&[shape.inner, shape.states]),
            MixerKind::Mamba2(shape) => product(&[shape.heads, shape.head_dim, shape.states]),
        });
        elements.fold(0, u64::saturating_add).saturating_mul(size_of::<f32>() as u64)
    }

    /// Bytes of the keys and values that a token reads which comes after `depth` others.
    pub fn cache_bytes_a_token(&self, depth: usize, kv_type: KvType) -> u64 {
        let elements = self.kept().map(|kept| (kept.elements * kept.read(depth + 1)) as u64);
        elements.sum::<u64>() * kv_type.bytes_of_32() / 32
    }
}

/// The file comes from a stranger: what is too large to count is as large as can be.
fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product, factor| product.saturating_mul(*factor as u64))
}

/// The number of the layer that a tensor is of: the first number in its name.
fn layer(name: &str) -> Option<usize> {
    name.split('.').find_map(|part| part.parse().ok())
}

/// Whether a tensor is of the experts that a token chooses from: all of them in one, or one by its number.
fn is_of_experts(name: &str) -> bool {
    let one_of_gguf = || {
        let mut parts = name.split('.').skip_while(|part| !part.starts_with("ffn_")).skip(1);
        parts.next().is_some_and(|part| part.parse::<usize>().is_ok())
    };
    name.split('.').any(|part| part == "experts" || part.ends_with("_exps")) || one_of_gguf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_layers_and_experts() {
        for (name, of_layer, of_experts) in [
            ("output.weight", None, false),
            ("blk.12.attn_q.weight", Some(12), false),
            ("blk.3.ffn_up.weight", Some(3), false),
            ("blk.3.ffn_up_exps.weight", Some(3), true),
            ("blk.3.ffn_up_shexp.weight", Some(3), false),
            ("blk.3.ffn_gate_inp.weight", Some(3), false),
            ("blk.3.ffn_up.7.weight", Some(3), true),
            ("model.layers.5.mlp.experts.7.up_proj.weight", Some(5), true),
            ("model.layers.5.mlp.experts.gate_up_proj", Some(5), true),
            ("model.layers.5.mlp.shared_experts.up_proj.weight", Some(5), false),
        ] {
            assert_eq!((layer(name), is_of_experts(name)), (of_layer, of_experts), "{name}");
        }
    }
}
