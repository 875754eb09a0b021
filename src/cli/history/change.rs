//! `oai history rename`, `tag`, `untag`, `rm`.

use anyhow::Result;

use super::{find, output, title};
use crate::cli::exit::Usage;
use crate::cli::rm::ask;
use crate::session::{Store, check_name};

/// Name a conversation
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai history rename last \"why the sky is blue\"\n  oai history rename 12 \"\"")]
pub struct Rename {
    /// The conversation: its number, its name, or last
    id: String,
    /// The name; an empty one takes the name away
    name: String,
}

/// Add tags to a conversation
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai history tag last work rust\n  oai history --tag work")]
pub struct Tag {
    /// The conversation: its number, its name, or last
    id: String,
    /// The tags to add
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<String>,
}

/// Take tags off a conversation
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  oai history untag last work")]
pub struct Untag {
    /// The conversation: its number, its name, or last
    id: String,
    /// The tags to take off
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<String>,
}

/// Delete conversations
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is deleted is overwritten in the database, not only hidden.\n\nExamples:\n  oai history rm 12\n  oai history rm -y 12 13"
)]
pub struct Rm {
    /// The conversations: their numbers, their names, or last
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub fn rename(args: &Rename, store: &mut Store) -> Result<()> {
    let id = find(store, &args.id)?;
    let name = args.name.trim();
    check_name(name).map_err(|error| Usage(error.to_string()))?;
    store.rename(id, Some(name))?;
    output::note(&format!("{id} is now {}", title(&store.summary(id)?)));
    Ok(())
}

pub fn tag(args: &Tag, store: &mut Store) -> Result<()> {
    let id = find(store, &args.id)?;
    let mut tags = store.summary(id)?.tags;
    tags.extend(args.tags.iter().cloned());
    set_tags(id, &tags, store)
}

pub fn untag(args: &Untag, store: &mut Store) -> Result<()> {
    let id = find(store, &args.id)?;
    let mut tags = store.summary(id)?.tags;
    if let Some(missing) = args.tags.iter().find(|tag| !tags.contains(tag)) {
        return Err(Usage(format!("conversation {id} has no tag {missing}")).into());
    }
    tags.retain(|tag| !args.tags.contains(tag));
    set_tags(id, &tags, store)
}

fn set_tags(id: i64, tags: &[String], store: &mut Store) -> Result<()> {
    store.tag(id, tags)?;
    let summary = store.summary(id)?;
    let tags = if summary.tags.is_empty() { "none".to_owned() } else { summary.tags.join(", ") };
    output::note(&format!("tags of {id} ({}): {tags}", title(&summary)));
    Ok(())
}

pub fn rm(args: &Rm, store: &mut Store) -> Result<()> {
    // All are understood before anything is deleted.
    let mut ids: Vec<i64> = args.ids.iter().map(|text| find(store, text)).collect::<Result<_>>()?;
    ids.sort_unstable();
    ids.dedup();
    let mut titles = Vec::new();
    for id in &ids {
        titles.push(format!("{id} ({})", title(&store.summary(*id)?)));
    }
    let titles = titles.join(", ");
    if !args.yes {
        if !output::stdin_is_terminal() {
            return Err(Usage(format!("deleting {titles} needs a yes: add -y")).into());
        }
        if !ask(&format!("delete {titles}?"))? {
            output::note(&format!("kept {titles}"));
            return Ok(());
        }
    }
    store.delete_all(&ids)?;
    output::note(&format!("deleted {titles}"));
    Ok(())
}
