//! What a user typed for a model, understood once.

use std::path::PathBuf;

use super::{Error, aliases};

/// A model by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// The model inside the program.
    Guide,
    /// A repository on the hub, and which of its files: a quantization or a file's path.
    Repo { repo: String, tag: Option<String>, revision: Option<String>, typed: String },
    /// A `.gguf` file or a safetensors folder.
    File(PathBuf),
}

impl ModelRef {
    /// Understands `text`: `guide`, an alias (`qwen3:8b-q8_0`), `org/repo[:TAG]` (also after
    /// `hf.co/`), the address of a file on the hub, or a path.
    pub fn parse(text: &str) -> Result<ModelRef, Error> {
        if text == crate::guide::NAME {
            return Ok(ModelRef::Guide);
        }
        // A path says so itself: by how it begins, by its ending, or by being there.
        let path = PathBuf::from(text);
        let looks_local = text.starts_with(['/', '.', '~']) || (text.ends_with(".gguf") && !text.contains("://"));
        if looks_local || path.is_absolute() || (path.exists() && !text.contains(':')) {
            return Ok(ModelRef::File(path));
        }
        if let Some((_, rest)) = text.split_once("://") {
            return ModelRef::url(text, rest);
        }
        for host in ["hf.co/", "huggingface.co/"] {
            if let Some(rest) = text.strip_prefix(host) {
                return ModelRef::repo(text, rest);
            }
        }
        if text.contains('/') {
            return ModelRef::repo(text, text);
        }
        ModelRef::alias(text)
    }

    /// Repository, tag and revision of a model that the hub has; `what` says what for.
    pub fn on_hub(&self, what: &'static str) -> Result<(&str, Option<&str>, Option<&str>), Error> {
        match self {
            ModelRef::Guide => Err(Error::Guide { what: "pulled" }),
            ModelRef::File(path) => Err(Error::Local { path: path.clone(), what }),
            ModelRef::Repo { repo, tag, revision, .. } => Ok((repo, tag.as_deref(), revision.as_deref())),
        }
    }

    /// `host/org/repo/resolve/REVISION/FILE`, as the hub's pages link its files.
    fn url(text: &str, rest: &str) -> Result<ModelRef, Error> {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).filter(|p| !p.is_empty()).collect();
        match parts[..] {
            [org, repo] => ModelRef::repo(text, &format!("{org}/{repo}")),
            [org, repo, "resolve" | "blob" | "raw", revision, ref file @ ..] if !file.is_empty() => {
                Ok(ModelRef::Repo {
                    repo: format!("{org}/{repo}"),
                    tag: Some(file.join("/")),
                    revision: Some(revision.to_owned()),
                    typed: text.to_owned(),
                })
            }
            _ => Err(unknown(text)),
        }
    }

    fn repo(text: &str, rest: &str) -> Result<ModelRef, Error> {
        let (repo, tag) = match rest.split_once(':') {
            Some((repo, tag)) => (repo, Some(tag.to_owned())),
            None => (rest, None),
        };
        let word = |part: &str| {
            !part.is_empty() && part != ".." && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let valid = repo.split_once('/').is_some_and(|(org, name)| word(org) && word(name));
        if !valid || tag.as_deref() == Some("") {
            return Err(unknown(text));
        }
        Ok(ModelRef::Repo { repo: repo.to_owned(), tag, revision: None, typed: text.to_owned() })
    }

    fn alias(text: &str) -> Result<ModelRef, Error> {
        let found = |alias: &super::Alias, tag: Option<&str>| ModelRef::Repo {
            repo: alias.repo.clone(),
            tag: tag.map(str::to_owned),
            revision: None,
            typed: text.to_owned(),
        };
        if let Some(alias) = aliases::find(text) {
            return Ok(found(alias, alias.file.as_deref()));
        }
        // `qwen3:8b-q8_0`
        if let Some((name, tag)) = text.rsplit_once('-')
            && let Some(alias) = aliases::find(name)
            && super::files::is_quantization(tag)
        {
            return Ok(found(alias, Some(tag)));
        }
        Err(unknown(text))
    }
}

fn unknown(text: &str) -> Error {
    Error::UnknownName { name: text.to_owned(), hint: did_you_mean(&aliases::nearest(text)) }
}

/// ` (did you mean a, b?)`, or nothing.
pub fn did_you_mean(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(text: &str) -> (String, Option<String>, Option<String>) {
        match ModelRef::parse(text).unwrap() {
            ModelRef::Repo { repo, tag, revision, .. } => (repo, tag, revision),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn all_ways_to_name_a_model() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(repo("org/name"), ("org/name".to_owned(), None, None));
        assert_eq!(repo("hf.co/org/name:Q8_0"), ("org/name".to_owned(), some("Q8_0"), None));
        assert_eq!(repo("mistral-7b").1, some("Q4_K_M"));
        assert_eq!(repo("all-minilm"), ("sentence-transformers/all-MiniLM-L6-v2".to_owned(), None, None));
        assert_eq!(repo("qwen3:8b-q8_0"), ("unsloth/Qwen3-8B-GGUF".to_owned(), some("q8_0"), None));
        let url = "https://huggingface.co/org/name/resolve/v1/sub/file.gguf?download=true";
        assert_eq!(repo(url), ("org/name".to_owned(), some("sub/file.gguf"), some("v1")));
        assert_eq!(ModelRef::parse("./x.gguf").unwrap(), ModelRef::File("./x.gguf".into()));
        assert_eq!(ModelRef::parse("guide").unwrap(), ModelRef::Guide);
    }

    #[test]
    fn what_is_no_name_is_an_error_with_a_way_out() {
        let error = ModelRef::parse("mistrl-7b").unwrap_err().to_string();
        assert!(error.contains("did you mean mistral-7b"), "{error}");
        for wrong in ["a/b/c", "a/..", "a/b:", "https://example.com/x", "nothing-like-it"] {
            assert!(ModelRef::parse(wrong).is_err(), "{wrong}");
        }
    }
}
