//! Several connections for one file, and several pulls of one file.

use std::time::{Duration, Instant};

use super::common::hub::{Hub, Repo, sha256};
use super::common::{Home, finish, noise};
use super::{CHUNK, FILE, MIB, REPO, WEIGHTS, assert_whole, hub, oai, pull, pull_whole, snapshot};

#[test]
fn a_large_file_comes_over_several_connections() {
    let weights = noise(40 * MIB, 5);
    let large = Repo::new(REPO).file(FILE, weights.clone());
    let (home, hub) = (Home::new(), Hub::of(large.clone()));
    hub.set(|ways| ways.rate = Some(60 * MIB));
    assert_eq!(pull(&home, &hub).0, 0);
    assert!((6..=8).contains(&hub.peak()), "{} at once", hub.peak());
    assert_eq!(hub.sent_bytes(), 40 * MIB, "each byte once");
    assert!(std::fs::read(snapshot(&home).join(FILE)).unwrap() == weights);
    let (home, hub) = (Home::new(), Hub::of(large));
    assert_eq!(finish(oai(&home, &hub, &["pull", REPO]).env("OAI_CONNECTIONS", "1")).0, 0);
    assert_eq!((hub.peak(), hub.sent_bytes()), (1, 40 * MIB));
}

#[test]
fn two_pulls_at_once_fetch_one_file() {
    let (home, hub) = (Home::new(), hub());
    hub.set(|ways| ways.rate = Some(8 * MIB));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| pull_whole(&home, &hub));
        }
    });
    assert!(hub.sent_bytes() <= WEIGHTS.len() as u64 + CHUNK / 8, "{} of {}", hub.sent_bytes(), WEIGHTS.len());
}

#[test]
fn the_second_goes_on_where_a_killed_first_was() {
    let (home, hub) = (Home::new(), hub());
    hub.set(|ways| ways.rate = Some(4 * MIB));
    let mut first = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"));
    first.env_clear().env("HOME", home.path()).env("HF_ENDPOINT", &hub.endpoint).env("OAI_CONNECTIONS", "1");
    let mut first = first.args(["pull", REPO]).stderr(std::process::Stdio::null()).spawn().unwrap();
    assert!(hub.wait_for_bytes(MIB, Duration::from_secs(30)));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| finish(&mut oai(&home, &hub, &["pull", REPO, "--json"])));
        assert!(hub.wait_for_bytes(3 * MIB, Duration::from_secs(30)));
        hub.set(|ways| ways.rate = None);
        first.kill().unwrap();
        first.wait().unwrap();
        let (code, stdout, stderr) = second.join().unwrap();
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains(r#""event":"waiting""#), "{stdout}");
    });
    assert_whole(&home);
    assert!(hub.sent_bytes() <= WEIGHTS.len() as u64 + 2 * MIB, "{}", hub.sent_bytes());
}

/// Python's tools lock a file (`flock`) before they fetch it; they see our lock, and we theirs.
#[test]
#[cfg(unix)]
fn a_file_that_python_is_fetching_is_waited_for() {
    let (home, hub) = (Home::new(), hub());
    let locks = home.path().join(".cache/huggingface/hub/.locks/models--org--repo");
    std::fs::create_dir_all(&locks).unwrap();
    let lock = std::fs::File::create(locks.join(format!("{}.lock", sha256(&WEIGHTS)))).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let pull = scope.spawn(|| (finish(&mut oai(&home, &hub, &["pull", REPO, "--json"])), Instant::now()));
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(hub.sent_bytes(), 0, "did not wait");
        let released = Instant::now();
        lock.unlock().unwrap();
        let ((code, stdout, stderr), ended) = pull.join().unwrap();
        assert_eq!(code, 0, "{stderr}");
        let waiting = stdout.lines().find(|line| line.contains(r#""event":"waiting""#));
        assert!(waiting.is_some_and(|line| line.contains(FILE)), "{stdout}");
        assert!(ended - released < Duration::from_secs(5));
    });
    assert_whole(&home);
}
