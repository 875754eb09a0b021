//! How well a model foresees a text.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use candle_core::Tensor;

use super::Error;
use super::generate::load_decoder;
use super::sampler::{are_numbers, log_sum_exp};
use crate::model::{self, Checkpoint, Decoder, KvType, Logits, Tokenizer};
use crate::weights::Source;

/// Tokens of a chunk where the caller does not say, and the model has that many.
const CONTEXT: usize = 512;
/// Bytes that the logits of one pass may take.
const LOGITS_BYTES: usize = 64 << 20;

/// What of a text is seen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Chunks of so many tokens, of which the second half is scored, so that every scored token has
    /// some context; what does not fill a chunk at the end is left out. The first token of each is
    /// BOS, where the model has texts begin with it. As llama-perplexity has it:
    /// <https://github.com/ggml-org/llama.cpp/blob/master/tools/perplexity/README.md>.
    Chunks(Option<usize>),
    /// All of it; every token but the first is scored.
    Whole,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Perplexity {
    /// Of the text.
    pub tokens: usize,
    /// Tokens that are seen together.
    pub context: usize,
    pub chunks: usize,
    /// Tokens whose likelihood is in `nll`.
    pub scored: usize,
    /// Their negative log-likelihoods, natural, summed; and the sum of their squares.
    pub nll: f64,
    squares: f64,
    pub tokens_per_s: f64,
}

impl Perplexity {
    /// The exponential of the mean negative log-likelihood.
    pub fn perplexity(&self) -> f64 {
        (self.nll / self.scored as f64).exp()
    }

    /// The perplexity's standard error: that of the mean negative log-likelihood, carried through the
    /// exponential. Of a single token there is none.
    pub fn error(&self) -> Option<f64> {
        let mean = self.nll / self.scored as f64;
        let variance = self.squares / self.scored as f64 - mean * mean;
        (self.scored > 1).then(|| (variance.max(0.0) / (self.scored - 1) as f64).sqrt() * self.perplexity())
    }

    fn add(&mut self, nll: f64) {
        self.scored += 1;
        self.nll += nll;
        self.squares += nll * nll;
    }
}

/// How far a measurement is.
pub struct Progress<'a> {
    pub done_tokens: usize,
    pub total_tokens: usize,
    pub so_far: &'a Perplexity,
}

/// Measures how well the model of `source` foresees `text`, with keys and values of `kv_type`. Control tokens in the
/// text are text.
pub fn perplexity(
    source: &Source,
    text: &str,
    span: Span,
    kv_type: KvType,
    mut progress: impl FnMut(&Progress),
) -> Result<Perplexity, Error> {
    let checkpoint = Checkpoint::open(source)?;
    let mut reader = Reader::load(&checkpoint, kv_type)?;
    let tokenizer = Tokenizer::open(&checkpoint)?;
    let (chunks, first_scored) = match span {
        Span::Whole => (Chunks::whole(text, &tokenizer, &reader)?, 1),
        Span::Chunks(asked) => {
            let chunks = Chunks::new(text, asked, &tokenizer, &reader, "lower --context, or score it --whole")?;
            let first_scored = chunks.first_scored();
            (chunks, first_scored)
        }
    };
    let (context, total_tokens) = (chunks.context, chunks.total_tokens());
    let mut measured = Perplexity { tokens: chunks.tokens.len(), context, ..Perplexity::default() };
    let (started, file) = (Instant::now(), checkpoint.file());
    for chunk in chunks.iter() {
        let before = measured.chunks * context;
        read([&mut reader], &chunk, first_scored, |done, foreseen, [logits]| {
            for (row, token) in foreseen.iter().enumerate() {
                let logits: Vec<f32> = logits.get(row)?.to_vec1()?;
                if !are_numbers(&logits) {
                    return Err(Error::NoNumbers { model: file.clone() });
                }
                measured.add(log_sum_exp(&logits) - f64::from(logits[*token as usize]));
            }
            progress(&Progress { done_tokens: before + done, total_tokens, so_far: &measured });
            Ok(())
        })?;
        measured.chunks += 1;
    }
    measured.tokens_per_s = (measured.chunks * context) as f64 / started.elapsed().as_secs_f64();
    Ok(measured)
}

/// BOS, where the tokenizer begins a text with it.
pub(super) fn opening(tokenizer: &Tokenizer) -> Result<Option<u32>, Error> {
    let empty = tokenizer.encode("", false, true)?;
    Ok(tokenizer.bos().filter(|bos| empty.first() == Some(bos)))
}

/// A decoder that reads texts, and what errors call it.
pub(super) struct Reader {
    pub model: String,
    pub decoder: Decoder,
}

impl Reader {
    pub fn load(checkpoint: &Checkpoint, kv_type: KvType) -> Result<Reader, Error> {
        Ok(Reader { model: checkpoint.file(), decoder: load_decoder(checkpoint, kv_type)? })
    }

    /// The tokens of `text`, all of which the decoder knows.
    fn tokens(&self, text: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>, Error> {
        let tokens = tokenizer.encode(text, false, true)?;
        let vocab_size = self.decoder.vocab_size();
        if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab_size) {
            let reason = format!("it gives token {id}, and the model has {vocab_size}");
            return Err(model::Error::Tokenizer { file: self.model.clone(), reason }.into());
        }
        Ok(tokens)
    }
}

/// A text in parts that are seen apart from each other.
pub(super) struct Chunks {
    /// Of the text.
    pub tokens: Vec<u32>,
    /// Tokens of a chunk.
    pub context: usize,
    /// What each begins with instead of its first token.
    bos: Option<u32>,
}

impl Chunks {
    /// All of a text as one chunk.
    fn whole(text: &str, tokenizer: &Tokenizer, reader: &Reader) -> Result<Chunks, Error> {
        let tokens = reader.tokens(text, tokenizer)?;
        let (count, allowed) = (tokens.len(), reader.decoder.config.context_length);
        if count < 2 {
            return Err(Error::NothingToScore { tokens: count });
        }
        if count > allowed {
            return Err(Error::TextTooLong { tokens: count, context: allowed });
        }
        Ok(Chunks { tokens, context: count, bos: None })
    }

    /// A text in chunks as [`Span::Chunks`] has them. It must have two of them; `instead` is the way out where it has not.
    pub fn new(
        text: &str,
        asked: Option<usize>,
        tokenizer: &Tokenizer,
        reader: &Reader,
        instead: &'static str,
    ) -> Result<Chunks, Error> {
        let tokens = reader.tokens(text, tokenizer)?;
        let allowed = reader.decoder.config.context_length;
        let context = asked.unwrap_or(CONTEXT.min(allowed));
        if context > allowed {
            return Err(Error::ContextTooLong { model: reader.model.clone(), asked: context, allowed });
        }
        if tokens.len() < 2 * context {
            return Err(Error::TextTooShort { tokens: tokens.len(), context, instead });
        }
        Ok(Chunks { tokens, context, bos: opening(tokenizer)? })
    }

    pub fn iter(&self) -> impl Iterator<Item = Vec<u32>> {
        self.tokens.chunks_exact(self.context).map(|tokens| {
            let mut chunk = tokens.to_vec();
            if let Some(bos) = self.bos {
                chunk[0] = bos;
            }
            chunk
        })
    }

    /// The place of a chunk's first token that is scored.
    pub fn first_scored(&self) -> usize {
        self.context / 2 + 1
    }

    /// Of all chunks.
    pub fn total_tokens(&self) -> usize {
        self.tokens.len() / self.context * self.context
    }
}

/// Lets `readers`, which know the same tokens, read `chunk` side by side, and calls `each` after every part of it with the
/// number of tokens that are read, those from place `first` on that were foreseen, and each reader's logits for them,
/// `[foreseen, vocab]`.
pub(super) fn read<const N: usize>(
    mut readers: [&mut Reader; N],
    chunk: &[u32],
    first: usize,
    mut each: impl FnMut(usize, &[u32], [Tensor; N]) -> Result<(), Error>,
) -> Result<(), Error> {
    let run = AtomicBool::new(false);
    let vocab_size = readers[0].decoder.vocab_size();
    let logits_rows = (LOGITS_BYTES / (vocab_size * size_of::<f32>())).max(1);
    for reader in &mut readers {
        reader.decoder.truncate(0);
    }
    // The token at place i is foretold by the logits at i - 1, and nothing is asked of the last ones.
    let mut at = 0;
    while at < chunk.len() - 1 {
        let scores = at >= first - 1;
        let left = if scores { chunk.len() - 1 - at } else { first - 1 - at };
        let mut count = readers[0].decoder.chunk_len(left);
        let wanted = if scores { Logits::All } else { Logits::Last };
        if scores {
            count = count.min(logits_rows);
        }
        let mut logits = Vec::with_capacity(N);
        for reader in &mut readers {
            logits.push(reader.decoder.forward(&chunk[at..at + count], wanted, &run)?);
        }
        at += count;
        let foreseen = if scores { &chunk[at + 1 - count..at + 1] } else { &[] };
        each(at, foreseen, logits.try_into().unwrap_or_else(|_| unreachable!("logits of each reader")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perplexity_and_its_error_are_those_of_a_hand_count() {
        let mut measured = Perplexity::default();
        for nll in [1.0, 2.0, 3.0] {
            measured.add(nll);
        }
        assert!((measured.perplexity() - 2f64.exp()).abs() < 1e-12);
        // The variance is 2/3, of the mean 1/3.
        assert!((measured.error().unwrap() - (1f64 / 3.0).sqrt() * 2f64.exp()).abs() < 1e-12);
        let mut one = Perplexity::default();
        one.add(1.0);
        assert_eq!(one.error(), None);
    }
}
