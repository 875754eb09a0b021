//! SentencePiece's own file, `tokenizer.model`: a protocol buffer of a few fields.
//!
//! Format: <https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto> and
//! <https://protobuf.dev/programming-guides/encoding/>.

use super::charsmap::CharsMap;
use super::sentence_piece::{Algorithm, Normalization, ScoredToken, TokenKind};

pub(super) struct SentencePieceFile {
    pub tokens: Vec<ScoredToken>,
    pub algorithm: Algorithm,
    pub normalization: Normalization,
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    /// 64 bits: no field that is read here.
    Other,
}

/// Walks the fields of a message; `None` inside means that it is cut off.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Other)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(len)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, field))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u64, Field<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is not a SentencePiece model, or cut off".to_owned()))
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<SentencePieceFile, String> {
    // Llama 3's tokenizer.model and its like: base64 and a rank, line by line.
    if bytes.iter().take(64).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        return Err("it is a tiktoken file, which does not say which pattern cuts words; pull a GGUF file or a folder with tokenizer.json".to_owned());
    }
    let mut tokens = Vec::new();
    let mut model_type = 1;
    let mut normalization = Normalization { charsmap: None, space_prefix: true, merge_spaces: true };
    for field in Message(bytes) {
        match field? {
            (1, Field::Bytes(piece)) => tokens.push(token(piece)?),
            (2, Field::Bytes(trainer)) => {
                for field in Message(trainer) {
                    match field? {
                        (3, Field::Number(kind)) => model_type = kind,
                        (24, Field::Number(suffix)) if suffix != 0 => {
                            return Err("it writes spaces after words, which is not supported".to_owned());
                        }
                        _ => {}
                    }
                }
            }
            (3, Field::Bytes(normalizer)) => {
                for field in Message(normalizer) {
                    match field? {
                        (2, Field::Bytes(table)) if !table.is_empty() => {
                            normalization.charsmap = Some(CharsMap::new(table)?);
                        }
                        (3, Field::Number(flag)) => normalization.space_prefix = flag != 0,
                        (4, Field::Number(flag)) => normalization.merge_spaces = flag != 0,
                        (5, Field::Number(0)) => {
                            return Err("it keeps spaces as they are, which is not supported".to_owned());
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let algorithm = match model_type {
        1 => Algorithm::Unigram,
        2 => Algorithm::Bpe,
        other => {
            return Err(format!("it is of SentencePiece's model type {other}; unigram (1) and BPE (2) are supported"));
        }
    };
    Ok(SentencePieceFile { tokens, algorithm, normalization })
}

fn token(piece: &[u8]) -> Result<ScoredToken, String> {
    let mut token = ScoredToken { text: String::new(), score: 0.0, kind: TokenKind::Normal };
    for field in Message(piece) {
        match field? {
            (1, Field::Bytes(text)) => token.text = String::from_utf8_lossy(text).into_owned(),
            (2, Field::Fixed32(bits)) => token.score = f32::from_bits(bits),
            (3, Field::Number(kind)) => token.kind = TokenKind::from_number(kind as i64),
            _ => {}
        }
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
        fields.iter().flat_map(|(number, bytes)| [&[number << 3 | 2, bytes.len() as u8], *bytes].concat()).collect()
    }

    fn sample() -> Vec<u8> {
        let piece = |text: &str, score: f32, kind: u8| {
            [&[10, text.len() as u8], text.as_bytes(), &[21], &score.to_le_bytes(), &[24, kind]].concat()
        };
        message(&[
            (1, &piece("<unk>", 0.0, 2)),
            (1, &piece("▁a", -1.5, 1)),
            (2, &[24, 2]),
            (3, &[10, 1, b'x', 24, 1, 32, 0]),
        ])
    }

    #[test]
    fn tokens_and_settings_are_read() {
        let file = read(&sample()).unwrap();
        assert_eq!(file.algorithm, Algorithm::Bpe);
        assert_eq!((file.tokens[1].text.as_str(), file.tokens[1].score), ("▁a", -1.5));
        assert_eq!(file.tokens[0].kind, TokenKind::Unknown);
        assert!(file.normalization.space_prefix && !file.normalization.merge_spaces);
        assert!(read(b"IQ== 0\nIg== 1\n").err().unwrap().contains("tiktoken"));
    }

    #[test]
    fn no_damage_panics() {
        let bytes = sample();
        for i in 0..bytes.len() {
            let _ = read(&bytes[..i]);
            for flip in [1, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[i] ^= flip;
                let _ = read(&broken);
            }
        }
    }
}
