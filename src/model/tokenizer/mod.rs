//! Text to tokens and back, from `tokenizer.json` or from GGUF metadata.

mod detokenizer;
mod from_gguf;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value as Json;

pub use detokenizer::Detokenizer;

use super::{Checkpoint, Error};
use crate::weights::Metadata;

/// Texts of control tokens that end a turn, whatever else a file declares (the list that llama.cpp
/// goes by: many files name only one of two).
const END_TEXTS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "<end_of_utterance>",
];

/// How the text of a token is written in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Each character stands for a byte (GPT-2).
    ByteLevel,
    /// `▁` is a space, `<0x0A>` a byte (SentencePiece).
    SentencePiece,
}

/// What a token is besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    /// Control: never part of the text.
    Special,
    /// Taken whole from the text, and shown as it is.
    Plain,
}

/// A tokenizer.
pub struct Tokenizer {
    /// Behind a lock because how it treats special tokens is a state of it.
    inner: Mutex<tokenizers::Tokenizer>,
    spelling: Spelling,
    added: std::collections::HashMap<u32, Added>,
    pieces: Vec<Option<String>>,
    bos: Option<u32>,
    eos: Option<u32>,
    /// Whether BOS and EOS are put around a text; `None` when a post-processor does it.
    around: Option<(bool, bool)>,
    ends: BTreeSet<u32>,
}

impl Tokenizer {
    /// The tokenizer of a model.
    pub fn open(checkpoint: &Checkpoint) -> Result<Tokenizer, Error> {
        match checkpoint {
            Checkpoint::Gguf(gguf) => Tokenizer::from_gguf(&gguf.metadata, &gguf.file),
            Checkpoint::Folder { tensors, .. } => Tokenizer::from_folder(&tensors.folder),
        }
    }

    /// Converts the `tokenizer.ggml.*` keys of a GGUF file.
    pub fn from_gguf(metadata: &Metadata, file: &str) -> Result<Tokenizer, Error> {
        from_gguf::convert(metadata, file)
    }

    /// Reads `tokenizer.json`, and what ends a turn from the files beside it.
    pub fn from_folder(folder: &Path) -> Result<Tokenizer, Error> {
        let file = folder.join("tokenizer.json");
        let wrong = |reason: String| Error::Tokenizer { file: file.display().to_string(), reason };
        let text = std::fs::read_to_string(&file)
            .map_err(|e| wrong(format!("cannot read it ({e}); a model folder needs its tokenizer.json")))?;
        let json: Json = serde_json::from_str(&text).map_err(|e| wrong(format!("it is not JSON ({e})")))?;
        let inner: tokenizers::Tokenizer = text.parse().map_err(|e| wrong(format!("{e}")))?;
        let spelling = if json["decoder"].to_string().contains("ByteLevel") {
            Spelling::ByteLevel
        } else {
            Spelling::SentencePiece
        };
        let beside = |name: &str| -> Json {
            let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or(Json::Null)
        };
        let settings = beside("tokenizer_config.json");
        let id = |key: &str| {
            let text = settings[key].as_str().or(settings[key]["content"].as_str())?;
            inner.token_to_id(text)
        };
        let (bos, eos) = (id("bos_token"), id("eos_token"));
        let mut ends: BTreeSet<u32> = eos.into_iter().collect();
        for name in ["config.json", "generation_config.json"] {
            match &beside(name)["eos_token_id"] {
                Json::Array(ids) => ends.extend(ids.iter().filter_map(Json::as_u64).map(|id| id as u32)),
                id => ends.extend(id.as_u64().map(|id| id as u32)),
            }
        }
        Ok(Tokenizer::new(inner, spelling, bos, eos, None, ends))
    }

    fn new(
        inner: tokenizers::Tokenizer,
        spelling: Spelling,
        bos: Option<u32>,
        eos: Option<u32>,
        around: Option<(bool, bool)>,
        mut ends: BTreeSet<u32>,
    ) -> Tokenizer {
        let mut added = std::collections::HashMap::new();
        for (id, token) in inner.get_added_tokens_decoder() {
            if token.special && END_TEXTS.contains(&token.content.as_str()) {
                ends.insert(id);
            }
            added.insert(id, if token.special { Added::Special } else { Added::Plain });
        }
        let size = inner.get_vocab_size(true) as u32;
        let pieces = (0..size).map(|id| inner.id_to_token(id)).collect();
        Tokenizer { inner: Mutex::new(inner), spelling, added, pieces, bos, eos, around, ends }
    }

    /// Tokens of `text`. With `parse_special`, control tokens written in the text become control
    /// tokens; without it they are text like any other. With `around`, BOS and EOS are added as
    /// the model was trained with them.
    pub fn encode(&self, text: &str, parse_special: bool, around: bool) -> Result<Vec<u32>, Error> {
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.set_encode_special_tokens(!parse_special);
        let by_post_processor = around && self.around.is_none();
        let encoding =
            inner.encode_fast(text, by_post_processor).map_err(|e| Error::Encode { reason: e.to_string() })?;
        let mut ids = encoding.get_ids().to_vec();
        if around && let Some((bos, eos)) = self.around {
            if let Some(id) = self.bos.filter(|_| bos) {
                ids.insert(0, id);
            }
            if let Some(id) = self.eos.filter(|_| eos) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Tokens of a rendered chat template, which writes its control tokens as text. BOS is added
    /// where GGUF metadata ask for it and the template did not write it.
    /// Control tokens that are spelled in the byte ranges `untrusted` are to be text.
    pub fn encode_rendered(&self, text: &str, untrusted: &[Range<usize>]) -> Result<Vec<u32>, Error> {
        let _ = untrusted; // the helper `tokenizers` brings this
        let mut ids = self.encode(text, true, false)?;
        if let (Some((true, _)), Some(bos)) = (self.around, self.bos)
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// Whether the token ends the answer.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// Whether the token is a control token, no part of any text.
    pub fn is_control(&self, id: u32) -> bool {
        self.added.get(&id) == Some(&Added::Special)
    }

    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The token as the vocabulary spells it.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize)?.as_deref()
    }

    /// The token that the vocabulary spells like this.
    pub fn id(&self, piece: &str) -> Option<u32> {
        let inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.token_to_id(piece)
    }

    /// Turns tokens into text as they come. `after` is the token before the first: after a control
    /// token a SentencePiece text begins anew, without its leading space.
    pub fn stream(&self, after: Option<u32>) -> Detokenizer<'_> {
        let begins = after.is_none_or(|id| self.is_control(id));
        Detokenizer::new(self, begins && self.spelling == Spelling::SentencePiece)
    }

    /// The text of `ids`.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut stream = self.stream(None);
        let mut text: String = ids.iter().map(|id| stream.push(*id)).collect();
        text.push_str(&stream.finish());
        text
    }
}
