//! Exit codes, and the one line that says why.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use crate::tui::{terminal, theme};
use crate::{bench, config, engine, hub, model, quant, session, tune, weights};

/// Stopped by Ctrl-C: not an error to print, only a code to return.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// The command line asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Standard input or a file cannot be used as text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Input(pub String);

/// A file is not what it was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Changed(pub String);

/// The model cannot be used.
pub const UNUSABLE: u8 = 4;

/// Code, and what it means, for the man page.
pub const CODES: &[(u8, &str)] = &[
    (0, "success; also when the reader of a pipe went away"),
    (1, "any other failure; of bench --against also a test that became slower"),
    (2, "usage: an unknown flag, a bad value, a missing argument"),
    (3, "the model's name is unknown, or the model is not on this machine"),
    (UNUSABLE, "the model cannot be used: damaged or truncated file, no tokenizer, unknown architecture"),
    (5, "the prompt or the text is longer than the context"),
    (6, "the hub, a server or the network failed: no connection, no permission, not found, wrong hash"),
    (7, "input or output failed: not UTF-8, unreadable file, read-only cache, full disk"),
    (8, "configuration or environment: bad file, bad OAI_ variable, no home folder"),
    (130, "interrupted by Ctrl-C"),
    (129, "the terminal of a chat went away; the conversation is kept"),
    (143, "a chat was ended by SIGTERM; the conversation is kept"),
];

/// Which code an error ends with.
fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return 130;
        }
        if cause.is::<Usage>() {
            return 2;
        }
        if cause.is::<Changed>() {
            return UNUSABLE;
        }
        if cause.is::<Input>() || cause.is::<std::io::Error>() || cause.is::<session::Error>() {
            return 7;
        }
        if cause.is::<config::Error>() || cause.is::<theme::Error>() {
            return 8;
        }
        if let Some(error) = cause.downcast_ref::<hub::Error>() {
            return match error {
                e if e.is_not_found() => 3,
                e if e.is_disk() => 7,
                e if e.is_usage() => 2,
                e if e.is_unusable() => UNUSABLE,
                _ => 6,
            };
        }
        if let Some(error) = cause.downcast_ref::<bench::endpoint::Error>() {
            return if error.is_usage() { 2 } else { 6 };
        }
        if let Some(error) = cause.downcast_ref::<bench::saved::Error>() {
            return if error.is_usage() { 2 } else { 7 };
        }
        if let Some(error) = cause.downcast_ref::<engine::Error>() {
            return match error {
                engine::Error::PromptTooLong { .. }
                | engine::Error::TextTooLong { .. }
                | engine::Error::TextTooLongToEmbed { .. } => 5,
                engine::Error::ContextTooLong { .. }
                | engine::Error::MeasuresTooMuch { .. }
                | engine::Error::EmptyPrompt
                | engine::Error::NothingToEmbed
                | engine::Error::NoPlace { .. }
                | engine::Error::TextTooShort { .. }
                | engine::Error::NothingToScore { .. } => 2,
                engine::Error::Dimensions { .. } | engine::Error::UnknownPrompt { .. } => 2,
                engine::Error::Embedder { .. }
                | engine::Error::NoNumbers { .. }
                | engine::Error::OtherVocabulary { .. }
                | engine::Error::NothingToDraft { .. }
                | engine::Error::OtherVocabularies { .. }
                | engine::Error::NotGguf { .. }
                | engine::Error::NothingLeft { .. } => UNUSABLE,
                engine::Error::Model(error) => of_model(error),
                engine::Error::Stopped => 1,
            };
        }
        if let Some(error) = cause.downcast_ref::<model::Error>() {
            return of_model(error);
        }
        if let Some(error) = cause.downcast_ref::<quant::Error>() {
            return match error {
                quant::Error::NoMatch { .. } | quant::Error::NeedsImportance { .. } | quant::Error::Exists { .. } => 2,
                quant::Error::Write { .. } => 7,
                quant::Error::NoNumbers { .. } | quant::Error::TooLarge { .. } => UNUSABLE,
                quant::Error::Model(error) => of_model(error),
                quant::Error::Weights(error) => of_weights(error),
                quant::Error::Imatrix(error) => of_imatrix(error),
            };
        }
        if let Some(error) = cause.downcast_ref::<quant::ImatrixError>() {
            return of_imatrix(error);
        }
        if let Some(error) = cause.downcast_ref::<tune::Error>() {
            return match error {
                tune::Error::Recipe(_) => 2,
                tune::Error::Read { .. } | tune::Error::Corpus { .. } => 7,
                tune::Error::Weights(e) => of_weights(e),
                tune::Error::Vocabulary(_) | tune::Error::Compute(_) => 1,
            };
        }
    }
    1
}

fn of_model(error: &model::Error) -> u8 {
    match error {
        model::Error::Weights(error) => of_weights(error),
        _ => UNUSABLE,
    }
}

fn of_imatrix(error: &quant::ImatrixError) -> u8 {
    match error {
        quant::ImatrixError::Weights(error) => of_weights(error),
        _ => UNUSABLE,
    }
}

fn of_weights(error: &weights::Error) -> u8 {
    match error {
        weights::Error::Open { source, .. } if source.kind() == ErrorKind::NotFound => 3,
        weights::Error::Open { .. } | weights::Error::Write { .. } => 7,
        _ => UNUSABLE,
    }
}

/// Prints an error in one line and returns its code.
pub fn of_error(error: &anyhow::Error) -> ExitCode {
    let closed = |c: &(dyn std::error::Error + 'static)| {
        c.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    };
    // The reader has what it wanted.
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    let code = code(error);
    if code != 130 {
        let line = format!("{error:#}").replace('\n', " ");
        eprintln!("oai: {}", super::output::neutralize(&line));
    }
    ExitCode::from(code)
}

/// Prints what clap has to say: help and version go to standard output and are no error.
pub fn of_usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell if this fails.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Where reports of faults go while the screen is ours, and who is told of one that does not end the program.
static REPORTS: OnceLock<(PathBuf, Tell)> = OnceLock::new();

type Tell = Box<dyn Fn(String) + Send + Sync>;

/// From now on the report of a fault is a file in `folder`: what a full screen shows is gone when it is restored.
/// `tell` gets a line on those of threads besides the main one.
pub fn report_panics_to(folder: &Path, tell: impl Fn(String) + Send + Sync + 'static) {
    // The first folder is the right one.
    let _ = REPORTS.set((folder.to_owned(), Box::new(tell)));
}

/// Writes what is known of a fault; returns where to.
fn write_report(folder: &Path, what: &str) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("panic-{}.txt", std::process::id()));
    let trace = std::backtrace::Backtrace::force_capture();
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    std::fs::write(&path, format!("oai {version} on {system}\n{what}\n\n{trace}\n"))?;
    Ok(path)
}

/// A fault of the program's own is one line too; `RUST_BACKTRACE=1` shows the rest.
pub fn report_panics() {
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        if thread.name() == Some(model::template::THREAD) {
            return;
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let what = info.payload_as_str().unwrap_or("unknown").replace('\n', " ");
        if let Some((folder, tell)) = REPORTS.get() {
            let is_main = thread.name() == Some("main");
            if is_main {
                terminal::restore_now();
            }
            let report = write_report(folder, &format!("thread {:?} at {place}: {what}", thread.name()));
            let report = report.map_or_else(|e| format!("no report: {e}"), |path| path.display().to_string());
            let line = format!("internal error at {place}: {what}; please report it, with {report}");
            // A thread besides does not end the conversation, and must not write over it.
            if !is_main {
                return tell(line);
            }
            eprintln!("oai: {line}");
            std::process::exit(1);
        }
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0") {
            standard(info);
            return;
        }
        eprintln!("oai: internal error at {place}: {what}; please report it (RUST_BACKTRACE=1 shows more)");
        if thread.name() == Some("main") {
            std::process::exit(1);
        }
    }));
}
