//! The thread that reads the terminal. It sleeps until a byte comes (no polling), and leaves the terminal alone while
//! another program has it.

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::event::TerminalEvent;

/// How long a pause waits for the thread to take its hands off; it never blocks elsewhere.
const PATIENCE: Duration = Duration::from_millis(600);

struct Gate {
    running: bool,
    stopping: bool,
    /// How many ask it to keep off.
    pauses: u32,
    /// It does keep off.
    parked: bool,
    waker: Option<Waker>,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { running: false, stopping: false, pauses: 0, parked: false, waker: None });
static GATE_CHANGED: Condvar = Condvar::new();

fn gate() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The running thread; it ends when this is dropped, or when nobody receives its events any more.
pub struct Events {
    thread: Option<JoinHandle<()>>,
}

/// Starts to read the terminal: `sender` gets keys, pastes, the mouse, and what signals bring ([`TerminalEvent`]). Fails if
/// a reader runs already. Call it after [`super::Terminal::enter`].
pub fn events(sender: Sender<TerminalEvent>) -> io::Result<Events> {
    let (wakes, waker) = wake_line()?;
    {
        let mut gate = gate();
        if gate.running {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the terminal is being read already"));
        }
        *gate = Gate { running: true, stopping: false, pauses: gate.pauses, parked: false, waker: Some(waker) };
    }
    #[cfg(unix)]
    super::signals::report_to(Some(sender.clone()));
    let spawned = thread::Builder::new().name("terminal-input".to_owned()).spawn(move || {
        read_all(&wakes, &sender);
        let mut gate = gate();
        gate.running = false;
        gate.waker = None;
        GATE_CHANGED.notify_all();
    });
    match spawned {
        Ok(thread) => Ok(Events { thread: Some(thread) }),
        Err(error) => {
            gate().running = false;
            Err(error)
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        #[cfg(unix)]
        super::signals::report_to(None);
        let mut gate = gate();
        gate.stopping = true;
        gate.wake();
        GATE_CHANGED.notify_all();
        drop(gate);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns once the thread keeps off the terminal; each call needs a [`resume`].
pub(super) fn pause() {
    let mut gate = gate();
    gate.pauses += 1;
    gate.wake();
    let busy = |gate: &mut Gate| gate.running && !gate.parked;
    drop(GATE_CHANGED.wait_timeout_while(gate, PATIENCE, busy));
}

pub(super) fn resume() {
    let mut gate = gate();
    gate.pauses = gate.pauses.saturating_sub(1);
    GATE_CHANGED.notify_all();
}

/// A new terminal: whatever paused before is over.
pub(super) fn open() {
    gate().pauses = 0;
    GATE_CHANGED.notify_all();
}

/// Waits while paused. Whether to go on.
fn pass_gate() -> bool {
    let mut gate = gate();
    while gate.pauses > 0 && !gate.stopping {
        gate.parked = true;
        GATE_CHANGED.notify_all();
        gate = GATE_CHANGED.wait(gate).unwrap_or_else(|poisoned| poisoned.into_inner());
    }
    gate.parked = false;
    !gate.stopping
}

impl Gate {
    fn wake(&mut self) {
        #[cfg(unix)]
        if let Some(waker) = &mut self.waker {
            // A full pipe wakes as well.
            let _ = io::Write::write(waker, &[0]);
        }
    }
}

#[cfg(unix)]
type Waker = io::PipeWriter;
#[cfg(unix)]
type Wakes = io::PipeReader;
#[cfg(unix)]
use io::pipe as wake_line;

/// A terminal without keys is gone, and SIGHUP on its way.
fn end(sender: &Sender<TerminalEvent>) {
    super::modes::give(super::modes::Holder::Ending);
    let _ = sender.send(TerminalEvent::End);
}

#[cfg(unix)]
fn read_all(mut wakes: &Wakes, sender: &Sender<TerminalEvent>) {
    use std::io::Read;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// How long after an Escape the rest of a sequence may come.
    const ESCAPE_WAITS: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

    let input = io::stdin();
    let mut parser = super::keys::Parser::default();
    let mut bytes = [0; 4096];
    while pass_gate() {
        let mut received = true;
        let mut send = |event| received &= sender.send(event).is_ok();
        let mut watched = [PollFd::new(&input, PollFlags::IN), PollFd::new(wakes, PollFlags::IN)];
        let ready = poll(&mut watched, parser.is_ambiguous().then_some(&ESCAPE_WAITS));
        let (terminal, woken) = (watched[0].revents(), !watched[1].revents().is_empty());
        match ready {
            Ok(0) => parser.settle(&mut send),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(_) if woken => {
                let _ = wakes.read(&mut [0; 64]);
            }
            // Also where the system cannot wait for this kind of file, as macOS for /dev/tty: then the read waits.
            Ok(_) if !terminal.is_empty() => match rustix::io::read(&input, &mut bytes) {
                Ok(length @ 1..) => parser.feed(&bytes[..length], &mut send),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Ok(_) | Err(_) => return end(sender),
            },
            Ok(_) => {}
            Err(_) => return end(sender),
        }
        if !received {
            return;
        }
    }
}

#[cfg(not(unix))]
type Waker = ();
#[cfg(not(unix))]
type Wakes = ();
#[cfg(not(unix))]
fn wake_line() -> io::Result<((), ())> {
    Ok(((), ()))
}

/// On Windows nothing wakes crossterm's reader, so it looks at the gate twice a second.
#[cfg(not(unix))]
fn read_all(_: &Wakes, sender: &Sender<TerminalEvent>) {
    use crossterm::event::{Event, KeyEventKind, poll, read};

    while pass_gate() {
        let event = match poll(PATIENCE - Duration::from_millis(100)) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(error) => Err(error),
        };
        let event = match event {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => TerminalEvent::Key(key),
            Ok(Event::Mouse(mouse)) => TerminalEvent::Mouse(mouse),
            Ok(Event::Paste(text)) => TerminalEvent::Paste(text.replace("\r\n", "\n").replace('\r', "\n")),
            Ok(Event::Resize(columns, rows)) => TerminalEvent::Resize(columns, rows),
            Ok(_) => continue,
            Err(_) => return end(sender),
        };
        if sender.send(event).is_err() {
            return;
        }
    }
}
