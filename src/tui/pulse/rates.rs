//! How many tokens a second came, half a second by half a second.

use std::collections::VecDeque;

/// Half seconds that are kept: a minute.
pub const POINTS: usize = 120;
const POINT_MS: f64 = 500.0;
/// Points that the rate of now is the mean of: two seconds.
const NOW: usize = 4;
/// Less than this is too short to tell a rate of.
const SHORTEST_MS: f64 = 100.0;

/// Rates of decoding. Time counts only while an answer comes, so nothing moves between answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Tokens per second; `None` lies between answers.
    points: VecDeque<Option<f32>>,
    /// Points of the answer that comes.
    fresh: usize,
    /// Of the half second that is not over: what came of tokens, and how much of the time was seen.
    tokens: f64,
    covered_ms: f64,
    /// When the last token came.
    last_ms: Option<i64>,
}

impl Rates {
    /// The first token of an answer came.
    pub fn start(&mut self, now_ms: i64) {
        self.stop();
        if self.points.back().is_some_and(Option::is_some) {
            self.push(None);
        }
        self.fresh = 0;
        self.last_ms = Some(now_ms);
    }

    /// `count` more tokens came. They are spread over the time since those before, so that the rate of a model that
    /// needs seconds for a token is a line and no comb.
    pub fn add(&mut self, count: usize, now_ms: i64) {
        let Some(last_ms) = self.last_ms else { return };
        self.last_ms = Some(now_ms.max(last_ms));
        let passed_ms = now_ms.saturating_sub(last_ms).max(0) as f64;
        if passed_ms == 0.0 {
            self.tokens += count as f64;
            return;
        }
        let per_ms = count as f64 / passed_ms;
        // A machine that slept for hours adds no more points than are kept.
        let mut left_ms = passed_ms.min(POINTS as f64 * POINT_MS);
        while left_ms > 0.0 {
            let part_ms = left_ms.min(POINT_MS - self.covered_ms);
            self.tokens += per_ms * part_ms;
            self.covered_ms += part_ms;
            left_ms -= part_ms;
            if self.covered_ms >= POINT_MS {
                self.finish_point();
            }
        }
    }

    /// The answer is over.
    pub fn stop(&mut self) {
        if self.last_ms.take().is_some() && self.covered_ms >= SHORTEST_MS {
            self.finish_point();
        }
        (self.tokens, self.covered_ms) = (0.0, 0.0);
    }

    /// The rate of the last two seconds of the answer that comes; it changes twice a second.
    pub fn now(&self) -> Option<f64> {
        self.last_ms?;
        let latest: Vec<f32> = self.points.iter().rev().take(self.fresh.min(NOW)).flatten().copied().collect();
        if latest.is_empty() {
            return (self.covered_ms >= SHORTEST_MS).then(|| self.tokens / self.covered_ms * 1e3);
        }
        Some(f64::from(latest.iter().sum::<f32>()) / latest.len() as f64)
    }

    /// Oldest first.
    pub fn points(&self) -> Vec<Option<f32>> {
        self.points.iter().copied().collect()
    }

    fn finish_point(&mut self) {
        self.push(Some((self.tokens / self.covered_ms * 1e3) as f32));
        self.fresh += 1;
        (self.tokens, self.covered_ms) = (0.0, 0.0);
    }

    fn push(&mut self, point: Option<f32>) {
        if self.points.len() >= POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_a_steady_rate() {
        let mut rates = Rates::default();
        rates.start(1000);
        for token in 1..=40 {
            rates.add(1, 1000 + 50 * token);
        }
        assert_eq!(rates.points(), [Some(20.0); 4]);
        assert!((rates.now().unwrap() - 20.0).abs() < 1e-3);
        rates.stop();
        assert_eq!(rates.now(), None, "no answer comes");
    }

    #[test]
    fn a_slow_model_draws_a_line_and_no_comb() {
        let mut rates = Rates::default();
        rates.start(0);
        rates.add(1, 2000);
        rates.add(1, 3000);
        let seen = [Some(0.5), Some(0.5), Some(0.5), Some(0.5), Some(1.0), Some(1.0)];
        assert_eq!(rates.points(), seen);
    }

    #[test]
    fn answers_lie_apart_and_a_short_rest_counts_for_its_time() {
        let mut rates = Rates::default();
        rates.start(0);
        rates.add(5, 500);
        rates.add(1, 550);
        rates.start(9000);
        rates.add(3, 9200);
        assert!((rates.now().unwrap() - 15.0).abs() < 1e-3, "of this answer, not of that before");
        rates.stop();
        assert_eq!(rates.points(), [Some(10.0), None, Some(15.0)]);
    }

    #[test]
    fn no_more_than_a_minute_is_kept_and_clocks_may_jump() {
        let mut rates = Rates::default();
        rates.add(1, 5);
        rates.start(0);
        rates.add(1, i64::MAX);
        assert_eq!(rates.points().len(), POINTS);
        rates.add(3, i64::MIN);
        rates.start(i64::MIN);
        rates.add(2, i64::MAX);
        assert_eq!(rates.points().len(), POINTS);
    }
}
