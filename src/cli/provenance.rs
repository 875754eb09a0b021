//! `oai show --provenance`: where a model came from.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::{list, output};
use crate::config::Settings;
use crate::hub::store::{Place, disk};
use crate::hub::{LocalModel, Store, provenance};

/// What is known, in the order in which it is shown.
struct Known {
    facts: Vec<(&'static str, Value)>,
    /// Path, size, hash; what else there is to say.
    files: Vec<(String, u64, Option<String>, String)>,
    note: String,
}

pub fn run(model: &LocalModel, as_json: bool, settings: &Settings) -> Result<()> {
    let known = known(model, settings)?;
    if as_json {
        let mut object = serde_json::Map::new();
        object.insert("model".to_owned(), json!(model.name));
        object.insert("place".to_owned(), json!(model.place.name()));
        object.extend(known.facts.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let files = known.files.iter();
        let files = files.map(|(path, size, hash, _)| json!({ "path": path, "size_bytes": size, "hash": hash }));
        object.insert("files".to_owned(), files.collect());
        object.insert("note".to_owned(), json!(known.note));
        return output::line(&output::json(&object)?);
    }
    let mut rows = vec![vec!["model".to_owned(), model.name.clone()]];
    rows.extend(known.facts.into_iter().map(|(key, value)| vec![label(key), shown(&value)]));
    rows.push(vec!["recorded".to_owned(), known.note]);
    let mut files = vec![["FILE", "SIZE", "HASH"].map(str::to_owned).to_vec()];
    for (path, size, hash, more) in known.files {
        files.push(vec![path, output::bytes(size), hash.unwrap_or_else(|| "unknown".to_owned()), more]);
    }
    let clean = |rows: &[Vec<String>]| -> String {
        let rows = rows.iter().map(|row| row.iter().map(|cell| output::neutralize(cell).replace('\n', " ")).collect());
        output::table(&rows.collect::<Vec<Vec<String>>>())
    };
    let table = if files.len() > 1 { format!("\n{}", clean(&files)) } else { String::new() };
    output::line(format!("{}{table}", clean(&rows)).trim_end())
}

fn label(key: &str) -> String {
    let label = match key {
        "repo" => "repository",
        "license" => "licence",
        "base_models" => "base models",
        other => other,
    };
    label.to_owned()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not stated".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "not stated".to_owned(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn known(model: &LocalModel, settings: &Settings) -> Result<Known> {
    let store = Store::new(&settings.paths);
    let own_files =
        || model.files.iter().map(|f| (f.path.clone(), disk::size(&f.on_disk), f.named_hash(), String::new()));
    Ok(match &model.place {
        Place::Cache { repo, commit } => match provenance::find(&settings.paths.data_dir, repo, commit)? {
            Some(record) => Known {
                facts: vec![
                    ("repo", json!(record.repo)),
                    ("revision", json!(record.revision)),
                    ("commit", json!(record.commit)),
                    ("license", json!(record.license)),
                    ("base_models", json!(record.base_models)),
                    ("endpoint", json!(record.endpoint)),
                    ("time", json!(record.time)),
                ],
                files: record
                    .files
                    .into_iter()
                    .filter(|file| model.may_open(&file.path))
                    .map(|file| (file.path, file.size_bytes, file.hash, String::new()))
                    .collect(),
                note: "by oai pull".to_owned(),
            },
            None => {
                let repository = store.cache.repo(repo);
                let refs = repository.refs()?.into_iter().filter(|(_, of)| of == commit);
                let root = repository.folder.join("refs");
                let name = |(path, _): (PathBuf, String)| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned());
                let names = refs.filter_map(name).collect::<Vec<_>>().join(", ");
                let time = model.modified.map(|time| humantime::format_rfc3339_seconds(time).to_string());
                Known {
                    facts: vec![
                        ("repo", json!(repo)),
                        ("revision", json!((!names.is_empty()).then_some(names))),
                        ("commit", json!(commit)),
                        ("time", json!(time)),
                    ],
                    files: own_files().collect(),
                    note: "nothing: oai did not pull it; this is what the cache tells".to_owned(),
                }
            }
        },
        Place::Imported { folder } => match store.imported(model)? {
            Some(record) => Known {
                facts: vec![("time", json!(record.time)), ("folder", json!(folder.display().to_string()))],
                files: record
                    .files
                    .into_iter()
                    .map(|f| (f.path, f.size_bytes, Some(f.sha256), format!("from {}", f.from.display())))
                    .collect(),
                note: "by oai import".to_owned(),
            },
            None => Known { facts: Vec::new(), files: own_files().collect(), note: "nothing".to_owned() },
        },
        Place::Ollama { name } => Known {
            facts: vec![("name", json!(name)), ("path", json!(list::path(model)))],
            files: own_files().collect(),
            note: "nothing: ollama brought it; the hash is its own name for the file".to_owned(),
        },
        Place::LmStudio { folder } => Known {
            facts: vec![("folder", json!(folder.display().to_string()))],
            files: own_files().collect(),
            note: "nothing: LM Studio brought it".to_owned(),
        },
        Place::Program => {
            Known { facts: Vec::new(), files: Vec::new(), note: "it is part of the program, see src/guide".to_owned() }
        }
        Place::Path => Known {
            facts: vec![("path", json!(list::path(model)))],
            files: Vec::new(),
            note: "nothing: it is a file of yours".to_owned(),
        },
    })
}
