//! Which oai run on this machine: each that runs for long tells of itself in a file, and others read it.
//!
//! The file is `FOLDER/PID.json`, written whole and renamed, so that a reader never sees half of one. What it says is
//! data from another process: whoever shows it neutralises it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, System};

use super::process::{self, StopError};
use super::sampler::ProcessTimes;

/// Numbers that change all the time are written no more often than this.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// No file that this program writes comes near.
const LARGEST_FILE_BYTES: u64 = 64 << 10;
/// What another machine, container or boot left behind goes after so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a running oai says of itself. What it does not know, or has no use for, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The subcommand: `chat`, `serve`, `pull`.
    pub command: String,
    pub model: Option<String>,
    /// A word or two for what it does now: `idle`, `prefill`, `decode`, `downloading`.
    pub state: String,
    pub decode_tokens_per_s: Option<f64>,
    pub prefill_tokens_per_s: Option<f64>,
    /// In tokens.
    pub context_used: Option<usize>,
    pub context_total: Option<usize>,
    pub model_bytes: Option<u64>,
    pub kv_bytes: Option<u64>,
    /// How much of its task is done: bytes of a pull, steps of a training.
    pub done: Option<u64>,
    pub total: Option<u64>,
    /// The title of a conversation.
    pub session: Option<String>,
}

impl Status {
    /// Whether it differs in more than its numbers.
    fn turns_from(&self, other: &Status) -> bool {
        let words = |status: &Status| (status.state.clone(), status.model.clone(), status.session.clone());
        words(self) != words(other)
    }
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct Record {
    pid: u32,
    /// Told by [`process::started`].
    start: u64,
    /// Told by [`process::place`].
    place: String,
    started_ms: i64,
    updated_ms: i64,
    status: Status,
}

/// This process's file, for as long as this lives. Nothing that goes wrong here is told: to be seen is not worth a failure.
pub struct Announcement {
    /// `None` where there is no way to tell.
    file: Option<PathBuf>,
    record: Record,
    written: Option<Instant>,
}

impl Announcement {
    /// Tells in `folder`, which is made if need be for this user alone, that this process runs `command`.
    pub fn new(folder: &Path, command: &str) -> Announcement {
        let pid = std::process::id();
        let start = process::started(pid);
        let status = Status { command: command.to_owned(), ..Status::default() };
        let now_ms = unix_ms(SystemTime::now());
        let file = start.and(make_folder(folder).ok()).map(|()| folder.join(format!("{pid}.json")));
        let place = process::place();
        let start = start.unwrap_or_default();
        let record = Record { pid, start, place, started_ms: now_ms, updated_ms: now_ms, status };
        let mut announcement = Announcement { file, record, written: None };
        announcement.write(Instant::now());
        announcement
    }

    /// Tells what this process does now. The command stays what it is. May be called as often as one likes: a file is
    /// written when the state, the model or the session are others, and for numbers once a second.
    pub fn set(&mut self, status: &Status) {
        self.set_at(status, Instant::now());
    }

    fn set_at(&mut self, status: &Status, now: Instant) {
        let soon = self.written.is_some_and(|written| now.saturating_duration_since(written) < BETWEEN_WRITES);
        if soon && !status.turns_from(&self.record.status) {
            return;
        }
        let status = Status { command: self.record.status.command.clone(), ..status.clone() };
        if status != self.record.status {
            self.record.status = status;
            self.record.updated_ms = unix_ms(SystemTime::now());
            self.write(now);
        }
    }

    fn write(&mut self, now: Instant) {
        self.written = Some(now);
        let Some(file) = &self.file else { return };
        let Ok(text) = serde_json::to_vec(&self.record) else { return };
        // Next to it, with a name that readers pass over.
        let partial = file.with_extension("tmp");
        let _ = fs::remove_file(&partial);
        if write_private(&partial, &text).and_then(|()| fs::rename(&partial, file)).is_err() {
            let _ = fs::remove_file(&partial);
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(content)
}

fn unix_ms(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// An oai that runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Running {
    pub pid: u32,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// When its status last changed.
    pub updated_ms: i64,
    #[serde(flatten)]
    pub status: Status,
    /// Since the look before; 100 is one core.
    pub cpu_percent: f32,
    pub resident_bytes: u64,
    #[serde(skip)]
    start: u64,
}

impl Running {
    /// Asks it to end (SIGTERM). A process that has its number by now is left alone.
    pub fn stop(&self) -> Result<(), StopError> {
        process::stop(self.pid, self.start)
    }

    /// Whether `other` is the same process, whatever it does by now.
    pub fn is_same(&self, other: &Running) -> bool {
        (self.pid, self.start) == (other.pid, other.start)
    }

    /// One as a view may be given it, not of this machine: it cannot be stopped.
    #[cfg(test)]
    pub fn example(pid: u32, status: Status) -> Running {
        let (started_ms, updated_ms) = (1_700_000_000_000, 1_700_000_001_000);
        Running { pid, started_ms, updated_ms, status, cpu_percent: 395.4, resident_bytes: 5_100_000_000, start: 0 }
    }
}

/// Looks at all that run, again and again; it keeps what their loads are measured against.
pub struct Watch {
    system: System,
    times: ProcessTimes,
    place: String,
}

impl Watch {
    pub fn new() -> Watch {
        Watch { system: System::new(), times: ProcessTimes::default(), place: process::place() }
    }

    /// All oai that announce themselves in `folder`, this process too, by number. The files of those that are gone are
    /// removed; what is no such file is passed over. The first look knows no loads (0).
    pub fn running(&mut self, folder: &Path) -> Vec<Running> {
        let mut records = records(folder, &self.place);
        records.sort_by_key(|record| record.pid);
        let pids: Vec<Pid> = records.iter().map(|record| Pid::from_u32(record.pid)).collect();
        self.times.refresh(&mut self.system, &pids, Instant::now());
        let running = |record: Record| {
            let load = self.times.of(&self.system, Pid::from_u32(record.pid))?;
            Some(Running {
                pid: record.pid,
                started_ms: record.started_ms,
                updated_ms: record.updated_ms,
                status: record.status,
                cpu_percent: load.cpu_percent,
                resident_bytes: load.resident_bytes,
                start: record.start,
            })
        };
        records.into_iter().filter_map(running).collect()
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new()
    }
}

/// What the files of live processes say.
fn records(folder: &Path, place: &str) -> Vec<Record> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut records = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let pid = entry.file_name().to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u32>().ok());
        let Some(pid) = pid.filter(|_| is_file) else { continue };
        // A damaged file of a live process is written anew soon enough.
        let Some(record) = read(&path).filter(|record| record.pid == pid) else { continue };
        if record.place != place {
            let changed = fs::metadata(&path).and_then(|about| about.modified());
            let age = changed.ok().and_then(|changed| changed.elapsed().ok());
            if age.is_some_and(|age| age > FORGOTTEN_AFTER) {
                let _ = fs::remove_file(&path);
            }
        } else if process::started(pid) != Some(record.start) {
            let _ = fs::remove_file(&path);
        } else {
            records.push(record);
        }
    }
    records
}

fn read(path: &Path) -> Option<Record> {
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(LARGEST_FILE_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, rate: f64) -> Status {
        Status {
            command: "chat".to_owned(),
            model: Some("qwen3:0.6b".to_owned()),
            state: state.to_owned(),
            decode_tokens_per_s: Some(rate),
            ..Status::default()
        }
    }

    #[test]
    fn who_announces_itself_is_found_until_it_ends() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("oai");
        let mut watch = Watch::new();
        assert!(watch.running(&folder).is_empty());
        let mut announcement = Announcement::new(&folder, "chat");
        announcement.set(&Status { command: "another".to_owned(), ..status("idle", 12.5) });
        let found = watch.running(&folder);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].pid, &found[0].status), (std::process::id(), &status("idle", 12.5)));
        assert!(found[0].resident_bytes > 1 << 20 && found[0].started_ms > 1_600_000_000_000, "{found:?}");
        let json = serde_json::to_value(&found[0]).unwrap();
        assert_eq!((json["command"].as_str(), json["start"].as_u64()), (Some("chat"), None));
        drop(announcement);
        assert!(watch.running(&folder).is_empty());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    #[cfg(unix)]
    fn what_runs_is_this_users_business_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/oai");
        let _announcement = Announcement::new(&folder, "chat");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(format!("{}.json", std::process::id()))), 0o600);
    }

    #[test]
    fn numbers_are_written_once_a_second_and_turns_at_once() {
        let root = tempfile::tempdir().unwrap();
        let mut announcement = Announcement::new(root.path(), "chat");
        let mut told = |status: &Status, now: Instant| {
            announcement.set_at(status, now);
            read(&root.path().join(format!("{}.json", std::process::id()))).unwrap().status
        };
        let now = Instant::now();
        assert_eq!(told(&status("decode", 1.0), now), status("decode", 1.0), "it turned from nothing to decode");
        assert_eq!(told(&status("decode", 2.0), now + Duration::from_millis(900)), status("decode", 1.0));
        assert_eq!(told(&status("decode", 3.0), now + Duration::from_millis(1100)), status("decode", 3.0));
        assert_eq!(told(&status("idle", 4.0), now + Duration::from_millis(1200)), status("idle", 4.0));
    }

    #[test]
    fn the_dead_and_the_damaged_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (dead, me) = (child.id(), std::process::id());
        child.wait().unwrap();
        let write = |name: &str, pid: u32, start: u64, place: &str| {
            let record = Record {
                pid,
                start,
                place: place.to_owned(),
                started_ms: 1,
                updated_ms: 2,
                status: status("idle", 1.0),
            };
            fs::write(folder.join(name), serde_json::to_vec(&record).unwrap()).unwrap();
        };
        let here = process::place();
        write(&format!("{dead}.json"), dead, 1, &here);
        // Another process had this one's number before.
        write(&format!("{me}.json"), me, process::started(me).unwrap() + 1, &here);
        // On another machine.
        write("77.json", 77, 1, "elsewhere");
        // Says another number than its name.
        write("78.json", me, process::started(me).unwrap(), &here);
        fs::write(folder.join("79.json"), "{\"pid\": 79, \"sta").unwrap();
        fs::write(folder.join("notes.txt"), "").unwrap();
        fs::create_dir(folder.join("80.json")).unwrap();
        fs::write(folder.join("81.json"), vec![b' '; 1 << 20]).unwrap();
        assert_eq!(Watch::new().running(folder), []);
        let mut left: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["77.json", "78.json", "79.json", "80.json", "81.json", "notes.txt"]);
    }

    #[test]
    fn a_file_of_another_version_is_read_as_far_as_it_goes() {
        let text = r#"{"pid": 1, "start": 2, "place": "", "started_ms": 3, "updated_ms": 4, "later": true,
            "status": {"command": "serve", "of_later": [1]}}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.status, Status { command: "serve".to_owned(), ..Status::default() });
    }

    #[test]
    fn where_nothing_can_be_written_nothing_fails() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let mut announcement = Announcement::new(&root.path().join("file/folder"), "chat");
        announcement.set(&status("idle", 1.0));
    }
}
