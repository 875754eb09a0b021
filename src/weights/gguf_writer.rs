//! Writer of GGUF files, version 3.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Error, Metadata, TensorType, Value};

const ALIGNMENT: usize = 32;

/// Collects metadata and tensors, then writes them in the order they came.
pub struct GgufWriter {
    metadata: Metadata,
    tensors: Vec<(String, Vec<usize>, TensorType, Vec<u8>)>,
}

impl GgufWriter {
    pub fn new(metadata: Metadata) -> GgufWriter {
        GgufWriter { metadata, tensors: Vec::new() }
    }

    /// Adds a tensor; `dims` are row-major (`[rows, columns]`), `data` as `dtype` stores it.
    pub fn tensor(&mut self, name: &str, dims: &[usize], dtype: TensorType, data: Vec<u8>) -> &mut Self {
        self.tensors.push((name.to_owned(), dims.to_vec(), dtype, data));
        self
    }

    /// Writes to a temporary name beside `path`, then renames: `path` is either whole or absent.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".partial");
        let written = File::create(&temporary).and_then(|file| {
            let mut out = BufWriter::new(file);
            self.write_to(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        });
        if let Err(source) = written.and_then(|()| fs::rename(&temporary, path)) {
            // Nothing more can be done about a leftover than to try.
            let _ = fs::remove_file(&temporary);
            return Err(failed(source));
        }
        Ok(())
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut header = Vec::new();
        header.extend_from_slice(b"GGUF");
        header.extend_from_slice(&3u32.to_le_bytes());
        header.extend_from_slice(&(self.tensors.len() as u64).to_le_bytes());
        header.extend_from_slice(&(self.metadata.0.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata.0 {
            push_string(&mut header, key);
            header.extend_from_slice(&kind(value).to_le_bytes());
            push_value(&mut header, value);
        }
        let mut offset = 0usize;
        for (name, dims, dtype, data) in &self.tensors {
            push_string(&mut header, name);
            header.extend_from_slice(&(dims.len() as u32).to_le_bytes());
            for dim in dims.iter().rev() {
                header.extend_from_slice(&(*dim as u64).to_le_bytes());
            }
            let unknown = || io::Error::other(format!("tensor {name}: GGUF has no type {dtype}"));
            header.extend_from_slice(&dtype.gguf_id().ok_or_else(unknown)?.to_le_bytes());
            header.extend_from_slice(&(offset as u64).to_le_bytes());
            offset += data.len().next_multiple_of(ALIGNMENT);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
        out.write_all(&header)?;
        for (.., data) in &self.tensors {
            out.write_all(data)?;
            out.write_all(&[0; ALIGNMENT][..data.len().next_multiple_of(ALIGNMENT) - data.len()])?;
        }
        Ok(())
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
