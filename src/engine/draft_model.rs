//! A small model that guesses for a large one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Error;
use super::generate::{compute, load_decoder};
use super::sampler::{Draft, Sampler, are_numbers};
use crate::model::{Checkpoint, Decoder, KvType, Tokenizer};
use crate::weights::Source;

/// By how many tokens two lists of one vocabulary may differ at their end: some sizes of a family are padded to another
/// length (Qwen2.5 has 151936 and 152064). llama.cpp allows as many.
const PADDING: usize = 128;

/// A loaded draft model.
pub struct DraftModel {
    decoder: Decoder,
    /// What errors call it.
    name: String,
    /// Tokens that the model it drafts for knows.
    vocab_size: usize,
    /// What one of its tokens costs, as a share of one of the model's: both are read once for each.
    pub cost: f32,
    /// Tokens of the answer's text that were in the cache at the last guess.
    in_step: usize,
    cancel: Arc<AtomicBool>,
}

impl DraftModel {
    /// Loads the model in `source` to draft for `decoder`, which is that of `checkpoint`, is called `name` and reads by
    /// `tokenizer`; keys and values are kept as `kv_type`.
    pub fn load(
        source: &Source,
        kv_type: KvType,
        checkpoint: &Checkpoint,
        name: &str,
        decoder: &Decoder,
        tokenizer: &Tokenizer,
        cancel: Arc<AtomicBool>,
    ) -> Result<DraftModel, Error> {
        let own = Checkpoint::open(source)?;
        let file = own.file();
        if decoder.config.is_recurrent() {
            return Err(Error::NothingToDraft { model: name.to_owned(), draft: file });
        }
        let draft = DraftModel {
            decoder: load_decoder(&own, kv_type)?,
            vocab_size: decoder.vocab_size(),
            cost: own.size_bytes() as f32 / checkpoint.size_bytes().max(1) as f32,
            in_step: 0,
            cancel,
            name: file,
        };
        if !share_vocabulary(tokenizer, &Tokenizer::open(&own)?) {
            return Err(Error::OtherVocabulary { model: name.to_owned(), draft: draft.name });
        }
        Ok(draft)
    }

    /// Another text comes.
    pub fn begin(&mut self) {
        self.in_step = 0;
    }

    /// Draws at most `count` tokens after `text`, of which the first `prompt` are the prompt; none where it does not fit in
    /// the draft model's context.
    pub fn draft(
        &mut self,
        text: &[u32],
        prompt: usize,
        count: usize,
        sampler: &mut Sampler,
    ) -> Result<Vec<Draft>, Error> {
        if text.len() + count > self.decoder.config.context_length {
            return Ok(Vec::new());
        }
        let both = self.decoder.tokens().iter().zip(text).skip(self.in_step);
        let common = self.in_step + both.take_while(|(a, b)| a == b).count();
        let cached = self.decoder.truncate(common.min(text.len() - 1));
        let mut text = text.to_vec();
        let known = text.len();
        let mut drafts = Vec::with_capacity(count);
        let mut computed = cached;
        while drafts.len() < count {
            let Some(logits) = compute(&mut self.decoder, &text[computed..], 1, &self.cancel)? else { break };
            computed = text.len();
            let logits: Vec<f32> = logits.get(0)?.to_vec1()?;
            if !are_numbers(&logits) {
                return Err(Error::NoNumbers { model: self.name.clone() });
            }
            let draft = sampler.draft(&logits, &text[..prompt], &text[prompt..]);
            if draft.id as usize >= self.vocab_size {
                break;
            }
            text.push(draft.id);
            drafts.push(draft);
        }
        self.in_step = known.min(self.decoder.len());
        Ok(drafts)
    }
}

fn share_vocabulary(a: &Tokenizer, b: &Tokenizer) -> bool {
    let (a_size, b_size) = (a.vocab_size(), b.vocab_size());
    let same = |id: usize| a.piece(id as u32) == b.piece(id as u32);
    a_size.abs_diff(b_size) <= PADDING && (0..a_size.min(b_size)).all(same)
}
