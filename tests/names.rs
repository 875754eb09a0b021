//! What a name means: the table, the user's own names, a repository's choices, and the search.

mod common;

use std::io::{Read, Write};

use common::hub::{Access, Hub, Repo};
use common::{GUIDE, Home, assert_error, finish};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};

type Outcome = (i32, String, String);

fn run(home: &Home, hub: &Hub, args: &[&str]) -> Outcome {
    finish(home.oai(args).env("HF_ENDPOINT", &hub.endpoint))
}

/// What a pull would bring, by its answer to `--dry-run --json`.
fn planned(home: &Home, hub: &Hub, name: &str) -> Vec<String> {
    let (code, stdout, stderr) = run(home, hub, &["pull", "--dry-run", "--json", name]);
    assert_eq!(code, 0, "{name}: {stderr}");
    let value: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    value["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect()
}

fn configure(home: &Home, text: &str) {
    let folder = home.path().join(".config/oai");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), text).unwrap();
}

fn qwen() -> Repo {
    let files = ["Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B-Q8_0.gguf", "Qwen3-8B-UD-Q4_K_XL.gguf", "mmproj-F16.gguf"];
    files.iter().fold(Repo::new("unsloth/Qwen3-8B-GGUF"), |repo, file| repo.file(file, GUIDE))
}

#[test]
fn names_mean_what_ollama_users_type() {
    let (home, hub) = (Home::new(), Hub::of(qwen()));
    hub.add(Repo::new("bartowski/Llama-3.2-1B-Instruct-GGUF").file("Llama-3.2-1B-Instruct-Q4_K_M.gguf", GUIDE));
    for (name, file) in [
        ("qwen3:8b", "Qwen3-8B-Q4_K_M.gguf"),
        ("qwen3", "Qwen3-8B-Q4_K_M.gguf"),
        ("qwen3:latest", "Qwen3-8B-Q4_K_M.gguf"),
        ("Qwen3-8B", "Qwen3-8B-Q4_K_M.gguf"),
        ("qwen3:8b-q8_0", "Qwen3-8B-Q8_0.gguf"),
        ("qwen3:8b-ud-q4_k_xl", "Qwen3-8B-UD-Q4_K_XL.gguf"),
        ("hf.co/unsloth/Qwen3-8B-GGUF:q4_k_xl", "Qwen3-8B-UD-Q4_K_XL.gguf"),
        ("llama3.2:1b-instruct-q4_K_M", "Llama-3.2-1B-Instruct-Q4_K_M.gguf"),
    ] {
        assert_eq!(planned(&home, &hub, name), [file], "{name}");
    }
    assert_error(run(&home, &hub, &["pull", "qwen3:8b-q2_K"]), 6, &["q2_K", "Q4_K_M (", "UD-Q4_K_XL ("]);
    // A short name finds what its repository's name brought.
    assert_eq!(run(&home, &hub, &["pull", "unsloth/Qwen3-8B-GGUF:Q4_K_M"]).0, 0);
    let (code, stdout, stderr) = run(&home, &hub, &["show", "qwen3:8b", "--json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("\"architecture\":\"llama\""), "{stdout}");
}

#[test]
fn slips_are_met_with_the_nearest_names() {
    let home = Home::new();
    for (typed, words) in [
        ("mistrl-7b", &["did you mean mistral-7b"][..]),
        ("quen3:8b", &["did you mean qwen3:8b"]),
        ("llama3.2:2b", &["llama3.2:1b", "llama3.2:3b"]),
        ("deepseek", &["deepseek-r1"]),
        ("gemma3:5b-q4_0", &["gemma3:4b"]),
    ] {
        assert_error(home.run(&["pull", typed]), 3, words);
        assert_error(home.run(&["ask", "-m", typed, "hi"]), 3, words);
    }
    let (_, _, stderr) = home.run(&["pull", "zzzzzzzzzzz"]);
    assert!(!stderr.contains("did you mean"), "{stderr}");
    configure(&home, "[models]\nhouse-model = \"org/repo\"\n");
    assert_error(home.run(&["pull", "hose-model"]), 3, &["did you mean house-model"]);
}

#[test]
fn own_names_stand_in_the_configuration() {
    let (home, hub) = (Home::new(), Hub::of(qwen()));
    hub.add(Repo::new("org/repo").file("m-Q8_0.gguf", GUIDE).file("m-Q4_0.gguf", GUIDE));
    let text = "[models]\nwork = \"org/repo:Q8_0\"\nqwen3 = \"org/repo:Q4_0\"\nfast = \"qwen3:8b\"\n\
                here = \"./models/guide.gguf\"\n\n[models.big]\nrepo = \"unsloth/Qwen3-8B-GGUF\"\nfile = \"Q8_0\"\n";
    configure(&home, text);
    assert_eq!(planned(&home, &hub, "work"), ["m-Q8_0.gguf"]);
    assert_eq!(planned(&home, &hub, "work:q4_0"), ["m-Q4_0.gguf"]);
    assert_eq!(planned(&home, &hub, "qwen3"), ["m-Q4_0.gguf"], "an own name wins over the table");
    assert_eq!(planned(&home, &hub, "qwen3:8b"), ["Qwen3-8B-Q4_K_M.gguf"]);
    assert_eq!(planned(&home, &hub, "fast"), ["Qwen3-8B-Q4_K_M.gguf"]);
    assert_eq!(planned(&home, &hub, "big"), ["Qwen3-8B-Q8_0.gguf"]);
    // A path is one from the configuration's folder, wherever oai runs.
    let models = home.path().join(".config/oai/models");
    assert_error(home.run(&["show", "here"]), 3, &["guide.gguf", "does not exist"]);
    std::fs::create_dir(&models).unwrap();
    std::fs::write(models.join("guide.gguf"), GUIDE).unwrap();
    let (code, _, stderr) = finish(home.oai(&["show", "here"]).current_dir("/"));
    assert_eq!(code, 0, "{stderr}");

    let (code, stdout, _) = home.run(&["config"]);
    assert!(code == 0 && stdout.contains("models.work   org/repo:Q8_0"), "{stdout}");
    assert!(stdout.contains("models.big    unsloth/Qwen3-8B-GGUF:Q8_0"), "{stdout}");
    let (_, stdout, _) = home.run(&["config", "--json"]);
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["models"]["big"]["file"], "Q8_0");
}

#[test]
fn mistakes_in_own_names_are_errors_of_the_configuration() {
    let home = Home::new();
    for (line, words) in [
        ("work = \"nowhere-to-go\"", &["models.work", "nowhere-to-go"][..]),
        ("work = 3", &["models.work", "3"]),
        ("work = { repo = \"org/repo\", quant = \"Q8_0\" }", &["models.work", "quant"]),
        ("guide = \"org/repo\"", &["models.guide"]),
        ("\"a/b\" = \"org/repo\"", &["models.a/b"]),
    ] {
        configure(&home, &format!("[models]\n{line}\n"));
        for args in [&["ask", "-m", "work", "hi"][..], &["pull", "qwen3"], &["config"]] {
            assert_error(home.run(args), 8, &[&["config.toml"], words].concat());
        }
    }
}

#[test]
fn a_repository_leaves_choices() {
    let home = Home::new();
    let repo = Repo::new("org/repo").file("x-1b-Q8_0.gguf", GUIDE).file("sub/y-2b-Q8_0.gguf", GUIDE);
    let hub = Hub::of(repo.file("config.json", "{}").file("model.safetensors", "x").file("tokenizer.json", "{}"));
    assert_error(run(&home, &hub, &["pull", "org/repo:q8_0"]), 6, &["x-1b-Q8_0 (2.", "y-2b-Q8_0 (", "org/repo:TAG"]);
    for (tag, file) in [("x-1b-q8_0", "x-1b-Q8_0.gguf"), ("2b", "sub/y-2b-Q8_0.gguf"), ("sub", "sub/y-2b-Q8_0.gguf")] {
        assert_eq!(planned(&home, &hub, &format!("org/repo:{tag}")), [file]);
    }
    assert_eq!(planned(&home, &hub, "org/repo:sub/y-2b-Q8_0.gguf"), ["sub/y-2b-Q8_0.gguf"]);
    assert_eq!(planned(&home, &hub, "org/repo:safetensors").len(), 3);
    hub.add(Repo::new("org/adapter").file("adapter_config.json", "{}").file("adapter_model.safetensors", "x"));
    assert_error(run(&home, &hub, &["pull", "org/adapter"]), 6, &["org/adapter", "adapter"]);
    hub.add(Repo::new("org/old").file("config.json", "{}").file("pytorch_model.bin", "x"));
    assert_error(run(&home, &hub, &["pull", "org/old"]), 6, &["org/old", "pytorch_model.bin"]);
}

#[test]
fn a_choice_is_asked_on_a_terminal() {
    let home = Home::new();
    let hub = Hub::of(Repo::new("org/repo").file("m-Q4_K_S.gguf", "x").file("m-Q4_K_M.gguf", GUIDE));
    let answered = |keys: &str| {
        let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 100, ..PtySize::default() }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_oai"));
        command.args(["pull", "--dry-run", "org/repo:q4"]);
        command.env_clear();
        command.env("HOME", home.path());
        command.env("HF_ENDPOINT", &hub.endpoint);
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let (mut reader, mut writer) = (pty.master.try_clone_reader().unwrap(), pty.master.take_writer().unwrap());
        writer.write_all(keys.as_bytes()).unwrap();
        let mut seen = Vec::new();
        // The end of a terminal is an error on Linux.
        let _ = reader.read_to_end(&mut seen);
        (child.wait().unwrap().exit_code(), String::from_utf8_lossy(&seen).into_owned())
    };
    let (code, seen) = answered("7\n2\n");
    assert!(code == 0 && seen.contains("which of org/repo? [1-2]"), "{code} {seen}");
    assert!(seen.trim_end().rsplit("[1-2]").next().unwrap().contains("m-Q4_K_M.gguf"), "{seen}");
    let (_, seen) = answered("q4_k_s\n");
    assert!(seen.rsplit("[1-2]").next().unwrap().contains("m-Q4_K_S.gguf"), "{seen}");
    let (code, seen) = answered("\x04");
    assert!(code == 6 && seen.contains("leaves a choice"), "{code} {seen}");
}

fn searched() -> Hub {
    let of = |name: &str, page: Value| Repo { page, ..Repo::new(name) };
    let gguf = |architecture: &str, total: u64, downloads: u64| {
        json!({
            "tags": ["gguf", "license:apache-2.0"], "pipeline_tag": "text-generation", "downloads": downloads,
            "gguf": { "architecture": architecture, "total": total, "context_length": 40_960 }, "likes": 3,
        })
    };
    let hub = Hub::of(of("unsloth/Qwen3-8B-GGUF", gguf("qwen3", 8_190_735_360, 1_234_567)));
    hub.add(of("someone/Qwen3-8B-tuned-GGUF", gguf("qwen3", 8_190_735_360, 12_345)));
    hub.add(of("someone/Qwen3-Odd\u{1b}[31m", gguf("qwen3", 1, 99_999)));
    hub.add(of("someone/qwen3-other-GGUF", gguf("bloom", 1_700_000_000, 17)));
    hub.add(of("someone/qwen3-picture", json!({ "pipeline_tag": "text-to-image", "tags": ["gguf"] })));
    let base = of(
        "Qwen/Qwen3-8B",
        json!({
            "tags": ["safetensors"], "pipeline_tag": "text-generation", "downloads": 999_999,
            "config": { "model_type": "qwen3" }, "safetensors": { "total": 8_190_735_360_u64 },
            "cardData": { "license": "apache-2.0" },
        }),
    );
    hub.add(base.access(Access::Gated));
    hub
}

#[test]
fn search_shows_short_names_and_what_runs() {
    let (home, hub) = (Home::new(), searched());
    let (code, stdout, stderr) = run(&home, &hub, &["search", "qwen3", "8b"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let line = |start: &str| stdout.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{stdout}"));
    assert!(stdout.starts_with("NAME "), "{stdout}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let own = words(line("qwen3:8b "));
    assert_eq!(own[1..5], ["8.2B", "apache-2.0", "1.2M", "yes"], "the table's row tells the hub's downloads");
    assert_eq!(words(line("Qwen/Qwen3-8B "))[1..], ["8.2B", "apache-2.0", "(gated)", "1.0M", "yes"]);
    assert_eq!(words(line("someone/Qwen3-8B-tuned-GGUF"))[1..], ["8.2B", "apache-2.0", "12.3k", "yes"]);
    assert!(!stdout.contains("unsloth/Qwen3-8B-GGUF "), "{stdout}");
    let position = |text: &str| stdout.find(text).unwrap();
    assert!(position("qwen3:8b ") < position("Qwen/Qwen3-8B ") && position("Qwen/Qwen3-8B ") < position("tuned"));

    let (_, stdout, _) = run(&home, &hub, &["search", "qwen3", "someone", "--json"]);
    let rows: Value = serde_json::from_str(&stdout).unwrap();
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    // Neither a picture's model nor a name that no repository can have.
    assert_eq!(names, ["someone/Qwen3-8B-tuned-GGUF", "someone/qwen3-other-GGUF"]);
    assert_eq!((&rows[1]["runs"], &rows[1]["architecture"]), (&false.into(), &"bloom".into()));
    assert_eq!((&rows[0]["parameters"], &rows[0]["downloads"]), (&"8.2B".into(), &12_345.into()));
    let (_, stdout, _) = run(&home, &hub, &["search", "qwen3-other"]);
    assert!(stdout.contains("no (bloom)"), "{stdout}");

    hub.take_log();
    let (_, stdout, _) = run(&home, &hub, &["search", "--gguf", "--sort", "recent", "--limit", "1", "Qwen3", "8B"]);
    assert_eq!(stdout.lines().count(), 2, "one short name, whose repository the hub's only one is: {stdout}");
    let query = &hub.take_log()[0].query;
    for part in ["search=qwen3+8b", "filter=gguf", "sort=lastModified", "expand=gguf", "expand=config"] {
        assert!(query.contains(part), "{part} is not in {query}");
    }
}

#[test]
fn search_without_an_answer_says_so() {
    let (home, hub) = (Home::new(), searched());
    let (code, stdout, stderr) = run(&home, &hub, &["search", "nothing-like-this"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("nothing-like-this"), "{stderr}");
    assert_eq!(run(&home, &hub, &["search", "nothing-like-this", "--json"]).1, "[]\n");
    assert_eq!(run(&home, &hub, &["search"]).0, 2);
    let nowhere =
        finish(home.oai(&["search", "qwen3"]).env("HF_ENDPOINT", "http://127.0.0.1:9").env("OAI_RETRIES", "0"));
    assert_error(nowhere, 6, &["http://127.0.0.1:9"]);

    hub.take_log();
    configure(&home, "[models]\nmine = { repo = \"org/korean\", good_for = \"Korean poems\" }\n");
    let (code, stdout, stderr) = run(&home, &hub, &["search", "--offline", "korean"]);
    assert!(code == 0 && stderr.contains("offline"), "{stderr}");
    let names: Vec<&str> = stdout.lines().skip(1).map(|l| l.split(' ').next().unwrap()).collect();
    assert!(names[0] == "mine" && names.contains(&"exaone4:32b"), "{stdout}");
    assert!(stdout.contains("Korean poems"), "{stdout}");
    assert!(hub.take_log().is_empty(), "offline opened a connection");
}
