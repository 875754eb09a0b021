//! The conversation, piped and on a real terminal.

mod common;

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Home, assert_error, finish};
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

#[test]
fn commands_work_in_a_pipe() {
    let home = Home::new();
    let saved = home.path().join("talk.json");
    let script = format!(
        "how do I pull a model\nhow do I list models\n/undo\n/save {0}\n/clear\n/load {0}\n/nonsense\n\"\"\"\nhow do I \\\ndelete a model\n\"\"\"\n/exit\nnever read\n",
        saved.display()
    );
    let (code, stdout, stderr) = finish(home.oai(&["chat", "guide"]).write_stdin(script));
    assert_eq!(code, 0, "{stderr}");
    let answers: Vec<&str> = stdout.lines().collect();
    assert_eq!(answers.len(), 3, "{stdout}");
    assert!(
        answers[0].contains("oai pull") && answers[1].contains("oai list") && answers[2].contains("oai rm"),
        "{stdout}"
    );

    assert!(
        stderr.contains("took back: how do I list models") && stderr.contains("/nonsense is not a command"),
        "{stderr}"
    );

    let talk: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!((&talk["model"], talk["messages"].as_array().unwrap().len()), (&"guide".into(), 2));
}

#[test]
fn a_follow_up_computes_only_what_is_new() {
    let home = Home::new();
    let model = home.path().join("model.gguf");
    common::write_model_with_memory(&model);
    let script = "how do I pull a model\nand how do I list models\nlist\n";
    let (code, _, stderr) =
        finish(home.oai(&["chat", "--stats", "-n", "12", model.to_str().unwrap()]).write_stdin(script));
    assert_eq!(code, 0, "{stderr}");
    let stats: Vec<(usize, usize)> = stderr.lines().filter(|l| l.starts_with("prefill")).map(counts).collect();
    assert_eq!((stats.len(), stats[0].1), (3, 0), "{stderr}");
    // Each turn finds at least the question before it in the cache, and computes less than the whole.
    assert!(stats[1].1 > stats[0].0 && stats[2].1 > stats[1].0 + stats[1].1, "{stats:?}");
    assert!(stats[2].0 < stats[0].0 + stats[1].1, "{stats:?}");
}

/// Computed and reused tokens of a line of `--stats`.
fn counts(line: &str) -> (usize, usize) {
    let numbers: Vec<usize> = line.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_saved_conversation_that_is_none_is_an_error() {
    let home = Home::new();
    let file = home.path().join("bad.json");
    std::fs::write(&file, "no").unwrap();
    assert_error(home.run(&["chat", "--load", file.to_str().unwrap()]), 7, &["bad.json"]);
}

const ROWS: NonZero<u16> = NonZero::new(30).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    fn start(home: &Home, args: &[&str]) -> Terminal {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin("oai"));
        command.args(args);
        command.env_clear();
        command.env("HOME", home.path());
        command.env("TERM", "xterm");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let writer = pair.master.take_writer().unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let _keep = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, writer, bytes, screen: vt100::Parser::new(ROWS, COLUMNS, 1000) }
    }

    fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen shows `text` and, below it, an empty prompt.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let shown = self.screen.screen().contents();
            if shown.contains(text) && shown.trim_end().ends_with("\n>") {
                return;
            }
            match self.bytes.recv_timeout(Duration::from_millis(200)) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(_) => assert!(Instant::now() < end, "no {text:?} on:\n{shown}"),
            }
        }
    }
}

#[test]
fn a_person_talks_interrupts_and_leaves() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["chat", "guide"]);
    terminal.wait_for("Ctrl-D leaves");
    terminal.send("how do I pull a model\r");
    terminal.wait_for("`oai pull NAME`");
    terminal.send("/help\r");
    terminal.wait_for("/undo           take back");
    // Ctrl-C at the prompt clears the line and does not leave.
    terminal.send("half a question\x03");
    terminal.wait_for("half a question");
    terminal.send("how do I list my models\r");
    terminal.wait_for("(or `oai ls`)");
    terminal.send("\x04");
    let status = terminal.child.wait().unwrap();
    assert!(status.success());
    let history = std::fs::read_to_string(home.path().join(".local/share/oai/chat_history")).unwrap();
    assert!(history.contains("how do I list my models") && !history.contains("half"), "{history}");
}

#[test]
fn what_is_typed_ahead_is_not_lost_and_a_begun_text_can_be_dropped() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["chat", "guide"]);
    terminal.wait_for("Ctrl-D leaves");
    terminal.send("/system first\r/system\r/system second\\\rline\r/system\r");
    terminal.wait_for("second\nline");
    let shown = terminal.screen.screen().contents();
    assert!(shown.contains("> /system\nfirst\n"), "{shown}");
    terminal.send("\"\"\"\rnever mind\r\x03");
    terminal.wait_for("never mind");
    terminal.send("/undo\r");
    terminal.wait_for("nothing to take back");
}
