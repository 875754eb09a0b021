//! RWKV's vocabulary, `rwkv_vocab_v20230424.txt`: a line a token, `id 'text as Python writes it' bytes`
//! (<https://github.com/BlinkDL/RWKV-LM>, `rwkv_tokenizer.py`).

/// Ids and bytes of the tokens.
pub(super) fn read(text: &str) -> Result<Vec<(u32, Vec<u8>)>, String> {
    let mut tokens = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.is_empty()) {
        let token = token(line).ok_or_else(|| format!("line {number} is not an id, a Python text and its length"))?;
        tokens.push(token);
    }
    Ok(tokens)
}

fn token(line: &str) -> Option<(u32, Vec<u8>)> {
    let (id, rest) = line.split_once(' ')?;
    let (literal, len) = rest.rsplit_once(' ')?;
    let bytes = python_literal(literal)?;
    let id = id.parse().ok().filter(|id| *id < 1 << 24)?;
    (bytes.len() == len.trim_end().parse::<usize>().ok()?).then_some((id, bytes))
}

/// The bytes of `'…'`, `"…"` or `b'…'`.
fn python_literal(literal: &str) -> Option<Vec<u8>> {
    let (is_bytes, quoted) = match literal.strip_prefix('b') {
        Some(quoted) => (true, quoted),
        None => (false, literal),
    };
    let quote = quoted.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = quoted.get(1..)?.strip_suffix(quote)?;
    let mut out = Vec::new();
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let mut chars = inner.chars();
    let mut raw = Vec::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(c);
            raw.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let kind = chars.next()?;
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let code = match kind {
            'n' => 10,
            't' => 9,
            'r' => 13,
            '\\' | '\'' | '"' => u32::from(kind),
            'x' | 'u' | 'U' => {
                let hex = chars.as_str().get(..digits)?;
                chars = chars.as_str()[digits..].chars();
                u32::from_str_radix(hex, 16).ok()?
            }
            _ => return None,
        };
        raw.push(code as u8);
        push(char::from_u32(code)?);
    }
    Some(if is_bytes { raw } else { out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_literals_are_read() {
        let lines = "1 '\\x00' 1\n2 \"'\" 1\n3 b'\\xe2\\x80' 2\n4 '\\u3000' 3\n5 ' \\n\\\\' 3\n6 'é ' 3\n";
        let tokens = read(lines).unwrap();
        let bytes: Vec<&[u8]> = tokens.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(bytes, [b"\0", b"'".as_slice(), b"\xe2\x80", b"\xe3\x80\x80", b" \n\\", b"\xc3\xa9 "]);
        for wrong in ["1 'ab' 1", "x 'a' 1", "1 a 1", "1 '\\q' 1", "1 '\\x", "1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
