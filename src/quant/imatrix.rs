//! Importance matrices: how large the inputs of each weight matrix were on a text. An error in a column of weights matters
//! as much as the mean square of what that column is multiplied with.
//!
//! The files are those of llama-imatrix: GGUF, read and written, and the older `.dat`, read alone.
//! Source: <https://github.com/ggml-org/llama.cpp/blob/master/tools/imatrix/imatrix.cpp>.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::weights::{self, Bytes, Gguf, GgufWriter, MappedTensor, Metadata, TensorType, Value};

const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";
const DATASETS: &str = "imatrix.datasets";
const CHUNK_COUNT: &str = "imatrix.chunk_count";
const CHUNK_SIZE: &str = "imatrix.chunk_size";

/// What can be wrong with an importance matrix.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Weights(#[from] weights::Error),
    #[error("{file} is no importance matrix, or a damaged one: {reason}; collect one from a text (--calibrate TEXT)")]
    NotImatrix { file: String, reason: String },
    #[error(
        "the importance matrix has {has} values for tensor {tensor}, which has {experts} x {columns}; take one that was collected on this model"
    )]
    Size { tensor: String, has: usize, experts: usize, columns: usize },
}

/// What was collected, by the tensors' names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imatrix {
    pub entries: BTreeMap<String, Entry>,
    /// The texts, as files.
    pub datasets: Vec<String>,
    pub chunk_count: u32,
    /// Tokens of a chunk; 0 where the file does not say.
    pub chunk_size: u32,
}

/// What was collected of one tensor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Of the squares of each column's inputs, `[experts, columns]`.
    pub sums: Vec<f32>,
    /// How many inputs those are, `[experts]`; one number for all where every token goes through the whole tensor.
    pub counts: Vec<f32>,
}

impl Imatrix {
    /// Reads the file at `path`, of either format.
    pub fn open(path: &Path) -> Result<Imatrix, Error> {
        Imatrix::from_bytes(Bytes::map(path)?, path.display().to_string())
    }

    fn from_bytes(bytes: Bytes, file: String) -> Result<Imatrix, Error> {
        let read = match bytes.starts_with(b"GGUF") {
            true => of_gguf(&Gguf::from_bytes(bytes, &file)?),
            false => Dat(&bytes).read(),
        };
        read.and_then(Imatrix::checked).map_err(|reason| Error::NotImatrix { file, reason })
    }

    fn checked(self) -> Result<Imatrix, String> {
        if self.entries.is_empty() {
            return Err("it has no entries".to_owned());
        }
        for (name, Entry { sums, counts }) in &self.entries {
            if sums.is_empty() || counts.is_empty() || !sums.len().is_multiple_of(counts.len()) {
                return Err(format!("{name} has {} sums and {} counts", sums.len(), counts.len()));
            }
            if let Some(odd) = sums.iter().chain(counts).find(|value| !(value.is_finite() && **value >= 0.0)) {
                return Err(format!("{name} has {odd} where sums of squares and counts are"));
            }
        }
        Ok(self)
    }

    /// Writes the matrix as GGUF, as `llama-quantize --imatrix` and `llama-imatrix --in-file` read it.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut metadata = Metadata::default();
        metadata.set("general.type", Value::String("imatrix".to_owned()));
        metadata.set(DATASETS, Value::Array(self.datasets.iter().cloned().map(Value::String).collect()));
        metadata.set(CHUNK_COUNT, Value::U32(self.chunk_count));
        metadata.set(CHUNK_SIZE, Value::U32(self.chunk_size));
        let mut writer = GgufWriter::new(metadata);
        for (name, Entry { sums, counts }) in &self.entries {
            let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let columns = sums.len() / counts.len().max(1);
            writer.tensor(&format!("{name}{SUMS}"), &[counts.len(), columns], TensorType::F32, bytes(sums));
            writer.tensor(&format!("{name}{COUNTS}"), &[counts.len(), 1], TensorType::F32, bytes(counts));
        }
        Ok(writer.write(path)?)
    }

    /// How much an error in each column of the tensor `name` weighs, `[experts, columns]`, as llama-quantize has it: the mean
    /// of squares, and 1 for experts that no token went through. `None` where the tensor has no entry.
    ///
    /// # Errors
    /// [`Error::Size`] where the entry is of another size; but such an entry of a token embedding is left out.
    pub fn importance(&self, name: &str, columns: usize, experts: usize) -> Result<Option<Vec<f32>>, Error> {
        let Some(Entry { sums, counts }) = self.entries.get(name) else { return Ok(None) };
        if experts.checked_mul(columns) != Some(sums.len()) {
            return match name.ends_with("token_embd.weight") {
                true => Ok(None),
                false => Err(Error::Size { tensor: name.to_owned(), has: sums.len(), experts, columns }),
            };
        }
        let mean = |sum: &f32, count: f32| if count > 0.0 { sum / count } else { 1.0 };
        let each = sums.len() / counts.len().max(1);
        let experts = sums.chunks_exact(each.max(1)).zip(counts);
        Ok(Some(experts.flat_map(|(sums, count)| sums.iter().map(|sum| mean(sum, *count))).collect()))
    }

    /// Notes in the `metadata` of a quantized model that it was made with this matrix, of the file `file`. The keys are
    /// those of llama-quantize: <https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/quantize.cpp>.
    pub fn note(&self, file: &str, metadata: &mut Metadata) {
        metadata.set("quantize.imatrix.file", Value::String(file.to_owned()));
        if let Some(dataset) = self.datasets.first() {
            metadata.set("quantize.imatrix.dataset", Value::String(dataset.clone()));
        }
        metadata.set("quantize.imatrix.entries_count", Value::U32(self.entries.len() as u32));
        if self.chunk_count > 0 {
            metadata.set("quantize.imatrix.chunks_count", Value::U32(self.chunk_count));
        }
    }
}

fn of_gguf(gguf: &Gguf) -> Result<Imatrix, String> {
    // Tensors may lie over one another, and each becomes a copy.
    let bytes = gguf.tensors.iter().map(|tensor| tensor.data().len() as u64).fold(0, u64::saturating_add);
    if bytes > gguf.size_bytes {
        return Err("its tensors overlap".to_owned());
    }
    let named =
        |suffix| gguf.tensors.iter().filter_map(move |tensor| Some((tensor.name.strip_suffix(suffix)?, tensor)));
    let counts: HashMap<&str, &MappedTensor> = named(COUNTS).collect();
    let mut entries = BTreeMap::new();
    for (name, sums) in named(SUMS) {
        let counts = counts.get(name).ok_or_else(|| format!("{name} has sums and no counts"))?;
        // Whole numbers, as llama.cpp takes them.
        let counts = floats(counts)?.iter().map(|count| count.round()).collect();
        entries.insert(name.to_owned(), Entry { sums: floats(sums)?, counts });
    }
    let datasets = gguf.metadata.array(DATASETS).unwrap_or_default();
    let number = |key| gguf.metadata.u64(key).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    Ok(Imatrix {
        entries,
        datasets: datasets.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        chunk_count: number(CHUNK_COUNT),
        chunk_size: number(CHUNK_SIZE),
    })
}

fn floats(tensor: &MappedTensor) -> Result<Vec<f32>, String> {
    match tensor.dtype {
        TensorType::F32 => Ok(of_bytes(tensor.data())),
        other => Err(format!("{} is {other}, not F32", tensor.name)),
    }
}

fn of_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// What is left of a `.dat` file: the number of entries; of each its name, a number of calls and the means times that
/// number; then, if at all, the number of chunks and the text's file. Strings and arrays have their lengths before them;
/// all numbers are little-endian, integers of 32 bits.
struct Dat<'a>(&'a [u8]);

impl<'a> Dat<'a> {
    fn read(mut self) -> Result<Imatrix, String> {
        let mut imatrix = Imatrix::default();
        for _ in 0..self.len(12)? {
            let name = self.string()?;
            let calls = self.int()?;
            let values = self.len(4)?;
            let sums = of_bytes(self.take(values * 4)?);
            // Without a number of calls the values are the means.
            imatrix.entries.insert(name, Entry { sums, counts: vec![calls.max(1) as f32] });
        }
        if let Ok(chunks) = self.int() {
            imatrix.chunk_count = chunks.max(0) as u32;
            imatrix.datasets.extend(self.string().ok().filter(|name| !name.is_empty()));
        }
        Ok(imatrix)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, String> {
        let bytes = self.take(4)?.first_chunk().ok_or("it ends too early")?;
        Ok(i32::from_le_bytes(*bytes))
    }

    /// A number of items that take at least `bytes` each.
    fn len(&mut self, bytes: usize) -> Result<usize, String> {
        let len = self.int()?;
        let fits = |len: &usize| len.checked_mul(bytes).is_some_and(|bytes| bytes <= self.0.len());
        usize::try_from(len).ok().filter(fits).ok_or_else(|| format!("a length of {len} is more than it holds"))
    }

    fn string(&mut self) -> Result<String, String> {
        let len = self.len(1)?;
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Imatrix {
        let entry = |sums: &[f32], counts: &[f32]| Entry { sums: sums.to_vec(), counts: counts.to_vec() };
        let entries = [
            ("blk.0.attn_k.weight".to_owned(), entry(&[2.0, 4.0, 6.0], &[2.0])),
            ("blk.0.ffn_down_exps.weight".to_owned(), entry(&[3.0, 6.0, 0.0, 0.0], &[3.0, 0.0])),
        ];
        Imatrix { entries: entries.into(), datasets: vec!["a.txt".to_owned()], chunk_count: 7, chunk_size: 512 }
    }

    /// `sample` in the old format, whose values are the means times a number of calls.
    fn dat() -> Vec<u8> {
        let mut bytes = 2i32.to_le_bytes().to_vec();
        let string = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as i32).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        for (name, calls, values) in [
            ("blk.0.attn_k.weight", 5i32, &[5f32, 10.0, 15.0][..]),
            ("blk.0.ffn_down_exps.weight", 0, &[1.0, 2.0, 1.0, 1.0]),
        ] {
            string(&mut bytes, name);
            bytes.extend(calls.to_le_bytes());
            bytes.extend((values.len() as i32).to_le_bytes());
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes.extend(7i32.to_le_bytes());
        string(&mut bytes, "a.txt");
        bytes
    }

    fn gguf(matrix: &Imatrix) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        matrix.write(file.path()).unwrap();
        std::fs::read(file.path()).unwrap()
    }

    fn open(bytes: &[u8]) -> Result<Imatrix, Error> {
        Imatrix::from_bytes(Bytes::from_static(bytes.to_vec().leak()), "x".to_owned())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let file = tempfile::NamedTempFile::new().unwrap();
        sample().write(file.path()).unwrap();
        assert_eq!(Imatrix::open(file.path()).unwrap(), sample());
    }

    #[test]
    fn both_formats_give_means_and_ones_for_experts_without_tokens() {
        for bytes in [gguf(&sample()), dat()] {
            let matrix = open(&bytes).unwrap();
            assert_eq!((matrix.chunk_count, &matrix.datasets[..]), (7, &["a.txt".to_owned()][..]));
            let of = |name: &str, columns, experts| matrix.importance(name, columns, experts).unwrap();
            assert_eq!(of("blk.0.attn_k.weight", 3, 1), Some(vec![1.0, 2.0, 3.0]));
            assert_eq!(of("blk.0.ffn_down_exps.weight", 2, 2), Some(vec![1.0, 2.0, 1.0, 1.0]));
            assert_eq!(of("blk.0.attn_q.weight", 3, 1), None);
        }
        assert!(open(&dat()[..dat().len() - 13]).unwrap().datasets.is_empty());
    }

    #[test]
    fn an_entry_of_another_size_is_an_error_but_of_embeddings() {
        let mut matrix = sample();
        let error = matrix.importance("blk.0.attn_k.weight", 4, 1).unwrap_err().to_string();
        assert!(error.contains("3 values for tensor blk.0.attn_k.weight, which has 1 x 4"), "{error}");
        assert!(matrix.importance("blk.0.attn_k.weight", usize::MAX, 2).is_err());
        matrix.entries.insert("token_embd.weight".to_owned(), Entry { sums: vec![1.0], counts: vec![1.0] });
        assert_eq!(matrix.importance("token_embd.weight", 4, 1).unwrap(), None);
    }

    #[test]
    fn a_quantized_model_tells_what_it_was_made_with() {
        let mut metadata = Metadata::default();
        sample().note("m.gguf", &mut metadata);
        assert_eq!(metadata.str("quantize.imatrix.file"), Some("m.gguf"));
        assert_eq!(metadata.str("quantize.imatrix.dataset"), Some("a.txt"));
        assert_eq!(metadata.get("quantize.imatrix.entries_count"), Some(&Value::U32(2)));
        assert_eq!(metadata.get("quantize.imatrix.chunks_count"), Some(&Value::U32(7)));
    }

    #[test]
    fn what_is_no_matrix_is_an_error_of_one_line() {
        let with = |sums: &[f32], counts: &[f32]| {
            let mut matrix = sample();
            matrix.entries.insert("x".to_owned(), Entry { sums: sums.to_vec(), counts: counts.to_vec() });
            gguf(&matrix)
        };
        let mut huge = dat();
        huge[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
        let cases = [
            (Vec::new(), "ends too early"),
            (b"Once upon a time there was a text.".to_vec(), "more than it holds"),
            (huge, "more than it holds"),
            (gguf(&Imatrix::default()), "no entries"),
            (with(&[1.0, f32::NAN], &[1.0]), "x has NaN"),
            (with(&[-1.0], &[1.0]), "x has -1"),
            (with(&[1.0], &[-1.0]), "x has -1"),
            (with(&[], &[1.0]), "x has 0 sums"),
        ];
        for (bytes, expected) in cases {
            let error = open(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn no_truncation_and_no_flipped_byte_panics() {
        for bytes in [gguf(&sample()), dat()] {
            for at in 0..bytes.len() {
                let _ = open(&bytes[..at]);
                for flip in [0x01, 0x80, 0xff] {
                    let mut broken = bytes.clone();
                    broken[at] ^= flip;
                    let _ = open(&broken);
                }
            }
        }
    }
}
