//! What a terminal says.

use crossterm::event::{KeyEvent, MouseEvent};

/// One thing that came from the terminal or about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalEvent {
    /// A key was pressed (or repeats; releases are not reported).
    Key(KeyEvent),
    /// Text was pasted; its lines end in `\n`, and it may have any other character.
    Paste(String),
    /// A click, drag or turn of the wheel; columns and rows from 0.
    Mouse(MouseEvent),
    /// Columns and rows. Pass it to [`super::Terminal::resized`] and draw.
    Resize(u16, u16),
    /// The process runs again after a suspension; the screen is ours again and empty: draw.
    Continued,
    /// The connection is gone (SIGHUP). Nothing can be shown any more: save, and exit with 129 within two seconds.
    Hangup,
    /// SIGTERM, SIGINT or SIGQUIT came, by its number. The terminal is restored already: save, and exit with 128 and the
    /// number within two seconds.
    Terminate(i32),
    /// There will be no more keys, as the terminal is gone: save and end, as after a [`TerminalEvent::Hangup`], which may
    /// follow.
    End,
}
