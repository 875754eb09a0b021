//! Offline: nothing is asked of anybody.

use super::common::hub::Hub;
use super::common::{GUIDE, Home, assert_error, finish};
use super::{REPO, oai, run};

#[test]
fn offline_opens_no_connection() {
    let home = Home::new();
    let hub = Hub::start(&[("tiny-Q8_0.gguf", GUIDE)], None);
    let config = home.path().join("offline.toml");
    std::fs::write(&config, "offline = true\n").unwrap();
    let ways = |args: &[&str]| {
        let with_flag = [args, &["--offline"]].concat();
        [
            finish(&mut oai(&home, &hub, &with_flag)),
            finish(oai(&home, &hub, args).env("HF_HUB_OFFLINE", "1")),
            finish(oai(&home, &hub, args).env("OAI_CONFIG", &config)),
        ]
    };
    for result in ways(&["pull", REPO]) {
        assert_error(result, 3, &[REPO, "not on this machine", "offline"]);
    }
    for result in ways(&["ask", "-m", REPO, "hi"]) {
        assert_error(result, 3, &[REPO, "not on this machine"]);
    }
    assert!(hub.take_log().is_empty());

    assert_eq!(run(&home, &hub, &["pull", REPO]).0, 0);
    hub.take_log();
    // What is here is found and used.
    for (code, _, stderr) in ways(&["pull", REPO]) {
        assert_eq!(code, 0, "{stderr}");
    }
    for (code, stdout, stderr) in ways(&["ask", "-m", REPO, "-t", "0", "How do I resume a pull?"]) {
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("oai pull"), "{stdout}");
    }
    for (code, stdout, _) in ways(&["list"]) {
        assert!(code == 0 && stdout.contains(REPO), "{stdout}");
    }
    assert!(hub.take_log().is_empty());
}
