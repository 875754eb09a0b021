//! Which addresses become links, and addresses that stand bare in a text.

use super::block::{Inlines, Look};

/// Terminals take no longer address (VTE: 2083 bytes); each row of a link holds a copy.
const MAX_URL_BYTES: usize = 2000;

/// Whether a terminal may be asked to open `url`. Everything else (`javascript:`, paths, anchors) stays text.
pub fn may_open(url: &str) -> bool {
    let schemes = ["http://", "https://", "mailto:", "file:"];
    url.len() <= MAX_URL_BYTES && schemes.iter().any(|scheme| starts_with_ignoring_case(url, scheme))
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Turns bare addresses in `inlines` into links, as GitHub's extended autolinks do
/// (<https://github.github.com/gfm/#autolinks-extension->): what starts with `http://`, `https://` or `www.`.
pub fn link_bare_addresses(inlines: &mut Inlines) {
    let found = bare_addresses(inlines);
    if found.is_empty() {
        return;
    }
    let old = std::mem::take(&mut inlines.runs);
    let mut found = found.into_iter().peekable();
    let mut at = 0;
    for run in old {
        while at < run.end {
            while found.peek().is_some_and(|(_, end)| *end <= at) {
                found.next();
            }
            let (end, look) = match found.peek() {
                Some((start, _)) if *start > at => (run.end.min(*start), run.look),
                Some((start, end)) => {
                    let url = inlines.text.get(*start..*end).unwrap_or_default();
                    let url =
                        if starts_with_ignoring_case(url, "www.") { format!("http://{url}") } else { url.to_owned() };
                    if at == *start {
                        inlines.links.push(url);
                    }
                    (run.end.min(*end), Look { link: inlines.links.len().checked_sub(1), ..run.look })
                }
                None => (run.end, run.look),
            };
            inlines.end_run(end, look);
            at = end;
        }
    }
}

/// Start and end (bytes) of each.
fn bare_addresses(inlines: &Inlines) -> Vec<(usize, usize)> {
    let text = inlines.text.as_str();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (span, look) in inlines.spans() {
        if look.code || look.link.is_some() {
            continue;
        }
        let mut from = span.start.max(found.last().map_or(0, |(_, end)| *end));
        while let Some(start) = next_start(text, from, span.end) {
            let end = address_end(text, start);
            from = start + 1;
            if let Some(end) = end.filter(|end| is_free(inlines, start, *end)) {
                found.push((start, end));
                from = end;
            }
        }
    }
    found
}

fn next_start(text: &str, from: usize, end: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(..end)?;
    (from..end).find(|at| {
        let here = &bytes[*at..];
        let starts = match here[0] {
            b'h' | b'H' => ["http://", "https://"].iter().any(|scheme| starts(here, scheme)),
            b'w' | b'W' => starts(here, "www."),
            _ => false,
        };
        starts && !text[..*at].chars().next_back().is_some_and(char::is_alphanumeric)
    })
}

fn starts(bytes: &[u8], prefix: &str) -> bool {
    bytes.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Where the address that starts at byte `start` ends: not with the punctuation of the sentence around it.
fn address_end(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let stops = |c: char| c.is_whitespace() || "<>\"`、。，；：！？（）「」《》】".contains(c);
    let (mut end, mut opened, mut closed) = (0, 0_usize, 0_usize);
    for (at, c) in rest.char_indices().take_while(|(_, c)| !stops(*c)) {
        end = at + c.len_utf8();
        if end > MAX_URL_BYTES {
            return None;
        }
        opened += usize::from(c == '(');
        closed += usize::from(c == ')');
    }
    let mut url = &rest[..end];
    loop {
        match url.chars().next_back()? {
            ')' if closed > opened => closed -= 1,
            '?' | '!' | '.' | ',' | ':' | ';' | '*' | '_' | '~' | '\'' | '|' | ']' | '}' => {}
            _ => break,
        }
        url = &url[..url.len() - 1];
    }
    let host = url.split_once("//").map_or_else(|| url.get(4..), |(_, host)| Some(host))?;
    host.starts_with(|c: char| c.is_alphanumeric() || c == '[').then_some(start + url.len())
}

/// Whether nothing between the bytes is code or a link already.
fn is_free(inlines: &Inlines, start: usize, end: usize) -> bool {
    let first = inlines.runs.partition_point(|run| run.end <= start);
    let mut from = inlines.runs.get(first.wrapping_sub(1)).map_or(0, |run| run.end);
    for run in &inlines.runs[first..] {
        if from >= end {
            break;
        }
        if run.look.code || run.look.link.is_some() {
            return false;
        }
        from = run.end;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(text: &str) -> Vec<(String, String)> {
        let mut inlines = Inlines::default();
        inlines.push(text, Look::default());
        link_bare_addresses(&mut inlines);
        let links = inlines.spans().filter_map(|(span, look)| Some((span, look.link?)));
        links.map(|(span, link)| (inlines.text[span].to_owned(), inlines.links[link].clone())).collect()
    }

    #[test]
    fn bare_addresses_end_before_the_punctuation_of_their_sentence() {
        let both = |text: &str, url: &str| vec![(text.to_owned(), url.to_owned())];
        assert_eq!(linked("see https://a.b/c_(d)?e=1."), both("https://a.b/c_(d)?e=1", "https://a.b/c_(d)?e=1"));
        assert_eq!(linked("(www.a.b)"), both("www.a.b", "http://www.a.b"));
        assert_eq!(linked("见 https://a.b。好"), both("https://a.b", "https://a.b"));
        assert_eq!(linked("xhttp://a.b http:// www."), []);
        assert_eq!(linked("http://a.b, http://c.d").len(), 2);
    }

    #[test]
    fn an_address_across_looks_is_one_link_and_code_is_left_alone() {
        let mut inlines = Inlines::default();
        inlines.push("http://a.b/", Look::default());
        inlines.push("x", Look { emphasis: true, ..Look::default() });
        inlines.push("/y ", Look::default());
        inlines.push("http://c.d", Look { code: true, ..Look::default() });
        link_bare_addresses(&mut inlines);
        assert_eq!(inlines.links, ["http://a.b/x/y"]);
        assert_eq!(inlines.spans().filter(|(_, look)| look.link.is_some()).count(), 3);
    }

    #[test]
    fn only_harmless_schemes_may_be_opened() {
        assert!(may_open("HTTPS://a.b") && may_open("mailto:a@b.c") && may_open("file:///etc/hosts"));
        assert!(!may_open("javascript:alert(1)") && !may_open("./a.md") && !may_open("中"));
    }
}
