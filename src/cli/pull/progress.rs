//! How a pull is seen: bars on a terminal, a line for each file elsewhere, JSON for scripts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::output;
use crate::hub::{Event, Plan};

/// At most so often a script is told how far a file is.
const JSON_INTERVAL: Duration = Duration::from_millis(200);

pub struct Progress {
    json: bool,
    bars: Option<Bars>,
    /// When each file was last told of.
    told: RefCell<BTreeMap<String, Instant>>,
}

/// A bar for each file that is coming, and one for all below them.
struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    style: ProgressStyle,
    files: RefCell<BTreeMap<String, (ProgressBar, u64)>>,
    /// Bytes of files that are here.
    done: RefCell<u64>,
}

impl Progress {
    pub fn new(json: bool) -> Result<Progress> {
        let bars = if !json && output::stderr_is_terminal() { Some(Bars::new()?) } else { None };
        Ok(Progress { json, bars, told: RefCell::default() })
    }

    /// What is going to come.
    pub fn plan(&self, plan: &Plan) {
        if let Some(bars) = &self.bars {
            bars.total.set_length(plan.total_bytes());
            // What an earlier try fetched says nothing of this one's speed.
            bars.total.set_position(plan.here_bytes());
            bars.total.reset_eta();
            bars.total.set_message(format!("{} files", plan.files.len()));
            if plan.files.len() == 1 {
                // Its bar is the total.
                bars.all.remove(&bars.total);
            }
        }
    }

    pub fn event(&self, event: &Event<'_>) {
        // A closed pipe ends the next thing that is printed for good.
        let _ = if self.json { self.print_json(event) } else { Ok(()) };
        match (event, &self.bars) {
            (Event::Progress { path, done_bytes, size_bytes }, Some(bars)) => bars.at(path, *done_bytes, *size_bytes),
            (Event::File { file, fetched_bytes }, bars) => {
                if let Some(bars) = bars {
                    bars.close(&file.path, file.size_bytes);
                }
                let how = if *fetched_bytes == 0 { "here already" } else { "fetched and checked" };
                self.say(&format!("{}  {}  {how}", file.path, output::bytes(file.size_bytes)));
            }
            (Event::Waiting { path }, _) => self.say(&format!("{path}: another process is pulling it; waiting")),
            (Event::Retry { path, reason, wait, attempt }, Some(_)) => {
                let of = path.map_or(String::new(), |path| format!("{path}: "));
                self.say(&format!("{of}{reason}; try {} in {:.1} s", attempt + 1, wait.as_secs_f64()));
            }
            (Event::Progress { .. } | Event::Retry { .. }, None) => {}
        }
    }

    pub fn finish(&self) {
        if let Some(bars) = &self.bars {
            bars.total.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            _ if self.json => {}
            // Printing above the bars fails only with the terminal.
            Some(bars) => drop(bars.all.println(output::neutralize(text))),
            None => output::note(text),
        }
    }

    fn print_json(&self, event: &Event<'_>) -> Result<()> {
        let value = match event {
            Event::Waiting { path } => json!({ "event": "waiting", "path": path }),
            Event::Progress { path, done_bytes, size_bytes } => {
                let mut told = self.told.borrow_mut();
                if told.get(*path).is_some_and(|at| at.elapsed() < JSON_INTERVAL) && done_bytes < size_bytes {
                    return Ok(());
                }
                told.insert((*path).to_owned(), Instant::now());
                json!({ "event": "progress", "path": path, "done_bytes": done_bytes, "size_bytes": size_bytes })
            }
            Event::Retry { path, reason, wait, attempt } => json!({
                "event": "retry", "path": path, "reason": reason, "wait_ms": wait.as_millis() as u64, "attempt": attempt,
            }),
            Event::File { file, fetched_bytes } => json!({
                "event": "file", "path": file.path, "size_bytes": file.size_bytes, "hash": file.hash,
                "status": if *fetched_bytes == 0 { "here" } else { "fetched" },
            }),
        };
        output::line(&output::json(&value)?)
    }
}

impl Bars {
    fn new() -> Result<Bars> {
        let numbers = "{decimal_bytes:>9}/{decimal_total_bytes:9} {decimal_bytes_per_sec:>11} {eta:>4}";
        let style = ProgressStyle::with_template(&format!("{{msg:!32}} {{wide_bar}} {numbers}"))?;
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(0).with_style(style.clone()));
        Ok(Bars { all, total, style, files: RefCell::default(), done: RefCell::default() })
    }

    fn at(&self, path: &str, done: u64, size: u64) {
        let mut files = self.files.borrow_mut();
        let (bar, at) = files.entry(path.to_owned()).or_insert_with(|| {
            let bar = ProgressBar::new(size).with_style(self.style.clone());
            let bar = self.all.insert_from_back(1, bar);
            bar.set_message(output::neutralize(path));
            bar.set_position(done);
            bar.reset_eta();
            (bar, done)
        });
        bar.set_position(done);
        *at = done;
        self.total.set_position(*self.done.borrow() + files.values().map(|(_, at)| at).sum::<u64>());
    }

    fn close(&self, path: &str, size: u64) {
        if let Some((bar, _)) = self.files.borrow_mut().remove(path) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        *self.done.borrow_mut() += size;
        self.total.set_position(*self.done.borrow());
    }
}
