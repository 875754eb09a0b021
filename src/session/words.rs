//! Text as searchable words: one way of cutting and folding for what is indexed, what is typed, and what is marked.
//!
//! Scripts that are written without spaces (Chinese, Japanese, Thai, ...), Korean and emoji give a word a character;
//! typed side by side they are looked for side by side. So any part of such a text is found, down to one character,
//! which SQLite's trigram tokenizer cannot do. The index gets the words with blanks between; SQLite's `ascii` tokenizer
//! cuts there and nowhere else, as all characters beyond ASCII are parts of words to it.

use std::ops::Range;

use unicode_normalization_alignments::UnicodeNormalization;
use unicode_normalization_alignments::char::is_combining_mark;

/// A word, folded, and its bytes in the text.
pub(super) struct Word {
    pub text: String,
    pub at: Range<usize>,
}

pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    // Whether the last word can go on, and where.
    let mut open = false;
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        let touching = words.last_mut().filter(|word| word.at.end == start);
        if is_combining_mark(c) || is_second_part_of_hangul(c) {
            if let Some(word) = touching {
                fold(c, &mut word.text);
                word.at.end = end;
            }
        } else if stands_alone(c) {
            let mut text = String::new();
            fold(c, &mut text);
            words.push(Word { text, at: start..end });
            open = false;
        } else if c.is_alphanumeric() {
            match touching.filter(|_| open) {
                Some(word) => {
                    fold(c, &mut word.text);
                    word.at.end = end;
                }
                None => {
                    let mut text = String::new();
                    fold(c, &mut text);
                    words.push(Word { text, at: start..end });
                    open = true;
                }
            }
        }
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// Case, accents of Latin, Greek and Cyrillic, and forms of compatibility (full width, ligatures) do not matter.
fn fold(c: char, out: &mut String) {
    let decomposed = c.to_lowercase().flat_map(|c| std::iter::once(c).nfkd().map(|(c, _)| c));
    for c in decomposed.flat_map(char::to_lowercase) {
        match c {
            '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {}
            'ς' => out.push('σ'),
            // What a character decomposes to must not cut the word.
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {}
            c => out.push(c),
        }
    }
}

/// Vowels and final consonants of Korean that is written in parts.
fn is_second_part_of_hangul(c: char) -> bool {
    matches!(c, '\u{1160}'..='\u{11ff}')
}

/// Characters that are words by themselves.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}'             // Thai, Lao
        | '\u{1000}'..='\u{109f}'         // Myanmar
        | '\u{1100}'..='\u{115f}'         // Hangul, first consonants
        | '\u{1780}'..='\u{17ff}'         // Khmer
        | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' // symbols, emoji among them
        | '\u{2e80}'..='\u{2fdf}'         // radicals
        | '\u{3005}'..='\u{3007}'         // 々〆〇
        | '\u{3021}'..='\u{3029}'
        | '\u{3040}'..='\u{31ff}'         // kana, bopomofo, Hangul letters
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' // ideographs
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}'         // half width
        | '\u{1aff0}'..='\u{1b16f}'       // more kana
        | '\u{1f000}'..='\u{1faff}'       // emoji
        | '\u{20000}'..='\u{3ffff}')
}

/// What is looked for: runs of words that stand side by side in the text. The last word of all may go on.
pub(super) struct Query(Vec<Vec<String>>);

impl Query {
    /// From what was typed; all of it is text, no operators.
    pub(super) fn new(typed: &str) -> Query {
        let phrase = |part: &str| words(part).into_iter().map(|word| word.text).collect();
        Query(typed.split_whitespace().map(phrase).filter(|phrase: &Vec<String>| !phrase.is_empty()).collect())
    }

    /// As FTS5 has it (<https://www.sqlite.org/fts5.html#full_text_query_syntax>); `None` without a word. No word holds
    /// a quotation mark.
    pub(super) fn fts5(&self) -> Option<String> {
        let phrases: Vec<String> = self.0.iter().map(|phrase| format!("\"{}\"", phrase.join(" "))).collect();
        (!phrases.is_empty()).then(|| phrases.join(" ") + " *")
    }

    /// Where the phrases are in a text: bytes, in order, apart from each other.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let words = words(text);
        let mut found: Vec<Range<usize>> = Vec::new();
        for (number, phrase) in self.0.iter().enumerate() {
            let is_last = number + 1 == self.0.len();
            for window in words.windows(phrase.len()) {
                let mut pairs = window.iter().zip(phrase).enumerate();
                let all = pairs.all(|(at, (word, wanted))| {
                    let may_go_on = is_last && at + 1 == phrase.len();
                    if may_go_on { word.text.starts_with(wanted) } else { word.text == *wanted }
                });
                if let ([first, ..], [.., last], true) = (window, window, all) {
                    found.push(first.at.start..last.at.end);
                }
            }
        }
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            match apart.last_mut().filter(|last| range.start <= last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => apart.push(range),
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_folded_and_what_has_no_spaces_is_cut_into_characters() {
        for (text, expected) in [
            ("Don't panic!", vec!["don", "t", "panic"]),
            ("snake_case(x1)", vec!["snake", "case", "x1"]),
            ("Café cafe\u{301} ÉCOLE ΟΔΟΣ", vec!["cafe", "cafe", "ecole", "οδοσ"]),
            ("ＡＢＣ ﬁn", vec!["abc", "fin"]),
            ("GPT模型ok", vec!["gpt", "模", "型", "ok"]),
            ("a🎉❤\u{fe0f}b", vec!["a", "🎉", "❤", "b"]),
            ("हिन्दी", vec!["हिन्दी"]),
            ("\u{301}\0\"(*", vec![]),
            ("İstanbul", vec!["istanbul"]),
            ("ﷺ", vec!["صلىاللهعليهوسلم"]),
        ] {
            assert_eq!(cut(text), expected, "{text}");
        }
        assert_eq!(cut("が"), cut("か\u{3099}"));
        assert_eq!(cut("한국"), cut("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"));
        assert_eq!(cut("한국").len(), 2);
    }

    #[test]
    fn a_query_is_quoted_words_and_nothing_typed_is_an_operator() {
        let fts5 = |typed: &str| Query::new(typed).fts5();
        assert_eq!(fts5("sky blue").as_deref(), Some("\"sky\" \"blue\" *"));
        assert_eq!(fts5("AND (").as_deref(), Some("\"and\" *"));
        assert_eq!(fts5("a\"b 学习").as_deref(), Some("\"a b\" \"学 习\" *"));
        for nothing in ["", " ", "\"", "(*)", "\0"] {
            assert_eq!(fts5(nothing), None);
        }
    }

    #[test]
    fn matches_are_bytes_of_the_text_in_order_and_apart() {
        let find = |typed: &str, text: &str| -> Vec<String> {
            Query::new(typed).find(text).into_iter().map(|range| text[range].to_owned()).collect()
        };
        assert_eq!(find("sky blu", "Blue is the SKY, skyward: blues"), ["Blue", "SKY", "blues"]);
        assert_eq!(find("学习", "机器学习，学 习，习"), ["学习", "学 习"]);
        assert_eq!(find("cafe", "le café-bar"), ["café"]);
        assert_eq!(find("x x y", "x x x yy"), ["x", "x", "x", "yy"]);
        assert!(find("sk y", "sky").is_empty());
    }
}
