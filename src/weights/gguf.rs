//! Reader of GGUF files, versions 2 and 3, little-endian.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. The file comes from a
//! stranger: every length is checked against the bytes that are left before it is believed.

use std::path::Path;

use super::{Bytes, Error, MappedTensor, Metadata, TensorType, Value};

const MAGIC: &[u8; 4] = b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
/// GGML allows four dimensions.
const MAX_DIMS: u32 = 4;
/// Arrays nest in the format; no real file nests deeper than this.
const MAX_ARRAY_DEPTH: usize = 4;

/// An opened GGUF file, or the parts of one: metadata and tensors, both in file order.
#[derive(Clone)]
pub struct Gguf {
    pub file: String,
    pub metadata: Metadata,
    pub tensors: Vec<MappedTensor>,
    pub size_bytes: u64,
}

impl Gguf {
    /// Maps one file and parses its header; tensor bytes are not touched.
    pub(super) fn open_one(path: &Path) -> Result<Gguf, Error> {
        Gguf::from_bytes(Bytes::map(path)?, &path.display().to_string())
    }

    /// Parses `bytes`; `file` is the name that errors mention.
    pub fn from_bytes(bytes: Bytes, file: &str) -> Result<Gguf, Error> {
        let mut cursor = Cursor { bytes: &bytes, at: 0, file };
        let magic = cursor.take(4, "the header")?;
        if magic != MAGIC {
            let magic = magic.iter().map(|b| b.escape_ascii().to_string()).collect();
            return Err(Error::NotGguf { file: file.to_owned(), magic });
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::Version { file: file.to_owned(), version });
        }
        let tensor_count = cursor.u64()?;
        let pair_count = cursor.u64()?;

        let mut metadata = Metadata::default();
        // A pair takes at least 13 bytes, a tensor's entry 24.
        for _ in 0..cursor.count(pair_count, 13, "the metadata")? {
            let key = cursor.string()?;
            let kind = cursor.u32()?;
            let value = cursor.value(kind, 0)?;
            metadata.0.push((key, value));
        }

        let mut entries = Vec::new();
        for _ in 0..cursor.count(tensor_count, 24, "the tensor list")? {
            entries.push(cursor.tensor_entry()?);
        }

        let alignment = metadata.u64("general.alignment").unwrap_or(DEFAULT_ALIGNMENT);
        if alignment < 8 || !alignment.is_power_of_two() || alignment > 1 << 30 {
            return Err(cursor.damaged(format!("general.alignment is {alignment}, not a power of two from 8")));
        }
        let data_start = (cursor.at as u64).next_multiple_of(alignment);
        let size_bytes = bytes.len() as u64;
        let mut tensors = Vec::with_capacity(entries.len());
        for entry in entries {
            let truncated = || Error::Truncated {
                file: file.to_owned(),
                what: format!("tensor {}", entry.name),
                at: data_start.saturating_add(entry.offset),
                size: size_bytes,
            };
            if !entry.offset.is_multiple_of(alignment) {
                let what = format!("tensor {} is not aligned to {alignment} bytes", entry.name);
                return Err(Error::Damaged { file: file.to_owned(), what });
            }
            let start = data_start.checked_add(entry.offset).ok_or_else(truncated)?;
            let end = start.checked_add(entry.bytes as u64).ok_or_else(truncated)?;
            if end > size_bytes {
                return Err(truncated());
            }
            let range = start as usize..end as usize;
            tensors.push(MappedTensor::new(entry.name, entry.shape, entry.dtype, bytes.clone(), range));
        }
        Ok(Gguf { file: file.to_owned(), metadata, tensors, size_bytes })
    }

    pub fn tensor(&self, name: &str) -> Option<&MappedTensor> {
        self.tensors.iter().find(|t| t.name == name)
    }
}

struct TensorEntry {
    name: String,
    shape: Vec<usize>,
    dtype: TensorType,
    offset: u64,
    bytes: usize,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    file: &'a str,
}

impl<'a> Cursor<'a> {
    fn damaged(&self, what: String) -> Error {
        Error::Damaged { file: self.file.to_owned(), what }
    }

    fn take(&mut self, len: u64, what: &str) -> Result<&'a [u8], Error> {
        let left = self.bytes.len() - self.at;
        if len > left as u64 {
            return Err(Error::Truncated {
                file: self.file.to_owned(),
                what: what.to_owned(),
                at: self.at as u64,
                size: self.bytes.len() as u64,
            });
        }
        let part = &self.bytes[self.at..self.at + len as usize];
        self.at += len as usize;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, "the header")?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of items of at least `item_bytes` each: believed only if that many can be there.
    fn count(&self, count: u64, item_bytes: u64, what: &str) -> Result<u64, Error> {
        let left = (self.bytes.len() - self.at) as u64;
        if count.checked_mul(item_bytes).is_none_or(|bytes| bytes > left) {
            return Err(Error::Truncated {
                file: self.file.to_owned(),
                what: format!("{what} of {count} entries"),
                at: self.at as u64,
                size: self.bytes.len() as u64,
            });
        }
        Ok(count)
    }

    fn string(&mut self) -> Result<String, Error> {
        let len = self.u64()?;
        let bytes = self.take(len, "a string")?;
        // Token texts of some vocabularies are not UTF-8; the replacement only hurts those tokens.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, Error> {
        Ok(match kind {
            0 => Value::U8(self.array::<1>()?[0]),
            1 => Value::I8(i8::from_le_bytes(self.array()?)),
            2 => Value::U16(u16::from_le_bytes(self.array()?)),
            3 => Value::I16(i16::from_le_bytes(self.array()?)),
            4 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.array()?)),
            6 => Value::F32(f32::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::String(self.string()?),
            9 => {
                if depth == MAX_ARRAY_DEPTH {
                    return Err(self.damaged("metadata arrays nest too deep".to_owned()));
                }
                let item_kind = self.u32()?;
                let len = self.u64()?;
                let item_bytes = match item_kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    8 | 10..=12 => 8,
                    _ => 12,
                };
                let len = self.count(len, item_bytes, "a metadata array")?;
                let mut items = Vec::with_capacity(len as usize);
                for _ in 0..len {
                    items.push(self.value(item_kind, depth + 1)?);
                }
                Value::Array(items)
            }
            10 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.array()?)),
            12 => Value::F64(f64::from_le_bytes(self.array()?)),
            other => return Err(self.damaged(format!("metadata of unknown type {other} at byte {}", self.at))),
        })
    }

    fn tensor_entry(&mut self) -> Result<TensorEntry, Error> {
        let name = self.string()?;
        let dims = self.u32()?;
        if dims > MAX_DIMS {
            return Err(self.damaged(format!("tensor {name} has {dims} dimensions")));
        }
        let mut shape = Vec::with_capacity(dims as usize);
        let mut elements = 1usize;
        for _ in 0..dims {
            let dim = self.u64()?;
            elements = usize::try_from(dim)
                .ok()
                .and_then(|dim| elements.checked_mul(dim.max(1)))
                .ok_or_else(|| self.damaged(format!("tensor {name} has more elements than can be")))?;
            shape.push(dim as usize);
        }
        // A dimension of zero must not hide that the others are too large to multiply.
        if shape.contains(&0) {
            elements = 0;
        }
        let id = self.u32()?;
        let offset = self.u64()?;
        let dtype = TensorType::from_gguf_id(id).ok_or_else(|| Error::UnknownType {
            file: self.file.to_owned(),
            name: name.clone(),
            id,
        })?;
        // GGUF stores the innermost dimension first.
        let row = shape.first().copied().unwrap_or(1);
        let bytes = dtype
            .storage_bytes(elements, row)
            .ok_or_else(|| self.damaged(format!("tensor {name} of type {dtype} has rows of {row} elements")))?;
        shape.reverse();
        Ok(TensorEntry { name, shape, dtype, offset, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::GgufWriter;

    fn sample() -> Vec<u8> {
        let mut metadata = Metadata::default();
        metadata.set("general.architecture", Value::String("llama".into()));
        metadata.set("list", Value::Array(vec![Value::I32(1), Value::I32(-2)]));
        let mut writer = GgufWriter::new(metadata);
        let data: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
        writer.tensor("a", &[2, 4], TensorType::F32, data.clone());
        writer.tensor("b", &[8], TensorType::F32, data);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        writer.write(&path).unwrap();
        std::fs::read(path).unwrap()
    }

    fn parse(bytes: Vec<u8>) -> Result<Gguf, Error> {
        Gguf::from_bytes(Bytes::from_static(bytes.leak()), "x.gguf")
    }

    #[test]
    fn what_was_written_is_read_back() {
        let gguf = parse(sample()).unwrap();
        assert_eq!(gguf.metadata.str("general.architecture"), Some("llama"));
        assert_eq!(gguf.metadata.array("list").unwrap()[1].as_i64(), Some(-2));
        let a = gguf.tensor("a").unwrap();
        assert_eq!((a.shape.clone(), a.data().len()), (vec![2, 4], 32));
        assert_eq!(a.rows(1..2).data(), &a.data()[16..]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(parse(bytes[..len].to_vec()).is_err(), "{len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn no_flipped_byte_panics() {
        let bytes = sample();
        for i in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[i] ^= flip;
                let _ = parse(broken);
            }
        }
    }

    #[test]
    fn a_lying_length_does_not_allocate() {
        let mut bytes = sample();
        bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(parse(bytes), Err(Error::Truncated { .. })));
    }
}
