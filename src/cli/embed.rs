//! `oai embed`: texts in, vectors out.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::exit::Usage;
use super::{interrupt, model, output, text};
use crate::config::Settings;
use crate::engine::{EmbedOptions, Embedder};

/// Turn texts into vectors
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One JSON object a text goes to standard output: its index, its vector (embedding) and its\nnumber of tokens. Pooling, length and prompts are those of the model's files.\n\nExamples:\n  oai pull all-minilm\n  oai embed -m all-minilm \"How do I resume a pull?\"\n  oai embed -m all-minilm --lines < questions.txt > vectors.jsonl\n  oai embed -m nomic-embed-text --prompt query -f note.txt\n  oai embed --dimensions 256 \"a text\" | jq -c .embedding"
)]
pub struct Args {
    /// The texts, each for itself; without any (and without -f) standard input is one
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// The model: an alias, org/repo[:TAG] or a path [default: embed_model, or the embedding model that came last]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// A file that is a text (repeatable)
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Every line of files and of standard input is a text; empty ones are left out
    #[arg(long)]
    lines: bool,
    /// What the text is for, by the model's own names (query, document, ...): puts that prompt before it
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// The first N components alone, for models that are trained for it
    #[arg(long, value_name = "N")]
    dimensions: Option<usize>,
    /// Bring vectors to length one whatever the model's files say
    #[arg(long, conflicts_with = "no_normalize")]
    normalize: bool,
    /// Leave the vectors as long as they come out
    #[arg(long)]
    no_normalize: bool,
    /// Read the beginning of a text that is too long
    #[arg(long)]
    truncate: bool,
    /// Processor threads [default: all that this process may use]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
}

impl Args {
    /// Lays the flags over the settings.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), Usage> {
        settings.lay(&[("threads", "--threads", &self.threads)]).map_err(|e| Usage(e.to_string()))
    }
}

/// A line of the output. Components are written in the digits that tell one f32 from another.
#[derive(Serialize)]
struct Row<'a> {
    index: usize,
    embedding: &'a [f32],
    tokens: usize,
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::install()?;
    let texts = texts(args)?;
    let model = model::find_embedder(args.model.as_deref(), settings)?;
    let mut embedder = Embedder::load(&model.source)?;
    model::record_use(&model, settings);
    if let Some(pooling) = embedder.assumed_pooling() {
        output::note(&format!("oai: {} does not say how its vectors are pooled; taken: {pooling}", model.name));
    }
    let options = EmbedOptions {
        prompt: args.prompt.clone(),
        dimensions: args.dimensions,
        normalize: match (args.normalize, args.no_normalize) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        truncate: args.truncate,
    };
    for (index, (origin, text)) in texts.iter().enumerate() {
        let embedding =
            embedder.embed(text, &options).map_err(|error| anyhow::Error::new(error).context(origin.clone()))?;
        let row = Row { index, embedding: &embedding.vector, tokens: embedding.tokens };
        output::line(&output::json(&row)?)?;
    }
    Ok(())
}

/// The texts with what errors call them: words of the command line, files, else standard input.
fn texts(args: &Args) -> Result<Vec<(String, String)>> {
    let mut texts: Vec<(String, String)> =
        args.texts.iter().enumerate().map(|(n, text)| (format!("text {}", n + 1), text.clone())).collect();
    let mut add = |name: String, text: String| {
        let text = text::without_last_break(&text);
        if !args.lines {
            texts.push((name, text.to_owned()));
            return;
        }
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        texts.extend(lines.map(|(n, line)| (format!("{name}, line {}", n + 1), line.to_owned())));
    };
    for path in &args.file {
        add(path.display().to_string(), text::of_file(path)?);
    }
    if args.texts.is_empty() && args.file.is_empty() && !output::stdin_is_terminal() {
        let text = text::of_stdin()?;
        if !text.is_empty() {
            add("standard input".to_owned(), text);
        }
    }
    if texts.is_empty() {
        let what = "nothing to embed: give texts (oai embed \"a text\"), a file (-f FILE) or pipe text in";
        return Err(Usage(what.to_owned()).into());
    }
    Ok(texts)
}
