//! `oai chat`: a conversation, on the whole screen or line by line.

mod command;
mod editor;
mod files;
mod host;
mod input;
mod models;
mod plain;
mod screen;
mod sessions;

use std::path::PathBuf;

use anyhow::Result;

use super::history::{find, load, now_ms};
use super::{output, preset, sampling, speculation, text, thinking};
use crate::config::Settings;
use crate::session::{self, Session, Store};
use crate::tui::terminal;

/// Talk with a model
#[derive(Debug, clap::Args)]
#[command(
    after_help = "F1 shows every key and command. Conversations are kept: -c goes on with the last one, F3 and `oai history` find\nthe others.\n\nLine by line (--plain, and in a pipe):\n  /help            all commands\n  text \\           a line that ends in \\ goes on\n  \"\"\"              begins and ends a text of several lines\n  Ctrl-C           stops an answer; Ctrl-D leaves\n\nExamples:\n  oai chat qwen3:0.6b\n  oai chat -c\n  oai chat @reviewer -f src/main.rs\n  git diff | oai chat qwen3:8b\n  oai chat -s \"Answer in French\" mistral-7b\n  oai chat --plain --load talk.json"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide; or a preset: @NAME
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// The system message
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// Go on with the last conversation
    #[arg(short, long = "continue", conflicts_with_all = ["resume", "load"])]
    continued: bool,
    /// Go on with this conversation: its number or name, as `oai history` lists them
    #[arg(long, value_name = "ID", conflicts_with = "load")]
    resume: Option<String>,
    /// Begin with a conversation that /save or /export wrote
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Send a text file with the first question (repeatable)
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Line by line, for simple terminals
    #[arg(long)]
    plain: bool,
    /// Print speeds and times after each answer (line by line)
    #[arg(long)]
    stats: bool,
    /// The colours: a theme of `themes/` or of your own
    #[arg(long, value_name = "NAME")]
    theme: Option<String>,
    #[command(flatten)]
    pub sampling: sampling::SamplingArgs,
    #[command(flatten)]
    pub thinking: thinking::ThinkingArgs,
    #[command(flatten)]
    pub speculation: speculation::SpeculationArgs,
}

/// Where a conversation begins.
struct Start {
    session: Session,
    /// As it was named; without it the one that the conversation had, or the usual one.
    model: Option<String>,
    /// What goes with the first question: name and text.
    attachments: Vec<(String, String)>,
}

pub fn run(args: &Args, mut settings: Settings) -> Result<()> {
    let chosen = match args.model.as_deref().and_then(preset::named) {
        Some(name) => Some(preset::choose(name, &mut settings)?),
        None => None,
    };
    settings.lay(&[("theme", "--theme", &args.theme)])?;
    let (preset_model, preset_system, preset_files) = match chosen {
        Some(chosen) => (chosen.model, chosen.system, chosen.files),
        None => (None, None, Vec::new()),
    };
    let now_ms = now_ms();
    let mut session = begin(args, &settings, now_ms)?;
    let model = match &args.model {
        Some(name) if preset::named(name).is_none() => Some(name.clone()),
        _ => preset_model.or_else(|| Some(session.model.clone()).filter(|name| !name.is_empty())),
    };
    if let Some(text) = args.system.as_ref().or(preset_system.as_ref()) {
        session.set_system(Some(text.as_str()).filter(|text| !text.is_empty()));
    }
    let mut attachments = Vec::new();
    for path in preset_files.iter().chain(&args.file) {
        attachments.push((path.display().to_string(), text::of_file(path)?));
    }
    let can_draw = output::abilities(&settings).refusal.is_none();
    let on_screen = !args.plain && output::stdout_is_terminal() && can_draw;
    if on_screen && !output::stdin_is_terminal() {
        let piped = text::of_stdin()?;
        let piped = text::without_last_break(&piped);
        if !piped.is_empty() {
            attachments.push(("standard input".to_owned(), piped.to_owned()));
        }
        #[cfg(unix)]
        terminal::read_keys_from_output()?;
    }
    let start = Start { session, model, attachments };
    if on_screen { screen::run(args, settings, start) } else { plain::run(args, settings, start) }
}

/// The conversation that is asked for, or a new one.
fn begin(args: &Args, settings: &Settings, now_ms: i64) -> Result<Session> {
    if let Some(path) = &args.load {
        return Ok(session::from_file(path, now_ms)?);
    }
    if !args.continued && args.resume.is_none() {
        return Ok(Session::new("", now_ms));
    }
    let store = Store::open(&store_path(settings))?;
    let id = match &args.resume {
        Some(name) => find(&store, name)?,
        None => match store.last()? {
            Some(id) => id,
            None => return Ok(Session::new("", now_ms)),
        },
    };
    load(&store, id)
}

fn store_path(settings: &Settings) -> PathBuf {
    settings.paths.data_dir.join(session::FILE)
}
