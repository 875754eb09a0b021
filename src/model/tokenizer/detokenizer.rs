//! Tokens back to text, one at a time, never half a character.

use std::sync::LazyLock;

use super::{Added, Spelling, Tokenizer};

/// Text that grows by tokens. A character whose bytes are spread over tokens waits for its last.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// Bytes that do not end a character yet.
    pending: Vec<u8>,
    strip_space: bool,
}

impl<'a> Detokenizer<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, strip_space: bool) -> Self {
        Detokenizer { tokenizer, pending: Vec::new(), strip_space }
    }

    /// Adds a token; returns the characters that are now whole.
    pub fn push(&mut self, id: u32) -> String {
        let Some(piece) = self.tokenizer.piece(id) else {
            return String::new();
        };
        match (self.tokenizer.added.get(&id), self.tokenizer.spelling) {
            (Some(Added::Special), _) => return String::new(),
            (Some(Added::Plain), _) => self.pending.extend_from_slice(piece.as_bytes()),
            (None, Spelling::ByteLevel) => self.pending.extend(piece.chars().flat_map(byte_level_bytes)),
            (None, Spelling::SentencePiece) => match byte_token(piece) {
                Some(byte) => self.pending.push(byte),
                None => self.pending.extend_from_slice(piece.replace('▁', " ").as_bytes()),
            },
        }
        if std::mem::take(&mut self.strip_space) && self.pending.first() == Some(&b' ') {
            self.pending.remove(0);
        }
        self.whole()
    }

    /// What is left at the end: bytes that never became a character are shown as U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
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

/// The byte of a SentencePiece token like `<0x0A>`.
fn byte_token(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok())?
}

/// The bytes that a character of a byte-level vocabulary stands for: itself where GPT-2's table
/// (<https://github.com/openai/gpt-2/blob/master/src/encoder.py>, `bytes_to_unicode`) has no byte.
fn byte_level_bytes(c: char) -> Vec<u8> {
    match BYTES.iter().position(|known| *known == c) {
        Some(byte) => vec![byte as u8],
        None => c.to_string().into_bytes(),
    }
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
    fn byte_tokens_are_read() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        assert_eq!(byte_token("<0xzz>"), None);
        assert_eq!(byte_token("<s>"), None);
    }

    #[test]
    fn byte_level_characters_are_gpt2s() {
        assert_eq!(byte_level_bytes('Ġ'), b" ");
        assert_eq!(byte_level_bytes('Ċ'), b"\n");
        assert_eq!(byte_level_bytes('a'), b"a");
        assert_eq!(byte_level_bytes('Ń'), [0xad]);
        assert_eq!(byte_level_bytes('本'), "本".as_bytes());
    }
}
