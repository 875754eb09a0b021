//! Formulas are left as they are: `\(x\)`, `\[x\]` and `$$x$$` are not Markdown, though a Markdown parser takes the
//! backslashes away and reads `_`, `*` and lines that start with `=` or `-` in its own way. (Single dollars are the
//! parser's own: its option for math.)

use std::ops::Range;

use super::fence::Fence;

/// A formula longer than this is no formula.
const MAX_FORMULA_BYTES: usize = 4000;

/// The formulas in a Markdown text (bytes, in order, with their delimiters), outside of code. One over several lines
/// starts its line; one without an end counts when the text ends before the paragraph does: it is still coming.
pub fn formulas(source: &str) -> Vec<Range<usize>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 0;
    while at < bytes.len() {
        if at == line
            && let Some(end) = fenced_code_end(source, at)
        {
            (at, line) = (end, end);
            continue;
        }
        match bytes[at] {
            b'\n' => {
                at += 1;
                line = at;
            }
            b'`' => at = code_span_end(bytes, at),
            b'\\' | b'$' => match formula_end(source, line, at) {
                Some(end) => {
                    found.push(at..end);
                    line = source[..end].rfind('\n').map_or(line, |newline| newline + 1);
                    at = end;
                }
                None => at += if bytes[at] == b'\\' { 2 } else { 1 },
            },
            _ => at += 1,
        }
    }
    found
}

/// `source` with formulas made into words of as many bytes, so that only words are left for the parser to see.
pub fn masked(source: &str, formulas: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut at = 0;
    for formula in formulas {
        masked.push_str(&source[at..formula.start]);
        let line = source[..formula.start].rfind('\n').map_or(0, |newline| newline + 1);
        let quoted = source[line..formula.start].contains('>');
        let mut indent = false;
        for byte in source[formula.clone()].bytes() {
            let keeps =
                byte == b'\n' || byte == b'\r' || indent && (matches!(byte, b' ' | b'\t') || quoted && byte == b'>');
            masked.push(if keeps { char::from(byte) } else { 'x' });
            indent = byte == b'\n' || indent && keeps;
        }
        at = formula.end;
    }
    masked.push_str(&source[at..]);
    masked
}

fn formula_end(source: &str, line: usize, at: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let closer: &[u8] = match bytes.get(at..at + 2)? {
        b"\\(" => b"\\)",
        b"\\[" => b"\\]",
        b"$$" => b"$$",
        _ => return None,
    };
    let before = source.get(line..at)?;
    if closer[0] == b'\\' && before.ends_with(|c: char| c.is_alphanumeric() || c == '/') {
        return None;
    }
    // Over several lines only where it is set apart from the text.
    let set_apart = closer != b"\\)"
        && before.bytes().all(|b| matches!(b, b' ' | b'\t' | b'>' | b'-' | b'*' | b'+' | b'.' | b'0'..=b'9'));
    let in_table = before.trim_start().starts_with('|');
    let mut end = at + 2;
    let limit = bytes.len().min(at + MAX_FORMULA_BYTES);
    while end < limit {
        match bytes[end] {
            _ if bytes[end..].starts_with(closer) => return (end > at + 2).then_some(end + 2),
            b'\\' => end += 1,
            b'|' if in_table => return None,
            b'\n' if !set_apart || starts_something_else(source, end + 1) => return None,
            _ => {}
        }
        end += 1;
    }
    (set_apart && limit == bytes.len() && bytes.len() > at + 2).then_some(bytes.len())
}

/// Whether the line at byte `line` ends the paragraph: a blank line, or a fence.
fn starts_something_else(source: &str, line: usize) -> bool {
    let Some(rest) = source.get(line..) else { return false };
    let text = rest.split_once('\n').map(|(text, _)| text);
    text.is_some_and(|text| text.trim().is_empty()) || Fence::opening(rest.trim_start()).is_some()
}

/// Where the code block ends whose fence opens in the line at byte `line`.
fn fenced_code_end(source: &str, line: usize) -> Option<usize> {
    let text = source[line..].split('\n').next()?;
    let inner = text.trim_start_matches(|c: char| matches!(c, ' ' | '\t' | '>' | '-' | '*' | '+' | '.' | '0'..='9'));
    let fence = Fence::opening(inner)?;
    let mut end = line;
    for (i, line) in source[line..].split_inclusive('\n').enumerate() {
        end += line.len();
        if i > 0 && fence.is_closed_by(line.trim_start_matches([' ', '\t', '>'])) {
            break;
        }
    }
    Some(end)
}

/// Where the code span ends that starts with the backticks at byte `at`, or the backticks when they start none.
fn code_span_end(bytes: &[u8], at: usize) -> usize {
    let run = |from: usize| bytes[from..].iter().take_while(|b| **b == b'`').count();
    let ticks = run(at);
    let mut end = at + ticks;
    let limit = bytes.len().min(end + MAX_FORMULA_BYTES);
    while end < limit && !bytes[end..].starts_with(b"\n\n") {
        let here = run(end);
        if here == ticks {
            return end + here;
        }
        end += here.max(1);
    }
    at + ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<&str> {
        formulas(source).into_iter().map(|span| &source[span]).collect()
    }

    #[test]
    fn formulas_are_found_outside_of_code() {
        assert_eq!(found(r"a \(x_1*y\) and \\(no\\) `\(code\)` $$z$$"), [r"\(x_1*y\)", "$$z$$"]);
        assert_eq!(found("\\[\nx\n= y\n\\]\n\nz"), ["\\[\nx\n= y\n\\]"]);
        assert_eq!(found("```\n\\(a\\)\n```\n\\(b\\)"), ["\\(b\\)"]);
        assert_eq!(found("| $$ | a |\n| $$$ | b |"), Vec::<&str>::new());
        assert_eq!(found("an open \\(x\n\nand more\\)"), Vec::<&str>::new());
        assert_eq!(found("$$\nx\n- y"), ["$$\nx\n- y"]);
    }

    #[test]
    fn masking_keeps_bytes_and_lines() {
        let source = "> $$\n> é_1\n>   = 2\n> $$ _a_";
        let masked = masked(source, &formulas(source));
        assert_eq!(masked, "> xx\n> xxxx\n>   xxx\n> xx _a_");
        assert_eq!(masked.len(), source.len());
    }
}
