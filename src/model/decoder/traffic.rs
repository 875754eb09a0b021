//! How many bytes a token reads, which bounds the speed of decoding, and how many it leaves; how much many tokens at
//! once compute, which bounds that of prefill.

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, MixerKind};
use crate::kernels::attention::KvType;
use crate::kernels::{self, Factors};
use crate::weights::MappedTensor;

/// Matrices of which a token reads one row.
const LOOKED_UP: [&str; 3] = ["token_embd.weight", "position_embd.weight", "per_layer_token_embd.weight"];

impl Checkpoint {
    /// Bytes of the matrices that a single token passes through: all, but those it only looks a row up in, and of
    /// experts the share that is chosen. What of the file the decoder does not use counts where its name does not
    /// show it: a model that also sees reads less.
    pub fn bytes_a_token(&self, config: &DecoderConfig) -> u64 {
        self.passed(config).map(|tensor| chosen(tensor.data().len() as u64, tensor, config)).sum()
    }

    /// What `tokens` tokens compute that come at once after `depth` others, of which only the last one's logits are asked
    /// for: their products with the matrices above, and those of queries with keys and of scores with values. What else
    /// layers do, recurrent ones with their states too, is little beside that and is left out.
    pub fn operations(&self, config: &DecoderConfig, depth: usize, tokens: usize) -> Operations {
        let packing = self.packing();
        let output = self.find("output.weight").or_else(|| self.find(LOOKED_UP[0])).map(|tensor| &tensor.name);
        let mut operations = Operations { bytes: 0.0, floats: config.attention_operations(depth, tokens) };
        for tensor in self.passed(config) {
            let weights = packing.as_ref().map_or(tensor.elements(), |packing| packing.weights_in(tensor));
            let times = if output == Some(&tensor.name) { tokens.min(1) } else { tokens };
            let here = 2.0 * chosen(weights as u64, tensor, config) as f64 * times as f64;
            match kernels::factors(tensor.dtype) {
                Factors::Bytes => operations.bytes += here,
                Factors::Floats => operations.floats += here,
            }
        }
        operations
    }

    /// The matrices that a token passes through.
    fn passed(&self, config: &DecoderConfig) -> impl Iterator<Item = &MappedTensor> {
        let is_output = |name: &str| name == LOOKED_UP[0] && !self.has("output.weight");
        let looked_up: Vec<&str> = LOOKED_UP
            .into_iter()
            .filter(|name| !is_output(name))
            .filter_map(|name| self.find(name).map(|tensor| tensor.name.as_str()))
            .collect();
        let layers = config.layers.len();
        self.tensors()
            .filter(move |tensor| tensor.shape.len() > 1 && !looked_up.contains(&tensor.name.as_str()))
            .filter(move |tensor| layer(&tensor.name).is_none_or(|layer| layer < layers))
    }
}

/// Of an `amount` that is of all experts the share that a token chooses.
fn chosen(amount: u64, tensor: &MappedTensor, config: &DecoderConfig) -> u64 {
    match &config.experts {
        Some(experts) if is_of_experts(&tensor.name) => amount * experts.used as u64 / experts.count as u64,
        _ => amount,
    }
}

/// How much is computed, by what is multiplied. A multiplication and an addition count as two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operations {
    /// On bytes, by quantized weights.
    pub bytes: f64,
    /// On f32, by all other weights and by attention.
    pub floats: f64,
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

    /// What attention computes for `tokens` tokens after `depth` others: a product of each head with each key that the
    /// token sees, and one with its value.
    fn attention_operations(&self, depth: usize, tokens: usize) -> f64 {
        let attends = self.layers.iter().filter(|layer| layer.mixer == MixerKind::Attention);
        let of_layer = |kept: Kept, head_dim: usize| {
            let seen: f64 = (1..=tokens).map(|token| kept.read(depth + token) as f64).sum();
            let pair = self.latent.as_ref().map_or(2 * head_dim, |latent| 2 * latent.rank + latent.rope_dim);
            2.0 * seen * (self.heads * pair) as f64
        };
        self.kept().zip(attends).map(|(kept, layer)| of_layer(kept, layer.head_dim)).sum()
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
    use crate::guide;

    #[test]
    fn prefill_computes_with_each_weight_and_each_earlier_token() {
        let checkpoint = Checkpoint::open(&guide::source()).unwrap();
        let config = checkpoint.config().unwrap();
        let operations = |depth, tokens| checkpoint.operations(&config, depth, tokens);
        let (one, two) = (operations(0, 1), operations(0, 2));
        let output =
            checkpoint.find("output.weight").or(checkpoint.find("token_embd.weight")).unwrap().elements() as f64;
        let matrices: f64 = checkpoint.passed(&config).map(|tensor| tensor.elements() as f64).sum();
        assert_eq!(one.bytes + two.bytes, 2.0 * (3.0 * (matrices - output) + 2.0 * output));
        // Two tokens see three keys, one at the beginning a single one.
        assert!(one.floats > 0.0);
        assert_eq!(two.floats, 3.0 * one.floats);
        assert_eq!(operations(1, 1).floats, 2.0 * one.floats);
        assert_eq!(operations(0, 0), Operations { bytes: 0.0, floats: 0.0 });
    }

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
