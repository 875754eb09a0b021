//! The connections that bring a file: each asks for a run of missing pieces, and for the next when
//! it has them.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::Notify;

use super::partial::{PIECE, Partial};
use super::{SMALL, Step, Wanted};
use crate::hub::Error;
use crate::hub::http::{self, Failure, Http};

/// The longest and the shortest run of pieces that one request asks for.
const LONGEST_RUN: u64 = 32 * PIECE;
const SHORTEST_RUN: u64 = PIECE;
/// A piece that takes longer is recorded while it comes.
const RECORD_AFTER: Duration = Duration::from_secs(1);
/// How often somebody is told how far it is.
const REPORT_AFTER: Duration = Duration::from_millis(50);

/// The connections of one file. All run on one thread, so cells are enough.
pub struct Connections<'a, 'h, 'w> {
    http: &'a Http<'h>,
    wanted: &'a Wanted<'w>,
    partial: &'a Partial,
    report: RefCell<&'a mut dyn FnMut(Step<'_>)>,
    /// Pieces that a connection has in hand.
    taken: RefCell<Vec<bool>>,
    /// Where the hub sent us, while it works: asking it again for every range would be rude.
    location: RefCell<Option<Url>>,
    /// The first request was answered.
    opened: Cell<bool>,
    open: Notify,
    /// The server does not know ranges: one connection reads everything.
    whole: Cell<bool>,
    /// Connections that may run; halved when the server complains.
    most: Cell<usize>,
    /// Failures in a row, all connections together, and when the next request may go.
    failures: Cell<u32>,
    wait_until: Cell<Instant>,
    came: Cell<u64>,
    reported: Cell<Instant>,
}

impl<'a, 'h, 'w> Connections<'a, 'h, 'w> {
    pub fn new(
        http: &'a Http<'h>,
        wanted: &'a Wanted<'w>,
        partial: &'a Partial,
        report: &'a mut dyn FnMut(Step<'_>),
    ) -> Self {
        let now = Instant::now();
        let pieces = partial.state().pieces.len();
        Connections {
            http,
            wanted,
            partial,
            report: RefCell::new(report),
            taken: RefCell::new(vec![false; pieces]),
            location: RefCell::new(None),
            opened: Cell::new(false),
            open: Notify::new(),
            whole: Cell::new(false),
            most: Cell::new(http.settings.connections),
            failures: Cell::new(0),
            wait_until: Cell::new(now),
            came: Cell::new(0),
            reported: Cell::new(now),
        }
    }

    /// Bytes that came over the network.
    pub fn came(&self) -> u64 {
        self.came.get()
    }

    /// Brings all pieces that are missing.
    pub async fn run(&self) -> Result<(), Error> {
        let missing = self.wanted.size - self.partial.have();
        let useful = if self.wanted.size <= SMALL { 1 } else { missing.div_ceil(SHORTEST_RUN) as usize };
        let mut workers: FuturesUnordered<_> =
            (0..self.most.get().min(useful.max(1))).map(|id| self.connection(id)).collect();
        let mut outcome = Ok(());
        while let Some(done) = workers.next().await {
            if done.is_err() {
                outcome = done;
                break;
            }
        }
        drop(workers);
        self.say_at();
        // What is here of pieces in hand is kept for the next run.
        for index in (0..self.taken.borrow().len()).filter(|index| self.taken.borrow()[*index]) {
            self.partial.record_started(index)?;
        }
        outcome
    }

    async fn connection(&self, id: usize) -> Result<(), Error> {
        // The first finds out where the bytes are and whether ranges are known.
        while id > 0 && !self.opened.get() {
            self.open.notified().await;
        }
        loop {
            let now = Instant::now();
            if self.wait_until.get() > now {
                tokio::time::sleep(self.wait_until.get() - now).await;
                continue;
            }
            if id > 0 && (self.whole.get() || id >= self.most.get()) {
                return Ok(());
            }
            let Some((start, end)) = self.take() else {
                self.let_others_go();
                return Ok(());
            };
            let before = self.came.get();
            let result = self.range(id, start, end).await;
            self.give_back(start, end);
            match result {
                Ok(()) => self.failures.set(0),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { reason, wait, .. }) => {
                    if self.came.get() > before {
                        self.failures.set(0);
                    }
                    self.failed(&reason, wait)?;
                }
            }
        }
    }

    fn let_others_go(&self) {
        self.opened.set(true);
        self.open.notify_waiters();
    }

    /// Counts a failure and says how long everybody waits. Connections that fail together fail once.
    fn failed(&self, reason: &str, wait: Option<Duration>) -> Result<(), Error> {
        if self.wait_until.get() > Instant::now() {
            return Ok(());
        }
        let failures = self.failures.get() + 1;
        if failures > self.http.settings.retries {
            return Err(Error::Incomplete {
                file: self.wanted.what.to_string(),
                got: self.partial.have(),
                expected: self.wanted.size,
                reason: reason.to_owned(),
            });
        }
        self.failures.set(failures);
        self.most.set((self.most.get() / 2).max(1));
        let wait = wait.unwrap_or_else(|| http::backoff(failures));
        self.wait_until.set(Instant::now() + wait);
        (self.report.borrow_mut())(Step::Retry { reason, wait, attempt: failures });
        Ok(())
    }

    /// The next run of missing pieces, as a range of bytes.
    fn take(&self) -> Option<(u64, u64)> {
        let state = self.partial.state();
        let mut taken = self.taken.borrow_mut();
        let missing = |index: &usize| !taken[*index] && state.pieces[*index].have < self.partial.length(*index);
        let first = (0..taken.len()).find(missing)?;
        let share = (self.wanted.size - state.have) / (2 * self.most.get() as u64);
        let longest = (share.clamp(SHORTEST_RUN, LONGEST_RUN) / PIECE) as usize;
        // Only the first of a run may have a beginning already: a range has no holes.
        let untouched = |index: &usize| missing(index) && state.pieces[*index].have == 0;
        let last = (first + 1..taken.len()).take(longest - 1).take_while(untouched).last().unwrap_or(first);
        taken[first..=last].fill(true);
        let end = last as u64 * PIECE + u64::from(self.partial.length(last));
        Some((first as u64 * PIECE + u64::from(state.pieces[first].have), end))
    }

    fn give_back(&self, start: u64, end: u64) {
        let (first, last) = ((start / PIECE) as usize, end.div_ceil(PIECE) as usize);
        self.taken.borrow_mut()[first..last].fill(false);
    }

    /// Asks for the bytes from `start` to `end` and takes them as they come.
    async fn range(&self, id: usize, start: u64, end: u64) -> Result<(), Failure> {
        let response = self.open(start, end).await?;
        let whole = self.is_whole(&response, start)?;
        if whole && self.whole.replace(true) && id > 0 {
            return Ok(());
        }
        self.let_others_go();
        let (mut position, end) = if whole { (0, self.wanted.size) } else { (start, end) };
        let mut recorded = Instant::now();
        let mut stream = response.bytes_stream();
        while position < end {
            let bytes = match stream.next().await {
                Some(bytes) => bytes.map_err(|e| self.http.broken(&e))?,
                None => return Err(self.http.odd("the connection was closed early")),
            };
            let bytes = &bytes[..bytes.len().min((end - position) as usize)];
            self.came.set(self.came.get() + self.partial.write(position, bytes)?);
            position += bytes.len() as u64;
            if recorded.elapsed() > RECORD_AFTER {
                recorded = Instant::now();
                if position < self.wanted.size {
                    self.partial.record_started((position / PIECE) as usize)?;
                }
            }
            if self.reported.get().elapsed() > REPORT_AFTER {
                self.say_at();
            }
        }
        Ok(())
    }

    fn say_at(&self) {
        self.reported.set(Instant::now());
        (self.report.borrow_mut())(Step::At(self.partial.have()));
    }

    /// An answer with bytes: from where the hub last sent us, or by way of the hub.
    async fn open(&self, start: u64, end: u64) -> Result<Response, Failure> {
        let what = &self.wanted.what;
        let known = self.location.borrow().clone();
        if let Some(url) = known {
            let response = self.http.once(Method::GET, &url, Some((start, end))).await?;
            let expired = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE];
            if !expired.contains(&response.status()) && !response.status().is_redirection() {
                return self.http.check(response, what);
            }
            // The address was good for a while only.
            *self.location.borrow_mut() = None;
        }
        let url = self.http.file_url(what.repo, what.revision, what.file.unwrap_or_default());
        let (response, url, _) = self.http.send(Method::GET, url, Some((start, end)), what).await?;
        if !self.http.is_hub(&url) {
            *self.location.borrow_mut() = Some(url);
        }
        Ok(response)
    }

    /// Whether an answer is the whole file instead of the range that was asked for.
    fn is_whole(&self, response: &Response, start: u64) -> Result<bool, Failure> {
        let what = &self.wanted.what;
        let size = self.wanted.size;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = http::text(response.headers(), CONTENT_RANGE.as_str()).unwrap_or_default();
            let told = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
            let fits = told.is_some_and(|(range, total)| {
                let from = range.split_once('-').and_then(|(from, _)| from.parse().ok());
                from == Some(start) && (total == "*" || total.parse() == Ok(size))
            });
            return if fits { Ok(false) } else { Err(self.http.odd("the answer is another range of the file")) };
        }
        match response.content_length() {
            Some(length) if length != size => Err(what
                .malformed(&format!("has {length} bytes instead of {size}: perhaps a network's login page"))
                .into()),
            _ => Ok(true),
        }
    }
}
