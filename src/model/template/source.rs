//! A template's source, made fit for minijinja where no filter or function can do what Jinja2 does.

use std::ops::Range;

/// Rewrites, tag by tag:
///
/// - `{% generation %}`, which marks what a trainer counts, to nothing;
/// - `{% for x in Y %}` to `(Y) | _iterated`, which refuses `None`;
/// - `'text' % Y` to `'text' | _percent(Y)`;
/// - `X | safe + Y` to `X | safe | _plus(Y)`, which escapes.
///
/// The line break after `{% raw %}` is doubled where minijinja would trim it.
pub fn prepare(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    let mut at = 0;
    while let Some(start) = source[at..].find('{').map(|found| at + found) {
        out.push_str(&source[at..start]);
        let rest = &source[start..];
        let end = if rest.starts_with("{#") {
            rest.find("#}").map(|end| start + end + 2)
        } else if rest.starts_with("{%") || rest.starts_with("{{") {
            tag(source, start, &mut out)
        } else {
            out.push('{');
            at = start + 1;
            continue;
        };
        // A tag that does not end is minijinja's to tell.
        let Some(end) = end else {
            out.push_str(rest);
            return out;
        };
        if rest.starts_with("{#") {
            out.push_str(&source[start..end]);
        }
        at = end;
    }
    out.push_str(&source[at..]);
    out
}

/// A token inside a tag.
struct Token {
    range: Range<usize>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Word,
    Open,
    Close,
    Sign,
}

/// What is put in place of a range of the source.
type Edit = (Range<usize>, &'static str);

/// Writes the tag at `start`; returns where it ends.
fn tag(source: &str, start: usize, out: &mut String) -> Option<usize> {
    let close = if source[start..].starts_with("{%") { "%}" } else { "}}" };
    let (tokens, end) = tokens(source, start + 2, close)?;
    let tag = Tag { source, tokens };
    // `{%-` and `-%}` count as signs.
    let first = usize::from(matches!(tag.word(0), "-" | "+"));
    let mut edits = Vec::new();
    if close == "%}" {
        match tag.word(first) {
            "generation" | "endgeneration" => {
                out.push_str(if tag.word(0) == "-" { "{%- if true %}{% endif " } else { "{% if true %}{% endif " });
                out.push_str(if source[..end - 2].ends_with('-') { "-%}" } else { "%}" });
                return Some(end);
            }
            "raw" => {
                let inside = end;
                let end = raw_end(source, inside)?;
                out.push_str(&source[start..inside]);
                // Jinja2 keeps the line break after it; minijinja trims one.
                if source[inside..].starts_with('\n') {
                    out.push('\n');
                }
                out.push_str(&source[inside..end]);
                return Some(end);
            }
            "for" => tag.iterated(first + 1, &mut edits),
            _ => {}
        }
    }
    tag.operators(&mut edits);
    // Where two meet, what ends comes before what begins.
    edits.sort_by_key(|(range, text)| (range.start, *text != ")"));
    let mut at = start;
    for (range, text) in edits {
        out.push_str(&source[at..range.start]);
        out.push_str(text);
        at = range.end;
    }
    out.push_str(&source[at..end]);
    Some(end)
}

struct Tag<'a> {
    source: &'a str,
    tokens: Vec<Token>,
}

impl Tag<'_> {
    fn word(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |t| &self.source[t.range.clone()])
    }

    fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    /// `for TARGETS in LIST [if CONDITION] [recursive]`.
    fn iterated(&self, from: usize, edits: &mut Vec<Edit>) {
        let Some(list) = (from..self.tokens.len()).find(|i| self.word(*i) == "in").map(|i| i + 1) else { return };
        let mut end = list;
        while end < self.tokens.len() && !matches!(self.word(end), "if" | "recursive") {
            end = self.after(end);
        }
        // The sign of `-%}` is no part of it.
        if end == self.tokens.len() && matches!(self.word(end - 1), "-" | "+") {
            end -= 1;
        }
        if end > list {
            let (start, end) = (self.tokens[list].range.start, self.tokens[end - 1].range.end);
            edits.push((start..start, "("));
            edits.push((end..end, ") | _iterated"));
        }
    }

    fn operators(&self, edits: &mut Vec<Edit>) {
        let mut i = 1;
        while i < self.tokens.len() {
            if self.word(i) == "%" && self.kind(i - 1) == Some(Kind::Text) {
                self.filter(i, self.operand(i + 1), " | _percent(", edits);
            }
            while self.word(i) == "+" && i > 1 && self.kind(i) == Some(Kind::Sign) {
                let safe = matches!(self.word(i - 1), "safe" | "e" | "escape") && self.word(i - 2) == "|";
                let chained = edits.last().is_some_and(|(range, _)| range.start == self.tokens[i - 1].range.end);
                if !safe && !chained {
                    break;
                }
                let mut end = self.operand(i + 1);
                while matches!(self.word(end), "*" | "/" | "//" | "%" | "**") {
                    end = self.operand(end + 1);
                }
                self.filter(i, end, " | _plus(", edits);
                // What is inside the operand is left as it is; the sum may go on after it.
                i = end.max(i + 1);
            }
            i += 1;
        }
    }

    /// Puts the tokens between `sign` and `end` in the parentheses of a filter in the sign's place.
    fn filter(&self, sign: usize, end: usize, name: &'static str, edits: &mut Vec<Edit>) {
        if end > sign + 1 {
            let close = self.tokens[end - 1].range.end;
            edits.push((self.tokens[sign].range.clone(), name));
            edits.push((close..close, ")"));
        }
    }

    /// The index after the operand at `i`: a value, and what is attached to it.
    fn operand(&self, i: usize) -> usize {
        if !matches!(self.kind(i), Some(Kind::Text | Kind::Word | Kind::Open)) {
            return i;
        }
        let mut i = self.after(i);
        loop {
            match (self.word(i), self.kind(i)) {
                ("." | "|", _) if self.kind(i + 1) == Some(Kind::Word) => i += 2,
                ("(" | "[", _) => i = self.after(i),
                (_, Some(Kind::Text)) => i += 1,
                _ => return i,
            }
        }
    }

    /// The index after the token at `i`, or after the bracket that it opens.
    fn after(&self, i: usize) -> usize {
        let mut depth = 0usize;
        let mut i = i;
        loop {
            match self.kind(i) {
                None => return i,
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
            i += 1;
            if depth == 0 {
                return i;
            }
        }
    }
}

/// The tokens of a tag whose inside begins at `at`, and where the tag ends.
fn tokens(source: &str, mut at: usize, close: &str) -> Option<(Vec<Token>, usize)> {
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    loop {
        let rest = source.get(at..)?;
        let c = rest.chars().next()?;
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if rest.starts_with(close) && (depth == 0 || close == "%}") {
            return Some((tokens, at + 2));
        }
        let (kind, length) = match c {
            '\'' | '"' => (Kind::Text, text_length(rest, c)?),
            '(' | '[' | '{' => (Kind::Open, 1),
            ')' | ']' | '}' => (Kind::Close, 1),
            c if c.is_alphanumeric() || c == '_' => {
                (Kind::Word, rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()))
            }
            _ if rest.starts_with("//") || rest.starts_with("**") => (Kind::Sign, 2),
            c => (Kind::Sign, c.len_utf8()),
        };
        match kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(Token { range: at..at + length, kind });
        at += length;
    }
}

/// The length of a text with its quotes.
fn text_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where the `{% endraw %}` after `at` ends.
fn raw_end(source: &str, at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let start = from + source[from..].find("{%")?;
        let inside = source[start + 2..].trim_start_matches(['-', '+']).trim_start();
        if inside.starts_with("endraw") {
            return Some(start + source[start..].find("%}")? + 2);
        }
        from = start + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_help_stays_as_it_is() {
        for source in [
            "a { b {{ x }} {# for x in y #} {%- if a % 2 -%} {{ {'a': {'b': '}}'}} }}",
            "{% raw %}{% for x in y %}{% endraw %}",
            "{{ 'a' + b | safe ~ c }} {{ unclosed",
            "{{ 'it\\'s }}' }}{% set x = \"%}\" %}",
        ] {
            assert_eq!(prepare(source), source);
        }
    }

    #[test]
    fn operators_become_filters_with_their_operands() {
        assert_eq!(prepare("{%- for a, b in x.items() if a -%}"), "{%- for a, b in (x.items()) | _iterated if a -%}");
        assert_eq!(prepare("{% for x in [1, 2][::-1] -%}"), "{% for x in ([1, 2][::-1]) | _iterated -%}");
        assert_eq!(prepare("{{ '%s' % x.y[0] ~ z }}"), "{{ '%s'  | _percent( x.y[0]) ~ z }}");
        assert_eq!(
            prepare("{{ 'a'|safe + b['c'] + 'd'|safe + e | tojson() + f * 2 }}"),
            "{{ 'a'|safe  | _plus( b['c'])  | _plus( 'd'|safe)  | _plus( e | tojson())  | _plus( f * 2) }}"
        );
    }

    #[test]
    fn generation_tags_leave_their_trimming() {
        assert_eq!(prepare("{%- generation -%}"), "{%- if true %}{% endif -%}");
        assert_eq!(prepare("{% endgeneration %}"), "{% if true %}{% endif %}");
    }
}
