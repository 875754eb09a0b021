//! Short names: the table's, and the user's own from the configuration.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{ModelRef, files};
use crate::config::{self, Settings};

/// A short name, and what is known of its model without asking the hub.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// `llama3.2:1b`
    pub name: String,
    /// Further names of the same model.
    #[serde(default)]
    pub also: Vec<String>,
    pub repo: String,
    /// The tag that is pulled when none is asked for; none where the repository holds safetensors.
    pub file: Option<String>,
    /// `1.2B`
    pub parameters: String,
    /// Parameters that one token passes through, of a mixture of experts.
    pub active: Option<String>,
    pub license: String,
    /// Tokens that the model was trained for.
    pub context: u64,
    /// f16 keys and values of all layers that see every token: 2 * 2 bytes * layers * heads * size of
    /// a head; with latent attention, what is cached for a token. None for an encoder: 0.
    pub kv_bytes_per_token: u64,
    /// What does not grow with the tokens: windowed layers at their full window, recurrent states.
    #[serde(default)]
    pub kv_fixed_bytes: u64,
    pub good_for: String,
}

/// The table, in its order.
pub fn aliases() -> &'static [Alias] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        model: Vec<Alias>,
    }
    static TABLE: LazyLock<Vec<Alias>> = LazyLock::new(|| {
        let table: Table = toml::from_str(include_str!("models.toml")).expect("a test parses the table");
        table.model
    });
    &TABLE
}

/// A name of the user's own.
#[derive(Debug, Clone)]
struct Own {
    name: String,
    model: ModelRef,
    /// Of a repository: what the user or the table says of it.
    alias: Option<Alias>,
}

/// All short names that a user may type.
#[derive(Debug, Clone, Default)]
pub struct Names {
    own: Vec<Own>,
}

impl Names {
    /// The table, and before it the section `[models]` of the configuration.
    pub fn of(settings: &Settings) -> Result<Names, config::Error> {
        let mut names = Names::default();
        for (name, given) in &settings.models {
            let wrong = |reason: String| config::Error::Model {
                file: settings.paths.config_file.clone(),
                name: name.clone(),
                reason,
            };
            let valid = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
            if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(valid) {
                return Err(wrong("a name begins with a letter or digit, and has only those and - _ . :".to_owned()));
            }
            if name == crate::guide::NAME {
                return Err(wrong("this name is the built-in model's".to_owned()));
            }
            if let Some(other) = names.own.iter().find(|other| spelling(&other.name) == spelling(name)) {
                return Err(wrong(format!("{} is the same name", other.name)));
            }
            // Own names of own names would lead in circles.
            let model = ModelRef::parse(&given.repo, &Names::default()).map_err(|e| wrong(e.to_string()))?;
            let (model, alias) = given_facts(name, given, model);
            names.own.push(Own { name: name.clone(), model, alias });
        }
        Ok(names)
    }

    /// What is known of the model that `text` names, by a short name or as a repository.
    pub fn alias(&self, text: &str) -> Option<&Alias> {
        if let Some((own, _)) = self.own_named(text) {
            return own.alias.as_ref();
        }
        let repo = text.split_once(':').map_or(text, |(repo, _)| repo);
        find(text).map(|(alias, _)| alias).or_else(|| self.of_repo(repo))
    }

    /// What is known of the models of a repository.
    pub fn of_repo(&self, repo: &str) -> Option<&Alias> {
        let own = self.own.iter().filter_map(|own| own.alias.as_ref());
        own.chain(aliases()).find(|alias| alias.repo.eq_ignore_ascii_case(repo))
    }

    /// All names of the user's own, with what each stands for.
    pub fn own(&self) -> impl Iterator<Item = (&str, &ModelRef)> {
        self.own.iter().map(|own| (own.name.as_str(), &own.model))
    }

    /// All that is known of repositories by name: the user's first, then the table.
    pub fn all(&self) -> impl Iterator<Item = &Alias> {
        self.own.iter().filter_map(|own| own.alias.as_ref()).chain(aliases())
    }

    /// The model that a short name stands for: the user's own first.
    pub(super) fn resolve(&self, text: &str) -> Option<ModelRef> {
        if let Some(model) = self.resolve_own(text) {
            return Some(model);
        }
        let (alias, asked) = find(text)?;
        Some(ModelRef::Repo {
            repo: alias.repo.clone(),
            tag: asked.clone().or_else(|| alias.file.clone()),
            asked: asked.is_some(),
            revision: None,
            typed: text.to_owned(),
        })
    }

    pub(super) fn resolve_own(&self, text: &str) -> Option<ModelRef> {
        let (own, tag) = self.own_named(text)?;
        let mut model = own.model.clone();
        match (&mut model, tag) {
            (ModelRef::Repo { typed, tag, asked, .. }, wanted) => {
                text.clone_into(typed);
                if wanted.is_some() {
                    (*tag, *asked) = (wanted, true);
                }
            }
            // A file is what it is.
            (_, Some(_)) => return None,
            (_, None) => {}
        }
        Some(model)
    }

    fn own_named(&self, text: &str) -> Option<(&Own, Option<String>)> {
        let called = |name: &str| self.own.iter().find(|own| spelling(&own.name) == spelling(name));
        if let Some(own) = called(text) {
            return Some((own, None));
        }
        let (name, tag) = split_tag(text)?;
        Some((called(name)?, Some(tag.to_owned())))
    }

    /// What `text` may have been meant to be: the sizes of a family that it names, else up to three
    /// names that look most like it.
    pub fn nearest(&self, text: &str) -> Vec<String> {
        let wanted = spelling(split_tag(text).map_or(text, |(name, _)| name));
        let given = text.split_once(':').map(|(family, _)| family.to_lowercase());
        let sizes: Vec<String> = aliases()
            .iter()
            .filter(|alias| given.as_deref().is_some_and(|given| family(&alias.name) == given))
            .map(|alias| alias.name.clone())
            .collect();
        if !sizes.is_empty() {
            return sizes;
        }
        // The first of equals are offered: what says most with least.
        let own = self.own.iter().map(|own| own.name.as_str());
        let families = aliases().iter().map(|alias| family(&alias.name));
        let sizes = aliases().iter().map(|alias| alias.name.as_str());
        let others = aliases().iter().flat_map(|alias| alias.also.iter().map(String::as_str));
        let mut scored: Vec<(f64, &str)> = Vec::new();
        for name in own.chain(families).chain(sizes).chain(others) {
            let spelled = spelling(name);
            // A beginning of a name is nearly it.
            let begins = wanted.len() >= 3 && spelled.starts_with(&wanted);
            let score = strsim::normalized_damerau_levenshtein(&wanted, &spelled).max(if begins { 0.8 } else { 0.0 });
            if score >= 0.65 && scored.iter().all(|(_, other)| *other != name) {
                scored.push((score, name));
            }
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        // In the way that the user writes sizes.
        let dashed = !text.contains(':');
        let write = |name: &str| if dashed { name.replace(':', "-") } else { name.to_owned() };
        scored.into_iter().take(3).map(|(_, name)| write(name)).collect()
    }
}

/// Model and facts of an own name: what its table gives, else what the table of short names says of
/// the repository, else nothing (empty, 0).
fn given_facts(name: &str, given: &config::OwnModel, model: ModelRef) -> (ModelRef, Option<Alias>) {
    let ModelRef::Repo { repo, tag, asked, revision, typed } = model else { return (model, None) };
    let known = aliases().iter().find(|alias| alias.repo.eq_ignore_ascii_case(&repo)).cloned().unwrap_or_default();
    let file = given.file.clone().or(tag.clone()).or(known.file);
    let alias = Alias {
        name: name.to_owned(),
        also: Vec::new(),
        repo: repo.clone(),
        file: file.clone(),
        parameters: given.parameters.clone().unwrap_or(known.parameters),
        active: given.active.clone().or(known.active),
        license: given.license.clone().unwrap_or(known.license),
        context: given.context.unwrap_or(known.context),
        kv_bytes_per_token: given.kv_bytes_per_token.unwrap_or(known.kv_bytes_per_token),
        kv_fixed_bytes: given.kv_fixed_bytes.unwrap_or(known.kv_fixed_bytes),
        good_for: given.good_for.clone().unwrap_or(known.good_for),
    };
    let asked = asked || given.file.is_some();
    (ModelRef::Repo { repo, tag: given.file.clone().or(tag), asked, revision, typed }, Some(alias))
}

/// The row that `text` names, and the tag that it asks for: `mistral:7b` and `mistral-7b` are the
/// same, a family alone (`qwen3`, `qwen3:latest`) is its first row, and ollama's tags work
/// (`llama3.2:1b-instruct-q4_K_M`).
fn find(text: &str) -> Option<(&'static Alias, Option<String>)> {
    let split = split_tag(text).map(|(name, tag)| (name, Some(tag.to_owned())));
    [Some((text, None)), split].into_iter().flatten().find_map(|(name, tag)| Some((row(name)?, tag)))
}

fn row(name: &str) -> Option<&'static Alias> {
    let wanted = spelling(name);
    let called = |wanted: &str| {
        let is_it = |name: &String| spelling(name) == wanted;
        let named = aliases().iter().find(|alias| is_it(&alias.name) || alias.also.iter().any(is_it));
        named.or_else(|| aliases().iter().find(|alias| family(&alias.name) == wanted))
    };
    // Words that say what all rows are: made for conversation.
    let plain = |word: &&str| !["instruct", "chat", "it", "latest"].contains(word);
    called(&wanted).or_else(|| called(&wanted.split('-').filter(plain).collect::<Vec<_>>().join("-")))
}

/// `qwen3:8b-q8_0` and `work:Q8_0` without their tag, and the tag.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind(['-', ':']).filter(|at| files::is_quantization(&text[at + 1..]))?;
    let marked = text.get(at.wrapping_sub(3)..at).is_some_and(|mark| mark.eq_ignore_ascii_case("-ud"));
    let at = if marked { at - 3 } else { at };
    Some((&text[..at], &text[at + 1..]))
}

/// Names that differ in nothing else are one.
fn spelling(name: &str) -> String {
    name.to_lowercase().replace(':', "-")
}

/// A name without its size.
fn family(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn name(text: &str) -> Option<(&'static str, Option<String>)> {
        find(text).map(|(alias, tag)| (alias.name.as_str(), tag))
    }

    #[test]
    fn names_are_found_as_people_type_them() {
        let some = |name, tag: &str| Some((name, Some(tag.to_owned())));
        for (text, is) in [
            ("mistral-7b", "mistral:7b"),
            ("mistral", "mistral:7b"),
            ("Llama3.2:1B", "llama3.2:1b"),
            ("llama3.2:1b-instruct", "llama3.2:1b"),
            ("qwen3", "qwen3:8b"),
            ("qwen3:latest", "qwen3:8b"),
            ("qwen3-embedding", "qwen3-embedding:0.6b"),
            ("phi4", "phi4:14b"),
            ("gemma3:4b", "gemma3:4b"),
            ("gemma3:4b-it", "gemma3:4b"),
            ("all-minilm", "all-minilm"),
            ("qwen3:30b-a3b", "qwen3:30b"),
        ] {
            assert_eq!(name(text), Some((is, None)), "{text}");
        }
        assert_eq!(name("qwen3:8b-q8_0"), some("qwen3:8b", "q8_0"));
        assert_eq!(name("llama3.2:1b-instruct-q4_K_M"), some("llama3.2:1b", "q4_K_M"));
        assert_eq!(name("llama3.2:1b-instruct-fp16"), some("llama3.2:1b", "fp16"));
        assert_eq!(name("qwen3-8b-ud-q4_k_xl"), some("qwen3:8b", "ud-q4_k_xl"));
        assert_eq!(name("phi4:Q8_0"), some("phi4:14b", "Q8_0"));
        // What is another model is not taken for the one that is here.
        for other in ["gpt-9", "llama3.2:1b-text-q4_K_M", "qwen2.5-coder:7b-base", "mistral:7b-instruct-v0.2-q4_K_M"] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn slips_find_their_neighbours() {
        let nearest = |text| Names::default().nearest(text);
        assert_eq!(nearest("mistal-7b").first().map(String::as_str), Some("mistral-7b"));
        assert_eq!(nearest("quen3:8b").first().map(String::as_str), Some("qwen3:8b"));
        assert_eq!(nearest("quen3:8b-q8_0").first().map(String::as_str), Some("qwen3:8b"));
        assert_eq!(nearest("llama3.2:2b"), ["llama3.2:3b", "llama3.2:1b"]);
        assert!(nearest("deepseek").contains(&"deepseek-r1".to_owned()), "{:?}", nearest("deepseek"));
        assert!(nearest("zzzzzzzzzz").is_empty());
    }

    fn own(section: &str) -> Result<Names, config::Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, section).unwrap();
        let path = path.display().to_string();
        let settings = Settings::load_from(&|name| match name {
            "OAI_CONFIG" => Some(path.clone()),
            "HOME" => Some("/home/me".to_owned()),
            _ => None,
        })?;
        Names::of(&settings)
    }

    #[test]
    fn own_names_come_before_the_table() {
        let names = own(concat!(
            "[models]\nwork = \"org/repo:Q8_0\"\nqwen3 = \"qwen3:0.6b\"\nhere = \"~/m.gguf\"\n",
            "big = { repo = \"unsloth/Qwen3-8B-GGUF\", file = \"Q6_K\", context = 9 }\n",
        ))
        .unwrap();
        let tag = |text: &str| match names.resolve(text) {
            Some(ModelRef::Repo { repo, tag, .. }) => format!("{repo} {}", tag.unwrap_or_default()),
            other => format!("{other:?}"),
        };
        assert_eq!(tag("work"), "org/repo Q8_0");
        assert_eq!(tag("Work-q4_0"), "org/repo q4_0");
        assert_eq!(tag("qwen3"), "unsloth/Qwen3-0.6B-GGUF Q4_K_M");
        assert_eq!(tag("qwen3:8b"), "unsloth/Qwen3-8B-GGUF Q4_K_M");
        assert_eq!(tag("big"), "unsloth/Qwen3-8B-GGUF Q6_K");
        assert_eq!(names.resolve("here"), Some(ModelRef::File(PathBuf::from("/home/me/m.gguf"))));
        // What the user does not say of a known repository, the table does.
        let big = names.alias("big").unwrap();
        assert_eq!((big.context, big.license.as_str(), big.kv_bytes_per_token), (9, "apache-2.0", 147_456));
        assert_eq!(names.alias("work").unwrap().parameters, "");
        assert!(names.alias("here").is_none());
        assert_eq!(names.nearest("wrok"), ["work"]);
    }

    #[test]
    fn mistakes_in_own_names_say_where() {
        for (section, words) in [
            ("work = 3", "a name, org/repo"),
            ("work = \"nowhere\"", "nowhere"),
            ("work = { file = \"Q8_0\" }", "repo"),
            ("work = { repo = \"a/b\", quant = \"x\" }", "quant"),
            ("\"a b\" = \"a/b\"", "letter or digit"),
            ("guide = \"a/b\"", "built-in"),
            ("\"a:b\" = \"a/b\"\na-b = \"a/b\"", "the same name"),
        ] {
            let error = own(&format!("[models]\n{section}\n")).unwrap_err().to_string();
            assert!(error.contains("config.toml") && error.contains("models.") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_table_is_whole() {
        let mut names = BTreeSet::new();
        assert!(aliases().len() >= 60, "{} rows", aliases().len());
        for alias in aliases() {
            let name = &alias.name;
            for name in alias.also.iter().chain([name]) {
                assert!(names.insert(spelling(name)), "{name} is there twice");
                let found = find(name).unwrap_or_else(|| panic!("{name} is not found"));
                assert_eq!((&found.0.name, &found.1), (&alias.name, &None), "{name}");
            }
            assert!(super::super::api::is_repository(&alias.repo), "{name}: {}", alias.repo);
            let tag = alias.file.as_deref();
            assert!(tag.is_none_or(|tag| files::quantization(tag) == Some(tag)), "{name}: {tag:?}");
            assert_eq!(tag.is_some(), alias.repo.to_lowercase().contains("gguf"), "{name}: {}", alias.repo);
            for text in [&alias.license, &alias.good_for] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{name}: {text:?}");
            }
            let all = parameters(&alias.parameters).unwrap_or_else(|| panic!("{name}: {}", alias.parameters));
            if let Some(active) = &alias.active {
                assert!(parameters(active).is_some_and(|active| active < all), "{name}: {active}");
            }
            assert!((256..=10_485_760).contains(&alias.context), "{name}: {}", alias.context);
            // An encoder keeps nothing; a recurrent decoder keeps a state; others a cache, whose rows
            // are whole elements of f16.
            let (rows, fixed) = (alias.kv_bytes_per_token, alias.kv_fixed_bytes);
            assert!(rows.is_multiple_of(2) && rows <= 1 << 20 && fixed <= 4 << 30, "{name}: {rows}, {fixed}");
            assert_eq!(rows + fixed == 0, is_encoder(alias), "{name}");
        }
    }

    fn is_encoder(alias: &Alias) -> bool {
        alias.good_for.starts_with("vectors") && !alias.name.starts_with("qwen3")
    }

    /// `1.2B`, `135M`: a number and its unit.
    fn parameters(text: &str) -> Option<f64> {
        let unit = match text.chars().next_back()? {
            'M' => 1e6,
            'B' => 1e9,
            'T' => 1e12,
            _ => return None,
        };
        text[..text.len() - 1].parse::<f64>().ok().filter(|n| *n > 0.0).map(|n| n * unit)
    }
}
