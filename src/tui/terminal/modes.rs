//! Who has the terminal, and the sequences that take it and give it back. Process-wide, so that a panic hook or a signal's
//! thread can restore it at any time.

use std::io;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::abilities::Options;
use super::tty;

/// How long restoring waits for a picture that is being written, or for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_millis(200);

/// Who has the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// We do: raw mode, our screen.
    Us,
    /// The shell, until the process continues.
    #[cfg(unix)]
    Shell,
    /// A program that we started and wait for.
    Guest,
    /// It is restored because the process was told to end, which the program hears of by an event.
    Ending,
    /// It is restored for good.
    Nobody,
}

struct Shared {
    holder: Holder,
    /// A [`super::Terminal`] lives. Without one, signals do what they always do.
    alive: bool,
    /// Another program has drawn since the last picture.
    overdrawn: bool,
    options: Option<Options>,
    before: Option<tty::Saved>,
}

static SHARED: Mutex<Shared> =
    Mutex::new(Shared { holder: Holder::Nobody, alive: false, overdrawn: false, options: None, before: None });

/// Held for each write, so that one ends before another begins. Where both are held, it is locked before `SHARED`.
static OUTPUT: Mutex<()> = Mutex::new(());

fn output() -> MutexGuard<'static, ()> {
    OUTPUT.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn shared() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The lock, or `None` if whoever has it does not let go in time.
fn lock_in_time<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

pub(super) fn holder() -> Holder {
    shared().holder
}

#[cfg(unix)]
pub(super) fn is_alive() -> bool {
    shared().alive
}

/// Whether someone else has drawn since the last call.
pub(super) fn take_overdrawn() -> bool {
    std::mem::take(&mut shared().overdrawn)
}

/// Takes the terminal for the first time.
pub(super) fn begin(options: &Options) -> io::Result<()> {
    let turn = output();
    let mut shared = shared();
    if shared.alive {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "this process has taken its terminal already"));
    }
    shared.before = Some(tty::saved()?);
    shared.options = Some(options.clone());
    shared.alive = true;
    take(shared, turn)
}

/// Restores the terminal for good and lets another [`begin`], unless the process ends: then signals stay ours, so that the
/// next one (SIGHUP follows the end of the keys) does not cut short what is being saved.
pub(super) fn end() {
    restore_now();
    let mut shared = shared();
    shared.alive = shared.holder == Holder::Ending;
}

/// Takes the terminal again if `from` is who has it now; whether it is ours then.
pub(super) fn take_back(from: Holder) -> io::Result<bool> {
    let turn = output();
    let shared = shared();
    if shared.holder != from {
        return Ok(shared.holder == Holder::Us);
    }
    take(shared, turn)?;
    Ok(true)
}

/// Nothing but `OUTPUT` is held while the terminal may keep us waiting.
fn take(mut shared: MutexGuard<Shared>, _turn: MutexGuard<()>) -> io::Result<()> {
    shared.holder = Holder::Us;
    shared.overdrawn = true;
    let (options, before) = (shared.options.clone().unwrap_or_default(), shared.before.clone());
    drop(shared);
    if let Some(before) = &before {
        tty::raw(before)?;
    }
    tty::write_at_once(entering(&options).as_bytes())
}

/// Gives the terminal, if it is ours, to `to`, as it was before.
pub(super) fn give(to: Holder) {
    let Some(mut shared) = lock_in_time(&SHARED) else { return };
    let ours = shared.holder == Holder::Us;
    let last = matches!(to, Holder::Ending | Holder::Nobody) && shared.holder != Holder::Ending;
    if ours || last {
        shared.holder = to;
    }
    if !ours {
        return;
    }
    let (options, before) = (shared.options.clone().unwrap_or_default(), shared.before.clone());
    drop(shared);

    let turn = lock_in_time(&OUTPUT);
    let mut leaving = leaving(&options);
    if turn.is_none() {
        // A picture is stuck halfway: what it had begun ends here.
        leaving.insert_str(0, "\x1b\\");
    }
    // Nothing to be done about errors: the terminal may be gone.
    if tty::is_writable(PATIENCE) {
        let _ = tty::write_at_once(leaving.as_bytes());
    }
    if let (Some(before), true) = (before, tty::foreground()) {
        let _ = tty::restore(&before, options.mouse);
    }
}

/// Restores the terminal, at once and for good: for panic hooks and the like. Does nothing when it is restored already. What
/// is drawn later fails.
pub fn restore_now() {
    give(Holder::Nobody);
}

/// Writes `bytes()` if the terminal is ours; `None` while another program has it. Fails once it is restored for good.
pub(super) fn write<T>(bytes: impl FnOnce() -> (Vec<u8>, T)) -> io::Result<Option<T>> {
    let _turn = output();
    match holder() {
        Holder::Us => {
            let (bytes, about) = bytes();
            if !bytes.is_empty() {
                tty::write_at_once(&bytes)?;
            }
            Ok(Some(about))
        }
        Holder::Nobody => Err(given_back()),
        _ => Ok(None),
    }
}

pub(super) fn given_back() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the terminal was given back")
}

/// Modes (xterm's ctlseqs): 1049 the other screen, 1004 focus reports, 2004 bracketed paste, 1002 clicks and drags, 1006
/// their modern form, 7 wrapping at the margin, 25 the cursor.
fn entering(options: &Options) -> String {
    let mut text = String::new();
    if options.title {
        text.push_str("\x1b[22;2t");
    }
    if options.alternate {
        text.push_str("\x1b[?1049h");
    }
    // After the change of screens: each has its own stack of keyboard modes.
    if options.keyboard {
        text.push_str("\x1b[>1u");
    }
    text.push_str("\x1b[?1004l\x1b[?2004h");
    if options.mouse {
        text.push_str("\x1b[?1000h\x1b[?1002h\x1b[?1006h");
    }
    if options.cursor_shape {
        text.push_str("\x1b[6 q");
    }
    // Without wrapping, a glyph that is wider here than elsewhere cannot push the last row up. Then ASCII in G0.
    text.push_str("\x1b[?7l\x1b(B\x0f\x1b[?25l\x1b[r\x1b[m\x1b[H\x1b[2J");
    text
}

fn leaving(options: &Options) -> String {
    let mut text = String::new();
    if options.synchronized {
        text.push_str("\x1b[?2026l");
    }
    if options.hyperlinks {
        text.push_str("\x1b]8;;\x1b\\");
    }
    text.push_str("\x1b[r\x1b[m\x1b[?7h");
    if options.mouse {
        text.push_str("\x1b[?1006l\x1b[?1002l\x1b[?1000l");
    }
    text.push_str("\x1b[?2004l");
    if options.keyboard {
        text.push_str("\x1b[<u");
    }
    if options.cursor_shape {
        text.push_str("\x1b[0 q");
    }
    text.push_str(if options.alternate { "\x1b[?1049l" } else { "\x1b[H\x1b[2J" });
    text.push_str("\x1b[?25h");
    if options.title {
        text.push_str("\x1b[23;2t");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_switched_on_is_switched_off() {
        let all = super::super::abilities(&|name| (name == "TERM").then(|| "xterm-kitty".to_owned()));
        assert!(all.mouse && all.keyboard && all.title);
        let (entering, leaving) = (entering(&all), leaving(&all));
        for mode in [1049, 1000, 1002, 1006, 2004] {
            assert!(entering.contains(&format!("\x1b[?{mode}h")), "{mode}");
            assert!(leaving.contains(&format!("\x1b[?{mode}l")), "{mode}");
        }
        for (on, off) in [("[22;2t", "[23;2t"), ("[>1u", "[<u"), ("[?7l", "[?7h"), ("[?25l", "[?25h"), ("[6 q", "[0 q")]
        {
            assert!(entering.contains(on) && leaving.contains(off), "{on}");
        }
        assert!(leaving.find("[<u") < leaving.find("[?1049l"), "keyboard modes belong to the other screen");
    }

    #[test]
    fn a_plain_terminal_is_cleared_and_spared_what_it_does_not_know() {
        let (entering, leaving) = (entering(&Options::default()), leaving(&Options::default()));
        for unknown in ["1049", "t", " q", "u", "]8", "1006", "2026"] {
            assert!(!entering.contains(unknown) && !leaving.contains(unknown), "{unknown}");
        }
        assert!(leaving.contains("\x1b[2J") && leaving.ends_with("\x1b[?25h"));
    }

    #[test]
    fn giving_back_what_was_never_taken_does_nothing() {
        restore_now();
        restore_now();
        assert_eq!(holder(), Holder::Nobody);
        assert_eq!(write(|| (vec![b'x'], ())).unwrap_err().kind(), io::ErrorKind::NotConnected);
    }
}
