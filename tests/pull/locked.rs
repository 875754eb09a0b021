//! What came is recorded, checked again, written down, and brought again byte for byte.

use std::path::Path;

use super::common::hub::Hub;
use super::common::{Home, assert_error, finish};
use super::{FILE, REPO, WEIGHTS, assert_whole, blob, hub, oai, pull_whole, run};

fn locked(home: &Home, hub: &Hub, file: &Path, more: &[&str]) -> (i32, String, String) {
    let locked = format!("--locked={}", file.display());
    finish(&mut oai(home, hub, &[&["pull", locked.as_str()], more].concat()))
}

#[test]
fn a_pull_is_recorded_and_verified() {
    let (home, hub) = (Home::new(), hub());
    pull_whole(&home, &hub);
    let (code, stdout, stderr) = run(&home, &hub, &["show", REPO, "--provenance", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let shown: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let text = shown.to_string();
    for word in ["apache-2.0", "org/base", super::COMMIT, &super::sha256(&WEIGHTS), FILE, &hub.endpoint] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert_eq!(run(&home, &hub, &["verify"]).0, 0);
    let mut damaged = WEIGHTS.to_vec();
    damaged[3_000_000] ^= 1;
    std::fs::write(blob(&home, ""), damaged).unwrap();
    let (code, _, stderr) = run(&home, &hub, &["verify", REPO]);
    assert!(code == 4 && stderr.contains("pull --force"), "{code}: {stderr}");
    let (code, _, stderr) = run(&home, &hub, &["pull", "--force", REPO]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(run(&home, &hub, &["verify", REPO]).0, 0);
}

#[test]
fn a_lock_file_brings_the_same_bytes() {
    let (home, hub) = (Home::new(), hub());
    pull_whole(&home, &hub);
    let file = home.path().join("team.lock");
    let (code, _, stderr) = run(&home, &hub, &["lock", "-o", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");

    // The branch has moved on: what was locked comes all the same.
    let mut newer = super::Repo::new(REPO).file(FILE, &b"newer"[..]);
    newer.commit = "f".repeat(40);
    let before = Home::new();
    let (code, _, stderr) = locked(&before, &hub, &file, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&before);
    hub.add(newer);
    hub.take_log();
    assert_eq!(locked(&before, &hub, &file, &[]).0, 0, "all is here");
    assert!(hub.take_log().is_empty(), "nothing was asked");
    assert_eq!(locked(&before, &hub, &file, &["--offline"]).0, 0);

    let home = Home::new();
    assert_error(locked(&home, &hub, &file, &["other"]), 2, &["team.lock", "other", "org/repo"]);
    assert_error(locked(&home, &hub, Path::new("/nowhere/oai.lock"), &[]), 7, &["/nowhere/oai.lock"]);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&super::sha256(&WEIGHTS), &"0".repeat(64))).unwrap();
    let (code, _, stderr) = locked(&home, &hub, &file, &[]);
    assert!(code == 6, "other bytes are refused: {stderr}");
}
