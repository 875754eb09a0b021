//! The tensors that Gemma 4 has besides: embeddings of layers, and experts beside a dense layer.

use super::FormTensor;
use super::tensors::Tensors;
use crate::model::Error;
use crate::model::decoder::config::{DecoderConfig, Experts};
use crate::model::decoder::family::NormKind;

impl Tensors<'_> {
    pub fn layer_embeddings(&mut self) -> Result<(), Error> {
        let DecoderConfig { layer_embedding_size: size, hidden_size: hidden, .. } = *self.config;
        if size == 0 {
            return Ok(());
        }
        let all = self.config.layers.len() * size;
        let table = "per_layer_token_embd.weight";
        let matrix = self.checkpoint.matrix(table, None, all)?;
        self.all.push(FormTensor::matrix(table.to_owned(), matrix, None));
        self.linear("per_layer_model_proj", all, hidden, None)?;
        self.norm("per_layer_proj_norm", "per_layer_proj_norm", size, self.config.family.norm)
    }

    pub fn layer_embedding(&mut self, index: usize) -> Result<(), Error> {
        let DecoderConfig { layer_embedding_size: size, hidden_size: hidden, .. } = *self.config;
        let name = |part: &str| format!("blk.{index}.{part}");
        if size > 0 {
            self.linear(&name("inp_gate"), size, hidden, None)?;
            self.linear(&name("proj"), hidden, size, None)?;
            self.norm(&name("post_norm"), &name("post_norm"), hidden, NormKind::Rms)?;
        }
        let scale = name("layer_output_scale.weight");
        self.vector(&scale, &scale, 1)
    }

    /// A dense layer and experts beside each other, where layer `index` has both: what the experts have is left.
    pub fn beside_experts(&mut self, index: usize, experts: &Experts) -> Result<(), Error> {
        let hidden = self.config.hidden_size;
        let name = |part: &str| format!("blk.{index}.{part}");
        if self.checkpoint.has(&name("pre_ffw_norm_2.weight")) {
            self.feed_forward(index, "", self.config.layers[index].feed_forward_size)?;
            for part in ["post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"] {
                self.norm(&name(part), &name(part), hidden, self.config.family.norm)?;
            }
        }
        for (part, size) in [("ffn_gate_inp.scale", hidden), ("ffn_down_exps.scale", experts.count)] {
            self.vector(&name(part), &name(part), size)?;
        }
        Ok(())
    }
}
