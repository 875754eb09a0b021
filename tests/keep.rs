//! What is on this machine: listed, imported, removed, pruned, counted, verified and locked, through the real
//! binary, over caches that the tests lay out themselves.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{GUIDE, Home, assert_error, finish, write_model_with_memory};
use oai::hub::provenance::{self, Record};
use oai::hub::{RemoteFile, lock_file};
use serde_json::Value;
use sha2::{Digest, Sha256};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const QUESTION: &[&str] = &["-t", "0", "How do I resume a pull?"];

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn cache(home: &Home) -> PathBuf {
    home.path().join(".cache/huggingface/hub")
}

fn data(home: &Home) -> PathBuf {
    home.path().join(".local/share/oai")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A repository as Hugging Face's tools lay it out.
struct Repo(PathBuf);

impl Repo {
    fn new(home: &Home, name: &str) -> Repo {
        Repo(cache(home).join(format!("models--{}", name.replace('/', "--"))))
    }

    /// A blob and its name in a snapshot.
    fn file(&self, commit: &str, path: &str, bytes: &[u8]) -> &Repo {
        let blob = self.0.join("blobs").join(sha256(bytes));
        write(&blob, bytes);
        self.link(commit, path, &format!("{}blobs/{}", "../".repeat(2 + path.matches('/').count()), sha256(bytes)))
    }

    fn link(&self, commit: &str, path: &str, target: &str) -> &Repo {
        let link = self.0.join("snapshots").join(commit).join(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
        self
    }

    fn refer(&self, name: &str, commit: &str) -> &Repo {
        write(&self.0.join("refs").join(name), commit.as_bytes());
        self
    }

    fn blob(&self, bytes: &[u8]) -> PathBuf {
        self.0.join("blobs").join(sha256(bytes))
    }
}

/// The guide with other bytes: another file, as good a model.
fn variant(home: &Home) -> Vec<u8> {
    let path = home.path().join("variant.gguf");
    write_model_with_memory(&path);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    bytes
}

fn json(home: &Home, args: &[&str]) -> Value {
    let (code, stdout, stderr) = home.run(args);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

fn row<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} in {list}"))
}

/// Lengths of all regular files below, each once: what deleting all of it would free.
fn held(folder: &Path) -> u64 {
    let mut seen = std::collections::HashSet::new();
    let mut left = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let metadata = fs::symlink_metadata(entry.path()).unwrap();
            if metadata.is_dir() {
                left.push(entry.path());
            } else if metadata.is_file() && seen.insert(metadata.ino()) {
                bytes += metadata.len();
            }
        }
    }
    bytes
}

fn age(path: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    File::open(path).unwrap().set_times(times).unwrap();
}

fn seconds_ago(row: &Value) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    now - row["used"].as_u64().unwrap()
}

#[test]
fn a_list_says_what_each_model_is_and_counts_shared_disk_once() {
    let home = Home::new();
    let (one, other) = (Repo::new(&home, "org/one"), Repo::new(&home, "org/other"));
    one.file(OLD, "tiny-Q8_0.gguf", GUIDE).file(NEW, "tiny-Q8_0.gguf", GUIDE).refer("main", NEW);
    // The same bytes by another repository: one file on the disk.
    other.link(NEW, "same-Q8_0.gguf", &format!("../../blobs/{}", sha256(GUIDE)));
    fs::create_dir_all(other.0.join("blobs")).unwrap();
    fs::hard_link(one.blob(GUIDE), other.blob(GUIDE)).unwrap();
    Repo::new(&home, "org/broken").file(NEW, "broken-Q4_0.gguf", &GUIDE[..1000]);

    let list = json(&home, &["list", "--json"]);
    let good = row(&list, "org/one:Q8_0");
    assert_eq!((&good["architecture"], &good["quantization"]), (&"llama".into(), &"Q8_0".into()));
    assert_eq!((&good["problem"], &good["place"], &good["commit"]), (&Value::Null, &"cache".into(), &NEW.into()));
    let broken = row(&list, "org/broken:Q4_0");
    assert!(broken["problem"].as_str().unwrap().contains("truncated"), "{broken}");
    let (_, text, _) = home.run(&["list"]);
    assert!(text.starts_with("NAME") && text.contains("(damaged)"), "{text}");
    let total = text.lines().last().unwrap();
    let once = (GUIDE.len() + 1000) as f64 / 1e6;
    assert_eq!(total.split_whitespace().collect::<Vec<_>>(), ["TOTAL", &format!("{once:.1}"), "MB"], "{text}");
}

#[test]
fn when_a_model_was_used_is_noted_and_looking_is_no_use() {
    let home = Home::new();
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "tiny-Q8_0.gguf", GUIDE);
    age(&repo.blob(GUIDE), 9);
    for _ in 0..2 {
        let list = json(&home, &["list", "--json"]);
        assert!(seconds_ago(row(&list, "org/repo:Q8_0")) > 9 * 86_400, "{list}");
    }
    assert_eq!(home.run(&[&["ask", "-m", "org/repo"], QUESTION].concat()).0, 0);
    let list = json(&home, &["list", "--json"]);
    assert!(seconds_ago(row(&list, "org/repo:Q8_0")) < 3600, "{list}");
    // Where nothing can be written the model answers all the same.
    fs::remove_dir_all(home.path().join(".local")).unwrap();
    fs::write(home.path().join(".local"), "").unwrap();
    let (code, _, stderr) = home.run(&[&["ask", "-m", "org/repo"], QUESTION].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[test]
fn links_out_of_a_repository_are_told_not_followed_and_deleted_as_links() {
    let home = Home::new();
    let secret = home.path().join("secret.gguf");
    fs::write(&secret, GUIDE).unwrap();
    fs::create_dir(home.path().join("folder")).unwrap();
    fs::write(home.path().join("folder/kept-Q8_0.gguf"), GUIDE).unwrap();
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "tiny-Q8_0.gguf", GUIDE);
    repo.link(NEW, "evil-Q4_0.gguf", secret.to_str().unwrap());
    repo.link(NEW, "sub", home.path().join("folder").to_str().unwrap());
    // A set whose tokenizer leads away is no model: loading it would read that.
    let set = Repo::new(&home, "org/set");
    set.file(NEW, "config.json", b"{}").file(NEW, "model.safetensors", b"x");
    set.link(NEW, "tokenizer.json", secret.to_str().unwrap());
    // A blob that is a link itself.
    let blob = Repo::new(&home, "org/blob");
    blob.link(NEW, "m-Q8_0.gguf", "../../blobs/abc");
    fs::create_dir_all(blob.0.join("blobs")).unwrap();
    symlink(&secret, blob.0.join("blobs/abc")).unwrap();

    assert_eq!(names(&json(&home, &["list", "--json"])), ["org/repo:Q8_0", "guide"]);
    let all = json(&home, &["list", "--all", "--json"]);
    let foreign: Vec<_> = all.as_array().unwrap().iter().filter(|row| row["place"] == "foreign").collect();
    assert_eq!(foreign.len(), 4, "{all}");
    assert_error(home.run(&["ask", "-m", "org/repo:Q4_0", "hi"]), 3, &["org/repo"]);
    let (code, _, stderr) = home.run(&["rm", "-y", "org/repo"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!repo.0.exists() && secret.exists() && home.path().join("folder/kept-Q8_0.gguf").exists());
    assert_eq!(home.run(&["prune", "-y"]).0, 0);
    assert!(secret.exists());
}

#[test]
fn removing_frees_what_it_says() {
    let home = Home::new();
    let other = variant(&home);
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "tiny-Q8_0.gguf", GUIDE).file(OLD, "tiny-Q8_0.gguf", &other).refer("main", NEW);
    // The larger file has another name in the repository, and the smaller one a hard link elsewhere.
    repo.link(NEW, "same-Q4_0.gguf", &format!("../../blobs/{}", sha256(GUIDE)));
    fs::hard_link(repo.blob(&other), home.path().join("mine.gguf")).unwrap();
    write(&cache(&home).join(".locks/models--org--repo/x.lock"), b"");
    write(&repo.0.join("blobs").join(format!("{}.incomplete", "ab".repeat(32))), &[1; 5000]);
    let (code, _, stderr) = home.run(&["rm", "-y", "org/repo:Q8_0"]);
    assert_eq!(code, 0);
    assert!(stderr.contains("removed org/repo:Q8_0 (0 B freed; the rest has other names and stays)"), "{stderr}");
    assert!(!repo.blob(&other).exists() && home.path().join("mine.gguf").exists());
    assert!(!repo.0.join("snapshots").join(OLD).exists(), "an empty snapshot stays");
    let before = held(&cache(&home));
    let (_, _, stderr) = home.run(&["rm", "-y", "org/repo"]);
    let freed = format!("({:.1} MB freed)", before as f64 / 1e6);
    assert!(stderr.contains(&freed), "{stderr} is not {freed}");
    assert_eq!(held(&cache(&home)), 0);
    assert!(!repo.0.exists() && !cache(&home).join(".locks/models--org--repo").exists());
}

#[test]
fn several_names_are_counted_together() {
    let home = Home::new();
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "a-Q8_0.gguf", GUIDE);
    repo.link(NEW, "b-Q4_0.gguf", &format!("../../blobs/{}", sha256(GUIDE)));
    let (code, _, stderr) = home.run(&["rm", "org/repo:Q8_0"]);
    assert_eq!(code, 2, "{stderr}");
    let (code, _, stderr) = home.run(&["rm", "-y", "org/repo:Q8_0", "org/repo:Q4_0", "org/repo:q8_0"]);
    let freed = format!("removed org/repo:Q8_0, org/repo:Q4_0 ({:.1} MB freed", GUIDE.len() as f64 / 1e6);
    assert!(code == 0 && stderr.contains(&freed), "{stderr} is not {freed}");
    assert!(!repo.0.exists());
    assert_error(home.run(&["rm", "-y", "org/repo"]), 3, &["org/repo"]);
}

#[test]
fn an_unfinished_download_is_removed_by_its_name_unless_it_goes_on() {
    let home = Home::new();
    let repo = Repo::new(&home, "org/repo");
    let hash = "ab".repeat(32);
    write(&repo.0.join("blobs").join(format!("{hash}.oai-partial")), &[1; 20_000]);
    write(&repo.0.join("blobs").join(format!("{hash}.oai-journal")), &[1; 100]);
    let lock = cache(&home).join(format!(".locks/models--org--repo/{hash}.lock"));
    write(&lock, b"");
    let all = json(&home, &["list", "--all", "--json"]);
    assert_eq!((&all[1]["place"], &all[1]["size_bytes"]), (&"partial".into(), &20_100.into()), "{all}");
    let held = File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    assert_error(home.run(&["rm", "-y", "org/repo"]), 1, &["org/repo", "another process"]);
    drop(held);
    let (code, _, stderr) = home.run(&["rm", "-y", "org/repo"]);
    assert!(code == 0 && stderr.contains("(20.1 kB freed)"), "{stderr}");
    assert!(!repo.0.exists() && !lock.exists());
}

#[test]
fn pruning_takes_what_nobody_needs() {
    let home = Home::new();
    let other = variant(&home);
    let repo = Repo::new(&home, "org/repo");
    repo.file(OLD, "tiny-Q8_0.gguf", &other).file(NEW, "tiny-Q8_0.gguf", GUIDE).refer("main", NEW);
    age(&repo.0.join("snapshots").join(OLD), 3);
    // What only an old snapshot has is wanted; so is a commit that was pulled by its hash.
    let only = Repo::new(&home, "org/only");
    only.file(OLD, "tiny-Q4_0.gguf", GUIDE).file(NEW, "tiny-Q8_0.gguf", GUIDE).refer("main", NEW);
    age(&only.0.join("snapshots").join(OLD), 3);
    let pinned = Repo::new(&home, "org/pinned");
    pinned.file(OLD, "tiny-Q8_0.gguf", GUIDE).file(NEW, "tiny-Q8_0.gguf", GUIDE).refer("main", NEW);
    age(&pinned.0.join("snapshots").join(OLD), 3);
    provenance::record(&data(&home), &made("org/pinned", OLD, OLD, &[])).unwrap();
    // Data sets are none of ours, whatever they look like.
    let data_set = cache(&home).join("datasets--org--set/blobs/orphan.incomplete");
    write(&data_set, &[1; 100]);
    age(&data_set, 9);
    let young = Repo::new(&home, "org/young").0.join("blobs/cd.incomplete");
    write(&young, &[1; 4000]);
    let stale = Repo::new(&home, "org/stale").0.join("blobs/ab.incomplete");
    write(&stale, &[1; 4000]);
    age(&stale, 2);
    let orphan = Repo::new(&home, "org/orphan");
    orphan.file(NEW, "tiny-Q8_0.gguf", GUIDE);
    write(&orphan.0.join("blobs").join("ef".repeat(32)), &[1; 3000]);

    let before = held(&cache(&home));
    let plan = json(&home, &["prune", "--dry-run", "--json"]);
    assert_eq!(names(&plan["removed"]), ["org/orphan", "org/repo", "org/stale"], "{plan}");
    assert_eq!(plan["freed_bytes"], other.len() + 7000);
    assert_eq!(held(&cache(&home)), before, "a dry run deletes nothing");
    assert_error(home.run(&["prune", "--json"]), 2, &["-y"]);
    let done = json(&home, &["prune", "--json", "-y"]);
    assert_eq!(done["freed_bytes"], before - held(&cache(&home)));
    assert_eq!(done["freed_bytes"], plan["freed_bytes"]);
    assert!(data_set.exists() && young.exists() && !stale.exists() && !repo.0.join("snapshots").join(OLD).exists());
    assert!(names(&json(&home, &["list", "--json"])).contains(&"org/only:Q4_0"));
    assert!(pinned.0.join("snapshots").join(OLD).exists());
    assert!(home.run(&["prune", "-y"]).2.contains("nothing to prune"));
}

#[test]
fn pruning_by_use_keeps_what_was_used_last() {
    let home = Home::new();
    for (name, days) in [("org/a", 40), ("org/b", 20), ("org/c", 1)] {
        let repo = Repo::new(&home, name);
        repo.file(NEW, "m-Q8_0.gguf", GUIDE);
        age(&repo.blob(GUIDE), days);
    }
    let would = |args: &[&str]| {
        let plan = json(&home, &[&["prune", "--dry-run", "--json"], args].concat());
        names(&plan["removed"]).join(" ")
    };
    assert_eq!(would(&["--older-than", "30d"]), "org/a:Q8_0");
    assert_eq!(would(&["--older-than", "2w"]), "org/b:Q8_0 org/a:Q8_0");
    assert_eq!(would(&["--older-than", "12h", "--keep-last", "2"]), "org/a:Q8_0");
    assert_eq!(would(&["--keep-last", "1"]), "org/b:Q8_0 org/a:Q8_0");
    assert_eq!(home.run(&["prune", "--older-than", "soon"]).0, 2);
    // Used now, and no longer old.
    assert_eq!(home.run(&[&["ask", "-m", "org/a"], QUESTION].concat()).0, 0);
    assert_eq!(would(&["--older-than", "30d"]), "");
    assert_eq!(home.run(&["prune", "--keep-last", "1", "-y"]).0, 0);
    assert_eq!(names(&json(&home, &["list", "--json"])), ["org/a:Q8_0", "guide"]);
}

#[test]
fn disk_use_is_what_du_counts() {
    let home = Home::new();
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "a-Q8_0.gguf", GUIDE).file(NEW, "README.md", &[b'x'; 9000]).refer("main", NEW);
    repo.link(NEW, "b-Q4_0.gguf", &format!("../../blobs/{}", sha256(GUIDE)));
    write(&repo.0.join("blobs/ab.incomplete"), &[1; 10_000]);
    write(&repo.0.join("blobs").join("cd".repeat(32)), &[1; 20_000]);
    write(&cache(&home).join("datasets--org--set/blobs/ff"), &[1; 30_000]);
    let file = home.path().join("Mine.gguf");
    fs::write(&file, variant(&home)).unwrap();
    assert_eq!(home.run(&["import", file.to_str().unwrap()]).0, 0);

    let usage = json(&home, &["du", "--json"]);
    let du = |folder: &Path| -> u64 {
        let output = std::process::Command::new("du").args(["-s", "--block-size=1"]).arg(folder).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    let folders = usage["folders"].as_array().unwrap();
    assert_eq!(folders.len(), 2);
    for folder in folders {
        assert_eq!(folder["bytes"], du(Path::new(folder["path"].as_str().unwrap())), "{folder}");
    }
    let total: u64 = folders.iter().map(|folder| folder["bytes"].as_u64().unwrap()).sum();
    assert_eq!(usage["total_bytes"], total);
    let uses = usage["uses"].as_array().unwrap();
    let of =
        |kind: &str| -> u64 { uses.iter().filter(|u| u["kind"] == kind).map(|u| u["bytes"].as_u64().unwrap()).sum() };
    let one = row(&usage["uses"], "org/repo:Q8_0");
    assert_eq!((&one["bytes"], &one["shared_with"][0]), (&one["shared_bytes"], &"org/repo:Q4_0".into()));
    assert!(of("partial") >= 10_000 && of("unused") >= 20_000 && of("datasets") >= 30_000 && of("other") >= 9000);
    let shared = one["shared_bytes"].as_u64().unwrap();
    assert_eq!(uses.iter().map(|u| u["bytes"].as_u64().unwrap()).sum::<u64>() - shared, total);
    let (_, text, _) = home.run(&["du"]);
    assert!(text.contains("with org/repo:Q4_0") && text.contains("unfinished") && text.contains("mine"), "{text}");
}

#[test]
fn an_imported_file_is_shared_found_by_name_and_removed() {
    let home = Home::new();
    let file = home.path().join("My Tiny-Q8_0.gguf");
    fs::write(&file, GUIDE).unwrap();
    let path = file.to_str().unwrap();
    let (code, _, stderr) = home.run(&["import", path]);
    assert!(code == 0 && stderr.contains("imported my-tiny-q8_0"), "{stderr}");
    let list = json(&home, &["list", "--json"]);
    let mine = row(&list, "my-tiny-q8_0");
    assert_eq!((&mine["place"], &mine["architecture"]), (&"imported".into(), &"llama".into()));
    let (_, answer, _) = home.run(&[&["ask", "-m", "my-tiny-q8_0"], QUESTION].concat());
    assert!(answer.contains("oai pull"), "{answer}");
    let shown = json(&home, &["show", "my-tiny-q8_0", "--provenance", "--json"]);
    assert_eq!(shown["files"][0]["hash"], sha256(GUIDE));
    assert!(home.run(&["show", "my-tiny-q8_0", "--provenance"]).1.contains(path));

    assert_error(home.run(&["import", path]), 2, &["my-tiny-q8_0", "--force"]);
    assert_error(home.run(&["import", path, "guide"]), 2, &["guide"]);
    assert_error(home.run(&["import", path, "mistral-7b"]), 2, &["mistral-7b", "--force"]);
    assert_error(home.run(&["import", path, "../x"]), 2, &["../x"]);
    assert_error(home.run(&["import", "/nonexistent.gguf"]), 3, &["/nonexistent.gguf"]);
    let bad = home.path().join("bad.gguf");
    fs::write(&bad, &GUIDE[..500]).unwrap();
    assert_error(home.run(&["import", bad.to_str().unwrap()]), 4, &["bad.gguf", "truncated"]);
    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_error(home.run(&["import", empty.to_str().unwrap()]), 4, &["empty", "no GGUF file"]);
    assert_eq!(names(&json(&home, &["list", "--json"])), ["my-tiny-q8_0", "guide"]);
    // A name that means another is taken on demand, and means this from then on.
    assert_eq!(home.run(&["import", path, "mistral-7b", "--force"]).0, 0);
    assert_eq!(home.run(&[&["ask", "-m", "mistral-7b"], QUESTION].concat()).0, 0);

    // The original lives on: nothing is freed, and that is said.
    let (_, _, stderr) = home.run(&["rm", "-y", "my-tiny-q8_0", "mistral-7b"]);
    assert!(stderr.contains("0 B freed; the rest has other names"), "{stderr}");
    assert_eq!(home.run(&["import", path, "again"]).0, 0);
    fs::remove_file(&file).unwrap();
    let (_, _, stderr) = home.run(&["rm", "-y", "again"]);
    assert!(stderr.contains(&format!("({:.1} MB freed)", GUIDE.len() as f64 / 1e6)), "{stderr}");
    assert_eq!(names(&json(&home, &["list", "--json"])), ["guide"]);
}

#[test]
fn an_import_may_be_a_link_or_replace_an_older_one() {
    let home = Home::new();
    let file = home.path().join("m.gguf");
    fs::write(&file, GUIDE).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(home.run(&["import", "--link", path, "m:tiny"]).0, 0);
    let list = json(&home, &["list", "--json"]);
    let placed = PathBuf::from(row(&list, "m:tiny")["path"].as_str().unwrap());
    assert_eq!(fs::read_link(&placed).unwrap(), fs::canonicalize(&file).unwrap());
    let other = variant(&home);
    let second = home.path().join("second.gguf");
    fs::write(&second, &other).unwrap();
    assert_eq!(home.run(&["import", "--force", second.to_str().unwrap(), "m:tiny"]).0, 0);
    let list = json(&home, &["list", "--json"]);
    assert_eq!(row(&list, "m:tiny")["size_bytes"], other.len());
    assert!(file.exists() && !placed.exists());
    assert_eq!(home.run(&["rm", "-y", "m:tiny"]).0, 0);
    assert!(second.exists());
}

#[test]
fn ollamas_models_are_used_where_they_lie() {
    let home = Home::new();
    let store = home.path().join(".ollama/models");
    let manifest = |place: &str, layers: &str| {
        let text = format!(r#"{{"schemaVersion":2,"config":{{"digest":"sha256:0"}},"layers":[{layers}]}}"#);
        write(&store.join("manifests").join(place), text.as_bytes());
    };
    let layer = |kind: &str, digest: &str| {
        format!(r#"{{"mediaType":"application/vnd.ollama.image.{kind}","digest":"{digest}","size":1}}"#)
    };
    let digest = format!("sha256:{}", sha256(GUIDE));
    write(&store.join("blobs").join(format!("sha256-{}", sha256(GUIDE))), GUIDE);
    let model = layer("model", &digest);
    manifest("registry.ollama.ai/library/llama3.2/1b", &format!("{model},{}", layer("template", &digest)));
    manifest("registry.ollama.ai/me/mine/latest", &model);
    manifest("hf.co/org/repo/Q8_0", &model);
    manifest("registry.ollama.ai/library/tuned/latest", &format!("{model},{}", layer("adapter", &digest)));
    manifest("registry.ollama.ai/library/evil/latest", &layer("model", "sha256:../../../secret"));
    write(&store.join("manifests/registry.ollama.ai/library/damaged/latest"), b"{");

    assert_eq!(names(&json(&home, &["list", "--json"])), ["guide"], "only with --all");
    let all = json(&home, &["list", "--all", "--json"]);
    let one = row(&all, "ollama:llama3.2:1b");
    assert_eq!((&one["place"], &one["architecture"]), (&"ollama".into(), &"llama".into()));
    for (name, word) in [("tuned", "adapter"), ("evil", "SHA-256"), ("damaged", "damaged")] {
        let row = row(&all, &format!("ollama:{name}:latest"));
        assert!(row["problem"].as_str().unwrap().contains(word), "{row}");
        assert_error(home.run(&["ask", "-m", &format!("ollama:{name}"), "hi"]), 4, &[name, word]);
    }
    for name in ["llama3.2:1b", "ollama:llama3.2:1b", "ollama:me/mine", "me/mine", "hf.co/org/repo:Q8_0"] {
        let (code, answer, stderr) = home.run(&[&["ask", "-m", name], QUESTION].concat());
        assert!(code == 0 && answer.contains("oai pull"), "{name}: {stderr}");
    }
    assert_error(home.run(&["ask", "-m", "ollama:none", "hi"]), 3, &["ollama:none", "list --all"]);
    assert_error(home.run(&["rm", "-y", "llama3.2:1b"]), 2, &["ollama rm llama3.2:1b"]);
    let (code, text, _) = home.run(&["verify", "ollama:llama3.2:1b"]);
    assert!(code == 0 && text.starts_with("ok"), "{text}");
    // The variable says where else it is.
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&store, &elsewhere).unwrap();
    let found = finish(home.oai(&["show", "llama3.2:1b"]).env("OLLAMA_MODELS", &elsewhere));
    assert_eq!(found.0, 0, "{}", found.2);
}

#[test]
fn lm_studios_models_are_used_where_they_lie() {
    let home = Home::new();
    let models = home.path().join(".lmstudio/models");
    write(&models.join("bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf"), GUIDE);
    write(&models.join("org/two/two-Q8_0.gguf"), GUIDE);
    write(&models.join("org/two/two-Q4_0.gguf"), GUIDE);
    // Another folder that the settings name, of a home that the pointer names.
    let (pointed, chosen) = (home.path().join("studio"), home.path().join("big disk"));
    let settings = serde_json::json!({ "downloadsFolder": chosen.to_str().unwrap() }).to_string();
    write(&pointed.join("settings.json"), settings.as_bytes());
    write(&home.path().join(".lmstudio-home-pointer"), pointed.to_str().unwrap().as_bytes());
    write(&chosen.join("org/chosen/chosen-Q8_0.gguf"), GUIDE);

    let all = json(&home, &["list", "--all", "--json"]);
    assert_eq!(row(&all, "lmstudio:org/chosen:Q8_0")["place"], "lmstudio");
    let names = [
        "llama3.2:1b",
        "bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
        "lmstudio:org/two:Q8_0",
        "lmstudio:two:Q8_0",
        "lmstudio:two-Q4_0",
        "lmstudio:chosen",
    ];
    for name in names {
        let (code, _, stderr) = home.run(&["show", name]);
        assert_eq!(code, 0, "{name}: {stderr}");
    }
    assert_error(home.run(&["show", "lmstudio:two"]), 3, &["lmstudio:org/two:Q4_0, lmstudio:org/two:Q8_0"]);
    assert_error(home.run(&["rm", "-y", "lmstudio:chosen"]), 2, &["LM Studio"]);
}

fn made(repo: &str, commit: &str, revision: &str, files: &[(&str, &[u8])]) -> Record {
    let file = |(path, bytes): &(&str, &[u8])| RemoteFile {
        path: (*path).to_owned(),
        size_bytes: bytes.len() as u64,
        hash: Some(sha256(bytes)),
    };
    Record {
        repo: repo.to_owned(),
        revision: revision.to_owned(),
        commit: commit.to_owned(),
        files: files.iter().map(file).collect(),
        license: Some("mit".to_owned()),
        base_models: vec!["org/base".to_owned()],
        time: provenance::now(),
        endpoint: "https://hub.example".to_owned(),
    }
}

#[test]
fn provenance_is_shown_as_recorded_or_as_the_cache_tells() {
    let home = Home::new();
    let repo = Repo::new(&home, "org/repo");
    repo.file(NEW, "tiny-Q8_0.gguf", GUIDE).refer("main", NEW);
    let derived = json(&home, &["show", "org/repo", "--provenance", "--json"]);
    assert_eq!((&derived["commit"], &derived["revision"]), (&NEW.into(), &"main".into()));
    assert_eq!(derived["files"][0]["hash"], sha256(GUIDE));
    assert!(home.run(&["show", "org/repo", "--provenance"]).1.contains("oai did not pull it"));

    provenance::record(&data(&home), &made("org/repo", NEW, "main", &[("tiny-Q8_0.gguf", GUIDE)])).unwrap();
    let (_, text, _) = home.run(&["show", "org/repo", "--provenance"]);
    let hash = sha256(GUIDE);
    for word in
        ["org/repo", NEW, "mit", "org/base", "https://hub.example", "tiny-Q8_0.gguf", hash.as_str(), "by oai pull"]
    {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert_eq!(json(&home, &["show", "org/repo", "--provenance", "--json"])["license"], "mit");
    assert!(home.run(&["show", "guide", "--provenance"]).1.contains("part of the program"));
}

#[test]
fn verifying_finds_a_changed_byte_and_a_missing_file() {
    let home = Home::new();
    let other = variant(&home);
    let (good, bad) = (Repo::new(&home, "org/good"), Repo::new(&home, "org/bad"));
    good.file(NEW, "tiny-Q8_0.gguf", GUIDE);
    bad.file(NEW, "tiny-Q8_0.gguf", GUIDE).file(NEW, "other-Q4_0.gguf", &other);
    let file = home.path().join("mine.gguf");
    fs::write(&file, &other).unwrap();
    assert_eq!(home.run(&["import", file.to_str().unwrap()]).0, 0);
    let (code, text, stderr) = home.run(&["verify"]);
    assert_eq!((code, text.lines().count()), (0, 4), "{text}{stderr}");
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");

    let mut changed = GUIDE.to_vec();
    changed[GUIDE.len() / 2] ^= 1;
    fs::write(bad.blob(GUIDE), &changed).unwrap();
    let (code, text, stderr) = home.run(&["verify"]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("tiny-Q8_0.gguf of org/bad:Q8_0") && stderr.contains("oai pull --force"), "{stderr}");
    assert_eq!(text.lines().filter(|line| line.starts_with("changed")).count(), 1, "{text}");
    let (code, stdout, _) = home.run(&["verify", "--json", "org/bad:Q8_0"]);
    let rows: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &rows[0]["status"], &rows[0]["found"]), (4, &"changed".into(), &sha256(&changed).into()));
    assert_eq!(home.run(&["verify", "org/good"]).0, 0);

    // A part that was pulled and is no more.
    let parts: &[(&str, &[u8])] = &[("tiny-Q8_0.gguf", GUIDE), ("tiny-Q8_0-00002-of-00002.gguf", b"x"), ("a.md", b"y")];
    provenance::record(&data(&home), &made("org/good", NEW, "main", parts)).unwrap();
    let (code, text, stderr) = home.run(&["verify", "org/good"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("missing") && stderr.contains("00002-of-00002"), "{text}{stderr}");
    // A model of the user's own that changed under its name.
    fs::write(&file, &changed).unwrap();
    let (code, _, stderr) = home.run(&["verify", "mine"]);
    assert!(code == 0 || (code == 4 && stderr.contains("import")), "{stderr}");
}

#[test]
fn a_lock_file_has_exact_commits_and_hashes() {
    let home = Home::new();
    Repo::new(&home, "org/b").file(NEW, "tiny-Q8_0.gguf", GUIDE);
    Repo::new(&home, "org/a").file(OLD, "config.json", b"{}").file(OLD, "model.safetensors", b"x");
    let lock = |args: &[&str]| finish(home.oai(&[&["lock"], args].concat()).current_dir(home.path()));
    assert_eq!(lock(&[]).0, 0);
    let locked = lock_file::read(&home.path().join("oai.lock")).unwrap();
    let names: Vec<_> = locked.iter().map(|l| (l.name.as_str(), l.repo.as_str(), l.commit.as_str())).collect();
    assert_eq!(names, [("org/a", "org/a", OLD), ("org/b:Q8_0", "org/b", NEW)]);
    assert_eq!(locked[1].files[0].hash, Some(sha256(GUIDE)));
    assert_eq!(locked[0].files.len(), 2);
    let first = fs::read(home.path().join("oai.lock")).unwrap();
    assert_eq!(lock(&[]).0, 0);
    assert_eq!(fs::read(home.path().join("oai.lock")).unwrap(), first, "the same models, the same text");
    let (code, text, _) = lock(&["-o", "-", "org/b"]);
    assert!(code == 0 && text.contains("name = \"org/b\"") && !text.contains("org/a"), "{text}");
    assert_error(lock(&["guide"]), 2, &["guide"]);
    assert_error(lock(&["org/none"]), 3, &["org/none"]);
    assert_error(Home::new().run(&["lock", "-o", "-"]), 2, &["nothing to lock"]);
}

/// As huggingface_hub from 2.4 lays files out that came by xet.
#[test]
fn blobs_that_repositories_share_are_one_file() {
    let home = Home::new();
    let shared = cache(&home).join("blobs/ab").join(format!("ab{}", "0".repeat(62)));
    write(&shared, GUIDE);
    write(&cache(&home).join("blobs/.huggingface-shared-blobs"), b"1\n");
    let mut refs = String::new();
    for name in ["org/one", "org/two"] {
        let repo = Repo::new(&home, name);
        repo.link(NEW, "tiny-Q8_0.gguf", &format!("../../blobs/{}", sha256(GUIDE))).refer("main", NEW);
        fs::create_dir_all(repo.0.join("blobs")).unwrap();
        symlink(format!("../../blobs/ab/ab{}", "0".repeat(62)), repo.blob(GUIDE)).unwrap();
        refs += &format!("models--{}/blobs/{}\n", name.replace('/', "--"), sha256(GUIDE));
    }
    write(&shared.with_file_name(format!("ab{}.refs", "0".repeat(62))), refs.as_bytes());

    assert_eq!(names(&json(&home, &["list", "--json"])).len(), 3);
    let (_, text, _) = home.run(&["list"]);
    let once = format!("{:.1}", GUIDE.len() as f64 / 1e6);
    assert_eq!(text.lines().last().unwrap().split_whitespace().nth(1), Some(once.as_str()), "{text}");
    assert_eq!(home.run(&["verify"]).0, 0);
    assert!(home.run(&["prune", "-y"]).2.contains("nothing"));
    let (_, _, stderr) = home.run(&["rm", "-y", "org/one"]);
    assert!(stderr.contains("0 B freed") || stderr.contains("(40 B freed"), "{stderr}");
    assert!(shared.exists());
    assert_eq!(home.run(&[&["ask", "-m", "org/two"], QUESTION].concat()).0, 0);
    let (_, _, stderr) = home.run(&["rm", "-y", "org/two"]);
    assert!(stderr.contains(&format!("{once} MB freed")), "{stderr}");
    assert!(!shared.exists());
}
