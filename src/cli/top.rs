//! `oai top`: the machine, and every oai that runs on it.

mod state;
mod table;
mod view;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Serialize;

use self::state::{Effect, Event, State, update};
use super::{output, theme};
use crate::config::Settings;
use crate::monitor::{Running, Sample, Sampler, Watch};
use crate::tui::terminal::{self, Options, Terminal, TerminalEvent};
use crate::tui::theme::Theme;

/// Watch the machine and every oai that runs on it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keys: arrows select, k or Delete stops the selected process after a question, s sorts, q leaves. Where\noutput is no terminal, one table is printed. A CPU of 100 % is one core.\n\nExamples:\n  oai top\n  oai top --once\n  oai top --json | jq '.running[] | {pid, model, decode_tokens_per_s}'"
)]
pub struct Args {
    /// Print one table and end
    #[arg(long)]
    once: bool,
    /// Print one JSON object and end
    #[arg(long)]
    json: bool,
}

/// The JSON object.
#[derive(Serialize)]
struct Look<'a> {
    machine: &'a Sample,
    running: &'a [Running],
}

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between the two looks that the first load is told from.
const SHORT_INTERVAL: Duration = Duration::from_millis(250);

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let folder = &settings.paths.runtime_dir;
    let options = output::abilities(settings);
    if !args.json && !args.once && output::stdout_is_terminal() && options.refusal.is_none() {
        return match watch(folder, &theme::load(settings)?, Options { mouse: false, ..options })? {
            None => Ok(()),
            Some(signal) => std::process::exit(128 + signal),
        };
    }
    let (sample, running) = look_once(folder);
    if args.json {
        return output::line(&output::json(&Look { machine: &sample, running: &running })?);
    }
    output::line(output::table(&table::plain(&running)).trim_end())
}

fn look_once(folder: &Path) -> (Sample, Vec<Running>) {
    let (mut sampler, mut watch) = (Sampler::new(), Watch::new());
    watch.running(folder);
    std::thread::sleep(SHORT_INTERVAL);
    (sampler.sample(), watch.running(folder))
}

/// The full screen, until somebody leaves it; a signal that ended it is returned.
fn watch(folder: &Path, theme: &Theme, options: Options) -> Result<Option<i32>> {
    let (mut sampler, mut watch) = (Sampler::new(), Watch::new());
    let mut state = State::default();
    watch.running(folder);
    // The first picture knows the loads already.
    std::thread::sleep(SHORT_INTERVAL);
    let mut terminal = Terminal::enter(options)?;
    let (sender, receiver) = channel();
    let _events = terminal::events(sender)?;
    let mut next_look = Instant::now();
    loop {
        if Instant::now() >= next_look {
            let running = watch.running(folder);
            update(&mut state, Event::Looked { sample: sampler.sample(), running });
            next_look = Instant::now() + INTERVAL;
        }
        if let Err(error) = terminal.draw(|frame| view::view(&state, frame, theme)) {
            // A signal restores the terminal before it is told.
            return ending(&receiver).map(Some).ok_or(error.into());
        }
        let key = match receiver.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
            Ok(TerminalEvent::Key(key)) => key,
            Ok(TerminalEvent::Resize(columns, rows)) => {
                terminal.resized(columns, rows);
                continue;
            }
            Ok(TerminalEvent::Terminate(signal)) => return Ok(Some(signal)),
            Ok(TerminalEvent::Hangup) => return Ok(Some(SIGHUP)),
            Ok(TerminalEvent::End) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
            // Back from a suspension: the next picture is right.
            Ok(TerminalEvent::Continued | TerminalEvent::Paste(_) | TerminalEvent::Mouse(_)) => continue,
            Err(RecvTimeoutError::Timeout) => continue,
        };
        if is_suspension(&key) {
            terminal.suspend()?;
            continue;
        }
        match update(&mut state, Event::Key(key)) {
            Some(Effect::Leave) => return Ok(None),
            Some(Effect::Stop(running)) => {
                let result = running.stop();
                update(&mut state, Event::Stopped { pid: running.pid, result });
            }
            None => {}
        }
    }
}

const SIGHUP: i32 = 1;

/// The signal that is told now, if one is.
fn ending(receiver: &Receiver<TerminalEvent>) -> Option<i32> {
    loop {
        match receiver.recv_timeout(SHORT_INTERVAL).ok()? {
            TerminalEvent::Terminate(signal) => return Some(signal),
            TerminalEvent::Hangup => return Some(SIGHUP),
            _ => {}
        }
    }
}

/// Ctrl-Z, which a terminal in raw mode leaves to the program.
fn is_suspension(key: &KeyEvent) -> bool {
    key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL)
}
