//! `oai du`: what the disk holds.

use anyhow::Result;
use serde_json::json;

use super::output;
use crate::config::Settings;
use crate::hub::Store;
use crate::hub::store::Use;

/// Show how much disk the models take
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Disk blocks in use, as `du` counts them, everything once: the total of a folder is that of\n`du -s --block-size=1 FOLDER`. What models share is in the line of each, and in the total once.\n\nExamples:\n  oai du\n  oai du --all\n  oai du --json | jq .total_bytes"
)]
pub struct Args {
    /// Also the folders of ollama and LM Studio
    #[arg(long)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let usage = Store::new(&settings.paths).usage(args.all)?;
    if args.json {
        let uses: Vec<_> = usage.uses.iter().map(object).collect();
        let folders = usage.folders.iter();
        let folders: Vec<_> =
            folders.map(|(path, bytes)| json!({ "path": path.display().to_string(), "bytes": bytes })).collect();
        return output::line(&output::json(
            &json!({ "uses": uses, "folders": folders, "total_bytes": usage.total_bytes }),
        )?);
    }
    let mut rows = vec![["NAME", "DISK", "SHARED"].map(str::to_owned).to_vec()];
    for item in &usage.uses {
        let mut row = vec![output::neutralize(&title(item)), output::bytes(item.bytes)];
        if item.shared_bytes > 0 {
            let with = item.shared_with.join(", ");
            row.push(output::neutralize(&format!("{} with {with}", output::bytes(item.shared_bytes))));
        }
        rows.push(row);
    }
    rows.push(vec!["TOTAL".to_owned(), output::bytes(usage.total_bytes)]);
    for (path, bytes) in &usage.folders {
        rows.push(vec![output::neutralize(&path.display().to_string()), output::bytes(*bytes)]);
    }
    output::line(output::table(&rows).trim_end())
}

fn title(item: &Use) -> String {
    match item.kind {
        "partial" => format!("{} (unfinished downloads)", item.name),
        "unused" => format!("{} (of no snapshot: oai prune)", item.name),
        "other" => format!("{} (other files)", item.name),
        _ => item.name.clone(),
    }
}

fn object(item: &Use) -> serde_json::Value {
    json!({
        "name": item.name,
        "kind": item.kind,
        "bytes": item.bytes,
        "shared_bytes": item.shared_bytes,
        "shared_with": item.shared_with,
    })
}
