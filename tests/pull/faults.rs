//! What goes wrong on the way: each fault either heals by itself or ends in one line that says what
//! happened, and nothing that is not the file ever gets its name.

use std::time::{Duration, Instant, SystemTime};

use super::common::hub::{ALWAYS, At, Fault, Hub, Repo};
use super::common::{Home, finish};
use super::{
    FILE, MIB, REPO, WEIGHTS, assert_fails, assert_nameless, assert_whole, blobs, folder, hub, oai, pull, pull_whole,
    run,
};

#[test]
fn a_server_that_stumbles_is_asked_again() {
    for (at, status) in [(At::Metadata, 500), (At::Resolve, 502), (At::Bytes, 503), (At::Bytes, 504)] {
        let (home, hub) = (Home::new(), hub());
        hub.fault(at, Fault::Status(status), 1);
        pull_whole(&home, &hub);
    }
}

#[test]
fn a_server_that_keeps_failing_is_named_with_its_status() {
    for at in [At::Metadata, At::Resolve, At::Bytes] {
        let (home, hub) = (Home::new(), hub());
        hub.fault(at, Fault::Status(503), ALWAYS);
        assert_fails(pull(&home, &hub), 6, &["503", "again"]);
        assert_nameless(&home);
        // No storm: each connection tries twice at most.
        assert!(hub.take_log().len() < 40);
    }
}

#[test]
fn retry_after_is_honoured_in_seconds_and_as_a_date() {
    let seconds = || "2".to_owned();
    // A date has no fractions.
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    let whens: [(At, &dyn Fn() -> String); 3] = [(At::Metadata, &seconds), (At::Bytes, &seconds), (At::Bytes, &date)];
    for (at, when) in whens {
        let (home, hub) = (Home::new(), hub());
        let when = when();
        hub.fault(at, Fault::RetryAfter(429, when.clone()), 1);
        let start = Instant::now();
        pull_whole(&home, &hub);
        let took = start.elapsed().as_secs_f64();
        assert!(took >= 1.9, "{when}: {took}");
    }
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Metadata, Fault::RetryAfter(429, "1".to_owned()), ALWAYS);
    assert_fails(pull(&home, &hub), 6, &["429"]);
}

#[test]
fn a_silent_server_is_left_after_the_timeout() {
    let silent = |home: &Home, hub: &Hub, retries: &str| {
        finish(oai(home, hub, &["pull", REPO]).env("HF_HUB_DOWNLOAD_TIMEOUT", "1").env("OAI_RETRIES", retries))
    };
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Stall(MIB + 100_000), 1);
    let (code, _, stderr) = silent(&home, &hub, "1");
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&home);
    for at in [At::Metadata, At::Bytes] {
        let home = Home::new();
        hub.heal();
        hub.fault(at, Fault::Stall(0), ALWAYS);
        let start = Instant::now();
        assert_fails(silent(&home, &hub, "0"), 6, &["silent for 1 s"]);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[test]
fn slow_is_not_silent() {
    let repo = Repo::new(REPO).file(FILE, WEIGHTS.slice(..300_000));
    let (home, hub) = (Home::new(), Hub::of(repo));
    hub.fault(At::Bytes, Fault::Slow(150_000), ALWAYS);
    let (code, _, stderr) = finish(oai(&home, &hub, &["pull", REPO]).env("HF_HUB_DOWNLOAD_TIMEOUT", "1"));
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn answers_of_the_wrong_length_are_put_right() {
    for fault in [Fault::Short(100_000), Fault::Longer(1000), Fault::Cut(0)] {
        let (home, hub) = (Home::new(), hub());
        hub.fault(At::Bytes, fault.clone(), 1);
        println!("{fault:?}");
        pull_whole(&home, &hub);
    }
}

#[test]
fn answers_that_stay_wrong_end_in_an_error() {
    for fault in [Fault::OtherRange, Fault::RangeRefused, Fault::Page, Fault::Status(403), Fault::Status(404)] {
        let (home, hub) = (Home::new(), hub());
        hub.fault(At::Bytes, fault.clone(), ALWAYS);
        println!("{fault:?}");
        assert_fails(pull(&home, &hub), 6, &[REPO]);
        assert_nameless(&home);
        assert!(hub.take_log().len() < 100, "a storm of requests");
        hub.heal();
        pull_whole(&home, &hub);
    }
}

#[test]
fn a_damaged_file_is_thrown_away_and_said_so() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Corrupt, ALWAYS);
    assert_fails(pull(&home, &hub), 6, &[FILE, "hash", "thrown away"]);
    assert_eq!(blobs(&home), [], "what is damaged is no start for the next pull");
    assert_fails(run(&home, &hub, &["show", REPO]), 3, &[REPO]);
    hub.heal();
    pull_whole(&home, &hub);
}

#[test]
fn a_damaged_small_file_is_found_out_by_git_s_hash() {
    let repo = Repo::new(REPO).file("config.json", &b"{\"a\": 1}"[..]).file("tokenizer.json", &b"{}"[..]);
    let (home, hub) = (Home::new(), Hub::of(repo.file("model.safetensors", WEIGHTS.slice(..100_000))));
    hub.fault(At::Bytes, Fault::Corrupt, ALWAYS);
    assert_fails(pull(&home, &hub), 6, &["hash"]);
    // Others came beside it and were not finished.
    assert!(blobs(&home).iter().all(|(name, _)| name.contains('.')), "{:?}", blobs(&home));
    hub.heal();
    assert_eq!(pull(&home, &hub).0, 0);
    assert_eq!(blobs(&home).len(), 3);
}

#[test]
fn a_server_without_ranges_still_gives_the_file() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::RangeIgnored, ALWAYS);
    pull_whole(&home, &hub);
    let sent = hub.sent_bytes();
    assert!(sent < 3 * WEIGHTS.len() as u64, "the whole file on every connection: {sent}");
    // With a part here already, too.
    let home = Home::new();
    hub.heal();
    hub.fault(At::Bytes, Fault::Cut(MIB + 300_000), 2);
    hub.fault(At::Bytes, Fault::Status(503), ALWAYS);
    assert_fails(pull(&home, &hub), 6, &[FILE]);
    hub.heal();
    hub.fault(At::Bytes, Fault::RangeIgnored, ALWAYS);
    pull_whole(&home, &hub);
}

#[test]
fn a_signed_address_that_expires_is_asked_for_anew() {
    let (home, hub) = (Home::new(), hub());
    hub.set(|ways| ways.uses = 1);
    pull_whole(&home, &hub);
    let (home, hub) = (Home::new(), super::hub());
    hub.set(|ways| (ways.lives, ways.rate) = (Duration::from_millis(300), Some(4 * MIB)));
    hub.fault(At::Bytes, Fault::Cut(400_000), 6);
    pull_whole(&home, &hub);
}

#[test]
fn what_is_no_hub_is_said_so() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Metadata, Fault::Page, ALWAYS);
    assert_fails(pull(&home, &hub), 6, &["is HF_ENDPOINT a hub?"]);
    hub.heal();
    hub.fault(At::Metadata, Fault::Cut(0), ALWAYS);
    assert_fails(pull(&home, &hub), 6, &[&hub.endpoint, "check the connection"]);
    hub.heal();
    hub.fault(At::Resolve, Fault::Redirect(format!("/{REPO}/resolve/main/{FILE}")), ALWAYS);
    assert_fails(pull(&home, &hub), 6, &["redirects in circles"]);
    hub.heal();
    hub.fault(At::Metadata, Fault::Redirect(format!("/api/models/{REPO}/revision/main?blobs=true")), ALWAYS);
    assert_fails(pull(&home, &hub), 6, &["redirects in circles"]);
    assert_nameless(&home);
}

#[test]
fn a_hub_that_lies_about_sizes_is_not_believed() {
    for size in [WEIGHTS.len() as u64 + 10, WEIGHTS.len() as u64 - 10, 0, 1] {
        for network in [true, false] {
            let (home, hub) = (Home::new(), Hub::of(repo_with_size(size)));
            hub.set(|ways| ways.network = network);
            assert_fails(pull(&home, &hub), 6, &[FILE]);
            assert_nameless(&home);
        }
    }
}

fn repo_with_size(size: u64) -> Repo {
    Repo::new(REPO).file(FILE, WEIGHTS.clone()).of_size(size)
}

#[test]
fn hashes_and_commits_that_are_none_become_no_names() {
    let evil = "../../../../../evil";
    for (hash, hashes) in [(evil, true), (evil, false), ("", true), ("", false), ("main", false)] {
        let (home, hub) = (Home::new(), Hub::of(super::repo().of_hash(hash)));
        hub.set(|ways| ways.hashes = hashes);
        assert_fails(pull(&home, &hub), 6, &["hash"]);
        assert_nameless(&home);
        assert_eq!(blobs(&home), []);
    }
    for commit in ["../../../../evil", "", "main", "/evil"] {
        let mut repo = super::repo();
        repo.commit = commit.to_owned();
        let (home, hub) = (Home::new(), Hub::of(repo));
        assert_fails(pull(&home, &hub), 6, &["commit"]);
        assert!(!folder(&home).join("snapshots").exists() && !home.path().join("evil").exists());
    }
}
