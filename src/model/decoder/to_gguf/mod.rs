//! A model as a GGUF file holds it, its weights still where they lie.

mod embeddings;
mod form;
mod latent;
mod made;
mod metadata;
mod mixers;
mod recurrent;
mod rwkv;
mod tensors;
#[cfg(test)]
mod tests;

pub use form::FormTensor;

use super::checkpoint::Checkpoint;
use super::config::{DecoderConfig, LayerConfig, MixerKind};
use super::family::QkNorm;
use super::from_json;
use crate::model::{Error, tokenizer};
use crate::weights::{Metadata, TensorType, Value};

/// What a GGUF file holds.
pub struct GgufForm {
    pub metadata: Metadata,
    pub tensors: Vec<FormTensor>,
}

impl GgufForm {
    /// Of all tensors.
    pub fn elements(&self) -> u64 {
        self.tensors.iter().map(|tensor| (tensor.row_count() * tensor.columns()) as u64).sum()
    }
}

impl Checkpoint {
    /// The model as a GGUF file: what it is already, less what tells that it is one of several, or a folder's conversion
    /// with its tokenizer.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a folder of a family, or with something about it, that is not converted yet.
    pub fn gguf_form(&self) -> Result<GgufForm, Error> {
        match self {
            Checkpoint::Gguf(gguf) => {
                let mut metadata = gguf.metadata.clone();
                metadata.0.retain(|(key, _)| !key.starts_with("split."));
                let tensors = gguf.tensors.iter().map(|tensor| FormTensor::stored_as(tensor.clone())).collect();
                Ok(GgufForm { metadata, tensors })
            }
            Checkpoint::Folder { tensors: folder, .. } => {
                let config = self.config()?;
                let mut metadata = Metadata::default();
                metadata.set("general.architecture", Value::String(config.family.gguf_architecture.to_owned()));
                metadata.set("general.type", Value::String("model".to_owned()));
                tokenizer::general(&folder.folder, &mut metadata);
                let tensors = self.converted(&config, &mut metadata)?;
                tokenizer::to_gguf(&folder.folder, self.vocab_size(), &mut metadata)?;
                Ok(GgufForm { metadata, tensors })
            }
        }
    }

    /// The tensors of a folder; sets the keys that describe them.
    pub fn converted(&self, config: &DecoderConfig, metadata: &mut Metadata) -> Result<Vec<FormTensor>, Error> {
        let unsupported = |what: &str| Error::Unsupported {
            file: self.file(),
            what: format!("conversion to GGUF of {what} ({:?})", config.architecture),
        };
        if let Some(what) = lacking(config) {
            return Err(unsupported(what));
        }
        let mut tensors = metadata::set(metadata, config, self.vocab_size()).map_err(|what| unsupported(&what))?;
        for (key, value) in [self.rope_sections(config), self.deep_layers(config)].into_iter().flatten() {
            metadata.set(&key, value);
        }
        tensors.extend(tensors::all(self, config)?);
        for (key, part) in rwkv::RANKS {
            let last = format!("blk.{}.{part}.weight", config.layers.len() - 1);
            if let Some(tensor) = tensors.iter().find(|tensor| tensor.name == last) {
                let key = format!("{}.{key}", config.family.gguf_architecture);
                metadata.set(&key, Value::U32(tensor.row_count() as u32));
            }
        }
        metadata::check(metadata, &tensors, config, &self.file())?;
        let most = tensors.iter().max_by_key(|tensor| tensor.row_count() * tensor.columns()).map(|t| t.dtype);
        metadata.set(
            "general.file_type",
            Value::U32(match most {
                Some(TensorType::F16) => 1,
                Some(TensorType::BF16) => 32,
                Some(TensorType::MXFP4) => 38,
                _ => 0,
            }),
        );
        Ok(tensors)
    }
}

impl Checkpoint {
    /// How many pairs of components turn by each axis of a picture, which readers of models that also see ask for; text
    /// has the same position along all of them.
    fn rope_sections(&self, config: &DecoderConfig) -> Option<(String, Value)> {
        let architecture = config.family.gguf_architecture;
        let Checkpoint::Folder { config: json, .. } = self else { return None };
        let json = from_json::text_model(json);
        let given = ["rope_parameters", "rope_scaling"].iter().find_map(|name| json[*name]["mrope_section"].as_array());
        let mut sections: Vec<u32> = match given {
            Some(given) => given.iter().filter_map(|pairs| pairs.as_u64()).map(|pairs| pairs as u32).collect(),
            // Qwen 3.5's take turns.
            None if architecture.starts_with("qwen35") => {
                let pairs = config.rotations.first()?.dim as u32 / 2;
                vec![pairs.div_ceil(3), pairs.saturating_add(1) / 3, pairs / 3]
            }
            None => return None,
        };
        sections.resize(4, 0);
        let sections = sections.into_iter().map(|pairs| Value::I32(pairs as i32)).collect();
        Some((format!("{architecture}.rope.dimension_sections"), Value::Array(sections)))
    }

    /// How many layers a picture enters besides the first, which readers of a Qwen 3 that also sees ask for.
    fn deep_layers(&self, config: &DecoderConfig) -> Option<(String, Value)> {
        let architecture = config.family.gguf_architecture;
        let Checkpoint::Folder { config: json, .. } = self else { return None };
        let layers = json["vision_config"]["deepstack_visual_indexes"].as_array()?.len();
        architecture
            .starts_with("qwen3vl")
            .then(|| (format!("{architecture}.n_deepstack_layers"), Value::U32(layers as u32)))
    }
}

/// What of a model is not converted yet.
fn lacking(config: &DecoderConfig) -> Option<&'static str> {
    let unusual = |layer: &LayerConfig| match layer.mixer {
        MixerKind::Rwkv7(shape) => {
            let eps = shape.head_dim as f64 * config.norm_eps;
            shape.fused_norms || (eps / rwkv::HEAD_NORM_EPS - 1.0).abs() > 1e-5
        }
        _ => false,
    };
    let shares = config.layers.iter().any(|layer| layer.kv_of.is_some());
    let turns = (0..config.layers.len()).any(|index| tensors::turns(config, index));
    Some(match () {
        () if config.layers.iter().any(unusual) => "norms with an epsilon of their own",
        () if shares && config.family.gguf_architecture != "gemma4" => "shared keys and values",
        () if turns && config.family.qk_norm != QkNorm::None => "heads that are normed before they turn",
        () => return None,
    })
}
