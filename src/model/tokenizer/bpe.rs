//! Byte pair encoding: neighbours are joined, the best pair first.
//!
//! Two kinds share the joining: merges in their order (Sennrich et al., <https://arxiv.org/abs/1508.07909>), and
//! SentencePiece's, where the pair goes first whose whole scores best (<https://arxiv.org/abs/1808.06226>).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ahash::AHashMap;

/// Words that [`Merges`] remembers, and how long they may be in bytes.
const CACHED_WORDS: usize = 20_000;
const CACHED_WORD_BYTES: usize = 256;

/// A stretch of the word while it is being joined.
#[derive(Clone, Copy)]
pub(super) struct Symbol {
    pub start: usize,
    pub end: usize,
    /// `None` where the vocabulary has no such token.
    pub id: Option<u32>,
    previous: usize,
    next: usize,
}

const END: usize = usize::MAX;

/// Joins the characters of `word` until no pair can be. `symbol` is the token of a character; `join`
/// says of two neighbours how early they are joined (smaller is earlier; of equals the left one) and to what.
fn join_all<P: Ord + Copy>(
    word: &str,
    symbol: impl Fn(&str) -> Option<u32>,
    join: impl Fn(&Symbol, &Symbol) -> Option<(P, u32)>,
) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for (start, c) in word.char_indices() {
        let (at, end) = (symbols.len(), start + c.len_utf8());
        let id = symbol(&word[start..end]);
        symbols.push(Symbol { start, end, id, previous: at.wrapping_sub(1), next: at + 1 });
    }
    if let Some(last) = symbols.last_mut() {
        last.next = END;
    }
    // Where a pair is: its left symbol, and the bytes that it spans, by which a stale entry is known.
    let mut queue = BinaryHeap::new();
    let pair = |symbols: &[Symbol], left: usize, right: usize| {
        if left == END || right == END {
            return None;
        }
        let (a, b) = (&symbols[left], &symbols[right]);
        join(a, b).map(|(priority, id)| Reverse((priority, left, right, a.end, b.end, id)))
    };
    queue.extend((1..symbols.len()).filter_map(|right| pair(&symbols, right - 1, right)));
    while let Some(Reverse((_, left, right, middle, end, id))) = queue.pop() {
        // A symbol that went into another has no bytes left.
        let gone = symbols[left].start == symbols[left].end;
        if gone || symbols[left].end != middle || symbols[right].start != middle || symbols[right].end != end {
            continue;
        }
        let next = symbols[right].next;
        symbols[right].start = end;
        symbols[left].end = end;
        symbols[left].id = Some(id);
        symbols[left].next = next;
        if next != END {
            symbols[next].previous = left;
        }
        queue.extend(pair(&symbols, symbols[left].previous, left));
        queue.extend(pair(&symbols, left, next));
    }
    symbols.retain(|s| s.start < s.end);
    symbols
}

/// BPE by a list of merges.
pub(super) struct Merges {
    vocab: AHashMap<String, u32>,
    /// Rank and result of a pair.
    merges: AHashMap<(u32, u32), (u32, u32)>,
    /// Whether a word that is a token is taken whole, whatever the merges say.
    whole_words: bool,
    /// Tokens of the bytes (`<0x00>` to `<0xFF>`), for characters that are no token.
    bytes: Option<Vec<u32>>,
    unknown: Option<u32>,
    cache: std::sync::Mutex<AHashMap<String, Vec<u32>>>,
}

impl Merges {
    /// `tokens`: those that text can become. `merges`: `left right`, best first; what leads to no token
    /// is left out.
    pub fn new<'a>(
        tokens: impl Iterator<Item = (&'a str, u32)>,
        merges: impl Iterator<Item = &'a str>,
        whole_words: bool,
        byte_fallback: bool,
        unknown: Option<u32>,
    ) -> Merges {
        let vocab: AHashMap<String, u32> = tokens.map(|(text, id)| (text.to_owned(), id)).collect();
        let mut ranks = AHashMap::with_capacity(merges.size_hint().0);
        let mut whole = String::new();
        for (rank, merge) in merges.enumerate() {
            // A space can be the first character of a token that is not byte-level.
            let Some((cut, _)) = merge.char_indices().skip(1).find(|(_, c)| *c == ' ') else { continue };
            let (left, right) = (&merge[..cut], &merge[cut + 1..]);
            whole.clear();
            whole.extend([left, right]);
            if let (Some(left), Some(right), Some(id)) = (vocab.get(left), vocab.get(right), vocab.get(&whole)) {
                ranks.entry((*left, *right)).or_insert((rank as u32, *id));
            }
        }
        let bytes = match byte_fallback {
            true => (0..=255u8).map(|byte| vocab.get(&format!("<0x{byte:02X}>")).copied()).collect(),
            false => None,
        };
        Merges { vocab, merges: ranks, whole_words, bytes, unknown, cache: Default::default() }
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocab.get(token).copied()
    }

    /// Appends the tokens of `word`.
    pub fn encode(&self, word: &str, out: &mut Vec<u32>) {
        if self.whole_words
            && let Some(id) = self.vocab.get(word)
        {
            return out.push(*id);
        }
        let mut cache = self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(ids) = cache.get(word) {
            return out.extend_from_slice(ids);
        }
        let start = out.len();
        self.join(word, out);
        if word.len() < CACHED_WORD_BYTES && cache.len() < CACHED_WORDS {
            cache.insert(word.to_owned(), out[start..].to_vec());
        }
    }

    fn join(&self, word: &str, out: &mut Vec<u32>) {
        let join = |a: &Symbol, b: &Symbol| self.merges.get(&(a.id?, b.id?)).copied();
        for symbol in join_all(word, |c| self.id(c), join) {
            match (symbol.id, &self.bytes) {
                (Some(id), _) => out.push(id),
                (None, Some(bytes)) => {
                    out.extend(word[symbol.start..symbol.end].bytes().map(|b| bytes[usize::from(b)]));
                }
                (None, None) => out.extend(self.unknown),
            }
        }
    }
}

/// A score that orders, the best first.
#[derive(PartialEq, Clone, Copy)]
struct BestFirst(f32);

impl Eq for BestFirst {}

impl Ord for BestFirst {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0)
    }
}

impl PartialOrd for BestFirst {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The stretches that SentencePiece's BPE joins `word` to. `token` looks up the id and the score of a text.
pub(super) fn join_by_score(word: &str, token: impl Fn(&str) -> Option<(u32, f32)>) -> Vec<Symbol> {
    join_all(
        word,
        |c| token(c).map(|(id, _)| id),
        |a, b| token(&word[a.start..b.end]).map(|(id, score)| (BestFirst(score), id)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_go_in_their_order() {
        let tokens = ["a", "b", "c", "ab", "bc", "abc", "<0x00>"];
        let merges = |list: &'static [&'static str], whole| {
            Merges::new(tokens.into_iter().zip(0..), list.iter().copied(), whole, false, Some(9))
        };
        let ids = |merges: &Merges, word: &str| {
            let mut out = Vec::new();
            merges.encode(word, &mut out);
            let first = out.clone();
            out.clear();
            // From the cache.
            merges.encode(word, &mut out);
            assert_eq!(out, first);
            first
        };
        assert_eq!(ids(&merges(&["a b", "b c"], false), "abc"), [3, 2]);
        assert_eq!(ids(&merges(&["b c", "a b", "a bc"], false), "abcab"), [5, 3]);
        assert_eq!(ids(&merges(&["a b"], true), "abc"), [5]);
        assert_eq!(ids(&merges(&["a b", "ab x", "", "a", " "], false), "axé"), [0, 9, 9]);
    }

    #[test]
    fn equal_scores_join_from_the_left() {
        let token = |text: &str| match text {
            "a" => Some((0, 0.0)),
            "aa" => Some((1, -1.0)),
            "aaa" => Some((2, -1.0)),
            _ => None,
        };
        let ids = |word: &str| join_by_score(word, token).iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids("aaaa"), [Some(2), Some(0)]);
        assert_eq!(ids("aba"), [Some(0), None, Some(0)]);
    }
}
