//! The thread that signals wake: termination, suspension, continuation, resizing.
//!
//! Suspending sends SIGTTOU to the group, whose default is to stop as SIGTSTP's is. SIGTSTP itself is ours to catch, so its
//! default is out of reach; SIGSTOP would also stop a group that nobody can continue (started without a shell with job
//! control), which the kernel spares SIGTTOU.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use super::event::TerminalEvent;
use super::modes::{self, Holder};
use super::{input, tty};

/// After a terminating signal the program has so long to save.
const LAST_CHANCE: Duration = Duration::from_secs(2);
/// A stop takes effect within this; if nothing stopped us by then, nothing will.
const STOP_TAKES: Duration = Duration::from_millis(100);

const TERMINATING: [i32; 4] = [SIGTERM, SIGHUP, SIGQUIT, SIGINT];

struct Shared {
    watching: bool,
    sender: Option<Sender<TerminalEvent>>,
    /// How many suspensions are over.
    suspensions: u64,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { watching: false, sender: None, suspensions: 0 });
static SUSPENSION_OVER: Condvar = Condvar::new();

fn shared() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Who hears of signals.
pub(super) fn report_to(sender: Option<Sender<TerminalEvent>>) {
    shared().sender = sender;
}

/// Whether someone heard.
fn report(event: TerminalEvent) -> bool {
    shared().sender.as_ref().is_some_and(|sender| sender.send(event).is_ok())
}

/// Starts the thread, once a process.
pub(super) fn watch() -> io::Result<()> {
    let mut shared = shared();
    if shared.watching {
        return Ok(());
    }
    let [terminate, hang_up, quit, interrupt] = TERMINATING;
    let mut signals = Signals::new([terminate, hang_up, quit, interrupt, SIGTSTP, SIGCONT, SIGWINCH])?;
    thread::Builder::new().name("terminal-signals".to_owned()).spawn(move || {
        loop {
            let arrived: Vec<i32> = signals.wait().collect();
            handle(&arrived, &mut signals);
        }
    })?;
    shared.watching = true;
    Ok(())
}

/// Suspends the process as a SIGTSTP from outside would, and returns when it is over.
pub(super) fn suspend() -> io::Result<()> {
    let mut shared = shared();
    let before = shared.suspensions;
    kill_process(getpid(), Signal::TSTP)?;
    while shared.suspensions == before {
        shared = SUSPENSION_OVER.wait(shared).unwrap_or_else(|poisoned| poisoned.into_inner());
    }
    Ok(())
}

fn handle(arrived: &[i32], signals: &mut Signals) {
    // Termination first: a shell that ends a stopped job sends SIGCONT along.
    if let Some(signal) = arrived.iter().find(|signal| TERMINATING.contains(signal)) {
        terminate(*signal);
    } else if arrived.contains(&SIGTSTP) {
        if modes::is_alive() {
            stay_suspended(signals, true);
        } else {
            let _ = low_level::emulate_default_handler(SIGTSTP);
        }
    } else if arrived.contains(&SIGCONT) && modes::holder() == Holder::Us {
        // Stopped without a word (SIGSTOP): whoever had the terminal meanwhile may have changed anything.
        stay_suspended(signals, false);
    }
    if arrived.contains(&SIGWINCH) {
        let (columns, rows) = tty::size();
        report(TerminalEvent::Resize(columns, rows));
    }
}

/// Gives the terminal to the shell, stops if `stop`, and takes it again as soon as it is given to us.
fn stay_suspended(signals: &mut Signals, mut stop: bool) {
    let size_before = tty::size();
    input::pause();
    modes::give(Holder::Shell);
    loop {
        if stop {
            // With a guest, each of the group stops by itself.
            let stopping = match modes::holder() {
                Holder::Guest => kill_process(getpid(), Signal::TTOU),
                _ => kill_current_process_group(Signal::TTOU),
            };
            if stopping.is_ok() {
                thread::sleep(STOP_TAKES);
            }
            if !tty::foreground() {
                // Continued in the background, perhaps only to be ended: that signal may not have come through yet.
                thread::sleep(STOP_TAKES);
            }
        }
        if let Some(signal) = signals.pending().find(|signal| TERMINATING.contains(signal)) {
            terminate(signal);
        }
        // As long as the terminal is not ours.
        stop = true;
        if modes::holder() != Holder::Shell || tty::foreground() {
            break;
        }
    }
    let ours = modes::take_back(Holder::Shell).unwrap_or(false);
    input::resume();
    if ours {
        let size = tty::size();
        if size != size_before {
            report(TerminalEvent::Resize(size.0, size.1));
        }
        report(TerminalEvent::Continued);
    }
    shared().suspensions += 1;
    SUSPENSION_OVER.notify_all();
}

/// Restores the terminal, tells the program, and ends it if it does not end itself.
fn terminate(signal: i32) {
    if !modes::is_alive() {
        let _ = low_level::emulate_default_handler(signal);
        return;
    }
    if modes::holder() == Holder::Guest && matches!(signal, SIGINT | SIGQUIT) {
        // Typed for the guest, which is in our group.
        return;
    }
    // First of all, as restoring may hang on a terminal that takes nothing.
    let code = 128 + signal;
    let ending = thread::Builder::new().name("terminal-end".to_owned()).spawn(move || {
        thread::sleep(LAST_CHANCE);
        low_level::exit(code);
    });
    let known = modes::holder() == Holder::Ending;
    modes::give(Holder::Ending);
    let event = if signal == SIGHUP { TerminalEvent::Hangup } else { TerminalEvent::Terminate(signal) };
    let heard = report(event) || known;
    if !heard || ending.is_err() {
        low_level::exit(code);
    }
}
