//! Python's tools and we share one cache, if they are on this machine.

use std::process::Command;

use super::common::Home;
use super::common::hub::Hub;
use super::{FILE, REPO, WEIGHTS, assert_whole, folder, hub, pull_whole};

/// Runs a line of Python that may use `hub`, Hugging Face's own library, in this home. None without it.
fn python(home: &Home, hub: &Hub, line: &str) -> Option<String> {
    let run = |line: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", &format!("import huggingface_hub as hub\n{line}")]);
        python.env("HF_HOME", home.path().join(".cache/huggingface")).env("HF_ENDPOINT", &hub.endpoint);
        python.env("HF_HUB_DISABLE_XET", "1").env("HF_HUB_DISABLE_TELEMETRY", "1").output()
    };
    if !run("").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 with huggingface_hub is not here");
        return None;
    }
    let output = run(line).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn what_we_brought_python_finds_and_the_other_way_round() {
    let (home, hub) = (Home::new(), hub());
    let download = format!("print(hub.hf_hub_download({REPO:?}, {FILE:?}))");
    pull_whole(&home, &hub);
    let sent = hub.sent_bytes();
    let Some(path) = python(&home, &hub, &download) else { return };
    assert!(std::fs::read(path).unwrap() == *WEIGHTS);
    let scan = "print([str(r.repo_id) for r in hub.scan_cache_dir().repos], hub.scan_cache_dir().warnings)";
    assert_eq!(python(&home, &hub, scan).unwrap(), format!("['{REPO}'] []"));
    assert_eq!(hub.sent_bytes(), sent, "Python fetched what we had brought");

    std::fs::remove_dir_all(folder(&home)).unwrap();
    python(&home, &hub, &download);
    let sent = hub.sent_bytes();
    pull_whole(&home, &hub);
    assert_eq!(hub.sent_bytes(), sent, "fetched what Python had brought");
    assert_whole(&home);
}
