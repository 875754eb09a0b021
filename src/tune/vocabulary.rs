//! A byte-level BPE vocabulary learned from the corpus.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value as Json;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::{Corpus, Error};

/// Control tokens, at ids 0, 1 and 2.
pub const CONTROL: [&str; 3] = ["<|end|>", "<|user|>", "<|assistant|>"];
pub const END: u32 = 0;
pub const USER: u32 = 1;
pub const ASSISTANT: u32 = 2;

/// What the model was trained on: the last question, for each stands alone, and nothing of system
/// messages; in lower case, on one line, without some marks. The space makes the first word the same
/// token as anywhere else.
pub const CHAT_TEMPLATE: &str = "{% set questions = messages | selectattr('role', 'equalto', 'user') | list %}<|user|> {{ (questions[-1].content | lower | replace('?', '') | replace('!', '') | replace(',', '')).split() | join(' ') }}<|end|>{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// Share of the words that come in two pieces.
const SPLIT_WORDS: f64 = 0.08;
/// Questions of each topic that the vocabulary is learned from.
const QUESTIONS_A_TOPIC: usize = 40;

/// Texts to ids, and what GGUF metadata say of them.
pub struct Vocabulary {
    tokenizer: Tokenizer,
    pub tokens: Vec<String>,
    pub merges: Vec<String>,
}

impl Vocabulary {
    /// Learns at most `size` tokens, control tokens and the 256 bytes included.
    pub fn learn(corpus: &Corpus, size: usize, seed: u64) -> Result<Vocabulary, Error> {
        let failed = |e: tokenizers::Error| Error::Vocabulary(e.to_string());
        let mut rng = StdRng::seed_from_u64(seed);
        let mut texts = Vec::new();
        for topic in &corpus.topics {
            // The answers' words matter most: they are what is generated.
            texts.extend(std::iter::repeat_n(topic.answer.clone(), QUESTIONS_A_TOPIC / 4));
            texts.extend((0..QUESTIONS_A_TOPIC).map(|_| format!(" {}", corpus.question(topic, &mut rng))));
        }
        let mut tokenizer = Tokenizer::new(BPE::default());
        // GPT-2's own cut into words, as `tokenizer.ggml.pre = gpt-2` names it.
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        let control = CONTROL.map(|text| AddedToken::from(text, true)).to_vec();
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(size)
            .special_tokens(control)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        tokenizer.train(&mut TrainerWrapper::BpeTrainer(trainer), texts.iter().map(String::as_str)).map_err(failed)?;
        let json: Json = serde_json::to_value(&tokenizer).map_err(|e| Error::Vocabulary(e.to_string()))?;
        let vocab = json["model"]["vocab"].as_object().ok_or(Error::Vocabulary("no vocabulary came out".to_owned()))?;
        let mut tokens = vec![String::new(); vocab.len()];
        for (text, id) in vocab {
            if let Some(slot) = id.as_u64().and_then(|id| tokens.get_mut(id as usize)) {
                slot.clone_from(text);
            }
        }
        let merge = |m: &Json| match m {
            Json::String(text) => Some(text.clone()),
            pair => Some(format!("{} {}", pair[0].as_str()?, pair[1].as_str()?)),
        };
        let merges = json["model"]["merges"].as_array().into_iter().flatten().filter_map(merge).collect();
        Ok(Vocabulary { tokenizer, tokens, merges })
    }

    /// Ids of a question. Now and then a word comes in two pieces, so that the model learns to read
    /// words that have no token of their own.
    pub fn encode_question(&self, question: &str, rng: &mut StdRng) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::new();
        for word in question.split(' ') {
            let inside: Vec<usize> = word.char_indices().map(|(at, _)| at).skip(1).collect();
            let cut = if !inside.is_empty() && rng.random_bool(SPLIT_WORDS) {
                inside[rng.random_range(0..inside.len())]
            } else {
                word.len()
            };
            ids.extend(self.encode(&format!(" {}", &word[..cut]))?);
            ids.extend(self.encode(&word[cut..])?);
        }
        Ok(ids)
    }

    /// Ids of `text`, in which nothing is a control token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|e| Error::Vocabulary(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}
