//! The conversations on disk, on a thread of their own: the screen never waits for the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::session::{Changes, Error, Filter, Store};
use crate::tui::Event;

/// At most so many matches of a search are shown.
const MOST_HITS: usize = 200;
/// What could not be saved is tried again after this.
const RETRY: Duration = Duration::from_secs(3);

pub enum Job {
    Save {
        key: u64,
        changes: Box<Changes>,
    },
    List,
    Search(String),
    Open(i64),
    Delete(i64),
    /// The last so many questions of all conversations.
    Questions(usize),
}

/// The thread that reads and writes conversations.
pub struct Sessions {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
    /// Nobody hears any more what is told.
    ending: Arc<AtomicBool>,
}

impl Sessions {
    /// `tell` is called with what comes of the jobs.
    pub fn start(path: PathBuf, tell: impl Fn(Event) + Send + 'static) -> std::io::Result<Sessions> {
        Sessions::start_with(path, RETRY, tell)
    }

    fn start_with(path: PathBuf, retry: Duration, tell: impl Fn(Event) + Send + 'static) -> std::io::Result<Sessions> {
        let (jobs, received) = channel();
        let ending = Arc::new(AtomicBool::new(false));
        let (store, backlog, failed, lost) = (None, Vec::new(), None, None);
        let keeper = Keeper { path, tell, ending: ending.clone(), store, backlog, failed, lost };
        let thread =
            std::thread::Builder::new().name("sessions".to_owned()).spawn(move || keeper.run(received, retry))?;
        Ok(Sessions { jobs: Some(jobs), thread: Some(thread), ending })
    }

    pub fn ask(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A thread that is gone has said why.
            let _ = jobs.send(job);
        }
    }

    /// Does what was asked for, and ends. An error says that something is not saved and why: it was tried once more.
    pub fn finish(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        self.ending.store(true, Ordering::Relaxed);
        self.jobs = None;
        let fault = |_| Err(Error::Unsaved { reason: "a fault of oai's own".to_owned() });
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or_else(fault))
    }
}

impl Drop for Sessions {
    /// What was asked for is done first.
    fn drop(&mut self) {
        // Whoever wants to know calls `finish`.
        let _ = self.end();
    }
}

/// What the thread knows.
struct Keeper<Tell> {
    path: PathBuf,
    tell: Tell,
    ending: Arc<AtomicBool>,
    store: Option<Store>,
    /// Changes that are not saved yet, under one entry for each session.
    backlog: Vec<(u64, Box<Changes>)>,
    /// When and why saving failed last.
    failed: Option<(Instant, Error)>,
    /// What was overtaken when nobody could make a copy of it any more.
    lost: Option<Error>,
}

impl<Tell: Fn(Event)> Keeper<Tell> {
    fn run(mut self, jobs: Receiver<Job>, retry: Duration) -> Result<(), Error> {
        loop {
            let next = match &self.failed {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((at, _)) => jobs.recv_timeout(retry.saturating_sub(at.elapsed())),
            };
            match next {
                Ok(first) => self.work(newest(std::iter::once(first).chain(jobs.try_iter()).collect())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.failed.as_ref().is_some_and(|(at, _)| at.elapsed() >= retry) {
                self.save();
            }
        }
        if self.failed.is_some() {
            self.save();
        }
        match (self.failed, self.lost) {
            (Some((_, error)), _) | (None, Some(error)) => Err(Error::Unsaved { reason: error.to_string() }),
            (None, None) => Ok(()),
        }
    }

    fn work(&mut self, jobs: Vec<Job>) {
        let mut is_new = false;
        for job in jobs {
            match job {
                Job::Save { key, changes } => {
                    self.keep(key, changes);
                    is_new = true;
                }
                job => {
                    // What only shows something does not wait for a disk that fails.
                    let must = matches!(job, Job::Open(_) | Job::Delete(_)) && self.failed.is_some();
                    if must || (is_new && self.failed.is_none()) {
                        self.save();
                        is_new = false;
                    }
                    let done = self.perform(job);
                    done.unwrap_or_else(|error| (self.tell)(Event::Failed(error.to_string())));
                }
            }
        }
        if is_new {
            self.save();
        }
    }

    /// Changes wait together with earlier ones of the same session.
    fn keep(&mut self, key: u64, changes: Box<Changes>) {
        let mut left = Some(changes);
        for (_, earlier) in &mut self.backlog {
            left = left.and_then(|changes| earlier.absorb(changes));
        }
        self.backlog.extend(left.map(|changes| (key, changes)));
    }

    /// Saves the backlog as far as that is possible.
    fn save(&mut self) {
        let mut failure = None;
        for (key, changes) in std::mem::take(&mut self.backlog) {
            // The others would wait for the same lock.
            if matches!(failure, Some(Error::Busy { .. })) {
                self.backlog.push((key, changes));
                continue;
            }
            match self.store().and_then(|store| store.save(&changes)) {
                Ok(id) => (self.tell)(Event::Saved { key, id }),
                Err(error @ (Error::Gone { .. } | Error::ChangedElsewhere { .. })) => {
                    (self.tell)(Event::Overtaken { key });
                    if self.ending.load(Ordering::Relaxed) {
                        self.lost = Some(error);
                    }
                }
                Err(error) => {
                    self.backlog.push((key, changes));
                    failure = Some(error);
                }
            }
        }
        let had_failed = self.failed.is_some();
        match &failure {
            Some(error) if !had_failed => {
                (self.tell)(Event::Failed(format!("the conversation is not saved yet: {error}; trying again")));
            }
            None if had_failed => (self.tell)(Event::Done("the conversation is saved now".to_owned())),
            _ => {}
        }
        self.failed = failure.map(|error| (Instant::now(), error));
    }

    fn store(&mut self) -> Result<&mut Store, Error> {
        match &mut self.store {
            Some(store) => Ok(store),
            none => Ok(none.insert(Store::open(&self.path)?)),
        }
    }

    fn perform(&mut self, job: Job) -> Result<(), Error> {
        match job {
            Job::Save { key, changes } => self.keep(key, changes),
            Job::List => self.list()?,
            Job::Search(query) => {
                let hits = self.store()?.search(&query, MOST_HITS)?;
                (self.tell)(Event::Hits { query, hits });
            }
            Job::Open(id) => {
                if let Some((_, error)) = self.failed.as_ref().filter(|_| self.waits(id)) {
                    return Err(Error::Unsaved { reason: error.to_string() });
                }
                let session = self.store()?.load(id)?;
                let damage = session.damage.clone();
                (self.tell)(Event::Opened(Box::new(session)));
                damage.into_iter().for_each(|damage| (self.tell)(Event::Failed(damage)));
            }
            Job::Delete(id) => {
                self.store()?.delete(id)?;
                self.backlog.retain(|(_, changes)| changes.session() != Some(id));
                self.list()?;
            }
            Job::Questions(limit) => {
                let questions = self.store()?.questions(limit)?;
                (self.tell)(Event::History(questions));
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(), Error> {
        let found = self.store()?.list(&Filter::default())?;
        (self.tell)(Event::Sessions(found));
        Ok(())
    }

    /// Whether something of this session is not saved yet.
    fn waits(&self, id: i64) -> bool {
        self.backlog.iter().any(|(_, changes)| changes.session() == Some(id))
    }
}

/// The jobs without lists and searches that a later one makes useless.
fn newest(mut jobs: Vec<Job>) -> Vec<Job> {
    let shows = |job: &Job| matches!(job, Job::List | Job::Search(_));
    let last = jobs.iter().rposition(shows);
    let mut at = 0;
    jobs.retain(|job| {
        at += 1;
        !shows(job) || last == Some(at - 1)
    });
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, Role};
    use crate::session::Session;

    fn say(session: &mut Session, text: &str) -> Job {
        session.append(Message::new(Role::User, text), 1);
        Job::Save { key: 7, changes: Box::new(session.take_changes(1).unwrap()) }
    }

    fn started(path: PathBuf, retry: Duration) -> (Sessions, Receiver<Event>) {
        let (sender, events) = channel();
        let tell = move |event| {
            // A test may hear enough before the end.
            let _ = sender.send(event);
        };
        (Sessions::start_with(path, retry, tell).unwrap(), events)
    }

    #[track_caller]
    fn next(events: &Receiver<Event>) -> Event {
        events.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn what_cannot_be_saved_waits_and_is_saved_whole_when_that_is_possible() {
        let folder = tempfile::tempdir().unwrap();
        let (blocked, path) = (folder.path().join("oai"), folder.path().join("oai/x.sqlite"));
        // No folder can be made where a file is.
        std::fs::write(&blocked, "").unwrap();
        let (sessions, events) = started(path.clone(), Duration::from_millis(20));
        let mut session = Session::new("m", 0);
        sessions.ask(say(&mut session, "a"));
        let Event::Failed(text) = next(&events) else { panic!() };
        assert!(text.contains("not saved yet: cannot write") && text.ends_with("trying again"), "{text}");
        sessions.ask(say(&mut session, "b"));
        // Told once, however often it is tried.
        assert!(events.recv_timeout(Duration::from_millis(100)).is_err());
        std::fs::remove_file(&blocked).unwrap();
        assert!(matches!(next(&events), Event::Saved { key: 7, id: 1 }));
        assert!(matches!(next(&events), Event::Done(_)));
        sessions.finish().unwrap();
        let loaded = Store::open(&path).unwrap().load(1).unwrap();
        assert_eq!((loaded.len(), loaded.damage), (2, None));
    }

    #[test]
    fn the_end_tries_once_more_and_says_what_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let (blocked, path) = (folder.path().join("oai"), folder.path().join("oai/x.sqlite"));
        std::fs::write(&blocked, "").unwrap();
        let long = Duration::from_secs(1000);
        let mut session = Session::new("m", 0);
        let (sessions, events) = started(path.clone(), long);
        sessions.ask(say(&mut session, "a"));
        assert!(matches!(next(&events), Event::Failed(_)));
        let error = sessions.finish().unwrap_err();
        assert!(matches!(&error, Error::Unsaved { reason } if reason.contains("x.sqlite")), "{error}");

        let (sessions, events) = started(path.clone(), long);
        session.detach();
        sessions.ask(say(&mut session, "b"));
        assert!(matches!(next(&events), Event::Failed(_)));
        std::fs::remove_file(&blocked).unwrap();
        sessions.finish().unwrap();
        assert_eq!(Store::open(&path).unwrap().load(1).unwrap().len(), 2);
        // Nobody is left who could make a copy.
        let (sessions, _events) = started(path.clone(), long);
        session.id = Some(9);
        sessions.ending.store(true, Ordering::Relaxed);
        sessions.ask(say(&mut session, "c"));
        assert!(sessions.finish().unwrap_err().to_string().contains("conversation 9 was deleted"));
    }

    #[test]
    fn a_session_that_waits_to_be_saved_is_not_opened_as_it_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let mut session = Session::new("m", 0);
        let Job::Save { changes, .. } = say(&mut session, "a") else { panic!() };
        session.id = Some(Store::open(&path).unwrap().save(&changes).unwrap());
        let Job::Save { key, changes } = say(&mut session, "b") else { panic!() };
        let ending = Arc::new(AtomicBool::new(false));
        let (sender, events) = channel();
        let tell = move |event| sender.send(event).unwrap();
        let failed = Some((Instant::now(), Error::Busy { file: "x".to_owned() }));
        let mut keeper = Keeper { path, tell, ending, store: None, backlog: vec![(key, changes)], failed, lost: None };
        assert!(matches!(keeper.perform(Job::Open(1)), Err(Error::Unsaved { .. })));
        keeper.work(vec![Job::Open(1)]);
        let all: Vec<Event> = events.try_iter().collect();
        let [Event::Saved { .. }, Event::Done(_), Event::Opened(opened)] = &all[..] else { panic!("{all:?}") };
        assert_eq!(opened.len(), 2);
        let Job::Save { key, changes } = say(&mut session, "c") else { panic!() };
        keeper.keep(key, changes);
        keeper.perform(Job::Delete(1)).unwrap();
        assert!(keeper.backlog.is_empty());
    }

    #[test]
    fn only_the_newest_search_is_made_and_it_waits_for_one_save() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = Session::new("m", 0);
        let mut jobs = vec![Job::List, Job::Search("a".to_owned()), Job::Questions(9)];
        for text in ["one", "two", "three"] {
            jobs.push(say(&mut session, text));
            jobs.push(Job::Search(text.to_owned()));
        }
        let (sender, events) = channel();
        let (path, ending) = (folder.path().join("x.sqlite"), Arc::default());
        let tell = move |event| sender.send(event).unwrap();
        let mut keeper = Keeper { path, tell, ending, store: None, backlog: Vec::new(), failed: None, lost: None };
        keeper.work(newest(jobs));
        let all: Vec<Event> = events.try_iter().collect();
        let [Event::History(none), Event::Saved { .. }, Event::Hits { query, hits }] = &all[..] else {
            panic!("{all:?}")
        };
        assert!(none.is_empty() && query == "three" && hits.len() == 1, "{all:?}");
    }
}
