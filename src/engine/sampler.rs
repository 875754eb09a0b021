//! Choosing the next token.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Sampling, TokenLogprob};

/// How many of the latest tokens `repeat_penalty` looks at, as in llama.cpp.
const REPEAT_WINDOW: usize = 64;

/// Draws tokens by a [`Sampling`] from its seed: the order is penalties, top-k, top-p, min-p,
/// temperature, draw (llama.cpp's).
pub struct Sampler {
    sampling: Sampling,
    rng: StdRng,
}

impl Sampler {
    pub fn new(sampling: Sampling) -> Sampler {
        // A hasher's random keys are the standard library's only source of randomness.
        let seed = sampling.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        Sampler { sampling, rng: StdRng::seed_from_u64(seed) }
    }

    /// The next token. `prompt` and `generated` are the tokens so far, for the penalties.
    pub fn sample(&mut self, logits: &[f32], prompt: &[u32], generated: &[u32]) -> u32 {
        let distribution = self.distribution(logits, prompt, generated);
        self.draw(&distribution)
    }

    /// A guess of the next token, by the logits of a draft model.
    pub fn draft(&mut self, logits: &[f32], prompt: &[u32], generated: &[u32]) -> Draft {
        let distribution = self.distribution(logits, prompt, generated);
        Draft { id: self.draw(&distribution), drawn_from: Some(distribution) }
    }

    /// The next token, given a guess of it: distributed as by [`Sampler::sample`], and as often the guess as can be.
    ///
    /// A guess drawn from q is accepted with probability min(1, p/q), and otherwise the token is drawn from what p has
    /// more than q (Leviathan et al., 2023, <https://arxiv.org/abs/2211.17192>; Chen et al., 2023,
    /// <https://arxiv.org/abs/2302.01318>). Where q is sure of its guess the rule comes to drawing from p and looking
    /// whether that is the guess, so the token is the very one that the same random numbers give without a guess.
    pub fn verify(&mut self, draft: &Draft, logits: &[f32], prompt: &[u32], generated: &[u32]) -> u32 {
        let p = self.distribution(logits, prompt, generated);
        let Some(q) = &draft.drawn_from else { return self.draw(&p) };
        if self.rng.random::<f32>() * q.probability(draft.id) < p.probability(draft.id) {
            return draft.id;
        }
        let q: HashMap<u32, f32> = q.shares().collect();
        let more = |(id, share): (u32, f32)| (id, (share - q.get(&id).copied().unwrap_or(0.0)).max(0.0));
        let rest = Distribution::new(p.shares().map(more).filter(|(_, weight)| *weight > 0.0).collect());
        // Nothing is left where p is q but for rounding.
        self.draw(if rest.weights.is_empty() { &p } else { &rest })
    }

    /// What the next token is drawn from.
    fn distribution(&self, logits: &[f32], prompt: &[u32], generated: &[u32]) -> Distribution {
        let mut logits = logits.to_vec();
        self.penalize(&mut logits, prompt, generated);
        if self.sampling.temperature <= 0.0 {
            return Distribution::new(vec![(argmax(&logits), 1.0)]);
        }
        let mut candidates: Vec<(u32, f32)> = logits.iter().enumerate().map(|(id, l)| (id as u32, *l)).collect();
        let by_logit = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let k = self.sampling.top_k;
        if k > 0 && k < candidates.len() {
            candidates.select_nth_unstable_by(k - 1, by_logit);
            candidates.truncate(k);
        }
        candidates.sort_unstable_by(by_logit);
        let best = candidates[0].1;

        if self.sampling.top_p < 1.0 {
            let total: f32 = candidates.iter().map(|(_, l)| (l - best).exp()).sum();
            let mut reached = 0.0;
            let needed = candidates.iter().position(|(_, l)| {
                reached += (l - best).exp() / total;
                reached >= self.sampling.top_p
            });
            candidates.truncate(needed.map_or(candidates.len(), |last| last + 1));
        }
        if self.sampling.min_p > 0.0 {
            let floor = best + self.sampling.min_p.ln();
            candidates.retain(|(_, l)| *l >= floor || *l == best);
        }

        let weight = |(id, l): (u32, f32)| (id, ((l - best) / self.sampling.temperature).exp());
        Distribution::new(candidates.into_iter().map(weight).collect())
    }

    fn draw(&mut self, distribution: &Distribution) -> u32 {
        let mut left = self.rng.random::<f32>() * distribution.total;
        for (id, weight) in &distribution.weights {
            left -= weight;
            if left < 0.0 {
                return *id;
            }
        }
        // Rounding may leave a crumb past the last candidate.
        distribution.weights.last().map_or(0, |(id, _)| *id)
    }

    fn penalize(&self, logits: &mut [f32], prompt: &[u32], generated: &[u32]) {
        let Sampling { repeat_penalty, presence_penalty, frequency_penalty, .. } = self.sampling;
        if repeat_penalty != 1.0 {
            let mut recent: Vec<u32> =
                generated.iter().rev().chain(prompt.iter().rev()).take(REPEAT_WINDOW).copied().collect();
            recent.sort_unstable();
            recent.dedup();
            for id in recent {
                if let Some(logit) = logits.get_mut(id as usize) {
                    // Keskar et al., 2019, <https://arxiv.org/abs/1909.05858>, with the sign minded.
                    *logit = if *logit > 0.0 { *logit / repeat_penalty } else { *logit * repeat_penalty };
                }
            }
        }
        if presence_penalty != 0.0 || frequency_penalty != 0.0 {
            let mut sorted = generated.to_vec();
            sorted.sort_unstable();
            for run in sorted.chunk_by(|a, b| a == b) {
                if let Some(logit) = logits.get_mut(run[0] as usize) {
                    *logit -= presence_penalty + frequency_penalty * run.len() as f32;
                }
            }
        }
    }
}

/// A guess of the next token.
pub struct Draft {
    pub id: u32,
    /// Without it, the guess is the only one that could be.
    drawn_from: Option<Distribution>,
}

impl Draft {
    pub fn sure(id: u32) -> Draft {
        Draft { id, drawn_from: None }
    }
}

/// The tokens that can come next, likeliest first, and their weights.
struct Distribution {
    weights: Vec<(u32, f32)>,
    total: f32,
}

impl Distribution {
    fn new(weights: Vec<(u32, f32)>) -> Distribution {
        Distribution { total: weights.iter().map(|(_, weight)| weight).sum(), weights }
    }

    /// The tokens and their probabilities.
    fn shares(&self) -> impl Iterator<Item = (u32, f32)> {
        self.weights.iter().map(|(id, weight)| (*id, weight / self.total))
    }

    fn probability(&self, of: u32) -> f32 {
        self.shares().find(|(id, _)| *id == of).map_or(0.0, |(_, share)| share)
    }
}

fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// The logarithm of the sum of the exponentials: a logit less this is its log-probability.
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|l| f64::from(l - best).exp()).sum();
    f64::from(best) + total.ln()
}

/// Whether a token can be drawn by `logits`: minus infinity is fair for some, not for all.
pub fn are_numbers(logits: &[f32]) -> bool {
    let odd = |l: &f32| l.is_nan() || *l == f32::INFINITY;
    !logits.iter().any(odd) && logits.iter().any(|l| *l > f32::NEG_INFINITY)
}

/// The `n` best natural log-probabilities of `logits`, best first, with `chosen` added at the end
/// when it is not among them.
pub fn best_logprobs(logits: &[f32], n: usize, chosen: u32) -> Vec<TokenLogprob> {
    let log_total = log_sum_exp(logits);
    let logprob = |id: u32| (f64::from(logits[id as usize]) - log_total) as f32;
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if n < ids.len() && n > 0 {
        ids.select_nth_unstable_by(n - 1, by_logit);
    }
    ids.truncate(n);
    ids.sort_unstable_by(by_logit);
    if !ids.contains(&chosen) {
        ids.push(chosen);
    }
    ids.into_iter().map(|id| TokenLogprob { id, logprob: logprob(id) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling() -> Sampling {
        Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: Some(7),
        }
    }

    fn drawn(sampling: Sampling, logits: &[f32]) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling);
        (0..400).map(|_| sampler.sample(logits, &[], &[])).collect()
    }

    const LOGITS: [f32; 4] = [0.0, 3.0, 2.0, -1.0];

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..sampling() });
        assert_eq!(sampler.sample(&[1.0, 5.0, 5.0], &[], &[]), 1);
    }

    #[test]
    fn the_same_seed_draws_the_same_and_frequencies_follow_the_logits() {
        let one = drawn(sampling(), &LOGITS);
        assert_eq!(one, drawn(sampling(), &LOGITS));
        let share = one.iter().filter(|id| **id == 1).count() as f32 / 400.0;
        // softmax gives 0.69
        assert!((share - 0.69).abs() < 0.07, "{share}");
    }

    #[test]
    fn top_k_top_p_and_min_p_cut() {
        let kinds = |s: Sampling| {
            let mut ids = drawn(s, &LOGITS);
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        assert_eq!(kinds(Sampling { top_k: 2, ..sampling() }), [1, 2]);
        assert_eq!(kinds(Sampling { top_p: 0.6, ..sampling() }), [1]);
        assert_eq!(kinds(Sampling { min_p: 0.3, ..sampling() }), [1, 2]);
    }

    #[test]
    fn penalties_push_tokens_down() {
        let greedy = Sampling { temperature: 0.0, ..sampling() };
        let pick = |s: Sampling, prompt: &[u32], generated: &[u32]| Sampler::new(s).sample(&LOGITS, prompt, generated);
        assert_eq!(pick(Sampling { repeat_penalty: 2.0, ..greedy.clone() }, &[1], &[]), 2);
        assert_eq!(pick(Sampling { presence_penalty: 2.0, ..greedy.clone() }, &[1], &[]), 1);
        assert_eq!(pick(Sampling { presence_penalty: 2.0, ..greedy.clone() }, &[], &[1]), 2);
        assert_eq!(pick(Sampling { frequency_penalty: 0.6, ..greedy.clone() }, &[], &[1]), 1);
        assert_eq!(pick(Sampling { frequency_penalty: 0.6, ..greedy }, &[], &[1, 1]), 2);
    }

    /// The largest difference between `counts` of tokens and what `sample` gives by `logits` after `generated`.
    fn deviation(sampling: &Sampling, counts: &[u32], logits: &[f32], generated: &[u32]) -> f32 {
        let total = counts.iter().sum::<u32>() as f32;
        let p = Sampler::new(sampling.clone()).distribution(logits, &[], generated);
        let shares = counts.iter().enumerate().map(|(id, n)| (*n as f32 / total - p.probability(id as u32)).abs());
        shares.fold(0.0, f32::max)
    }

    /// Two tokens, both drafted, of which the second depends on the first: by the logits and by the penalties.
    #[test]
    fn drafted_tokens_are_distributed_as_if_there_were_no_draft() {
        const ROUNDS: u32 = 40_000;
        let logits = |after: &[u32]| match after {
            [] => vec![0.0, 3.0, 2.0, -1.0, 1.5],
            [first, ..] => (0..5).map(|id| ((id * 3 + first * 2) % 7) as f32 * 0.6).collect::<Vec<f32>>(),
        };
        // The draft model's, that misses some tokens altogether.
        let drafted = |after: &[u32]| match after {
            [] => vec![1.0, 2.0, 2.5, 0.5, -40.0],
            _ => vec![2.0, -40.0, 1.0, 1.5, 1.0],
        };
        let cases = [
            sampling(),
            Sampling { temperature: 0.7, top_k: 3, ..sampling() },
            Sampling { temperature: 1.3, top_p: 0.8, min_p: 0.05, ..sampling() },
            Sampling { repeat_penalty: 1.5, presence_penalty: 0.5, frequency_penalty: 0.5, ..sampling() },
        ];
        for sampling in cases {
            for sure in [false, true] {
                let mut drafter = Sampler::new(Sampling { seed: Some(1), ..sampling.clone() });
                let mut sampler = Sampler::new(sampling.clone());
                let mut firsts = [0u32; 5];
                let mut seconds = [[0u32; 5]; 5];
                let mut accepted = 0;
                for round in 0..ROUNDS {
                    let mut draft = |after: &[u32]| match sure {
                        true => Draft::sure((round + after.len() as u32) % 5),
                        false => drafter.draft(&drafted(after), &[], after),
                    };
                    let guess = draft(&[]);
                    let first = sampler.verify(&guess, &logits(&[]), &[], &[]);
                    firsts[first as usize] += 1;
                    accepted += u32::from(first == guess.id);
                    // After a wrong guess the next is made anew, as the engine does.
                    let second = sampler.verify(&draft(&[first]), &logits(&[first]), &[], &[first]);
                    seconds[first as usize][second as usize] += 1;
                }
                assert!(accepted > 0 && accepted < ROUNDS);
                // Four standard deviations of a share of one half.
                let bound = |n: u32| 4.0 * 0.5 / (n as f32).sqrt();
                let off = deviation(&sampling, &firsts, &logits(&[]), &[]);
                assert!(off < bound(ROUNDS), "{sampling:?}, sure {sure}: {off}");
                for (first, counts) in seconds.iter().enumerate().filter(|(first, _)| firsts[*first] > 0) {
                    let first = [first as u32];
                    let off = deviation(&sampling, counts, &logits(&first), &first);
                    assert!(off < bound(counts.iter().sum()), "{sampling:?}, sure {sure}, after {first:?}: {off}");
                }
            }
        }
    }

    #[test]
    fn a_draft_is_accepted_as_often_as_can_be() {
        let drafted = [1.0, 2.0, 2.5, 0.5];
        let (mut drafter, mut sampler) =
            (Sampler::new(Sampling { seed: Some(1), ..sampling() }), Sampler::new(sampling()));
        let (p, q) = (sampler.distribution(&LOGITS, &[], &[]), drafter.distribution(&drafted, &[], &[]));
        let expected: f32 = (0..4).map(|id| p.probability(id).min(q.probability(id))).sum();
        let accepted = (0..10_000).filter(|_| {
            let draft = drafter.draft(&drafted, &[], &[]);
            sampler.verify(&draft, &LOGITS, &[], &[]) == draft.id
        });
        let share = accepted.count() as f32 / 10_000.0;
        assert!((share - expected).abs() < 0.02, "{share} is not {expected}");
    }

    #[test]
    fn greedy_takes_the_best_whatever_was_drafted() {
        let greedy = Sampling { temperature: 0.0, ..sampling() };
        let mut sampler = Sampler::new(greedy.clone());
        for drafted in [[9.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]] {
            let draft = Sampler::new(greedy.clone()).draft(&drafted, &[], &[]);
            assert_eq!(sampler.verify(&draft, &LOGITS, &[], &[]), 1);
            assert_eq!(sampler.verify(&Draft::sure(2), &LOGITS, &[], &[]), 1);
        }
    }

    #[test]
    fn a_sure_draft_changes_no_token_that_a_seed_gives() {
        let mut sampler = Sampler::new(sampling());
        let ids: Vec<u32> = (0..400).map(|i| sampler.verify(&Draft::sure(i % 4), &LOGITS, &[], &[])).collect();
        assert_eq!(ids, drawn(sampling(), &LOGITS));
    }

    #[test]
    fn logprobs_are_those_of_softmax() {
        let best = best_logprobs(&LOGITS, 2, 3);
        assert_eq!(best.iter().map(|t| t.id).collect::<Vec<_>>(), [1, 2, 3]);
        let total: f32 = LOGITS.iter().map(|l| l.exp()).sum();
        assert!((best[0].logprob - (3.0 - total.ln())).abs() < 1e-6);
    }
}
