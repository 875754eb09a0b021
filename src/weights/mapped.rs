//! Bytes of a file as the operating system maps them, and tensors that are ranges of such bytes.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::{Error, TensorType};

/// A whole file, mapped read-only, bytes inside the program, or bytes made while loading. Cloning shares them.
#[derive(Clone)]
pub struct Bytes(Inner);

#[derive(Clone)]
enum Inner {
    Mapped(Arc<Mmap>),
    Static(&'static [u8]),
    Owned(Arc<Vec<u8>>),
}

impl Bytes {
    /// Maps the file at `path`. Fails when it cannot be opened; an empty file maps to no bytes.
    pub fn map(path: &Path) -> Result<Bytes, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        if file.metadata().map_err(open)?.is_dir() {
            return Err(open(std::io::Error::other("it is a folder")));
        }
        // SAFETY: the map is read-only and private to this process. Another process that cuts the
        // file short while it is mapped would raise SIGBUS: model files are replaced by rename, by
        // us and by the tools that share the cache, never rewritten in place.
        let map = unsafe { Mmap::map(&file) }.map_err(open)?;
        Ok(Bytes(Inner::Mapped(Arc::new(map))))
    }

    pub fn from_static(bytes: &'static [u8]) -> Bytes {
        Bytes(Inner::Static(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Mapped(map) => map,
            Inner::Static(bytes) => bytes,
            Inner::Owned(bytes) => bytes,
        }
    }
}

/// Where a model's weights are.
#[derive(Debug, Clone)]
pub enum Source {
    /// A `.gguf` file, or a folder with `config.json` and safetensors.
    Path(PathBuf),
    /// A GGUF file inside the program, under the name that messages give it.
    Embedded { name: &'static str, bytes: &'static [u8] },
}

/// A tensor where it lies in its file. `shape` is row-major, outermost dimension first: a linear
/// layer's weight is `[out_features, in_features]`.
#[derive(Clone)]
pub struct MappedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: TensorType,
    bytes: Bytes,
    range: Range<usize>,
}

impl MappedTensor {
    /// `range` must lie within `bytes`; the readers check that before they build one.
    pub(super) fn new(name: String, shape: Vec<usize>, dtype: TensorType, bytes: Bytes, range: Range<usize>) -> Self {
        debug_assert!(range.end <= bytes.len());
        MappedTensor { name, shape, dtype, bytes, range }
    }

    /// A tensor made from another while loading, for files that store one in a form that cannot be
    /// used where it lies.
    pub fn owned(name: String, shape: Vec<usize>, dtype: TensorType, bytes: Vec<u8>) -> MappedTensor {
        let range = 0..bytes.len();
        MappedTensor { name, shape, dtype, bytes: Bytes(Inner::Owned(Arc::new(bytes))), range }
    }

    /// The stored bytes.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Keeps rows `rows` of the outermost dimension: for files that store several matrices as one.
    pub fn rows(&self, rows: Range<usize>) -> MappedTensor {
        let row_bytes = self.range.len() / self.shape[0].max(1);
        let mut part = self.clone();
        part.shape[0] = rows.len();
        part.range = self.range.start + rows.start * row_bytes..self.range.start + rows.end * row_bytes;
        part
    }

    /// The rows `wanted` of the outermost dimension: a view where they follow one another, else a copy.
    pub fn select(&self, wanted: &[usize]) -> MappedTensor {
        let first = wanted.first().copied().unwrap_or(0);
        if wanted.iter().enumerate().all(|(i, row)| *row == first + i) {
            return self.rows(first..first + wanted.len());
        }
        let row_bytes = self.range.len() / self.shape[0].max(1);
        let data = self.data();
        let bytes = wanted.iter().flat_map(|row| &data[row * row_bytes..(row + 1) * row_bytes]).copied().collect();
        let mut shape = self.shape.clone();
        shape[0] = wanted.len();
        MappedTensor::owned(self.name.clone(), shape, self.dtype, bytes)
    }

    /// A copy of a matrix `[rows, columns]` of plain elements as `[columns, rows]`.
    pub fn transposed(&self) -> MappedTensor {
        let (rows, columns, size) = (self.shape[0], self.shape[1], self.dtype.block_bytes());
        let data = self.data();
        let mut bytes = Vec::with_capacity(data.len());
        for column in 0..columns {
            for row in 0..rows {
                let at = (row * columns + column) * size;
                bytes.extend_from_slice(&data[at..at + size]);
            }
        }
        MappedTensor::owned(self.name.clone(), vec![columns, rows], self.dtype, bytes)
    }
}
