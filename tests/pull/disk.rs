//! The disk: no room, no permission, and names and links that lead out of the cache.

use std::path::Path;

use super::common::hub::{Hub, Repo};
use super::common::{Home, finish};
use super::{
    FILE, MIB, REPO, WEIGHTS, assert_fails, assert_nameless, assert_whole, blob, folder, hub, oai, pull, pull_whole,
    snapshot, tree,
};

#[test]
fn a_disk_without_room_is_said_so_before_a_byte_is_asked_for() {
    let exabyte = 1_u64 << 60;
    let (home, hub) = (Home::new(), Hub::of(super::repo().of_size(exabyte)));
    assert_fails(pull(&home, &hub), 7, &["no room", "HF_HOME"]);
    assert_eq!(hub.sent_bytes(), 0);
    assert!(!hub.take_log().iter().any(super::common::hub::Asked::is_for_bytes));
    // Sizes whose sum is more than a number holds.
    let repo = Repo::new(REPO).file("config.json", &b"{}"[..]).file("a.safetensors", &b"a"[..]).of_size(u64::MAX);
    let repo = repo.file("b.safetensors", &b"b"[..]).of_size(u64::MAX);
    assert_fails(pull(&home, &Hub::of(repo)), 7, &["no room"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_said_so() {
    let (home, hub) = (Home::new(), hub());
    let blocked = home.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    assert_fails(finish(oai(&home, &hub, &["pull", REPO]).env("HF_HOME", &blocked)), 7, &["HF_HOME", "file"]);
    // Where not even root may write.
    #[cfg(target_os = "linux")]
    assert_fails(finish(oai(&home, &hub, &["pull", REPO]).env("HF_HOME", "/proc/oai")), 7, &["HF_HOME", "/proc/oai"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_on_the_way_loses_nothing() {
    let (home, hub) = (Home::new(), hub());
    // A limit on the size of files stands for a full disk: the write fails, and not at its start.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", 3 * MIB / 512);
    let program = assert_cmd::cargo::cargo_bin("oai");
    let mut command = assert_cmd::Command::new("bash");
    command.env_clear().env("HOME", home.path()).env("HF_ENDPOINT", &hub.endpoint).env("PATH", "/usr/bin:/bin");
    command.args(["-c", &script, "bash"]).arg(program).args(["pull", REPO]);
    assert_fails(finish(&mut command), 7, &["HF_HOME"]);
    assert_nameless(&home);
    pull_whole(&home, &hub);
}

#[test]
fn names_from_the_hub_never_leave_the_cache() {
    let names = [
        "../evil.gguf",
        "/evil.gguf",
        "a/../../../../evil.gguf",
        "a\\..\\evil.gguf",
        "./evil.gguf",
        "a//evil.gguf",
        "..\\..\\evil.gguf",
        "C:\\evil.gguf",
    ];
    for name in names {
        let (home, hub) = (Home::new(), Hub::of(Repo::new(REPO).file(name, WEIGHTS.slice(..1000))));
        let (code, _, stderr) = pull(&home, &hub);
        assert_eq!((code, stderr.trim_end().lines().count()), (6, 1), "{name}: {stderr}");
        assert_eq!(hub.sent_bytes(), 0, "{name}");
        let found: Vec<_> =
            tree(home.path()).into_iter().filter(|path| path.to_string_lossy().contains("evil")).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    // A line in a name is no line on the terminal.
    let (home, hub) = (Home::new(), Hub::of(Repo::new(REPO).file("a\n\x1b[31mb.gguf", WEIGHTS.slice(..1000))));
    let (_, stdout, stderr) = pull(&home, &hub);
    assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{stdout}{stderr}");
}

#[test]
fn a_repository_that_calls_itself_something_else_leads_nowhere() {
    for id in ["../../evil", "org/../evil", "evil", "a/b/c", ""] {
        let mut repo = super::repo();
        repo.page["id"] = id.into();
        let (home, hub) = (Home::new(), Hub::of(repo));
        pull_whole(&home, &hub);
        assert!(!home.path().join("evil").exists() && !home.path().join(".cache/evil").exists());
    }
}

/// What lies where the cache is to write is a link to a file of someone else's.
#[test]
#[cfg(unix)]
fn links_are_not_written_through() {
    use std::os::unix::fs::symlink;
    type Place = fn(&Home) -> std::path::PathBuf;
    let places: [(&str, Place); 6] = [
        ("partial", |home| blob(home, ".oai-partial")),
        ("journal", |home| blob(home, ".oai-journal")),
        ("python's part", |home| blob(home, ".incomplete")),
        ("blob", |home| blob(home, "")),
        ("snapshot", |home| snapshot(home).join(FILE)),
        ("reference", |home| folder(home).join("refs/main")),
    ];
    for (what, place) in places {
        for there in [true, false] {
            let (home, hub) = (Home::new(), hub());
            let victim = home.path().join("victim");
            if there {
                std::fs::write(&victim, "mine").unwrap();
            }
            let link = place(&home);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(&victim, &link).unwrap();
            // To refuse is as good as to replace the link.
            let (code, _, stderr) = pull(&home, &hub);
            println!("{what}, there: {there}: {code} {stderr}");
            assert!([0, 7].contains(&code), "{what}: {stderr}");
            assert_eq!(std::fs::read_to_string(&victim).ok().as_deref(), there.then_some("mine"), "{what}");
            if code == 0 {
                assert_whole(&home);
            }
        }
    }
}

/// A folder of the cache that is a link to another disk is the user's own doing, and used.
#[test]
#[cfg(unix)]
fn a_cache_on_another_disk_is_used() {
    let (home, hub) = (Home::new(), hub());
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".cache")).unwrap();
    std::os::unix::fs::symlink(other.path(), home.path().join(".cache/huggingface")).unwrap();
    pull_whole(&home, &hub);
    assert!(Path::new(other.path()).join("hub/models--org--repo/snapshots").exists());
}
