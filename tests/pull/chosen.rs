//! Which quantization comes when none is asked for.

use serde_json::json;

use super::common::hub::{Hub, Repo};
use super::common::{Home, finish};
use super::{REPO, oai, run};

/// A model of eight billion parameters in four quantizations, as far as a listing tells.
fn eight_billion() -> Hub {
    let mut repo = Repo::new(REPO);
    for (tag, size) in [("Q2_K", 3_200), ("Q4_K_M", 4_900), ("Q8_0", 8_500), ("F16", 16_100)] {
        repo = repo.file(&format!("m-{tag}.gguf"), tag.as_bytes().to_vec()).of_size(size * 1_000_000);
    }
    repo.page["gguf"] = json!({ "total": 8_030_000_000_u64, "architecture": "llama", "context_length": 131_072 });
    Hub::of(repo)
}

/// The file that a pull would fetch.
fn planned(hub: &Hub, args: &[&str]) -> String {
    let home = Home::new();
    let args = [&["pull", REPO, "--dry-run", "--json"], args].concat();
    let (code, stdout, stderr) = finish(&mut oai(&home, hub, &args));
    assert_eq!(code, 0, "{stderr}");
    let resolved: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    resolved["files"][0]["path"].as_str().unwrap().to_owned()
}

#[test]
fn the_best_that_fits_the_machine_comes() {
    let hub = eight_billion();
    assert_eq!(planned(&hub, &["--fit", "12G"]), "m-Q4_K_M.gguf");
    assert_eq!(planned(&hub, &["--fit", "5G"]), "m-Q2_K.gguf", "below four bits where nothing else fits");
    let (home, tag) = (Home::new(), format!("{REPO}:f16"));
    let (code, stdout, _) = run(&home, &hub, &["pull", &tag, "--dry-run", "--fit", "5G"]);
    assert!(code == 0 && stdout.contains("m-F16.gguf"), "what is asked for is taken: {stdout}");
    let (_, _, stderr) = run(&home, &hub, &["pull", REPO, "--dry-run", "--fit", "2G"]);
    assert!(stderr.contains("needs about") && stderr.contains("of memory"), "{stderr}");
    let (code, _, stderr) = run(&home, &hub, &["pull", REPO, "--fit", "much"]);
    assert!(code == 2 && stderr.contains("much") && stderr.contains("8G"), "{stderr}");
}
