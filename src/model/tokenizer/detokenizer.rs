//! Tokens back to text, one at a time, never half a character.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::sentence_piece::byte_token;
use super::{Added, Tokenizer};

/// How tokens are written in the vocabulary, and so how they become text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Each character stands for a byte (GPT-2).
    ByteLevel,
    /// `▁` is a space, `<0x0A>` a byte; with `strip`, a text loses one leading space.
    SentencePiece { strip: bool },
    /// A space stands before each token but the first and those that begin with `joins`; with `tidy`,
    /// none before punctuation.
    Words { joins: Option<String>, tidy: bool },
    /// The token ends with this where a word ends.
    WordEnd(String),
    /// Bytes as Python writes them (`\n`, `\xff`).
    Escaped,
}

impl Spelling {
    /// What the `decoder` of a `tokenizer.json` says.
    pub fn of_json(decoder: &Json) -> Result<Spelling, String> {
        let steps = match decoder["type"].as_str() {
            Some("Sequence") => decoder["decoders"].as_array().map(Vec::as_slice).unwrap_or_default(),
            _ => std::slice::from_ref(decoder),
        };
        let text = |step: &Json, key: &str, default: &str| step[key].as_str().unwrap_or(default).to_owned();
        let mut spelling = None;
        let mut strip = false;
        for step in steps {
            match step["type"].as_str() {
                None if step.is_null() => spelling = Some(Spelling::Words { joins: None, tidy: false }),
                Some("ByteLevel") => spelling = Some(Spelling::ByteLevel),
                Some("WordPiece") => {
                    let tidy = step["cleanup"].as_bool().unwrap_or(true);
                    spelling = Some(Spelling::Words { joins: Some(text(step, "prefix", "##")), tidy });
                }
                Some("BPEDecoder") => spelling = Some(Spelling::WordEnd(text(step, "suffix", "</w>"))),
                Some("Metaspace") => {
                    spelling = Some(Spelling::SentencePiece { strip: false });
                    strip = step["prepend_scheme"] != "never" && step["add_prefix_space"] != false;
                }
                Some("Replace") if step["pattern"]["String"] == "▁" => {
                    spelling = Some(Spelling::SentencePiece { strip: false });
                }
                Some("Strip") => strip = step["start"].as_u64().unwrap_or(0) > 0,
                Some("ByteFallback" | "Fuse") => {}
                other => return Err(format!("its decoder {} is not supported", other.unwrap_or("without a type"))),
            }
        }
        match spelling {
            Some(Spelling::SentencePiece { .. }) => Ok(Spelling::SentencePiece { strip }),
            Some(spelling) => Ok(spelling),
            None => Ok(Spelling::SentencePiece { strip }),
        }
    }
}

impl Spelling {
    /// The bytes of a token that is not an added one. What depends on its neighbours is left as it is spelled.
    pub fn bytes(&self, piece: &str) -> Vec<u8> {
        match self {
            Spelling::ByteLevel => {
                let bytes = piece.chars().map(byte_of_character).collect::<Option<Vec<u8>>>();
                bytes.unwrap_or_else(|| piece.as_bytes().to_vec())
            }
            Spelling::SentencePiece { .. } => match byte_token(piece) {
                Some(byte) => vec![byte],
                None => piece.replace('▁', " ").into_bytes(),
            },
            Spelling::Escaped => unescape(piece),
            Spelling::Words { .. } | Spelling::WordEnd(_) => piece.as_bytes().to_vec(),
        }
    }
}

/// Text that grows by tokens. A character whose bytes are spread over tokens waits for its last.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// Bytes that do not end a character yet.
    pending: Vec<u8>,
    /// Whether no text came before.
    begins: bool,
    /// Whether control tokens are shown as they are written.
    shows_control: bool,
}

impl<'a> Detokenizer<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, begins: bool, shows_control: bool) -> Self {
        Detokenizer { tokenizer, pending: Vec::new(), begins, shows_control }
    }

    /// Adds a token; returns the characters that are now whole.
    pub fn push(&mut self, id: u32) -> String {
        let Some(piece) = self.tokenizer.piece(id) else {
            return String::new();
        };
        let added = self.tokenizer.added.get(&id);
        if added == Some(&Added::Special) && !self.shows_control {
            return String::new();
        }
        let begins = std::mem::replace(&mut self.begins, false);
        match &self.tokenizer.spelling {
            Spelling::Words { joins, tidy } => {
                let joined = joins.as_ref().and_then(|joins| piece.strip_prefix(joins.as_str()));
                let text = match joined {
                    _ if begins => piece.to_owned(),
                    Some(rest) => rest.to_owned(),
                    None => format!(" {piece}"),
                };
                let text = if *tidy { without_spaces_before_punctuation(&text) } else { text };
                self.pending.extend_from_slice(text.as_bytes());
            }
            _ if added.is_some() => self.pending.extend_from_slice(piece.as_bytes()),
            Spelling::WordEnd(suffix) => {
                // The space after a word comes with the next one.
                let before = std::mem::take(&mut self.pending);
                match piece.strip_suffix(suffix.as_str()) {
                    Some(word) => self.pending.extend_from_slice(format!("{word} ").as_bytes()),
                    None => self.pending.extend_from_slice(piece.as_bytes()),
                }
                let mut text = String::from_utf8_lossy(&before).into_owned();
                text.push_str(&self.whole());
                if text.ends_with(' ') {
                    text.pop();
                    self.pending.push(b' ');
                }
                return text;
            }
            spelling => {
                let bytes = spelling.bytes(piece);
                let strip = begins && *spelling == Spelling::SentencePiece { strip: true };
                self.pending.extend_from_slice(bytes.strip_prefix(b" ").filter(|_| strip).unwrap_or(&bytes));
            }
        }
        self.whole()
    }

    /// What is left at the end: bytes that never became a character are shown as U+FFFD.
    pub fn finish(&mut self) -> String {
        let pending = std::mem::take(&mut self.pending);
        if matches!(self.tokenizer.spelling, Spelling::WordEnd(_)) {
            return String::new();
        }
        String::from_utf8_lossy(&pending).into_owned()
    }

    /// Takes the whole characters off the front; bytes that cannot begin one become U+FFFD.
    fn whole(&mut self) -> String {
        let mut out = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.push_str(text);
                    self.pending.clear();
                    return out;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    out.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    match error.error_len() {
                        Some(bad) => {
                            out.push('\u{fffd}');
                            self.pending.drain(..valid + bad);
                        }
                        None => {
                            self.pending.drain(..valid);
                            return out;
                        }
                    }
                }
            }
        }
    }
}

/// The clean-up of Hugging Face's WordPiece decoder, a token at a time.
fn without_spaces_before_punctuation(token: &str) -> String {
    const TIDY: &[(&str, &str)] = &[
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    TIDY.iter().fold(token.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The bytes of a token of RWKV's, which llama.cpp's converter writes as Python's `repr` does.
pub(super) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some((kind, after)) = rest.split_first() else { break };
        rest = after;
        match kind {
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'x' => {
                let digits = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                out.extend(digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()));
                rest = rest.get(2..).unwrap_or_default();
            }
            other => out.push(*other),
        }
    }
    out
}

/// The byte that a character of a byte-level vocabulary stands for, by GPT-2's table
/// (<https://github.com/openai/gpt-2/blob/master/src/encoder.py>, `bytes_to_unicode`).
fn byte_of_character(c: char) -> Option<u8> {
    match u32::from(c) {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => Some(u32::from(c) as u8),
        _ => BYTES.iter().position(|known| *known == c).map(|byte| byte as u8),
    }
}

/// The character that stands for a byte.
pub(super) fn byte_level_character(byte: u8) -> char {
    BYTES[usize::from(byte)]
}

/// The character of each byte: printable Latin-1 bytes are themselves, the others follow from U+0100.
static BYTES: LazyLock<Vec<char>> = LazyLock::new(|| {
    let mut next = 0x100;
    (0..=255u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).expect("U+0100 to U+0143 are characters")
            }
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_level_characters_are_gpt2s() {
        assert_eq!("ĠĊaŃ".chars().map(byte_of_character).collect::<Option<Vec<u8>>>().unwrap(), b" \na\xad");
        assert_eq!(byte_of_character('本'), None);
        assert!((0..=255).all(|byte| byte_of_character(byte_level_character(byte)) == Some(byte)));
    }

    #[test]
    fn escapes_are_pythons() {
        assert_eq!(unescape(r"a\n\t\xff\\\'é"), [b"a\n\t\xff\\'".as_slice(), "é".as_bytes()].concat());
        assert_eq!(unescape(r"\x"), b"");
        assert_eq!(unescape("\\"), b"");
    }

    #[test]
    fn decoders_say_how_tokens_are_spelled() {
        let spelling = |json: &str| Spelling::of_json(&serde_json::from_str(json).unwrap());
        let llama = r#"{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#;
        assert_eq!(spelling(llama), Ok(Spelling::SentencePiece { strip: true }));
        let never = r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true}"#;
        assert_eq!(spelling(never), Ok(Spelling::SentencePiece { strip: false }));
        let bert = r###"{"type": "WordPiece", "prefix": "##", "cleanup": false}"###;
        assert_eq!(spelling(bert), Ok(Spelling::Words { joins: Some("##".to_owned()), tidy: false }));
        assert!(spelling(r#"{"type": "CTC"}"#).unwrap_err().contains("CTC"));
    }
}
