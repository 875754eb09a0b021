//! Quantized weights as safetensors folders publish them: GPTQ, AWQ, FP8, integers, NF4 and MXFP4.
//!
//! What `quantization_config` in `config.json` says tells how they are read. FP8, integers and NF4 stay
//! mapped, with their scales in f32 beside them; GPTQ and AWQ store `[in, out]`, MXFP4 in another order
//! than our kernel, so that these are packed anew while loading, in as many bits. Nothing is rounded.

mod floats;
mod integers;

use serde_json::Value as Json;

use super::checkpoint::Checkpoint;
use super::linear::Matrix;
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
    /// Integers of compressed-tensors, in words along a row: <https://github.com/vllm-project/compressed-tensors>.
    Words { bits: usize, group: Option<usize> },
    /// bitsandbytes' four bits: <https://arxiv.org/abs/2305.14314>.
    Nf4,
    /// Of gpt-oss's experts: <https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf>.
    Mxfp4,
}

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
                let [group] = groups[..] else { return refused(&format!(" with {} groups", groups.len())) };
                let weights = &group["weights"];
                let (bits, float) = (weights["num_bits"].as_u64().unwrap_or(0) as usize, weights["type"] == "float");
                match format {
                    // Older files name neither float nor int.
                    "float-quantized" | "int-quantized" | "naive-quantized"
                        if bits == 8 && weights["symmetric"] != false =>
                    {
                        let name = if float { "FP8" } else { "INT8" };
                        Packing::Scaled { name, block: pair(&weights["block_structure"]) }
                    }
                    "pack-quantized" if (bits == 4 || bits == 8) && !float => {
                        let group = weights["group_size"].as_u64().filter(|n| *n > 0).map(|n| n as usize);
                        Packing::Words { bits, group }
                    }
                    _ => return refused(&format!(" in the format {format:?} with {bits} bits")),
                }
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
            Packing::Words { bits, .. } => format!("INT{bits}"),
            Packing::Nf4 => "NF4".to_owned(),
            Packing::Mxfp4 => "MXFP4".to_owned(),
        }
    }

    /// How many weights a tensor of such a folder stands for: none if it only helps another.
    pub fn weights_in(&self, tensor: &MappedTensor) -> usize {
        let helpers = [
            ".qzeros",
            ".scales",
            "g_idx",
            "_scales",
            "_scale",
            "_scale_inv",
            ".SCB",
            ".weight_format",
            ".weight_zero_point",
            ".weight_shape",
        ];
        let of_a_weight = tensor.name.contains(".weight.");
        let packed = match self {
            Packing::Gptq { bits, .. } if tensor.name.ends_with(QWEIGHT) => 32 / bits,
            Packing::Words { bits, .. } if tensor.name.ends_with(WORDS) => 32 / bits,
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
const WORDS: &str = ".weight_packed";
const BLOCKS: &str = "_blocks";

/// The name that the weight in a packed tensor would have if it were plain.
pub fn plain_name(name: &str) -> Option<String> {
    let plain = name.strip_suffix(QWEIGHT).or_else(|| name.strip_suffix(WORDS)).map(|stem| format!("{stem}.weight"));
    plain.or_else(|| name.strip_suffix(BLOCKS).map(str::to_owned))
}

impl Checkpoint {
    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        let packing = self.packing();
        let weights = |tensor| packing.as_ref().map_or(MappedTensor::elements(tensor), |p| p.weights_in(tensor)) as u64;
        self.tensors().map(weights).sum()
    }

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
            Some(Packing::Words { bits, group }) if tensor.name.ends_with(WORDS) => self.words(tensor, bits, group)?,
            Some(Packing::Scaled { block, .. })
                if tensor.shape.len() == 2 && matches!(tensor.dtype, TensorType::F8_E4M3 | TensorType::I8) =>
            {
                self.scaled(tensor, block)?
            }
            Some(Packing::Nf4) if tensor.dtype == TensorType::U8 => self.nf4(tensor)?,
            _ => return Ok(None),
        };
        Ok(Some(matrix))
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

fn plain(name: &str, shape: Vec<usize>, values: &[f32]) -> MappedTensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    MappedTensor::owned(name.to_owned(), shape, TensorType::F32, bytes)
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
            (
                json!({ "quant_method": "compressed-tensors", "format": "marlin-24", "config_groups": { "a": {} } }),
                "marlin-24",
            ),
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
