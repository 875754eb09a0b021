//! `oai rm`: gone.

use std::io::{BufRead, Write};

use anyhow::Result;

use super::exit::Usage;
use super::{model, output};
use crate::config::Settings;
use crate::hub::store::Removal;
use crate::hub::{ModelRef, Store};

/// Delete models from this machine
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What it says it frees is what it frees: files that other models share stay and are not counted. With\nthe last model of a repository its locks, references and unfinished downloads go too; the name of a\nrepository with nothing but an unfinished download removes that.\n\nExamples:\n  oai rm qwen3:0.6b\n  oai rm -y bartowski/Llama-3.2-1B-Instruct-GGUF:Q6_K"
)]
pub struct Args {
    /// The models, as `oai list` names them, or their aliases
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let store = Store::new(&settings.paths);
    let mut removal = Removal::new(&store);
    let mut names: Vec<String> = Vec::new();
    let mut size_bytes = 0;
    // All names are understood before anything is deleted.
    for text in &args.models {
        let (name, bytes) = match model::find(text, settings) {
            Ok(model) => {
                removal.model(&model)?;
                (model.name, model.size_bytes)
            }
            Err(error) => match partials(text, &store, &mut removal, settings)? {
                Some(name) => (name, 0),
                None => return Err(error),
            },
        };
        if !names.contains(&name) {
            names.push(name);
            size_bytes += bytes;
        }
    }
    let names = names.join(", ");
    let frees = removal.frees_bytes()?;
    if !args.yes && !confirmed(&names, &said(frees, size_bytes))? {
        output::note(&format!("kept {names}"));
        return Ok(());
    }
    let freed = removal.carry_out()?;
    output::note(&format!("removed {names} ({})", said(freed, size_bytes)));
    Ok(())
}

/// The unfinished downloads of a repository that is here with nothing else; its name.
fn partials(text: &str, store: &Store, removal: &mut Removal<'_>, settings: &Settings) -> Result<Option<String>> {
    let Ok(ModelRef::Repo { repo, .. }) = ModelRef::parse(text, &model::names(settings)?) else { return Ok(None) };
    let repo = store.cache.repo(&repo);
    let partials = repo.partials()?;
    if partials.is_empty() || !repo.models()?.is_empty() {
        return Ok(None);
    }
    if partials.iter().any(|partial| repo.is_being_fetched(&partial.hash)) {
        anyhow::bail!("{} is being pulled by another process; stop that first", repo.name);
    }
    removal.partials_of(&repo)?;
    Ok(Some(format!("the unfinished download of {}", repo.name)))
}

/// `1.2 GB freed`, and why that is less than the models' size.
fn said(freed: u64, size_bytes: u64) -> String {
    let why = if freed < size_bytes { "; the rest has other names and stays" } else { "" };
    format!("{} freed{why}", output::bytes(freed))
}

fn confirmed(names: &str, what: &str) -> Result<bool> {
    if !output::stdin_is_terminal() {
        return Err(Usage(format!("deleting {names} needs a yes: add -y")).into());
    }
    ask(&format!("delete {names} ({what})?"))
}

/// Whether the user says yes; silence is no.
pub fn ask(question: &str) -> Result<bool> {
    eprint!("{} [y/N] ", output::neutralize(question));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
