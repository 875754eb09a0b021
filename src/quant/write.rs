//! Tensors into GGUF files, one after the other, each as the type that was chosen for it.
//!
//! What is in memory at once are a few pieces of one tensor: rows are read where they lie, quantized over all threads,
//! and written by a thread of their own while the next are quantized.

use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::Error;
use crate::kernels::{self, pool};
use crate::model::FormTensor;
use crate::new_file::NewFile;
use crate::tensor_type::TensorType;
use crate::weights::{Entry, Layout, Metadata, Value, split};

/// Elements that a thread quantizes at a time: they stay in its cache.
const TASK_ELEMENTS: usize = 1 << 16;
/// Elements of a piece that is written at once.
const PIECE_ELEMENTS: usize = 1 << 22;
/// Files that are open at once, until all are complete.
const MOST_PARTS: usize = 500;
/// Pieces that wait to be written.
const PIECES: usize = 2;

/// A tensor and what it becomes.
pub struct Target<'a> {
    pub tensor: &'a FormTensor,
    pub dtype: TensorType,
    /// How much an error in each column weighs, `[experts, columns]`.
    pub importance: Option<Vec<f32>>,
}

impl Target<'_> {
    pub fn entry(&self) -> Entry {
        Entry { name: self.tensor.name.clone(), dims: self.tensor.shape.clone(), dtype: self.dtype }
    }
}

/// A file and what it will hold.
pub struct Part<'a> {
    pub path: PathBuf,
    pub metadata: Metadata,
    pub targets: Vec<Target<'a>>,
}

impl Part<'_> {
    pub fn layout(&self) -> Result<Layout, Error> {
        let entries: Vec<Entry> = self.targets.iter().map(Target::entry).collect();
        Layout::new(&self.metadata, &entries).map_err(|reason| Error::Write { path: self.path.clone(), reason })
    }
}

/// Writes all of `parts`; none has its name before all are complete. Without `overwrite` a file of one of the names is an
/// error. `progress` gets the name of the tensor that is at work and the elements that are done.
pub fn write(parts: &[Part], overwrite: bool, mut progress: impl FnMut(&str, u64)) -> Result<(), Error> {
    let mut written = Vec::new();
    let mut before = 0;
    for part in parts {
        let mut last = 0;
        let new = write_nameless(part, |name, done| {
            last = done;
            progress(name, before + done);
        })?;
        before += last;
        written.push((new, &part.path));
    }
    written.into_iter().try_for_each(|(new, path)| {
        new.finish(overwrite).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
            _ => Error::writing(path, &e),
        })
    })
}

/// Writes `part`, which has its name when the caller says so.
pub fn write_nameless(part: &Part, mut progress: impl FnMut(&str, u64)) -> Result<NewFile, Error> {
    let new = NewFile::create(&part.path).map_err(|e| Error::writing(&part.path, &e))?;
    let mut done = 0;
    fill(&new, part, &mut |name, elements| {
        done += elements;
        progress(name, done);
    })?;
    Ok(new)
}

/// The largest number of f16, which scales are stored in.
const LARGEST_HALF: f32 = 65504.0;

/// Whether the type holds all that an f32 does but for its precision.
fn has_wide_exponents(dtype: TensorType) -> bool {
    matches!(dtype, TensorType::F32 | TensorType::BF16 | TensorType::MXFP4)
}

/// What the writing thread is given.
enum Piece<'a> {
    Bytes(Cow<'a, [u8]>),
    /// The tensor of this number is complete.
    End(usize),
}

fn fill(new: &NewFile, part: &Part, progress: &mut dyn FnMut(&str, u64)) -> Result<(), Error> {
    let layout = part.layout()?;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(PIECES);
        let writer = scope.spawn(|| -> std::io::Result<()> {
            let mut out = BufWriter::new(new.file());
            out.write_all(layout.header())?;
            for piece in receiver {
                match piece {
                    Piece::Bytes(bytes) => out.write_all(&bytes)?,
                    Piece::End(index) => {
                        layout.pad(index, &mut out)?;
                        part.targets[index].tensor.release();
                    }
                }
            }
            out.flush()
        });
        let mut sent = Ok(());
        for (index, target) in part.targets.iter().enumerate() {
            sent = send(target, &sender, progress);
            // A writer that is gone says itself why.
            if sent.is_err() || sender.send(Piece::End(index)).is_err() {
                break;
            }
        }
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sent.and(written.map_err(|e| Error::writing(&part.path, &e)))
    })
}

/// Sends the bytes of `target` to the writing thread.
fn send<'a>(
    target: &'a Target,
    sender: &SyncSender<Piece<'a>>,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<(), Error> {
    let Target { tensor, dtype, importance } = target;
    let columns = tensor.columns();
    let step = (PIECE_ELEMENTS / columns.max(1)).max(1);
    if let Some(stored) = tensor.stored().filter(|_| *dtype == tensor.dtype) {
        let row_bytes = dtype.storage_bytes(columns, columns).unwrap_or(0).max(1);
        for bytes in stored.iter().flat_map(|part| part.chunks(step * row_bytes)) {
            if sender.send(Piece::Bytes(bytes.into())).is_err() {
                return Ok(());
            }
            progress(&tensor.name, (bytes.len() / row_bytes * columns) as u64);
        }
        return Ok(());
    }
    for first in (0..tensor.row_count()).step_by(step) {
        let rows = step.min(tensor.row_count() - first);
        let bytes = quantized(tensor, first, rows, *dtype, importance.as_deref())?;
        tensor.release();
        if sender.send(Piece::Bytes(bytes.into())).is_err() {
            return Ok(());
        }
        progress(&tensor.name, (rows * columns) as u64);
    }
    Ok(())
}

/// Rows `first .. first + rows` of `tensor` as `dtype`, over all threads. `importance` is `[experts, columns]`.
fn quantized(
    tensor: &FormTensor,
    first: usize,
    rows: usize,
    dtype: TensorType,
    importance: Option<&[f32]>,
) -> Result<Vec<u8>, Error> {
    let columns = tensor.columns();
    let row_bytes = dtype.storage_bytes(columns, columns).unwrap_or(0);
    let task_rows = (TASK_ELEMENTS / columns.max(1)).max(1);
    let rows_an_expert = tensor.row_count() / importance.map_or(1, |all| all.len() / columns.max(1)).max(1);
    let mut out = vec![0u8; rows * row_bytes];
    let failure = Mutex::new(None);
    pool::for_each_chunk(&mut out, (task_rows * row_bytes).max(1), |task, out| {
        let count = out.len() / row_bytes;
        let mut values = vec![0f32; count * columns];
        let start = first + task * task_rows;
        let read = tensor.rows(start, &mut values).map_err(Error::from);
        let largest = if has_wide_exponents(dtype) { f32::MAX } else { LARGEST_HALF };
        let checked = read.and_then(|()| match values.iter().find(|value| value.is_nan() || value.abs() > largest) {
            None => Ok(()),
            Some(value) if value.is_finite() => {
                Err(Error::TooLarge { tensor: tensor.name.clone(), value: *value, dtype: dtype.name() })
            }
            Some(_) => Err(Error::NoNumbers { tensor: tensor.name.clone() }),
        });
        if let Err(error) = checked {
            *failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            return;
        }
        let Some(importance) = importance else {
            return kernels::quantize_rows(dtype, &values, columns, None, out);
        };
        // Rows of one expert after the other.
        let mut done = 0;
        while done < count {
            let expert = (start + done) / rows_an_expert;
            let until = ((expert + 1) * rows_an_expert - start).min(count);
            let importance = &importance[expert * columns..][..columns];
            let (values, out) =
                (&values[done * columns..until * columns], &mut out[done * row_bytes..until * row_bytes]);
            kernels::quantize_rows(dtype, values, columns, Some(importance), out);
            done = until;
        }
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(out),
    }
}

/// The files that hold `targets`, none larger than `most_bytes` unless a single tensor is: `path` itself where one does,
/// else files as llama-gguf-split names and marks them
/// (<https://github.com/ggml-org/llama.cpp/blob/master/tools/gguf-split/gguf-split.cpp>).
pub fn parts<'a>(
    path: &Path,
    metadata: Metadata,
    targets: Vec<Target<'a>>,
    most_bytes: u64,
) -> Result<Vec<Part<'a>>, Error> {
    let whole = Part { path: path.to_owned(), metadata, targets };
    if whole.targets.is_empty() || whole.layout()?.size_bytes() <= most_bytes {
        return Ok(vec![whole]);
    }
    let Part { mut metadata, targets, .. } = whole;
    let count = targets.len();
    // How many parts there are is as long in a header, whatever it is.
    mark(&mut metadata, 0, 0, count);
    let (mut parts, mut bytes): (Vec<Part>, u64) = (Vec::new(), 0);
    for target in targets {
        let entry = target.entry();
        // A number each for its length, dimensions, type and place, and at most the padding of a tensor and of the header.
        let alignment = Layout::alignment(&metadata);
        let header = (entry.name.len() + 8 * entry.dims.len() + 24) as u64;
        let more = header + entry.bytes().unwrap_or(0) as u64 + 2 * alignment;
        match parts.last_mut().filter(|_| bytes + more <= most_bytes) {
            Some(part) => part.targets.push(target),
            None => {
                let number = parts.len();
                let mut metadata = if number == 0 { metadata.clone() } else { Metadata::default() };
                mark(&mut metadata, number, 0, count);
                let part = Part { path: PathBuf::new(), metadata, targets: Vec::new() };
                bytes = part.layout()?.header().len() as u64;
                parts.push(Part { targets: vec![target], ..part });
            }
        }
        bytes += more;
    }
    let (stem, files) = (path.with_extension(""), parts.len());
    if files > MOST_PARTS {
        let reason = format!("it would be {files} parts, more than {MOST_PARTS}; give a larger --split");
        return Err(Error::Write { path: path.to_owned(), reason });
    }
    for (number, part) in parts.iter_mut().enumerate() {
        mark(&mut part.metadata, number, files, count);
        let mut name = stem.clone().into_os_string();
        name.push(split::suffix(number as u64, files as u64));
        part.path = name.into();
    }
    Ok(parts)
}

/// Sets what tells that a file is a part.
fn mark(metadata: &mut Metadata, number: usize, files: usize, tensors: usize) {
    metadata.set("split.no", Value::U16(number as u16));
    metadata.set("split.count", Value::U16(files as u16));
    metadata.set("split.tensors.count", Value::I32(tensors as i32));
}
