//! The real binary on a real terminal, whose screen is read back.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Home;

/// How long a screen may take to show what it should: tests run on busy machines.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long nothing comes once a screen has settled.
const QUIET: Duration = Duration::from_millis(120);

pub struct Terminal {
    pub child: Box<dyn Child + Send + Sync>,
    writer: Option<Box<dyn Write + Send>>,
    master: Option<Box<dyn MasterPty + Send>>,
    bytes: Receiver<Vec<u8>>,
    pub screen: vt100::Parser,
    /// All bytes that came.
    pub raw: Vec<u8>,
    closing: Arc<AtomicBool>,
}

/// How a terminal is set up.
pub struct Setup<'a> {
    pub columns: u16,
    pub rows: u16,
    pub environment: &'a [(&'a str, &'a str)],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { columns: 80, rows: 24, environment: &[] }
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 1000)
}

impl Terminal {
    pub fn start(home: &Home, args: &[&str]) -> Terminal {
        Terminal::start_with(home, args, &Setup::default())
    }

    pub fn start_with(home: &Home, args: &[&str], setup: &Setup<'_>) -> Terminal {
        let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin("oai"));
        command.args(args);
        Terminal::spawn(home, command, setup)
    }

    /// A shell command, with `oai` on its path.
    pub fn shell(home: &Home, script: &str, setup: &Setup<'_>) -> Terminal {
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", script]);
        Terminal::spawn(home, command, setup)
    }

    fn spawn(home: &Home, mut command: CommandBuilder, setup: &Setup<'_>) -> Terminal {
        let pair = native_pty_system().openpty(size(setup.columns, setup.rows)).unwrap();
        let folder: PathBuf = assert_cmd::cargo::cargo_bin("oai").parent().unwrap().to_owned();
        command.env_clear();
        command.env("HOME", home.path());
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in setup.environment {
            command.env(name, value);
        }
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let writer = pair.master.take_writer().unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, bytes) = channel();
        let closing = Arc::new(AtomicBool::new(false));
        let closes = Arc::clone(&closing);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() || closes.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let screen = parser(setup.columns, setup.rows);
        let (writer, master) = (Some(writer), Some(pair.master));
        Terminal { child, writer, master, bytes, screen, raw: Vec::new(), closing }
    }

    pub fn send(&mut self, text: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
        self.screen.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
    }

    /// What the screen shows, row by row.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Takes in what comes next, within `time`.
    pub fn take_in(&mut self, time: Duration) -> bool {
        match self.bytes.recv_timeout(time) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.raw.extend_from_slice(&bytes);
                true
            }
            Err(_) => false,
        }
    }

    /// Waits until the screen is as `is` wants it.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is(self.screen.screen()) {
            if !self.take_in(Duration::from_millis(100)) {
                assert!(Instant::now() < end, "no {what} on:\n{}", self.text());
            }
        }
    }

    /// Waits until the screen shows `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("{text:?}"), |screen| screen.contents().contains(text));
    }

    /// Waits until `text` is gone.
    #[track_caller]
    pub fn wait_without(&mut self, text: &str) {
        self.wait_until(&format!("end of {text:?}"), |screen| !screen.contents().contains(text));
    }

    /// Waits until `bytes` came.
    #[track_caller]
    pub fn wait_for_bytes(&mut self, bytes: &str) {
        let end = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(&self.raw).contains(bytes) {
            if !self.take_in(Duration::from_millis(100)) {
                assert!(Instant::now() < end, "{bytes:?} never came; the screen:\n{}", self.text());
            }
        }
    }

    /// Waits until nothing more comes.
    pub fn settle(&mut self) {
        while self.take_in(QUIET) {}
    }

    /// Waits for the program's end, takes in all that it wrote, and returns its exit code.
    #[track_caller]
    pub fn end(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            self.take_in(Duration::from_millis(20));
            assert!(Instant::now() < end, "it does not end; the screen:\n{}", self.text());
        };
        // The line ends with the program.
        while self.take_in(Duration::from_secs(5)) {}
        status.exit_code()
    }

    /// Nobody sits before the terminal any more.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // The reader lets go with the next output, which this asks for.
        self.send("x");
        while self.bytes.recv_timeout(PATIENCE).is_ok() {}
        (self.writer, self.master) = (None, None);
    }

    /// Whether a program has the whole screen: the other screen, pastes marked, the mouse reported; all of it or nothing.
    #[track_caller]
    pub fn is_taken(&self) -> bool {
        let screen = self.screen.screen();
        let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
        let modes = [screen.alternate_screen(), screen.bracketed_paste(), mouse];
        assert!(modes.iter().all(|mode| *mode == modes[0]), "all or none: {modes:?}");
        modes[0]
    }

    pub fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that ended is no error.
        let _ = self.child.kill();
    }
}
