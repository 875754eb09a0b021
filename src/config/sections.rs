//! The sections of the configuration file that hold tables: models and presets.

use std::path::{Path, PathBuf};

use super::{Error, KEYS, Key, OwnModel, Preset, plain, value_of};

/// A name of `[models]`.
pub(super) fn own_model(file: &Path, name: &str, value: &toml::Value, home: Option<&str>) -> Result<OwnModel, Error> {
    let wrong = |reason: String| Error::Model { file: file.to_owned(), name: name.to_owned(), reason };
    let mut model = match value {
        toml::Value::String(repo) => OwnModel { repo: repo.clone(), ..OwnModel::default() },
        toml::Value::Table(table) => {
            table.clone().try_into().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?
        }
        other => {
            return Err(wrong(format!("{other} is no text (a name, org/repo, org/repo:TAG or a path) and no table")));
        }
    };
    let path = match below_home(&model.repo, home).map_err(wrong)? {
        Some(path) => Some(path),
        // A folder of the same name is no repository, nor is a file.
        None if model.repo.starts_with('.') || (model.repo.ends_with(".gguf") && !model.repo.contains(':')) => {
            Some(folder_of(file).join(model.repo.trim_start_matches("./")))
        }
        None => None,
    };
    if let Some(path) = path {
        model.repo = path.display().to_string();
    }
    Ok(model)
}

/// A preset of `[presets]`.
pub(super) fn preset(file: &Path, name: &str, value: &toml::Value, home: Option<&str>) -> Result<Preset, Error> {
    let wrong = |reason: String| Error::Preset { file: file.to_owned(), name: name.to_owned(), reason };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(wrong("a preset's name has only letters, digits, - and _".to_owned()));
    }
    let table = value.as_table().ok_or_else(|| wrong(format!("{value} is no table of settings")))?;
    let mut preset = Preset::default();
    for (key, value) in table {
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("{key} = {value} is no text")));
        let path = |text: &str| below_home(text, home).map_err(wrong);
        match key.as_str() {
            "model" => preset.model = Some(text()?),
            "system" => preset.system = Some(text()?),
            "system_file" => {
                let text = text()?;
                preset.system_file = Some(path(&text)?.unwrap_or_else(|| folder_of(file).join(&text)));
            }
            "prompt" => preset.prompt = Some(text()?),
            "files" => {
                let names = value.as_array().and_then(|all| all.iter().map(toml::Value::as_str).collect());
                let names: Vec<&str> = names.ok_or_else(|| wrong(format!("files = {value} is no list of texts")))?;
                for name in names {
                    preset.files.push(path(name)?.unwrap_or_else(|| PathBuf::from(name)));
                }
            }
            "threads" => return Err(wrong("threads are of the whole process: set them in [sampling]".to_owned())),
            _ => {
                let known = |of: &&Key| of.section == "sampling" || ["think", "reasoning_effort"].contains(&of.name);
                let full = format!("presets.{name}.{key}");
                let origin = file.display().to_string();
                let Some(of) = KEYS.iter().filter(known).find(|of| of.name == key) else {
                    return Err(Error::UnknownKey { origin, key: full });
                };
                let text = plain(value);
                let value = value_of(of, &text).map_err(|expected| Error::BadValue {
                    origin,
                    key: full,
                    value: text,
                    expected,
                })?;
                preset.settings.insert(of.name, value);
            }
        }
    }
    if preset.system.is_some() && preset.system_file.is_some() {
        return Err(wrong("system and system_file are both there, and one of them is the system message".to_owned()));
    }
    Ok(preset)
}

/// The path below the home folder that `text` is after `~/`.
fn below_home(text: &str, home: Option<&str>) -> Result<Option<PathBuf>, String> {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Ok(Some(Path::new(home).join(rest))),
        (Some(_), None) => Err(format!("{text}: no home folder: set HOME")),
        (None, _) => Ok(None),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}
