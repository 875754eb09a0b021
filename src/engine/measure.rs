//! A decoder to be timed: no sampling, no text, tokens by chance.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::Error;
use super::generate::load_decoder;
use super::info::{ModelInfo, Shape, describe};
use super::perplexity::opening;
use super::sampler::are_numbers;
use crate::model::decoder::Operations;
use crate::model::{ChatTemplate, Checkpoint, Decoder, KvType, Logits, Recipe, Tokenizer};
use crate::weights::{MappedTensor, Source};

const SEED: u64 = 0;
/// What a fingerprint takes of each tensor.
const SAMPLED_BYTES: usize = 4096;

/// A loaded decoder whose passes are timed.
pub struct Measurement {
    checkpoint: Checkpoint,
    decoder: Decoder,
    info: ModelInfo,
    bos: Option<u32>,
    random: StdRng,
    /// What the cache is filled with, as far as it ever was: the same tokens at every depth.
    filling: Vec<u32>,
    load: Duration,
    kv_type: KvType,
}

impl Measurement {
    /// Loads what an answer needs; fails as [`super::Engine::load`] does.
    pub fn load(source: &Source, kv_type: KvType) -> Result<Measurement, Error> {
        let started = Instant::now();
        let checkpoint = Checkpoint::open(source)?;
        let decoder = load_decoder(&checkpoint, kv_type)?;
        let tokenizer = Tokenizer::open(&checkpoint)?;
        let template = ChatTemplate::open(&checkpoint)?;
        let load = started.elapsed();
        let info = describe(&checkpoint, Shape::from(&decoder.config), template.as_ref(), &Recipe::default());
        let bos = opening(&tokenizer)?.filter(|bos| (*bos as usize) < decoder.vocab_size());
        let random = StdRng::seed_from_u64(SEED);
        Ok(Measurement { kv_type, checkpoint, decoder, info, bos, random, filling: Vec::new(), load })
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// How long loading took.
    pub fn load_time(&self) -> Duration {
        self.load
    }

    /// The weights as they lie in memory.
    pub fn weights(&self) -> Vec<&[u8]> {
        self.checkpoint.tensors().map(|tensor| tensor.data()).collect()
    }

    /// Bytes of weights, and of keys and values, that a token reads which comes after `depth` others.
    pub fn bytes_a_token(&self, depth: usize) -> u64 {
        self.checkpoint.bytes_a_token(&self.decoder.config)
            + self.decoder.config.cache_bytes_a_token(depth, self.kv_type)
    }

    /// What `tokens` tokens compute that come at once after `depth` others ([`Checkpoint::operations`]).
    pub fn operations(&self, depth: usize, tokens: usize) -> Operations {
        self.checkpoint.operations(&self.decoder.config, depth, tokens)
    }

    /// Tells a model's weights from all others, whatever its files are called and however large they are: the SHA-256 of
    /// each tensor's name, type, shape and size, and of up to 4096 bytes from its middle, in the order of names.
    pub fn fingerprint(&self) -> String {
        let mut tensors: Vec<&MappedTensor> = self.checkpoint.tensors().collect();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let mut hasher = Sha256::new();
        for tensor in tensors {
            let data = tensor.data();
            let start = data.len().saturating_sub(SAMPLED_BYTES) / 2;
            let about = format!("{}\0{}\0{:?}\0{}\0", tensor.name, tensor.dtype.name(), tensor.shape, data.len());
            hasher.update(about.as_bytes());
            hasher.update(&data[start..data.len().min(start + SAMPLED_BYTES)]);
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Cuts or fills the cache to `depth` tokens.
    pub fn fill(&mut self, depth: usize) -> Result<(), Error> {
        let rest = self.missing(depth);
        self.run_chunks(&rest, usize::MAX).map(drop)
    }

    /// How long it takes from a prompt of `count` tokens, the same every time, to the first token after it.
    pub fn first_token(&mut self, count: usize) -> Result<Duration, Error> {
        self.decoder.truncate(0);
        let tokens = self.missing(count);
        let started = Instant::now();
        let logits = self.run_chunks(&tokens, usize::MAX)?;
        black_box(logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)));
        let took = started.elapsed();
        self.must_be_numbers(&logits)?;
        Ok(took)
    }

    /// How long `count` tokens take that come `batch` at once, or as many as a pass takes; only the last one's logits are
    /// computed.
    pub fn prefill(&mut self, count: usize, batch: usize) -> Result<Duration, Error> {
        let tokens = self.tokens(self.decoder.len(), count);
        let started = Instant::now();
        let logits = self.run_chunks(&tokens, batch)?;
        let took = started.elapsed();
        self.must_be_numbers(&logits)?;
        Ok(took)
    }

    /// How long `count` tokens take one after the other.
    pub fn decode(&mut self, count: usize) -> Result<Duration, Error> {
        let tokens = self.tokens(self.decoder.len(), count);
        let mut logits = Vec::new();
        let started = Instant::now();
        for token in tokens {
            logits = self.run(&[token])?;
        }
        let took = started.elapsed();
        self.must_be_numbers(&logits)?;
        Ok(took)
    }

    /// Cuts the cache to `depth` tokens; those that it lacks of them are returned.
    fn missing(&mut self, depth: usize) -> Vec<u32> {
        let kept = self.decoder.truncate(depth);
        if self.filling.len() < depth {
            let more = self.tokens(self.filling.len(), depth - self.filling.len());
            self.filling.extend(more);
        }
        self.filling[kept..depth].to_vec()
    }

    /// `count` tokens by chance, of a text's beginning if they come at position 0.
    fn tokens(&mut self, position: usize, count: usize) -> Vec<u32> {
        let vocab_size = self.decoder.vocab_size() as u32;
        let mut tokens: Vec<u32> = (0..count).map(|_| self.random.random_range(0..vocab_size)).collect();
        if let (0, Some(bos), Some(first)) = (position, self.bos, tokens.first_mut()) {
            *first = bos;
        }
        tokens
    }

    fn run_chunks(&mut self, mut tokens: &[u32], batch: usize) -> Result<Vec<f32>, Error> {
        let mut logits = Vec::new();
        while !tokens.is_empty() {
            let (chunk, later) = tokens.split_at(self.decoder.chunk_len(tokens.len()).min(batch));
            logits = self.run(chunk)?;
            tokens = later;
        }
        Ok(logits)
    }

    /// The last token's logits.
    fn run(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        Ok(self.decoder.forward(tokens, Logits::Last, &AtomicBool::new(false))?.get(0)?.to_vec1()?)
    }

    fn must_be_numbers(&self, logits: &[f32]) -> Result<(), Error> {
        match are_numbers(logits) {
            true => Ok(()),
            false => Err(Error::NoNumbers { model: self.checkpoint.file() }),
        }
    }
}
