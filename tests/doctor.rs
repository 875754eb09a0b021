//! `oai doctor` through the real binary.

mod common;

use common::hub::{Hub, STRANGER, TOKEN};
use common::{GUIDE, Home, finish};
use serde_json::Value;

fn json(out: (i32, String, String)) -> (i32, Value) {
    (out.0, serde_json::from_str(&out.1).unwrap_or_else(|e| panic!("{e}: {out:?}")))
}

#[test]
fn a_sound_installation_is_described() {
    let home = Home::new();
    let (code, stdout, stderr) = home.run(&["doctor", "--offline"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for key in [
        "oai",
        "system",
        "processor",
        "kernels",
        "memory",
        "graphics card",
        "models",
        "configuration",
        "hub",
        "terminal",
    ] {
        assert!(stdout.lines().any(|line| line.starts_with(key)), "{key} is not in {stdout}");
    }
    for words in [env!("CARGO_PKG_VERSION"), "not asked, offline", "output is no terminal", "~/.cache/huggingface/hub"]
    {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    let (code, report) = json(home.run(&["doctor", "--offline", "--json"]));
    assert_eq!((code, &report["problems"]), (0, &serde_json::json!([])));
    assert_eq!((&report["models"]["models"], &report["models"]["writable"]), (&0.into(), &true.into()));
    assert!(report["memory"]["total_bytes"].as_u64() > Some(0) && report["processor"]["kernels"].is_string());
    // Asking leaves nothing behind.
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn nothing_private_is_shown() {
    let home = Home::new();
    let config = home.path().join(".config/oai");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "model = \"guide\"\n").unwrap();
    for format in [&[][..], &["--json"]] {
        let mut command = home.oai(&[&["doctor", "--offline"], format].concat());
        command.env("HF_TOKEN", "hf_very_secret").env("HTTPS_PROXY", "http://ada:password@proxy:3128");
        command.env("USER", "ada").env("OAI_TOP_K", "4").env("HF_HOME", "/tmp/ada/nowhere");
        let (code, stdout, stderr) = finish(&mut command);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        for secret in ["hf_very_secret", "password", "ada", home.path().to_str().unwrap()] {
            assert!(!stdout.contains(secret), "{secret} is in {stdout}");
        }
        for words in ["HF_TOKEN", "***@proxy:3128", "/tmp/USER/nowhere", "OAI_TOP_K", "~/.config/oai/config.toml"] {
            assert!(stdout.contains(words), "{words} is not in {stdout}");
        }
    }
}

#[test]
fn the_hub_and_the_token_are_tried() {
    let hub = Hub::start(&[("config.json", b"{}")], None);
    let home = Home::new();
    let ask = |token: &str| {
        json(finish(home.oai(&["doctor", "--json"]).env("HF_ENDPOINT", &hub.endpoint).env("HF_TOKEN", token)))
    };
    let (code, report) = ask("");
    assert_eq!((code, &report["hub"]["token_accepted"]), (0, &Value::Null), "{report}");
    assert!(report["hub"]["latency_ms"].is_number() && report["hub"]["token_from"].is_null());
    let (code, report) = ask(TOKEN);
    assert_eq!(
        (code, &report["hub"]["token_accepted"], &report["hub"]["token_from"]),
        (0, &true.into(), &"HF_TOKEN".into())
    );
    let (code, report) = ask("hf_of_nobody");
    assert_eq!((code, &report["hub"]["token_accepted"]), (1, &false.into()), "{report}");
    assert_eq!(report["problems"].as_array().unwrap().len(), 1);
    assert_ne!(STRANGER, "hf_of_nobody");
}

#[test]
fn problems_are_told_with_what_to_do() {
    let home = Home::new();
    let (code, stdout, stderr) = finish(home.oai(&["doctor"]).env("HF_ENDPOINT", "http://127.0.0.1:9"));
    assert_eq!((code, stderr.as_str()), (1, "oai: 1 problem was found\n"));
    let problem = stdout.lines().find(|line| line.starts_with("problem")).unwrap_or_else(|| panic!("{stdout}"));
    assert!(problem.contains("127.0.0.1:9") && problem.contains("HTTPS_PROXY"), "{problem}");

    if cfg!(target_os = "linux") {
        // Where nobody can write, whoever runs the test.
        let (code, report) =
            json(finish(home.oai(&["doctor", "--offline", "--json"]).env("HF_HUB_CACHE", "/proc/oai")));
        assert_eq!((code, &report["models"]["writable"]), (1, &false.into()));
        let problem = report["problems"][0].as_str().unwrap();
        assert!(problem.contains("/proc") && problem.contains("HF_HOME"), "{problem}");
    }
    let missing = finish(home.oai(&["doctor", "--offline"]).env("SSL_CERT_FILE", "/nowhere.pem"));
    assert!(missing.0 == 1 && missing.1.contains("/nowhere.pem, which is not there"), "{}", missing.1);
}

#[test]
fn models_here_are_counted() {
    let home = Home::new();
    let snapshot = home.path().join(".cache/huggingface/hub/models--org--repo/snapshots/abc");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(snapshot.join("m-Q8_0.gguf"), GUIDE).unwrap();
    let (code, report) = json(home.run(&["doctor", "--offline", "--json"]));
    assert_eq!((code, &report["models"]["models"], &report["models"]["bytes"]), (0, &1.into(), &GUIDE.len().into()));
}
