//! The tokens of a vocabulary as GGUF lists them: text, kind and score in the order of their ids.

use ahash::AHashSet;

use super::super::detokenizer::Spelling;
use super::super::sentence_piece::{ScoredToken, TokenKind, byte_token};
use super::super::{Added, Tokenizer};
use super::form::Form;

/// Scores of tokens that text never becomes by being joined: added ones, and ids without a token.
const ADDED_SCORE: f32 = -1000.0;
const UNUSED_SCORE: f32 = -10000.0;

/// The `rows` tokens of `tokenizer`. Texts are unlike each other, which llama.cpp insists on.
pub(super) fn tokens(tokenizer: &Tokenizer, form: &Form, rows: usize) -> Result<Vec<ScoredToken>, String> {
    let beyond = tokenizer.pieces.iter().zip(0..).skip(rows);
    if beyond.clone().any(|(piece, id)| piece.is_some() && !tokenizer.added.contains_key(&id)) {
        return Err(format!(
            "it has {} tokens and the model's embedding {rows} rows; the two are not of one model",
            tokenizer.vocab_size()
        ));
    }
    let mut seen = AHashSet::with_capacity(rows);
    let token = |id: u32| {
        let piece = tokenizer.piece(id).map(|text| named(tokenizer, form, id, text));
        match piece.filter(|token| seen.insert(token.text.clone())) {
            Some(token) => token,
            None => ScoredToken { text: format!("[PAD{id}]"), score: UNUSED_SCORE, kind: TokenKind::Unused },
        }
    };
    Ok((0..rows as u32).map(token).collect())
}

fn named(tokenizer: &Tokenizer, form: &Form, id: u32, text: &str) -> ScoredToken {
    let known = form.known.as_ref().and_then(|known| known.get(text)).copied();
    let of_bytes = matches!(tokenizer.spelling, Spelling::SentencePiece { .. }) && byte_token(text).is_some();
    let is_unknown = known.is_some_and(|(_, kind)| kind == TokenKind::Unknown);
    let kind = match tokenizer.added.get(&id) {
        Some(Added::Special) if is_unknown => TokenKind::Unknown,
        Some(Added::Special) if form.shows(text) => TokenKind::UserDefined,
        Some(Added::Special) => TokenKind::Control,
        Some(Added::Plain) if looks_special(text) => TokenKind::Control,
        Some(Added::Plain) => TokenKind::UserDefined,
        None if of_bytes => TokenKind::Byte,
        None => known.map_or(TokenKind::Normal, |(_, kind)| kind),
    };
    // Readers look for user-defined tokens in the text as it was written.
    let text = if kind == TokenKind::UserDefined { text.replace('▁', " ") } else { text.to_owned() };
    let score = match tokenizer.added.contains_key(&id) {
        true => ADDED_SCORE,
        false => known.map_or(0.0, |(score, _)| score),
    };
    ScoredToken { text, score, kind }
}

/// Whether an added token is a control token by its looks: some models forgot to say so.
fn looks_special(text: &str) -> bool {
    let between = |start: &str, end: &str| text.len() > start.len() && text.starts_with(start) && text.ends_with(end);
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&text)
        || between("<|", "|>")
        || between("<｜", "｜>")
        || between("<unused", ">")
}
