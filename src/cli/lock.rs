//! `oai lock`: the same bytes everywhere.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::exit::Usage;
use super::{model, output};
use crate::config::Settings;
use crate::hub::lock_file::{self, Locked};
use crate::hub::store::Place;
use crate::hub::{LocalModel, RemoteFile, Store, hash, provenance};

/// Write down exact commits and hashes of pulled models
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`oai pull --locked` brings the same bytes on another machine.\n\nExamples:\n  oai lock\n  oai lock qwen3:0.6b llama3.2:1b -o paper.lock\n  oai lock -o - qwen3:0.6b"
)]
pub struct Args {
    /// The models; without one all that were pulled
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// The file to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = lock_file::FILE)]
    output: PathBuf,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let mut locked: Vec<Locked> = Vec::new();
    if args.models.is_empty() {
        let pulled = Store::new(&settings.paths).cache.models()?;
        for model in pulled {
            locked.push(lock(&model.name, &model, settings)?);
        }
    }
    for name in &args.models {
        if locked.iter().all(|other| other.name != *name) {
            locked.push(lock(name, &model::find(name, settings)?, settings)?);
        }
    }
    if locked.is_empty() {
        return Err(Usage("no model was pulled: there is nothing to lock".to_owned()).into());
    }
    if args.output == Path::new("-") {
        return output::line(lock_file::text(&locked).trim_end());
    }
    lock_file::write(&args.output, &locked)?;
    let (models, plural) = (locked.len(), if locked.len() == 1 { "" } else { "s" });
    output::note(&format!("locked {models} model{plural} in {}", args.output.display()));
    Ok(())
}

fn lock(name: &str, model: &LocalModel, settings: &Settings) -> Result<Locked> {
    let Place::Cache { repo, commit } = &model.place else {
        let what = format!("{} was not pulled from the hub: it has no commit to lock", model.name);
        return Err(Usage(what).into());
    };
    let record = provenance::find(&settings.paths.data_dir, repo, commit).ok().flatten();
    let recorded = |path: &str| record.as_ref()?.files.iter().find(|file| file.path == path)?.hash.clone();
    let mut files = Vec::new();
    for file in &model.files {
        // The name of a blob is what the hub said; where there is none the file itself tells.
        let hash = match file.named_hash().or_else(|| recorded(&file.path)) {
            Some(hash) => hash,
            None => hash::of_file(&file.on_disk, hash::SHA256, &mut |_| {})?,
        };
        let size_bytes = crate::hub::store::disk::size(&file.on_disk);
        files.push(RemoteFile { path: file.path.clone(), size_bytes, hash: Some(hash) });
    }
    Ok(Locked { name: name.to_owned(), repo: repo.clone(), commit: commit.clone(), files })
}
