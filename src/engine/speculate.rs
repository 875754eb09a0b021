//! Guessing the tokens to come, so that one pass of the model settles several: a pass reads its weights once, whether for
//! one token or for some.
//!
//! A guess changes how soon an answer comes. A copied one is right when the sampler draws the same token, from the same
//! random numbers as without it; one of a draft model is settled by the rule of [`Sampler::verify`]. So the answer is the
//! same where a pass of several tokens gives the logits that passes of one give. As far as a kernel sums a row in another
//! order when there are more of them, logits differ in their last bits, and by up to some hundredths where such bits
//! decide how an activation is rounded to 8 of them: then two tokens as close as that may change places.

use std::collections::HashMap;

use super::draft_model::DraftModel;
use super::sampler::{Draft, Sampler};
use super::{Error, Sampling};

/// Most tokens of one guess.
pub const MOST: usize = 10;
/// What checking a guessed token costs, as a share of a pass of one token: measured with Q4_K.
const CHECK_COST: f32 = 0.3;
/// What a token of a draft model costs at most in the reckoning, so that a model named by the user is tried however
/// large it is.
const MOST_DRAFT_COST: f32 = 0.5;
/// The weight of the newest token in a rate of acceptance.
const LEARNING: f32 = 1.0 / 8.0;
/// Where guessing does not pay, one token in so many chances is guessed all the same, to see whether it does by now.
const PROBE: usize = 64;
/// Tokens in the sequences that are looked up.
const SHORTEST: usize = 2;
const LONGEST: usize = 4;
/// How often a copied token is right when 2, 3, ... 8 and more tokens before it are as those before its source: a guess
/// that every answer corrects.
const COPIED: [f32; 7] = [0.25, 0.4, 0.55, 0.65, 0.75, 0.8, 0.85];
/// The same for all tokens of a draft model.
const DRAWN: [f32; 1] = [0.7];

/// What guesses during one answer.
pub struct Drafter<'a> {
    means: Means<'a>,
    pace: Pace,
    /// Which rate the next token to be settled counts for.
    level: usize,
}

enum Means<'a> {
    Lookup(Lookup),
    Model(&'a mut DraftModel, Box<Sampler>),
}

impl<'a> Drafter<'a> {
    /// Copies from the text itself (Saxena, 2023, <https://github.com/apoorvumang/prompt-lookup-decoding>).
    pub fn lookup() -> Drafter<'a> {
        let pace = Pace::new(&COPIED, CHECK_COST);
        Drafter { means: Means::Lookup(Lookup::default()), pace, level: 0 }
    }

    /// Asks a smaller model (Leviathan et al., 2023, <https://arxiv.org/abs/2211.17192>), that draws by `sampling` too.
    pub fn model(model: &'a mut DraftModel, sampling: &Sampling) -> Drafter<'a> {
        let pace = Pace::new(&DRAWN, CHECK_COST + model.cost.min(MOST_DRAFT_COST));
        // Random numbers of its own: those that settle a token must not be those that drew it.
        let sampler = Sampler::new(Sampling { seed: sampling.seed.map(|seed| !seed), ..sampling.clone() });
        model.begin();
        Drafter { means: Means::Model(model, Box::new(sampler)), pace, level: 0 }
    }

    /// Guesses at most `most` tokens after `text`, whose first `prompt` tokens are the prompt.
    pub fn guess(&mut self, text: &[u32], prompt: usize, most: usize) -> Result<Vec<Draft>, Error> {
        let most = most.min(MOST);
        match &mut self.means {
            Means::Lookup(lookup) => {
                lookup.read(text);
                let Some((source, agreeing)) = lookup.find(text) else { return Ok(Vec::new()) };
                self.level = agreeing - SHORTEST;
                let count = self.pace.count(self.level, most);
                Ok(copied(text, source, count).into_iter().map(Draft::sure).collect())
            }
            Means::Model(model, sampler) => {
                self.level = 0;
                match self.pace.count(0, most) {
                    0 => Ok(Vec::new()),
                    count => model.draft(text, prompt, count, sampler),
                }
            }
        }
    }

    /// Takes note of whether the next guessed token was right.
    pub fn settled(&mut self, right: bool) {
        self.pace.learn(self.level, right);
        self.level += 1;
    }
}

/// How many tokens to guess. It goes by what was accepted, not by the clock, so that a seed gives the same text on a busy
/// machine.
struct Pace {
    /// The moving share of tokens that were right; the last counts for all levels above it.
    rates: Vec<f32>,
    /// What a guessed token costs, as a share of a pass of one token.
    cost: f32,
    /// Chances since the last guess.
    skipped: usize,
}

impl Pace {
    fn new(rates: &[f32], cost: f32) -> Pace {
        Pace { rates: rates.to_vec(), cost, skipped: 0 }
    }

    fn rate(&mut self, level: usize) -> &mut f32 {
        let last = self.rates.len() - 1;
        &mut self.rates[level.min(last)]
    }

    /// The count up to `most` that promises the most tokens for its cost: a guess of n tokens whose rates are
    /// a₁, a₂, ... gives 1 + a₁ + a₁a₂ + ... tokens and costs 1 + n · cost passes (Leviathan et al., section 3.3).
    fn count(&mut self, level: usize, most: usize) -> usize {
        let (mut tokens, mut reached, mut passes) = (1.0, 1.0, 1.0);
        let (mut best, mut best_speed) = (0, 1.0);
        for count in 1..=most {
            reached *= *self.rate(level + count - 1);
            tokens += reached;
            passes += self.cost;
            if tokens / passes > best_speed {
                (best, best_speed) = (count, tokens / passes);
            }
        }
        self.skipped = if best > 0 || most == 0 { 0 } else { self.skipped + 1 };
        if self.skipped == PROBE {
            (best, self.skipped) = (1, 0);
        }
        best
    }

    fn learn(&mut self, level: usize, right: bool) {
        let rate = self.rate(level);
        *rate += (f32::from(u8::from(right)) - *rate) * LEARNING;
    }
}

/// Where sequences of tokens came last in a text that grows.
#[derive(Default)]
struct Lookup {
    /// From a sequence, the unused places before it filled with `u32::MAX`, to the position after it.
    after: HashMap<[u32; LONGEST], u32>,
    /// The sequences that end before this position are known.
    read: usize,
}

impl Lookup {
    /// Takes note of what was added to `text`, but for the sequences that nothing follows yet.
    fn read(&mut self, text: &[u32]) {
        for end in self.read.max(1)..text.len() {
            for length in SHORTEST..=LONGEST.min(end) {
                self.after.insert(sequence(&text[end - length..end]), end as u32);
            }
        }
        self.read = text.len();
    }

    /// Where the longest sequence at the end of `text` came before: the position of what followed it, and how many
    /// tokens before that are as those at the end.
    fn find(&self, text: &[u32]) -> Option<(usize, usize)> {
        let of_length = |length: usize| self.after.get(&sequence(&text[text.len() - length..]));
        let source = *(SHORTEST..=LONGEST.min(text.len())).rev().find_map(of_length)? as usize;
        let pairs = text[..source].iter().rev().zip(text.iter().rev()).take(SHORTEST + COPIED.len() - 1);
        Some((source, pairs.take_while(|(a, b)| a == b).count()))
    }
}

fn sequence(tokens: &[u32]) -> [u32; LONGEST] {
    let mut key = [u32::MAX; LONGEST];
    key[LONGEST - tokens.len()..].copy_from_slice(tokens);
    key
}

/// `count` tokens from position `source` of `text` on; past its end the copy reads what it wrote.
fn copied(text: &[u32], source: usize, count: usize) -> Vec<u32> {
    let mut copy: Vec<u32> = Vec::with_capacity(count);
    for at in source..source + count {
        copy.push(text.get(at).copied().unwrap_or_else(|| copy[at - text.len()]));
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found at the end of `text`, which is read token by token.
    fn found(text: &[u32]) -> Option<(usize, usize)> {
        let mut lookup = Lookup::default();
        (1..=text.len()).for_each(|len| lookup.read(&text[..len]));
        let mut at_once = Lookup::default();
        at_once.read(text);
        assert_eq!(at_once.find(text), lookup.find(text));
        lookup.find(text)
    }

    #[test]
    fn the_longest_and_latest_sequence_is_found() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[7]), None);
        assert_eq!(found(&[1, 2, 3, 4]), None);
        assert_eq!(found(&[1, 2, 3, 9, 2]), None);
        assert_eq!(found(&[1, 2, 3, 9, 1, 2]), Some((2, 2)));
        // The later of two, and the longer before the later.
        assert_eq!(found(&[1, 2, 3, 1, 2, 4, 1, 2]), Some((5, 2)));
        assert_eq!(found(&[0, 1, 2, 3, 5, 1, 2, 4, 0, 1, 2]), Some((3, 3)));
        let long: Vec<u32> = (0..20).chain(0..15).collect();
        assert_eq!(found(&long), Some((15, 8)));
    }

    #[test]
    fn a_copy_goes_on_in_what_it_wrote() {
        let text = [9, 1, 2, 1, 2];
        assert_eq!(found(&text), Some((3, 2)));
        assert_eq!(copied(&text, 3, 5), [1, 2, 1, 2, 1]);
        assert_eq!(copied(&[4, 4, 4], 2, 3), [4, 4, 4]);
        assert!(copied(&text, 1, 0).is_empty());
    }

    #[test]
    fn guesses_grow_with_success_and_stop_without() {
        let mut pace = Pace::new(&DRAWN, CHECK_COST);
        let first = pace.count(0, MOST);
        assert!((1..MOST).contains(&first), "{first}");
        (0..40).for_each(|_| pace.learn(0, true));
        assert_eq!((pace.count(0, MOST), pace.count(0, 3), pace.count(0, 0)), (MOST, 3, 0));
        (0..40).for_each(|_| pace.learn(0, false));
        let counts: Vec<usize> = (0..2 * PROBE).map(|_| pace.count(0, MOST)).collect();
        assert_eq!(counts.iter().sum::<usize>(), 2, "{counts:?}");
        assert_eq!(counts[PROBE - 1], 1);
    }

    #[test]
    fn a_rate_that_just_pays_is_that_of_the_cost() {
        for (rate, pays) in [(CHECK_COST + 0.01, true), (CHECK_COST - 0.01, false)] {
            assert_eq!(Pace::new(&[rate], CHECK_COST).count(0, MOST) > 0, pays, "{rate}");
        }
    }

    #[test]
    fn a_text_of_tokens_that_never_repeat_costs_next_to_nothing() {
        // Every pair comes twice with another token after it: each guess is wrong.
        let mut drafter = Drafter::lookup();
        let mut text: Vec<u32> = Vec::new();
        let mut guessed = 0;
        for i in 0..2000u32 {
            text.extend([1, 2, 100 + i]);
            for len in text.len() - 2..=text.len() {
                let drafts = drafter.guess(&text[..len], 0, MOST).unwrap();
                guessed += drafts.len();
                if let Some(draft) = drafts.first() {
                    drafter.settled(draft.id == text.get(len).copied().unwrap_or(1));
                }
            }
        }
        assert!((1..120).contains(&guessed), "{guessed}");
    }
}
