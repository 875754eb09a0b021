//! Choosing the next token.

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
        let mut logits = logits.to_vec();
        self.penalize(&mut logits, prompt, generated);
        if self.sampling.temperature <= 0.0 {
            return argmax(&logits);
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

        let weight = |l: f32| ((l - best) / self.sampling.temperature).exp();
        let total: f32 = candidates.iter().map(|(_, l)| weight(*l)).sum();
        let mut left = self.rng.random::<f32>() * total;
        for (id, l) in &candidates {
            left -= weight(*l);
            if left < 0.0 {
                return *id;
            }
        }
        // Rounding may leave a crumb past the last candidate.
        candidates.last().map_or_else(|| argmax(&logits), |(id, _)| *id)
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

    #[test]
    fn logprobs_are_those_of_softmax() {
        let best = best_logprobs(&LOGITS, 2, 3);
        assert_eq!(best.iter().map(|t| t.id).collect::<Vec<_>>(), [1, 2, 3]);
        let total: f32 = LOGITS.iter().map(|l| l.exp()).sum();
        assert!((best[0].logprob - (3.0 - total.ln())).abs() < 1e-6);
    }
}
