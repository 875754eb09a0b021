//! A pull that stopped goes on where it was, whatever stopped it and whatever it left.

use std::time::Duration;

use super::common::hub::{ALWAYS, At, Fault, Hub};
use super::common::{Home, finish, noise};
use super::{
    CHUNK, FILE, MIB, WEIGHTS, assert_fails, assert_nameless, assert_whole, blob, blobs, folder, hub, oai, pull,
    pull_whole,
};

/// A home with a part of the weights, as a pull left it that the hub cut off.
fn with_a_part(hub: &Hub) -> Home {
    let home = Home::new();
    hub.fault(At::Bytes, Fault::Cut(MIB + 300_000), 3);
    hub.fault(At::Bytes, Fault::Status(503), ALWAYS);
    assert_fails(pull(&home, hub), 6, &[FILE, "run the same pull again"]);
    hub.heal();
    assert_nameless(&home);
    assert!(blob(&home, ".oai-partial").exists(), "{:?}", blobs(&home));
    home
}

#[test]
fn what_a_broken_pull_fetched_is_not_fetched_again() {
    let hub = hub();
    let home = with_a_part(&hub);
    let before = hub.sent_bytes();
    assert!(before > 2 * MIB, "{before}");
    pull_whole(&home, &hub);
    let again = hub.sent_bytes() - before;
    // Three whole pieces came, of which one may be the short last; of what was begun a byte may come twice.
    assert!(again <= WEIGHTS.len() as u64 - 2 * MIB - 12_345, "{again} of {}", WEIGHTS.len());
}

#[test]
fn a_connection_that_breaks_again_and_again_is_no_failure() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Cut(700_000), ALWAYS);
    pull_whole(&home, &hub);
    assert!(hub.sent_bytes() <= WEIGHTS.len() as u64 + CHUNK, "{}", hub.sent_bytes());
}

/// One connection has brought its share and left; the other breaks, and nobody else is there.
#[test]
fn the_last_connection_goes_on_alone() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Slow(8 * MIB), 1);
    hub.fault(At::Bytes, Fault::Stall(500_000), 1);
    let mut command = oai(&home, &hub, &["pull", super::REPO]);
    command.env("OAI_CONNECTIONS", "2").env("HF_HUB_DOWNLOAD_TIMEOUT", "1").timeout(Duration::from_secs(20));
    let (code, _, stderr) = finish(&mut command);
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&home);
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_it_at_once_and_keeps_what_came() {
    let (home, hub) = (Home::new(), hub());
    hub.set(|ways| ways.rate = Some(4 * MIB));
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"));
    command.env_clear().env("HOME", home.path()).env("HF_ENDPOINT", &hub.endpoint).env("OAI_CONNECTIONS", "1");
    let child = command.args(["pull", super::REPO]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    assert!(hub.wait_for_bytes(2 * MIB + 100_000, Duration::from_secs(30)));
    let stopped = std::time::Instant::now();
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_nameless(&home);
    let before = hub.sent_bytes();
    hub.set(|ways| ways.rate = None);
    pull_whole(&home, &hub);
    assert!(hub.sent_bytes() - before <= WEIGHTS.len() as u64 - 2 * MIB + 100_000, "{before} {}", hub.sent_bytes());
}

#[test]
fn what_python_left_is_a_start() {
    let (home, hub) = (Home::new(), hub());
    std::fs::create_dir_all(folder(&home).join("blobs")).unwrap();
    std::fs::write(blob(&home, ".incomplete"), &WEIGHTS[..4 * MIB as usize + 5]).unwrap();
    pull_whole(&home, &hub);
    assert!(hub.sent_bytes() <= WEIGHTS.len() as u64 - 4 * MIB, "{}", hub.sent_bytes());
}

#[test]
fn what_someone_left_that_is_not_the_file_is_thrown_away() {
    // The prefix of another file, one that is longer than the file, nothing at all.
    for left in [noise(3 * MIB, 9), noise(9 * MIB, 9), noise(0, 9)] {
        let (home, hub) = (Home::new(), hub());
        std::fs::create_dir_all(folder(&home).join("blobs")).unwrap();
        std::fs::write(blob(&home, ".incomplete"), &left).unwrap();
        comes_whole_in_two(&home, &hub);
    }
}

/// What looks right and is not is found by its hash, and then it comes anew.
#[track_caller]
fn comes_whole_in_two(home: &Home, hub: &Hub) {
    let first = pull(home, hub);
    if first.0 != 0 {
        assert_fails(first, 6, &[FILE, "hash"]);
        assert_nameless(home);
    }
    pull_whole(home, hub);
}

#[test]
fn a_part_that_lost_its_bytes_in_a_power_cut_is_found_out() {
    let hub = hub();
    let home = with_a_part(&hub);
    // Blocks that never reached the disk read as zeros.
    let partial = blob(&home, ".oai-partial");
    let length = std::fs::metadata(&partial).unwrap().len();
    std::fs::write(&partial, vec![0; length as usize]).unwrap();
    comes_whole_in_two(&home, &hub);
}

#[test]
fn a_damaged_journal_costs_bytes_and_never_the_file() {
    type Damage = fn(&Home);
    let damages: [(&str, Damage); 7] = [
        ("garbage", |home| std::fs::write(blob(home, ".oai-journal"), noise(300, 3)).unwrap()),
        ("text", |home| std::fs::write(blob(home, ".oai-journal"), "0 1\n18446744073709551615 9\n-1 x\n").unwrap()),
        ("all set", |home| std::fs::write(blob(home, ".oai-journal"), vec![255; 4096]).unwrap()),
        ("empty", |home| std::fs::write(blob(home, ".oai-journal"), "").unwrap()),
        ("gone", |home| std::fs::remove_file(blob(home, ".oai-journal")).unwrap()),
        ("half", |home| {
            let journal = std::fs::read(blob(home, ".oai-journal")).unwrap();
            std::fs::write(blob(home, ".oai-journal"), &journal[..journal.len() / 2]).unwrap();
        }),
        ("alone", |home| std::fs::remove_file(blob(home, ".oai-partial")).unwrap()),
    ];
    for (what, damage) in damages {
        let hub = hub();
        let home = with_a_part(&hub);
        damage(&home);
        println!("{what}");
        comes_whole_in_two(&home, &hub);
    }
}

#[test]
fn a_part_of_another_length_is_no_trap() {
    for length in [0, 1, 2 * MIB + 7, WEIGHTS.len() as u64 + 99] {
        let hub = hub();
        let home = with_a_part(&hub);
        let partial = std::fs::OpenOptions::new().write(true).open(blob(&home, ".oai-partial")).unwrap();
        partial.set_len(length).unwrap();
        comes_whole_in_two(&home, &hub);
    }
}

#[test]
fn a_blob_that_was_cut_short_comes_anew() {
    let (home, hub) = (Home::new(), hub());
    pull_whole(&home, &hub);
    let file = std::fs::OpenOptions::new().write(true).open(blob(&home, "")).unwrap();
    file.set_len(MIB).unwrap();
    pull_whole(&home, &hub);
    // A link that leads nowhere is no file either.
    std::fs::remove_file(blob(&home, "")).unwrap();
    pull_whole(&home, &hub);
}

#[test]
fn a_new_file_under_the_old_name_is_not_mixed_with_the_old() {
    let hub = hub();
    let home = with_a_part(&hub);
    let newer = noise(6 * MIB, 2);
    let mut repo = super::Repo::new(super::REPO).file(FILE, newer.clone());
    repo.commit = "e".repeat(40);
    hub.add(repo);
    let (code, _, stderr) = finish(&mut oai(&home, &hub, &["pull", super::REPO]));
    assert_eq!(code, 0, "{stderr}");
    let found = folder(&home).join("snapshots").join("e".repeat(40)).join(FILE);
    assert!(std::fs::read(found).unwrap() == newer);
    assert_nameless(&home);
    hub.add(super::repo());
    pull(&home, &hub);
    assert!(std::fs::read(blob(&home, "")).unwrap() == *WEIGHTS);
}
