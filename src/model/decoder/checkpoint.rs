//! A model's tensors by name and checked shape, from GGUF or a safetensors folder alike.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde_json::Value as Json;

use super::config::DecoderConfig;
use super::family::Family;
use super::linear::{Linear, Matrix};
use super::{from_gguf, from_json, names, packed};
use crate::kernels;
use crate::model::Error;
use crate::weights::{Bytes, Gguf, MappedTensor, SafetensorsFolder, Source, TensorType};

/// Where a model comes from. Tensors are asked for by their GGUF names.
#[derive(Clone)]
pub enum Checkpoint {
    Gguf(Gguf),
    Folder {
        config: Json,
        /// The family of decoders, if it is one: what GGUF files store alike, each stores its own way here.
        family: Option<&'static Family>,
        tensors: SafetensorsFolder,
        /// The names in the files, by their normalized form.
        names: HashMap<String, String>,
    },
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
        let text = std::fs::read_to_string(&file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::NoConfig { folder: path.display().to_string() },
            _ => wrong(format!("cannot read it: {e}")),
        })?;
        let config = from_json::parse(&text).map_err(|e| wrong(format!("it is not JSON: {e}")))?;
        let tensors = SafetensorsFolder::open(path)?;
        let plain = |name: &str| packed::plain_name(name).unwrap_or_else(|| name.to_owned());
        let names = tensors.tensors().map(|t| (names::normalized(&plain(&t.name)), t.name.clone())).collect();
        Ok(Checkpoint::Folder { family: from_json::family(&config), config, tensors, names })
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

    /// Rows of the embedding; without one, tokens of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        match (self.find("token_embd.weight"), self) {
            (Some(tensor), _) => tensor.shape.first().copied().unwrap_or(0),
            // A file that holds a vocabulary alone.
            (None, Checkpoint::Gguf(gguf)) => gguf.metadata.array("tokenizer.ggml.tokens").map_or(0, <[_]>::len),
            (None, Checkpoint::Folder { .. }) => 0,
        }
    }

    /// The name that the file gives its architecture: of the text model, where the model also sees.
    pub fn architecture(&self) -> Option<&str> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.metadata.str("general.architecture"),
            Checkpoint::Folder { config, .. } => from_json::text_model(config)["model_type"].as_str(),
        }
    }

    pub fn config(&self) -> Result<DecoderConfig, Error> {
        match self {
            Checkpoint::Gguf(gguf) => from_gguf::config(self, gguf),
            Checkpoint::Folder { config, tensors, .. } => {
                from_json::config(config, &tensors.folder.join("config.json").display().to_string())
            }
        }
    }

    pub(in crate::model) fn find(&self, name: &str) -> Option<&MappedTensor> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.tensor(name),
            Checkpoint::Folder { tensors, names, .. } => {
                let known = names::candidates(name).into_iter().find_map(|name| names.get(&name))?;
                tensors.tensor(known)
            }
        }
    }

    pub(in crate::model) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether this is a safetensors folder: some numbers mean another thing there than in GGUF.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self, Checkpoint::Folder { .. })
    }

    pub(super) fn require(&self, name: &str) -> Result<&MappedTensor, Error> {
        let missing = || match self.tensors().next() {
            None => Error::VocabularyOnly { file: self.file() },
            Some(_) => crate::weights::Error::MissingTensor { file: self.file(), name: name.to_owned() }.into(),
        };
        self.find(name).ok_or_else(missing)
    }

    pub(super) fn wrong_shape(&self, tensor: &MappedTensor, expected: &[usize]) -> Error {
        let reason = format!("tensor {} has shape {:?}, not {expected:?}", tensor.name, tensor.shape);
        Error::Config { file: self.file(), reason }
    }

    /// The matrix `name` of `columns` columns, and of `rows` rows where the caller knows them.
    pub(in crate::model) fn matrix(&self, name: &str, rows: Option<usize>, columns: usize) -> Result<Matrix, Error> {
        let tensor = self.require(name)?;
        let Some(matrix) = self.unpacked(tensor)? else {
            return self.checked_matrix(tensor.clone(), rows, columns);
        };
        if matrix.columns() != columns || rows.is_some_and(|rows| rows != matrix.rows()) {
            let (has, rows) = ([matrix.rows(), matrix.columns()], rows.unwrap_or(matrix.rows()));
            let reason = format!("tensor {} packs a matrix {has:?}, not {:?}", tensor.name, [rows, columns]);
            return Err(Error::Config { file: self.file(), reason });
        }
        Ok(matrix)
    }

    fn checked_matrix(&self, tensor: MappedTensor, rows: Option<usize>, columns: usize) -> Result<Matrix, Error> {
        let [has_rows, has_columns] = tensor.shape[..] else {
            return Err(self.wrong_shape(&tensor, &[rows.unwrap_or(0), columns]));
        };
        if has_columns != columns || has_rows == 0 || rows.is_some_and(|rows| rows != has_rows) {
            return Err(self.wrong_shape(&tensor, &[rows.unwrap_or(has_rows), columns]));
        }
        self.supported(&tensor)?;
        Ok(Matrix::new(tensor))
    }

    /// Where layer `layer` has the `part` of all experts in one tensor: its stem, an expert's rows in it, and which of them
    /// the part is; `None` where each expert has tensors of its own.
    fn stacked(&self, layer: usize, part: &str, rows: usize) -> Option<(String, usize, Vec<usize>)> {
        // Gate and up of all experts in one tensor, `[count, 2 * rows, columns]`.
        let half = ["ffn_gate", "ffn_up"].iter().position(|name| *name == part);
        let fused = half.filter(|_| self.has(&format!("blk.{layer}.ffn_gate_up_exps.weight")));
        let (stem, all_rows) = match fused {
            Some(_) => (format!("blk.{layer}.ffn_gate_up_exps"), 2 * rows),
            None => (format!("blk.{layer}.{part}_exps"), rows),
        };
        let alternating = self.hf_family().is_some_and(|family| family.hf_alternating_experts);
        let wanted: Vec<usize> = match fused {
            Some(half) if alternating => (0..rows).map(|row| 2 * row + half).collect(),
            Some(half) => (half * rows..(half + 1) * rows).collect(),
            None => (0..rows).collect(),
        };
        self.has(&format!("{stem}.weight")).then_some((stem, all_rows, wanted))
    }

    /// The biases of the layers of `count` experts, of those that have one.
    pub(super) fn expert_biases(
        &self,
        layer: usize,
        part: &str,
        count: usize,
        rows: usize,
    ) -> Result<Vec<Option<Arc<Vec<f32>>>>, Error> {
        let Some((stem, all_rows, wanted)) = self.stacked(layer, part, rows) else {
            let bias = |expert| self.vector_if_any(&format!("blk.{layer}.{part}.{expert}.bias"), rows);
            let bias = |expert| Ok(bias(expert)?.map(|bias| bias.to_vec1().map(Arc::new)).transpose()?);
            return (0..count).map(bias).collect();
        };
        let name = format!("{stem}.bias");
        if !self.has(&name) {
            return Ok(vec![None; count]);
        }
        let all = self.grid(&name, count, all_rows)?.to_vec2::<f32>()?;
        let chosen = |all: Vec<f32>| Some(Arc::new(wanted.iter().map(|row| all[*row]).collect()));
        Ok(all.into_iter().map(chosen).collect())
    }

    /// The layers of `count` experts: one tensor `[count, rows, columns]`, or one for each; a bias where there is one.
    pub(super) fn experts(
        &self,
        layer: usize,
        part: &str,
        count: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<Linear>, Error> {
        let Some((stem, all_rows, wanted)) = self.stacked(layer, part, rows) else {
            return (0..count)
                .map(|expert| self.linear(&format!("blk.{layer}.{part}.{expert}"), rows, columns, false))
                .collect();
        };
        let biases = self.expert_biases(layer, part, count, rows)?;
        let stacked = &self.sliceable(&format!("{stem}.weight"))?;
        // gpt-oss stores plain matrices `[in, out]`, and quantized ones as everybody does.
        let turned =
            self.hf_family().is_some_and(|family| family.hf_alternating_experts) && stacked.dtype.block_elements() == 1;
        let shape = if turned { [count, columns, all_rows] } else { [count, all_rows, columns] };
        if stacked.shape != shape {
            return Err(self.wrong_shape(stacked, &shape));
        }
        let one = |(expert, bias)| {
            let mut tensor = stacked.rows(expert..expert + 1);
            tensor.shape.remove(0);
            if turned {
                tensor = tensor.transposed();
            }
            Ok(Linear { weight: self.checked_matrix(tensor.select(&wanted), Some(rows), columns)?, bias })
        };
        biases.into_iter().enumerate().map(one).collect()
    }

    /// The `count` matrices of the tensor `name` `[count, rows, columns]`.
    pub(super) fn stack(&self, name: &str, count: usize, rows: usize, columns: usize) -> Result<Vec<Matrix>, Error> {
        let stacked = self.sliceable(name)?;
        if stacked.shape != [count, rows, columns] {
            return Err(self.wrong_shape(&stacked, &[count, rows, columns]));
        }
        let one = |index: usize| {
            let mut tensor = stacked.rows(index..index + 1);
            tensor.shape.remove(0);
            self.checked_matrix(tensor, Some(rows), columns)
        };
        (0..count).map(one).collect()
    }

    /// What widens a latent of `rank` to each head's key and value, from the tensor `name`
    /// `[heads * (key + value), rank]`: the keys' part turned to `[rank, key]` (a copy), and
    /// the values' `[value, rank]`.
    pub(super) fn keys_and_values(
        &self,
        name: &str,
        heads: usize,
        (key_dim, value_dim): (usize, usize),
        rank: usize,
    ) -> Result<(Vec<Matrix>, Vec<Matrix>), Error> {
        let tensor = self.sliceable(name)?;
        let head_rows = key_dim + value_dim;
        if tensor.shape != [heads * head_rows, rank] {
            return Err(self.wrong_shape(&tensor, &[heads * head_rows, rank]));
        }
        let key = |head: usize| {
            let rows = tensor.rows(head * head_rows..head * head_rows + key_dim);
            self.turned(&rows, rank, key_dim)
        };
        let value = |head: usize| {
            let rows = tensor.rows(head * head_rows + key_dim..(head + 1) * head_rows);
            self.checked_matrix(rows, Some(value_dim), rank)
        };
        Ok(((0..heads).map(key).collect::<Result<_, _>>()?, (0..heads).map(value).collect::<Result<_, _>>()?))
    }

    /// The matrix `[1, columns]`, which some files store as a vector.
    pub(super) fn row(&self, name: &str, columns: usize) -> Result<Matrix, Error> {
        let mut tensor = self.require(name)?.clone();
        if tensor.shape.len() == 1 {
            tensor.shape.insert(0, 1);
        }
        self.checked_matrix(tensor, Some(1), columns)
    }

    /// A linear layer; its bias is taken when the file has one.
    pub(in crate::model) fn linear(
        &self,
        stem: &str,
        rows: usize,
        columns: usize,
        needs_bias: bool,
    ) -> Result<Linear, Error> {
        let name = format!("{stem}.weight");
        let weight = match self.hf_family().is_some_and(|family| family.hf_transposed) {
            true => self.transposed_matrix(&name, rows, columns)?,
            false => self.matrix(&name, Some(rows), columns)?,
        };
        let name = format!("{stem}.bias");
        let bias = match needs_bias || self.has(&name) {
            true => Some(Arc::new(self.vector(&name, rows)?.to_vec1()?)),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    /// The family of a safetensors folder.
    fn hf_family(&self) -> Option<&'static Family> {
        match self {
            Checkpoint::Gguf(_) => None,
            Checkpoint::Folder { family, .. } => *family,
        }
    }

    /// The matrix `[rows, columns]` of a tensor `[columns, rows]`: a copy.
    fn transposed_matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix, Error> {
        self.turned(self.require(name)?, rows, columns)
    }

    fn turned(&self, tensor: &MappedTensor, rows: usize, columns: usize) -> Result<Matrix, Error> {
        if tensor.shape != [columns, rows] {
            return Err(self.wrong_shape(tensor, &[columns, rows]));
        }
        if tensor.dtype.block_elements() == 1 {
            return self.checked_matrix(tensor.transposed(), Some(rows), columns);
        }
        let bytes = self.floats(tensor)?.iter().flat_map(|value| value.to_le_bytes()).collect();
        let plain = MappedTensor::owned(tensor.name.clone(), tensor.shape.clone(), TensorType::F32, bytes);
        self.checked_matrix(plain.transposed(), Some(rows), columns)
    }

    /// A vector of `len` elements as f32.
    pub(in crate::model) fn vector(&self, name: &str, len: usize) -> Result<Tensor, Error> {
        let tensor = self.require(name)?;
        if tensor.shape != [len] {
            return Err(self.wrong_shape(tensor, &[len]));
        }
        Ok(Tensor::from_vec(self.floats(tensor)?, len, &Device::Cpu)?)
    }

    /// The same, where the file has it.
    pub(super) fn vector_if_any(&self, name: &str, len: usize) -> Result<Option<Tensor>, Error> {
        if self.has(name) { self.vector(name, len).map(Some) } else { Ok(None) }
    }

    /// The `len` elements of a tensor of whatever shape, as f32.
    pub(super) fn values(&self, name: &str, len: usize) -> Result<Vec<f32>, Error> {
        let tensor = self.require(name)?;
        if tensor.elements() != len {
            return Err(self.wrong_shape(tensor, &[len]));
        }
        self.floats(tensor)
    }

    /// The matrix `[rows, columns]` as f32; dimensions of one in between are ignored.
    pub(super) fn grid(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor, Error> {
        let tensor = self.require(name)?;
        let shape: Vec<usize> = tensor.shape.iter().copied().filter(|size| *size != 1).collect();
        if shape != [rows, columns].into_iter().filter(|size| *size != 1).collect::<Vec<_>>() {
            return Err(self.wrong_shape(tensor, &[rows, columns]));
        }
        Ok(Tensor::from_vec(self.floats(tensor)?, (rows, columns), &Device::Cpu)?)
    }

    /// The norm weights `[heads, head_dim]` of `stem`: one tensor, or one for each head; `None` where
    /// there are none.
    pub(super) fn head_weights(&self, stem: &str, heads: usize, head_dim: usize) -> Result<Option<Tensor>, Error> {
        let shape = (heads, head_dim);
        if let Some(tensor) = self.find(&format!("{stem}.weight")) {
            if tensor.shape != [heads, head_dim] {
                return Err(self.wrong_shape(tensor, &[heads, head_dim]));
            }
            return Ok(Some(Tensor::from_vec(self.floats(tensor)?, shape, &Device::Cpu)?));
        }
        if !self.has(&format!("{stem}.0.weight")) {
            return Ok(None);
        }
        let weights: Vec<Tensor> =
            (0..heads).map(|head| self.vector(&format!("{stem}.{head}.weight"), head_dim)).collect::<Result<_, _>>()?;
        Ok(Some(Tensor::stack(&weights, 0)?))
    }

    pub(in crate::model) fn floats(&self, tensor: &MappedTensor) -> Result<Vec<f32>, Error> {
        self.supported(tensor)?;
        let mut values = vec![0f32; tensor.elements()];
        kernels::dequantize_rows(tensor.dtype, tensor.data(), &mut values);
        Ok(values)
    }

    fn supported(&self, tensor: &MappedTensor) -> Result<(), Error> {
        match kernels::supports(tensor.dtype) {
            true => Ok(()),
            false => {
                let (name, dtype) = (tensor.name.clone(), tensor.dtype.name());
                Err(Error::TensorType { file: self.file(), name, dtype })
            }
        }
    }
}
