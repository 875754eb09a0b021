//! A corpus of topics: many ways to ask, one answer.
//!
//! TOML, one table a topic: `[[topic]]` with `id`, `answer` and `questions`. A question is a
//! pattern: `(a|b)` is either, `(a|)` may be absent, and they nest. A `[words]` table names
//! patterns that all files may use as `{name}`; `synonyms` lists groups of words that stand for one
//! another in every question.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;
use serde::Deserialize;

use super::Error;

/// A text with choices in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Choice(Vec<Pattern>),
}

impl Pattern {
    /// Parses `(a|b)` notation; unbalanced parentheses are an error.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut chars = text.chars().peekable();
        let pattern = Pattern::sequence(&mut chars)?;
        match chars.next() {
            None => Ok(pattern),
            Some(c) => Err(format!("{c:?} outside parentheses in {text:?}")),
        }
    }

    fn sequence(chars: &mut std::iter::Peekable<std::str::Chars>) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(c) = chars.peek().copied() {
            match c {
                '|' | ')' => break,
                '(' => {
                    chars.next();
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    let mut choices = vec![Pattern::sequence(chars)?];
                    while chars.next_if_eq(&'|').is_some() {
                        choices.push(Pattern::sequence(chars)?);
                    }
                    chars.next_if_eq(&')').ok_or("a parenthesis is not closed")?;
                    parts.push(Part::Choice(choices));
                }
                _ => text.extend(chars.next()),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Pattern(parts))
    }

    /// One of the texts, every choice equally likely.
    pub fn sample(&self, rng: &mut StdRng) -> String {
        let mut out = String::new();
        self.sample_into(rng, &mut out);
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn sample_into(&self, rng: &mut StdRng, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Choice(choices) => choices[rng.random_range(0..choices.len())].sample_into(rng, out),
            }
        }
    }

    /// Every word that occurs in it.
    fn words(&self, out: &mut Vec<String>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend(text.split_whitespace().map(str::to_owned)),
                Part::Choice(choices) => choices.iter().for_each(|c| c.words(out)),
            }
        }
    }
}

/// One thing to know.
#[derive(Debug)]
pub struct Topic {
    pub id: String,
    pub answer: String,
    pub questions: Vec<Pattern>,
}

/// All topics, in the order of their files' names.
#[derive(Debug)]
pub struct Corpus {
    pub topics: Vec<Topic>,
    /// Every word of the questions.
    words: Vec<String>,
    /// What may be said in place of a word.
    synonyms: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    synonyms: Vec<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
    #[serde(default)]
    topic: Vec<RawTopic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTopic {
    id: String,
    answer: String,
    questions: Vec<String>,
}

impl Corpus {
    /// Reads one `.toml` file or all of a folder.
    pub fn read(path: &Path) -> Result<Corpus, Error> {
        let mut parsed = Vec::new();
        let mut words = BTreeMap::new();
        let mut synonyms = Vec::new();
        for file in files(path)? {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|source| Error::Read { file: name.clone(), source })?;
            let file: File = toml::from_str(&text)
                .map_err(|e| Error::Corpus { file: name.clone(), reason: e.to_string().trim().replace('\n', " ") })?;
            words.extend(file.words);
            synonyms.extend(file.synonyms);
            parsed.push((name, file.topic));
        }
        let mut topics = Vec::new();
        for (file, raw) in parsed {
            for topic in raw {
                let wrong =
                    |reason| Error::Corpus { file: file.clone(), reason: format!("topic {}: {reason}", topic.id) };
                topics.push(topic.read(&words).map_err(wrong)?);
            }
        }
        if topics.is_empty() {
            let reason = "it has no [[topic]]".to_owned();
            return Err(Error::Corpus { file: path.display().to_string(), reason });
        }
        Ok(Corpus::new(topics, &synonyms))
    }

    /// `synonyms` are groups of words between spaces.
    pub fn new(topics: Vec<Topic>, groups: &[String]) -> Corpus {
        let mut words = Vec::new();
        topics.iter().flat_map(|t| &t.questions).for_each(|q| q.words(&mut words));
        words.sort_unstable();
        words.dedup();
        let mut synonyms: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for group in groups {
            for word in group.split_whitespace() {
                let others = group.split_whitespace().filter(|other| *other != word);
                synonyms.entry(word.to_owned()).or_default().extend(others.map(str::to_owned));
            }
        }
        Corpus { topics, words, synonyms }
    }

    /// A question of `topic` as somebody might type it: normalized as the chat template does, with
    /// some words replaced by synonyms, and now and then with a word lost, exchanged or mistyped, so
    /// that the model learns to bear it.
    pub fn question(&self, topic: &Topic, rng: &mut StdRng) -> String {
        let pattern = &topic.questions[rng.random_range(0..topic.questions.len())];
        let text = normalize(&pattern.sample(rng));
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for word in &mut words {
            if let Some(others) = self.synonyms.get(word)
                && rng.random_bool(0.3)
            {
                word.clone_from(&others[rng.random_range(0..others.len())]);
            }
        }
        if words.len() > 3 && rng.random_bool(0.4) {
            // What is left must still say something.
            let left: Vec<String> = words.iter().filter(|_| rng.random_bool(0.8)).cloned().collect();
            if left.len() > 2 {
                words = left;
            }
        }
        if words.len() > 3 && rng.random_bool(0.15) {
            let at = rng.random_range(0..words.len() - 1);
            words.swap(at, at + 1);
        }
        if words.len() > 4 && rng.random_bool(0.2) {
            let at = rng.random_range(0..words.len());
            words[at] = self.words[rng.random_range(0..self.words.len())].to_lowercase();
        }
        if rng.random_bool(0.1) {
            let at = rng.random_range(0..words.len());
            mistype(&mut words[at], rng);
        }
        words.join(" ")
    }
}

/// What the guide's chat template does to a question of one line: lower case, without these marks.
pub fn normalize(text: &str) -> String {
    text.to_lowercase().replace(['?', '!', ','], "").trim().to_owned()
}

/// Doubles, drops or swaps a letter.
fn mistype(word: &mut String, rng: &mut StdRng) {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 4 {
        return;
    }
    let at = rng.random_range(1..letters.len() - 1);
    match rng.random_range(0..3) {
        0 => letters.insert(at, letters[at]),
        1 => drop(letters.remove(at)),
        _ => letters.swap(at, at + 1),
    }
    *word = letters.into_iter().collect();
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| Error::Read { file: path.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|e| e == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

impl RawTopic {
    fn read(&self, words: &BTreeMap<String, String>) -> Result<Topic, String> {
        if self.questions.is_empty() {
            return Err("it has no questions".to_owned());
        }
        let questions = self.questions.iter().map(|q| Pattern::parse(&substitute(q, words)?));
        Ok(Topic { id: self.id.clone(), answer: self.answer.clone(), questions: questions.collect::<Result<_, _>>()? })
    }
}

/// Puts the patterns of `words` in the place of their `{name}`, which may name others in turn.
fn substitute(pattern: &str, words: &BTreeMap<String, String>) -> Result<String, String> {
    let mut text = pattern.to_owned();
    // Two levels are used; a few more end a definition that names itself.
    for _ in 0..8 {
        let Some(start) = text.find('{') else { return Ok(text) };
        let end = text[start..].find('}').map(|end| start + end).ok_or("a brace is not closed")?;
        let name = &text[start + 1..end];
        let word = words.get(name).ok_or(format!("no word is named {name:?}"))?;
        text = text.replace(&format!("{{{name}}}"), word);
    }
    Err(format!("{pattern:?} names words without end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn patterns_expand_to_all_their_texts_and_no_other() {
        let pattern = Pattern::parse("(how|what) is (a (b|c)|) it").unwrap();
        let mut rng = StdRng::seed_from_u64(0);
        let seen: BTreeSet<String> = (0..200).map(|_| pattern.sample(&mut rng)).collect();
        let expected =
            ["how is a b it", "how is a c it", "how is it", "what is a b it", "what is a c it", "what is it"];
        assert_eq!(seen, expected.map(str::to_owned).into());
    }

    #[test]
    fn unbalanced_patterns_are_errors() {
        assert!(Pattern::parse("(a|b").is_err());
        assert!(Pattern::parse("a)").is_err());
        assert!(Pattern::parse("a|b").is_err());
    }

    /// The letters of a text in which each word is the first of its synonyms.
    fn letters(corpus: &Corpus, text: &str) -> Vec<char> {
        let first = |word: &str| {
            let others = corpus.synonyms.get(word).into_iter().flatten();
            others.map(String::as_str).chain([word]).min().unwrap().to_owned()
        };
        normalize(text).split_whitespace().flat_map(|word| first(word).chars().collect::<Vec<_>>()).collect()
    }

    /// Where a text that begins at one of `starts` may end; white space counts for nothing.
    fn ends(corpus: &Corpus, pattern: &Pattern, text: &[char], starts: BTreeSet<usize>) -> BTreeSet<usize> {
        pattern.0.iter().fold(starts, |starts, part| match part {
            Part::Text(part) => {
                let part = letters(corpus, part);
                starts.into_iter().filter(|at| text[*at..].starts_with(&part)).map(|at| at + part.len()).collect()
            }
            Part::Choice(choices) => choices.iter().flat_map(|c| ends(corpus, c, text, starts.clone())).collect(),
        })
    }

    #[test]
    fn the_guide_was_taught_none_of_its_held_out_questions() {
        #[derive(Deserialize)]
        struct HeldOut {
            case: Vec<Case>,
        }
        #[derive(Deserialize)]
        struct Case {
            question: String,
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
        let corpus = Corpus::read(&folder.join("corpus")).unwrap();
        let held_out: HeldOut =
            toml::from_str(&std::fs::read_to_string(folder.join("held_out.toml")).unwrap()).unwrap();
        let mut taught = Vec::new();
        for Case { question } in held_out.case {
            let text = letters(&corpus, &question);
            for topic in &corpus.topics {
                if topic.questions.iter().any(|q| ends(&corpus, q, &text, [0].into()).contains(&text.len())) {
                    taught.push(format!("{question:?} is a question of topic {}", topic.id));
                }
            }
        }
        assert!(taught.is_empty(), "{}", taught.join("\n"));
    }
}
