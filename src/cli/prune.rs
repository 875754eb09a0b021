//! `oai prune`: room.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::exit::Usage;
use super::{output, rm};
use crate::config::Settings;
use crate::hub::Store;
use crate::hub::store::Criteria;

/// Delete what is not needed any more
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without a rule: unfinished downloads older than a day, snapshots that nothing refers to and that newer\nones replace, blobs that no snapshot points at. With rules: pulled models that fall under all of them.\nOnly model repositories of the cache are touched; data sets, spaces, imported models and those of\nother programs never.\n\nExamples:\n  oai prune --dry-run\n  oai prune --older-than 30d\n  oai prune --older-than 2w --keep-last 3 -y"
)]
pub struct Args {
    /// Models that were not used for so long: 30d, 12h, 2w
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// All models but the N that were used last
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    /// Say what would go, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "give a number and a unit: 30d, 12h, 2w".to_owned())
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let store = Store::new(&settings.paths);
    let criteria = Criteria { older_than: args.older_than, keep_last: args.keep_last };
    let (pruned, removal) = store.prune(criteria)?;
    let frees = removal.frees_bytes()?;
    if !args.json && !pruned.is_empty() {
        let rows = pruned.iter().map(|item| vec![output::neutralize(&item.name), output::neutralize(&item.why)]);
        output::line(output::table(&rows.collect::<Vec<_>>()).trim_end())?;
    }
    let go_on = !args.dry_run && !pruned.is_empty();
    if go_on && !args.yes {
        if args.json || !output::stdin_is_terminal() {
            return Err(Usage("pruning needs a yes: add -y, or --dry-run to see what would go".to_owned()).into());
        }
        if !rm::ask(&format!("delete all this ({} freed)?", output::bytes(frees)))? {
            output::note("kept all");
            return Ok(());
        }
    }
    let freed = if go_on { removal.carry_out()? } else { frees };
    if args.json {
        let items: Vec<_> = pruned.iter().map(|item| json!({ "name": item.name, "why": item.why })).collect();
        return output::line(&output::json(
            &json!({ "removed": items, "freed_bytes": freed, "dry_run": args.dry_run }),
        )?);
    }
    output::note(&match (pruned.is_empty(), go_on) {
        (true, _) => "nothing to prune".to_owned(),
        (false, true) => format!("pruned ({} freed)", output::bytes(freed)),
        (false, false) => format!("{} would be freed", output::bytes(freed)),
    });
    Ok(())
}
