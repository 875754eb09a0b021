//! `oai fit` through the real binary: without the network, with a loopback hub, and with files.

mod common;

use common::hub::{Hub, Repo};
use common::{GUIDE, Home, assert_error, finish, write_model_with_memory};
use serde_json::{Value, json};

/// What `oai fit ... --json` prints, on a machine of 50 GB/s.
fn fit(home: &Home, args: &[&str]) -> Value {
    let (code, stdout, stderr) =
        home.run(&[&["fit", "--offline", "--json", "--bandwidth", "50", "--threads", "2"], args].concat());
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}: {stdout}");
    serde_json::from_str(&stdout).unwrap()
}

fn form<'a>(shown: &'a Value, tag: &str) -> &'a Value {
    let forms = shown["forms"].as_array().unwrap();
    forms.iter().find(|form| form["tag"] == tag).unwrap_or_else(|| panic!("no {tag} in {shown}"))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn pulled(shown: &Value) -> Vec<&str> {
    let forms = shown["forms"].as_array().unwrap().iter();
    forms.filter(|form| form["pulled"] == true).map(|form| form["tag"].as_str().unwrap()).collect()
}

#[test]
fn a_short_name_is_reckoned_without_the_hub() {
    let home = Home::new();
    let shown = fit(&home, &["llama3.2:1b", "--memory", "8G"]);
    assert_eq!((&shown["sizes_from"], &shown["context"]), (&"estimate".into(), &8192.into()));
    assert_eq!(
        (number(&shown["machine"], "memory_bytes"), &shown["machine"]["computes_on"]),
        (8_589_934_592.0, &"cpu".into())
    );
    let forms = shown["forms"].as_array().unwrap();
    assert!(
        forms.len() > 4 && forms.is_sorted_by(|a, b| number(a, "size_bytes") >= number(b, "size_bytes")),
        "{shown}"
    );
    // What the table has stays the default where it fits.
    assert_eq!(pulled(&shown), ["Q4_K_M"]);
    let usual = form(&shown, "Q4_K_M");
    // 16 layers, 8 KV heads of 64, keys and values of two bytes.
    let kv = 16.0 * 8.0 * 64.0 * 2.0 * 2.0;
    assert_eq!((number(usual, "kv_bytes"), &usual["fits"]), (kv * 8192.0, &"fits".into()));
    let working = number(usual, "memory_bytes") - number(usual, "size_bytes") - number(usual, "kv_bytes");
    assert!((50e6..300e6).contains(&working), "{working}");
    let speed = 0.8 * 50e9 / (number(usual, "size_bytes") + kv);
    assert!((number(usual, "tokens_per_s") / speed - 1.0).abs() < 1e-6, "{usual}");
    let deep = 0.8 * 50e9 / (number(usual, "size_bytes") + kv * 8192.0);
    assert!((number(usual, "tokens_per_s_at_context") / deep - 1.0).abs() < 1e-6, "{usual}");

    let kv_of = |args: &[&str]| number(form(&fit(&home, &[&["llama3.2:1b"], args].concat()), "Q8_0"), "kv_bytes");
    assert_eq!(kv_of(&["--kv-type", "q8_0"]), kv * 8192.0 * 34.0 / 64.0);
    assert_eq!(kv_of(&["--context", "32768"]), kv * 32768.0);
}

#[test]
fn what_does_not_fit_gives_way_and_is_said() {
    let home = Home::new();
    let args = ["fit", "--offline", "--bandwidth", "50", "--memory"];
    let (code, stdout, stderr) = home.run(&[&args[..], &["6G", "llama3.1:8b"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    let chosen = stdout.lines().find(|line| line.starts_with("* ") && line.contains("oai pull llama3.1:8b")).unwrap();
    assert!(chosen.contains("below four bits") || chosen.contains("if little else runs"), "{stdout}");
    assert!(stdout.lines().any(|line| line.contains("Q8_0") && line.contains(" no ")), "{stdout}");
    let (_, stdout, _) = home.run(&[&args[..], &["8G", "llama3.3:70b"]].concat());
    assert!(stdout.contains("8.6 GB are not enough"), "{stdout}");
    let shown = fit(&home, &["llama3.3:70b", "--memory", "8GB"]);
    assert!(
        shown["forms"].as_array().unwrap().iter().all(|form| form["fits"] == "no" && form["tokens_per_s"].is_null())
    );
    // Whoever names a form gets it.
    assert_eq!(pulled(&fit(&home, &["llama3.2:1b-q8_0", "--memory", "64G"])), ["Q8_0"]);
}

#[test]
fn the_hub_says_what_a_repository_has() {
    let gib = 1_u64 << 30;
    let file = |repo: Repo, tag: &str, size: u64| repo.file(&format!("m-{tag}.gguf"), GUIDE).of_size(size);
    let mut repo = Repo::new("org/eight-billion");
    repo.page["gguf"] = json!({ "total": 8_030_261_248_u64, "architecture": "llama", "context_length": 131_072 });
    // The sizes of Llama 3.1 8B.
    for (tag, size) in [
        ("Q2_K", 3_179_131_904),
        ("Q3_K_L", 4_321_956_864),
        ("Q4_K_M", 4_920_734_176),
        ("Q5_K_M", 5_732_987_360),
        ("Q6_K", 6_596_006_368),
        ("Q8_0", 8_540_771_424),
        ("F16", 16_068_890_624),
    ] {
        repo = file(repo, tag, size);
    }
    let hub = Hub::of(repo);
    let home = Home::new();
    let ask = |memory: u64, bandwidth: &str| {
        let memory = format!("{}GiB", memory / gib);
        let args =
            ["fit", "org/eight-billion", "--json", "--memory", &memory, "--bandwidth", bandwidth, "--threads", "8"];
        let (code, stdout, stderr) = finish(home.oai(&args).env("HF_ENDPOINT", &hub.endpoint));
        assert_eq!((code, stderr.as_str()), (0, ""));
        serde_json::from_str::<Value>(&stdout).unwrap()
    };
    let shown = ask(64 * gib, "200");
    assert_eq!((&shown["sizes_from"], shown["forms"].as_array().unwrap().len()), (&"hub".into(), 7));
    assert_eq!(number(form(&shown, "Q6_K"), "size_bytes"), 6_596_006_368.0);
    for (memory, bandwidth, tag) in [
        (64, "200", "Q8_0"),
        // Fast enough comes before better.
        (64, "90", "Q6_K"),
        (64, "20", "Q4_K_M"),
        // Room comes before better.
        (8, "200", "Q4_K_M"),
        (6, "200", "Q2_K"),
    ] {
        assert_eq!(pulled(&ask(memory * gib, bandwidth)), [tag], "{memory} GiB at {bandwidth} GB/s");
    }

    // Nothing answers there: what the table knows is shown all the same, and what it does not is an error.
    let away = |name: &str| {
        finish(
            home.oai(&["fit", name, "--bandwidth", "50"])
                .env("HF_ENDPOINT", "http://127.0.0.1:9")
                .env("OAI_RETRIES", "0"),
        )
    };
    let (code, stdout, _) = away("qwen3:0.6b");
    assert!(code == 0 && stdout.contains("Sizes are estimated"), "{stdout}");
    assert_error(away("org/eight-billion"), 6, &["127.0.0.1:9"]);
    let offline = home.run(&["fit", "--offline", "org/eight-billion", "--bandwidth", "50"]);
    assert_error(offline, 6, &["offline"]);
}

#[test]
fn files_are_reckoned_with_as_they_are() {
    let home = Home::new();
    let file = home.path().join("memory.gguf");
    write_model_with_memory(&file);
    let path = file.to_str().unwrap();
    for (name, size) in [(path, std::fs::metadata(&file).unwrap().len()), ("guide", GUIDE.len() as u64)] {
        let shown = fit(&home, &[name]);
        assert_eq!((&shown["sizes_from"], &shown["context"]), (&"files".into(), &512.into()), "{shown}");
        assert_eq!(shown["forms"].as_array().unwrap().len(), 1);
        let only = form(&shown, "Q8_0");
        assert_eq!((number(only, "size_bytes"), &only["pulled"]), (size as f64, &false.into()));
        // Four layers of size 192.
        assert_eq!(number(only, "kv_bytes"), 512.0 * 4.0 * 192.0 * 2.0 * 2.0);
    }
    let (_, stdout, _) = home.run(&["fit", path, "--bandwidth", "50"]);
    assert!(stdout.contains("memory.gguf: 2.1M parameters") && !stdout.contains("oai pull"), "{stdout}");
    assert_error(home.run(&["fit", path, "--bandwidth", "50", "--context", "513"]), 2, &["513", "512"]);
    assert_error(home.run(&["fit", "/nowhere/model.gguf", "--bandwidth", "50"]), 3, &["/nowhere/model.gguf"]);
    assert_error(home.run(&["fit", "llama3.2:1x", "--offline", "--bandwidth", "50"]), 3, &["llama3.2:1b"]);
}

#[test]
fn models_are_recommended_for_a_machine() {
    let home = Home::new();
    let shown = fit(&home, &["--memory", "16G"]);
    let models = shown["models"].as_array().unwrap();
    assert!((8..=15).contains(&models.len()), "{shown}");
    let for_models = number(&shown["machine"], "for_models_bytes");
    for model in models {
        assert!(model["fits"] == "fits" && number(model, "memory_bytes") <= for_models, "{model}");
        assert!(["name", "tag", "license", "good_for"].iter().all(|key| model[*key].is_string()), "{model}");
    }
    let purposes: Vec<&str> = models.iter().map(|model| model["purpose"].as_str().unwrap()).collect();
    assert_eq!((purposes[0], *purposes.last().unwrap()), ("chat", "vectors"));
    let all = fit(&home, &["--memory", "16G", "--all"]);
    let all = all["models"].as_array().unwrap();
    assert!(all.len() > 100 && all.iter().any(|model| model["fits"] == "no"));

    let (code, stdout, stderr) = home.run(&["fit", "--offline", "--memory", "16G", "--bandwidth", "60"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for words in ["17.2 GB (given)", "60.0 GB/s (given)", "Conversation", "Reasoning", "Code", "Vectors", "oai pull"] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    let (_, stdout, _) = home.run(&["fit", "--offline", "--memory", "500M", "--bandwidth", "60"]);
    assert!(stdout.contains("built-in guide"), "{stdout}");
}

#[test]
fn bandwidth_is_measured_and_kept() {
    let home = Home::new();
    let machine = |args: &[&str]| {
        let (code, stdout, stderr) = home.run(&[&["fit", "--offline", "--json", "guide"], args].concat());
        assert_eq!((code, stderr.as_str()), (0, ""));
        serde_json::from_str::<Value>(&stdout).unwrap()["machine"].clone()
    };
    let first = machine(&[]);
    assert!(first["bandwidth_from"] == "measured" && number(&first, "bandwidth_bytes_per_s") > 1e8, "{first}");
    let file = home.path().join(".cache/oai/machine.json");
    // On a machine that is busy it is not kept.
    let Ok(text) = std::fs::read(&file) else {
        return eprintln!("skipped: other programs are busy");
    };
    let mut kept: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(kept["bandwidth_bytes_per_s"], first["bandwidth_bytes_per_s"]);
    kept["bandwidth_bytes_per_s"] = 12.5e9.into();
    std::fs::write(&file, kept.to_string()).unwrap();
    let second = machine(&[]);
    assert_eq!((number(&second, "bandwidth_bytes_per_s"), &second["bandwidth_from"]), (12.5e9, &"cache".into()));
    // Another number of threads is another machine.
    assert_eq!(
        machine(&["--threads", "1"])["bandwidth_from"],
        if first["threads"] == 1 { "cache" } else { "measured" }
    );
    std::fs::write(&file, "nonsense").unwrap();
    assert_eq!(machine(&[])["bandwidth_from"], "measured");
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    let home = Home::new();
    for (args, word) in [
        (&["--memory", "8X"][..], "8X"),
        (&["--memory", "-8G"], "-8"),
        (&["--bandwidth", "fast"], "fast"),
        (&["--bandwidth", "0"], "0"),
        (&["--bandwidth", "50", "--measure"], "--measure"),
        (&["--all", "qwen3:8b"], "--all"),
        (&["--context", "0"], "0"),
        (&["--kv-type", "q2", "guide"], "q2"),
    ] {
        let (code, stdout, stderr) = home.run(&[&["fit", "--offline"], args].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(word), "{args:?}: {stderr}");
    }
    let (code, stdout, _) = home.run(&["fit", "--help"]);
    assert!(code == 0 && stdout.contains("Examples:") && stdout.contains("--memory"), "{stdout}");
}
