//! A pull as `oai top` shows it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::hub::{Event, Plan};
use crate::monitor::{Announcement, Status};

pub struct Announced {
    announcement: Announcement,
    status: Status,
    /// Bytes that are here of each file that comes.
    here: BTreeMap<String, u64>,
}

impl Announced {
    pub fn new(name: &str, plan: &Plan, folder: &Path) -> Announced {
        let here = plan.files.iter().map(|planned| (planned.file.path.clone(), planned.here_bytes)).collect();
        let status = Status {
            command: "pull".to_owned(),
            model: Some(name.to_owned()),
            state: "downloading".to_owned(),
            total: Some(plan.total_bytes()),
            ..Status::default()
        };
        Announced { announcement: Announcement::new(folder, "pull"), status, here }
    }

    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Progress { path, done_bytes, .. } => drop(self.here.insert((*path).to_owned(), *done_bytes)),
            Event::File { file, .. } => drop(self.here.insert(file.path.clone(), file.size_bytes)),
            Event::Waiting { .. } => "waiting for another pull".clone_into(&mut self.status.state),
            Event::Retry { .. } => "trying again".clone_into(&mut self.status.state),
        }
        if matches!(event, Event::Progress { .. } | Event::File { .. }) {
            "downloading".clone_into(&mut self.status.state);
        }
        self.status.done = Some(self.here.values().sum());
        self.announcement.set(&self.status);
    }
}
