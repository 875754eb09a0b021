//! SentencePiece's two models over one way to normalize text
//! (<https://github.com/google/sentencepiece>, `normalizer.cc`, `bpe_model.cc`, `unigram_model.cc`).

use ahash::AHashMap;

use super::bpe::join_by_score;
use super::charsmap::CharsMap;
use super::trie::Trie;

/// What a token is; the numbers are those of `tokenizer.ggml.token_type` and of SentencePiece's own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TokenKind {
    #[default]
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl TokenKind {
    pub fn from_number(number: i64) -> TokenKind {
        match number {
            2 => TokenKind::Unknown,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            5 => TokenKind::Unused,
            6 => TokenKind::Byte,
            _ => TokenKind::Normal,
        }
    }

    pub fn number(self) -> i32 {
        self as i32 + 1
    }

    /// Whether text that is not the token's own spelling can become it.
    pub fn is_text(self) -> bool {
        matches!(self, TokenKind::Normal | TokenKind::UserDefined | TokenKind::Unused)
    }
}

/// A vocabulary in the order of its ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScoredToken {
    pub text: String,
    pub score: f32,
    pub kind: TokenKind,
}

/// How a text is normalized.
#[derive(Default)]
pub(super) struct Normalization {
    pub charsmap: Option<CharsMap>,
    /// A space is put before the first word.
    pub space_prefix: bool,
    /// Spaces at the ends go, and runs of them become one.
    pub merge_spaces: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Bpe,
    Unigram,
}

/// A SentencePiece model.
pub(super) struct SentencePiece {
    normalization: Normalization,
    model: Model,
    /// Tokens of the bytes, where the vocabulary has them all.
    bytes: Option<Vec<u32>>,
    unknown: Option<u32>,
    /// Whether no token holds a `▁` after another character, so that words can be cut there.
    cut_at_spaces: bool,
}

enum Model {
    Bpe(AHashMap<String, (u32, f32)>),
    Unigram {
        trie: Trie,
        /// By id; user-defined tokens weigh nothing, so that they win.
        scores: Vec<f64>,
        unknown_score: f64,
    },
}

/// How much worse than the worst token a character is that no token has.
const UNKNOWN_PENALTY: f64 = 10.0;

impl SentencePiece {
    pub fn new(
        tokens: &[ScoredToken],
        algorithm: Algorithm,
        unknown: Option<u32>,
        normalization: Normalization,
    ) -> SentencePiece {
        let known = || tokens.iter().zip(0u32..).filter(|(token, _)| token.kind.is_text());
        let mut of_byte: Vec<Option<u32>> = vec![None; 256];
        for (token, id) in tokens.iter().zip(0u32..) {
            if let Some(byte) = byte_token(&token.text) {
                of_byte[usize::from(byte)] = Some(id);
            }
        }
        let model = match algorithm {
            Algorithm::Bpe => Model::Bpe(known().map(|(token, id)| (token.text.clone(), (id, token.score))).collect()),
            Algorithm::Unigram => {
                let normal = known().filter(|(token, _)| token.kind == TokenKind::Normal);
                let worst = normal.map(|(token, _)| f64::from(token.score)).fold(f64::INFINITY, f64::min);
                let score = |token: &ScoredToken| match token.kind {
                    TokenKind::UserDefined => 0.0,
                    _ => f64::from(token.score),
                };
                Model::Unigram {
                    trie: Trie::new(known().map(|(token, id)| (token.text.as_bytes(), id)).collect()),
                    scores: tokens.iter().map(score).collect(),
                    unknown_score: if worst.is_finite() { worst } else { 0.0 } - UNKNOWN_PENALTY,
                }
            }
        };
        let spans_words = |text: &str| text.trim_start_matches('▁').contains('▁');
        SentencePiece {
            cut_at_spaces: !known().any(|(token, _)| spans_words(&token.text)),
            normalization,
            model,
            bytes: of_byte.into_iter().collect(),
            unknown,
        }
    }

    /// Appends the tokens of a text that holds no added token; with `prefix` it gets its leading space.
    pub fn encode(&self, text: &str, prefix: bool, out: &mut Vec<u32>) {
        let normalized = self.normalize(text, prefix);
        let mut rest = normalized.as_str();
        let mut after_unknown = false;
        while !rest.is_empty() {
            let (word, later) = rest.split_at(self.word_len(rest));
            self.encode_word(word, &mut after_unknown, out);
            rest = later;
        }
    }

    /// Bytes of the first word, its leading `▁` included: no token reaches beyond them.
    fn word_len(&self, text: &str) -> usize {
        if !self.cut_at_spaces {
            return text.len();
        }
        let start = text.len() - text.trim_start_matches('▁').len();
        text[start..].find('▁').map_or(text.len(), |len| start + len)
    }

    /// Replaces what the table says, marks spaces by `▁`, and drops the ones too many.
    fn normalize(&self, text: &str, prefix: bool) -> String {
        let Normalization { charsmap, space_prefix, merge_spaces } = &self.normalization;
        let space_prefix = prefix && *space_prefix;
        let mut out = String::with_capacity(text.len() + text.len() / 4 + 3);
        let (mut begun, mut in_word) = (false, false);
        let mut push = |c: char| {
            if c != ' ' {
                if !in_word && (*merge_spaces && begun || space_prefix && !begun) {
                    out.push('▁');
                }
                out.push(c);
                (begun, in_word) = (true, true);
            } else if *merge_spaces {
                in_word = false;
            } else {
                // The prefix comes before leading spaces too.
                if space_prefix && !begun {
                    out.push('▁');
                }
                out.push('▁');
                (begun, in_word) = (true, false);
            }
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match charsmap.as_ref().and_then(|map| map.replace(rest.as_bytes())) {
                Some((replacement, len)) if rest.is_char_boundary(len) => {
                    replacement.chars().for_each(&mut push);
                    rest = &rest[len..];
                }
                _ => {
                    push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }

    fn encode_word(&self, word: &str, after_unknown: &mut bool, out: &mut Vec<u32>) {
        let mut push = |id: Option<u32>, text: &str| match (id, &self.bytes) {
            (Some(id), _) => {
                out.push(id);
                *after_unknown = false;
            }
            (None, Some(bytes)) => out.extend(text.bytes().map(|byte| bytes[usize::from(byte)])),
            // Neighbours that are unknown are one unknown token.
            (None, None) => {
                if !std::mem::replace(after_unknown, true) {
                    out.extend(self.unknown);
                }
            }
        };
        match &self.model {
            Model::Bpe(vocab) => {
                for symbol in join_by_score(word, |text| vocab.get(text).copied()) {
                    push(symbol.id, &word[symbol.start..symbol.end]);
                }
            }
            Model::Unigram { trie, scores, unknown_score } => {
                for (id, range) in best_path(word, trie, scores, *unknown_score) {
                    push(id, &word[range]);
                }
            }
        }
    }
}

/// The cut of `word` into tokens whose scores sum highest (Viterbi).
fn best_path(
    word: &str,
    trie: &Trie,
    scores: &[f64],
    unknown_score: f64,
) -> Vec<(Option<u32>, std::ops::Range<usize>)> {
    // For each byte position: the best sum of a path that ends there, its last token and where that began.
    let mut best: Vec<(f64, Option<u32>, usize)> = vec![(f64::NEG_INFINITY, None, 0); word.len() + 1];
    best[0].0 = 0.0;
    for (start, c) in word.char_indices() {
        let sum = best[start].0;
        let mut offer = |len: usize, score: f64, id: Option<u32>| {
            let end = &mut best[start + len];
            if sum + score > end.0 {
                *end = (sum + score, id, start);
            }
        };
        let mut has_character = false;
        for (len, id) in trie.prefixes(&word.as_bytes()[start..]) {
            has_character |= len == c.len_utf8();
            offer(len, scores[id as usize], Some(id));
        }
        if !has_character {
            offer(c.len_utf8(), unknown_score, None);
        }
    }
    let mut path = Vec::new();
    let mut end = word.len();
    while end > 0 {
        let (_, id, start) = best[end];
        path.push((id, start..end));
        end = start;
    }
    path.reverse();
    path
}

/// The byte of a token like `<0x0A>`.
pub(super) fn byte_token(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(list: &[(&str, f32)]) -> Vec<ScoredToken> {
        let kind = |text: &str| match text {
            "<unk>" => TokenKind::Unknown,
            "<s>" => TokenKind::Control,
            "<tool>" => TokenKind::UserDefined,
            _ => TokenKind::Normal,
        };
        list.iter()
            .map(|(text, score)| ScoredToken { text: (*text).to_owned(), score: *score, kind: kind(text) })
            .collect()
    }

    fn ids(model: &SentencePiece, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        model.encode(text, true, &mut out);
        out
    }

    #[test]
    fn spaces_are_kept_or_merged() {
        let vocab = tokens(&[("<unk>", 0.0)]);
        let normal = |space_prefix, merge_spaces, text: &str| {
            let normalization = Normalization { charsmap: None, space_prefix, merge_spaces };
            SentencePiece::new(&vocab, Algorithm::Bpe, Some(0), normalization).normalize(text, true)
        };
        assert_eq!(normal(true, false, " a  b "), "▁▁a▁▁b▁");
        assert_eq!(normal(false, false, " a  b "), "▁a▁▁b▁");
        assert_eq!(normal(true, true, " a  b "), "▁a▁b");
        assert_eq!(normal(false, true, "  a  b "), "a▁b");
        assert_eq!(normal(true, true, "   "), "");
        assert_eq!(normal(true, false, "  "), "▁▁▁");
        assert_eq!(normal(true, false, ""), "");
    }

    #[test]
    fn unigram_takes_the_best_sum_and_one_unknown_for_several() {
        let vocab = tokens(&[
            ("<unk>", 0.0),
            ("<s>", 0.0),
            ("▁", -3.0),
            ("a", -2.0),
            ("b", -2.0),
            ("ab", -3.0),
            ("▁a", -6.0),
            ("<tool>", -9.0),
        ]);
        let model = SentencePiece::new(
            &vocab,
            Algorithm::Unigram,
            Some(0),
            Normalization { space_prefix: true, ..Default::default() },
        );
        assert_eq!(ids(&model, "ab"), [2, 5]);
        assert_eq!(ids(&model, "a éèb"), [2, 3, 2, 0, 4]);
        // Control tokens are not made from text; user-defined ones are.
        assert_eq!(ids(&model, "<s>"), [2, 0]);
        assert_eq!(ids(&model, "a<tool>"), [2, 3, 7]);
    }

    #[test]
    fn byte_tokens_are_read() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        assert_eq!(byte_token("<0xzz>"), None);
        assert_eq!(byte_token("<s>"), None);
    }
}
