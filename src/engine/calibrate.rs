//! What a quantizer wants to know of a model: how large the inputs of each weight matrix are on a text.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use super::Error;
use super::perplexity::{Chunks, Reader};
use crate::kernels::pool;
use crate::model::decoder::observe;
use crate::model::{Checkpoint, KvType, Tokenizer};
use crate::quant::{Entry, Imatrix};
use crate::weights::{Gguf, MappedTensor, Source};

/// Columns whose squares a thread sums at a time.
const TASK_COLUMNS: usize = 512;

/// Collects the importance matrix of the model in `source`, a GGUF file, on `text`: for each matrix of a layer (not the
/// output's and not the embedding's) the sums of squares of its inputs at every place of every chunk. Chunks have `context`
/// tokens, 512 or what the model has where that is `None`, and begin with BOS where the model has texts begin so; what does
/// not fill one at the end is left out. As llama-imatrix has it:
/// <https://github.com/ggml-org/llama.cpp/blob/master/tools/imatrix/imatrix.cpp>. The caller knows the text's file
/// ([`Imatrix::datasets`]). `progress` gets the tokens that are done, and of how many.
///
/// Where latent attention has its `attn_kv_b` in one tensor, as files of before April 2025 do, that is booked by what the
/// part for values reads here, which are averages of what llama-imatrix books.
///
/// # Errors
/// A folder instead of a file, a model that is no decoder, a text of fewer than two chunks, and activations that are no
/// numbers.
pub fn calibrate(
    source: &Source,
    text: &str,
    context: Option<usize>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Imatrix, Error> {
    let checkpoint = Checkpoint::open(source)?;
    let Checkpoint::Gguf(gguf) = &checkpoint else { return Err(Error::NotGguf { model: checkpoint.file() }) };
    let mut reader = Reader::load(&checkpoint, KvType::F32)?;
    let chunks = Chunks::new(text, context, &Tokenizer::open(&checkpoint)?, &reader, "give a longer one")?;
    let sums = Rc::new(RefCell::new(Sums::of(gguf)));
    let observed = Rc::clone(&sums);
    let observer = move |weights: &[(&[u8], usize)], inputs: &[(&[f32], usize)]| {
        observed.borrow_mut().add(weights, inputs);
    };
    observe(observer, || -> Result<(), Error> {
        let run = AtomicBool::new(false);
        let mut done = 0;
        for chunk in chunks.iter() {
            reader.decoder.truncate(0);
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (part, later) = rest.split_at(reader.decoder.chunk_len(rest.len()));
                reader.decoder.states(part, &run)?;
                done += part.len();
                progress(done, chunks.total_tokens());
                rest = later;
            }
        }
        Ok(())
    })?;
    let entries = sums.take().entries();
    if entries.values().any(|entry| !entry.sums.iter().all(|sum| sum.is_finite())) {
        return Err(Error::NoNumbers { model: reader.model });
    }
    let chunk_count = (chunks.total_tokens() / chunks.context) as u32;
    Ok(Imatrix { entries, datasets: Vec::new(), chunk_count, chunk_size: chunks.context as u32 })
}

/// What is being collected: a tensor of the file for each, in the order in which they lie in memory.
#[derive(Default)]
struct Sums(Vec<Collected>);

struct Collected {
    name: String,
    /// Where it begins in memory, and how many bytes each of its matrices has.
    start: usize,
    matrix_bytes: usize,
    matrices: usize,
    columns: usize,
    /// Empty as long as nothing is.
    entry: Entry,
}

impl Sums {
    fn of(gguf: &Gguf) -> Sums {
        let of = |tensor: &MappedTensor| {
            let (dims, data) = (&tensor.shape, tensor.data());
            // `[matrices, rows, columns]`, or fewer of these.
            let matrices = dims[..dims.len().saturating_sub(2)].iter().product::<usize>().max(1);
            Collected {
                name: tensor.name.clone(),
                start: data.as_ptr().addr(),
                matrix_bytes: data.len() / matrices,
                matrices,
                columns: dims.last().copied().unwrap_or(0),
                entry: Entry::default(),
            }
        };
        let layers = gguf.tensors.iter().filter(|tensor| tensor.name.starts_with("blk.") && !tensor.data().is_empty());
        let mut all: Vec<Collected> = layers.map(of).collect();
        all.sort_by_key(|collected| collected.start);
        Sums(all)
    }

    /// Books each of `weights` with the input `[tokens, columns]` that it reads. Parts of one matrix that read the same, as
    /// gate and up of an expert do where they lie in one tensor, are booked once.
    fn add(&mut self, weights: &[(&[u8], usize)], inputs: &[(&[f32], usize)]) {
        let mut squares: Vec<Option<Vec<f32>>> = vec![None; inputs.len()];
        let mut booked = HashSet::new();
        for (bytes, input) in weights {
            let Some((index, matrix)) = self.place(bytes) else { continue };
            let collected = &mut self.0[index];
            let (x, tokens) = inputs[*input];
            if x.len() != tokens * collected.columns || !booked.insert((index, matrix, input)) {
                continue;
            }
            let squares = squares[*input].get_or_insert_with(|| sums_of_squares(x, collected.columns));
            let Entry { sums, counts } = &mut collected.entry;
            sums.resize(collected.matrices * collected.columns, 0.0);
            counts.resize(collected.matrices, 0.0);
            sums[matrix * collected.columns..].iter_mut().zip(squares).for_each(|(sum, square)| *sum += *square);
            counts[matrix] += tokens as f32;
        }
    }

    /// The tensor that `bytes` are of, and which of its matrices.
    fn place(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        let at = bytes.as_ptr().addr();
        let index = self.0.partition_point(|collected| collected.start <= at).checked_sub(1)?;
        let collected = &self.0[index];
        let matrix = (at - collected.start) / collected.matrix_bytes;
        (matrix < collected.matrices).then_some((index, matrix))
    }

    fn entries(self) -> BTreeMap<String, Entry> {
        let read = self.0.into_iter().filter(|collected| !collected.entry.counts.is_empty());
        let entry = |mut collected: Collected| {
            // Every token goes through all matrices of what is no experts.
            if !collected.name.contains("_exps.") {
                collected.entry.counts.truncate(1);
            }
            (collected.name, collected.entry)
        };
        read.map(entry).collect()
    }
}

/// The squares of each column of `x` `[tokens, columns]`, summed.
fn sums_of_squares(x: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0f32; columns];
    pool::for_each_chunk(&mut sums, TASK_COLUMNS, |index, sums| {
        for row in x.chunks_exact(columns) {
            let row = &row[index * TASK_COLUMNS..];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide;
    use crate::weights::{Bytes, GgufWriter, Metadata, TensorType};

    const TEXT: &str = include_str!("../guide/README.md");

    #[test]
    fn every_matrix_of_every_layer_is_booked_at_every_place_of_every_chunk() {
        let mut seen = Vec::new();
        let matrix = calibrate(&guide::source(), TEXT, Some(64), |done, total| seen.push((done, total))).unwrap();
        let total = matrix.chunk_count as usize * 64;
        assert!(matrix.chunk_count >= 4 && matrix.chunk_size == 64, "{matrix:?}");
        assert_eq!((seen.len(), seen.last()), (matrix.chunk_count as usize, Some(&(total, total))));
        let Checkpoint::Gguf(gguf) = Checkpoint::open(&guide::source()).unwrap() else { panic!("the guide is a file") };
        let matrices = gguf.tensors.iter().filter(|tensor| tensor.shape.len() == 2 && tensor.name.starts_with("blk."));
        let expected: Vec<(&str, usize)> = matrices.map(|tensor| (&tensor.name[..], tensor.shape[1])).collect();
        assert_eq!(matrix.entries.len(), expected.len());
        for (name, columns) in expected {
            let Entry { sums, counts } = &matrix.entries[name];
            assert_eq!((sums.len(), &counts[..]), (columns, &[total as f32][..]), "{name}");
            assert!(sums.iter().all(|sum| *sum > 0.0), "{name}");
        }
        let of = |part: &str| &matrix.entries[&format!("blk.0.{part}.weight")].sums;
        assert_eq!((of("attn_q"), of("ffn_gate")), (of("attn_k"), of("ffn_up")));
        assert_ne!(of("attn_q"), of("ffn_up"));
    }

    #[test]
    fn chunks_are_seen_apart_from_each_other_and_begin_with_bos() {
        let checkpoint = Checkpoint::open(&guide::source()).unwrap();
        let Checkpoint::Gguf(gguf) = &checkpoint else { panic!("the guide is a file") };
        let tokenizer = Tokenizer::open(&checkpoint).unwrap();
        let tokens = tokenizer.encode(TEXT, false, true).unwrap();
        let sums = Rc::new(RefCell::new(Sums::of(gguf)));
        for chunk in tokens.chunks_exact(64) {
            let mut chunk = chunk.to_vec();
            chunk[0] = if tokenizer.bos() == Some(tokens[0]) { tokens[0] } else { chunk[0] };
            let mut fresh = Reader::load(&checkpoint, KvType::F32).unwrap();
            let observed = Rc::clone(&sums);
            let observer = move |weights: &[(&[u8], usize)], inputs: &[(&[f32], usize)]| {
                observed.borrow_mut().add(weights, inputs);
            };
            observe(observer, || fresh.decoder.states(&chunk, &AtomicBool::new(false))).unwrap();
        }
        let matrix = calibrate(&guide::source(), TEXT, Some(64), |_, _| ()).unwrap();
        assert_eq!(matrix.entries, sums.take().entries());
    }

    #[test]
    fn what_cannot_be_collected_is_an_error() {
        let error = calibrate(&guide::source(), "too short", None, |_, _| ()).unwrap_err().to_string();
        assert!(error.contains("chunks of 512 need 1024; give a longer one"), "{error}");
        assert!(calibrate(&guide::source(), TEXT, Some(100_000), |_, _| ()).is_err());
    }

    /// A file of one tensor `[2, 4, 3]`: two experts, whose gate lies above their up.
    fn experts(name: &str) -> Gguf {
        let mut writer = GgufWriter::new(Metadata::default());
        writer.tensor("blk.0.attn_norm.weight", &[3], TensorType::F32, vec![0; 12]);
        writer.tensor(name, &[2, 4, 3], TensorType::F32, vec![0; 96]);
        let file = tempfile::NamedTempFile::new().unwrap();
        writer.write(file.path()).unwrap();
        Gguf::from_bytes(Bytes::map(file.path()).unwrap(), "x").unwrap()
    }

    #[test]
    fn experts_are_booked_apart_and_parts_that_read_the_same_once() {
        let gguf = experts("blk.0.ffn_gate_up_exps.weight");
        let mut sums = Sums::of(&gguf);
        let data = gguf.tensors[1].data();
        let (gate, up) = (&data[48..72], &data[72..96]);
        let x = [1.0, 2.0, 3.0, 1.0, 0.0, 1.0];
        sums.add(&[(gate, 0), (up, 0), (&[0; 4], 0)], &[(&x, 2)]);
        sums.add(&[(gate, 0), (up, 0)], &[(&x[3..], 1)]);
        let entries = sums.entries();
        let expected = Entry { sums: vec![0.0, 0.0, 0.0, 3.0, 4.0, 11.0], counts: vec![0.0, 3.0] };
        assert_eq!(entries, [("blk.0.ffn_gate_up_exps.weight".to_owned(), expected)].into());
    }

    #[test]
    fn matrices_that_every_token_goes_through_have_one_count() {
        let gguf = experts("blk.0.attn_k_b.weight");
        let mut sums = Sums::of(&gguf);
        let data = gguf.tensors[1].data();
        for matrix in [&data[..48], &data[48..]] {
            sums.add(&[(matrix, 0)], &[(&[1.0, 1.0, 2.0], 1)]);
        }
        let expected = Entry { sums: vec![1.0, 1.0, 4.0, 1.0, 1.0, 4.0], counts: vec![1.0] };
        assert_eq!(sums.entries()["blk.0.attn_k_b.weight"], expected);
    }
}
