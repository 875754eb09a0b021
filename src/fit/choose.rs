//! Which form of a model to take.
//!
//! Where the table of short names says which form is usual, that is taken if it fits. Else the rule is, in its order:
//! 1. Of Q4_K_M to Q8_0 the largest that fits and writes at [`USABLE`] tokens a second; a small model need not be fast.
//! 2. If none is so fast, the smallest of those that fit.
//! 3. Else the largest other of about four bits that fits, else the original, if that fits.
//! 4. Else, in the same order, the smallest that fits tightly.
//! 5. Else what is below four bits: the largest that fits, the smallest that fits tightly.
//! 6. If nothing fits, the smallest of Q4_K_M to Q8_0, or of all.

use super::quantization::{Rank, rank};
use super::{Candidate, Estimate, Machine, Verdict, estimate};
use crate::engine::{Footprint, KvType};

/// Tokens a second: faster than one reads.
pub const USABLE: f64 = 10.0;
/// Parameters of a model that suffers most from few bits, and is fast in any.
const SMALL: u64 = 1_500_000_000;

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub index: usize,
    pub estimate: Estimate,
    /// It is below four bits, for nothing better fits.
    pub low: bool,
}

/// The best of `candidates` for `machine` with a cache for `context` tokens: the one with the tag `usual` if it fits, else
/// what the rule says; `None` of none.
pub fn best(
    candidates: &[Candidate],
    usual: Option<&str>,
    shape: &Footprint,
    machine: &Machine,
    context: u64,
    kv_type: KvType,
) -> Option<Choice> {
    let reckoned: Vec<(usize, Rank, Estimate)> = candidates
        .iter()
        .enumerate()
        .map(|(index, of)| {
            let bits = (shape.parameters > 0).then(|| of.size_bytes as f64 * 8.0 / shape.parameters as f64);
            (index, rank(&of.tag, bits), estimate(of, shape, machine, context, kv_type))
        })
        .collect();
    let of = |of_rank: Rank, verdict: Verdict| {
        reckoned.iter().filter(move |(_, rank, estimate)| *rank == of_rank && estimate.fits == verdict)
    };
    let size = |(_, _, estimate): &&(usize, Rank, Estimate)| estimate.size_bytes;
    let is_usable = |(_, _, estimate): &&(usize, Rank, Estimate)| {
        shape.parameters < SMALL || estimate.tokens_per_s.is_none_or(|speed| speed >= USABLE)
    };
    use Rank::{Four, Full, Good, Low};
    use Verdict::{Fits, Tight};
    let is_usual = |(index, _, estimate): &&(usize, Rank, Estimate)| {
        estimate.fits == Fits && usual.is_some_and(|tag| candidates[*index].tag.eq_ignore_ascii_case(tag))
    };
    let chosen = reckoned
        .iter()
        .find(is_usual)
        .or_else(|| of(Good, Fits).filter(is_usable).max_by_key(size))
        .or_else(|| of(Good, Fits).min_by_key(size))
        .or_else(|| of(Four, Fits).max_by_key(size))
        .or_else(|| of(Full, Fits).min_by_key(size))
        .or_else(|| of(Good, Tight).min_by_key(size))
        .or_else(|| of(Four, Tight).min_by_key(size))
        .or_else(|| of(Full, Tight).min_by_key(size))
        .or_else(|| of(Low, Fits).max_by_key(size))
        .or_else(|| of(Low, Tight).min_by_key(size))
        .or_else(|| of(Good, Verdict::No).min_by_key(size))
        .or_else(|| reckoned.iter().min_by_key(size))?;
    let (index, rank, estimate) = chosen;
    Some(Choice { index: *index, low: *rank == Low, estimate: estimate.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::{estimated_bytes, guessed};
    use super::*;

    const ALL: &[&str] = &["Q2_K", "IQ3_M", "Q3_K_L", "IQ4_XS", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"];

    /// The tag chosen for a model of so many billions, memory in GiB, bandwidth in GB/s.
    fn pick(tags: &[&str], billions: f64, memory: u64, bandwidth: f64) -> (String, Verdict, bool) {
        let parameters = (billions * 1e9) as u64;
        let candidates: Vec<Candidate> = tags
            .iter()
            .map(|tag| Candidate {
                tag: (*tag).to_owned(),
                size_bytes: estimated_bytes(tag, parameters).unwrap_or(parameters),
            })
            .collect();
        let machine = Machine::of(memory << 30, bandwidth * 1e9, 8);
        let choice = best(&candidates, None, &guessed(parameters, None), &machine, 8192, KvType::F16).unwrap();
        (candidates[choice.index].tag.clone(), choice.estimate.fits, choice.low)
    }

    #[test]
    fn the_rule_in_its_order() {
        use Verdict::{Fits, No, Tight};
        for (billions, memory, bandwidth, tag, fits, low) in [
            // Small models in eight bits, fast machine or slow.
            (1.2, 8, 50.0, "Q8_0", Fits, false),
            (1.2, 8, 5.0, "Q8_0", Fits, false),
            // The largest that is fast enough.
            (8.0, 32, 120.0, "Q8_0", Fits, false),
            (8.0, 32, 90.0, "Q6_K", Fits, false),
            (8.0, 32, 75.0, "Q5_K_M", Fits, false),
            (8.0, 32, 20.0, "Q4_K_M", Fits, false),
            // The largest that fits.
            (14.0, 16, 400.0, "Q6_K", Fits, false),
            (8.0, 7, 400.0, "IQ4_XS", Fits, false),
            (14.0, 10, 400.0, "IQ4_XS", Tight, false),
            // Below four bits only for want of room.
            (8.0, 6, 400.0, "Q2_K", Fits, true),
            (32.0, 16, 400.0, "Q2_K", Fits, true),
            (70.0, 16, 400.0, "Q4_K_M", No, false),
        ] {
            let got = pick(ALL, billions, memory, bandwidth);
            assert_eq!(got, (tag.to_owned(), fits, low), "{billions}B on {memory} GiB at {bandwidth} GB/s");
        }
    }

    #[test]
    fn what_is_offered_is_what_can_be_chosen() {
        assert_eq!(pick(&["F16"], 8.0, 64, 50.0).0, "F16");
        assert_eq!(pick(&["F16", "Q3_K_L"], 8.0, 64, 50.0).0, "F16");
        assert_eq!(pick(&["odd"], 8.0, 64, 50.0).0, "odd");
        let machine = Machine::of(8 << 30, 50e9, 8);
        let small: Vec<Candidate> = ["Q8_0", "Q4_K_M"]
            .iter()
            .map(|tag| Candidate { tag: (*tag).to_owned(), size_bytes: estimated_bytes(tag, 1_000_000_000).unwrap() })
            .collect();
        let pick =
            |usual| best(&small, usual, &guessed(1_000_000_000, None), &machine, 8192, KvType::F16).unwrap().index;
        assert_eq!((pick(None), pick(Some("q4_k_m")), pick(Some("Q5_0"))), (0, 1, 0));
        assert_eq!(best(&[], None, &guessed(0, None), &machine, 8192, KvType::F16), None);
    }
}
