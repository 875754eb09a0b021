//! Pull, list, show, ask and rm against a hub on the loopback interface.

mod common;

use common::hub::{ALWAYS, Asked, At, COMMIT, Fault, Hub, TOKEN};
use common::{GUIDE, Home, assert_error, finish};

const FILE: &str = "tiny-Q8_0.gguf";
const REPO: &str = "org/repo";

fn hub() -> Hub {
    Hub::start(&[("README.md", b"# tiny"), (FILE, GUIDE)], None)
}

fn run(home: &Home, hub: &Hub, args: &[&str]) -> (i32, String, String) {
    finish(home.oai(args).env("HF_ENDPOINT", &hub.endpoint))
}

fn blobs(home: &Home) -> Vec<(String, u64)> {
    let folder = home.path().join(".cache/huggingface/hub/models--org--repo/blobs");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len()))
        .collect()
}

#[test]
fn pull_list_show_ask_rm() {
    let (home, hub) = (Home::new(), hub());
    let (code, stdout, stderr) = run(&home, &hub, &["pull", REPO]);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("pulled org/repo:Q8_0"), "{stderr}");

    // Python's layout: a link in the snapshot, a reference, a blob named by its SHA-256.
    let folder = home.path().join(".cache/huggingface/hub/models--org--repo");
    assert_eq!(std::fs::read(folder.join("snapshots").join(COMMIT).join(FILE)).unwrap(), GUIDE);
    assert_eq!(std::fs::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(blobs(&home).len(), 1);

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
    assert!(!folder.exists());
    assert_error(run(&home, &hub, &["ask", "-m", REPO, "hi"]), 3, &["org/repo", "oai pull"]);
}

#[test]
fn an_interrupted_pull_goes_on_where_it_stopped() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Cut(50_000), ALWAYS);
    assert_error(run(&home, &hub, &["pull", REPO]), 6, &[FILE, "run the same pull again"]);
    assert!(blobs(&home)[0].0.ends_with(".incomplete"), "{:?}", blobs(&home));
    let have = blobs(&home)[0].1;
    assert!(have > 0 && have <= 50_000, "{have}");
    hub.take_log();
    hub.heal();
    assert_eq!(run(&home, &hub, &["pull", REPO]).0, 0);
    let log = hub.take_log();
    assert!(log.iter().any(|asked| asked.range == format!("bytes={have}-")), "{log:?}");
    assert_eq!(blobs(&home)[0].1, GUIDE.len() as u64);
}

#[test]
fn what_is_not_the_file_never_gets_its_name() {
    let (home, hub) = (Home::new(), hub());
    hub.fault(At::Bytes, Fault::Corrupt, ALWAYS);
    assert_error(run(&home, &hub, &["pull", REPO]), 6, &[FILE, "hash"]);
    assert_eq!(blobs(&home), []);
    hub.heal();
    hub.fault(At::Bytes, Fault::Status(403), ALWAYS);
    assert_error(run(&home, &hub, &["pull", REPO]), 6, &["403", "HF_TOKEN", REPO]);
    assert!(blobs(&home).iter().all(|(_, size)| *size == 0), "{:?}", blobs(&home));
    assert_error(run(&home, &hub, &["show", REPO]), 3, &[REPO]);
}

#[test]
fn a_token_opens_gated_repositories() {
    let home = Home::new();
    let hub = Hub::start(&[(FILE, GUIDE)], Some(TOKEN));
    assert_error(run(&home, &hub, &["pull", REPO]), 6, &["HF_TOKEN"]);
    let (code, _, stderr) = finish(home.oai(&["pull", REPO]).env("HF_ENDPOINT", &hub.endpoint).env("HF_TOKEN", TOKEN));
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn choices_urls_and_names_that_are_not_there() {
    let home = Home::new();
    let hub = Hub::start(&[("a-Q8_0.gguf", GUIDE), ("a-Q4_K_M.gguf", GUIDE), ("b.gguf", GUIDE)], None);
    assert_error(run(&home, &hub, &["pull", "org/repo:Q2_K"]), 6, &["Q2_K", "Q4_K_M, Q8_0"]);
    let (code, _, stderr) = run(&home, &hub, &["pull", &format!("{}/org/repo/resolve/main/b.gguf", hub.endpoint)]);
    assert_eq!(code, 0, "{stderr}");
    let (_, _, stderr) = run(&home, &hub, &["pull", REPO]);
    assert!(stderr.contains("org/repo:Q4_K_M"), "{stderr}");
    assert_error(run(&home, &hub, &["pull", "org/nothing"]), 6, &["org/nothing"]);
    assert_error(run(&home, &hub, &["pull", "mistrl-7b"]), 3, &["did you mean mistral-7b"]);
    assert_error(run(&home, &hub, &["pull", "guide"]), 2, &["guide"]);
    let nowhere = finish(home.oai(&["pull", REPO]).env("HF_ENDPOINT", "http://127.0.0.1:9"));
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
#[cfg(unix)]
fn a_cache_that_cannot_be_written_is_said_so() {
    let (home, hub) = (Home::new(), hub());
    let blocked = home.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let result = finish(home.oai(&["pull", REPO]).env("HF_ENDPOINT", &hub.endpoint).env("HF_HOME", &blocked));
    assert_error(result, 7, &["HF_HOME", "file"]);
}
