//! Bytes of a file as the operating system maps them, and tensors that are ranges of such bytes.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

use super::{Error, TensorType, cut_short};

/// A whole file, mapped read-only, bytes inside the program, or bytes made while loading. Cloning shares them.
#[derive(Clone)]
pub struct Bytes(Inner);

#[derive(Clone)]
enum Inner {
    Mapped(Arc<MappedFile>),
    Static(&'static [u8]),
    Owned(Arc<Vec<u8>>),
}

struct MappedFile {
    map: Mmap,
    _entry: cut_short::Entry,
    path: PathBuf,
    file: File,
    /// Size and time of the last change when it was mapped.
    state: (u64, Option<SystemTime>),
}

fn state(file: &File) -> std::io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// Opens a file to read it without setting its time of last access where that can be: a look at a header is
/// no use of a model, and that time tells when other tools used it.
pub fn open_quietly(path: &Path) -> std::io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Only the owner of a file may.
        let quiet = File::options().read(true).custom_flags(libc::O_NOATIME).open(path);
        if quiet.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied) {
            return File::open(path);
        }
        quiet
    }
    #[cfg(not(target_os = "linux"))]
    File::open(path)
}

impl Bytes {
    /// Maps the file at `path`. Fails when it cannot be opened; an empty file maps to no bytes.
    pub fn map(path: &Path) -> Result<Bytes, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let file = open_quietly(path).map_err(open)?;
        if file.metadata().map_err(open)?.is_dir() {
            return Err(open(std::io::Error::other("it is a folder")));
        }
        let state = state(&file).map_err(open)?;
        // SAFETY: the map is read-only and private to this process. Model files are replaced by rename,
        // by us and by the tools that share the cache, never rewritten in place. If one is nevertheless,
        // `unchanged` tells before each pass, and a page that is gone ends the process: see `cut_short`.
        // What the bytes say is never trusted, so that other bytes give other numbers and no more.
        let map = unsafe { Mmap::map(&file) }.map_err(open)?;
        let entry = cut_short::Entry::new(&map, &path.display().to_string());
        Ok(Bytes(Inner::Mapped(Arc::new(MappedFile { map, _entry: entry, path: path.to_owned(), file, state }))))
    }

    /// Fails if the file was written to, or cut, since it was mapped.
    pub fn unchanged(&self) -> Result<(), Error> {
        match &self.0 {
            Inner::Mapped(mapped) if state(&mapped.file).ok() != Some(mapped.state) => {
                Err(Error::Changed { path: mapped.path.clone() })
            }
            _ => Ok(()),
        }
    }

    fn is(&self, other: &Bytes) -> bool {
        match (&self.0, &other.0) {
            (Inner::Mapped(a), Inner::Mapped(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The mapped files that `tensors` lie in, each once.
    pub fn files<'a>(tensors: impl Iterator<Item = &'a MappedTensor>) -> Vec<Bytes> {
        let mut files: Vec<Bytes> = Vec::new();
        for tensor in tensors.filter(|tensor| matches!(tensor.bytes.0, Inner::Mapped(_))) {
            if !files.iter().any(|file| file.is(&tensor.bytes)) {
                files.push(tensor.bytes.clone());
            }
        }
        files
    }

    pub fn from_static(bytes: &'static [u8]) -> Bytes {
        Bytes(Inner::Static(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Mapped(mapped) => &mapped.map,
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

    /// The file that it lies in; nothing of one that was made.
    pub fn file(&self) -> String {
        match &self.bytes.0 {
            Inner::Mapped(mapped) => mapped.path.display().to_string(),
            _ => String::new(),
        }
    }

    /// Lets the system take back the memory that reading the tensor took; what is read again comes from its file again.
    pub fn release(&self) {
        #[cfg(unix)]
        if let Inner::Mapped(mapped) = &self.bytes.0 {
            // SAFETY: the map is of a file and read-only, so that nothing is lost and no reader sees a difference.
            let advised = unsafe {
                mapped.map.unchecked_advise_range(UncheckedAdvice::DontNeed, self.range.start, self.range.len())
            };
            // Where the system does not do it, memory stays taken.
            let _ = advised;
        }
    }

    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The same bytes as a tensor of another shape and type; `None` if that has another size.
    pub fn viewed(&self, shape: Vec<usize>, dtype: TensorType) -> Option<MappedTensor> {
        let elements = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim))?;
        let bytes = dtype.storage_bytes(elements, *shape.last()?)?;
        (bytes == self.range.len()).then(|| MappedTensor { shape, dtype, ..self.clone() })
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
