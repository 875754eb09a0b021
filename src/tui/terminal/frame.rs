//! What a view draws into, and the check that a link's address passes before a terminal sees it.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Longest address that is passed on, in bytes; VTE stops at 2,083.
const LONGEST_ADDRESS_BYTES: usize = 2_000;

/// One picture in the making.
pub struct Frame<'a> {
    /// All of `buffer`.
    pub area: Rect,
    pub buffer: &'a mut Buffer,
    /// Column and row of the cursor, from 0; `None` hides it.
    pub cursor: Option<(u16, u16)>,
    pub links: Vec<Link>,
}

/// Cells of one row that lead to `url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub row: u16,
    pub columns: Range<u16>,
    pub url: String,
}

impl<'a> Frame<'a> {
    /// A frame over all of `buffer`, without a cursor or links.
    pub fn new(buffer: &'a mut Buffer) -> Frame<'a> {
        Frame { area: buffer.area, buffer, cursor: None, links: Vec::new() }
    }
}

/// `url` as OSC 8 may carry it: printable ASCII, the rest percent-encoded. `None` for an address that is too long or that
/// is no http, https, mailto or file address: the text may be a model's, and a click on it runs a program.
pub(super) fn safe_address(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let known = ["http", "https", "mailto", "file"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if !known || rest.is_empty() || url.len() > LONGEST_ADDRESS_BYTES {
        return None;
    }
    let mut safe = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            0x21..=0x7e => safe.push(char::from(byte)),
            byte => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    (safe.len() <= LONGEST_ADDRESS_BYTES).then_some(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printable_ascii_when_a_terminal_sees_it() {
        assert_eq!(safe_address("https://a.b/c?d=e;f#g").as_deref(), Some("https://a.b/c?d=e;f#g"));
        assert_eq!(safe_address("https://a/ü x").as_deref(), Some("https://a/%C3%BC%20x"));
        assert_eq!(safe_address("http://a/\x1b\\\x07\n").as_deref(), Some("http://a/%1B\\%07%0A"));
    }

    #[test]
    fn an_address_that_runs_something_or_is_too_long_is_no_link() {
        for url in ["javascript:alert(1)", "https:", "no scheme", "x-man-page://ls", ""] {
            assert_eq!(safe_address(url), None, "{url}");
        }
        assert!(safe_address(&format!("https://a/{}", "b".repeat(1_990))).is_some());
        assert_eq!(safe_address(&format!("https://a/{}", "b".repeat(1_991))), None);
        assert_eq!(safe_address(&format!("https://a/{}", "ü".repeat(400))), None, "2,400 bytes once encoded");
    }
}
