//! Embeddings that each layer has of its own (Gemma 3n and 4): a token brings a narrow vector to every layer.

use candle_core::{Result, Tensor};

use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::family::{Activation, NormKind};
use super::linear::{Linear, Matrix};
use super::norm::Norm;
use crate::model::Error;

/// What makes the vectors of all layers.
pub struct LayerEmbeddings {
    /// `[vocab, layers * size]`.
    table: Matrix,
    /// From the token's usual embedding: `[layers * size, hidden]`.
    projection: Linear,
    /// Of each layer's part of the projection.
    norm: Norm,
    layers: usize,
    size: usize,
    hidden: usize,
}

impl LayerEmbeddings {
    /// `None` where the model has none.
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
    ) -> std::result::Result<Option<LayerEmbeddings>, Error> {
        let DecoderConfig { layer_embedding_size: size, hidden_size: hidden, norm_eps, .. } = *config;
        if size == 0 {
            return Ok(None);
        }
        let layers = config.layers.len();
        Ok(Some(LayerEmbeddings {
            table: checkpoint.matrix("per_layer_token_embd.weight", None, layers * size)?,
            projection: checkpoint.linear("per_layer_model_proj", layers * size, hidden, false)?,
            norm: Norm::load(checkpoint, "per_layer_proj_norm", size, config.family.norm, norm_eps)?,
            layers,
            size,
            hidden,
        }))
    }

    /// The vectors `[tokens, layers, size]` of `tokens`, whose usual embeddings are `x` `[tokens, hidden]`.
    pub fn forward(&self, tokens: &[u32], x: &Tensor) -> Result<Tensor> {
        let shape = (tokens.len(), self.layers, self.size);
        let own = (self.table.embed(tokens)?.reshape(shape)? * (self.size as f64).sqrt())?;
        let projected = (self.projection.forward(x)? * (self.hidden as f64).powf(-0.5))?.reshape(shape)?;
        (self.norm.forward(&projected)? + own)? * 0.5f64.sqrt()
    }
}

/// What a layer does with its vectors.
pub struct LayerEmbedding {
    layer: usize,
    gate: Linear,
    projection: Linear,
    norm: Norm,
    activation: Activation,
}

impl LayerEmbedding {
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        layer: usize,
    ) -> std::result::Result<Option<LayerEmbedding>, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let DecoderConfig { layer_embedding_size: size, hidden_size: hidden, norm_eps, .. } = *config;
        if size == 0 {
            return Ok(None);
        }
        Ok(Some(LayerEmbedding {
            layer,
            gate: checkpoint.linear(&name("inp_gate"), size, hidden, false)?,
            projection: checkpoint.linear(&name("proj"), hidden, size, false)?,
            norm: Norm::load(checkpoint, &name("post_norm"), hidden, NormKind::Rms, norm_eps)?,
            activation: config.activation,
        }))
    }

    /// What is added to `x` `[tokens, hidden]`; `vectors` are `[tokens, layers, size]`.
    pub fn forward(&self, x: &Tensor, vectors: &Tensor) -> Result<Tensor> {
        let own = vectors.narrow(1, self.layer, 1)?.squeeze(1)?;
        let wide = (self.activation.apply(&self.gate.forward(x)?)? * own)?;
        self.norm.forward(&self.projection.forward(&wide)?)
    }
}
