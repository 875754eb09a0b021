//! Quantized weights as safetensors folders publish them: GPTQ, AWQ, FP8, INT8, NF4 and MXFP4.
//!
//! What `quantization_config` in `config.json` says tells how they are read. FP8, INT8 and NF4 stay
//! mapped, with their scales in f32 beside them; GPTQ and AWQ store `[in, out]`, MXFP4 in another order
//! than our kernel, so that these are packed anew while loading, in as many bits. Nothing is rounded.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde_json::Value as Json;

use super::checkpoint::Checkpoint;
use super::linear::Matrix;
use crate::kernels::{Groups, NF4_LEVELS};
use crate::model::Error;
use crate::weights::{MappedTensor, TensorType};

/// How the linear layers of a folder are packed; each may also be plain.
#[derive(Debug, Clone, PartialEq)]
pub enum Packing {
    /// <https://arxiv.org/abs/2210.17323>. Version 1 of the format stores zero points less one.
    Gptq { bits: usize, group: Option<usize>, zero_offset: u32 },
    /// <https://arxiv.org/abs/2306.00978>, the `gemm` version.
    Awq { group: Option<usize> },
    /// One byte an element; a scale for the tensor, each row, or each block `[rows, columns]`.
    Scaled { name: &'static str, block: Option<[usize; 2]> },
    /// bitsandbytes' four bits: <https://arxiv.org/abs/2305.14314>.
    Nf4,
    /// Of gpt-oss's experts: <https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf>.
    Mxfp4,
}

/// Which output of eight each four bits of AWQ's words hold, turned round.
const AWQ_PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Rows that are packed together, so that a line of the cache is read once.
const STRIP: usize = 16;

impl Packing {
    /// What `config.json` says; what is not supported as the error.
    pub fn of(config: &Json) -> Result<Option<Packing>, String> {
        let json = [&config["quantization_config"], &config["text_config"]["quantization_config"]];
        let Some(json) = json.into_iter().find(|json| !json.is_null()) else { return Ok(None) };
        let method = json["quant_method"].as_str().unwrap_or("unknown");
        let refused = |what: &str| Err(format!("quantization {method:?} of safetensors{what}"));
        let bits = json["bits"].as_u64().unwrap_or(4) as usize;
        // Without a size, or with -1, the whole row is a group.
        let group = json["group_size"].as_u64().filter(|n| *n > 0).map(|n| n as usize);
        Ok(Some(match method {
            "gptq" => {
                if bits != 4 && bits != 8 {
                    return refused(&format!(" with {bits} bits"));
                }
                let zero_offset = match json["checkpoint_format"].as_str() {
                    None | Some("gptq") => 1,
                    Some("gptq_v2") => 0,
                    Some(other) => return refused(&format!(" in the format {other:?}")),
                };
                Packing::Gptq { bits, group, zero_offset }
            }
            "awq" => {
                let version = json["version"].as_str().unwrap_or("gemm").to_lowercase();
                if version != "gemm" || bits != 4 || json["zero_point"] == false {
                    return refused(&format!(
                        " with {bits} bits, version {version:?}, zero_point {}",
                        json["zero_point"]
                    ));
                }
                Packing::Awq { group }
            }
            "fp8" | "fbgemm_fp8" => Packing::Scaled { name: "FP8", block: pair(&json["weight_block_size"]) },
            "compressed-tensors" => {
                let format = json["format"].as_str().unwrap_or("unknown");
                let groups: Vec<&Json> =
                    json["config_groups"].as_object().into_iter().flat_map(|g| g.values()).collect();
                // Older files name neither float nor int.
                let plain = ["float-quantized", "int-quantized", "naive-quantized"].contains(&format);
                let eight = groups.iter().all(|g| g["weights"]["num_bits"] == 8 && g["weights"]["symmetric"] != false);
                if !plain || !eight || groups.len() != 1 {
                    return refused(&format!(" in the format {format:?}"));
                }
                let weights = &groups[0]["weights"];
                let name = if weights["type"] == "float" { "FP8" } else { "INT8" };
                Packing::Scaled { name, block: pair(&weights["block_structure"]) }
            }
            "bitsandbytes" if json["load_in_8bit"] == true => Packing::Scaled { name: "INT8", block: None },
            "bitsandbytes" => match json["bnb_4bit_quant_type"].as_str() {
                Some("nf4") => Packing::Nf4,
                other => return refused(&format!(" of type {:?}", other.unwrap_or("fp4"))),
            },
            "mxfp4" => Packing::Mxfp4,
            _ => return refused(""),
        }))
    }

    /// What `oai show` calls it.
    pub fn name(&self) -> String {
        match self {
            Packing::Gptq { bits, .. } => format!("GPTQ {bits}-bit"),
            Packing::Awq { .. } => "AWQ 4-bit".to_owned(),
            Packing::Scaled { name, .. } => (*name).to_owned(),
            Packing::Nf4 => "NF4".to_owned(),
            Packing::Mxfp4 => "MXFP4".to_owned(),
        }
    }

    /// How many weights a tensor of such a folder stands for: none if it only helps another.
    pub fn weights_in(&self, tensor: &MappedTensor) -> usize {
        let helpers = [".qzeros", ".scales", ".g_idx", "_scales", "_scale", "_scale_inv", ".SCB", ".weight_format"];
        let of_a_weight = tensor.name.contains(".weight.");
        let packed = match self {
            Packing::Gptq { bits, .. } if tensor.name.ends_with(QWEIGHT) => 32 / bits,
            Packing::Awq { .. } if tensor.name.ends_with(QWEIGHT) => 8,
            Packing::Nf4 | Packing::Mxfp4 if tensor.dtype == TensorType::U8 => 2,
            _ => 1,
        };
        match of_a_weight || helpers.iter().any(|end| tensor.name.ends_with(end)) {
            true => 0,
            false => tensor.elements() * packed,
        }
    }
}

fn pair(json: &Json) -> Option<[usize; 2]> {
    let [Some(rows), Some(columns)] = [0, 1].map(|i| json[i].as_u64().filter(|n| *n > 0)) else { return None };
    Some([rows as usize, columns as usize])
}

const QWEIGHT: &str = ".qweight";
const BLOCKS: &str = "_blocks";

/// The name that the weight in a packed tensor would have if it were plain.
pub fn plain_name(name: &str) -> Option<String> {
    let plain = name.strip_suffix(QWEIGHT).map(|stem| format!("{stem}.weight"));
    plain.or_else(|| name.strip_suffix(BLOCKS).map(str::to_owned))
}

impl Checkpoint {
    pub fn packing(&self) -> Option<Packing> {
        match self {
            Checkpoint::Gguf(_) => None,
            Checkpoint::Folder { config, .. } => Packing::of(config).ok().flatten(),
        }
    }

    /// The matrix that `tensor` packs; `None` if it is plain.
    pub(super) fn unpacked(&self, tensor: &MappedTensor) -> Result<Option<Matrix>, Error> {
        let matrix = match self.packing() {
            Some(Packing::Gptq { bits, group, zero_offset }) if tensor.name.ends_with(QWEIGHT) => {
                self.gptq(tensor, bits, group, zero_offset)?
            }
            Some(Packing::Awq { group }) if tensor.name.ends_with(QWEIGHT) => self.awq(tensor, group)?,
            Some(Packing::Scaled { block, .. }) if tensor.shape.len() == 2 && is_byte(tensor.dtype) => {
                self.scaled(tensor, block)?
            }
            Some(Packing::Nf4) if tensor.dtype == TensorType::U8 => self.nf4(tensor)?,
            _ => return Ok(None),
        };
        Ok(Some(matrix))
    }

    fn gptq(
        &self,
        tensor: &MappedTensor,
        bits: usize,
        group: Option<usize>,
        zero_offset: u32,
    ) -> Result<Matrix, Error> {
        let a_word = 32 / bits;
        let mask = (1 << bits) - 1;
        let [words, rows] = self.sides(tensor, TensorType::I32)?;
        let columns = words * a_word;
        let group = group.unwrap_or(columns);
        let (scales, zeros) = self.scales_and_zeros(tensor, rows, columns.div_ceil(group), a_word)?;
        let zero = |at: usize, row: usize| {
            let stored = word(zeros, at * rows.div_ceil(a_word) + row / a_word) >> (bits * (row % a_word));
            (stored + zero_offset) & mask
        };
        let order = match self.beside(tensor, QWEIGHT, ".g_idx") {
            Some(g_idx) => self.order(g_idx, columns, group)?,
            None => None,
        };
        let stored = tensor.data();
        let bytes = pack(rows, columns, bits, |row, column| {
            let column = order.as_ref().map_or(column, |order| order[column] as usize);
            word(stored, column / a_word * rows + row) >> (bits * (column % a_word)) & mask
        });
        let dtype = if bits == 4 { TensorType::U4 } else { TensorType::U8 };
        let packed = MappedTensor::owned(tensor.name.clone(), vec![rows, columns], dtype, bytes);
        let order = order.map(|order| Tensor::from_vec(order, columns, &Device::Cpu)).transpose()?;
        Ok(Matrix::grouped(packed, groups(&scales, zero, rows, columns, group), order))
    }

    fn awq(&self, tensor: &MappedTensor, group: Option<usize>) -> Result<Matrix, Error> {
        let [columns, words] = self.sides(tensor, TensorType::I32)?;
        let rows = words * 8;
        if columns % 2 != 0 {
            return Err(self.wrong(tensor, format!("an odd number of columns, {columns}")));
        }
        let group = group.unwrap_or(columns);
        let (scales, zeros) = self.scales_and_zeros(tensor, rows, columns.div_ceil(group), 8)?;
        let code = |stored: &[u8], row: usize, column: usize| {
            word(stored, column * words + row / 8) >> (4 * AWQ_PLACES[row % 8]) & 15
        };
        let bytes = pack(rows, columns, 4, |row, column| code(tensor.data(), row, column));
        let packed = MappedTensor::owned(tensor.name.clone(), vec![rows, columns], TensorType::U4, bytes);
        let groups = groups(&scales, |at, row| code(zeros, row, at), rows, columns, group);
        Ok(Matrix::grouped(packed, groups, None))
    }

    /// Scales `[groups, rows]`, and the packed zero points as they lie.
    fn scales_and_zeros(
        &self,
        tensor: &MappedTensor,
        rows: usize,
        groups: usize,
        a_word: usize,
    ) -> Result<(Vec<f32>, &[u8]), Error> {
        let part = |end: &str| self.required_beside(tensor, QWEIGHT, end);
        let (scales, zeros) = (part(".scales")?, part(".qzeros")?);
        if scales.shape != [groups, rows] {
            return Err(self.wrong_shape(scales, &[groups, rows]));
        }
        if zeros.shape != [groups, rows.div_ceil(a_word)] || zeros.dtype != TensorType::I32 {
            return Err(self.wrong_shape(zeros, &[groups, rows.div_ceil(a_word)]));
        }
        Ok((self.floats(scales)?, zeros.data()))
    }

    /// The columns by group, where `g_idx` says that a group's do not follow one another (act-order).
    fn order(&self, g_idx: &MappedTensor, columns: usize, group: usize) -> Result<Option<Vec<u32>>, Error> {
        if g_idx.shape != [columns] || g_idx.dtype != TensorType::I32 {
            return Err(self.wrong_shape(g_idx, &[columns]));
        }
        let of = |column: usize| word(g_idx.data(), column) as usize;
        if (0..columns).all(|column| of(column) == column / group) {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by_key(|column| of(*column));
        if order.iter().enumerate().any(|(place, column)| of(*column) != place / group) {
            return Err(self.wrong(g_idx, format!("groups that are not of {group} columns each")));
        }
        Ok(Some(order.into_iter().map(|column| column as u32).collect()))
    }

    fn scaled(&self, tensor: &MappedTensor, block: Option<[usize; 2]>) -> Result<Matrix, Error> {
        let [rows, columns] = self.sides(tensor, tensor.dtype)?;
        let ends = [("weight_scale_inv", 1.0), ("weight_scale", 1.0), ("SCB", 1.0 / 127.0)];
        let found = ends.into_iter().find_map(|(end, unit)| Some((self.beside(tensor, "weight", end)?, unit)));
        // What was cast and not scaled has none.
        let Some((stored, unit)) = found else { return Ok(Matrix::new(tensor.clone())) };
        let scales: Vec<f32> = self.floats(stored)?.iter().map(|scale| scale * unit).collect();
        let candidates = [Some([rows, columns]), Some([1, columns]), block];
        let fits = |block: &[usize; 2]| match (*block, &stored.shape[..]) {
            ([r, c], [a, b]) => [*a, *b] == [rows.div_ceil(r), columns.div_ceil(c)],
            ([r, c], _) => scales.len() == rows.div_ceil(r) * columns.div_ceil(c),
        };
        let Some([r, c]) = candidates.into_iter().flatten().find(fits) else {
            return Err(self.wrong(stored, format!("shape {:?} for a weight {:?}", stored.shape, tensor.shape)));
        };
        Ok(Matrix::grouped(tensor.clone(), Groups { scales, zeros: None, rows: r, columns: c }, None))
    }

    fn nf4(&self, tensor: &MappedTensor) -> Result<Matrix, Error> {
        let part = |end: &str| self.required_beside(tensor, "", end);
        let state = part(".quant_state.bitsandbytes__nf4")?;
        let state: Json = serde_json::from_slice(state.data())
            .map_err(|e| self.wrong(state, format!("a description that is not JSON ({e})")))?;
        let block = state["blocksize"].as_u64().unwrap_or(0) as usize;
        let shape = pair(&state["shape"]);
        let (Some([rows, columns]), true) = (shape, block > 0) else {
            return Err(self.wrong(tensor, format!("blocks of {block} in a shape {}", state["shape"])));
        };
        let count = rows.saturating_mul(columns);
        let levels = self.floats(part(".quant_map")?)?;
        if levels.len() != 16 || levels.iter().zip(NF4_LEVELS).any(|(a, b)| (a - b).abs() > 1e-6) {
            return Err(self.wrong(tensor, "levels that are not those of NF4".to_owned()));
        }
        let absmax = part(".absmax")?;
        let mut scales = self.floats(absmax)?;
        if absmax.dtype == TensorType::U8 {
            // The scales are quantized themselves.
            let (levels, outer) = (self.floats(part(".nested_quant_map")?)?, self.floats(part(".nested_absmax")?)?);
            let outer_block = state["nested_blocksize"].as_u64().filter(|n| *n > 0).unwrap_or(256) as usize;
            let offset = state["nested_offset"].as_f64().unwrap_or(0.0) as f32;
            if levels.len() != 256 || outer.len() != scales.len().div_ceil(outer_block) {
                return Err(self.wrong(absmax, format!("{} levels, {} scales", levels.len(), outer.len())));
            }
            for (i, scale) in scales.iter_mut().enumerate() {
                *scale = levels[*scale as usize] * outer[i / outer_block] + offset;
            }
        }
        if scales.len() != count.div_ceil(block) {
            return Err(self.wrong_shape(absmax, &[count.div_ceil(block)]));
        }
        let groups = Groups { scales, zeros: None, rows: 1, columns: block };
        if columns % block == 0 {
            let viewed = tensor.viewed(vec![rows, columns], TensorType::NF4);
            let viewed = viewed.ok_or_else(|| self.wrong_shape(tensor, &[count / 2, 1]))?;
            return Ok(Matrix::grouped(viewed, groups, None));
        }
        // Groups that begin within a row: a copy in f32.
        let flat = tensor.viewed(vec![1, count], TensorType::NF4);
        let mut values = self.floats(&flat.ok_or_else(|| self.wrong_shape(tensor, &[count / 2, 1]))?)?;
        groups.apply(0, count, &mut values);
        Ok(Matrix::new(plain(&tensor.name, vec![rows, columns], &values)))
    }

    /// The tensor `name` as one that can be cut into rows: MXFP4 in GGUF's order, of all else that is
    /// packed a copy in f32.
    pub(super) fn sliceable(&self, name: &str) -> Result<MappedTensor, Error> {
        let tensor = self.require(name)?;
        if self.packing() == Some(Packing::Mxfp4) && tensor.name.ends_with(BLOCKS) {
            return self.mxfp4(tensor);
        }
        match self.unpacked(tensor)? {
            None => Ok(tensor.clone()),
            Some(matrix) => {
                let rows: Vec<u32> = (0..matrix.rows() as u32).collect();
                let values = matrix.embed(&rows)?.flatten_all()?.to_vec1()?;
                Ok(plain(&tensor.name, vec![matrix.rows(), matrix.columns()], &values))
            }
        }
    }

    /// Blocks `[.., groups, 16]`, two elements that follow one another in a byte, with exponents `[.., groups]`.
    fn mxfp4(&self, tensor: &MappedTensor) -> Result<MappedTensor, Error> {
        let exponents = self.required_beside(tensor, BLOCKS, "_scales")?;
        let whole = [tensor, exponents].iter().all(|t| t.dtype == TensorType::U8);
        let [outer @ .., groups, 16] = &tensor.shape[..] else {
            return Err(self.wrong(tensor, format!("shape {:?}, not [.., 16]", tensor.shape)));
        };
        if !whole || exponents.shape != tensor.shape[..tensor.shape.len() - 1] {
            return Err(self.wrong_shape(exponents, &tensor.shape[..tensor.shape.len() - 1]));
        }
        let mut bytes = Vec::with_capacity(17 * exponents.elements());
        for (block, exponent) in tensor.data().as_chunks::<16>().0.iter().zip(exponents.data()) {
            let element = |i: usize| block[i / 2] >> (4 * (i % 2)) & 15;
            bytes.push(*exponent);
            bytes.extend((0..16).map(|i| element(i) | element(i + 16) << 4));
        }
        let shape = [outer, &[groups * 32]].concat();
        Ok(MappedTensor::owned(tensor.name.clone(), shape, TensorType::MXFP4, bytes))
    }

    /// The tensor whose name has `to` where that of `tensor` ends with `end`.
    fn beside(&self, tensor: &MappedTensor, end: &str, to: &str) -> Option<&MappedTensor> {
        let Checkpoint::Folder { tensors, .. } = self else { return None };
        tensors.tensor(&format!("{}{to}", tensor.name.strip_suffix(end)?))
    }

    fn required_beside(&self, tensor: &MappedTensor, end: &str, to: &str) -> Result<&MappedTensor, Error> {
        self.beside(tensor, end, to).ok_or_else(|| {
            let name = format!("{}{to}", tensor.name.strip_suffix(end).unwrap_or(&tensor.name));
            crate::weights::Error::MissingTensor { file: self.file(), name }.into()
        })
    }

    /// The sides of a matrix of `dtype`, neither of them zero.
    fn sides(&self, tensor: &MappedTensor, dtype: TensorType) -> Result<[usize; 2], Error> {
        match tensor.shape[..] {
            [a, b] if a > 0 && b > 0 && tensor.dtype == dtype => Ok([a, b]),
            _ => Err(self.wrong(tensor, format!("type {} and shape {:?}", tensor.dtype, tensor.shape))),
        }
    }

    fn wrong(&self, tensor: &MappedTensor, what: String) -> Error {
        Error::Config { file: self.file(), reason: format!("tensor {} has {what}", tensor.name) }
    }
}

fn is_byte(dtype: TensorType) -> bool {
    matches!(dtype, TensorType::F8_E4M3 | TensorType::I8)
}

/// The 32 bits at `index`.
fn word(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes([bytes[4 * index], bytes[4 * index + 1], bytes[4 * index + 2], bytes[4 * index + 3]])
}

fn plain(name: &str, shape: Vec<usize>, values: &[f32]) -> MappedTensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    MappedTensor::owned(name.to_owned(), shape, TensorType::F32, bytes)
}

/// A matrix `[rows, columns]` of 4 or 8 bits an element; `columns` must be even.
fn pack(rows: usize, columns: usize, bits: usize, code: impl Fn(usize, usize) -> u32 + Sync) -> Vec<u8> {
    let row_bytes = columns * bits / 8;
    let mut bytes = vec![0; rows * row_bytes];
    bytes.par_chunks_mut(STRIP * row_bytes).enumerate().for_each(|(strip, bytes)| {
        for column in 0..columns {
            for (row, bytes) in bytes.chunks_exact_mut(row_bytes).enumerate() {
                let code = code(strip * STRIP + row, column) as u8;
                match bits {
                    4 => bytes[column / 2] |= code << (4 * (column % 2)),
                    _ => bytes[column] = code,
                }
            }
        }
    });
    bytes
}

/// Scales `[groups, rows]` and zero points of `(group, row)` as the kernels want them: by row.
fn groups(scales: &[f32], zero: impl Fn(usize, usize) -> u32, rows: usize, columns: usize, group: usize) -> Groups {
    let count = columns.div_ceil(group);
    let places = (0..rows).flat_map(|row| (0..count).map(move |at| (at, row)));
    Groups {
        scales: places.clone().map(|(at, row)| scales[at * rows + row]).collect(),
        zeros: Some(places.map(|(at, row)| zero(at, row) as u8).collect()),
        rows: 1,
        columns: group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_supported_is_named() {
        let of = |config: Json| Packing::of(&json!({ "quantization_config": config }));
        assert_eq!(Packing::of(&json!({})), Ok(None));
        for (config, word) in [
            (json!({ "quant_method": "gptq", "bits": 3 }), "3 bits"),
            (json!({ "quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin" }), "marlin"),
            (json!({ "quant_method": "awq", "version": "gemv" }), "gemv"),
            (json!({ "quant_method": "compressed-tensors", "format": "pack-quantized" }), "pack-quantized"),
            (json!({ "quant_method": "bitsandbytes", "load_in_4bit": true }), "fp4"),
            (json!({ "quant_method": "aqlm" }), "aqlm"),
            (json!({}), "unknown"),
        ] {
            let error = of(config).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        let text = json!({ "text_config": { "quantization_config": { "quant_method": "mxfp4" } } });
        assert_eq!(Packing::of(&text), Ok(Some(Packing::Mxfp4)));
    }
}
