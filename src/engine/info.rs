//! What a model is, from its headers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Error;
use crate::model::{ChatTemplate, Checkpoint, DecoderConfig, EncoderConfig, Pooling, Recipe};
use crate::weights::{MappedTensor, Source};

/// A model described.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    pub name: String,
    pub architecture: String,
    pub kind: Kind,
    /// Number of weights.
    pub parameters: u64,
    /// `Q4_K_M` and the like, or the element type that most weights have.
    pub quantization: String,
    pub context_length: usize,
    pub layers: usize,
    pub hidden_size: usize,
    pub vocab_size: usize,
    pub license: Option<String>,
    pub size_bytes: u64,
    pub chat_template: Option<String>,
    /// How states become a vector, where the files say it.
    pub pooling: Option<String>,
}

/// What a model's tokens see: those before them, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Decoder,
    Encoder,
}

/// What decoders and encoders alike have.
pub(super) struct Shape {
    kind: Kind,
    architecture: String,
    pub context_length: usize,
    layers: usize,
    pub hidden_size: usize,
}

impl From<&DecoderConfig> for Shape {
    fn from(config: &DecoderConfig) -> Shape {
        Shape {
            kind: Kind::Decoder,
            architecture: config.architecture.clone(),
            context_length: config.context_length,
            layers: config.layers.len(),
            hidden_size: config.hidden_size,
        }
    }
}

impl From<&EncoderConfig> for Shape {
    fn from(config: &EncoderConfig) -> Shape {
        Shape {
            kind: Kind::Encoder,
            architecture: config.architecture.clone(),
            context_length: config.context_length,
            layers: config.layers.len(),
            hidden_size: config.hidden_size,
        }
    }
}

impl Shape {
    /// Where files name none: the last token of a decoder has seen all others; an encoder's all have.
    pub fn default_pooling(&self) -> Pooling {
        match self.kind {
            Kind::Decoder => Pooling::Last,
            Kind::Encoder => Pooling::Mean,
        }
    }
}

/// Reads the headers of a model; fails as loading it would.
pub fn inspect(source: &Source) -> Result<ModelInfo, Error> {
    let checkpoint = Checkpoint::open(source)?;
    let shape = match EncoderConfig::of(&checkpoint)? {
        Some(config) => Shape::from(&config),
        None => Shape::from(&checkpoint.config()?),
    };
    // A reranker has no recipe for vectors, and is described all the same.
    let recipe = Recipe::open(&checkpoint).unwrap_or_default();
    let template = ChatTemplate::open(&checkpoint)?;
    Ok(describe(&checkpoint, shape, template.as_ref(), &recipe))
}

/// A tensor as its file stores it.
#[derive(Debug, Clone, Serialize)]
pub struct TensorInfo {
    pub name: String,
    /// Row-major: a linear layer's weight is `[out, in]`.
    pub shape: Vec<usize>,
    #[serde(rename = "type")]
    pub dtype: &'static str,
    pub size_bytes: u64,
}

/// A model's tensors, in the file's order; of a folder by their names, numbers in them as numbers.
pub fn tensors(source: &Source) -> Result<Vec<TensorInfo>, Error> {
    let checkpoint = Checkpoint::open(source)?;
    let info = |tensor: &MappedTensor| TensorInfo {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        dtype: tensor.dtype.name(),
        size_bytes: tensor.data().len() as u64,
    };
    let mut tensors: Vec<TensorInfo> = checkpoint.tensors().map(info).collect();
    if let Checkpoint::Folder { .. } = checkpoint {
        tensors.sort_by_cached_key(|tensor| {
            let part = |part: &str| (part.parse::<u64>().unwrap_or(u64::MAX), part.to_owned());
            tensor.name.split('.').map(part).collect::<Vec<_>>()
        });
    }
    Ok(tensors)
}

/// What a list says of a model: from its headers, whether or not it runs here.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// As the files name it.
    pub architecture: Option<String>,
    pub quantization: String,
    /// Why it cannot run, where that shows in the headers.
    pub problem: Option<String>,
}

/// Reads the headers of a model; fails only where they cannot be read.
pub fn summarize(source: &Source) -> Result<Summary, Error> {
    let checkpoint = Checkpoint::open(source)?;
    let problem = match EncoderConfig::of(&checkpoint) {
        Ok(Some(_)) => None,
        Ok(None) => checkpoint.config().err(),
        Err(e) => Some(e),
    };
    Ok(Summary {
        architecture: checkpoint.architecture().map(str::to_owned),
        quantization: quantization(&checkpoint),
        problem: problem.map(|e| e.to_string()),
    })
}

/// `Q4_K_M` and the like, or the element type that most weights have.
fn quantization(checkpoint: &Checkpoint) -> String {
    if let Some(packing) = checkpoint.packing() {
        return packing.name();
    }
    let declared = match checkpoint {
        Checkpoint::Gguf(gguf) => gguf.metadata.u64("general.file_type").and_then(file_type_name),
        Checkpoint::Folder { .. } => None,
    };
    if let Some(name) = declared {
        return name.to_owned();
    }
    let mut weights_of_type: BTreeMap<&str, u64> = BTreeMap::new();
    // Norms are F32 whatever the rest is.
    for tensor in checkpoint.tensors().filter(|tensor| tensor.shape.len() > 1) {
        *weights_of_type.entry(tensor.dtype.name()).or_default() += tensor.elements() as u64;
    }
    weights_of_type.iter().max_by_key(|(_, n)| **n).map_or("none", |(name, _)| name).to_owned()
}

pub(super) fn describe(
    checkpoint: &Checkpoint,
    shape: Shape,
    template: Option<&ChatTemplate>,
    recipe: &Recipe,
) -> ModelInfo {
    let (declared, license) = match checkpoint {
        Checkpoint::Gguf(gguf) => {
            let text = |key: &str| gguf.metadata.str(key).map(str::to_owned);
            (text("general.name"), text("general.license"))
        }
        Checkpoint::Folder { config, .. } => {
            let license = config["license"].as_str().map(str::to_owned);
            (config["_name_or_path"].as_str().filter(|n| !n.is_empty()).map(str::to_owned), license)
        }
    };
    ModelInfo {
        name: declared.unwrap_or_else(|| checkpoint.file()),
        architecture: shape.architecture,
        kind: shape.kind,
        parameters: checkpoint.parameters(),
        quantization: quantization(checkpoint),
        context_length: shape.context_length,
        layers: shape.layers,
        hidden_size: shape.hidden_size,
        vocab_size: checkpoint.vocab_size(),
        license,
        size_bytes: checkpoint.size_bytes(),
        chat_template: template.map(|t| t.source().to_owned()),
        pooling: match recipe.poolings[..] {
            [] => None,
            ref all => Some(all.iter().map(|pooling| pooling.name()).collect::<Vec<_>>().join(" and ")),
        },
    }
}

/// Names of `general.file_type` that say more than the tensors' own types
/// (`enum llama_ftype` in <https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h>).
fn file_type_name(file_type: u64) -> Option<&'static str> {
    Some(match file_type {
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        21 => "Q2_K_S",
        _ => return None,
    })
}
