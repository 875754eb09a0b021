//! A model's text is data: characters that a terminal would obey become visible ones.

/// `text` with nothing that a terminal obeys. Lines and tabs stay; a carriage return goes.
pub fn neutralize(text: &str) -> String {
    text.chars().filter(|c| *c != '\r').map(harmless).collect()
}

fn harmless(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // Control Pictures have a symbol for each.
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if commands_terminals(c) => '\u{fffd}',
        c => c,
    }
}

/// C1 controls and the characters that turn the direction of text.
pub fn commands_terminals(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(neutralize("a\x1b[31mb\r\n\tc\u{9b}d\u{202e}e\x07\x7f"), "a␛[31mb\n\tc\u{fffd}d\u{fffd}e␇␡");
    }
}
