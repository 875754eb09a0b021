//! What is known of a conversation's turns. Times come from outside, in Unix milliseconds.

use std::collections::VecDeque;

use super::Machine;
use super::rates::Rates;
use crate::engine::{Speculation, Timings, Usage};
use crate::monitor::{Sample, Status};

/// Turns whose cost is kept.
pub(super) const TURNS: usize = 20;

/// What of a model does not change while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelFacts {
    pub size_bytes: u64,
    /// 0 where nobody knows.
    pub kv_bytes_per_token: u64,
    /// In tokens; 0 where nobody knows.
    pub context_total: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Idle,
    Prefill {
        prompt_tokens: usize,
        began_ms: i64,
    },
    Decode {
        prompt_tokens: usize,
        generated: usize,
    },
}

/// All that the monitor's column shows. What is `None` is not known, and not shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    pub(super) rates: Rates,
    pub(super) phase: Phase,
    pub(super) machine: Machine,
    /// Of the last turns, oldest first: tokens that were computed, of the prompt and of the answer.
    pub(super) turns: VecDeque<usize>,
    pub(super) first_token_ms: Option<f64>,
    /// Since the model was loaded.
    pub(super) speculation: Speculation,
    last_decode: Option<f64>,
    last_prefill: Option<f64>,
    context_used: Option<usize>,
    model: Option<ModelFacts>,
}

impl Pulse {
    pub fn new() -> Pulse {
        Pulse::default()
    }

    /// Takes a look at the machine in; whether anything looks different for it.
    pub fn on_sample(&mut self, sample: &Sample) -> bool {
        self.machine.update(sample)
    }

    /// Another model answers from now on: what was known of the one before is forgotten.
    pub fn set_model(&mut self, facts: &ModelFacts) {
        let machine = std::mem::take(&mut self.machine);
        *self = Pulse { machine, model: Some(*facts), ..Pulse::default() };
    }

    /// Another conversation goes on from now on, whose context is not computed yet.
    pub fn new_conversation(&mut self) {
        self.turns.clear();
        self.context_used = None;
    }

    /// The prompt, the conversation so far, is tokenized; its prefill begins.
    pub fn turn_started(&mut self, prompt_tokens: usize, now_ms: i64) {
        self.rates.stop();
        self.phase = Phase::Prefill { prompt_tokens, began_ms: now_ms };
    }

    /// The prompt is computed. May be left out: the first token says so too.
    pub fn prefill_done(&mut self, now_ms: i64) {
        let Phase::Prefill { prompt_tokens, began_ms } = self.phase else { return };
        self.first_token_ms = Some(now_ms.saturating_sub(began_ms).max(0) as f64);
        self.context_used = Some(prompt_tokens);
        self.phase = Phase::Decode { prompt_tokens, generated: 0 };
    }

    /// `count` tokens came. The first of a turn is the prefill's.
    pub fn tokens(&mut self, count: usize, now_ms: i64) {
        self.prefill_done(now_ms);
        let Phase::Decode { prompt_tokens, generated } = &mut self.phase else { return };
        if count == 0 {
            return;
        }
        if *generated == 0 {
            self.rates.start(now_ms);
            self.rates.add(count - 1, now_ms);
        } else {
            self.rates.add(count, now_ms);
        }
        *generated += count;
        self.context_used = Some(*prompt_tokens + *generated);
    }

    /// The turn ended, as it should or by being stopped. Rates of nothing are not taken for rates.
    pub fn turn_done(&mut self, usage: &Usage, timings: &Timings) {
        self.turn_failed();
        let told =
            |rate: f64, before: Option<f64>| Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0).or(before);
        self.last_decode = told(timings.decode_tokens_per_s, self.last_decode);
        self.last_prefill = told(timings.prefill_tokens_per_s, self.last_prefill);
        self.first_token_ms = told(timings.time_to_first_token_ms, self.first_token_ms);
        self.context_used = Some(usage.prompt_tokens + usage.completion_tokens);
        if self.turns.len() >= TURNS {
            self.turns.pop_front();
        }
        let computed = usage.prompt_tokens.saturating_sub(usage.cached_tokens);
        self.turns.push_back(computed + usage.completion_tokens);
        if let Some(Speculation { drafted, accepted }) = timings.speculation {
            self.speculation.drafted += drafted;
            self.speculation.accepted += accepted;
        }
    }

    /// The turn ended without an answer.
    pub fn turn_failed(&mut self) {
        self.rates.stop();
        self.phase = Phase::Idle;
    }

    pub fn is_running(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Of the last two seconds while an answer comes, else of the whole last answer.
    pub fn decode_tokens_per_s(&self) -> Option<f64> {
        match self.phase {
            Phase::Decode { .. } => self.rates.now(),
            _ => self.last_decode,
        }
    }

    /// Of the last turn.
    pub fn prefill_tokens_per_s(&self) -> Option<f64> {
        self.last_prefill
    }

    /// In tokens.
    pub fn context_used(&self) -> Option<usize> {
        self.context_used
    }

    pub fn context_total(&self) -> Option<usize> {
        self.model.map(|model| model.context_total).filter(|total| *total > 0)
    }

    pub fn model_bytes(&self) -> Option<u64> {
        self.model.map(|model| model.size_bytes).filter(|bytes| *bytes > 0)
    }

    /// Of the tokens in the context.
    pub fn kv_bytes(&self) -> Option<u64> {
        let per_token = self.model.map(|model| model.kv_bytes_per_token).filter(|bytes| *bytes > 0)?;
        Some(per_token.saturating_mul(self.context_used? as u64))
    }

    /// Fills in what others may see of this, in `oai top`: the state and the numbers.
    pub fn describe(&self, status: &mut Status) {
        let state = match self.phase {
            Phase::Idle => "idle",
            Phase::Prefill { .. } => "prefill",
            Phase::Decode { .. } => "decode",
        };
        state.clone_into(&mut status.state);
        status.decode_tokens_per_s = self.decode_tokens_per_s();
        status.prefill_tokens_per_s = self.prefill_tokens_per_s();
        status.context_used = self.context_used();
        status.context_total = self.context_total();
        status.model_bytes = self.model_bytes();
        status.kv_bytes = self.kv_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: ModelFacts = ModelFacts { size_bytes: 4_700_000_000, kv_bytes_per_token: 1000, context_total: 32_768 };

    fn timings(decode: f64, prefill: f64) -> Timings {
        Timings {
            decode_tokens_per_s: decode,
            prefill_tokens_per_s: prefill,
            time_to_first_token_ms: 410.0,
            speculation: Some(Speculation { drafted: 10, accepted: 7 }),
            ..Timings::default()
        }
    }

    #[test]
    fn a_turn_goes_from_prefill_to_decode_to_rest() {
        let mut pulse = Pulse::new();
        pulse.set_model(&FACTS);
        assert_eq!((pulse.context_used(), pulse.kv_bytes(), pulse.decode_tokens_per_s()), (None, None, None));
        pulse.turn_started(100, 1000);
        assert!(pulse.is_running());
        pulse.tokens(1, 1500);
        assert_eq!((pulse.context_used(), pulse.first_token_ms), (Some(101), Some(500.0)));
        for token in 1..=20 {
            pulse.tokens(1, 1500 + 50 * token);
        }
        assert!((pulse.decode_tokens_per_s().unwrap() - 20.0).abs() < 1e-3);
        let usage = Usage { prompt_tokens: 100, completion_tokens: 21, cached_tokens: 40 };
        pulse.turn_done(&usage, &timings(19.5, 812.0));
        assert!(!pulse.is_running());
        assert_eq!((pulse.context_used(), pulse.kv_bytes()), (Some(121), Some(121_000)));
        assert_eq!((pulse.decode_tokens_per_s(), pulse.prefill_tokens_per_s()), (Some(19.5), Some(812.0)));
        assert_eq!((pulse.first_token_ms, pulse.turns.as_slices().0), (Some(410.0), &[81][..]));
        let mut status = Status { command: "chat".to_owned(), ..Status::default() };
        pulse.describe(&mut status);
        assert_eq!(
            (status.state.as_str(), status.context_total, status.kv_bytes),
            ("idle", Some(32_768), Some(121_000))
        );
    }

    #[test]
    fn a_turn_of_nothing_leaves_the_rates_as_they_were() {
        let mut pulse = Pulse::new();
        pulse.turn_done(&Usage::default(), &timings(19.5, 812.0));
        pulse.turn_started(7, 0);
        pulse.turn_done(&Usage::default(), &timings(0.0, f64::NAN));
        assert_eq!((pulse.decode_tokens_per_s(), pulse.prefill_tokens_per_s()), (Some(19.5), Some(812.0)));
        assert_eq!(pulse.speculation, Speculation { drafted: 20, accepted: 14 });
        pulse.turn_started(7, 0);
        pulse.turn_failed();
        assert!(!pulse.is_running());
        assert_eq!(pulse.turns.len(), 2, "a turn without an answer cost nobody knows what");
    }

    #[test]
    fn another_model_starts_anew_on_the_same_machine() {
        let mut pulse = Pulse::new();
        assert!(pulse.on_sample(&super::super::machine::sample(&[50.0], 1)));
        for _ in 0..30 {
            pulse.turn_done(&Usage { completion_tokens: 3, ..Usage::default() }, &timings(1.0, 1.0));
        }
        assert_eq!(pulse.turns.len(), TURNS);
        pulse.set_model(&FACTS);
        assert_eq!((pulse.turns.len(), pulse.decode_tokens_per_s()), (0, None));
        assert!(!pulse.on_sample(&super::super::machine::sample(&[50.0], 1)), "the machine is the same");
    }

    #[test]
    fn tokens_that_belong_to_no_turn_are_passed_over() {
        let mut pulse = Pulse::new();
        pulse.tokens(5, 100);
        pulse.prefill_done(100);
        assert_eq!(pulse, Pulse::new());
    }
}
