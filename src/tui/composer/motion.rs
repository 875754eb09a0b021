//! Words: where they start and end, as readline and as vi have it.

use super::text::{CHIP, Pos, Text};

/// What a grapheme is to a motion over words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// White space, and the end of a line.
    Space,
    /// Letters, digits and `_`.
    Word,
    Punctuation,
    Chip,
}

/// Which words: `w` of vi, or `W`, which only white space divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Small,
    Big,
}

impl Words {
    /// The class of what lies at `pos`.
    pub fn class(self, text: &Text, pos: Pos) -> Class {
        let class = match text.line(pos.line).grapheme(pos.byte).chars().next() {
            None => Class::Space,
            Some(CHIP) => Class::Chip,
            Some(c) if c.is_whitespace() => Class::Space,
            Some(c) if c.is_alphanumeric() || c == '_' => Class::Word,
            Some(_) => Class::Punctuation,
        };
        match self {
            Words::Big if class != Class::Space => Class::Word,
            _ => class,
        }
    }
}

/// readline's forward-word: past what is no word, then past the word.
pub fn word_right(text: &Text, from: Pos) -> Pos {
    let is_word = |pos| matches!(Words::Small.class(text, pos), Class::Word | Class::Chip);
    let start = forward_while(text, from, |pos| !is_word(pos));
    let class = Words::Small.class(text, start);
    match class {
        Class::Chip => text.next(start).unwrap_or(start),
        class => forward_while(text, start, |pos| is_word(pos) && Words::Small.class(text, pos) == class),
    }
}

/// readline's backward-word: back over what is no word, then to the word's start.
pub fn word_left(text: &Text, from: Pos) -> Pos {
    let is_word = |pos| matches!(Words::Small.class(text, pos), Class::Word | Class::Chip);
    let end = back_while(text, from, |pos| !is_word(pos));
    let Some(last) = text.previous(end) else { return end };
    match Words::Small.class(text, last) {
        Class::Chip => last,
        class => back_while(text, end, |pos| Words::Small.class(text, pos) == class),
    }
}

/// readline's unix-word-rubout: back over white space, then to the start of what is none.
pub fn space_left(text: &Text, from: Pos) -> Pos {
    let is_space = |pos| Words::Big.class(text, pos) == Class::Space;
    let end = back_while(text, from, is_space);
    back_while(text, end, |pos| !is_space(pos))
}

/// vi's `w`: the next word's start.
pub fn next_start(text: &Text, from: Pos, words: Words) -> Pos {
    let class = words.class(text, from);
    let mut at = from;
    if class != Class::Space {
        at = run_end(text, at, words);
    }
    while words.class(text, at) == Class::Space {
        let Some(next) = text.next(at) else { return at };
        // An empty line is a word.
        if next.byte == 0 && text.line(next.line).len() == 0 {
            return next;
        }
        at = next;
    }
    at
}

/// vi's `e`: the last grapheme of this word or, there already, of the next.
pub fn next_end(text: &Text, from: Pos, words: Words) -> Pos {
    let Some(next) = text.next(from) else { return from };
    let start = forward_while(text, next, |pos| words.class(text, pos) == Class::Space);
    let end = run_end(text, start, words);
    text.previous(end).filter(|last| *last >= start).unwrap_or(start)
}

/// vi's `b`: the start of this word or, there already, of the one before.
pub fn previous_start(text: &Text, from: Pos, words: Words) -> Pos {
    let mut at = from;
    loop {
        let Some(before) = text.previous(at) else { return at };
        at = before;
        if words.class(text, at) != Class::Space {
            return run_start(text, at, words);
        }
        if at.byte == 0 && text.line(at.line).len() == 0 {
            return at;
        }
    }
}

/// The end of the run of one class that holds `from`, within its line.
pub fn run_end(text: &Text, from: Pos, words: Words) -> Pos {
    let class = words.class(text, from);
    forward_while(text, from, |pos| {
        let in_line = pos.line == from.line && pos.byte < text.line(pos.line).len();
        in_line && words.class(text, pos) == class && (pos == from || class != Class::Chip)
    })
}

/// The start of the run of one class that holds `from`, within its line.
pub fn run_start(text: &Text, from: Pos, words: Words) -> Pos {
    let class = words.class(text, from);
    if class == Class::Chip {
        return from;
    }
    back_while(text, from, |pos| pos.line == from.line && words.class(text, pos) == class)
}

/// The first grapheme of a line that is no white space; the line's end where there is none.
pub fn first_of_line(text: &Text, line: usize) -> Pos {
    let start = Pos::new(line, 0);
    let end = text.line(line).len();
    forward_while(text, start, |pos| {
        pos.line == line && pos.byte < end && Words::Small.class(text, pos) == Class::Space
    })
}

fn forward_while(text: &Text, from: Pos, keeps: impl Fn(Pos) -> bool) -> Pos {
    let mut at = from;
    while keeps(at)
        && let Some(next) = text.next(at)
    {
        at = next;
    }
    at
}

fn back_while(text: &Text, from: Pos, keeps: impl Fn(Pos) -> bool) -> Pos {
    let mut at = from;
    while let Some(before) = text.previous(at).filter(|before| keeps(*before)) {
        at = before;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::text::Fragment;
    use super::*;

    fn text(of: &str) -> Text {
        let mut text = Text::new();
        text.replace(Pos::default(), Pos::default(), &Fragment::plain(of));
        text
    }

    /// Every stop of `step`, until it stands still.
    fn stops(of: &str, from: (usize, usize), step: impl Fn(&Text, Pos) -> Pos) -> Vec<(usize, usize)> {
        let text = text(of);
        let mut at = Pos::new(from.0, from.1);
        let mut stops = Vec::new();
        loop {
            let next = step(&text, at);
            if next == at {
                return stops;
            }
            stops.push((next.line, next.byte));
            at = next;
        }
    }

    #[test]
    fn readline_words_are_letters_and_digits() {
        assert_eq!(stops("ab c-d, 漢字\nx", (0, 0), word_right), [(0, 2), (0, 4), (0, 6), (0, 14), (1, 1)]);
        assert_eq!(stops("ab c-d, 漢字\nx", (1, 1), word_left), [(1, 0), (0, 8), (0, 5), (0, 3), (0, 0)]);
        assert_eq!(stops("ab c-d, e ", (0, 10), space_left), [(0, 8), (0, 3), (0, 0)]);
    }

    #[test]
    fn vi_words_are_of_letters_or_of_punctuation() {
        let w = |text: &Text, pos| next_start(text, pos, Words::Small);
        assert_eq!(stops("ab c-d  e\n\nf", (0, 0), w), [(0, 3), (0, 4), (0, 5), (0, 8), (1, 0), (2, 0), (2, 1)]);
        let big = |text: &Text, pos| next_start(text, pos, Words::Big);
        assert_eq!(stops("ab c-d  e", (0, 0), big), [(0, 3), (0, 8), (0, 9)]);
        let e = |text: &Text, pos| next_end(text, pos, Words::Small);
        assert_eq!(stops("ab c-d\nef", (0, 0), e)[..5], [(0, 1), (0, 3), (0, 4), (0, 5), (1, 1)]);
        let b = |text: &Text, pos| previous_start(text, pos, Words::Small);
        assert_eq!(stops("ab c-d\n\nef", (2, 1), b), [(2, 0), (1, 0), (0, 5), (0, 4), (0, 3), (0, 0)]);
    }
}
