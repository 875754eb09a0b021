//! Text to tokens and back, from `tokenizer.json`, the older files of a folder, or GGUF metadata; and those metadata of
//! a folder.

mod added;
mod bpe;
mod charsmap;
mod detokenizer;
mod from_folder;
mod from_gguf;
mod hugging_face;
mod models;
mod patterns;
mod rwkv_file;
mod sentence_piece;
mod sentence_piece_file;
mod to_gguf;
mod trie;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

use tokenizers::AddedToken;

pub use detokenizer::Detokenizer;
pub use to_gguf::{general, to_gguf};

use self::added::{Matcher, overlaps};
use self::detokenizer::Spelling;
use self::hugging_face::HuggingFace;
use self::models::Model;
use super::{Checkpoint, Error};
use crate::weights::{Bytes, Gguf, Metadata, Source};

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
    "<turn|>",
    "<|calls|>",
    "<|flush|>",
    "[EOS]",
];

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
    encoder: Encoder,
    spelling: Spelling,
    added: HashMap<u32, Added>,
    pieces: Vec<Option<String>>,
    bos: Option<u32>,
    eos: Option<u32>,
    /// What is put before and after a text, as the model was trained.
    around: (Vec<u32>, Vec<u32>),
    /// Whether BOS belongs before a rendered template that does not write it.
    begins_template: bool,
    ends: BTreeSet<u32>,
}

enum Encoder {
    /// Added tokens first, and the text between them by a model.
    Own(Matcher, Box<Model>),
    HuggingFace(Box<HuggingFace>),
}

impl Tokenizer {
    /// The tokenizer of a model.
    pub fn open(checkpoint: &Checkpoint) -> Result<Tokenizer, Error> {
        match checkpoint {
            Checkpoint::Gguf(gguf) => Tokenizer::from_gguf(&gguf.metadata, &gguf.file),
            Checkpoint::Folder { tensors, .. } => Tokenizer::from_folder(&tensors.folder),
        }
    }

    /// The tokenizer of what `source` names; a folder or file without weights will do.
    pub fn from_source(source: &Source) -> Result<Tokenizer, Error> {
        match source {
            Source::Path(path) if path.is_dir() => Tokenizer::from_folder(path),
            Source::Path(path) => {
                let gguf = Gguf::open(path)?;
                Tokenizer::from_gguf(&gguf.metadata, &gguf.file)
            }
            Source::Embedded { name, bytes } => {
                let gguf = Gguf::from_bytes(Bytes::from_static(bytes), name)?;
                Tokenizer::from_gguf(&gguf.metadata, &gguf.file)
            }
        }
    }

    /// Converts the `tokenizer.ggml.*` keys of a GGUF file.
    pub fn from_gguf(metadata: &Metadata, file: &str) -> Result<Tokenizer, Error> {
        from_gguf::convert(metadata, file)
    }

    /// Reads `tokenizer.json` or an older form of it, and what ends a turn from the files beside it.
    pub fn from_folder(folder: &Path) -> Result<Tokenizer, Error> {
        from_folder::open(folder)
    }

    /// A tokenizer of our own models. `pieces` are in the order of the ids, `added` are those of them that are
    /// taken from the text before all else.
    fn own(
        model: Model,
        spelling: Spelling,
        pieces: Vec<Option<String>>,
        added: Vec<(u32, AddedToken)>,
    ) -> Result<Tokenizer, String> {
        let kind = |token: &AddedToken| if token.special { Added::Special } else { Added::Plain };
        let ends = |(id, token): &(u32, AddedToken)| {
            (token.special && END_TEXTS.contains(&token.content.as_str())).then_some(*id)
        };
        Ok(Tokenizer {
            spelling,
            pieces,
            bos: None,
            eos: None,
            around: (Vec::new(), Vec::new()),
            begins_template: false,
            ends: added.iter().filter_map(ends).collect(),
            added: added.iter().map(|(id, token)| (*id, kind(token))).collect(),
            encoder: Encoder::Own(
                Matcher::new(added.into_iter().map(|(id, token)| (token.content.clone(), id, token)).collect())?,
                Box::new(model),
            ),
        })
    }

    /// Tokens of `text`. With `parse_special`, control tokens written in the text become control
    /// tokens; without it they are text like any other. With `around`, BOS and EOS are added as
    /// the model was trained with them.
    pub fn encode(&self, text: &str, parse_special: bool, around: bool) -> Result<Vec<u32>, Error> {
        let everything = 0..text.len();
        let untrusted = if parse_special { &[][..] } else { std::slice::from_ref(&everything) };
        let mut ids = self.encode_between(text, untrusted)?;
        if around {
            ids.splice(0..0, self.around.0.iter().copied());
            ids.extend_from_slice(&self.around.1);
        }
        Ok(ids)
    }

    /// Tokens of a rendered chat template, which writes its control tokens as text. Where the text comes
    /// from somebody else, in the byte ranges `untrusted`, the spelling of a control token is text.
    /// BOS is added where GGUF metadata ask for it and the template did not write it.
    pub fn encode_rendered(&self, text: &str, untrusted: &[Range<usize>]) -> Result<Vec<u32>, Error> {
        let mut ids = self.encode_between(text, untrusted)?;
        if let Some(bos) = self.around.0.first().filter(|_| self.begins_template)
            && ids.first() != Some(bos)
        {
            ids.insert(0, *bos);
        }
        Ok(ids)
    }

    fn encode_between(&self, text: &str, untrusted: &[Range<usize>]) -> Result<Vec<u32>, Error> {
        let failed = |reason: String| Error::Encode { reason };
        match &self.encoder {
            Encoder::HuggingFace(inner) => inner.encode(text, untrusted).map_err(|e| failed(e.to_string())),
            Encoder::Own(matcher, model) => {
                let mut ids = Vec::new();
                for piece in matcher.cut(text, |range| overlaps(untrusted, &range)) {
                    match piece.id {
                        Some(id) => ids.push(id),
                        None => {
                            let first = piece.range.start == 0;
                            model.encode(&text[piece.range], first, &mut ids).map_err(failed)?;
                        }
                    }
                }
                Ok(ids)
            }
        }
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

    /// The token that is spelled so.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.pieces.iter().position(|p| p.as_deref() == Some(piece)).map(|id| id as u32)
    }

    /// The token as the vocabulary spells it.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize)?.as_deref()
    }

    /// The bytes that the token stands for; control tokens, and tokens of vocabularies of words, as they are spelled.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let piece = self.piece(id).unwrap_or_default();
        if self.added.contains_key(&id) { piece.as_bytes().to_vec() } else { self.spelling.bytes(piece) }
    }

    /// Turns tokens into text as they come. `after` is the token before the first: after a control
    /// token a text begins anew, without the leading space that some vocabularies put there.
    pub fn stream(&self, after: Option<u32>) -> Detokenizer<'_> {
        Detokenizer::new(self, after.is_none_or(|id| self.is_control(id)), false)
    }

    /// The text of `ids`, without control tokens.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.text(ids, false)
    }

    /// The text of `ids` with control tokens as they are written, except those that [`Tokenizer::encode`]
    /// puts around a text.
    pub fn decode_with_control(&self, ids: &[u32]) -> String {
        let (before, after) = &self.around;
        let ids = ids.strip_prefix(before.as_slice()).unwrap_or(ids);
        self.text(ids.strip_suffix(after.as_slice()).unwrap_or(ids), true)
    }

    fn text(&self, ids: &[u32], shows_control: bool) -> String {
        let mut stream = Detokenizer::new(self, true, shows_control);
        let mut text: String = ids.iter().map(|id| stream.push(*id)).collect();
        text.push_str(&stream.finish());
        text
    }
}
