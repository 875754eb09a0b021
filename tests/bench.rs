//! `oai bench` through the real binary, with the model that is inside.

mod common;

use common::{Home, assert_error, write_model_with_memory};
use serde_json::Value;

fn rows(home: &Home, args: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) = home.run(&[&["bench", "--json"], args].concat());
    assert_eq!((code, stdout.lines().count(), stderr.as_str()), (0, 1, ""), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} of {row}"))
}

#[test]
fn a_row_a_test_says_what_was_measured_and_on_what() {
    let home = Home::new();
    let rows = rows(&home, &["guide", "-p", "8,0", "-n", "4", "-d", "0,40", "-r", "3", "--threads", "2"]);
    let tests: Vec<&str> = rows.iter().map(|row| row["test"].as_str().unwrap()).collect();
    assert_eq!(tests, ["pp8", "tg4", "pp8 @ d40", "tg4 @ d40"]);
    let counts: Vec<_> = rows.iter().map(|row| ["n_prompt", "n_gen", "depth"].map(|key| number(row, key))).collect();
    assert_eq!(counts, [[8.0, 0.0, 0.0], [0.0, 4.0, 0.0], [8.0, 0.0, 40.0], [0.0, 4.0, 40.0]]);
    let shown: Value = serde_json::from_str(&home.run(&["show", "guide", "--json"]).1).unwrap();
    for row in &rows {
        for key in ["model", "path", "architecture", "quantization", "parameters", "size_bytes"] {
            assert_eq!(row[key], shown[key], "{key}");
        }
        assert_eq!(row["threads"], 2);
        assert!(row["kernels"].is_string() && number(row, "load_ms") > 0.0);
        let samples: Vec<f64> =
            row["samples_tokens_per_s"].as_array().unwrap().iter().map(|sample| sample.as_f64().unwrap()).collect();
        let mean = samples.iter().sum::<f64>() / 3.0;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / 2.0;
        assert_eq!(samples.len(), 3);
        assert!((number(row, "tokens_per_s") - mean).abs() <= 1e-9 * mean && mean > 0.0);
        assert!((number(row, "stddev") - variance.sqrt()).abs() <= 1e-6 * mean);
    }
    for row in [&rows[0], &rows[2]] {
        assert!(row["bandwidth_share"].is_null() && row["bytes_per_token"].is_null());
    }
    for row in [&rows[1], &rows[3]] {
        let bytes = number(row, "bytes_per_token");
        let share = bytes * number(row, "tokens_per_s") / number(row, "bandwidth_bytes_per_s");
        assert!((number(row, "bandwidth_share") - share).abs() <= 1e-9 * share && share > 0.0);
    }
    // What 40 more tokens cost is their keys and values; the rest is less than the file.
    let [at_start, deep] = [1, 3].map(|row: usize| number(&rows[row], "bytes_per_token"));
    assert!(at_start < deep && deep - at_start < at_start && at_start < 1.1 * number(&rows[0], "size_bytes"));
    if cfg!(target_os = "linux") {
        assert!(rows.iter().all(|row| number(row, "peak_rss_bytes") < (512 << 20) as f64), "the buffer counts");
    }
}

#[test]
fn people_get_a_table() {
    let (code, stdout, stderr) =
        Home::new().run(&["bench", "guide", "-p", "8", "-n", "2", "-d", "5", "-r", "1", "--threads", "1"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(lines[0].starts_with("MODEL") && lines[0].ends_with("OF BANDWIDTH"));
    assert!(lines[1].contains("pp8 @ d5") && lines[1].contains(" ± 0.00") && !lines[1].contains("GB/s"), "{stdout}");
    assert!(lines[2].contains("tg2 @ d5") && lines[2].contains(" % of ") && lines[2].ends_with("GB/s"), "{stdout}");
}

#[test]
fn a_file_goes_by_its_path() {
    let home = Home::new();
    let file = home.path().join("memory.gguf");
    write_model_with_memory(&file);
    let rows = rows(&home, &[file.to_str().unwrap(), "-p", "4", "-n", "0", "-r", "1"]);
    assert_eq!((rows.len(), &rows[0]["path"]), (1, &file.to_str().unwrap().into()));
    assert_eq!((number(&rows[0], "n_prompt"), number(&rows[0], "stddev")), (4.0, 0.0));
}

#[test]
fn what_cannot_be_measured_is_a_one_line_error() {
    let home = Home::new();
    let run = |args: &[&str]| home.run(&[&["bench", "guide"], args].concat());
    assert_error(run(&["-p", "0", "-n", "0"]), 2, &["nothing to measure", "-p", "-n"]);
    assert_error(run(&["-p", "513", "-n", "0"]), 2, &["513 tokens after 0", "512", "lower -p"]);
    assert_error(run(&["-p", "0", "-n", "1", "-d", "0,512"]), 2, &["1 tokens after 512", "-d"]);
    assert_error(run(&["-p", "4294967295", "-d", "4294967295"]), 2, &["4294967295 tokens after 4294967295"]);
    assert_error(home.run(&["bench", "/nowhere/model.gguf"]), 3, &["/nowhere/model.gguf"]);
    for args in [["-p", "1,x"], ["-n", "4294967296"], ["-d", "1.5"], ["-r", "0"], ["-p", ""], ["--threads", "0"]] {
        let (code, stdout, stderr) = run(&args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(args[0]), "{args:?}: {stderr}");
    }
    let (_, _, stderr) = home.run(&["bench"]);
    assert!(stderr.contains("MODEL"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_it_with_130() {
    let home = Home::new();
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"))
        .args(["bench", "guide", "-r", "1000000"])
        .env_clear()
        .env("HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    // Signal 2 is the second bit of those that the program handles.
    let listens = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
    };
    while !listens() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(130), Vec::new()));
}
