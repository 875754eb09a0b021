//! How far a model's predictions are from those of the model that it was made of.

use std::time::Instant;

use candle_core::Tensor;

use super::Error;
use super::perplexity::{Chunks, Reader, read};
use super::sampler::log_sum_exp;
use crate::kernels::pool;
use crate::model::{Checkpoint, KvType, Tokenizer};
use crate::weights::Source;

/// A mean, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub error: f64,
}

/// What was measured, over the scored tokens of a text. Logarithms are natural, divergences in nats.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Of the text.
    pub tokens: usize,
    /// Tokens that are seen together.
    pub context: usize,
    pub chunks: usize,
    pub scored: usize,
    /// The perplexities of both.
    pub reference: Estimate,
    pub candidate: Estimate,
    /// The logarithm of the candidate's perplexity over the reference's.
    pub log_ratio: Estimate,
    /// Kullback and Leibler's divergence of the candidate's distribution from the reference's.
    pub kl: Estimate,
    pub kl_median: f64,
    /// What 99 % and 99.9 % of tokens stay below.
    pub kl_99: f64,
    pub kl_999: f64,
    pub kl_max: f64,
    /// By how much the candidate thinks the text's own token more probable: the mean, and the root of the mean square.
    pub probability_difference: Estimate,
    pub probability_difference_rms: Estimate,
    /// Share of tokens that both think the most probable.
    pub same_top: Estimate,
    pub tokens_per_s: f64,
}

/// Compares the predictions of the model in `candidate` with those of `reference`, side by side over `text` in chunks as
/// [`super::Span::Chunks`] has them, with keys and values of `kv_type`. The figures are those of `llama-perplexity
/// --kl-divergence` (<https://github.com/ggml-org/llama.cpp/blob/master/tools/perplexity/README.md>), but from the
/// reference's logits as they are: that tool reads them from a file, in 16 bits and none more than 16 below the best, which
/// makes the reference less perplexed than it is. `progress` gets the tokens that are done, and of how many.
///
/// # Errors
/// Models that are no decoders or of different vocabularies, a text of fewer than two chunks, and logits that are no
/// numbers.
pub fn divergence(
    reference: &Source,
    candidate: &Source,
    text: &str,
    context: Option<usize>,
    kv_type: KvType,
    mut progress: impl FnMut(usize, usize),
) -> Result<Divergence, Error> {
    let (reference, candidate) = (Checkpoint::open(reference)?, Checkpoint::open(candidate)?);
    let mut readers = [Reader::load(&reference, kv_type)?, Reader::load(&candidate, kv_type)?];
    let tokenizer = Tokenizer::open(&reference)?;
    let vocab_size = readers[0].decoder.vocab_size();
    if vocab_size != readers[1].decoder.vocab_size() || !are_alike(&tokenizer, &Tokenizer::open(&candidate)?) {
        return Err(Error::OtherVocabularies { reference: reference.file(), candidate: candidate.file() });
    }
    let narrow = readers.iter().min_by_key(|reader| reader.decoder.config.context_length).unwrap_or(&readers[0]);
    let chunks = Chunks::new(text, context, &tokenizer, narrow, "give a longer one")?;
    let total = chunks.total_tokens();
    let [reference, candidate] = &mut readers;
    let models = [reference.model.clone(), candidate.model.clone()];
    let (mut all, mut before, started) = (Vec::new(), 0, Instant::now());
    for chunk in chunks.iter() {
        read([reference, candidate], &chunk, chunks.first_scored(), |done, foreseen, logits| {
            let pairs = compare(logits, foreseen)?;
            if let Some(odd) = pairs.iter().find_map(|pair| pair.nll.iter().position(|nll| nll.is_nan())) {
                return Err(Error::NoNumbers { model: models[odd].clone() });
            }
            all.extend(pairs);
            progress(before + done, total);
            Ok(())
        })?;
        before += chunk.len();
    }
    if all.len() < 2 {
        return Err(Error::NothingToScore { tokens: chunks.tokens.len() });
    }
    let mut measured = summary(&all);
    (measured.tokens, measured.context) = (chunks.tokens.len(), chunks.context);
    measured.chunks = total / chunks.context;
    measured.tokens_per_s = total as f64 / started.elapsed().as_secs_f64();
    Ok(measured)
}

/// Whether two tokenizers call the same tokens the same. What one of them has no name for may be padding: a folder ends
/// where its tokenizer does, a GGUF file where the model does.
fn are_alike(a: &Tokenizer, b: &Tokenizer) -> bool {
    (0..a.vocab_size().min(b.vocab_size()) as u32).all(|id| a.piece(id).zip(b.piece(id)).is_none_or(|(a, b)| a == b))
}

/// What two models said of a token, the reference first.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    /// Negative log-likelihoods.
    nll: [f64; 2],
    kl: f64,
    same_top: bool,
}

/// Pairs for the tokens `foreseen`, of both models' logits `[foreseen, vocab]` for them.
fn compare([reference, candidate]: [Tensor; 2], foreseen: &[u32]) -> Result<Vec<Pair>, Error> {
    let vocab_size = reference.dim(1)?;
    let (reference, candidate): (Vec<f32>, Vec<f32>) =
        (reference.flatten_all()?.to_vec1()?, candidate.flatten_all()?.to_vec1()?);
    let rows = |logits| <[f32]>::chunks_exact(logits, vocab_size).collect::<Vec<_>>();
    let (reference, candidate) = (rows(&reference), rows(&candidate));
    let mut pairs = vec![Pair::default(); foreseen.len()];
    pool::for_each_chunk(&mut pairs, 1, |row, pair| {
        pair[0] = Pair::of(reference[row], candidate[row], foreseen[row] as usize);
    });
    Ok(pairs)
}

impl Pair {
    /// `token` is the text's own; logits that are no numbers make likelihoods that are none.
    fn of(reference: &[f32], candidate: &[f32], token: usize) -> Pair {
        let totals = [log_sum_exp(reference), log_sum_exp(candidate)];
        let nll = [totals[0] - f64::from(reference[token]), totals[1] - f64::from(candidate[token])];
        let mut kl = 0.0;
        for (p, q) in reference.iter().zip(candidate) {
            let (p, q) = (f64::from(*p) - totals[0], f64::from(*q) - totals[1]);
            if p > f64::NEG_INFINITY {
                kl += p.exp() * (p - q);
            }
        }
        // Rounding may take it below.
        Pair { nll, kl: kl.max(0.0), same_top: top(reference) == top(candidate) }
    }

    /// The log-likelihood that the candidate loses.
    fn lost(&self) -> f64 {
        self.nll[1] - self.nll[0]
    }

    /// The token's probability by the candidate, less that by the reference.
    fn gained(&self) -> f64 {
        (-self.nll[1]).exp() - (-self.nll[0]).exp()
    }
}

/// The first of the largest.
fn top(logits: &[f32]) -> usize {
    let better = |best: usize, at: usize| if logits[at] > logits[best] { at } else { best };
    (0..logits.len()).fold(0, better)
}

fn summary(pairs: &[Pair]) -> Divergence {
    let mean = |value: &dyn Fn(&Pair) -> f64| Estimate::of(pairs, value);
    let perplexity = |model: usize| mean(&|pair| pair.nll[model]).through(f64::exp, f64::exp);
    let mut kls: Vec<f64> = pairs.iter().map(|pair| pair.kl).collect();
    kls.sort_by(f64::total_cmp);
    let square = mean(&|pair| pair.gained().powi(2));
    Divergence {
        tokens: 0,
        context: 0,
        chunks: 0,
        scored: pairs.len(),
        reference: perplexity(0),
        candidate: perplexity(1),
        log_ratio: mean(&Pair::lost),
        kl: mean(&|pair| pair.kl),
        kl_median: quantile(&kls, 0.5),
        kl_99: quantile(&kls, 0.99),
        kl_999: quantile(&kls, 0.999),
        kl_max: quantile(&kls, 1.0),
        probability_difference: mean(&Pair::gained),
        probability_difference_rms: square.through(f64::sqrt, |square| 0.5 / square.sqrt()),
        same_top: mean(&|pair| f64::from(u8::from(pair.same_top))),
        tokens_per_s: 0.0,
    }
}

impl Estimate {
    /// Of the mean of `value`.
    fn of(pairs: &[Pair], value: &dyn Fn(&Pair) -> f64) -> Estimate {
        let count = pairs.len() as f64;
        let mean = pairs.iter().map(value).sum::<f64>() / count;
        let variance = pairs.iter().map(|pair| (value(pair) - mean).powi(2)).sum::<f64>() / count;
        Estimate { value: mean, error: (variance / (count - 1.0)).sqrt() }
    }

    /// Of a function with this derivative.
    fn through(self, function: fn(f64) -> f64, derivative: fn(f64) -> f64) -> Estimate {
        let error = if self.error == 0.0 { 0.0 } else { self.error * derivative(self.value) };
        Estimate { value: function(self.value), error }
    }
}

/// What a share of `sorted` values stays below, by linear interpolation.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Span, perplexity};
    use crate::guide;
    use crate::weights::{GgufWriter, Value};

    const TEXT: &str = include_str!("../guide/README.md");

    #[track_caller]
    fn assert_near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-7, "{a} is not {b}");
    }

    #[test]
    fn a_model_does_not_diverge_from_itself_and_is_as_perplexed() {
        let mut seen = Vec::new();
        let guide = guide::source();
        let measured =
            divergence(&guide, &guide, TEXT, Some(64), KvType::F32, |done, total| seen.push((done, total))).unwrap();
        let alone = perplexity(&guide, TEXT, Span::Chunks(Some(64)), KvType::F32, |_| ()).unwrap();
        assert_eq!((measured.tokens, measured.chunks), (alone.tokens, alone.chunks));
        assert_eq!((measured.context, measured.scored), (64, alone.scored));
        assert!(seen.is_sorted() && seen.iter().all(|(done, total)| done < total && *total == 64 * alone.chunks));
        for both in [measured.reference, measured.candidate] {
            assert_near(both.value, alone.perplexity());
            assert_near(both.error, alone.error().unwrap());
        }
        let none = Estimate { value: 0.0, error: 0.0 };
        assert_eq!((measured.kl, measured.log_ratio, measured.kl_max), (none, none, 0.0));
        assert_eq!(measured.probability_difference_rms, none);
        assert_eq!(measured.same_top, Estimate { value: 1.0, error: 0.0 });
    }

    /// The guide with one tensor's bytes set to zero, and with another text for its last token.
    fn changed(tensor: &str, token: Option<&str>) -> tempfile::NamedTempFile {
        let Checkpoint::Gguf(gguf) = Checkpoint::open(&guide::source()).unwrap() else { panic!("the guide is a file") };
        let mut metadata = gguf.metadata.clone();
        if let Some(token) = token {
            let mut tokens = metadata.array("tokenizer.ggml.tokens").unwrap().to_vec();
            *tokens.last_mut().unwrap() = Value::String(token.to_owned());
            metadata.set("tokenizer.ggml.tokens", Value::Array(tokens));
        }
        let mut writer = GgufWriter::new(metadata);
        for of in &gguf.tensors {
            let data = if of.name == tensor { vec![0; of.data().len()] } else { of.data().to_vec() };
            writer.tensor(&of.name, &of.shape, of.dtype, data);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        writer.write(file.path()).unwrap();
        file
    }

    #[test]
    fn a_damaged_copy_diverges_and_another_vocabulary_is_refused() {
        let measure = |file: &tempfile::NamedTempFile| {
            let candidate = Source::Path(file.path().to_owned());
            divergence(&guide::source(), &candidate, TEXT, Some(64), KvType::F32, |_, _| ())
        };
        let measured = measure(&changed("blk.1.ffn_down.weight", None)).unwrap();
        assert!(measured.kl.value > 0.01 && measured.kl_max > measured.kl_99 && measured.kl_99 > measured.kl_median);
        assert!(measured.same_top.value < 1.0 && measured.same_top.error > 0.0 && measured.log_ratio.error > 0.0);
        assert!((measured.log_ratio.value - (measured.candidate.value / measured.reference.value).ln()).abs() < 1e-9);
        let error = measure(&changed("", Some("other"))).unwrap_err().to_string();
        assert!(error.contains("another vocabulary than") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_pair_is_that_of_a_hand_count() {
        // Halves and quarters, and a token that is impossible for both.
        let (ln2, no) = (2f32.ln(), f32::NEG_INFINITY);
        let pair = Pair::of(&[ln2, 0.0, no, 0.0], &[0.0, ln2, no, 0.0], 0);
        assert_near(pair.nll[0], 2f64.ln());
        assert_near(pair.nll[1], 4f64.ln());
        // 1/2 ln 2 + 1/4 ln 1/2.
        assert_near(pair.kl, 0.25 * 2f64.ln());
        assert_near(pair.lost(), 2f64.ln());
        assert_near(pair.gained(), -0.25);
        assert!(!pair.same_top);
        assert!(Pair::of(&[0.0, 0.0], &[0.0, f32::NAN], 0).nll[1].is_nan());
    }

    #[test]
    fn a_summary_is_that_of_a_hand_count() {
        let pair = |kl: f64, p: f64, q: f64| Pair { nll: [-p.ln(), -q.ln()], kl, same_top: kl < 2.5 };
        let of = summary(&[pair(1.0, 0.5, 0.25), pair(2.0, 0.5, 0.5), pair(6.0, 0.5, 0.5)]);
        assert_near(of.reference.value, 2.0);
        assert_near(of.reference.error, 0.0);
        assert_near(of.candidate.value, 2f64.powf(4.0 / 3.0));
        assert_near(of.log_ratio.value, 2f64.ln() / 3.0);
        // Of ln 2, 0 and 0: variance 2/9 ln 2 squared, over 2.
        assert_near(of.log_ratio.error, 2f64.ln() / 3.0);
        assert_near(of.kl.value, 3.0);
        assert_near(of.kl.error, (14f64 / 3.0 / 2.0).sqrt());
        assert_near(of.kl_median, 2.0);
        assert_near(of.kl_99, 2.0 + 4.0 * 0.98);
        assert_near(of.kl_max, 6.0);
        assert_near(of.probability_difference.value, -0.25 / 3.0);
        assert_near(of.probability_difference_rms.value, (0.0625f64 / 3.0).sqrt());
        assert_near(of.same_top.value, 2.0 / 3.0);
        assert_near(of.same_top.error, (2.0 / 9.0 / 2.0f64).sqrt());
    }
}
