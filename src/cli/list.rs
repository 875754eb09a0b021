//! `oai list`: what is here.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use rayon::prelude::*;
use serde_json::json;

use super::output;
use crate::config::Settings;
use crate::engine::{self, Summary};
use crate::hub::store::{Other, Place, disk};
use crate::hub::{LocalModel, Store};
use crate::units;
use crate::weights::Source;

/// List the models on this machine
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The total counts every file once, however many models share it. --all also shows what ollama and LM\nStudio have, which can be used by these names where it lies, unfinished downloads, and what oai cannot\nrun.\n\nExamples:\n  oai list\n  oai list --all\n  oai list --json | jq -r '.[].name'"
)]
pub struct Args {
    /// Also what lies elsewhere: other programs' models, unfinished downloads, what cannot run
    #[arg(long)]
    all: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A model with what its headers say.
struct Row {
    model: LocalModel,
    summary: Result<Summary, engine::Error>,
    used: Option<SystemTime>,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let store = Store::new(&settings.paths);
    let mut models = store.list()?;
    let mut others = Vec::new();
    if args.all {
        let guide = models.pop();
        models.extend(store.elsewhere());
        models.extend(guide);
        others = store.others()?;
    }
    // A vocabulary of 250,000 words takes tens of milliseconds to step over.
    let rows: Vec<Row> = models
        .into_par_iter()
        .map(|model| Row { used: store.last_used(&model), summary: engine::summarize(&model.source), model })
        .collect();
    if args.json {
        let rows: Vec<_> = rows.iter().map(object).chain(others.iter().map(other_object)).collect();
        return output::line(&output::json(&rows)?);
    }
    let mut heads = vec!["NAME", "SIZE", "QUANTIZATION", "ARCHITECTURE", "USED"];
    heads.extend(args.all.then_some("WHERE"));
    let mut table = vec![heads.into_iter().map(str::to_owned).collect()];
    table.extend(rows.iter().map(|row| cells(row, args.all)));
    for other in &others {
        let empty = || "-".to_owned();
        table.push(vec![other.name.clone(), size(other.size_bytes), empty(), empty(), empty(), other.why.clone()]);
    }
    let files = rows.iter().flat_map(|row| &row.model.files).map(|file| file.on_disk.as_path());
    let total = disk::size_once(files) + others.iter().map(|other| other.size_bytes).sum::<u64>();
    table.push(vec!["TOTAL".to_owned(), output::bytes(total)]);
    let table: Vec<Vec<String>> =
        table.iter().map(|row: &Vec<String>| row.iter().map(|cell| output::neutralize(cell)).collect()).collect();
    output::line(output::table(&table).trim_end())
}

/// Where a model lies; `None` inside the program.
pub fn path(model: &LocalModel) -> Option<String> {
    match &model.source {
        Source::Path(path) => Some(path.display().to_string()),
        Source::Embedded { .. } => None,
    }
}

fn size(bytes: u64) -> String {
    if bytes == 0 { "-".to_owned() } else { output::bytes(bytes) }
}

/// One word for what is wrong with a model, if anything is.
fn trouble(row: &Row) -> Option<(&'static str, String)> {
    match &row.summary {
        Ok(Summary { problem: Some(problem), .. }) => Some(("cannot run", problem.clone())),
        Ok(_) => None,
        Err(error) => Some(("damaged", error.to_string())),
    }
}

fn cells(row: &Row, with_place: bool) -> Vec<String> {
    let (quantization, architecture) = match &row.summary {
        Ok(summary) => {
            let architecture = summary.architecture.clone().unwrap_or_else(|| "unknown".to_owned());
            (summary.quantization.clone(), architecture)
        }
        Err(_) => ("-".to_owned(), "-".to_owned()),
    };
    let architecture = match trouble(row) {
        Some((word, _)) => format!("{architecture} ({word})"),
        None => architecture,
    };
    let used = match row.model.place {
        Place::Program => "built in".to_owned(),
        _ => row.used.map_or("-".to_owned(), age),
    };
    let mut cells = vec![row.model.name.clone(), output::bytes(row.model.size_bytes), quantization, architecture, used];
    let place = match &row.model.place {
        Place::Cache { .. } => "Hugging Face cache",
        Place::Imported { .. } => "imported",
        Place::Ollama { .. } => "ollama",
        Place::LmStudio { .. } => "LM Studio",
        Place::Program | Place::Path => "inside oai",
    };
    cells.extend(with_place.then(|| place.to_owned()));
    cells
}

fn object(row: &Row) -> serde_json::Value {
    let Row { model, summary, used } = row;
    let summary = summary.as_ref().ok();
    let format = match &model.source {
        Source::Path(path) if path.is_dir() => "safetensors",
        _ => "gguf",
    };
    json!({
        "name": model.name,
        "size_bytes": model.size_bytes,
        "path": path(model),
        "modified": model.modified.and_then(seconds),
        "format": format,
        "quantization": summary.map(|summary| &summary.quantization),
        "architecture": summary.and_then(|summary| summary.architecture.as_ref()),
        "used": used.and_then(seconds),
        "place": model.place.name(),
        "commit": model.origin().map(|(_, commit)| commit),
        "problem": trouble(row).map(|(_, problem)| problem),
    })
}

fn other_object(other: &Other) -> serde_json::Value {
    let modified = disk::modified(Path::new(&other.path)).and_then(seconds);
    json!({
        "name": other.name,
        "size_bytes": other.size_bytes,
        "path": other.path.display().to_string(),
        "modified": modified,
        "place": other.kind,
        "problem": other.why,
    })
}

fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs())
}

/// `3 days ago`.
pub fn age(time: SystemTime) -> String {
    units::age(SystemTime::now().duration_since(time).map_or(0, |d| d.as_secs()))
}
