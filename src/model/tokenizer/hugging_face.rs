//! A `tokenizer.json`: the steps of Hugging Face's `tokenizers`, with a say in which special tokens count.
//!
//! The crate can take all special tokens in a text or none. Here those steps are taken one by one
//! (`TokenizerImpl::encode`), so that the ones in text from a user stay text.

use std::collections::BTreeSet;
use std::ops::Range;

use tokenizers::tokenizer::{Model, Normalizer, OffsetType, PreTokenizedString, PreTokenizer, Token, normalizer};
use tokenizers::{AddedToken, Encoding, NormalizedString, NormalizerWrapper, OffsetReferential};

use super::added::{Matcher, overlaps};

/// Longer texts are cut, since the crate keeps some fifty bytes for each byte of one.
const PART_BYTES: usize = 1 << 20;

pub(super) struct HuggingFace {
    inner: tokenizers::Tokenizer,
    /// Added tokens of the text as it is.
    raw: Matcher,
    /// Added tokens of the normalized text.
    normalized: Matcher,
    /// Whether a text may be cut between a line break and a letter after it.
    cut_at_lines: bool,
}

impl HuggingFace {
    /// Takes `inner`'s steps, which know neither truncation nor padding. `lines_are_apart`: its normalizer and
    /// pre-tokenizer make of two lines what they make of each.
    pub fn new(inner: tokenizers::Tokenizer, lines_are_apart: bool) -> Result<HuggingFace, String> {
        let normalized_text = |token: &AddedToken| -> Result<String, String> {
            let mut text = NormalizedString::from(token.content.as_str());
            if let Some(normalizer) = inner.get_normalizer() {
                normalizer.normalize(&mut text).map_err(|e| e.to_string())?;
            }
            Ok(text.get().to_owned())
        };
        let (mut raw, mut normalized) = (Vec::new(), Vec::new());
        for (id, token) in inner.get_added_tokens_decoder() {
            match token.normalized {
                true => normalized.push((normalized_text(&token)?, id, token)),
                false => raw.push((token.content.clone(), id, token)),
            }
        }
        let spans_lines = |token: &str| {
            let after = token.split_once('Ċ').map(|(_, after)| after);
            after.is_some_and(|after| after.contains(|c: char| c.is_ascii_alphanumeric()))
        };
        let cut_at_lines = lines_are_apart && !inner.get_vocab(false).keys().any(|token| spans_lines(token));
        Ok(HuggingFace { raw: Matcher::new(raw)?, normalized: Matcher::new(normalized)?, inner, cut_at_lines })
    }

    /// What the post-processor puts before and after a text.
    pub fn around(&self) -> tokenizers::Result<(Vec<u32>, Vec<u32>)> {
        let text = Encoding::from_tokens(vec![Token::new(u32::MAX, String::new(), (0, 0))], 0);
        let ids = self.inner.post_process(text, None, true)?.get_ids().to_vec();
        let at = ids.iter().position(|id| *id == u32::MAX).unwrap_or(ids.len());
        Ok((ids[..at].to_vec(), ids.get(at + 1..).unwrap_or_default().to_vec()))
    }

    /// Tokens of `text`, where special tokens that touch one of the byte ranges `untrusted` are text.
    pub fn encode(&self, text: &str, untrusted: &[Range<usize>]) -> tokenizers::Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let len = self.part_len(&text[start..]).unwrap_or(text.len() - start);
            ids.extend(self.encode_part(&text[start..start + len], start, untrusted)?);
            start += len;
        }
        Ok(ids)
    }

    /// `text` in Unicode's composed form, where the normalizer does that and no more.
    pub fn composed(&self, text: &str) -> tokenizers::Result<String> {
        let mut text = NormalizedString::from(text);
        if let Some(NormalizerWrapper::NFC(nfc)) = self.inner.get_normalizer() {
            nfc.normalize(&mut text)?;
        }
        Ok(text.get().to_owned())
    }

    /// Where the words end that the pre-tokenizer cuts `text` into, in bytes.
    pub fn word_ends(&self, text: &str) -> tokenizers::Result<BTreeSet<usize>> {
        let mut pieces = PreTokenizedString::from(text);
        if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        let words = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        Ok(words.into_iter().map(|(_, (_, end), _)| end).collect())
    }

    /// Where a long text can be cut without a change to its tokens: before a letter or digit that follows a
    /// line break that follows something visible. No token holds both, no pattern looks across.
    fn part_len(&self, text: &str) -> Option<usize> {
        if !self.cut_at_lines || text.len() <= PART_BYTES {
            return None;
        }
        let bytes = text.as_bytes();
        let cut = |at: &usize| {
            bytes[at - 1] == b'\n' && bytes[at - 2].is_ascii_alphanumeric() && bytes[*at].is_ascii_alphanumeric()
        };
        (PART_BYTES..bytes.len()).find(cut)
    }

    fn encode_part(&self, text: &str, offset: usize, untrusted: &[Range<usize>]) -> tokenizers::Result<Vec<u32>> {
        let refused = |range: Range<usize>| overlaps(untrusted, &(offset + range.start..offset + range.end));
        let mut pieces = PreTokenizedString::from(text);
        pieces.split(|_, piece| cut(&self.raw, piece, &refused))?;
        pieces.split(|_, mut piece| {
            if let Some(normalizer) = self.inner.get_normalizer() {
                normalizer.normalize(&mut piece)?;
            }
            cut(&self.normalized, piece, &refused)
        })?;
        if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        self.inner.get_model().tokenize_in_pretokenized(&mut pieces, None)?;
        Ok(pieces.into_encoding(None, 0, OffsetType::None)?.get_ids().to_vec())
    }
}

type Pieces = Vec<(NormalizedString, Option<Vec<Token>>)>;

fn cut(
    matcher: &Matcher,
    text: NormalizedString,
    refused: &impl Fn(Range<usize>) -> bool,
) -> tokenizers::Result<Pieces> {
    let slice = |range: &Range<usize>| text.slice(normalizer::Range::Normalized(range.clone()));
    // The bytes of the original text that a range of the normalized one came from.
    let original =
        |range: Range<usize>| slice(&range).map_or(range, |s| s.offsets_original().0..s.offsets_original().1);
    let mut pieces = Vec::new();
    for piece in matcher.cut(text.get(), |range| refused(original(range))) {
        let part = slice(&piece.range).ok_or("an added token ends inside a character")?;
        let tokens = piece.id.map(|id| {
            let value = part.get().to_owned();
            let len = value.len();
            vec![Token::new(id, value, (0, len))]
        });
        pieces.push((part, tokens));
    }
    Ok(pieces)
}
