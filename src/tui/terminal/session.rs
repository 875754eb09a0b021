//! [`Terminal`]: the screen, taken for as long as it lives.

use std::io;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::abilities::Options;
use super::frame::Frame;
use super::modes::{self, Holder};
use super::screen::{Drawn, Screen};
use super::{clipboard, input, tty};
use crate::neutralize::commands_terminals;

/// Longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// The terminal, taken: raw mode, the other screen, bracketed paste, perhaps the mouse. Dropping it restores everything, and
/// so do panics (with [`super::restore_now`] in the hook) and SIGTERM, SIGINT, SIGHUP and SIGQUIT.
pub struct Terminal {
    options: Options,
    size: (u16, u16),
    screen: Screen,
    buffer: Buffer,
    title: Option<String>,
}

impl Terminal {
    /// Takes the terminal. Fails with `options.refusal`, if standard input or output is no terminal, and if another
    /// [`Terminal`] lives.
    pub fn enter(options: Options) -> io::Result<Terminal> {
        if let Some(reason) = &options.refusal {
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason.clone()));
        }
        tty::check()?;
        #[cfg(unix)]
        super::signals::watch()?;
        if let Err(error) = modes::begin(&options) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                modes::end();
            }
            return Err(error);
        }
        input::open();
        let screen = Screen::new(options.hyperlinks, options.synchronized);
        Ok(Terminal { options, size: tty::size(), screen, buffer: Buffer::default(), title: None })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// The terminal has another size; the next picture is drawn whole.
    pub fn resized(&mut self, columns: u16, rows: u16) {
        self.size = (columns, rows);
        self.screen.forget();
    }

    /// Shows what `view` draws, in one write; in none if it is what is shown already, while another program has the
    /// terminal, and after a terminating signal, whose event follows. Fails if the terminal is gone or was restored by
    /// [`super::restore_now`] (a panic): then it is time to save and end.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<Drawn> {
        self.buffer.resize(Rect::new(0, 0, self.size.0, self.size.1));
        self.buffer.reset();
        let mut frame = Frame::new(&mut self.buffer);
        view(&mut frame);
        let Frame { cursor, links, .. } = frame;

        let (screen, buffer, title) = (&mut self.screen, &self.buffer, &self.title);
        let drawn = modes::write(|| {
            let mut all = Vec::new();
            if modes::take_overdrawn() {
                screen.forget();
                all.extend(title.iter().flat_map(|title| title_sequence(title)));
            }
            let (bytes, drawn) = screen.render(buffer, &links, cursor);
            all.extend_from_slice(bytes);
            (all, drawn)
        });
        if drawn.is_err() {
            self.screen.forget();
        }
        Ok(drawn?.unwrap_or_default())
    }

    /// Puts `text` on the clipboard (OSC 52). Fails where the terminal has none and if `text` is longer than 75,000 bytes.
    /// Whether the terminal obeys cannot be known.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        if !self.options.clipboard {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this terminal has no clipboard"));
        }
        self.say(clipboard::copying(text, self.options.multiplexer)?)
    }

    /// Sets the window's title, where there is one; control characters become spaces.
    pub fn set_title(&mut self, text: &str) -> io::Result<()> {
        if !self.options.title || self.title.as_deref() == Some(text) {
            return Ok(());
        }
        self.title = Some(text.to_owned());
        self.say(title_sequence(text))
    }

    fn say(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        modes::write(|| (bytes, ()))?;
        Ok(())
    }

    /// Stops the process, as Ctrl-Z does elsewhere, with the terminal restored; returns when it goes on, with the terminal
    /// taken again and the next picture to be drawn whole. Returns soon where nobody could continue the process. Does
    /// nothing on Windows.
    pub fn suspend(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        super::signals::suspend()?;
        self.again()
    }

    /// Lets `run` have the terminal, for an editor or a pager, and takes it again. Keys meanwhile are `run`'s, and so are
    /// SIGINT and SIGQUIT.
    pub fn outside<R>(&mut self, run: impl FnOnce() -> R) -> io::Result<R> {
        input::pause();
        modes::give(Holder::Guest);
        let result = run();
        let taken = modes::take_back(Holder::Guest);
        input::resume();
        taken?;
        self.again()?;
        Ok(result)
    }

    /// Another program had the terminal.
    fn again(&mut self) -> io::Result<()> {
        let size = tty::size();
        self.resized(size.0, size.1);
        if modes::holder() == Holder::Nobody {
            return Err(modes::given_back());
        }
        Ok(())
    }
}

fn title_sequence(text: &str) -> Vec<u8> {
    let harmless = |c: char| if c.is_control() || commands_terminals(c) { ' ' } else { c };
    let shown: String = text.chars().take(LONGEST_TITLE).map(harmless).collect();
    format!("\x1b]2;{shown}\x1b\\").into_bytes()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What is typed from now on is for the shell, though the reader may live longer.
        input::pause();
        modes::end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_command_the_terminal_and_has_an_end() {
        let title = String::from_utf8(title_sequence("a\x1b]0;b\x07\u{9c}c\n")).unwrap();
        assert_eq!(title, "\x1b]2;a ]0;b  c \x1b\\");
        assert_eq!(title_sequence(&"x".repeat(9_999)).len(), LONGEST_TITLE + 6);
    }

    #[test]
    fn a_refused_terminal_is_not_touched() {
        let options = Options { refusal: Some("no cursor".to_owned()), ..Options::default() };
        let error = Terminal::enter(options).err().unwrap();
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::Unsupported, "no cursor"));
    }
}
