//! `oai rm`: gone.

use std::io::{BufRead, Write};

use anyhow::Result;

use super::exit::Usage;
use super::{model, output};
use crate::config::Settings;
use crate::hub::Store;

/// Delete models from this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai rm qwen3:0.6b\n  oai rm -y bartowski/Llama-3.2-1B-Instruct-GGUF:Q6_K")]
pub struct Args {
    /// The models, as `oai list` names them, or their aliases
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let store = Store::new(&settings.paths.hf_cache);
    // All names are understood before anything is deleted.
    let models = args.models.iter().map(|name| model::find(name, settings)).collect::<Result<Vec<_>>>()?;
    for model in models {
        if !args.yes && !confirmed(&model.name, model.size_bytes)? {
            output::note(&format!("kept {}", model.name));
            continue;
        }
        let freed = store.remove(&model)?;
        output::note(&format!("removed {} ({} freed)", model.name, output::bytes(freed)));
    }
    Ok(())
}

fn confirmed(name: &str, size_bytes: u64) -> Result<bool> {
    if !output::stdin_is_terminal() {
        return Err(Usage(format!("deleting {name} needs a yes: add -y")).into());
    }
    eprint!("delete {} ({})? [y/N] ", output::neutralize(name), output::bytes(size_bytes));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
