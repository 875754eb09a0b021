//! Added tokens: found in the text before anything else cuts it.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use tokenizers::AddedToken;

/// Finds added tokens, leftmost first and the longest of those, as Hugging Face's `tokenizers` does.
pub(super) struct Matcher {
    special: Set,
    plain: Set,
}

/// One automaton, and what its patterns are.
struct Set {
    automaton: Option<AhoCorasick>,
    tokens: Vec<(u32, AddedToken)>,
}

/// A stretch of text: an added token, or what lies between two.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub range: Range<usize>,
    pub id: Option<u32>,
}

impl Matcher {
    /// `tokens`: the text to look for (which may be the normalized form of the content), the id and the token.
    pub fn new(tokens: Vec<(String, u32, AddedToken)>) -> Result<Matcher, String> {
        let (special, plain): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|(_, _, token)| token.special);
        Ok(Matcher { special: Set::new(special)?, plain: Set::new(plain)? })
    }

    /// Cuts `text` at the added tokens. A special token where `refused` says so (of a byte range) is text.
    pub fn cut(&self, text: &str, refused: impl Fn(Range<usize>) -> bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut done, mut from) = (0, 0);
        let (mut special, mut plain) = (self.special.find(text, 0, &refused), self.plain.find(text, 0, |_| false));
        loop {
            if special.as_ref().is_some_and(|found| found.0.start < from) {
                special = self.special.find(text, from, &refused);
            }
            if plain.as_ref().is_some_and(|found| found.0.start < from) {
                plain = self.plain.find(text, from, |_| false);
            }
            let first = |found: &(Range<usize>, &(u32, AddedToken))| (found.0.start, usize::MAX - found.0.end);
            let Some((range, (id, token))) = [&special, &plain].into_iter().flatten().min_by_key(|f| first(f)) else {
                break;
            };
            from = range.end;
            let (before, after) = (&text[..range.start], &text[range.end..]);
            let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if token.single_word && (word(before.chars().next_back()) || word(after.chars().next())) {
                continue;
            }
            let mut range = range.clone();
            if token.lstrip {
                range.start = before.trim_end().len().max(done);
            }
            if token.rstrip {
                range.end = text.len() - after.trim_start().len();
                from = range.end;
            }
            if done < range.start {
                pieces.push(Piece { range: done..range.start, id: None });
            }
            done = range.end;
            pieces.push(Piece { range, id: Some(*id) });
        }
        if done < text.len() {
            pieces.push(Piece { range: done..text.len(), id: None });
        }
        pieces
    }
}

impl Set {
    fn new(tokens: Vec<(String, u32, AddedToken)>) -> Result<Set, String> {
        let texts: Vec<&str> = tokens.iter().map(|(text, _, _)| text.as_str()).collect();
        let automaton = match texts.is_empty() {
            true => None,
            false => Some(
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(&texts)
                    .map_err(|e| format!("its added tokens: {e}"))?,
            ),
        };
        Ok(Set { automaton, tokens: tokens.into_iter().map(|(_, id, token)| (id, token)).collect() })
    }

    fn find(
        &self,
        text: &str,
        mut from: usize,
        refused: impl Fn(Range<usize>) -> bool,
    ) -> Option<(Range<usize>, &(u32, AddedToken))> {
        let automaton = self.automaton.as_ref()?;
        loop {
            let found = automaton.find(aho_corasick::Input::new(text).range(from..))?;
            if !found.range().is_empty() && !refused(found.range()) {
                return Some((found.range(), &self.tokens[found.pattern().as_usize()]));
            }
            // A shorter one may begin here and end before what is refused.
            let mut end = found.end() - 1;
            while let Some(shorter) = automaton.find(aho_corasick::Input::new(text).range(found.start()..end)) {
                if shorter.start() == found.start() && !refused(shorter.range()) {
                    return Some((shorter.range(), &self.tokens[shorter.pattern().as_usize()]));
                }
                end = shorter.end() - 1;
            }
            from = found.start() + text[found.start()..].chars().next()?.len_utf8();
        }
    }
}

/// Whether `range` touches one of the sorted or unsorted `ranges`.
pub(super) fn overlaps(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    ranges.iter().any(|r| r.start < range.end && range.start < r.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokens: &[(&str, AddedToken)], text: &str, untrusted: &[Range<usize>]) -> Vec<String> {
        let tokens = tokens.iter().zip(0..).map(|((text, token), id)| ((*text).to_owned(), id, token.clone()));
        let matcher = Matcher::new(tokens.collect()).unwrap();
        let pieces = matcher.cut(text, |range| overlaps(untrusted, &range));
        assert_eq!(pieces.iter().map(|p| &text[p.range.clone()]).collect::<String>(), text);
        let shown = |p: &Piece| match p.id {
            Some(id) => format!("{id}:{}", &text[p.range.clone()]),
            None => text[p.range.clone()].to_owned(),
        };
        pieces.iter().map(shown).collect()
    }

    fn special(text: &str) -> (&str, AddedToken) {
        (text, AddedToken::from(text, true))
    }

    fn plain(text: &str) -> (&str, AddedToken) {
        (text, AddedToken::from(text, false))
    }

    #[test]
    fn the_leftmost_and_longest_is_taken() {
        let tokens = [special("<a>"), special("<a><b>"), plain("<b>"), plain("a>")];
        assert_eq!(cut(&tokens, "x<a><b><b><a>y", &[]), ["x", "1:<a><b>", "2:<b>", "0:<a>", "y"]);
        assert_eq!(cut(&tokens, "", &[]), [""; 0]);
    }

    #[test]
    fn a_refused_special_token_is_text_and_a_plain_one_is_not() {
        let tokens = [special("<a>"), plain("<b>"), plain("a>")];
        assert_eq!(cut(&tokens, "<a><a><b>", &[3..9]), ["0:<a>", "<", "2:a>", "1:<b>"]);
        // One byte of it is the user's.
        assert_eq!(cut(&[special("<a>")], "<a><a>", &[5..6]), ["0:<a>", "<a>"]);
        assert_eq!(cut(&[special("<a>"), special("<a><b>")], "<a><b>", &[3..6]), ["0:<a>", "<b>"]);
    }

    #[test]
    fn spaces_are_taken_along_where_the_token_says_so() {
        let (text, token) = special("<m>");
        let both = (text, token.lstrip(true).rstrip(true));
        assert_eq!(cut(&[both], "a \n<m>  <m> b", &[]), ["a", "0: \n<m>  ", "0:<m> ", "b"]);
        let (text, token) = plain("is");
        let word = (text, token.single_word(true));
        assert_eq!(cut(&[word], "this is", &[]), ["this ", "0:is"]);
    }
}
