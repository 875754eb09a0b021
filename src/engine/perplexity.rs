//! How well a model foresees a text.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

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
    let mut decoder = load_decoder(&checkpoint, kv_type)?;
    let tokenizer = Tokenizer::open(&checkpoint)?;
    let tokens = tokenizer.encode(text, false, true)?;
    let vocab_size = decoder.vocab_size();
    if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab_size) {
        let reason = format!("it gives token {id}, and the model has {vocab_size}");
        return Err(model::Error::Tokenizer { file: checkpoint.file(), reason }.into());
    }
    let allowed = decoder.config.context_length;
    let (context, first_scored) = match span {
        Span::Whole if tokens.len() < 2 => return Err(Error::NothingToScore { tokens: tokens.len() }),
        Span::Whole if tokens.len() > allowed => {
            return Err(Error::TextTooLong { tokens: tokens.len(), context: allowed });
        }
        Span::Whole => (tokens.len(), 1),
        Span::Chunks(asked) => {
            let context = asked.unwrap_or(CONTEXT.min(allowed));
            if context > allowed {
                let model = checkpoint.file();
                return Err(Error::ContextTooLong { model, asked: context, allowed });
            }
            if tokens.len() < 2 * context {
                return Err(Error::TextTooShort { tokens: tokens.len(), context });
            }
            (context, context / 2 + 1)
        }
    };
    let mut measured = Perplexity { tokens: tokens.len(), context, ..Perplexity::default() };
    let bos = opening(&tokenizer)?.filter(|_| span != Span::Whole);
    let (started, file) = (Instant::now(), checkpoint.file());
    for chunk in tokens.chunks_exact(context) {
        let mut chunk = chunk.to_vec();
        if let Some(bos) = bos {
            chunk[0] = bos;
        }
        let before = measured.chunks * context;
        score(&file, &mut decoder, &chunk, first_scored, &mut measured, &mut |done, so_far| {
            progress(&Progress { done_tokens: before + done, total_tokens: tokens.len() / context * context, so_far });
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

/// Adds the likelihoods of `chunk`'s tokens from place `first` on to `measured`; `model` is what errors mention.
fn score(
    model: &str,
    decoder: &mut Decoder,
    chunk: &[u32],
    first: usize,
    measured: &mut Perplexity,
    progress: &mut dyn FnMut(usize, &Perplexity),
) -> Result<(), Error> {
    let run = AtomicBool::new(false);
    let logits_rows = (LOGITS_BYTES / (decoder.vocab_size() * size_of::<f32>())).max(1);
    decoder.truncate(0);
    // The token at place i is foretold by the logits at i - 1, and nothing is asked of the last ones.
    let mut at = 0;
    while at < chunk.len() - 1 {
        let scores = at >= first - 1;
        let left = if scores { chunk.len() - 1 - at } else { first - 1 - at };
        let mut count = decoder.chunk_len(left);
        if !scores {
            decoder.forward(&chunk[at..at + count], Logits::Last, &run)?;
        } else {
            count = count.min(logits_rows);
            let logits = decoder.forward(&chunk[at..at + count], Logits::All, &run)?; // [count, vocab]
            for row in 0..count {
                let logits: Vec<f32> = logits.get(row)?.to_vec1()?;
                if !are_numbers(&logits) {
                    return Err(Error::NoNumbers { model: model.to_owned() });
                }
                measured.add(log_sum_exp(&logits) - f64::from(logits[chunk[at + row + 1] as usize]));
            }
        }
        at += count;
        progress(at, measured);
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
