//! GGUF's `tokenizer.ggml.*` keys as a tokenizer.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>; those that the page lacks are as
//! llama.cpp writes them (`gguf-py/gguf/constants.py`).

use std::collections::BTreeSet;

use tokenizers::AddedToken;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::Tokenizer;
use super::bpe::Merges;
use super::charsmap::CharsMap;
use super::detokenizer::{Spelling, unescape};
use super::models::Model;
use super::patterns::{Spaces, Splitter, pre_tokenizer};
use super::sentence_piece::{Algorithm, Normalization, ScoredToken, SentencePiece, TokenKind};
use super::trie::Trie;
use crate::model::Error;
use crate::weights::{Metadata, Value};

pub(super) fn convert(metadata: &Metadata, file: &str) -> Result<Tokenizer, Error> {
    let wrong = |reason: String| Error::Tokenizer { file: file.to_owned(), reason };
    let keys = Keys { metadata };
    let kind = keys.str("model").ok_or_else(|| wrong("the file carries no tokenizer".to_owned()))?;
    let tokens = keys.tokens().map_err(wrong)?;
    match kind {
        "gpt2" | "gemma4" | "whitespace" => byte_level(&keys, kind, tokens),
        "llama" => sentence_piece(&keys, Algorithm::Bpe, tokens),
        "t5" => sentence_piece(&keys, Algorithm::Unigram, tokens),
        "bert" => word_piece(&keys, tokens),
        "rwkv" => rwkv(&keys, tokens),
        other => Err(format!(
            "tokenizer model {other:?} is not supported (gpt2, gemma4, whitespace, llama, t5, bert and rwkv are)"
        )),
    }
    .map_err(wrong)
}

/// The tokenizer's keys.
struct Keys<'a> {
    metadata: &'a Metadata,
}

impl<'a> Keys<'a> {
    fn str(&self, name: &str) -> Option<&'a str> {
        self.metadata.str(&format!("tokenizer.ggml.{name}"))
    }

    fn bool(&self, name: &str) -> Option<bool> {
        self.metadata.bool(&format!("tokenizer.ggml.{name}"))
    }

    fn array(&self, name: &str) -> Option<&'a [Value]> {
        self.metadata.array(&format!("tokenizer.ggml.{name}"))
    }

    /// The vocabulary; an empty token gets a name that no text has.
    fn tokens(&self) -> Result<Vec<ScoredToken>, String> {
        let texts = self.array("tokens").ok_or("metadata has no tokenizer.ggml.tokens")?;
        let scores = self.array("scores").unwrap_or_default();
        let kinds = self.array("token_type").unwrap_or_default();
        let token = |(i, text): (usize, &Value)| {
            let text = text.as_str().ok_or("tokenizer.ggml.tokens holds something other than text")?;
            let score = scores.get(i).and_then(|s| s.as_f32().or_else(|| s.as_i64().map(|s| s as f32)));
            let kind = kinds.get(i).and_then(Value::as_i64).map_or(TokenKind::Normal, TokenKind::from_number);
            Ok(ScoredToken {
                text: if text.is_empty() { format!("[EMPTY_{i}]") } else { text.to_owned() },
                score: score.unwrap_or(0.0),
                kind: if text.is_empty() { TokenKind::Unused } else { kind },
            })
        };
        texts.iter().enumerate().map(token).collect()
    }

    /// The token that `NAME_token_id` names, if there is one of that number.
    fn id(&self, name: &str, tokens: usize) -> Option<u32> {
        let id = self.metadata.u64(&format!("tokenizer.ggml.{name}_token_id"))?;
        u32::try_from(id).ok().filter(|id| (*id as usize) < tokens)
    }

    /// Completes `tokenizer`: what is put around a text (`defaults` say whether BOS and EOS are) and what ends a turn.
    fn finish(&self, mut tokenizer: Tokenizer, defaults: (bool, bool)) -> Tokenizer {
        let id = |name: &str| self.id(name, tokenizer.vocab_size());
        let (bos, eos) = (id("bos"), id("eos"));
        let ends: BTreeSet<u32> = ["eos", "eot", "eom"].iter().filter_map(|name| id(name)).collect();
        let put = |flag: &str, default: bool, id: Option<u32>| {
            id.filter(|_| self.bool(flag).unwrap_or(default)).into_iter().collect::<Vec<u32>>()
        };
        tokenizer.around = (put("add_bos_token", defaults.0, bos), put("add_eos_token", defaults.1, eos));
        tokenizer.begins_template = true;
        (tokenizer.bos, tokenizer.eos) = (bos, eos);
        tokenizer.ends.extend(ends);
        tokenizer
    }

    /// Tokens that are found in the text before all else. White space beside some is part of them: the files do
    /// not say, so it goes by the names of the models, as in llama.cpp.
    fn added(&self, tokens: &[ScoredToken]) -> Vec<(u32, AddedToken)> {
        let name = self.metadata.str("general.name").unwrap_or_default().to_lowercase();
        let architecture = self.metadata.str("general.architecture").unwrap_or_default();
        let pre = self.str("pre").unwrap_or_default();
        let strips_mask = ["jina-v2-de", "jina-v2-es", "jina-v2-code"].contains(&pre)
            || ["nomic-bert-moe", "jina-bert-v3"].contains(&architecture);
        let phi_3 = name.contains("phi-3") || name.contains("phi3");
        let modern_bert = name.contains("modern-bert");
        let token = |(token, id): (&ScoredToken, u32)| {
            let text = token.text.as_str();
            let special = match token.kind {
                TokenKind::Control | TokenKind::Unknown => true,
                TokenKind::UserDefined => false,
                _ => return None,
            };
            let added = AddedToken::from(text, special).normalized(false);
            let added = added.lstrip(strips_mask && text == "<mask>" || modern_bert && text == "[MASK]");
            Some((id, added.rstrip(phi_3 && !["<unk>", "<s>", "<|endoftext|>"].contains(&text))))
        };
        tokens.iter().zip(0..).filter_map(token).collect()
    }
}

fn pieces(tokens: Vec<ScoredToken>) -> Vec<Option<String>> {
    tokens.into_iter().map(|token| Some(token.text)).collect()
}

fn byte_level(keys: &Keys, kind: &str, tokens: Vec<ScoredToken>) -> Result<Tokenizer, String> {
    let name = if kind == "gpt2" { keys.str("pre").unwrap_or("default") } else { kind };
    let row =
        pre_tokenizer(name).ok_or_else(|| format!("pre-tokenizer {name:?} is not known to this version of oai"))?;
    let merges = keys.array("merges").unwrap_or_default();
    if merges.is_empty() && name != "kimi-k2" {
        return Err("metadata has no tokenizer.ggml.merges".to_owned());
    }
    // What text can become; in a vocabulary of bytes there is nothing else.
    let is_text = |token: &ScoredToken| token.kind.is_text() || token.kind == TokenKind::Byte;
    let known = tokens.iter().zip(0..).filter(|(t, _)| is_text(t)).map(|(t, id)| (t.text.as_str(), id));
    let merges = Merges::new(
        known,
        merges.iter().filter_map(Value::as_str),
        row.whole_words,
        row.spaces == Spaces::Underscores,
        None,
    );
    let model = Model::Bytes {
        splitter: Splitter::new(row.patterns)?,
        merges,
        spaces: row.spaces,
        lowercase: keys.bool("normalizer.lowercase").unwrap_or(false),
    };
    let spelling = match row.spaces {
        Spaces::Bytes => Spelling::ByteLevel,
        Spaces::Underscores | Spaces::Dropped => Spelling::SentencePiece { strip: false },
    };
    let added = keys.added(&tokens);
    let mut tokenizer = keys.finish(Tokenizer::own(model, spelling, pieces(tokens), added)?, row.around);
    // Early files of Gemma 4 say no, and the model was trained otherwise.
    if name == "gemma4" {
        tokenizer.around.0 = tokenizer.bos.into_iter().collect();
    }
    Ok(tokenizer)
}

fn sentence_piece(keys: &Keys, algorithm: Algorithm, tokens: Vec<ScoredToken>) -> Result<Tokenizer, String> {
    let of_kind = || tokens.iter().position(|token| token.kind == TokenKind::Unknown).map(|id| id as u32);
    let unknown = keys.id("unknown", tokens.len()).or_else(of_kind);
    let space_prefix = keys.bool("add_space_prefix").unwrap_or(algorithm == Algorithm::Bpe);
    let charsmap = match keys.array("precompiled_charsmap") {
        Some(bytes) if !bytes.is_empty() => {
            Some(CharsMap::new(&bytes.iter().map(|b| b.as_i64().unwrap_or(0) as u8).collect::<Vec<u8>>())?)
        }
        _ => None,
    };
    let merge_spaces = algorithm == Algorithm::Unigram && keys.bool("remove_extra_whitespaces").unwrap_or(false);
    let normalization = Normalization { charsmap, space_prefix, merge_spaces };
    let model = SentencePiece::new(&tokens, algorithm, unknown, normalization);
    let added = keys.added(&tokens);
    let spelling = Spelling::SentencePiece { strip: space_prefix };
    let tokenizer = Tokenizer::own(Model::SentencePiece { model, prefix_each: true }, spelling, pieces(tokens), added)?;
    Ok(keys.finish(tokenizer, (algorithm == Algorithm::Bpe, algorithm == Algorithm::Unigram)))
}

/// GGUF marks the tokens that begin a word by `▁`; BERT marks the others by `##`.
fn word_piece(keys: &Keys, mut tokens: Vec<ScoredToken>) -> Result<Tokenizer, String> {
    for token in tokens.iter_mut().filter(|token| token.kind.is_text()) {
        token.text = match token.text.strip_prefix('▁') {
            Some(word) => word.to_owned(),
            None => format!("##{}", token.text),
        };
    }
    let id = |name: &str, default: u32| {
        keys.id(name, tokens.len()).or(Some(default).filter(|id| (*id as usize) < tokens.len()))
    };
    let unknown = id("unknown", 100).ok_or("its vocabulary has no unknown token")?;
    let around = (
        id("cls", 101).or(id("bos", 101)).into_iter().collect(),
        keys.id("seperator", tokens.len()).or(id("separator", 102)).into_iter().collect(),
    );
    let lowercase = keys.bool("normalizer.lowercase").unwrap_or(true);
    let strip_accents = keys.bool("normalizer.strip_accents").unwrap_or(lowercase);
    let inner = bert(&tokens, unknown, lowercase, Some(strip_accents))?;
    let added = keys.added(&tokens);
    let spelling = Spelling::Words { joins: Some("##".to_owned()), tidy: true };
    let mut tokenizer = keys
        .finish(Tokenizer::own(Model::WordPiece(Box::new(inner)), spelling, pieces(tokens), added)?, (false, false));
    tokenizer.around = around;
    Ok(tokenizer)
}

/// BERT's steps for a vocabulary in BERT's own spelling.
pub(super) fn bert(
    tokens: &[ScoredToken],
    unknown: u32,
    lowercase: bool,
    strip_accents: Option<bool>,
) -> Result<tokenizers::Tokenizer, String> {
    let vocab = tokens.iter().zip(0..).filter(|(t, id)| t.kind.is_text() || *id == unknown);
    let model = WordPiece::builder()
        .vocab(vocab.map(|(t, id)| (t.text.clone(), id)).collect::<Vocab>())
        .unk_token(tokens[unknown as usize].text.clone())
        .build()
        .map_err(|e| e.to_string())?;
    let mut inner = tokenizers::Tokenizer::new(model);
    inner
        .with_normalizer(Some(BertNormalizer::new(true, true, strip_accents, lowercase)))
        .map_err(|e| e.to_string())?;
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(inner)
}

fn rwkv(keys: &Keys, tokens: Vec<ScoredToken>) -> Result<Tokenizer, String> {
    let bytes: Vec<Vec<u8>> = tokens.iter().map(|token| unescape(&token.text)).collect();
    let known = tokens.iter().zip(&bytes).zip(0..).filter(|((token, _), _)| token.kind == TokenKind::Normal);
    let trie = Trie::new(known.map(|((_, bytes), id)| (bytes.as_slice(), id)).collect());
    let model = Model::Longest { trie, unknown: keys.id("unknown", tokens.len()) };
    let added = keys.added(&tokens);
    Ok(keys.finish(Tokenizer::own(model, Spelling::Escaped, pieces(tokens), added)?, (false, false)))
}
