//! `oai config`: what is set, and by what.

use anyhow::Result;
use serde_json::json;

use super::{model, output};
use crate::config::{Preset, Settings};

/// Show the effective settings and where each came from
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Settings come from the configuration file, are overridden by OAI_ variables, and these by flags.\n\nExamples:\n  oai config\n  OAI_TEMPERATURE=0 oai config\n  oai config --json | jq -r '.settings.model.value'"
)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    // What is wrong with a name is said here too.
    model::names(settings)?;
    let paths = [
        ("config file", &settings.paths.config_file),
        ("data folder", &settings.paths.data_dir),
        ("model cache", &settings.paths.hf_cache),
    ];
    if args.json {
        let values: serde_json::Map<String, serde_json::Value> = settings
            .all()
            .iter()
            .map(|s| (s.key.to_owned(), json!({ "value": s.value, "origin": s.origin.to_string() })))
            .collect();
        let paths: serde_json::Map<_, _> =
            paths.map(|(key, path)| (key.replace(' ', "_"), json!(path.display().to_string()))).into_iter().collect();
        let models: serde_json::Map<_, _> =
            settings.models.iter().map(|(name, own)| (name.clone(), json!(own))).collect();
        let presets: serde_json::Map<_, _> =
            settings.presets.iter().map(|(name, preset)| (name.clone(), json!(preset))).collect();
        let all = json!({ "settings": values, "paths": paths, "models": models, "presets": presets });
        return output::line(&output::json(&all)?);
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for setting in settings.all() {
        let value = setting.value.as_ref().map_or("-".to_owned(), ToString::to_string);
        rows.push(vec![setting.key.to_owned(), output::neutralize(&value), setting.origin.to_string()]);
    }
    for (key, path) in paths {
        rows.push(vec![key.to_owned(), path.display().to_string()]);
    }
    rows.push(vec!["hub".to_owned(), settings.hub_endpoint.clone()]);
    // The first two columns are aligned; paths in the second may be long and stand alone.
    let (with_origin, plain): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.len() == 3);
    let models = settings.models.iter().map(|(name, own)| {
        let tag = own.file.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        vec![format!("models.{name}"), output::neutralize(&format!("{}{tag}", own.repo))]
    });
    let presets = settings
        .presets
        .iter()
        .map(|(name, preset)| vec![format!("presets.{name}"), output::neutralize(&summary(preset))]);
    let parts = [output::table(&with_origin), output::table(&plain)];
    let own = [output::table(&models.collect::<Vec<_>>()), output::table(&presets.collect::<Vec<_>>())];
    let text = parts.into_iter().chain(own.into_iter().filter(|table| !table.is_empty()));
    let text = text.collect::<Vec<_>>().join("\n");
    output::line(text.trim_end())
}

/// What a preset sets, on one line; `--json` has the texts.
fn summary(preset: &Preset) -> String {
    let mut words: Vec<String> = preset.model.iter().cloned().collect();
    words.extend(preset.settings.iter().map(|(key, value)| format!("{key} {value}")));
    words.extend(preset.system.iter().map(|_| "a system message".to_owned()));
    words.extend(preset.system_file.iter().map(|path| format!("system message {}", path.display())));
    words.extend(preset.files.iter().map(|path| format!("file {}", path.display())));
    words.extend(preset.prompt.iter().map(|_| "a prompt".to_owned()));
    words.join(", ")
}
