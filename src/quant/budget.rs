//! The best types that a number of bytes allows: of each tensor's candidates one, so that the errors sum to the least.
//!
//! That is the multiple-choice knapsack problem: Sinha and Zoltners, "The Multiple-Choice Knapsack Problem", Operations
//! Research 27 (1979), <https://doi.org/10.1287/opre.27.3.503>.

use super::role::{LAYER_EMBEDDING, Role};
use crate::tensor_type::TensorType;

/// What a tensor may become, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub dtype: TensorType,
    pub bytes: u64,
    /// Finite; as [`error`] has it.
    pub error: f64,
}

/// What an error in a tensor's weights costs the model, to be summed over tensors: about in proportion to the
/// divergence of its distributions from those of the unchanged model. `squared` and `energy` are the squared errors
/// of the weights and the squared weights, both times the importance of their columns, summed over the same rows:
/// their quotient is the noise beside the signal in what the tensor puts out. `layers` are those of the model;
/// `is_tied` where its output is its token embedding.
///
/// While errors are small, the divergence is a sum of the tensors' relative errors, each with a weight of its own
/// (Malinovskii et al., "Pushing the Limits of Large Language Model Quantization via the Linearity Theorem",
/// <https://arxiv.org/abs/2411.17525>). Absolute errors would not do: norms, gates and softmax scale what a tensor puts
/// out, so that the same absolute noise costs hundreds of times as much in one as in another. The weights here are
/// those of noise in each tensor of two small trained models (5 and 4 layers), rounded:
/// - The three matrices of the feed-forward part weigh the same, those of attention less: it averages over values,
///   and softmax forgives its scores.
/// - Noise in the output is noise in the logits, with no layer after it. It weighs as much as half of all layers
///   together.
/// - Noise in the embedding is the start of what all layers add to, so that it weighs as what a few of them add.
pub fn error(name: &str, layers: usize, is_tied: bool, squared: f64, energy: f64) -> f64 {
    let output = 2.5 * layers as f64;
    let weight = match Role::of(name) {
        Role::Output => output,
        Role::Embedding if is_tied && name != LAYER_EMBEDDING => output,
        Role::Embedding => 4.0,
        Role::Query => 0.2,
        Role::Key | Role::AttentionOutput => 0.4,
        Role::Value => 0.5,
        Role::Down | Role::Other => 1.0,
    };
    // A tensor of zeros is stored without error.
    if energy > 0.0 { weight * squared / energy } else { 0.0 }
}

/// No choice is as small as the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the smallest choice of types takes {least_bytes} bytes")]
pub struct TooSmall {
    /// What the smallest choice takes.
    pub least_bytes: u64,
}

/// For each tensor the index of the candidate to take, so that all take at most `budget_bytes` and the sum of their
/// errors is least: exactly for a few tensors, within a thousandth for hundreds. Each tensor has at least one
/// candidate.
///
/// # Errors
/// [`TooSmall`] where the smallest candidates take more than the budget.
pub fn choose(candidates: &[Vec<Candidate>], budget_bytes: u64) -> Result<Vec<usize>, TooSmall> {
    let useful: Vec<Vec<usize>> = candidates.iter().map(|all| useful(all)).collect();
    let mut chosen: Vec<usize> = useful.iter().map(|all| all[0]).collect();
    let least_bytes = total_bytes(candidates, &chosen);
    if least_bytes > budget_bytes {
        return Err(TooSmall { least_bytes });
    }
    // From the smallest choice, the steps that save most error a byte come first.
    let mut steps: Vec<Step> = useful.iter().enumerate().flat_map(|(at, all)| steps(at, all, candidates)).collect();
    steps.sort_by(|a, b| b.saved_a_byte.total_cmp(&a.saved_a_byte));
    let mut left_bytes = budget_bytes - least_bytes;
    let mut price = None;
    let mut is_stopped = vec![false; candidates.len()];
    for step in steps {
        if step.bytes <= left_bytes && !is_stopped[step.tensor] {
            left_bytes -= step.bytes;
            chosen[step.tensor] = step.to;
        } else {
            price.get_or_insert(step.saved_a_byte);
            is_stopped[step.tensor] = true;
        }
    }
    match price {
        Some(price) => Ok(Search::new(candidates, &useful, price, budget_bytes).better_than(chosen)),
        // Each has the best that it can be.
        None => Ok(chosen),
    }
}

fn total_bytes(candidates: &[Vec<Candidate>], chosen: &[usize]) -> u64 {
    candidates.iter().zip(chosen).fold(0, |sum, (all, index)| sum.saturating_add(all[*index].bytes))
}

/// The candidates that are better than all that are as small, from the smallest.
fn useful(candidates: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let size_and_error = |index: &usize| (candidates[*index].bytes, candidates[*index].error);
    order.sort_by(|a, b| {
        let ((a_bytes, a_error), (b_bytes, b_error)) = (size_and_error(a), size_and_error(b));
        a_bytes.cmp(&b_bytes).then(a_error.total_cmp(&b_error))
    });
    let mut least = f64::INFINITY;
    order.retain(|index| {
        let is_better = candidates[*index].error < least;
        least = least.min(candidates[*index].error);
        is_better
    });
    order
}

/// From one candidate of a tensor to a larger one.
struct Step {
    tensor: usize,
    to: usize,
    bytes: u64,
    saved_a_byte: f64,
}

/// The steps along the lower convex hull of a tensor's `useful` candidates: each saves less a byte than the one before.
fn steps(tensor: usize, useful: &[usize], candidates: &[Vec<Candidate>]) -> Vec<Step> {
    let all = &candidates[tensor];
    let mut hull = vec![useful[0]];
    let mut steps: Vec<Step> = Vec::new();
    for to in &useful[1..] {
        loop {
            let from = &all[hull[hull.len() - 1]];
            let bytes = all[*to].bytes - from.bytes;
            let saved_a_byte = (from.error - all[*to].error) / bytes as f64;
            // A step that saves more than the one to where it begins goes past that.
            match steps.last() {
                Some(last) if last.saved_a_byte <= saved_a_byte => {
                    steps.pop();
                    hull.pop();
                }
                _ => {
                    steps.push(Step { tensor, to: *to, bytes, saved_a_byte });
                    hull.push(*to);
                    break;
                }
            }
        }
    }
    steps
}

/// Partial choices that are carried on at most: with them 500 tensors of 12 candidates come within 0.01 % of the
/// best, in some 20 ms.
const WIDTH: usize = 1024;

/// A search for the best choice around the one that is best where a byte has a price.
///
/// At `price` each tensor has a cheapest candidate; any other costs more by its loss. A choice of all has the error
/// that the price allows at best, and on top its losses and the price of the bytes that it leaves unused. So a choice
/// in the making whose losses are more than what the best one so far has on top can be dropped.
struct Search<'a> {
    candidates: &'a [Vec<Candidate>],
    /// `(candidate, loss)` of each tensor.
    losses: Vec<Vec<(usize, f64)>>,
    price: f64,
    budget_bytes: u64,
}

/// A choice for the first tensors.
#[derive(Clone, Copy)]
struct Partial {
    bytes: u64,
    loss: f64,
    /// The choice for all but the last of these tensors, and the candidate of the last.
    before: usize,
    candidate: usize,
}

impl<'a> Search<'a> {
    fn new(candidates: &'a [Vec<Candidate>], useful: &[Vec<usize>], price: f64, budget_bytes: u64) -> Search<'a> {
        let losses = useful.iter().zip(candidates).map(|(useful, all)| {
            let cost = |index: &usize| all[*index].error + price * all[*index].bytes as f64;
            let least = useful.iter().map(cost).fold(f64::INFINITY, f64::min);
            useful.iter().map(|index| (*index, cost(index) - least)).collect()
        });
        Search { candidates, losses: losses.collect(), price, budget_bytes }
    }

    /// The best choice that is found, `chosen` if none is better.
    fn better_than(&self, chosen: Vec<usize>) -> Vec<usize> {
        let unused = |bytes: u64| self.price * (self.budget_bytes - bytes) as f64;
        let loss = |(losses, index): (&Vec<(usize, f64)>, &usize)| {
            losses.iter().find(|(candidate, _)| candidate == index).map_or(0.0, |(_, loss)| *loss)
        };
        let losses: f64 = self.losses.iter().zip(&chosen).map(loss).sum();
        let on_top = losses + unused(total_bytes(self.candidates, &chosen));
        // What the tensors that are still to come take at least.
        let least = |(index, _): &(usize, f64), tensor: usize| self.candidates[tensor][*index].bytes;
        let mut rest_bytes: u64 = self.losses.iter().enumerate().map(|(tensor, all)| least(&all[0], tensor)).sum();
        let mut levels: Vec<Vec<Partial>> = Vec::with_capacity(self.candidates.len());
        let mut partials = vec![Partial { bytes: 0, loss: 0.0, before: 0, candidate: 0 }];
        for (tensor, losses) in self.losses.iter().enumerate() {
            rest_bytes -= least(&losses[0], tensor);
            let mut next = Vec::with_capacity(partials.len() * losses.len());
            for (before, partial) in partials.iter().enumerate() {
                for (candidate, loss) in losses {
                    let bytes = partial.bytes.saturating_add(self.candidates[tensor][*candidate].bytes);
                    let loss = partial.loss + loss;
                    if loss < on_top && bytes.saturating_add(rest_bytes) <= self.budget_bytes {
                        next.push(Partial { bytes, loss, before, candidate: *candidate });
                    }
                }
            }
            levels.push(std::mem::replace(&mut partials, self.best(next)));
        }
        let total = |partial: &&Partial| partial.loss + unused(partial.bytes);
        let best = partials.iter().min_by(|a, b| total(a).total_cmp(&total(b)));
        let Some(mut partial) = best.copied().filter(|best| total(&best) < on_top) else { return chosen };
        let mut found = Vec::with_capacity(chosen.len());
        for level in levels.iter().rev() {
            found.push(partial.candidate);
            partial = level[partial.before];
        }
        found.reverse();
        found
    }

    /// Those that may yet be part of the best choice: none is both smaller and of less error; of too many those of
    /// least loss.
    fn best(&self, mut partials: Vec<Partial>) -> Vec<Partial> {
        let error = |partial: &Partial| partial.loss - self.price * partial.bytes as f64;
        partials.sort_by(|a, b| a.bytes.cmp(&b.bytes).then(a.loss.total_cmp(&b.loss)));
        let mut least = f64::INFINITY;
        partials.retain(|partial| {
            let is_better = error(partial) < least;
            least = least.min(error(partial));
            is_better
        });
        if partials.len() > WIDTH {
            partials.select_nth_unstable_by(WIDTH, |a, b| a.loss.total_cmp(&b.loss));
            partials.truncate(WIDTH);
        }
        partials
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Tensors of several sizes, each with candidates of more bytes and, as a rule, less error.
    fn random(rng: &mut StdRng, tensors: usize, types: usize) -> Vec<Vec<Candidate>> {
        let tensor = |rng: &mut StdRng| {
            let (size, weight) = (rng.random_range(1..2000), rng.random_range(0.1..10.0));
            let candidate = |rng: &mut StdRng| {
                let bits: f64 = rng.random_range(2.0..9.0);
                let error = weight * 4f64.powf(-bits) * rng.random_range(0.5..2.0);
                Candidate { dtype: TensorType::Q4K, bytes: (f64::from(size) * bits) as u64, error }
            };
            (0..types).map(|_| candidate(rng)).collect()
        };
        (0..tensors).map(|_| tensor(rng)).collect()
    }

    fn total_error(candidates: &[Vec<Candidate>], chosen: &[usize]) -> f64 {
        candidates.iter().zip(chosen).map(|(all, index)| all[*index].error).sum()
    }

    /// The least error of all choices.
    fn brute_force(candidates: &[Vec<Candidate>], budget_bytes: u64) -> Option<f64> {
        let Some((first, rest)) = candidates.split_first() else { return Some(0.0) };
        let affordable = first.iter().filter(|candidate| candidate.bytes <= budget_bytes);
        let errors = affordable.filter_map(|c| Some(c.error + brute_force(rest, budget_bytes - c.bytes)?));
        errors.min_by(f64::total_cmp)
    }

    #[test]
    fn small_choices_are_the_best_there_are() {
        let mut rng = StdRng::seed_from_u64(1);
        for case in 0..300 {
            let candidates = random(&mut rng, 1 + case % 6, 1 + case % 5);
            let budget = rng.random_range(1000..40_000);
            let least: u64 = candidates.iter().filter_map(|all| all.iter().map(|c| c.bytes).min()).sum();
            match (choose(&candidates, budget), brute_force(&candidates, budget)) {
                (Ok(chosen), Some(best)) => {
                    assert!(total_bytes(&candidates, &chosen) <= budget, "case {case}");
                    let error = total_error(&candidates, &chosen);
                    assert!(error <= best * 1.000_001, "case {case}: {error} is not {best}");
                }
                (Err(e), None) => assert_eq!(e, TooSmall { least_bytes: least }),
                (chosen, best) => panic!("case {case}: {chosen:?}, {best:?}"),
            }
        }
    }

    #[test]
    fn large_choices_are_as_good_as_a_bound_and_no_worse_for_more_bytes() {
        let candidates = random(&mut StdRng::seed_from_u64(2), 500, 12);
        let mut last = f64::INFINITY;
        for budget in (2_000_000..4_000_000).step_by(100_003) {
            let chosen = choose(&candidates, budget).unwrap();
            assert!(total_bytes(&candidates, &chosen) <= budget);
            let error = total_error(&candidates, &chosen);
            assert!(error <= last, "{error} at {budget} after {last}");
            last = error;
            // At any price of a byte, no choice can be better than what is best at that price.
            let at_price = |price: f64| {
                let least = |all: &Vec<Candidate>| {
                    all.iter().map(|c| c.error + price * c.bytes as f64).fold(f64::INFINITY, f64::min)
                };
                candidates.iter().map(least).sum::<f64>() - price * budget as f64
            };
            let (mut low, mut high) = (1e-12f64, 1e3f64);
            for _ in 0..100 {
                let (first, second) = ((low * low * high).cbrt(), (low * high * high).cbrt());
                if at_price(first) < at_price(second) { low = first } else { high = second }
            }
            let bound = at_price(low);
            assert!(error <= bound * 1.000_5, "{error} at {budget}, {bound} at least");
        }
    }

    #[test]
    fn what_costs_nothing_is_taken_and_what_helps_nothing_is_not() {
        let candidate = |bytes, error| Candidate { dtype: TensorType::Q8_0, bytes, error };
        let candidates = [
            vec![candidate(10, 2.0), candidate(10, 1.0), candidate(20, 1.0)],
            vec![candidate(5, 0.0), candidate(4, 0.0)],
        ];
        assert_eq!(choose(&candidates, 1000), Ok(vec![1, 1]));
        assert_eq!(choose(&candidates, 13), Err(TooSmall { least_bytes: 14 }));
        assert_eq!(choose(&[], 0), Ok(vec![]));
    }

    #[test]
    fn an_error_counts_beside_what_it_spoils() {
        let [down, query, output] = ["blk.0.ffn_down.weight", "blk.0.attn_q.weight", "output.weight"]
            .map(|name| error(name, 32, false, 1.0, 100.0));
        assert!(query < down && down < output);
        assert_eq!(error("token_embd.weight", 32, true, 1.0, 100.0), output);
        assert_eq!(error("blk.0.ffn_down.weight", 32, false, 4.0, 400.0), down);
        assert_eq!(error("blk.0.ffn_down.weight", 32, false, 0.0, 0.0), 0.0);
    }
}
