//! One decoder for every family: a configuration and a map of tensor names make it what it is.

mod attention;
mod causal_conv;
mod checkpoint;
mod config;
mod delta_net;
mod delta_rule;
mod families;
mod family;
mod feed_forward;
mod from_gguf;
mod from_json;
mod kv_cache;
mod latent_attention;
mod layer;
mod layer_embedding;
mod linear;
mod mamba;
mod mamba2;
mod names;
mod norm;
mod packed;
mod rope;
mod rwkv7;
mod short_conv;
#[cfg(test)]
mod tests;
mod to_gguf;
mod traffic;

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Tensor;

pub use checkpoint::Checkpoint;
pub use config::DecoderConfig;
pub use families::{Architecture, Checked, FAMILIES, architectures};
pub use family::Family;
pub use kv_cache::positions_kept;
pub use linear::observe;
pub use to_gguf::{FormTensor, GgufForm};
pub use traffic::{Kept, Operations};

// The parts that the encoder is made of too.
pub(super) use self::config::{MAX_LAYERS, Rotation};
pub(super) use self::family::{Activation, NormKind, RopePairs};
pub(super) use self::feed_forward::Dense;
pub(super) use self::linear::{Linear, Matrix};
pub(super) use self::norm::Norm;
pub(super) use self::rope::{Angles, Rope, RopeScaling};

use self::attention::{Pass, soft_cap};
use self::kv_cache::LayerCache;
use self::layer::{Layer, norm};
use self::layer_embedding::LayerEmbeddings;
use super::Error;
use crate::kernels::attention::KvType;
use crate::weights::Bytes;

/// Tokens of one forward pass at most; longer prompts go in chunks.
const MAX_CHUNK: usize = 512;
/// How many places a decoder with recurrent layers can be cut back to, besides its beginning.
const SNAPSHOTS: usize = 4;

/// Which positions' logits a forward pass returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Last,
    All,
}

/// A decoder with its weights and the keys and values of the tokens it has seen.
pub struct Decoder {
    pub config: DecoderConfig,
    embedding: Matrix,
    embedding_norm: Option<Norm>,
    /// Learned positions `[context, hidden]`, for the families without RoPE.
    positions: Option<Matrix>,
    layer_embeddings: Option<LayerEmbeddings>,
    layers: Vec<Layer>,
    output_norm: Norm,
    output: Linear,
    rotations: Vec<Rope>,
    caches: Vec<LayerCache>,
    /// The tokens in the cache.
    tokens: Vec<u32>,
    /// The states of recurrent layers after earlier passes of several tokens, oldest first.
    snapshots: Vec<Snapshot>,
    /// What the weights lie in.
    files: Vec<Bytes>,
}

struct Snapshot {
    /// Tokens in the cache at that time.
    len: usize,
    /// A state for each layer.
    states: Vec<Vec<Tensor>>,
}

impl Decoder {
    /// Binds the tensors of `checkpoint`; nothing but norms and biases is copied. Keys and values will be kept as
    /// `kv_type`.
    pub fn load(checkpoint: &Checkpoint, kv_type: KvType) -> Result<Decoder, Error> {
        let config = checkpoint.config()?;
        let hidden = config.hidden_size;
        let embedding = checkpoint.matrix("token_embd.weight", None, hidden)?;
        let positions = match config.family.learned_positions {
            false => None,
            true => Some(checkpoint.matrix("position_embd.weight", Some(config.context_length), hidden)?),
        };
        // Without a matrix of its own the output shares the embedding's.
        let output = match checkpoint.has("output.weight") {
            true => checkpoint.matrix("output.weight", Some(embedding.rows()), hidden)?,
            false => embedding.clone(),
        };
        let bias = checkpoint.vector_if_any("output.bias", output.rows())?;
        let bias = bias.map(|bias| bias.to_vec1().map(Arc::new)).transpose()?;
        // LFM2's GGUF files call it as if it were of the embedding, and have no other.
        let (embedding_norm, final_norm) =
            match (checkpoint.has("token_embd_norm.weight"), checkpoint.has("output_norm.weight")) {
                (true, true) => (Some(norm(checkpoint, &config, "token_embd_norm")?), "output_norm"),
                (true, false) => (None, "token_embd_norm"),
                (false, _) => (None, "output_norm"),
            };
        let count = config.layers.len();
        let layers = (0..count).map(|index| Layer::load(checkpoint, &config, index)).collect::<Result<Vec<_>, _>>()?;
        Ok(Decoder {
            embedding,
            embedding_norm,
            positions,
            layer_embeddings: LayerEmbeddings::load(checkpoint, &config)?,
            output: Linear { weight: output, bias },
            output_norm: norm(checkpoint, &config, final_norm)?,
            rotations: config.rotations.iter().map(Rope::new).collect(),
            caches: config.layers.iter().map(|layer| LayerCache::new(layer.window, kv_type)).collect(),
            layers,
            config,
            tokens: Vec::new(),
            snapshots: Vec::new(),
            files: Bytes::files(checkpoint.tensors()),
        })
    }

    /// Tokens in the KV cache.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens in the KV cache.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Whether the next `tokens` tokens can be forgotten again and leave no trace: not where layers are recurrent, and not
    /// where so many make LongRoPE turn all otherwise.
    pub fn can_go_back(&self, tokens: usize) -> bool {
        !self.config.is_recurrent() && !self.turns_anew(self.len() + tokens)
    }

    pub fn vocab_size(&self) -> usize {
        self.output.weight.rows()
    }

    /// Forgets all tokens from position `len` on and returns how many are left: fewer than `len` where recurrent layers
    /// cannot go back there, for their states are kept only after passes of several tokens, and none where LongRoPE
    /// turns so few tokens otherwise or layers with windows have forgotten what they would see.
    pub fn truncate(&mut self, len: usize) -> usize {
        if len >= self.len() {
            return self.len();
        }
        let mut kept = len;
        if self.config.is_recurrent() {
            self.snapshots.retain(|snapshot| snapshot.len <= len);
            kept = self.snapshots.last().map_or(0, |snapshot| snapshot.len);
        }
        if self.turns_anew(kept) || !self.caches.iter().all(|cache| cache.reaches_back_from(kept)) {
            self.snapshots.clear();
            kept = 0;
        }
        self.tokens.truncate(kept);
        let states = self.snapshots.last().map(|snapshot| snapshot.states.clone()).unwrap_or_default();
        self.restore(states);
        self.len()
    }

    /// Whether the keys in the cache are turned as they are not when there are `len` tokens (see [`rope::RopeScaling::Long`]).
    fn turns_anew(&self, len: usize) -> bool {
        !self.is_empty() && self.rotations.iter().any(|rope| rope.is_long(self.len()) != rope.is_long(len))
    }

    /// What recurrent layers have made of the tokens so far.
    fn memories(&self) -> Vec<Vec<Tensor>> {
        self.caches.iter().map(|cache| cache.state().to_vec()).collect()
    }

    /// Sets the states of all layers; those that `states` lacks begin anew.
    fn restore(&mut self, states: Vec<Vec<Tensor>>) {
        let states = states.into_iter().chain(std::iter::repeat(Vec::new()));
        for (cache, state) in self.caches.iter_mut().zip(states) {
            cache.set_state(state);
        }
    }

    /// What keys and values take, room for more of them included.
    pub fn kv_bytes(&self) -> usize {
        self.caches.iter().map(LayerCache::kv_bytes).sum()
    }

    /// How many of the `remaining` tokens the next forward pass should take.
    pub fn chunk_len(&self, remaining: usize) -> usize {
        remaining.min(MAX_CHUNK)
    }

    /// Continues with `tokens` after those in the cache and returns their states `[tokens, hidden]`, not
    /// normed yet ([`Decoder::normed`]).
    ///
    /// When `cancel` is set the pass ends at the next layer with [`Error::Cancelled`]; the cache
    /// is as it was before, or empty where these tokens made LongRoPE turn those before them otherwise.
    pub fn states(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<Tensor, Error> {
        let len = self.len() + tokens.len();
        if self.turns_anew(len) {
            let earlier = std::mem::take(&mut self.tokens);
            for chunk in earlier.chunks(MAX_CHUNK) {
                self.pass(chunk, len, cancel).inspect_err(|_| self.tokens.clear())?;
            }
            return self.pass(tokens, len, cancel).inspect_err(|_| self.tokens.clear());
        }
        self.pass(tokens, len, cancel)
    }

    /// One pass of [`states`](Self::states); in the end there will be `len` tokens.
    fn pass(&mut self, tokens: &[u32], len: usize, cancel: &AtomicBool) -> Result<Tensor, Error> {
        self.files.iter().try_for_each(Bytes::unchanged)?;
        let before = self.memories();
        let out = self.compute(tokens, len, cancel);
        if out.is_err() {
            self.restore(before);
            return out;
        }
        self.tokens.extend_from_slice(tokens);
        if self.config.is_recurrent() && tokens.len() > 1 {
            if self.snapshots.len() == SNAPSHOTS {
                self.snapshots.remove(0);
            }
            self.snapshots.push(Snapshot { len: self.len(), states: self.memories() });
        }
        out
    }

    fn compute(&mut self, tokens: &[u32], len: usize, cancel: &AtomicBool) -> Result<Tensor, Error> {
        let scales = &self.config.scales;
        let mut x = self.embedding.embed(tokens)?; // [tokens, hidden]
        if scales.embedding != 1.0 {
            x = (x * scales.embedding)?;
        }
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        let past = self.len();
        let positions = past..past + tokens.len();
        if let Some(learned) = &self.positions {
            x = (x + learned.embed(&positions.clone().map(|p| p as u32).collect::<Vec<_>>())?)?;
        }
        let mut rotations = Vec::with_capacity(self.rotations.len());
        for rope in &self.rotations {
            rotations.push((rope, rope.angles(past, tokens.len(), len)));
        }
        let position_scales = match scales.position {
            None => None,
            Some(scale) => {
                let of = |p: usize| (1.0 + scale.beta * (1.0 + (p as f64 / scale.context).floor()).ln()) as f32;
                Some(positions.map(of).collect())
            }
        };
        let layer_vectors = match &self.layer_embeddings {
            Some(embeddings) => Some(embeddings.forward(tokens, &x)?),
            None => None,
        };
        let first_value = OnceCell::new();
        let pass = Pass { past, tokens: tokens.len(), rotations, position_scales, layer_vectors, first_value };
        for layer in &self.layers {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            x = layer.forward(&x, &pass, &mut self.caches[layer.cache])?;
        }
        Ok(x)
    }

    /// `states` `[tokens, hidden]` as the output reads them.
    pub fn normed(&self, states: &Tensor) -> Result<Tensor, Error> {
        Ok(self.output_norm.forward(&states.contiguous()?)?)
    }

    /// Continues as [`Decoder::states`] does and returns logits `[1 or tokens, vocab]`.
    pub fn forward(&mut self, tokens: &[u32], logits: Logits, cancel: &AtomicBool) -> Result<Tensor, Error> {
        let mut x = self.states(tokens, cancel)?;
        if logits == Logits::Last {
            x = x.narrow(0, tokens.len() - 1, 1)?;
        }
        let scales = &self.config.scales;
        let mut out = self.output.forward(&self.normed(&x)?)?;
        if scales.logits != 1.0 {
            out = (out * scales.logits)?;
        }
        if let Some(cap) = scales.logits_cap {
            out = soft_cap(&out, cap)?;
        }
        Ok(out)
    }
}
