//! `oai tune`: a model of one's own.

use std::path::PathBuf;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::tune::{self, Corpus, Recipe};

/// Train a small model from a corpus of questions and answers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The defaults, with --seed 3, are the recipe of the built-in guide.\n\nExamples:\n  oai tune --from-scratch src/guide/corpus -o guide.gguf\n  oai tune --from-scratch faq.toml -o faq.gguf --steps 500 --name faq"
)]
pub struct Args {
    /// Start from random weights, with a corpus: a .toml file or a folder of them
    #[arg(long, value_name = "CORPUS", required = true)]
    from_scratch: PathBuf,
    /// The GGUF file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The name that the file carries
    #[arg(long, default_value = "guide")]
    name: String,
    /// Random seed: the same seed and corpus give the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Training steps
    #[arg(long, value_name = "N", default_value_t = 2000)]
    steps: usize,
    /// Questions in a step
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// Peak learning rate
    #[arg(long, value_name = "X", default_value_t = 2.5e-3)]
    learning_rate: f64,
    /// Tokens in the vocabulary
    #[arg(long, value_name = "N", default_value_t = 1536)]
    vocab: usize,
    /// Size of the hidden state
    #[arg(long, value_name = "N", default_value_t = 192)]
    dim: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: usize,
    /// Attention heads
    #[arg(long, value_name = "N", default_value_t = 6)]
    heads: usize,
    /// Size of the feed-forward layer
    #[arg(long, value_name = "N", default_value_t = 512)]
    ffn: usize,
}

/// Tokens of context that the file declares.
const CONTEXT: usize = 512;

pub fn run(args: &Args) -> Result<()> {
    let corpus = Corpus::read(&args.from_scratch)?;
    let recipe = Recipe {
        name: args.name.clone(),
        seed: args.seed,
        steps: args.steps,
        batch: args.batch,
        learning_rate: args.learning_rate,
        vocab_size: args.vocab,
        hidden_size: args.dim,
        layers: args.layers,
        heads: args.heads,
        feed_forward_size: args.ffn,
        context: CONTEXT,
    };
    let bar = if output::stderr_is_terminal() {
        let style = ProgressStyle::with_template("step {pos}/{len} {wide_bar} {msg} {eta}")?;
        ProgressBar::new(args.steps as u64).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let file = tune::train(&corpus, &recipe, |progress| {
        bar.set_position(progress.step as u64);
        bar.set_message(format!("loss {:.4}", progress.loss));
    })?;
    bar.finish_and_clear();
    file.write(&args.output)?;
    let size = std::fs::metadata(&args.output)?.len();
    output::note(&format!("wrote {} ({}, {} topics)", args.output.display(), output::bytes(size), corpus.topics.len()));
    Ok(())
}
