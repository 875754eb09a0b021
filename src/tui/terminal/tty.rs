//! The calls that differ between Unix and Windows: the line's settings, its size, and writing at once.

use std::io::{self, IsTerminal, Write};

pub(super) use platform::{Saved, foreground, is_writable, raw, restore, saved, size, write_at_once};

/// Width and height where nobody says.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Fails unless both ends are a terminal. Lets out what standard output holds back.
pub(super) fn check() -> io::Result<()> {
    for (name, is_terminal) in [("input", io::stdin().is_terminal()), ("output", io::stdout().is_terminal())] {
        if !is_terminal {
            return Err(io::Error::new(io::ErrorKind::Unsupported, format!("standard {name} is no terminal")));
        }
    }
    io::stdout().flush()
}

/// Standard input becomes the terminal of standard output: what was piped in is read, and keys shall come.
#[cfg(unix)]
pub fn read_keys_from_output() -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;

    // Not /dev/tty, which macOS cannot wait for.
    let name = rustix::termios::ttyname(io::stdout(), Vec::new())?;
    let terminal =
        std::fs::File::options().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.as_bytes()))?;
    Ok(rustix::stdio::dup2_stdin(terminal)?)
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::termios::{OptionalActions, QueueSelector, Termios};
    use rustix::{process, termios};

    /// The line's settings as they were.
    pub type Saved = Termios;

    pub fn saved() -> io::Result<Saved> {
        Ok(termios::tcgetattr(io::stdin())?)
    }

    /// Keys come one by one, unseen and uninterpreted.
    pub fn raw(before: &Saved) -> io::Result<()> {
        let mut raw = before.clone();
        raw.make_raw();
        Ok(termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?)
    }

    /// `forget_input`: reports of the mouse that are under way are no commands for the shell.
    pub fn restore(before: &Saved, forget_input: bool) -> io::Result<()> {
        if forget_input {
            termios::tcflush(io::stdin(), QueueSelector::IFlush)?;
        }
        Ok(termios::tcsetattr(io::stdin(), OptionalActions::Now, before)?)
    }

    /// Columns and rows.
    pub fn size() -> (u16, u16) {
        match termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => super::USUAL_SIZE,
        }
    }

    /// Whether the terminal listens to this group of processes; another one would be stopped for changing it.
    pub fn foreground() -> bool {
        termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == process::getpgrp())
    }

    /// Whether a write would start within `patience`.
    pub fn is_writable(patience: Duration) -> bool {
        let output = io::stdout();
        let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        let mut wanted = [PollFd::new(&output, PollFlags::OUT)];
        matches!(poll(&mut wanted, Some(&timeout)), Ok(1..)) && wanted[0].revents().contains(PollFlags::OUT)
    }

    /// In one write, unless the terminal takes less at a time.
    pub fn write_at_once(mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(io::stdout(), bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Another program left the terminal's file non-blocking.
                Err(Errno::AGAIN) => {
                    is_writable(Duration::from_secs(1));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io::{self, Write};
    use std::time::Duration;

    use crossterm::terminal;

    /// crossterm keeps the console's mode.
    #[derive(Clone)]
    pub struct Saved;

    pub fn saved() -> io::Result<Saved> {
        #[cfg(windows)]
        if !crossterm::ansi_support::supports_ansi() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this console knows no escape sequences"));
        }
        Ok(Saved)
    }

    pub fn raw(_: &Saved) -> io::Result<()> {
        terminal::enable_raw_mode()
    }

    pub fn restore(_: &Saved, _: bool) -> io::Result<()> {
        terminal::disable_raw_mode()
    }

    pub fn size() -> (u16, u16) {
        terminal::size().unwrap_or(super::USUAL_SIZE)
    }

    pub fn foreground() -> bool {
        true
    }

    pub fn is_writable(_: Duration) -> bool {
        true
    }

    pub fn write_at_once(bytes: &[u8]) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(bytes)?;
        output.flush()
    }
}
