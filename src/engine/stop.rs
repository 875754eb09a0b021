//! Stop strings: text is held back while it could still become one.

/// Watches a growing text for any of several strings.
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    /// Empty stop strings are ignored.
    pub fn new(stops: &[String]) -> StopMatcher {
        let stops = stops.iter().filter(|s| !s.is_empty()).cloned().collect();
        StopMatcher { stops, held: String::new() }
    }

    /// Adds `text`; returns what may be shown, and whether a stop string was reached (what comes
    /// after it is dropped with it).
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self.stops.iter().map(|stop| longest_overlap(&self.held, stop)).max().unwrap_or(0);
        let kept = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, kept), false)
    }

    /// What is still held back when the text ends.
    pub fn finish(self) -> String {
        self.held
    }
}

/// Bytes at the end of `text` that begin `stop`.
pub(super) fn longest_overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(at, _)| at)
        .filter(|at| *at > 0)
        .rev()
        .find(|at| text.ends_with(&stop[..*at]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let mut matcher = StopMatcher::new(&stops);
        let mut shown = String::new();
        for piece in pieces {
            let (text, stopped) = matcher.push(piece);
            shown += &text;
            if stopped {
                return (shown, true);
            }
        }
        (shown + &matcher.finish(), false)
    }

    #[test]
    fn a_stop_string_over_several_pieces_is_never_shown() {
        assert_eq!(run(&["\nUser:"], &["Hi", "\nUs", "er", ": no"]), ("Hi".to_owned(), true));
    }

    #[test]
    fn what_only_looked_like_one_comes_out() {
        assert_eq!(run(&["\nUser:"], &["Hi", "\nUs", "ual"]), ("Hi\nUsual".to_owned(), false));
        assert_eq!(run(&["héé"], &["xh", "é"]), ("xhé".to_owned(), false));
    }

    #[test]
    fn the_earliest_of_several_wins() {
        assert_eq!(run(&["c", "b"], &["abc"]), ("a".to_owned(), true));
    }
}
