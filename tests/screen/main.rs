//! The chat on the whole screen: the real binary on a real terminal. What it shows is in `tests/screens/`; to renew it:
//! `UPDATE=1 cargo test --test screen`.
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;

mod colours;
mod ends;
mod files;
mod sizes;
mod talk;
mod texts;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::terminal::{Setup, Terminal};
use common::{Home, parrot};

const UP: &str = "\x1b[A";
const CTRL_UP: &str = "\x1b[1;5A";
const CTRL_HOME: &str = "\x1b[1;5H";
const F1: &str = "\x1bOP";
const F2: &str = "\x1bOQ";
const F3: &str = "\x1bOR";
const F4: &str = "\x1bOS";
const F5: &str = "\x1b[15~";
const ESC: &str = "\x1b";

/// Without the monitor, whose figures are of this machine and this moment.
const QUIET: &[(&str, &str)] = &[("OAI_MONITOR", "false")];

/// How long a picture may take to become the one on file.
const PATIENCE: Duration = Duration::from_secs(20);

/// A chat with the guide that waits for a question.
fn guide(home: &Home) -> Terminal {
    let mut terminal =
        Terminal::start_with(home, &["chat", "guide"], &Setup { environment: QUIET, ..Setup::default() });
    terminal.wait_for("nothing you type leaves this machine");
    terminal
}

/// Asks, and waits for the answer's end, which shows `words`.
#[track_caller]
fn ask(terminal: &mut Terminal, question: &str, words: &str) {
    terminal.send(&format!("{question}\r"));
    terminal.wait_until(words, |screen| screen.contents().contains(words) && is_ready(screen));
}

fn is_ready(screen: &vt100::Screen) -> bool {
    last_row(screen).starts_with("ready")
}

fn last_row(screen: &vt100::Screen) -> String {
    screen.rows(0, screen.size().1.get()).last().unwrap_or_default()
}

/// The screen is the one in `tests/screens/NAME.txt`.
#[track_caller]
fn check(terminal: &mut Terminal, name: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        terminal.settle();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, picture(terminal)).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    let end = Instant::now() + PATIENCE;
    while picture(terminal) != wanted {
        if !terminal.take_in(Duration::from_millis(50)) {
            assert!(
                Instant::now() < end,
                "{} is stale; renew it: UPDATE=1 cargo test --test screen. Now it is:\n{}",
                path.display(),
                picture(terminal)
            );
        }
    }
}

/// The rows of the screen, with speeds that are always the same.
fn picture(terminal: &Terminal) -> String {
    let screen = terminal.screen.screen();
    let rows = screen.rows(0, screen.size().1.get());
    rows.map(|row| match row.split_once(" tokens · ") {
        Some((count, rest)) if rest.contains(" tokens/s") => format!("{count} tokens · 50.0 tokens/s\n"),
        _ => format!("{}\n", row.trim_end()),
    })
    .collect()
}

/// A file with a conversation, a question and an answer in turn, that `--load` begins with.
fn write_talk(home: &Home, messages: &[&str]) -> String {
    let roles = ["user", "assistant"].iter().cycle();
    let message = |(text, role): (&&str, &&str)| serde_json::json!({"role": *role, "content": *text});
    let messages: Vec<serde_json::Value> = messages.iter().zip(roles).map(message).collect();
    let path = home.path().join("talk.json");
    std::fs::write(&path, serde_json::json!({"model": "guide", "messages": messages}).to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A chat that begins with these messages.
fn loaded(home: &Home, messages: &[&str], setup: &Setup<'_>) -> Terminal {
    let talk = write_talk(home, messages);
    let mut terminal = Terminal::start_with(home, &["chat", "guide", "--load", &talk], setup);
    terminal.wait_until("a ready chat", is_ready);
    terminal
}

/// A model that says `script`, piece by piece.
fn write_parrot(home: &Home, script: &[&str]) -> String {
    let path = home.path().join("parrot.gguf");
    let template = "{% for m in messages %}{{ m.content }}{% endfor %}<|assistant|>";
    parrot::write(&path, template, "<|assistant|>", script);
    path.to_str().unwrap().to_owned()
}

/// What `oai history show last` prints.
fn last_conversation(home: &Home) -> String {
    let (code, text, error) = home.run(&["history", "show", "last"]);
    assert_eq!(code, 0, "{error}");
    text
}
