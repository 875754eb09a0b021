//! Prompts of a length, each its own.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Common English words, which are a token each in most vocabularies.
#[rustfmt::skip]
const WORDS: [&str; 64] = [
    "the", "and", "that", "have", "for", "not", "with", "you", "this", "but", "his", "from", "they", "say", "her", "she",
    "will", "one", "all", "would", "there", "their", "what", "out", "about", "who", "get", "which", "when", "make", "can",
    "like", "time", "just", "him", "know", "take", "people", "into", "year", "your", "good", "some", "could", "them", "see",
    "other", "than", "then", "now", "look", "only", "come", "its", "over", "think", "also", "back", "after", "use", "two",
    "how", "our", "work",
];
/// All words once: a length at which every prompt has about as many tokens.
pub const ROUND: usize = WORDS.len();

/// `words` words in an order that only this seed has. Before any is used again all have been, so that prompts of one
/// length have nearly the same number of tokens; that two begin alike is left to chance, and ends after a word or two.
pub fn prompt(words: usize, seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut prompt: Vec<&str> = Vec::with_capacity(words);
    while prompt.len() < words {
        let mut round = WORDS;
        round.shuffle(&mut random);
        prompt.extend(&round[..ROUND.min(words - prompt.len())]);
    }
    prompt.join(" ")
}

/// How a server counts words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokensOfWords {
    /// What it puts around every prompt: a chat template, a first token.
    fixed: f64,
    a_word: f64,
}

impl TokensOfWords {
    /// From the tokens of a prompt of one round of words and of one of two; `None` if they make no sense.
    pub fn learn(of_one_round: u64, of_two_rounds: u64) -> Option<TokensOfWords> {
        let more = of_two_rounds.checked_sub(of_one_round).filter(|more| *more > 0)?;
        let a_word = more as f64 / ROUND as f64;
        Some(TokensOfWords { fixed: (of_one_round as f64 - a_word * ROUND as f64).max(0.0), a_word })
    }

    /// How many words come nearest to `tokens`; one at least.
    pub fn words(&self, tokens: usize) -> usize {
        ((tokens as f64 - self.fixed) / self.a_word).round().max(1.0) as usize
    }

    pub fn tokens(&self, words: usize) -> f64 {
        self.fixed + self.a_word * words as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn prompts_have_their_length_and_are_all_different() {
        let prompts: HashSet<String> = (0..100).map(|seed| prompt(130, seed)).collect();
        assert_eq!(prompts.len(), 100);
        assert!(prompts.iter().all(|prompt| prompt.split(' ').count() == 130));
        assert_eq!(prompt(5, 7), prompt(5, 7));
        let round: HashSet<String> = prompt(ROUND, 1).split(' ').map(str::to_owned).collect();
        assert_eq!(round.len(), ROUND, "no word twice");
    }

    #[test]
    fn a_length_is_found_from_two_counts() {
        // 11 tokens of a template, and one and a half a word.
        let counts = TokensOfWords::learn(11 + 96, 11 + 192).unwrap();
        assert_eq!((counts.words(512), counts.tokens(334)), (334, 512.0));
        assert_eq!(counts.words(4), 1, "shorter than the template");
        assert_eq!(TokensOfWords::learn(107, 107), None);
        assert_eq!(TokensOfWords::learn(107, 50), None);
    }
}
