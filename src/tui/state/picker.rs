//! A list to choose from, narrowed by typing.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::line::LineEdit;

/// A row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<T> {
    pub value: T,
    pub label: String,
    /// On the right, muted.
    pub detail: String,
}

/// A list, what was typed, and which row is chosen.
#[derive(Debug)]
pub struct Picker<T> {
    pub query: LineEdit,
    pub items: Vec<Item<T>>,
    /// Indexes of those that match, best first.
    shown: Vec<usize>,
    chosen: usize,
    /// The items are already those that match.
    pub searched: bool,
    /// Other items are on their way: what is shown is not what was asked for.
    pub pending: bool,
}

impl<T> Picker<T> {
    pub fn new(items: Vec<Item<T>>) -> Picker<T> {
        let shown = (0..items.len()).collect();
        Picker { query: LineEdit::default(), items, shown, chosen: 0, searched: false, pending: false }
    }

    /// A list whose items are on their way.
    pub fn pending() -> Picker<T> {
        Picker { pending: true, ..Picker::new(Vec::new()) }
    }

    /// Other items; the choice stays where it was.
    pub fn set_items(&mut self, items: Vec<Item<T>>) {
        let chosen = self.chosen;
        self.items = items;
        self.pending = false;
        self.narrow();
        self.chosen = chosen.min(self.shown.len().saturating_sub(1));
    }

    /// Shows what matches the query.
    pub fn narrow(&mut self) {
        self.chosen = 0;
        let query = self.query.text();
        if query.trim().is_empty() || self.searched {
            self.shown = (0..self.items.len()).collect();
            return;
        }
        let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let text = format!("{} {}", item.label, item.detail);
            if let Some(score) = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher) {
                scored.push((score, index));
            }
        }
        scored.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
        self.shown = scored.into_iter().map(|(_, index)| index).collect();
    }

    /// The rows that match, and which of them is chosen.
    pub fn shown(&self) -> (Vec<&Item<T>>, usize) {
        (self.shown.iter().filter_map(|index| self.items.get(*index)).collect(), self.chosen)
    }

    /// The chosen one; none while others are on their way.
    pub fn chosen(&self) -> Option<&T> {
        if self.pending {
            return None;
        }
        self.items.get(*self.shown.get(self.chosen)?).map(|item| &item.value)
    }

    pub fn choose_where(&mut self, is: impl Fn(&T) -> bool) {
        let found = self.shown.iter().position(|index| self.items.get(*index).is_some_and(|item| is(&item.value)));
        self.chosen = found.unwrap_or(self.chosen);
    }

    pub fn step(&mut self, by: isize) {
        let most = self.shown.len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_narrows_and_the_best_match_is_chosen() {
        let item = |label: &str| Item { value: label.to_owned(), label: label.to_owned(), detail: String::new() };
        let mut picker = Picker::new(vec![item("mistral"), item("qwen3:8b"), item("qwen2.5-coder")]);
        picker.step(5);
        assert_eq!(picker.chosen().map(String::as_str), Some("qwen2.5-coder"));
        picker.query.set("q8");
        picker.narrow();
        assert_eq!(picker.chosen().map(String::as_str), Some("qwen3:8b"));
        picker.query.set("zzz");
        picker.narrow();
        assert_eq!(picker.chosen(), None);
        picker.query.set("");
        picker.narrow();
        picker.choose_where(|name| name == "qwen3:8b");
        assert_eq!((picker.shown().0.len(), picker.shown().1), (3, 1));
    }
}
