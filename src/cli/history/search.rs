//! `oai history search`: what was said where.

use anyhow::Result;

use super::{one_line, output, title};
use crate::engine::Role;
use crate::session::Store;

/// Search all conversations for words
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A message is found when it holds all words, of the last one at least the beginning; case and accents do\nnot matter. Of Chinese, Japanese, Thai and Korean any part of a text is found.\n\nExamples:\n  oai history search sky blue\n  oai history search 机器学习\n  oai history search --json rust | jq -r '.[].session.id'"
)]
pub struct Args {
    /// What to look for
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// At most N messages, the best
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: usize,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, store: &Store) -> Result<()> {
    let hits = store.search(&args.words.join(" "), args.n)?;
    if args.json {
        return output::line(&output::json(&hits)?);
    }
    if hits.is_empty() {
        output::note("nothing was found");
        return Ok(());
    }
    let mut rows = vec![["ID", "TITLE", "WHO", "TEXT"].map(str::to_owned).to_vec()];
    rows.extend(hits.iter().map(|hit| {
        let who = match hit.role {
            Role::System => "system",
            Role::User => "you",
            Role::Assistant => "model",
            Role::Tool => "tool",
        };
        vec![hit.session.id.to_string(), title(&hit.session), who.to_owned(), one_line(&hit.snippet)]
    }));
    output::line(output::table(&rows).trim_end())
}
