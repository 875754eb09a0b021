//! Models of the table that are worth having on a machine.

use serde::Serialize;

use super::choose::USABLE;
use super::{CONTEXT, Candidate, Estimate, Machine, OFFERED, Verdict, best, estimated_bytes, shape_of};
use crate::engine::KvType;
use crate::hub::{Alias, SAFETENSORS};

/// What people want a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    Chat,
    Reasoning,
    Code,
    Vectors,
}

impl Purpose {
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Chat => "Conversation",
            Purpose::Reasoning => "Reasoning",
            Purpose::Code => "Code",
            Purpose::Vectors => "Vectors, for search (oai embed)",
        }
    }

    /// By the words of the table: what comes first counts.
    fn of(good_for: &str) -> Purpose {
        let words = [
            ("vectors", Purpose::Vectors),
            ("code", Purpose::Code),
            ("coding", Purpose::Code),
            ("agents", Purpose::Code),
            ("reasoning", Purpose::Reasoning),
            ("mathematics", Purpose::Reasoning),
            ("chat", Purpose::Chat),
            ("answers", Purpose::Chat),
            ("tools", Purpose::Chat),
            ("texts", Purpose::Chat),
        ];
        let found = words.iter().filter_map(|(word, purpose)| Some((good_for.find(word)?, *purpose)));
        found.min_by_key(|(at, _)| *at).map_or(Purpose::Chat, |(_, purpose)| purpose)
    }

    /// How many are recommended.
    fn rows(self) -> usize {
        match self {
            Purpose::Chat => 5,
            Purpose::Reasoning => 4,
            Purpose::Code | Purpose::Vectors => 3,
        }
    }
}

/// The latest of each maker when the table was made (November 2026).
const LATEST: &[&str] = &[
    "bge-m3",
    "devstral-small-2",
    "ernie4.5",
    "exaone4",
    "gemma4",
    "glm-4.5-air",
    "glm-4.7-flash",
    "gpt-oss",
    "granite4",
    "granite4.1",
    "gte-modernbert",
    "hunyuan",
    "kimi-k2",
    "lfm2",
    "lfm2.5",
    "llama3.2",
    "llama3.3",
    "magistral",
    "minimax-m2.5",
    "ministral-3",
    "mistral-small3.2",
    "multilingual-e5",
    "nemotron-nano",
    "nomic-embed-text",
    "olmo-3",
    "phi4",
    "phi4-mini",
    "phi4-reasoning",
    "qwen3-coder",
    "qwen3-coder-next",
    "qwen3-embedding",
    "qwen3-next",
    "qwen3.5",
    "qwen3.6",
    "seed-oss",
    "smollm3",
    "snowflake-arctic-embed2",
];

/// A model of the table in the form that would be pulled.
#[derive(Debug, Clone)]
pub struct Recommendation<'a> {
    pub alias: &'a Alias,
    pub purpose: Purpose,
    pub tag: String,
    pub context: u64,
    pub estimate: Estimate,
    /// About what it is able to: the mean of all parameters and those that a token passes through, as of a mixture of
    /// experts is said to be worth.
    strength: f64,
}

/// The best of `aliases` for `machine`, by purpose and best first; with `all`, every one of them that is known enough of,
/// whether it fits or not.
pub fn recommend<'a>(
    aliases: impl Iterator<Item = &'a Alias>,
    machine: &Machine,
    context: Option<u64>,
    kv_type: KvType,
    all: bool,
) -> Vec<Recommendation<'a>> {
    let mut models: Vec<Recommendation> =
        aliases.filter_map(|alias| reckoned(alias, machine, context, kv_type)).collect();
    models.sort_by(|a, b| {
        let order = |of: &Recommendation| (of.purpose, std::cmp::Reverse(of.estimate.fits), !of.is_quick());
        order(a).cmp(&order(b)).then(b.strength.total_cmp(&a.strength))
    });
    if all {
        return models;
    }
    let mut left = [Purpose::Chat, Purpose::Reasoning, Purpose::Code, Purpose::Vectors].map(|p| (p, p.rows()));
    let mut families: Vec<&str> = Vec::new();
    models.retain(|of| {
        let family = family(&of.alias.name);
        let slot = left.iter_mut().find(|(purpose, _)| *purpose == of.purpose);
        let wanted = of.estimate.fits == Verdict::Fits && LATEST.contains(&family) && of.is_bearable();
        // One of a family and purpose: who wants a smaller one finds it.
        let Some((_, rows)) = slot.filter(|(_, rows)| *rows > 0 && wanted && !families.contains(&family)) else {
            return false;
        };
        *rows -= 1;
        families.push(family);
        true
    });
    models
}

impl Recommendation<'_> {
    /// Vectors are made of whole texts at once: there small is quick.
    fn is_quick(&self) -> bool {
        match self.purpose {
            Purpose::Vectors => self.strength < 1e9,
            _ => self.estimate.tokens_per_s.is_none_or(|speed| speed >= USABLE),
        }
    }

    fn is_bearable(&self) -> bool {
        self.is_quick() || self.estimate.tokens_per_s.is_some_and(|speed| speed >= USABLE / 4.0)
    }
}

/// `None` where the table says too little.
fn reckoned<'a>(
    alias: &'a Alias,
    machine: &Machine,
    context: Option<u64>,
    kv_type: KvType,
) -> Option<Recommendation<'a>> {
    let shape = shape_of(Some(alias), None, &[]);
    let context = context.unwrap_or(CONTEXT).min(shape.context_length.max(1));
    let form = |tag: &str| Some(Candidate { tag: tag.to_owned(), size_bytes: estimated_bytes(tag, shape.parameters)? });
    let candidates: Vec<Candidate> = match &alias.file {
        Some(file) => OFFERED.iter().chain([&file.as_str()]).filter_map(|tag| form(tag)).collect(),
        None => vec![Candidate { tag: SAFETENSORS.to_owned(), ..form("BF16")? }],
    };
    let chosen = best(&candidates, alias.file.as_deref(), &shape, machine, context, kv_type)?;
    let (tag, estimate) = (candidates[chosen.index].tag.clone(), chosen.estimate);
    if shape.parameters == 0 {
        return None;
    }
    let strength = shape.parameters as f64 * shape.read_share.sqrt();
    Some(Recommendation { alias, purpose: Purpose::of(&alias.good_for), tag, context, estimate, strength })
}

/// `qwen3` of `qwen3:8b`.
fn family(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::aliases;

    #[test]
    fn purposes_are_read_from_the_table() {
        for (words, purpose) in [
            ("vectors: search in long English texts and code", Purpose::Vectors),
            ("code and reasoning at the speed of a small model", Purpose::Code),
            ("reasoning, code", Purpose::Reasoning),
            ("quick answers on small machines", Purpose::Chat),
            ("tools, agents, long texts", Purpose::Chat),
            ("anything", Purpose::Chat),
        ] {
            assert_eq!(Purpose::of(words), purpose, "{words}");
        }
        for latest in LATEST {
            assert!(aliases().iter().any(|alias| family(&alias.name) == *latest), "{latest} is not in the table");
        }
    }

    #[test]
    fn what_is_recommended_fits_and_the_best_comes_first() {
        for (memory, bandwidth) in [(4, 20e9), (8, 40e9), (16, 60e9), (64, 100e9), (256, 300e9)] {
            let machine = Machine::of(memory << 30, bandwidth, 8);
            let found = recommend(aliases().iter(), &machine, None, KvType::F16, false);
            assert!((6..=15).contains(&found.len()), "{} of {memory} GiB", found.len());
            assert!(found.is_sorted_by_key(|of| (of.purpose, !of.is_quick())));
            for of in &found {
                assert_eq!(of.estimate.fits, Verdict::Fits, "{of:?}");
                assert!(of.estimate.memory_bytes <= machine.for_models());
            }
            let all = recommend(aliases().iter(), &machine, None, KvType::F16, true);
            assert_eq!(all.len(), aliases().len());
        }
    }
}
