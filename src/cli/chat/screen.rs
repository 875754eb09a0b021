//! A conversation on the whole screen: the loop that waits for what happens, and draws.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::host::{Happening, Host};
use super::{Args, Start, editor, now_ms};
use crate::cli::{exit, output, theme};
use crate::config::Settings;
use crate::monitor::{Announcement, Sampler};
use crate::tui::terminal::{self, Terminal, TerminalEvent};
use crate::tui::{Effect, Event, Setup, State, leave, update, view};

/// At most 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);
/// How often time is told to a state that shows it.
const TICK: Duration = Duration::from_secs(1);
/// How often the machine is looked at, while an answer comes and otherwise.
const SAMPLE_BUSY: Duration = Duration::from_secs(1);
const SAMPLE_IDLE: Duration = Duration::from_secs(5);
/// After so long without a key or an answer nobody is looking: an idle chat writes nothing.
const LOOKED_AT: Duration = Duration::from_secs(30);
/// Events that are taken in before the screen is drawn again.
const AT_ONCE: usize = 2_000;
/// SIGHUP: the connection is gone.
const HANGUP: i32 = 1;

pub fn run(args: &Args, settings: Settings, start: Start) -> Result<()> {
    let (sender, receiver) = channel();
    let theme = theme::load(&settings)?;
    let mut host = Host::new(settings.clone(), args.sampling.stop.clone(), sender.clone())?;
    let mut abilities = output::abilities(&settings);
    abilities.mouse &= settings.is_on("mouse");
    host.set_all(&start.session.own_settings());
    let loading = start.model.clone().or_else(|| settings.text("model").map(str::to_owned));
    let mut terminal = Terminal::enter(abilities)?;
    let tell = sender.clone();
    exit::report_panics_to(&settings.paths.data_dir, move |report| {
        let _ = tell.send(Happening::Chat(Event::Failed(report)));
    });
    let _events = keys(sender.clone())?;
    let state = State::new(Setup {
        session: start.session,
        theme,
        size: terminal.size(),
        vi: settings.is_on("vi"),
        monitor: settings.is_on("monitor"),
        settings: host.shown_settings(),
        loading: loading.clone().unwrap_or_else(|| "a model".to_owned()),
        attachments: start.attachments,
        now_ms: now_ms(),
    });
    host.load(loading);
    let pace = sample(sender)?;
    let announcement = Announcement::new(&settings.paths.runtime_dir, "chat");
    let mut chat = Chat { state, host, pace, announcement, sampled: None, active: Instant::now() };
    let ended = chat.run(&mut terminal, &receiver);
    if ended.is_err() {
        // A connection that is gone is noticed first where something is written.
        chat.save();
    }
    // The terminal first: what follows may take a moment, or print.
    drop(terminal);
    let Chat { host, announcement, .. } = chat;
    drop(announcement);
    let kept = host.finish();
    let end = ended?;
    kept?;
    match end {
        End::Left => Ok(()),
        End::Signal(number) => std::process::exit(128 + number),
    }
}

/// Passes on what the terminal says.
fn keys(sender: Sender<Happening>) -> Result<terminal::Events> {
    let (terminal, said) = channel();
    let pass = move || {
        for event in said {
            // The loop has ended.
            if sender.send(Happening::Terminal(event)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(pass)?;
    Ok(terminal::events(terminal)?)
}

enum End {
    Left,
    Signal(i32),
}

/// Looks at the machine as often as `pace` says, and not at all while that is `None`.
fn sample(sender: Sender<Happening>) -> Result<Sender<Option<Duration>>> {
    let (pace, paces) = channel::<Option<Duration>>();
    let watch = move || {
        let mut sampler = Sampler::new();
        let mut every: Option<Duration> = None;
        loop {
            let next = match every {
                None => paces.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(every) => paces.recv_timeout(every),
            };
            match next {
                Ok(changed) => every = changed,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if every.is_some() && sender.send(Happening::Chat(Event::Sample(Box::new(sampler.sample())))).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("monitor".to_owned()).spawn(watch)?;
    Ok(pace)
}

struct Chat {
    state: State,
    host: Host,
    pace: Sender<Option<Duration>>,
    announcement: Announcement,
    /// How often the machine is looked at.
    sampled: Option<Duration>,
    /// When the last key or part of an answer came.
    active: Instant,
}

impl Chat {
    fn run(&mut self, terminal: &mut Terminal, receiver: &Receiver<Happening>) -> Result<End> {
        let mut drawn: Option<Instant> = None;
        let mut ticked = Instant::now();
        let mut stale = true;
        loop {
            if stale && drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
                terminal.draw(|frame| view(&mut self.state, frame))?;
                drawn = Some(Instant::now());
                stale = false;
                self.watch();
                self.tell_others();
            }
            let happening = match (stale, self.state.wants_ticks()) {
                (false, false) => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (true, _) => receiver.recv_timeout(FRAME.saturating_sub(drawn.map_or(FRAME, |drawn| drawn.elapsed()))),
                (false, true) => receiver.recv_timeout(TICK.saturating_sub(ticked.elapsed())),
            };
            let mut next = match happening {
                Ok(happening) => Some(happening),
                Err(RecvTimeoutError::Timeout) if stale => continue,
                Err(RecvTimeoutError::Timeout) => {
                    ticked = Instant::now();
                    Some(Happening::Chat(Event::Tick))
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Left),
            };
            let mut taken = 0;
            while let Some(happening) = next {
                if let Some(end) = self.take(happening, terminal)? {
                    return Ok(end);
                }
                taken += 1;
                next = if taken < AT_ONCE { receiver.try_recv().ok() } else { None };
            }
            stale = true;
        }
    }

    fn take(&mut self, happening: Happening, terminal: &mut Terminal) -> Result<Option<End>> {
        if matches!(happening, Happening::Terminal(_) | Happening::Chat(Event::Answer { .. })) {
            self.active = Instant::now();
        }
        let event = match happening {
            Happening::Chat(event) => event,
            Happening::Idle(ticket) => {
                self.host.idle(ticket);
                return Ok(None);
            }
            Happening::Model { ticket, came } => {
                for event in self.host.loaded(ticket, *came) {
                    self.update(event, terminal)?;
                }
                return Ok(None);
            }
            Happening::Terminal(event) => match event {
                TerminalEvent::Key(key) => Event::Key(key),
                TerminalEvent::Paste(text) => Event::Paste(text),
                TerminalEvent::Mouse(mouse) => Event::Mouse(mouse),
                TerminalEvent::Resize(columns, rows) => {
                    terminal.resized(columns, rows);
                    Event::Resize(columns, rows)
                }
                TerminalEvent::Continued => {
                    let (columns, rows) = terminal.size();
                    terminal.resized(columns, rows);
                    Event::Resize(columns, rows)
                }
                TerminalEvent::Hangup | TerminalEvent::End => {
                    self.save();
                    return Ok(Some(End::Signal(HANGUP)));
                }
                TerminalEvent::Terminate(number) => {
                    self.save();
                    return Ok(Some(End::Signal(number)));
                }
            },
        };
        self.update(event, terminal)
    }

    /// Whatever came of a running answer is kept.
    fn save(&mut self) {
        for effect in leave(&mut self.state, now_ms()) {
            self.host.perform(effect);
        }
    }

    fn update(&mut self, event: Event, terminal: &mut Terminal) -> Result<Option<End>> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in update(&mut self.state, event, now_ms()) {
                match effect {
                    Effect::Quit => return Ok(Some(End::Left)),
                    Effect::Suspend => {
                        terminal.suspend()?;
                        let (columns, rows) = terminal.size();
                        events.push_back(Event::Resize(columns, rows));
                    }
                    Effect::Redraw => {
                        let (columns, rows) = terminal.size();
                        terminal.resized(columns, rows);
                    }
                    Effect::Title(text) => terminal.set_title(&text)?,
                    Effect::Copy { text, what } => {
                        events.push_back(match terminal.copy(&text) {
                            Ok(()) => Event::Done(format!("copied {what}")),
                            Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                                Event::Failed(format!("cannot copy {what}: {e}"))
                            }
                            Err(e) => return Err(e.into()),
                        });
                    }
                    Effect::Edit(text) => {
                        let settings = self.host.settings().clone();
                        let edited = terminal.outside(|| editor::edit(&text, &settings))?;
                        events.push_back(edited.map_or_else(|e| Event::Failed(format!("{e:#}")), Event::Edited));
                    }
                    effect => events.extend(self.host.perform(effect)),
                }
            }
        }
        Ok(None)
    }

    /// The machine is looked at only while that is shown, and somebody may be there to see it.
    fn watch(&mut self) {
        let wanted = match (self.state.show_monitor, self.state.is_busy()) {
            (false, _) => None,
            (true, true) => Some(SAMPLE_BUSY),
            (true, false) if self.active.elapsed() > LOOKED_AT => None,
            (true, false) => Some(SAMPLE_IDLE),
        };
        if wanted != self.sampled {
            self.sampled = wanted;
            let _ = self.pace.send(wanted);
        }
    }

    /// What `oai top` shows of this chat.
    fn tell_others(&mut self) {
        self.announcement.set(&self.state.status());
    }
}
