//! Everything that touches the terminal; no other module writes to it or reads from it.
//!
//! | file | what it tells |
//! |---|---|
//! | [`abilities`] | what this terminal may be asked for, from the surroundings |
//! | [`frame`] | what a view draws into: a buffer, the cursor's place, links |
//! | `grid`, `pen`, `moves`, `scroll`, `screen` | from two buffers to the fewest bytes; pure |
//! | `modes` | alternate screen, raw mode and the rest: entering, leaving, restoring at any time |
//! | `tty` | the few calls that differ between Unix and Windows |
//! | [`event`], `keys`, `input` | what a terminal says: bytes to keys, and the thread that reads them |
//! | `signals` | termination, suspension, resizing |
//! | `clipboard` | OSC 52 |
//! | `session` | [`Terminal`]: all of it together |
//!
//! One terminal a process: raw mode and signals belong to the process, so their state is global and [`Terminal::enter`]
//! refuses a second one while the first lives.

pub mod abilities;
mod clipboard;
pub mod event;
pub mod frame;
mod grid;
mod input;
#[cfg(unix)]
mod keys;
mod modes;
mod moves;
mod pen;
#[cfg(test)]
mod pictures;
mod screen;
mod scroll;
mod session;
#[cfg(unix)]
mod signals;
mod tty;

pub use abilities::{Multiplexer, Options, abilities};
pub use event::TerminalEvent;
pub use frame::{Frame, Link};
pub use input::{Events, events};
pub use modes::restore_now;
pub use screen::{Drawn, Screen};
pub use session::Terminal;
#[cfg(unix)]
pub use tty::read_keys_from_output;
