//! One encoder for every family: all tokens of a text see each other, and each gets a vector.

mod attention;
mod config;
mod family;

use candle_core::Tensor;

pub use config::EncoderConfig;
pub use family::architectures;

use self::attention::{Attention, Distances};
use super::decoder::{Angles, Dense, Matrix, Norm, NormKind, Rope};
use super::{Checkpoint, Error};

/// An encoder with its weights.
pub struct Encoder {
    pub config: EncoderConfig,
    embedding: Matrix,
    /// Learned positions `[first + context, hidden]`.
    positions: Option<Matrix>,
    /// The vector of the first of two texts, `[1, hidden]`.
    token_type: Option<Tensor>,
    embedding_norm: Norm,
    rotations: Vec<Rope>,
    distances: Option<Distances>,
    layers: Vec<Layer>,
    /// Where layers norm what they read, the last result is normed too.
    output_norm: Option<Norm>,
}

struct Layer {
    pre_norm: bool,
    /// Before attention, or after; the first layer of ModernBERT has none.
    attn_norm: Option<Norm>,
    attention: Attention,
    ffn_norm: Norm,
    feed_forward: Dense,
}

impl Layer {
    fn load(checkpoint: &Checkpoint, config: &EncoderConfig, index: usize) -> Result<Layer, Error> {
        let family = config.family;
        let name = |part: &str| format!("blk.{index}.{part}");
        let (attn_name, ffn_name) =
            if family.pre_norm { ("attn_norm", "ffn_norm") } else { ("attn_output_norm", "layer_output_norm") };
        let identity = family.pre_norm && index == 0 && !checkpoint.has(&name("attn_norm.weight"));
        let (hidden, size) = (config.hidden_size, config.feed_forward_size);
        Ok(Layer {
            pre_norm: family.pre_norm,
            attn_norm: if identity { None } else { Some(norm(checkpoint, config, &name(attn_name))?) },
            attention: Attention::load(checkpoint, config, index)?,
            ffn_norm: norm(checkpoint, config, &name(ffn_name))?,
            feed_forward: Dense::new(checkpoint, name, family.gated, config.activation, hidden, size)?,
        })
    }

    /// `x` `[tokens, hidden]` to the same shape.
    fn forward(
        &self,
        x: &Tensor,
        rotations: &[(&Rope, Angles)],
        distances: Option<&Distances>,
    ) -> candle_core::Result<Tensor> {
        let normed = |norm: &Option<Norm>, x: &Tensor| match norm {
            Some(norm) => norm.forward(x),
            None => Ok(x.clone()),
        };
        if self.pre_norm {
            let x = (x + self.attention.forward(&normed(&self.attn_norm, x)?, rotations, distances)?)?;
            return &x + self.feed_forward.forward(&self.ffn_norm.forward(&x)?)?;
        }
        let x = normed(&self.attn_norm, &(x + self.attention.forward(x, rotations, distances)?)?)?;
        self.ffn_norm.forward(&(&x + self.feed_forward.forward(&x)?)?)
    }
}

fn norm(checkpoint: &Checkpoint, config: &EncoderConfig, stem: &str) -> Result<Norm, Error> {
    Norm::load(checkpoint, stem, config.hidden_size, NormKind::Layer, config.norm_eps)
}

impl Encoder {
    /// Binds the tensors of `checkpoint`; nothing but norms and biases is copied.
    pub fn load(checkpoint: &Checkpoint, config: EncoderConfig) -> Result<Encoder, Error> {
        let hidden = config.hidden_size;
        let positions = match config.rotations.is_empty() {
            true => {
                let rows = config.first_position + config.context_length;
                Some(checkpoint.matrix("position_embd.weight", Some(rows), hidden)?)
            }
            false => None,
        };
        let token_type = match checkpoint.has("token_types.weight") {
            true => Some(checkpoint.matrix("token_types.weight", None, hidden)?.embed(&[0])?),
            false => None,
        };
        let output_norm = if config.family.pre_norm { Some(norm(checkpoint, &config, "output_norm")?) } else { None };
        let count = config.layers.len();
        Ok(Encoder {
            embedding: checkpoint.matrix("token_embd.weight", None, hidden)?,
            positions,
            token_type,
            embedding_norm: norm(checkpoint, &config, "token_embd_norm")?,
            rotations: config.rotations.iter().map(Rope::new).collect(),
            distances: Distances::load(checkpoint, config.heads)?,
            layers: (0..count).map(|index| Layer::load(checkpoint, &config, index)).collect::<Result<_, _>>()?,
            output_norm,
            config,
        })
    }

    /// The states `[tokens, hidden]` of a text of at most `context_length` tokens.
    pub fn forward(&self, tokens: &[u32]) -> Result<Tensor, Error> {
        let mut x = self.embedding.embed(tokens)?;
        if let Some(token_type) = &self.token_type {
            x = x.broadcast_add(token_type)?;
        }
        if let Some(positions) = &self.positions {
            let first = self.config.first_position;
            let ids: Vec<u32> = (first..first + tokens.len()).map(|position| position as u32).collect();
            x = (x + positions.embed(&ids)?)?;
        }
        let mut x = self.embedding_norm.forward(&x)?;
        let mut rotations = Vec::with_capacity(self.rotations.len());
        for rope in &self.rotations {
            rotations.push((rope, rope.angles(0, tokens.len(), tokens.len())));
        }
        for layer in &self.layers {
            x = layer.forward(&x, &rotations, self.distances.as_ref())?;
        }
        match &self.output_norm {
            Some(norm) => Ok(norm.forward(&x)?),
            None => Ok(x),
        }
    }
}
