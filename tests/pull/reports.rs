//! What a pull says: events for scripts, lines in a log, bars on a terminal.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;

use super::common::hub::{ALWAYS, Asked, At, COMMIT, Fault, sha256};
use super::common::{Home, assert_error};
use super::{FILE, MIB, REPO, WEIGHTS, blobs, folder, hub, pull_whole, run};

fn events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn json_tells_each_step_in_a_line() {
    let (home, hub) = (Home::new(), hub());
    hub.set(|ways| ways.rate = Some(12 * MIB));
    hub.fault(At::Bytes, Fault::Status(503), 1);
    let (code, stdout, stderr) = run(&home, &hub, &["pull", REPO, "--json"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let events = events(&stdout);
    let size = WEIGHTS.len() as u64;

    let resolved = &events[0];
    assert_eq!(resolved["event"], "resolved");
    assert_eq!((&resolved["repo"], &resolved["revision"]), (&REPO.into(), &"main".into()));
    assert_eq!((&resolved["commit"], &resolved["name"]), (&COMMIT.into(), &REPO.into()));
    assert_eq!((&resolved["total_bytes"], &resolved["here_bytes"]), (&size.into(), &0.into()));
    let file = serde_json::json!({ "path": FILE, "size_bytes": size, "hash": sha256(&WEIGHTS), "here_bytes": 0 });
    assert_eq!(resolved["files"], serde_json::json!([file]));

    let [retry] = of_kind(&events, "retry")[..] else { panic!("{stdout}") };
    assert_eq!((&retry["path"], &retry["attempt"]), (&FILE.into(), &1.into()));
    assert!(retry["reason"].as_str().unwrap().contains("503") && retry["wait_ms"].as_u64().unwrap() <= 1000, "{retry}");

    let done: Vec<u64> =
        of_kind(&events, "progress").iter().map(|event| event["done_bytes"].as_u64().unwrap()).collect();
    assert!(done.len() > 1 && done.is_sorted() && *done.last().unwrap() <= size, "{done:?}");
    assert!(of_kind(&events, "progress").iter().all(|e| e["path"] == FILE && e["size_bytes"] == size));

    let [file] = of_kind(&events, "file")[..] else { panic!("{stdout}") };
    assert_eq!((&file["path"], &file["status"]), (&FILE.into(), &"fetched".into()));
    assert_eq!((&file["size_bytes"], &file["hash"]), (&size.into(), &sha256(&WEIGHTS).into()));

    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["name"]), (&"pulled".into(), &"org/repo:Q8_0".into()));
    assert_eq!((&last["size_bytes"], &last["fetched_bytes"]), (&size.into(), &size.into()));
    assert!(std::fs::read(last["path"].as_str().unwrap()).unwrap() == *WEIGHTS, "{last}");

    let (_, stdout, _) = run(&home, &hub, &["pull", REPO, "--json"]);
    let again = self::events(&stdout);
    assert_eq!((&again[0]["here_bytes"], &again[0]["files"][0]["here_bytes"]), (&size.into(), &size.into()));
    assert_eq!(of_kind(&again, "file")[0]["status"], "here");
    assert_eq!(again.last().unwrap()["fetched_bytes"], 0);
}

#[test]
fn an_error_among_events_is_still_a_line_on_standard_error() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Corrupt, ALWAYS);
    let (code, stdout, stderr) = run(&home, &hub, &["pull", REPO, "--json"]);
    assert_eq!((code, stderr.trim_end().lines().count()), (6, 1), "{stderr}");
    let events = events(&stdout);
    assert!(!events.is_empty() && of_kind(&events, "pulled").is_empty() && of_kind(&events, "file").is_empty());
    // Nothing is known of what cannot be asked.
    let (code, stdout, _) = run(&home, &hub, &["pull", "org/nothing", "--json"]);
    assert_eq!((code, stdout.as_str()), (6, ""));
}

#[test]
fn a_dry_run_lists_and_fetches_nothing() {
    let (home, hub) = (Home::new(), hub());
    let (code, stdout, stderr) = run(&home, &hub, &["pull", REPO, "--dry-run"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(FILE) && stdout.contains("6.3 MB"), "{stdout}");
    assert!(!stdout.contains("README.md"), "{stdout}");
    assert!(!folder(&home).exists(), "{:?}", blobs(&home));
    assert!(!hub.take_log().iter().any(Asked::is_for_bytes));

    let (code, stdout, _) = run(&home, &hub, &["pull", REPO, "--dry-run", "--json"]);
    let events = events(&stdout);
    assert_eq!((code, events.len(), &events[0]["event"]), (0, 1, &"resolved".into()), "{stdout}");

    // What is here of it is told.
    pull_whole(&home, &hub);
    let (_, stdout, _) = run(&home, &hub, &["pull", REPO, "--dry-run", "--json"]);
    assert_eq!(self::events(&stdout)[0]["here_bytes"], WEIGHTS.len());
    assert_error(run(&home, &hub, &["pull", "org/nothing", "--dry-run"]), 6, &["org/nothing"]);
}

#[test]
fn a_log_gets_a_line_a_file() {
    let (home, hub) = (Home::new(), hub());
    hub.add(set());
    let (code, stdout, stderr) = run(&home, &hub, &["pull", "org/set"]);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        assert_eq!(stderr.lines().filter(|line| line.contains(file)).count(), 1, "{file}: {stderr}");
    }
    assert_eq!(stderr.lines().count(), 4, "{stderr}");
    assert!(stderr.lines().last().unwrap().starts_with("pulled org/set ("), "{stderr}");
    assert!(!stderr.contains('\r') && !stderr.contains('\x1b'), "{stderr:?}");
}

fn set() -> super::Repo {
    let repo = super::Repo::new("org/set").file("config.json", &b"{}"[..]).file("tokenizer.json", &b"{ }"[..]);
    repo.file("model.safetensors", WEIGHTS.clone())
}

#[test]
fn a_terminal_shows_a_bar_a_file_and_a_total() {
    let (home, hub) = (Home::new(), hub());
    hub.add(set());
    hub.set(|ways| ways.rate = Some(4 * MIB));
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin("oai"));
    command.env_clear();
    command.env("HOME", home.path());
    command.env("HF_ENDPOINT", &hub.endpoint);
    command.env("TERM", "xterm-256color");
    command.args(["pull", "org/set"]);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut terminal = vt100::Parser::new(24.try_into().unwrap(), 120.try_into().unwrap(), 0);
    let (mut seen, mut buffer) = (Vec::new(), [0; 8192]);
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        terminal.process(&buffer[..n]);
        seen.push(terminal.screen().contents());
    }
    assert!(child.wait().unwrap().success(), "{}", terminal.screen().contents());
    let bars = |screen: &&String| screen.contains("model.safetensors") && screen.contains("B/s");
    let screen = seen.iter().rev().find(bars).unwrap_or_else(|| panic!("no bar: {seen:#?}"));
    assert!(screen.contains("3 files"), "{screen}");
    assert!(terminal.screen().contents().contains("pulled org/set"), "{}", terminal.screen().contents());
}
