//! Writer of GGUF files, version 3.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::{Error, Metadata, TensorType, Value};
use crate::new_file::NewFile;

/// Where `general.alignment` does not say otherwise.
const DEFAULT_ALIGNMENT: u64 = 32;

/// A tensor that a file will hold; `dims` are row-major (`[rows, columns]`).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub name: String,
    pub dims: Vec<usize>,
    pub dtype: TensorType,
}

impl Entry {
    /// What its elements take; `None` where rows are no whole blocks of the type, or the sum overflows.
    pub fn bytes(&self) -> Option<usize> {
        let elements = self.dims.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim))?;
        self.dtype.storage_bytes(elements, self.dims.last().copied().unwrap_or(1))
    }
}

/// Everything of a file but its tensors' elements, and where those belong.
pub struct Layout {
    header: Vec<u8>,
    /// Where each tensor begins, from the beginning of the file.
    starts: Vec<u64>,
    sizes: Vec<usize>,
    alignment: u64,
}

impl Layout {
    /// Fails, with a tensor's name, for a type that GGUF lacks, and for rows that are no whole blocks of theirs.
    pub fn new(metadata: &Metadata, entries: &[Entry]) -> Result<Layout, String> {
        let alignment = Layout::alignment(metadata);
        let mut header = Vec::new();
        header.extend_from_slice(b"GGUF");
        header.extend_from_slice(&3u32.to_le_bytes());
        header.extend_from_slice(&(entries.len() as u64).to_le_bytes());
        header.extend_from_slice(&(metadata.0.len() as u64).to_le_bytes());
        for (key, value) in &metadata.0 {
            push_string(&mut header, key);
            header.extend_from_slice(&kind(value).to_le_bytes());
            push_value(&mut header, value);
        }
        let (mut starts, mut sizes, mut offset) = (Vec::new(), Vec::new(), 0u64);
        for entry in entries {
            let Entry { name, dims, dtype } = entry;
            let id = dtype.gguf_id().ok_or_else(|| format!("tensor {name}: GGUF has no type {dtype}"))?;
            let row = dims.last().copied().unwrap_or(1);
            let bytes = entry.bytes().ok_or_else(|| format!("tensor {name}: {dtype} has no rows of {row} elements"))?;
            push_string(&mut header, name);
            header.extend_from_slice(&(dims.len() as u32).to_le_bytes());
            for dim in dims.iter().rev() {
                header.extend_from_slice(&(*dim as u64).to_le_bytes());
            }
            header.extend_from_slice(&id.to_le_bytes());
            header.extend_from_slice(&offset.to_le_bytes());
            starts.push(offset);
            sizes.push(bytes);
            offset += (bytes as u64).next_multiple_of(alignment);
        }
        header.resize(header.len().next_multiple_of(alignment as usize), 0);
        starts.iter_mut().for_each(|start| *start += header.len() as u64);
        Ok(Layout { header, starts, sizes, alignment })
    }

    /// Where tensors may begin: at multiples of this.
    pub fn alignment(metadata: &Metadata) -> u64 {
        metadata.u64("general.alignment").unwrap_or(DEFAULT_ALIGNMENT)
    }

    /// What comes before the first tensor, padding included.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Writes what lies between tensor `index` and the next, or the end of the file.
    pub fn pad(&self, index: usize, out: &mut impl Write) -> io::Result<()> {
        let bytes = self.sizes[index] as u64;
        io::copy(&mut io::repeat(0).take(bytes.next_multiple_of(self.alignment) - bytes), out).map(drop)
    }

    /// Of the whole file.
    pub fn size_bytes(&self) -> u64 {
        let last = self.starts.last().zip(self.sizes.last());
        let end = last.map_or(self.header.len() as u64, |(start, bytes)| start + *bytes as u64);
        end.next_multiple_of(self.alignment)
    }
}

/// Collects metadata and tensors, then writes them in the order they came.
pub struct GgufWriter {
    metadata: Metadata,
    entries: Vec<Entry>,
    data: Vec<Vec<u8>>,
}

impl GgufWriter {
    pub fn new(metadata: Metadata) -> GgufWriter {
        GgufWriter { metadata, entries: Vec::new(), data: Vec::new() }
    }

    /// Adds a tensor; `dims` are row-major (`[rows, columns]`), `data` as `dtype` stores it.
    pub fn tensor(&mut self, name: &str, dims: &[usize], dtype: TensorType, data: Vec<u8>) -> &mut Self {
        self.entries.push(Entry { name: name.to_owned(), dims: dims.to_vec(), dtype });
        self.data.push(data);
        self
    }

    /// Writes the file, over one of that name if there is one: `path` is either whole or what it was.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let layout = Layout::new(&self.metadata, &self.entries).map_err(|e| failed(io::Error::other(e)))?;
        let new = NewFile::create(path).map_err(failed)?;
        let write = || {
            let mut out = BufWriter::new(new.file());
            out.write_all(layout.header())?;
            for (index, data) in self.data.iter().enumerate() {
                out.write_all(data)?;
                layout.pad(index, &mut out)?;
            }
            out.flush()
        };
        write().and_then(|()| new.finish(true)).map_err(failed)
    }
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn kind(value: &Value) -> u32 {
    match value {
        Value::U8(_) => 0,
        Value::I8(_) => 1,
        Value::U16(_) => 2,
        Value::I16(_) => 3,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::String(_) => 8,
        Value::Array(_) => 9,
        Value::U64(_) => 10,
        Value::I64(_) => 11,
        Value::F64(_) => 12,
    }
}

fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => out.push(*v),
        Value::I8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::String(v) => push_string(out, v),
        Value::Array(items) => {
            // An empty array has no type of its own; readers accept any.
            out.extend_from_slice(&items.first().map_or(4, kind).to_le_bytes());
            out.extend_from_slice(&(items.len() as u64).to_le_bytes());
            for item in items {
                push_value(out, item);
            }
        }
        Value::U64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F64(v) => out.extend_from_slice(&v.to_le_bytes()),
    }
}
