//! The kinds of tokenizers: what turns a text without added tokens into ids.

use super::bpe::Merges;
use super::detokenizer::byte_level_character;
use super::patterns::{Spaces, Splitter};
use super::sentence_piece::SentencePiece;
use super::trie::Trie;

pub(super) enum Model {
    /// Words by patterns, and merges inside each.
    Bytes { splitter: Splitter, merges: Merges, spaces: Spaces, lowercase: bool },
    SentencePiece {
        model: SentencePiece,
        /// Whether the leading space comes anew after every added token.
        prefix_each: bool,
    },
    /// BERT's, by the `tokenizers` crate.
    WordPiece(Box<tokenizers::Tokenizer>),
    /// RWKV's: the longest token that the text begins with, again and again.
    Longest { trie: Trie, unknown: Option<u32> },
}

/// BERT's words end at white space; the crate gets no more text than this at once.
const PART_BYTES: usize = 1 << 16;

impl Model {
    /// Appends the tokens of `text`; `first`: no text came before it.
    pub fn encode(&self, text: &str, first: bool, out: &mut Vec<u32>) -> Result<(), String> {
        match self {
            Model::Bytes { splitter, merges, spaces: Spaces::Bytes, .. } => {
                let mut spelled = String::new();
                splitter.split(text, &mut |word| {
                    spelled.clear();
                    spelled.extend(word.bytes().map(byte_level_character));
                    merges.encode(&spelled, out);
                })
            }
            Model::Bytes { splitter, merges, spaces: Spaces::Underscores, .. } => {
                let text = text.replace(' ', "▁");
                splitter.split(&text, &mut |line| {
                    let breaks = line.starts_with('\n').then(|| merges.id(line)).flatten();
                    match breaks {
                        Some(id) => out.push(id),
                        None => merges.encode(line, out),
                    }
                })
            }
            Model::Bytes { splitter, merges, spaces: Spaces::Dropped, lowercase } => {
                let mut lower = String::new();
                splitter.split(text, &mut |word| {
                    if word.starts_with(char::is_whitespace) {
                        return;
                    }
                    lower.clear();
                    match lowercase {
                        true => lower.extend(word.chars().flat_map(char::to_lowercase)),
                        false => lower.push_str(word),
                    }
                    merges.encode(&lower, out);
                })
            }
            Model::SentencePiece { model, prefix_each } => {
                model.encode(text, first || *prefix_each, out);
                Ok(())
            }
            Model::WordPiece(inner) => {
                let mut rest = text;
                while !rest.is_empty() {
                    let far = rest.len().min(PART_BYTES);
                    let space = rest.as_bytes()[far..].iter().position(u8::is_ascii_whitespace);
                    let (part, later) = rest.split_at(space.map_or(rest.len(), |at| far + at));
                    out.extend(inner.encode_fast(part, false).map_err(|e| e.to_string())?.get_ids());
                    rest = later;
                }
                Ok(())
            }
            Model::Longest { trie, unknown } => {
                let mut rest = text.as_bytes();
                while !rest.is_empty() {
                    let longest = trie.prefixes(rest).last();
                    out.extend(longest.map(|(_, id)| id).or(*unknown));
                    rest = &rest[longest.map_or(1, |(len, _)| len)..];
                }
                Ok(())
            }
        }
    }
}
