//! LM Studio's folder, as it lies: `ORG/REPO` with the files of repositories of the hub
//! (<https://lmstudio.ai/docs/app/advanced/import-model>). `settings.json` beside it may name another folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::Error;
use super::super::name::did_you_mean;
use super::model::{models_in, with_tag};
use super::{LocalModel, ModelFile, Place, disk};

/// Of settings and of the pointer to another home.
const MAX_BYTES: u64 = 1 << 20;

/// The folders of models: below each of LM Studio's `homes`, below the one that `pointer` names, and where their
/// settings say.
pub fn folders(homes: &[PathBuf], pointer: Option<&Path>) -> Vec<PathBuf> {
    let pointed = pointer.and_then(small_text).map(|text| PathBuf::from(text.trim())).filter(|p| p.is_absolute());
    let mut folders: Vec<PathBuf> = Vec::new();
    for home in pointed.iter().chain(homes) {
        let settings = small_text(&home.join("settings.json")).and_then(|text| serde_json::from_str(&text).ok());
        let chosen = settings.and_then(|json: serde_json::Value| json["downloadsFolder"].as_str().map(PathBuf::from));
        for folder in chosen.filter(|path| path.is_absolute()).into_iter().chain([home.join("models")]) {
            if let Ok(folder) = fs::canonicalize(folder)
                && !folders.contains(&folder)
            {
                folders.push(folder);
            }
        }
    }
    folders
}

fn small_text(path: &Path) -> Option<String> {
    let small = fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
    small.then(|| fs::read_to_string(path).ok()).flatten()
}

/// All models; a folder that cannot be read is as good as none. Files may be links: people keep models elsewhere.
pub fn models(folders: &[PathBuf]) -> Vec<LocalModel> {
    let mut models: Vec<LocalModel> = Vec::new();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for org in folders.iter().flat_map(|folder| disk::children(folder).unwrap_or_default()) {
        for repo in disk::children(&org).unwrap_or_default() {
            let found = disk::walk(&repo).unwrap_or_default().into_iter().filter(|(path, _)| path.is_file());
            let found: Vec<ModelFile> = found.map(|(on_disk, path)| ModelFile { path, on_disk }).collect();
            let label = format!("{}{}/{}", super::LM_STUDIO, name(&org), name(&repo));
            let place = Place::LmStudio { folder: repo.clone() };
            for model in models_in(&label, &repo, &found, &place) {
                if models.iter().all(|m| m.name != model.name) {
                    models.push(model);
                }
            }
        }
    }
    models
}

/// The model of the repository `repo` that `tag` means, or the only one.
pub fn of_repository(folders: &[PathBuf], repo: &str, tag: Option<&str>) -> Option<LocalModel> {
    let label = format!("{}{repo}", super::LM_STUDIO);
    let of_repo = |model: &LocalModel| {
        let rest = model.name.get(..label.len()).filter(|start| start.eq_ignore_ascii_case(&label));
        rest.is_some() && ["", ":"].contains(&model.name.get(label.len()..label.len() + 1).unwrap_or_default())
    };
    let mut found = models(folders);
    found.retain(of_repo);
    let mut found = with_tag(found, repo, tag);
    if found.len() == 1 { found.pop() } else { None }
}

/// The model called `text`: `ORG/REPO`, `ORG/REPO:TAG`, either without the owner, or the name of a file.
pub fn find(folders: &[PathBuf], text: &str) -> Result<LocalModel, Error> {
    let (repo, tag) = text.split_once(':').map_or((text, None), |(repo, tag)| (repo, Some(tag)));
    if let Some(model) = of_repository(folders, repo, tag) {
        return Ok(model);
    }
    let all = models(folders);
    let wanted = text.strip_suffix(".gguf").unwrap_or(text);
    let fits = |model: &&LocalModel| {
        let name = model.name.strip_prefix(super::LM_STUDIO).unwrap_or_default();
        let (repo, own_tag) = name.split_once(':').map_or((name, None), |(repo, tag)| (repo, Some(tag)));
        let short = repo.rsplit('/').next().unwrap_or_default();
        let tagged = own_tag.map(|tag| format!("{short}:{tag}"));
        let stem = model.files.first().map(|file| super::super::files::stem(&file.path));
        let names = [Some(name), Some(repo), Some(short), tagged.as_deref(), stem];
        names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let found: Vec<&LocalModel> = all.iter().filter(fits).collect();
    let name = format!("{}{text}", super::LM_STUDIO);
    match found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let names: Vec<&str> = all.iter().map(|m| m.name.as_str()).take(5).collect();
            Err(Error::NotThere { name, place: "LM Studio's folder", hint: did_you_mean(&names) })
        }
        ref several => {
            let choices: Vec<&str> = several.iter().map(|m| m.name.as_str()).collect();
            Err(Error::Several { name, n: choices.len(), choices: choices.join(", ") })
        }
    }
}
