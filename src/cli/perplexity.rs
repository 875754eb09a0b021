//! `oai perplexity`: how well a model foresees a text.

use std::path::PathBuf;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::compute::ComputeArgs;
use super::exit::Usage;
use super::{interrupt, model, output, text};
use crate::config::Settings;
use crate::engine::{self, Span};

/// Measure how well a model foresees a text
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --whole the text is cut into chunks of --context tokens, each of which begins anew, and the second half of each is scored, as llama-perplexity does: its numbers can be compared. Control tokens in the text are read as text.\n\nExamples:\n  oai perplexity qwen3:0.6b -f wiki.test.raw\n  oai perplexity ./model-Q4_K_M.gguf -f wiki.test.raw --context 2048 --json\n  git log | oai perplexity qwen3:0.6b --context 128\n  oai perplexity guide --whole < question.txt"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide
    model: String,
    /// The text, exactly as it is; without it, standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Tokens in a chunk [default: 512, or what the model was trained for if that is less]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..))]
    context: Option<u32>,
    /// Score all of the text but its first token, over one window
    #[arg(long, conflicts_with = "context")]
    whole: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::install()?;
    let text = text(args)?;
    let model = model::find(&args.model, settings)?;
    let span = if args.whole { Span::Whole } else { Span::Chunks(args.context.map(|n| n as usize)) };
    let bar = if output::stderr_is_terminal() {
        let style = ProgressStyle::with_template("perplexity {msg} {wide_bar} {pos}/{len} tokens {eta}")?;
        ProgressBar::new(0).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let measured = engine::perplexity(&model.source, &text, span, model::kv_type(settings), |progress| {
        bar.set_length(progress.total_tokens as u64);
        bar.set_position(progress.done_tokens as u64);
        if progress.so_far.scored > 0 {
            bar.set_message(format!("{:.4}", progress.so_far.perplexity()));
        }
    });
    bar.finish_and_clear();
    let measured = measured?;
    model::record_use(&model, settings);
    let file = args.file.as_ref().map(|path| path.display().to_string());
    if args.json {
        return output::line(&output::json(&json!({
            "model": model.name,
            "file": file,
            "context": measured.context,
            "chunks": measured.chunks,
            "tokens": measured.tokens,
            "scored": measured.scored,
            "nll": measured.nll,
            "perplexity": measured.perplexity(),
            "error": measured.error(),
            "tokens_per_s": (measured.tokens_per_s * 100.0).round() / 100.0,
        }))?);
    }
    let chunks = match measured.chunks {
        1 => format!("one window of {}", measured.context),
        n => format!("{n} chunks of {}", measured.context),
    };
    let error = measured.error().map_or(String::new(), |error| format!(" ± {error:.5}"));
    let rows = [
        ("model", model.name),
        ("text", file.unwrap_or_else(|| "standard input".to_owned())),
        ("tokens", format!("{}, {} of them scored, in {chunks}", measured.tokens, measured.scored)),
        ("nll", format!("{:.4}", measured.nll)),
        ("perplexity", format!("{:.4}{error}", measured.perplexity())),
        ("speed", format!("{:.1} tokens/s", measured.tokens_per_s)),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(key, value)| vec![key.to_owned(), output::neutralize(&value)]).collect();
    output::line(output::table(&rows).trim_end())
}

fn text(args: &Args) -> Result<String> {
    match &args.file {
        Some(path) => Ok(text::of_file(path)?),
        None if output::stdin_is_terminal() => {
            Err(Usage("no text: give a file (-f FILE) or pipe text in".to_owned()).into())
        }
        None => Ok(text::of_stdin()?),
    }
}
