//! What a folder tells of its model as a whole: GGUF's `general.*` keys.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#general-metadata>, and `general.sampling.*` as
//! llama.cpp's converter writes them (`gguf-py/gguf/metadata.py`).

use std::path::Path;

use serde_json::Value as Json;

use super::super::from_folder::Files;
use super::model_card::ModelCard;
use crate::weights::{Metadata, Value};

/// Sets the `general.*` keys that `folder` tells: type, name and organization; from the head of its `README.md` license,
/// tags, languages, base models and data sets; from `generation_config.json` how to sample. What a folder does not tell
/// is left out, and no file is needed. Size and type of the weights are the converter's to say.
pub fn general(folder: &Path, metadata: &mut Metadata) {
    let files = Files { folder };
    let card = ModelCard::new(&std::fs::read_to_string(folder.join("README.md")).unwrap_or_default());
    let mut set = |key: &str, value: Value| metadata.set(&format!("general.{key}"), value);
    let text = |text: &str| Value::String(text.to_owned());
    set("type", text("model"));
    let (organization, name) = name(&files, folder);
    if let Some(name) = card.text("model_name").map(str::to_owned).or(name) {
        set("name", Value::String(name));
    }
    if let Some(organization) = organization {
        set("organization", Value::String(organization));
    }
    if !card.texts("license").is_empty() {
        set("license", Value::String(card.texts("license").join(",")));
    }
    for (field, key) in [("license_name", "license.name"), ("license_link", "license.link")] {
        if let Some(value) = card.text(field) {
            set(key, text(value));
        }
    }
    for (fields, key) in [(["tags", "pipeline_tag"], "tags"), (["languages", "language"], "languages")] {
        let all: Vec<Value> = fields.iter().flat_map(|field| card.texts(field)).map(|value| text(value)).collect();
        if !all.is_empty() {
            set(key, Value::Array(all));
        }
    }
    for (field, key, address) in [("base_model", "base_model", ""), ("datasets", "dataset", "datasets/")] {
        let sources = card.texts(field);
        if !sources.is_empty() {
            set(&format!("{key}.count"), Value::U32(sources.len() as u32));
        }
        for (i, source) in sources.iter().enumerate() {
            let (organization, name) = parts(source);
            set(&format!("{key}.{i}.name"), text(name));
            if let Some(organization) = organization {
                set(&format!("{key}.{i}.organization"), text(organization));
                let address = format!("https://huggingface.co/{address}{organization}/{name}");
                set(&format!("{key}.{i}.repo_url"), Value::String(address));
            }
        }
    }
    for (key, value) in sampling(&files.json("generation_config.json")) {
        set(key, value);
    }
}

/// Organization and name: of the model that `config.json` was saved as, else the folder's own.
fn name(files: &Files, folder: &Path) -> (Option<String>, Option<String>) {
    let config = files.json("config.json");
    // A path on somebody's disk is no name.
    let saved = config["_name_or_path"].as_str().filter(|name| {
        !name.is_empty() && !name.starts_with(['.', '/']) && name.matches('/').count() <= 1 && !name.contains('\\')
    });
    let of_folder = || {
        let path = folder.canonicalize().ok()?;
        let last = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
        // In Hugging Face's cache: models--ORGANIZATION--NAME/snapshots/COMMIT.
        let parent = path.parent()?;
        let cached = parent.parent().and_then(last).filter(|_| parent.ends_with("snapshots"));
        match cached.as_deref().and_then(|name| name.strip_prefix("models--")) {
            Some(name) => Some(name.replace("--", "/")),
            None => last(&path),
        }
    };
    let Some(id) = saved.map(str::to_owned).or_else(of_folder) else { return (None, None) };
    let (organization, name) = parts(&id);
    (organization.map(str::to_owned), Some(name.to_owned()))
}

/// `ORGANIZATION/NAME` as both, the address of such a page as well.
fn parts(id: &str) -> (Option<&str>, &str) {
    let id = id.trim_end_matches('/');
    let id = ["https://huggingface.co/", "https://hf.co/"].iter().find_map(|hub| id.strip_prefix(hub)).unwrap_or(id);
    let id = id.strip_prefix("datasets/").unwrap_or(id);
    match id.split_once('/') {
        Some((organization, name)) if !name.contains('/') => (Some(organization), name),
        _ => (None, id),
    }
}

/// How the model's makers sample it.
fn sampling(config: &Json) -> Vec<(&'static str, Value)> {
    let float = |names: &[&str]| names.iter().find_map(|name| config[*name].as_f64()).map(|v| Value::F32(v as f32));
    let whole = |name: &str| config[name].as_i64().and_then(|v| i32::try_from(v).ok()).map(Value::I32);
    let all = [
        ("sampling.top_k", whole("top_k")),
        ("sampling.top_p", float(&["top_p"])),
        ("sampling.min_p", float(&["min_p"])),
        ("sampling.temp", float(&["temperature"])),
        ("sampling.penalty_repeat", float(&["penalty_repeat", "repetition_penalty"])),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_name_license_sources_and_sampling() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("models--some-org--Phi-3-mini/snapshots/abc");
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("config.json", r#"{"_name_or_path": "/home/me/checkpoint-9"}"#);
        write(
            "README.md",
            "---\nlicense: mit\nlanguage: en\ntags:\n- chat\npipeline_tag: text-generation\nbase_model: org/Base\ndatasets:\n- own\n---\n",
        );
        write(
            "generation_config.json",
            r#"{"temperature": 0.5, "top_k": 20, "repetition_penalty": 1.25, "top_p": null}"#,
        );
        let mut metadata = Metadata::default();
        general(&folder, &mut metadata);
        let text = |key: &str| metadata.str(&format!("general.{key}"));
        assert_eq!((text("organization"), text("name")), (Some("some-org"), Some("Phi-3-mini")));
        assert_eq!((text("type"), text("license")), (Some("model"), Some("mit")));
        assert_eq!(text("base_model.0.repo_url"), Some("https://huggingface.co/org/Base"));
        assert_eq!((text("dataset.0.name"), text("dataset.0.repo_url")), (Some("own"), None));
        assert_eq!(metadata.array("general.tags").map(<[Value]>::len), Some(2));
        assert_eq!(metadata.f32("general.sampling.temp"), Some(0.5));
        assert_eq!(metadata.get("general.sampling.top_k"), Some(&Value::I32(20)));
        assert_eq!(metadata.f32("general.sampling.penalty_repeat"), Some(1.25));
        assert!(metadata.get("general.sampling.top_p").is_none());

        write("config.json", r#"{"_name_or_path": "org/Model-7B"}"#);
        general(&folder, &mut metadata);
        assert_eq!(metadata.str("general.organization"), Some("org"));
        let mut bare = Metadata::default();
        general(&dir.path().join("no-such"), &mut bare);
        assert_eq!(bare.0.len(), 1);
    }
}
