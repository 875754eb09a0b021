//! What is being done, for a bar and for `oai top`.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::Args;
use crate::cli::output;
use crate::config::Settings;
use crate::hub::LocalModel;
use crate::monitor::{Announcement, Status};

pub struct Work {
    bar: ProgressBar,
    announcement: Announcement,
    status: Status,
    started: Instant,
}

impl Work {
    pub fn new(model: &LocalModel, args: &Args, settings: &Settings) -> Result<Work> {
        let bar = if output::stderr_is_terminal() && !args.json {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} % {msg} {eta}")?;
            ProgressBar::new(0).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        let status = Status {
            command: "quantize".to_owned(),
            model: Some(model.name.clone()),
            model_bytes: Some(model.size_bytes),
            ..Status::default()
        };
        let announcement = Announcement::new(&settings.paths.runtime_dir, "quantize");
        Ok(Work { bar, announcement, status, started: Instant::now() })
    }

    /// Begins something that will be complete at `total`.
    pub fn begin(&mut self, state: &'static str, total: u64) {
        state.clone_into(&mut self.status.state);
        self.status.total = Some(total);
        self.bar.set_prefix(state);
        self.bar.reset();
        self.bar.set_length(total);
        self.at(0, "");
    }

    /// Where it is, and in a few words what it is at.
    pub fn at(&mut self, done: u64, what: &str) {
        self.status.done = Some(done);
        self.announcement.set(&self.status);
        self.bar.set_position(done);
        self.bar.set_message(output::neutralize(what));
    }

    /// As [`at`](Self::at), of something whose size shows only when it has begun.
    pub fn at_of(&mut self, done: u64, total: u64, what: &str) {
        self.status.total = Some(total);
        self.bar.set_length(total);
        self.at(done, what);
    }

    pub fn done(&self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}
