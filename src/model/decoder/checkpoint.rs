//! A model's tensors by name and checked shape, from GGUF or a safetensors folder alike.

use candle_core::{Device, Tensor};
use serde_json::Value as Json;

use super::config::DecoderConfig;
use super::family::hf_name;
use super::linear::{Linear, Matrix, compute_type};
use crate::kernels;
use crate::model::Error;
use crate::weights::{Bytes, Gguf, MappedTensor, SafetensorsFolder, Source};

/// Where a model comes from. Tensors are asked for by their GGUF names.
pub enum Checkpoint {
    Gguf(Gguf),
    Folder { config: Json, tensors: SafetensorsFolder },
}

impl Checkpoint {
    /// Opens what `source` names; reads headers only.
    pub fn open(source: &Source) -> Result<Checkpoint, Error> {
        let path = match source {
            Source::Path(path) => path,
            Source::Embedded { name, bytes } => {
                return Ok(Checkpoint::Gguf(Gguf::from_bytes(Bytes::from_static(bytes), name)?));
            }
        };
        if !path.is_dir() {
            return Ok(Checkpoint::Gguf(Gguf::open(path)?));
        }
        let file = path.join("config.json");
        let wrong = |reason: String| Error::Config { file: file.display().to_string(), reason };
        let text = std::fs::read_to_string(&file).map_err(|e| wrong(format!("cannot read it: {e}")))?;
        let config = serde_json::from_str(&text).map_err(|e| wrong(format!("it is not JSON: {e}")))?;
        Ok(Checkpoint::Folder { config, tensors: SafetensorsFolder::open(path)? })
    }

    /// The name that errors mention.
    pub fn file(&self) -> String {
        match self {
            Checkpoint::Gguf(gguf) => gguf.file.clone(),
            Checkpoint::Folder { tensors, .. } => tensors.folder.display().to_string(),
        }
    }

    pub fn size_bytes(&self) -> u64 {
        match self {
            Checkpoint::Gguf(gguf) => gguf.size_bytes,
            Checkpoint::Folder { tensors, .. } => tensors.size_bytes,
        }
    }

    /// All tensors, in no order that means anything.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = &MappedTensor> + '_> {
        match self {
            Checkpoint::Gguf(gguf) => Box::new(gguf.tensors.iter()),
            Checkpoint::Folder { tensors, .. } => Box::new(tensors.tensors()),
        }
    }

    pub fn config(&self) -> Result<DecoderConfig, Error> {
        match self {
            Checkpoint::Gguf(gguf) => DecoderConfig::from_gguf(gguf),
            Checkpoint::Folder { config, tensors } => {
                DecoderConfig::from_json(config, &tensors.folder.join("config.json").display().to_string())
            }
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&MappedTensor> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.tensor(name),
            Checkpoint::Folder { tensors, .. } => tensors.tensor(&hf_name(name)?),
        }
    }

    fn require(&self, name: &str) -> Result<&MappedTensor, Error> {
        self.find(name)
            .ok_or_else(|| crate::weights::Error::MissingTensor { file: self.file(), name: name.to_owned() }.into())
    }

    fn wrong_shape(&self, tensor: &MappedTensor, expected: &[usize]) -> Error {
        let reason = format!("tensor {} has shape {:?}, not {expected:?}", tensor.name, tensor.shape);
        Error::Config { file: self.file(), reason }
    }

    /// The matrix `name` of `columns` columns, and of `rows` rows where the caller knows them.
    pub(super) fn matrix(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<Matrix, Error> {
        let tensor = self.require(name)?;
        let [has_rows, has_columns] = tensor.shape[..] else {
            return Err(self.wrong_shape(tensor, &[rows.unwrap_or(0), columns]));
        };
        if has_columns != columns || has_rows == 0 || rows.is_some_and(|rows| rows != has_rows) {
            return Err(self.wrong_shape(tensor, &[rows.unwrap_or(has_rows), columns]));
        }
        let unsupported =
            || Error::TensorType { file: self.file(), name: tensor.name.clone(), dtype: tensor.dtype.name() };
        let dtype = compute_type(tensor.dtype).ok_or_else(unsupported)?;
        Ok(Matrix::new(tensor.clone(), dtype))
    }

    /// A linear layer; its bias is taken when the file has one and `bias` is not `Some(false)`.
    pub(super) fn linear(&self, stem: &str, rows: usize, columns: usize, needs_bias: bool) -> Result<Linear, Error> {
        let weight = self.matrix(&format!("{stem}.weight"), Some(rows), columns)?;
        let name = format!("{stem}.bias");
        let bias = match needs_bias || self.find(&name).is_some() {
            true => Some(self.vector(&name, rows)?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    /// A vector of `len` elements as f32.
    pub(super) fn vector(&self, name: &str, len: usize) -> Result<Tensor, Error> {
        let tensor = self.require(name)?;
        if tensor.shape != [len] {
            return Err(self.wrong_shape(tensor, &[len]));
        }
        Ok(Tensor::from_vec(self.floats(tensor)?, len, &Device::Cpu)?)
    }

    pub(super) fn floats(&self, tensor: &MappedTensor) -> Result<Vec<f32>, Error> {
        let unsupported =
            || Error::TensorType { file: self.file(), name: tensor.name.clone(), dtype: tensor.dtype.name() };
        let dtype = compute_type(tensor.dtype).ok_or_else(unsupported)?;
        let mut values = vec![0f32; tensor.elements()];
        kernels::dequantize_rows(dtype, tensor.data(), &mut values);
        Ok(values)
    }
}
