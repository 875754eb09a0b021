//! How fast a large file comes from the loopback: `curl`, Python's `hf download` and `oai pull`, side
//! by side on the same server and disk.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::hub::{Hub, Repo};

const FILE: &str = "weights-Q8_0.gguf";
const ROUNDS: usize = 3;

/// Seconds of a command that succeeds.
fn time(command: &mut Command) -> f64 {
    // What earlier runs wrote is not this one's burden.
    Command::new("sync").status().unwrap();
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let took = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// A command in a home of its own, with nothing of the tester's surroundings that changes its way.
fn command(program: impl AsRef<std::ffi::OsStr>, home: &Path, hub: &Hub) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if ["HF_", "OAI_", "XDG_"].iter().any(|prefix| name.starts_with(prefix))
            || name.to_lowercase().ends_with("_proxy")
        {
            command.env_remove(name);
        }
    }
    command.env("HF_HOME", home).env("HF_ENDPOINT", &hub.endpoint);
    command.env("HF_HUB_DISABLE_XET", "1").env("HF_HUB_DISABLE_TELEMETRY", "1");
    command
}

/// The size of the largest file below a folder.
fn largest(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let size = |entry: std::fs::DirEntry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => largest(&entry.path()),
        kind if kind.is_file() => entry.metadata().unwrap().len(),
        _ => 0,
    };
    entries.map(size).max().unwrap_or(0)
}

#[test]
#[ignore = "a benchmark of minutes: cargo test --release --test throughput -- --ignored --nocapture (OAI_BENCH_MIB: size)"]
fn a_pull_is_as_fast_as_the_loopback_allows() {
    let mib = std::env::var("OAI_BENCH_MIB").ok().and_then(|n| n.parse().ok()).unwrap_or(2048);
    let size = mib << 20;
    let hub = Hub::of(Repo::new("org/repo").file(FILE, common::noise(size, 1)));
    let file = format!("{}/org/repo/resolve/main/{FILE}", hub.endpoint);
    // Not the folder for temporary files, which may be memory.
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut all: Vec<(&str, Vec<f64>)> =
        ["curl", "hf", "oai"].into_iter().filter(|name| *name == "oai" || is_here(name)).map(|n| (n, vec![])).collect();
    for _ in 0..ROUNDS {
        for (name, times) in &mut all {
            let home = tempfile::tempdir_in(disk).unwrap();
            let command = &mut match *name {
                "curl" => {
                    let mut curl = command("curl", home.path(), &hub);
                    curl.args(["-sSfL", "-o"]).arg(home.path().join(FILE)).arg(&file);
                    curl
                }
                "hf" => {
                    let mut hf = command("hf", home.path(), &hub);
                    hf.args(["download", "org/repo", FILE]);
                    hf
                }
                _ => {
                    let mut oai = command(assert_cmd::cargo::cargo_bin("oai"), home.path(), &hub);
                    oai.args(["pull", "org/repo"]);
                    oai
                }
            };
            times.push(time(command));
            assert_eq!(largest(home.path()), size, "{name}");
        }
    }
    let median = |times: &[f64]| {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let oai = median(&all.last().unwrap().1);
    for (name, times) in &all {
        let median = median(times);
        let each: Vec<String> = times.iter().map(|seconds| format!("{seconds:.2}")).collect();
        let speed = size as f64 / 1e6 / median;
        println!("{name:5} {median:6.2} s ({}) {speed:6.0} MB/s; oai / {name} = {:.2}", each.join(", "), oai / median);
    }
}
