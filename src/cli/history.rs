//! `oai history`: conversations that were saved.

mod change;
mod files;
mod search;

use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::exit::Usage;
use super::{list, output};
use crate::config::Settings;
use crate::session::{self, Error, Filter, Session, Store, Summary};

/// List, search, export and delete saved conversations
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "ID is the number in the list, a name or its beginning, or last.\n\nExamples:\n  oai history\n  oai history search sky blue\n  oai history show last\n  oai history export 12 talk.html\n  oai history rename 12 \"why the sky is blue\"\n  oai history rm 12\n  oai history --json | jq -r '.[].title'"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only conversations with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// At most N, the newest
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Search(search::Args),
    Show(files::Show),
    Export(files::Export),
    Import(files::Import),
    Rename(change::Rename),
    Tag(change::Tag),
    Untag(change::Untag),
    Rm(change::Rm),
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let mut store = Store::open(&settings.paths.data_dir.join(session::FILE))?;
    match &args.command {
        None => list(&args.list, &store),
        Some(Command::Search(args)) => search::run(args, &store),
        Some(Command::Show(args)) => files::show(args, &store),
        Some(Command::Export(args)) => files::export(args, &store),
        Some(Command::Import(args)) => files::import(args, &mut store),
        Some(Command::Rename(args)) => change::rename(args, &mut store),
        Some(Command::Tag(args)) => change::tag(args, &mut store),
        Some(Command::Untag(args)) => change::untag(args, &mut store),
        Some(Command::Rm(args)) => change::rm(args, &mut store),
    }
}

fn list(args: &List, store: &Store) -> Result<()> {
    let all = store.list(&Filter { tag: args.tag.clone(), limit: args.n })?;
    if args.json {
        return output::line(&output::json(&all)?);
    }
    if all.is_empty() {
        output::note(match args.tag {
            Some(_) => "no conversation has this tag",
            None => "no conversations yet: oai chat begins one",
        });
        return Ok(());
    }
    let tagged = all.iter().any(|summary| !summary.tags.is_empty());
    let mut heads = vec!["ID", "TITLE", "MODEL", "TURNS", "WHEN"];
    heads.extend(tagged.then_some("TAGS"));
    let mut rows: Vec<Vec<String>> = vec![heads.into_iter().map(str::to_owned).collect()];
    rows.extend(all.iter().map(cells));
    output::line(output::table(&rows).trim_end())
}

fn cells(summary: &Summary) -> Vec<String> {
    let turns = summary.turns.to_string();
    let cells = [summary.id.to_string(), title(summary), summary.model.clone(), turns, when(summary.updated_ms)];
    cells.into_iter().chain([summary.tags.join(", ")]).map(|cell| one_line(&cell)).collect()
}

fn title(summary: &Summary) -> String {
    one_line(&summary.title)
}

/// For a cell of a table.
fn one_line(text: &str) -> String {
    output::neutralize(text).replace(['\n', '\t'], " ")
}

/// `3 days ago`.
fn when(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since).map_or("-".to_owned(), list::age)
}

/// Unix milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The conversation that `text` means; one that there is not is a mistake of the command line's.
pub fn find(store: &Store, text: &str) -> Result<i64> {
    store.find(text).map_err(|error| match error {
        Error::Unknown { .. } | Error::Ambiguous { .. } => Usage(error.to_string()).into(),
        error => error.into(),
    })
}

/// A conversation; what is damaged of it is told.
pub fn load(store: &Store, id: i64) -> Result<Session> {
    let session = store.load(id)?;
    if let Some(damage) = &session.damage {
        output::note(damage);
    }
    Ok(session)
}
