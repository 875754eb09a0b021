//! GGUF's `tokenizer.ggml.*` keys as a tokenizer of the `tokenizers` crate.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>. Pre-tokenizer
//! patterns are named by `tokenizer.ggml.pre`; they are those of the models' own `tokenizer.json`.

use std::collections::BTreeSet;

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use super::{Spelling, Tokenizer};
use crate::model::Error;
use crate::weights::{Metadata, Value};

/// `tokenizer.ggml.token_type`.
mod token_type {
    pub const UNKNOWN: i64 = 2;
    pub const CONTROL: i64 = 3;
    pub const USER_DEFINED: i64 = 4;
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const FALCON_PUNCTUATION: &str = r"[\p{P}\$\+<=>\^~\|`]+";
const DIGIT: &str = r"\p{N}";
const THREE_DIGITS: &str = r"[0-9][0-9][0-9]";

/// The patterns that cut a text into words, applied one after the other.
fn patterns(pre: &str) -> Option<&'static [&'static str]> {
    Some(match pre {
        "default" | "gpt-2" | "gpt2" | "olmo" | "phi-2" | "jina-en" | "jina-es" | "jina-de" | "mpt" | "dbrx" => &[GPT2],
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "smaug-bpe" | "pixtral" => &[LLAMA3],
        "qwen2" | "deepseek-r1-qwen" | "megrez" | "stablelm2" | "hunyuan" => &[QWEN2],
        "tekken" => &[TEKKEN],
        "falcon" => &[FALCON_PUNCTUATION, GPT2, THREE_DIGITS],
        "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b" => &[DIGIT, GPT2],
        _ => return None,
    })
}

pub(super) fn convert(metadata: &Metadata, file: &str) -> Result<Tokenizer, Error> {
    let wrong = |reason: String| Error::Tokenizer { file: file.to_owned(), reason };
    let failed = |e: tokenizers::Error| wrong(e.to_string());
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let kind = metadata.str(&key("model")).ok_or_else(|| wrong("the file carries no tokenizer".to_owned()))?;
    let tokens: Vec<&str> = metadata
        .array(&key("tokens"))
        .ok_or_else(|| wrong("metadata has no tokenizer.ggml.tokens".to_owned()))?
        .iter()
        .map(|t| t.as_str().ok_or_else(|| wrong("tokenizer.ggml.tokens holds something other than text".to_owned())))
        .collect::<Result<_, _>>()?;
    let types: Vec<i64> =
        metadata.array(&key("token_type")).unwrap_or_default().iter().map(|t| t.as_i64().unwrap_or(1)).collect();
    let type_of = |id: usize| types.get(id).copied().unwrap_or(1);
    let vocab: Vocab = tokens.iter().enumerate().map(|(id, t)| ((*t).to_owned(), id as u32)).collect();
    let id = |name: &str| metadata.u64(&key(name)).map(|id| id as u32).filter(|id| (*id as usize) < tokens.len());

    let (mut inner, spelling, adds_bos) = match kind {
        "gpt2" => {
            let pre = metadata.str(&key("pre")).unwrap_or("default");
            let patterns = patterns(pre)
                .ok_or_else(|| wrong(format!("pre-tokenizer {pre:?} is not known to this version of oai")))?;
            let merges = metadata
                .array(&key("merges"))
                .unwrap_or_default()
                .iter()
                .filter_map(|m| m.as_str()?.split_once(' '))
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .collect();
            // Llama 3 takes a word that is in the vocabulary whole, whatever the merges say.
            let whole_words = patterns == [LLAMA3] || patterns == [TEKKEN];
            let bpe = BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(whole_words);
            let mut inner = tokenizers::Tokenizer::new(bpe.build().map_err(failed)?);
            let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
            for pattern in patterns {
                let pattern = SplitPattern::Regex((*pattern).to_owned());
                steps.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(failed)?.into());
            }
            steps.push(ByteLevel::new(false, true, false).into());
            inner.with_pre_tokenizer(Some(PreTokenizers::new(steps)));
            (inner, Spelling::ByteLevel, patterns == [LLAMA3] || patterns == [TEKKEN])
        }
        "llama" => {
            let scores = metadata.array(&key("scores")).unwrap_or_default();
            let bpe = BPE::builder()
                .vocab_and_merges(vocab.clone(), merges_by_score(&tokens, scores, &vocab))
                .byte_fallback(true)
                .fuse_unk(true);
            let bpe = match id("unknown_token_id") {
                Some(unknown) => bpe.unk_token(tokens[unknown as usize].to_owned()),
                None => bpe,
            };
            let mut inner = tokenizers::Tokenizer::new(bpe.build().map_err(failed)?);
            let mut steps = Vec::new();
            if metadata.bool(&key("add_space_prefix")).unwrap_or(true) {
                steps.push(Prepend::new("▁".to_owned()).into());
            }
            steps.push(Replace::new(" ", "▁").map_err(failed)?.into());
            inner.with_normalizer(Some(Normalizers::new(steps))).map_err(failed)?;
            (inner, Spelling::SentencePiece, true)
        }
        other => return Err(wrong(format!("tokenizer model {other:?} is not supported (gpt2 and llama are)"))),
    };

    let added = |wanted: fn(i64) -> bool, special: bool| -> Vec<AddedToken> {
        let chosen = tokens.iter().enumerate().filter(|(id, text)| wanted(type_of(*id)) && !text.is_empty());
        chosen.map(|(_, text)| AddedToken::from(*text, special).normalized(false)).collect()
    };
    inner.add_special_tokens(added(|t| t == token_type::CONTROL || t == token_type::UNKNOWN, true)).map_err(failed)?;
    inner.add_tokens(added(|t| t == token_type::USER_DEFINED, false)).map_err(failed)?;

    let around = (
        metadata.bool(&key("add_bos_token")).unwrap_or(adds_bos),
        metadata.bool(&key("add_eos_token")).unwrap_or(false),
    );
    let ends: BTreeSet<u32> = ["eos_token_id", "eot_token_id", "eom_token_id"].iter().filter_map(|n| id(n)).collect();
    Ok(Tokenizer::new(inner, spelling, id("bos_token_id"), id("eos_token_id"), Some(around), ends))
}

/// SentencePiece BPE joins the pair whose whole scores best. The same as merges: every way to cut
/// a token in two that are tokens themselves, in the order of the whole's score.
fn merges_by_score(tokens: &[&str], scores: &[Value], vocab: &Vocab) -> Merges {
    let score = |id: u32| scores.get(id as usize).and_then(Value::as_f32).unwrap_or(0.0);
    let mut merges: Vec<(f32, u32, u32, u32)> = Vec::new();
    for (whole, token) in tokens.iter().enumerate() {
        for (cut, _) in token.char_indices().skip(1) {
            if let (Some(left), Some(right)) = (vocab.get(&token[..cut]), vocab.get(&token[cut..])) {
                merges.push((score(whole as u32), whole as u32, *left, *right));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    let text = |id: u32| tokens[id as usize].to_owned();
    merges.into_iter().map(|(_, _, left, right)| (text(left), text(right))).collect()
}
