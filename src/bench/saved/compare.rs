//! One run against another, test by test.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Object;
use super::welch::ratio_of_means;
use crate::bench::statistics::mean;

/// What makes two rows the same test. What a row does not have counts as equal to what another one does not have.
const IDENTITY: &[&str] =
    &["model", "test", "n_prompt", "n_gen", "depth", "threads", "kv_type", "batch", "ubatch", "concurrency"];

/// What should be the same in both runs for a change to be one of the program, and what people call it.
const SURROUNDINGS: &[(&str, &str)] = &[
    ("endpoint", "the server"),
    ("model", "the model"),
    ("model_fingerprint", "the model's weights"),
    ("quantization", "the quantization"),
    ("size_bytes", "the model's size in bytes"),
    ("machine", "the machine"),
    ("cpu", "the processor"),
    ("kernels", "the kernels' instructions"),
    ("build", "the build"),
    ("version", "oai's version"),
];

/// Samples of a row, all tokens a second, and what they are where a row has others besides.
const SAMPLES: &[(&str, &str)] = &[("samples_tokens_per_s", ""), ("samples_prefill_tokens_per_s", ", prefill")];

/// What became of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The mean moved by more than the tolerance, and the interval leaves no room for no change.
    Faster,
    /// The same in the wrong direction: a regression.
    Slower,
    /// The whole interval is within the tolerance.
    Same,
    /// The samples are too few or too scattered to say.
    Uncertain,
}

/// A test that both runs have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name, with what else tells it from others of the runs: `tg128 @ d2048, threads 4`.
    pub test: String,
    pub old_tokens_per_s: f64,
    pub new_tokens_per_s: f64,
    /// New over old.
    pub ratio: f64,
    /// The ends of its 95 % confidence interval; `None` where a run has a single sample.
    pub ratio_low: Option<f64>,
    pub ratio_high: Option<f64>,
    pub verdict: Verdict,
}

/// What has changed from one run to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub changes: Vec<Change>,
    /// Tests that only one of the runs has.
    pub only_old: Vec<String>,
    pub only_new: Vec<String>,
    /// What besides the program was not the same; a line each.
    pub warnings: Vec<String>,
}

impl Comparison {
    /// Whether a test has become slower for sure.
    pub fn has_regression(&self) -> bool {
        self.changes.iter().any(|change| change.verdict == Verdict::Slower)
    }
}

/// The new rows against the old ones, in the order of the new. `tolerance` is the share by which a mean may move: 0.05
/// is 5 %. Where each run has a single model the two are compared whatever they are called.
pub fn compare(old: &[Object], new: &[Object], tolerance: f64) -> Comparison {
    let all = || old.iter().chain(new);
    let one_model = [old, new].iter().all(|rows| values(rows.iter(), "model").len() < 2);
    let identity: Vec<&str> = IDENTITY.iter().copied().filter(|key| !(one_model && *key == "model")).collect();
    let telling: Vec<&str> = identity.iter().copied().filter(|key| is_telling(key, all())).collect();
    let mut left: Vec<&Object> = old.iter().collect();
    let (mut pairs, mut only_new) = (Vec::new(), Vec::new());
    for row in new {
        let same = |other: &&Object| identity.iter().all(|key| value(other, key) == value(row, key));
        match left.iter().position(same) {
            Some(at) => pairs.push((left.remove(at), row)),
            None => only_new.push(name(row, &telling)),
        }
    }
    let changes = pairs.iter().flat_map(|(old, new)| {
        SAMPLES.iter().filter_map(|(key, what)| {
            let (old, samples) = (samples(old, key)?, samples(new, key)?);
            Some(change(format!("{}{what}", name(new, &telling)), &old, &samples, tolerance))
        })
    });
    Comparison {
        changes: changes.collect(),
        only_old: left.iter().map(|row| name(row, &telling)).collect(),
        only_new,
        warnings: warnings(&pairs),
    }
}

fn change(test: String, old: &[f64], new: &[f64], tolerance: f64) -> Change {
    let (ratio, interval) = ratio_of_means(old, new);
    let verdict = match interval {
        Some((low, high)) if low >= 1.0 - tolerance && high <= 1.0 + tolerance => Verdict::Same,
        Some((low, _)) if low > 1.0 && ratio > 1.0 + tolerance => Verdict::Faster,
        Some((_, high)) if high < 1.0 && ratio < 1.0 - tolerance => Verdict::Slower,
        _ => Verdict::Uncertain,
    };
    let (ratio_low, ratio_high) = interval.unzip();
    Change { test, old_tokens_per_s: mean(old), new_tokens_per_s: mean(new), ratio, ratio_low, ratio_high, verdict }
}

/// What differs in the rows that were compared.
fn warnings(pairs: &[(&Object, &Object)]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (key, what) in SURROUNDINGS {
        for (old, new) in pairs {
            let (old, new) = (value(old, key), value(new, key));
            let line = || format!("{what} was {}, and is {}", shown(old), shown(new));
            if old != new && !warnings.contains(&line()) {
                warnings.push(line());
            }
        }
    }
    warnings
}

/// Positive numbers; a row of another kind has none.
fn samples(row: &Object, key: &str) -> Option<Vec<f64>> {
    let numbers = row.get(key)?.as_array()?.iter().filter_map(Value::as_f64);
    let samples: Vec<f64> = numbers.filter(|sample| *sample > 0.0).collect();
    (!samples.is_empty()).then_some(samples)
}

/// Whether a test's name has to say its `key`, because tests of the same name have others.
fn is_telling<'a>(key: &str, rows: impl Iterator<Item = &'a Object>) -> bool {
    !["test", "n_prompt", "n_gen", "depth"].contains(&key) && values(rows, key).len() > 1
}

fn name(row: &Object, telling: &[&str]) -> String {
    let more = telling.iter().map(|key| format!(", {} {}", key.replace('_', " "), shown(value(row, key))));
    shown(value(row, "test")) + &more.collect::<String>()
}

fn values<'a>(rows: impl Iterator<Item = &'a Object>, key: &str) -> BTreeSet<String> {
    rows.map(|row| value(row, key).to_string()).collect()
}

fn value<'a>(row: &'a Object, key: &str) -> &'a Value {
    row.get(key).unwrap_or(&Value::Null)
}

/// As people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: Value) -> Object {
        json.as_object().unwrap().clone()
    }

    fn test(name: &str, threads: u64, samples: [f64; 3]) -> Object {
        row(
            serde_json::json!({ "model": "m", "cpu": "c", "test": name, "threads": threads, "samples_tokens_per_s": samples }),
        )
    }

    fn verdict(old: [f64; 3], new: [f64; 3], tolerance: f64) -> Verdict {
        compare(&[test("tg8", 4, old)], &[test("tg8", 4, new)], tolerance).changes[0].verdict
    }

    #[test]
    fn a_verdict_needs_both_a_change_and_certainty() {
        let old = [99.9, 100.0, 100.1];
        assert_eq!(verdict(old, [80.0, 80.1, 79.9], 0.05), Verdict::Slower);
        assert_eq!(verdict(old, [120.0, 120.1, 119.9], 0.05), Verdict::Faster);
        assert_eq!(verdict(old, [99.0, 98.9, 99.1], 0.05), Verdict::Same, "certain, but within the tolerance");
        assert_eq!(verdict(old, [99.0, 98.9, 99.1], 0.001), Verdict::Slower);
        assert_eq!(verdict(old, [50.0, 80.0, 110.0], 0.05), Verdict::Uncertain, "much slower, or nothing at all");
        assert_eq!(verdict(old, [90.0, 96.0, 102.0], 0.05), Verdict::Uncertain, "the mean is within, the interval not");
        let single = |tokens_per_s: f64| row(serde_json::json!({ "samples_tokens_per_s": [tokens_per_s] }));
        let comparison = compare(&[single(100.0)], &[single(10.0)], 0.05);
        assert_eq!((comparison.changes[0].verdict, comparison.changes[0].ratio_low), (Verdict::Uncertain, None));
        assert!(!comparison.has_regression());
        assert!(compare(&[test("x", 1, old)], &[test("x", 1, [1.0, 1.1, 1.2])], 0.05).has_regression());
    }

    #[test]
    fn rows_are_matched_by_what_was_tested_and_the_rest_is_listed() {
        let some = [1.0, 1.1, 1.2];
        let old = [test("pp8", 1, some), test("tg8", 1, some), test("tg8", 2, some), test("tg9", 2, some)];
        let new = [test("tg8", 2, [2.0, 2.1, 2.2]), test("tg8", 1, some), test("tg8", 3, some)];
        let comparison = compare(&old, &new, 0.05);
        let names: Vec<&str> = comparison.changes.iter().map(|change| change.test.as_str()).collect();
        assert_eq!(names, ["tg8, threads 2", "tg8, threads 1"]);
        assert!(comparison.changes[0].ratio > 1.9 && (comparison.changes[1].ratio - 1.0).abs() < 1e-12);
        assert_eq!(comparison.only_old, ["pp8, threads 1", "tg9, threads 2"]);
        assert_eq!(comparison.only_new, ["tg8, threads 3"]);
        assert!(comparison.warnings.is_empty());
    }

    #[test]
    fn one_model_against_another_is_compared_with_a_warning_and_several_by_name() {
        let of = |model: &str| {
            let mut row = test("tg8", 1, [1.0, 1.1, 1.2]);
            row.insert("model".to_owned(), model.into());
            row
        };
        let mut other = of("b");
        other.insert("cpu".to_owned(), "d".into());
        let comparison = compare(&[of("a")], &[other.clone()], 0.05);
        assert_eq!(comparison.changes.len(), 1);
        assert_eq!(comparison.warnings, ["the model was a, and is b", "the processor was c, and is d"]);
        let comparison = compare(&[of("a"), of("c")], &[other, of("a")], 0.05);
        assert_eq!(
            (comparison.only_old, comparison.only_new),
            (vec!["tg8, model c".into()], vec!["tg8, model b".into()])
        );
        assert_eq!((comparison.changes[0].test.as_str(), comparison.warnings.len()), ("tg8, model a", 0));
    }

    #[test]
    fn rows_of_a_server_are_compared_by_both_their_rates() {
        let row = |prefill: f64| {
            row(serde_json::json!({ "test": "pp8+tg8 x2", "concurrency": 2, "samples_tokens_per_s": [9.0, 9.0],
                "samples_prefill_tokens_per_s": [prefill, prefill] }))
        };
        let changes = compare(&[row(10.0)], &[row(5.0)], 0.05).changes;
        let found: Vec<_> = changes.iter().map(|change| (change.test.as_str(), change.verdict)).collect();
        assert_eq!(found, [("pp8+tg8 x2", Verdict::Same), ("pp8+tg8 x2, prefill", Verdict::Slower)]);
    }
}
