//! `oai history show`, `export`, `import`.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{find, now_ms, output};
use crate::cli::exit::{Input, Usage};
use crate::session::{self, Session, Store};

/// Print a conversation as Markdown
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Markdown and HTML hold the branch that was on screen, JSON holds all.\n\nExamples:\n  oai history show last\n  oai history show 12 --json | jq '.nodes | length'"
)]
pub struct Show {
    /// The conversation: its number, its name, or last
    id: String,
    /// Print JSON, which oai history import reads
    #[arg(long)]
    json: bool,
    /// Print an HTML page
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

/// Write a conversation to a file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Markdown and HTML hold the branch that was on screen, JSON holds all and can be imported again. The HTML\nfile loads nothing from anywhere.\n\nExamples:\n  oai history export last talk.md\n  oai history export 12 talk.html\n  oai history export --force 12 talk.json"
)]
pub struct Export {
    /// The conversation: its number, its name, or last
    id: String,
    /// The file; its name ends in .md, .json or .html
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// Add a conversation from a file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads what oai history export wrote as JSON, and what /save wrote in oai chat --plain.\n\nExamples:\n  oai history import talk.json"
)]
pub struct Import {
    /// The JSON file
    file: PathBuf,
}

pub fn show(args: &Show, store: &Store) -> Result<()> {
    let session = load(&args.id, store)?;
    let text = match (args.json, args.html) {
        (true, _) => session::json(&session),
        (_, true) => session::html(&session),
        _ => output::neutralize(&session::markdown(&session)),
    };
    output::line(text.trim_end())
}

pub fn export(args: &Export, store: &Store) -> Result<()> {
    let extension = args.file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let layout: fn(&Session) -> String = match extension.as_deref() {
        Some("md" | "markdown") => session::markdown,
        Some("json") => session::json,
        Some("html" | "htm") => session::html,
        _ => return Err(Usage(format!("{} must end in .md, .json or .html", args.file.display())).into()),
    };
    let text = layout(&load(&args.id, store)?);
    let name = args.file.display();
    match session::write_file(&args.file, &text, args.force) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Usage(format!("{name} is there already; --force replaces it")).into());
        }
        written => written.with_context(|| format!("cannot write {name}"))?,
    }
    output::note(&format!("wrote {name}"));
    Ok(())
}

pub fn import(args: &Import, store: &mut Store) -> Result<()> {
    let name = args.file.display();
    let now_ms = now_ms();
    let mut session = session::from_file(&args.file, now_ms)?;
    // It keeps its place among the others, but is not newer than now.
    let changes = session.take_changes(session.updated_ms.min(now_ms));
    let changes = changes.ok_or_else(|| Input(format!("nothing is said in {name}")))?;
    let id = store.save(&changes)?;
    output::note(&format!("imported {} as {id}", session.title()));
    Ok(())
}

fn load(id: &str, store: &Store) -> Result<Session> {
    super::load(store, find(store, id)?)
}
