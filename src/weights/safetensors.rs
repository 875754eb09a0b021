//! A folder as Hugging Face publishes a model: `config.json` beside one or more `.safetensors`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use super::{Bytes, Error, MappedTensor, TensorType};

/// All tensors of a folder, mapped.
#[derive(Clone)]
pub struct SafetensorsFolder {
    pub folder: PathBuf,
    pub size_bytes: u64,
    tensors: HashMap<String, MappedTensor>,
}

impl SafetensorsFolder {
    /// Maps the files named by `model.safetensors.index.json` if there is one, else every
    /// `.safetensors` file of the folder, and parses their headers.
    pub fn open(folder: &Path) -> Result<SafetensorsFolder, Error> {
        let mut opened = SafetensorsFolder { folder: folder.to_owned(), size_bytes: 0, tensors: HashMap::new() };
        for path in files(folder)? {
            let bytes = Bytes::map(&path)?;
            let wrong = |reason: String| Error::Safetensors { file: path.display().to_string(), reason };
            let (header_bytes, header) = SafeTensors::read_metadata(&bytes)
                .map_err(|e| wrong(format!("not a whole safetensors file ({e}); pull it again")))?;
            // Eight bytes of header length come before the header.
            let data_start = header_bytes + 8;
            for (name, info) in header.tensors() {
                let dtype = match info.dtype {
                    Dtype::F32 => TensorType::F32,
                    Dtype::F16 => TensorType::F16,
                    Dtype::BF16 => TensorType::BF16,
                    Dtype::F64 => TensorType::F64,
                    Dtype::I64 => TensorType::I64,
                    Dtype::I32 => TensorType::I32,
                    Dtype::I16 => TensorType::I16,
                    Dtype::I8 => TensorType::I8,
                    Dtype::U8 => TensorType::U8,
                    Dtype::F8_E4M3 => TensorType::F8_E4M3,
                    other => {
                        return Err(wrong(format!("tensor {name} has type {other:?}, which oai cannot run yet")));
                    }
                };
                let (start, end) = info.data_offsets;
                let range = data_start + start..data_start + end;
                if range.end > bytes.len() {
                    return Err(wrong(format!("tensor {name} reaches beyond the end of the file; pull it again")));
                }
                let tensor = MappedTensor::new(name.clone(), info.shape.clone(), dtype, bytes.clone(), range);
                opened.tensors.insert(name, tensor);
            }
            opened.size_bytes += bytes.len() as u64;
        }
        Ok(opened)
    }

    pub fn tensor(&self, name: &str) -> Option<&MappedTensor> {
        self.tensors.get(name)
    }

    pub fn tensors(&self) -> impl Iterator<Item = &MappedTensor> {
        self.tensors.values()
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let wrong = |reason: String| Error::Safetensors { file: folder.display().to_string(), reason };
    let index = folder.join("model.safetensors.index.json");
    let mut paths: Vec<PathBuf> = if index.is_file() {
        let text = std::fs::read_to_string(&index).map_err(|source| Error::Open { path: index.clone(), source })?;
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| wrong(format!("model.safetensors.index.json is not JSON ({e}); pull it again")))?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| wrong("model.safetensors.index.json has no weight_map; pull it again".to_owned()))?;
        let names: std::collections::BTreeSet<&str> = map.values().filter_map(|v| v.as_str()).collect();
        // A name is a file of this folder, never a way out of it.
        if let Some(bad) = names.iter().find(|n| n.contains(['/', '\\'])) {
            return Err(wrong(format!("model.safetensors.index.json names {bad:?}, outside the folder")));
        }
        names.into_iter().map(|name| folder.join(name)).collect()
    } else {
        let entries = std::fs::read_dir(folder).map_err(|source| Error::Open { path: folder.to_owned(), source })?;
        entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .collect()
    };
    if paths.is_empty() {
        return Err(wrong("no .safetensors file in this folder; give a model folder or a .gguf file".to_owned()));
    }
    paths.sort();
    Ok(paths)
}
