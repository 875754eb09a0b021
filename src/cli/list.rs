//! `oai list`: what is here.

use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;

use super::output;
use crate::config::Settings;
use crate::hub::{LocalModel, Store};
use crate::weights::Source;

/// List the models on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai list\n  oai list --json | jq -r '.[].name'")]
pub struct Args {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let models = Store::new(&settings.paths.hf_cache).list()?;
    if args.json {
        let rows: Vec<_> = models.iter().map(|m| json!({
            "name": m.name,
            "size_bytes": m.size_bytes,
            "path": path(m),
            "modified": m.modified.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok()).map(|d| d.as_secs()),
        })).collect();
        return output::line(&output::json(&rows)?);
    }
    let mut rows = vec![["NAME", "SIZE", "FORMAT", "MODIFIED"].map(str::to_owned).to_vec()];
    for model in &models {
        let format = match &model.source {
            Source::Path(path) if path.is_dir() => "safetensors",
            _ => "gguf",
        };
        let age = model.modified.map_or("built in".to_owned(), age);
        rows.push(vec![output::neutralize(&model.name), output::bytes(model.size_bytes), format.to_owned(), age]);
    }
    output::line(output::table(&rows).trim_end())
}

/// Where a model lies; `None` inside the program.
pub fn path(model: &LocalModel) -> Option<String> {
    match &model.source {
        Source::Path(path) => Some(path.display().to_string()),
        Source::Embedded { .. } => None,
    }
}

/// `3 days ago`.
pub fn age(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).map_or(0, |d| d.as_secs());
    let (n, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}
