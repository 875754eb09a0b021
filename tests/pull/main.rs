//! `oai pull` through the real binary, against a hub on the loopback interface: what should go well,
//! and everything that goes wrong.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod chosen;
mod disk;
mod faults;
mod interrupted;
mod locked;
mod offline;
mod ordinary;
mod proxy;
mod python;
mod reports;
mod together;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use axum::body::Bytes;
use common::hub::{COMMIT, Hub, Repo, sha256};
use common::{Home, assert_error, finish};

const REPO: &str = "org/repo";
const FILE: &str = "weights-Q8_0.gguf";
const MIB: u64 = 1 << 20;

/// What a kill or a cut may cost: the piece that each of eight connections was at.
const CHUNK: u64 = 8 * MIB;

/// 6 MiB and a bit without any order: no piece is like another.
static WEIGHTS: LazyLock<Bytes> = LazyLock::new(|| common::noise(6 * MIB + 12_345, 1));

fn repo() -> Repo {
    Repo::new(REPO).file("README.md", &b"# weights"[..]).file(FILE, WEIGHTS.clone())
}

/// A hub with one large file behind its content network.
fn hub() -> Hub {
    Hub::of(repo())
}

/// `oai` with this hub; it tries twice, so that a test of failure is short.
fn oai(home: &Home, hub: &Hub, args: &[&str]) -> Command {
    let mut command = home.oai(args);
    command.env("HF_ENDPOINT", &hub.endpoint).env("OAI_RETRIES", "1");
    command
}

fn run(home: &Home, hub: &Hub, args: &[&str]) -> (i32, String, String) {
    finish(&mut oai(home, hub, args))
}

fn pull(home: &Home, hub: &Hub) -> (i32, String, String) {
    run(home, hub, &["pull", REPO])
}

/// Pulls, and it must work.
#[track_caller]
fn pull_whole(home: &Home, hub: &Hub) {
    let (code, _, stderr) = pull(home, hub);
    assert_eq!(code, 0, "{stderr}");
    assert_whole(home);
}

/// A pull that ends in one line of error, after notes of what was tried again.
#[track_caller]
fn assert_fails((code, stdout, stderr): (i32, String, String), expected: i32, words: &[&str]) {
    let (notes, error): (Vec<&str>, Vec<&str>) = stderr.lines().partition(|line| !line.starts_with("oai: "));
    assert!(notes.iter().all(|note| note.contains("; try ") || note.contains("fetched")), "{stderr}");
    assert_error((code, stdout, error.join("\n")), expected, words);
}

fn folder(home: &Home) -> PathBuf {
    home.path().join(".cache/huggingface/hub/models--org--repo")
}

fn snapshot(home: &Home) -> PathBuf {
    folder(home).join("snapshots").join(COMMIT)
}

/// Names and sizes of what lies among the blobs, finished or not.
fn blobs(home: &Home) -> Vec<(String, u64)> {
    let Ok(entries) = std::fs::read_dir(folder(home).join("blobs")) else { return Vec::new() };
    let entries = entries.map(Result::unwrap);
    let mut found: Vec<_> =
        entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len())).collect();
    found.sort();
    found
}

/// The blob of [`WEIGHTS`], or what there is of it: `.oai-partial`, `.oai-journal`, `.incomplete`.
fn blob(home: &Home, ending: &str) -> PathBuf {
    folder(home).join("blobs").join(format!("{}{ending}", sha256(&WEIGHTS)))
}

/// The weights are there under their names, right, and nothing is left over.
#[track_caller]
fn assert_whole(home: &Home) {
    let found = std::fs::read(snapshot(home).join(FILE)).expect("the file is in the snapshot");
    assert!(found == *WEIGHTS, "{FILE} is another");
    assert_eq!(blobs(home), [(sha256(&WEIGHTS), WEIGHTS.len() as u64)], "something is left over");
}

/// The weights have no name: neither a blob nor a link.
#[track_caller]
fn assert_nameless(home: &Home) {
    assert!(!blob(home, "").exists() && !snapshot(home).join(FILE).exists(), "{:?}", blobs(home));
}

/// Every file below a folder, with links as links.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(tree(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}
