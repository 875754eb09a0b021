//! A pull that goes well: what is asked, what lies in the cache afterwards, and what can be done
//! with it.

use super::common::hub::{Asked, COMMIT, Hub, Repo, sha256};
use super::common::{GUIDE, Home, assert_error, finish};
use super::{FILE, REPO, assert_whole, blobs, folder, hub, oai, pull_whole, repo, run, snapshot};

const GUIDE_FILE: &str = "tiny-Q8_0.gguf";

fn guide_hub() -> Hub {
    Hub::start(&[("README.md", b"# tiny"), (GUIDE_FILE, GUIDE)], None)
}

#[test]
fn pull_list_show_ask_rm() {
    let (home, hub) = (Home::new(), guide_hub());
    let (code, stdout, stderr) = run(&home, &hub, &["pull", REPO]);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("pulled org/repo:Q8_0"), "{stderr}");

    // Python's layout: a link in the snapshot, a reference, a blob named by its SHA-256.
    assert_eq!(std::fs::read(snapshot(&home).join(GUIDE_FILE)).unwrap(), GUIDE);
    assert_eq!(std::fs::read_to_string(folder(&home).join("refs/main")).unwrap(), COMMIT);
    assert_eq!(blobs(&home), [(sha256(GUIDE), GUIDE.len() as u64)]);

    let (_, list, _) = run(&home, &hub, &["list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["name"], &list[1]["name"]), (&"org/repo:Q8_0".into(), &"guide".into()));
    let (_, text, _) = run(&home, &hub, &["ls"]);
    assert!(text.contains("org/repo:Q8_0"), "{text}");

    let (code, shown, _) = run(&home, &hub, &["show", REPO, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &shown["architecture"], &shown["quantization"]), (0, &"llama".into(), &"Q8_0".into()));

    // What was pulled answers from now on, without a note about the guide.
    let (code, stdout, stderr) = run(&home, &hub, &["ask", "-t", "0", "How do I resume a pull?"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("oai pull"), "{stdout}");

    hub.take_log();
    let (code, ..) = run(&home, &hub, &["pull", "org/repo:q8_0"]);
    assert_eq!(code, 0);
    assert!(!hub.take_log().iter().any(Asked::is_for_bytes), "fetched again what was here");

    assert_error(run(&home, &hub, &["rm", REPO]), 2, &["-y"]);
    let (code, _, stderr) = run(&home, &hub, &["rm", "-y", REPO]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!folder(&home).exists());
    assert_error(run(&home, &hub, &["ask", "-m", REPO, "hi"]), 3, &["org/repo", "oai pull"]);
}

#[test]
fn one_question_then_bytes() {
    let (home, hub) = (Home::new(), hub());
    pull_whole(&home, &hub);
    let log = hub.take_log();
    let asked: Vec<&Asked> = log.iter().filter(|asked| !asked.is_for_bytes()).collect();
    let [info] = asked[..] else { panic!("{asked:#?}") };
    assert_eq!((info.path.as_str(), info.query.as_str()), ("/api/models/org/repo/revision/main", "blobs=true"));
    // Plain HTTP only: nothing is asked of xet's servers, nothing is reported.
    assert!(!log.iter().any(|asked| asked.path.contains("xet-") && asked.host == "hub"), "{log:#?}");
    assert!(log.iter().any(|asked| asked.host == "network"), "{log:#?}");

    pull_whole(&home, &hub);
    assert!(!hub.take_log().iter().any(Asked::is_for_bytes), "fetched again what was here");
    assert_eq!(run(&home, &hub, &["pull", REPO, "--force"]).0, 0);
    assert!(hub.take_log().iter().any(Asked::is_for_bytes), "--force fetches again");
    assert_whole(&home);
}

#[test]
fn a_mirror_that_tells_no_hashes_is_asked_for_each_file() {
    for network in [false, true] {
        let (home, hub) = (Home::new(), hub());
        hub.set(|ways| (ways.hashes, ways.network) = (false, network));
        pull_whole(&home, &hub);
        let log = hub.take_log();
        assert!(log.iter().any(|asked| asked.method == "HEAD" && asked.path.ends_with(FILE)), "{log:#?}");
    }
}

#[test]
fn a_mirror_below_a_path_is_a_hub_too() {
    for ending in ["/mirror", "/mirror/", "/"] {
        let (home, hub) = (Home::new(), hub());
        let endpoint = format!("{}{ending}", hub.endpoint);
        let (code, _, stderr) = finish(oai(&home, &hub, &["pull", REPO]).env("HF_ENDPOINT", endpoint));
        assert_eq!(code, 0, "{stderr}");
        assert_whole(&home);
        let log = hub.take_log();
        assert!(log[0].path.starts_with(ending.trim_end_matches('/')), "{log:#?}");
    }
}

#[test]
fn many_files_come_side_by_side() {
    let mut repo = Repo::new(REPO).file("config.json", &b"{}"[..]);
    for index in 0..120 {
        let part = super::WEIGHTS.slice(index * 1000..(index + 1) * 1000 + index);
        repo = repo.file(&format!("model-{index:05}-of-00120.safetensors"), part);
    }
    let (home, hub) = (Home::new(), Hub::of(repo));
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!((blobs(&home).len(), std::fs::read_dir(snapshot(&home)).unwrap().count()), (121, 121));
    assert!(hub.peak() <= 8, "{} at once", hub.peak());
}

#[test]
fn a_renamed_repository_and_another_revision() {
    let mut moved = repo();
    moved.old_names.push("old/name".to_owned());
    moved.revisions.push("refs/pr/1".to_owned());
    let (home, hub) = (Home::new(), Hub::of(moved));
    let (code, _, stderr) = run(&home, &hub, &["pull", "old/name"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO, "--revision", "refs/pr/1"]);
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&home);
    // Where Python keeps it: the revision's own folders below `refs`.
    assert_eq!(std::fs::read_to_string(folder(&home).join("refs/refs/pr/1")).unwrap(), COMMIT);
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO, "--revision", COMMIT]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!folder(&home).join("refs").join(COMMIT).exists(), "a commit needs no reference");
    assert_error(run(&home, &hub, &["pull", REPO, "--revision", "nothing"]), 6, &["revision nothing", REPO]);
    assert_error(run(&home, &hub, &["pull", REPO, "--revision", "../../main"]), 6, &["../../main"]);
}

#[test]
fn a_new_commit_fetches_what_changed() {
    let files = |config: &'static [u8]| {
        let repo = Repo::new(REPO).file("config.json", config).file("tokenizer.json", &b"{}"[..]);
        repo.file("model.safetensors", super::WEIGHTS.clone())
    };
    let (home, hub) = (Home::new(), Hub::of(files(b"{\"old\": 1}")));
    assert_eq!(run(&home, &hub, &["pull", REPO]).0, 0);
    let before = hub.sent_bytes();
    let mut next = files(b"{\"new\": 1}");
    next.commit = "f".repeat(40);
    hub.add(next);
    assert_eq!(run(&home, &hub, &["pull", REPO]).0, 0);
    assert!(hub.sent_bytes() - before < 100, "{}", hub.sent_bytes() - before);
    let newest = folder(&home).join("snapshots").join("f".repeat(40));
    assert_eq!(std::fs::read(newest.join("config.json")).unwrap(), b"{\"new\": 1}");
    assert!(newest.join("model.safetensors").exists());
    assert_eq!(std::fs::read_to_string(folder(&home).join("refs/main")).unwrap(), "f".repeat(40));
}

#[test]
fn choices_urls_and_names_that_are_not_there() {
    let home = Home::new();
    let hub = Hub::start(&[("a-Q8_0.gguf", GUIDE), ("a-Q4_K_M.gguf", GUIDE), ("b.gguf", GUIDE)], None);
    assert_error(run(&home, &hub, &["pull", "org/repo:Q2_K"]), 6, &["Q2_K", "Q4_K_M (2.2 MB), Q8_0 (2.2 MB), b ("]);
    let (code, _, stderr) = run(&home, &hub, &["pull", &format!("{}/org/repo/resolve/main/b.gguf", hub.endpoint)]);
    assert_eq!(code, 0, "{stderr}");
    let (_, _, stderr) = run(&home, &hub, &["pull", REPO]);
    // So small a model comes in eight bits.
    assert!(stderr.contains("org/repo:Q8_0"), "{stderr}");
    assert_error(run(&home, &hub, &["pull", "org/nothing"]), 6, &["org/nothing"]);
    assert_error(run(&home, &hub, &["pull", "mistrl-7b"]), 3, &["did you mean mistral-7b"]);
    assert_error(run(&home, &hub, &["pull", "guide"]), 2, &["guide"]);
    let nowhere = finish(home.oai(&["pull", REPO]).env("HF_ENDPOINT", "http://127.0.0.1:9").env("OAI_RETRIES", "0"));
    assert_error(nowhere, 6, &["http://127.0.0.1:9", "HF_ENDPOINT"]);
}

#[test]
fn a_safetensors_repository_comes_as_a_set() {
    let home = Home::new();
    let files: [(&str, &[u8]); 4] =
        [("config.json", b"{}"), ("tokenizer.json", b"{}"), ("model.safetensors", b"x"), ("pytorch_model.bin", b"y")];
    let hub = Hub::start(&files, None);
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(blobs(&home).len(), 2, "equal files are one blob, and the .bin is not fetched");
    assert_error(run(&home, &hub, &["ask", "-m", REPO, "hi"]), 4, &["model.safetensors"]);
}

#[test]
fn empty_files_and_names_with_spaces_come_too() {
    let repo = Repo::new(REPO).file("config.json", &b"{}"[..]).file("merges.txt", &b""[..]);
    let repo =
        repo.file("model one%20 é+#?.safetensors", super::WEIGHTS.slice(..70_000)).file("vocab.json", &b"{}"[..]);
    let (home, hub) = (Home::new(), Hub::of(repo));
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(std::fs::read(snapshot(&home).join("merges.txt")).unwrap(), b"");
    assert_eq!(std::fs::read(snapshot(&home).join("model one%20 é+#?.safetensors")).unwrap(), super::WEIGHTS[..70_000]);
}
