//! OSC 52: text for the clipboard of whoever sits before the terminal, through SSH and multiplexers.
//!
//! tmux takes OSC 52 of programs only with `set-clipboard on`, and passes it on wrapped only with `allow-passthrough on`
//! (until 3.2 always): it gets both, and sets the same text at most twice. GNU screen passes on nothing but device control
//! strings, of 768 bytes at most.

use std::io;

use super::abilities::Multiplexer;

/// xterm and the terminals after it take no more of base64.
const LONGEST_BASE64_BYTES: usize = 100_000;
const SCREEN_CHUNK_BYTES: usize = 500;

/// The sequence that puts `text` on the clipboard. Fails if `text` is longer than terminals take.
pub(super) fn copying(text: &str, multiplexer: Multiplexer) -> io::Result<Vec<u8>> {
    let encoded = base64(text.as_bytes());
    if encoded.len() > LONGEST_BASE64_BYTES {
        let most = LONGEST_BASE64_BYTES / 4 * 3;
        let message = format!("{} bytes are too many for a terminal's clipboard, which takes {most}", text.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let plain = format!("\x1b]52;c;{encoded}\x07");
    Ok(match multiplexer {
        Multiplexer::None => plain,
        Multiplexer::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        Multiplexer::Screen => {
            // Everything here is ASCII, so that chunks are text too.
            let chunks = plain.as_bytes().chunks(SCREEN_CHUNK_BYTES).map(String::from_utf8_lossy);
            chunks.map(|chunk| format!("\x1bP{chunk}\x1b\\")).collect()
        }
    }
    .into_bytes())
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| bits << 8 | u32::from(group.get(i).copied().unwrap_or(0)));
        for letter in 0..4 {
            let index = (bits >> (18 - 6 * letter)) as usize & 63;
            text.push(if letter <= group.len() { char::from(LETTERS[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, multiplexer: Multiplexer) -> String {
        String::from_utf8(copying(text, multiplexer).unwrap()).unwrap()
    }

    #[test]
    fn text_becomes_base64_as_the_rfc_has_it() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }

    #[test]
    fn each_multiplexer_is_wrapped_for_as_it_wants() {
        assert_eq!(of("foo", Multiplexer::None), "\x1b]52;c;Zm9v\x07");
        let tmux = "\x1b]52;c;Zm9v\x07\x1bPtmux;\x1b\x1b]52;c;Zm9v\x07\x1b\\";
        assert_eq!(of("foo", Multiplexer::Tmux), tmux);
        let long = of(&"x".repeat(3_000), Multiplexer::Screen);
        let chunks: Vec<&str> = long.split("\x1bP").skip(1).collect();
        assert_eq!(chunks.len(), 9);
        assert!(chunks.iter().all(|chunk| chunk.ends_with("\x1b\\") && chunk.len() <= 502));
        assert_eq!(
            chunks.concat().replace("\x1b\\", ""),
            of(&"x".repeat(3_000), Multiplexer::None)[1..].to_owned().replacen("", "\x1b", 1)
        );
    }

    #[test]
    fn what_no_terminal_takes_is_refused_with_the_numbers() {
        assert!(copying(&"x".repeat(75_000), Multiplexer::None).is_ok());
        let error = copying(&"x".repeat(75_001), Multiplexer::None).unwrap_err();
        assert!(error.to_string().contains("75001 bytes"), "{error}");
    }
}
