//! What is measured.

use serde::{Deserialize, Serialize};

use crate::engine::Error;

/// Tokens that a pass takes at most.
pub const LARGEST_BATCH: usize = 512;

/// Each count of tokens at each depth.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of prefill tests; 0 is none.
    pub prompts: Vec<usize>,
    /// Of decode tests; 0 is none.
    pub generations: Vec<usize>,
    /// Of tests that decode after a prompt, and time both as one.
    pub mixed: Vec<(usize, usize)>,
    /// Tokens in the cache before the test.
    pub depths: Vec<usize>,
    /// Tokens that a pass of prefill takes at most.
    pub batches: Vec<usize>,
    pub repetitions: usize,
}

/// One of them: a prompt, or tokens one after the other, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    pub depth: usize,
    pub prompt: usize,
    pub generated: usize,
    pub batch: usize,
}

impl Test {
    /// `tg128 @ d2048`, as llama-bench has it.
    pub fn name(&self) -> String {
        let depth = if self.depth > 0 { format!(" @ d{}", self.depth) } else { String::new() };
        match (self.prompt, self.generated) {
            (prompt, 0) => format!("pp{prompt}{depth}"),
            (0, generated) => format!("tg{generated}{depth}"),
            (prompt, generated) => format!("pp{prompt}+tg{generated}{depth}"),
        }
    }

    pub fn tokens(&self) -> usize {
        self.prompt.saturating_add(self.generated)
    }
}

impl Plan {
    /// By depth, so that the cache is filled once for each; prefill comes first. Decoding is the same in all batches, and
    /// is done once, with the first.
    pub fn tests(&self) -> Vec<Test> {
        let mut tests = Vec::new();
        let batches = || self.batches.iter().copied();
        for depth in self.depths.iter().copied() {
            for prompt in self.prompts.iter().copied().filter(|n| *n > 0) {
                tests.extend(batches().map(|batch| Test { depth, prompt, generated: 0, batch }));
            }
            for generated in self.generations.iter().copied().filter(|n| *n > 0) {
                tests.extend(batches().take(1).map(|batch| Test { depth, prompt: 0, generated, batch }));
            }
            for (prompt, generated) in self.mixed.iter().copied() {
                tests.extend(batches().map(|batch| Test { depth, prompt, generated, batch }));
            }
        }
        tests
    }

    /// Tokens of the prompt that the time to the first token is measured with.
    pub fn first_prompt(&self) -> Option<usize> {
        let mixed = self.mixed.iter().map(|(prompt, _)| prompt);
        self.prompts.iter().chain(mixed).copied().find(|n| *n > 0)
    }
}

/// Fails if `model` was not trained for as many tokens as one of `tests` takes.
pub fn check(tests: &[Test], model: &str, allowed: usize) -> Result<(), Error> {
    match tests.iter().find(|test| test.depth.saturating_add(test.tokens()) > allowed) {
        None => Ok(()),
        Some(test) => {
            let (tokens, depth) = (test.tokens(), test.depth);
            Err(Error::MeasuresTooMuch { model: model.to_owned(), tokens, depth, allowed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            prompts: vec![0, 512, 8],
            generations: vec![0, 128],
            mixed: vec![(64, 16)],
            depths: vec![0, 2048],
            batches: vec![512],
            repetitions: 1,
        }
    }

    #[test]
    fn tests_go_by_depth_and_zero_is_none() {
        let names: Vec<String> = plan().tests().iter().map(Test::name).collect();
        let at_start = ["pp512", "pp8", "tg128", "pp64+tg16"];
        let all = at_start.iter().map(|name| name.to_string());
        let deep = at_start.iter().map(|name| format!("{name} @ d2048"));
        assert_eq!(names, all.chain(deep).collect::<Vec<_>>());
        assert_eq!(plan().first_prompt(), Some(512));
        assert_eq!(Plan { prompts: vec![0], ..plan() }.first_prompt(), Some(64));
        assert_eq!(Plan { prompts: vec![0], mixed: Vec::new(), ..plan() }.first_prompt(), None);
    }

    #[test]
    fn tests_with_a_prompt_come_in_all_batches() {
        let plan = Plan { prompts: vec![512], depths: vec![0], batches: vec![32, 64], ..plan() };
        let batches: Vec<_> = plan.tests().iter().map(|test| (test.name(), test.batch)).collect();
        let expected = [("pp512", 32), ("pp512", 64), ("tg128", 32), ("pp64+tg16", 32), ("pp64+tg16", 64)];
        assert_eq!(batches, expected.map(|(name, batch)| (name.to_owned(), batch)));
    }

    #[test]
    fn what_is_longer_than_the_context_is_refused() {
        assert!(check(&plan().tests(), "m", 2048 + 512).is_ok());
        let error = check(&plan().tests(), "m", 2048 + 511).unwrap_err().to_string();
        assert!(error.contains("512 tokens after 2048"), "{error}");
        let endless = Test { depth: usize::MAX, prompt: 1, generated: 1, batch: 1 };
        assert!(check(&[endless], "m", 10).is_err());
    }
}
