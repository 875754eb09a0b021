//! Streams at once, and what they come to.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::client::Client;
use super::prompt::TokensOfWords;
use super::stream::{Answer, Usage};
use super::{EndpointRow, Error, Load};
use crate::bench::Progress;
use crate::bench::statistics::{mean, standard_deviation};

/// Tokens that are decoded before those that count.
const WARM_UP: usize = 32;
/// By how much a prompt may differ from what was asked for before it is said.
const OFF: f64 = 0.1;

/// Warms up, runs the load with the prompts from `first_prompt` on, and sums up.
pub async fn run(
    client: &Client,
    counts: Option<&TokensOfWords>,
    load: &Load,
    first_prompt: u64,
    progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<EndpointRow, Error> {
    let name = load.name();
    let total_runs = load.concurrency * load.requests + 1;
    let done = Cell::new(0);
    let progress = RefCell::new(progress);
    let tell = || progress.borrow_mut()(&Progress { test: &name, done_runs: done.get(), total_runs });
    // A server that counts nothing gets as many words.
    let words = counts.map_or(load.prompt_tokens.max(1), |counts| counts.words(load.prompt_tokens));
    tell();
    client.ask(&client.prompt(words, first_prompt), load.generated_tokens.min(WARM_UP)).await?;
    done.set(1);
    tell();
    join_all((0..load.concurrency).map(|_| client.open())).await;
    let started = Instant::now();
    let one_stream = async |stream: usize| {
        let mut answers = Vec::with_capacity(load.requests);
        for request in 0..load.requests {
            let number = (stream * load.requests + request) as u64 + 1;
            let prompt = client.prompt(words, first_prompt.wrapping_add(number));
            answers.push(client.ask(&prompt, load.generated_tokens).await);
            done.set(done.get() + 1);
            tell();
        }
        answers
    };
    let answers = join_all((0..load.concurrency).map(one_stream)).await.into_iter().flatten();
    let wall = started.elapsed();
    let (answers, errors): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    let answers: Vec<Timed> = answers.into_iter().flatten().map(Timed::new).collect();
    let mut errors: Vec<Error> = errors.into_iter().filter_map(Result::err).collect();
    if answers.is_empty() && !errors.is_empty() {
        return Err(errors.swap_remove(0));
    }
    let mut row = sum_up(load, &answers, counts.map(|counts| counts.tokens(words)), wall);
    row.errors = errors.len();
    row.error = errors.first().map(Error::to_string);
    row.notes.splice(0..0, client.notes());
    Ok(row)
}

/// An answer's numbers.
struct Timed {
    first: Duration,
    /// From the first token to the last.
    decoding: Duration,
    gaps: Vec<Duration>,
    /// As the server counted; else the events.
    tokens: f64,
    tokens_an_event: f64,
    counted: bool,
    prompt_tokens: Option<f64>,
    cached_tokens: f64,
}

impl Timed {
    fn new(answer: Answer) -> Timed {
        let arrivals = &answer.arrivals;
        let events = arrivals.len() as f64;
        let counted = |number: fn(&Usage) -> Option<u64>| {
            answer.usage.as_ref().and_then(number).filter(|n| *n > 0).map(|n| n as f64)
        };
        let completion_tokens = counted(|usage| usage.completion_tokens);
        let tokens = completion_tokens.unwrap_or(events);
        let [first, last] = [arrivals.first(), arrivals.last()].map(|at| at.copied().unwrap_or_default());
        Timed {
            first,
            decoding: last - first,
            gaps: arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect(),
            tokens,
            tokens_an_event: tokens / events,
            counted: completion_tokens.is_some(),
            prompt_tokens: counted(|usage| usage.prompt_tokens),
            cached_tokens: counted(Usage::cached_tokens).unwrap_or_default(),
        }
    }

    /// The tokens after the first event over the time that they took.
    fn tokens_per_s(&self) -> Option<f64> {
        let seconds = self.decoding.as_secs_f64();
        (seconds > 0.0).then(|| (self.tokens - self.tokens_an_event) / seconds)
    }
}

/// `estimated` is how many tokens a prompt should be, for servers that do not count them in streams.
fn sum_up(load: &Load, answers: &[Timed], estimated: Option<f64>, wall: Duration) -> EndpointRow {
    let firsts: Vec<f64> = answers.iter().map(|answer| milliseconds(answer.first)).collect();
    let gaps: Vec<f64> = answers
        .iter()
        .flat_map(|answer| answer.gaps.iter().map(|gap| milliseconds(*gap) / answer.tokens_an_event.max(1.0)))
        .collect();
    let decode: Vec<f64> = answers.iter().filter_map(Timed::tokens_per_s).collect();
    let prompts: Option<Vec<f64>> = answers.iter().map(|answer| answer.prompt_tokens.or(estimated)).collect();
    let prefill: Vec<f64> =
        prompts.iter().flatten().zip(answers).map(|(n, answer)| n / answer.first.as_secs_f64()).collect();
    let generated: f64 = answers.iter().map(|answer| answer.tokens).sum();
    let wall_s = wall.as_secs_f64();
    let some_mean = |samples: &[f64]| (!samples.is_empty()).then(|| mean(samples));
    EndpointRow {
        test: load.name(),
        n_prompt: load.prompt_tokens,
        n_gen: load.generated_tokens,
        concurrency: load.concurrency,
        requests: answers.len(),
        errors: 0,
        error: None,
        prompt_tokens: prompts.as_deref().and_then(some_mean),
        generated_tokens: generated / answers.len().max(1) as f64,
        ttft_ms_p50: percentile(&firsts, 0.5).unwrap_or_default(),
        ttft_ms_p95: percentile(&firsts, 0.95).unwrap_or_default(),
        inter_token_ms_p50: percentile(&gaps, 0.5),
        inter_token_ms_p95: percentile(&gaps, 0.95),
        inter_token_ms_p99: percentile(&gaps, 0.99),
        tokens_per_s: some_mean(&decode),
        stddev: standard_deviation(&decode),
        samples_tokens_per_s: decode,
        prefill_tokens_per_s: some_mean(&prefill),
        samples_prefill_tokens_per_s: prefill,
        generated_tokens_per_s: generated / wall_s,
        total_tokens_per_s: prompts.as_ref().map(|prompts| (generated + prompts.iter().sum::<f64>()) / wall_s),
        wall_s,
        notes: notes(load, answers, estimated, prompts.as_deref()),
    }
}

/// What a reader should know of how the answers came.
fn notes(load: &Load, answers: &[Timed], estimated: Option<f64>, prompts: Option<&[f64]>) -> Vec<String> {
    let mut notes = Vec::new();
    let of = |number: fn(&Timed) -> f64| mean(&answers.iter().map(number).collect::<Vec<_>>());
    if answers.iter().any(|answer| !answer.counted) {
        notes.push("it does not count tokens in streams: an event counts as one".to_owned());
    }
    match (prompts, estimated) {
        (None, _) => notes.push(format!("it does not count prompts: they have {} words", load.prompt_tokens)),
        (Some(_), Some(tokens)) if answers.iter().any(|answer| answer.prompt_tokens.is_none()) => {
            notes.push(format!("prompts were not counted one by one: they are about {tokens:.0} tokens"));
        }
        (Some(prompts), _) if (mean(prompts) / load.prompt_tokens as f64 - 1.0).abs() > OFF => {
            notes.push(format!("prompts came to {:.0} tokens, not {}", mean(prompts), load.prompt_tokens));
        }
        _ => {}
    }
    let cached = of(|answer| answer.cached_tokens);
    if prompts.is_some_and(|prompts| cached > OFF * mean(prompts)) {
        notes.push(format!(
            "{cached:.0} tokens of a prompt were known to it from before: prefill was less than it seems"
        ));
    }
    let an_event = of(|answer| answer.tokens_an_event);
    if an_event > 1.0 + OFF {
        notes.push(format!(
            "it sends {an_event:.1} tokens an event: the time between tokens is that share of the time between events"
        ));
    }
    let generated = of(|answer| answer.tokens);
    if generated < (1.0 - OFF) * load.generated_tokens as f64 {
        notes.push(format!("answers ended after {generated:.0} tokens, before {}", load.generated_tokens));
    }
    notes
}

fn milliseconds(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

/// The value that `share` of the samples do not exceed, between two of them in proportion; `None` of no samples.
fn percentile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * sorted.len().checked_sub(1)? as f64;
    let [below, above] = [place.floor(), place.ceil()].map(|place| sorted[place as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { prompt_tokens: 100, generated_tokens: 5, concurrency: 1, requests: 2 };

    fn answer(arrivals_ms: &[u64], usage: Option<&str>) -> Timed {
        let arrivals = arrivals_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        Timed::new(Answer { arrivals, usage: usage.map(|usage| serde_json::from_str(usage).unwrap()) })
    }

    #[test]
    fn a_load_is_summed_up_as_by_hand() {
        let usage = r#"{"prompt_tokens":100,"completion_tokens":5}"#;
        let answers =
            [answer(&[200, 210, 220, 230, 240], Some(usage)), answer(&[400, 420, 440, 460, 480], Some(usage))];
        let row = sum_up(&LOAD, &answers, None, Duration::from_secs(2));
        assert_eq!((row.ttft_ms_p50, row.ttft_ms_p95), (300.0, 390.0));
        assert_eq!((row.inter_token_ms_p50, row.inter_token_ms_p99), (Some(15.0), Some(20.0)));
        assert_eq!((row.samples_tokens_per_s, row.tokens_per_s), (vec![100.0, 50.0], Some(75.0)));
        assert_eq!((row.samples_prefill_tokens_per_s, row.prefill_tokens_per_s), (vec![500.0, 250.0], Some(375.0)));
        assert_eq!((row.generated_tokens_per_s, row.total_tokens_per_s), (5.0, Some(105.0)));
        assert_eq!((row.prompt_tokens, row.generated_tokens, row.notes), (Some(100.0), 5.0, Vec::<String>::new()));
    }

    #[test]
    fn several_tokens_an_event_are_told_from_the_count() {
        // Three events of two tokens: four tokens after the first event, in 80 ms.
        let answers = [answer(&[100, 140, 180], Some(r#"{"prompt_tokens":100,"completion_tokens":6}"#))];
        let row = sum_up(&LOAD, &answers, None, Duration::from_secs(1));
        assert!((row.tokens_per_s.unwrap() - 50.0).abs() < 1e-9 && row.inter_token_ms_p50 == Some(20.0));
        assert!(row.notes[0].starts_with("it sends 2.0 tokens an event"), "{:?}", row.notes);
    }

    #[test]
    fn what_is_not_counted_or_not_as_asked_is_said() {
        let notes = |answers: &[Timed], estimated| sum_up(&LOAD, answers, estimated, Duration::from_secs(1)).notes;
        let none = answer(&[1, 2, 3, 4, 5], None);
        let found = notes(&[none], None);
        assert!(found[0].contains("an event counts as one") && found[1].contains("100 words"), "{found:?}");
        let found = notes(&[answer(&[1, 2, 3, 4, 5], None)], Some(98.0));
        assert!(found[1].ends_with("about 98 tokens"), "{found:?}");
        let short = r#"{"prompt_tokens":60,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":50}}"#;
        let found = notes(&[answer(&[1, 2], Some(short))], None);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("came to 60 tokens, not 100") && found[1].starts_with("50 tokens"), "{found:?}");
        assert_eq!(found[2], "answers ended after 2 tokens, before 5");
    }

    #[test]
    fn percentiles_lie_between_samples() {
        let samples: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!((percentile(&samples, 0.5), percentile(&samples, 0.99)), (Some(50.0), Some(99.0)));
        assert_eq!((percentile(&[1.0, 2.0], 0.95), percentile(&[7.0], 0.95)), (Some(1.95), Some(7.0)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
