//! What a user typed for a model, understood once.

use std::path::PathBuf;

use super::{Error, Names, api};

/// A model by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// The model inside the program.
    Guide,
    /// A repository on the hub, and which of its files: a quantization or a file's path. `asked` says
    /// that the user named that tag; else it is the short name's own.
    Repo { repo: String, tag: Option<String>, asked: bool, revision: Option<String>, typed: String },
    /// A `.gguf` file or a safetensors folder.
    File(PathBuf),
}

impl ModelRef {
    /// Understands `text`: `guide`, a short name (`qwen3:8b-q8_0`), `org/repo[:TAG]` (also after
    /// `hf.co/`), the address of a file on the hub, or a path.
    pub fn parse(text: &str, names: &Names) -> Result<ModelRef, Error> {
        if text == crate::guide::NAME {
            return Ok(ModelRef::Guide);
        }
        // Whoever gave a name means it, whatever lies around.
        if let Some(own) = names.resolve_own(text) {
            return Ok(own);
        }
        // A path says so itself: by how it begins, by its ending, or by being there.
        let path = PathBuf::from(text);
        let looks_local = text.starts_with(['/', '.', '~']) || (text.ends_with(".gguf") && !text.contains("://"));
        if looks_local || path.is_absolute() || (path.exists() && !text.contains(':')) {
            return Ok(ModelRef::File(path));
        }
        if let Some((_, rest)) = text.split_once("://") {
            return ModelRef::url(text, rest).ok_or_else(|| unknown(text, names));
        }
        for host in ["hf.co/", "huggingface.co/"] {
            if let Some(rest) = text.strip_prefix(host) {
                return ModelRef::repo(text, rest).ok_or_else(|| unknown(text, names));
            }
        }
        let found = if text.contains('/') { ModelRef::repo(text, text) } else { names.resolve(text) };
        found.ok_or_else(|| unknown(text, names))
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
    fn url(text: &str, rest: &str) -> Option<ModelRef> {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).filter(|p| !p.is_empty()).collect();
        match parts[..] {
            [org, repo] => ModelRef::repo(text, &format!("{org}/{repo}")),
            [org, repo, "resolve" | "blob" | "raw", revision, ref file @ ..] if !file.is_empty() => {
                let repo = Some(format!("{org}/{repo}")).filter(|repo| api::is_repository(repo))?;
                Some(ModelRef::Repo {
                    repo,
                    tag: Some(file.join("/")),
                    asked: true,
                    revision: Some(revision.to_owned()),
                    typed: text.to_owned(),
                })
            }
            _ => None,
        }
    }

    fn repo(text: &str, rest: &str) -> Option<ModelRef> {
        let (repo, tag) = match rest.split_once(':') {
            Some((repo, tag)) => (repo, Some(tag.to_owned())),
            None => (rest, None),
        };
        if !api::is_repository(repo) || tag.as_deref() == Some("") {
            return None;
        }
        let asked = tag.is_some();
        Some(ModelRef::Repo { repo: repo.to_owned(), tag, asked, revision: None, typed: text.to_owned() })
    }
}

fn unknown(text: &str, names: &Names) -> Error {
    let nearest = names.nearest(text);
    let nearest: Vec<&str> = nearest.iter().map(String::as_str).collect();
    Error::UnknownName { name: text.to_owned(), hint: did_you_mean(&nearest) }
}

/// ` (did you mean a, b?)`, or nothing.
pub fn did_you_mean(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ModelRef, Error> {
        ModelRef::parse(text, &Names::default())
    }

    fn repo(text: &str) -> (String, Option<String>, Option<String>) {
        match parse(text).unwrap() {
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
        assert_eq!(parse("./x.gguf").unwrap(), ModelRef::File("./x.gguf".into()));
        assert_eq!(parse("guide").unwrap(), ModelRef::Guide);
    }

    #[test]
    fn what_is_no_name_is_an_error_with_a_way_out() {
        let error = parse("mistrl-7b").unwrap_err().to_string();
        assert!(error.contains("did you mean mistral-7b"), "{error}");
        for wrong in
            ["a/b/c", "a/..", "a/b:", "https://h/../b/resolve/main/x", "https://example.com/x", "nothing-like-it"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
