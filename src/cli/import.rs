//! `oai import`: a model that the user has already.

use std::path::PathBuf;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::{interrupt, model, output};
use crate::config::Settings;
use crate::engine;
use crate::hub::store::{Adopted, ImportOptions, check_name, default_name, files_at, import};
use crate::hub::{ModelRef, Store};
use crate::weights::Source;

/// Adopt a model file or folder under a name
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is copied where the disk can share a file: a reflink, else a hard link, else a copy. With a\nhard link a change to one is a change to both; `oai verify` tells.\n\nExamples:\n  oai import ./mine-Q4_K_M.gguf\n  oai import ./big-00001-of-00003.gguf big\n  oai import ./my-model-folder mine:7b\n  oai import --link /mnt/models/huge.gguf huge"
)]
pub struct Args {
    /// A GGUF file (of a split one any part), or a folder with config.json and safetensors
    path: PathBuf,
    /// What to call it; without this as the file, in lower case
    name: Option<String>,
    /// Leave the files where they are, and point at them
    #[arg(long)]
    link: bool,
    /// Replace a model that has this name, or take a name that means another
    #[arg(long)]
    force: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::exit_with("interrupted; nothing was imported")?;
    let missing = |_| crate::hub::Error::NoFile { path: args.path.clone() };
    let mut path = std::path::absolute(&args.path).map_err(missing)?;
    std::fs::metadata(&path).map_err(missing)?;
    // A name is taken as it is given: what a link leads to may be called anything.
    if path.file_name().is_none() {
        path = std::fs::canonicalize(&path)?;
    }
    let name = args.name.clone().unwrap_or_else(|| default_name(&path));
    let means = ModelRef::parse(&name, &model::names(settings)?);
    check_name(&name, !args.force && matches!(means, Ok(ModelRef::Repo { .. })))?;
    let files = files_at(&path)?;
    let single = files.iter().all(|file| file.path.ends_with(".gguf")) || !path.is_dir();
    let source = files.first().filter(|_| single).map_or(&path, |file| &file.on_disk);
    // Fails as loading it would.
    engine::inspect(&Source::Path(source.clone()))?;
    let bar = if output::stderr_is_terminal() { bar()? } else { ProgressBar::hidden() };
    let options = ImportOptions { link: args.link, force: args.force };
    let store = Store::new(&settings.paths);
    let imported = import(&store, &files, &name, options, &mut |what, file, done, size| {
        bar.set_length(size);
        bar.set_position(done);
        bar.set_message(format!("{what} {}", output::neutralize(file)));
    });
    bar.finish_and_clear();
    let model = imported?;
    let how = store.imported(&model)?.and_then(|record| record.files.first().map(|file| file.adopted));
    let how = match how {
        Some(Adopted::Reflink) => "shared with the original",
        Some(Adopted::HardLink) => "hard link to the original",
        Some(Adopted::SymbolicLink) => "link to the original",
        Some(Adopted::Copy) | None => "copied",
    };
    output::note(&format!("imported {} ({}, {how})", model.name, output::bytes(model.size_bytes)));
    Ok(())
}

fn bar() -> Result<ProgressBar> {
    let style = "{msg:!40} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?))
}
