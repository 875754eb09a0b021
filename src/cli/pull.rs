//! `oai pull`: a model from the hub.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::{model, output};
use crate::config::Settings;
use crate::hub::{self, ModelRef, PullOptions};

/// Download a model from the Hugging Face hub
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An interrupted pull goes on where it stopped when the same command is run again. Files lie in the\ncache that other Hugging Face tools share.\n\nExamples:\n  oai pull qwen3:0.6b\n  oai pull qwen3:8b-q8_0\n  oai pull bartowski/Llama-3.2-1B-Instruct-GGUF:Q6_K\n  oai pull https://huggingface.co/ORG/REPO/resolve/main/model-Q4_K_M.gguf\n  HF_TOKEN=hf_... oai pull ORG/GATED-REPO"
)]
pub struct Args {
    /// An alias (mistral-7b), org/repo, org/repo:TAG, or the URL of a file on the hub
    name: String,
    /// A branch, tag or commit of the repository
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// Fetch again what is already here
    #[arg(long)]
    force: bool,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let name = ModelRef::parse(&args.name, &model::names(settings)?)?;
    let options = PullOptions { revision: args.revision.clone(), force: args.force };
    let bar = if output::stderr_is_terminal() { bar()? } else { ProgressBar::hidden() };
    let model = hub::pull(&model::hub_settings(settings), &name, &options, &mut |progress| {
        if bar.length() != Some(progress.total_bytes) {
            bar.set_length(progress.total_bytes);
            // What an earlier try fetched says nothing of this one's speed.
            bar.set_position(progress.done_bytes);
            bar.reset_eta();
        }
        if bar.message() != progress.file {
            bar.set_message(output::neutralize(progress.file));
        }
        bar.set_position(progress.done_bytes);
    });
    bar.finish_and_clear();
    let model = model?;
    output::note(&format!("pulled {} ({})", model.name, output::bytes(model.size_bytes)));
    Ok(())
}

fn bar() -> Result<ProgressBar> {
    let style = "{msg:!30} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?))
}
