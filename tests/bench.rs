//! `oai bench` through the real binary, with the model that is inside.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use common::{GUIDE, Home, assert_error, finish, write_model_with_memory};
use serde_json::{Value, json};

/// What came to standard output. On standard error may be what makes numbers doubtful, and nothing else.
#[track_caller]
fn output(home: &Home, args: &[&str]) -> String {
    let (code, stdout, stderr) = home.run(&[&["bench"], args].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.lines().all(is_doubt), "{stderr}");
    stdout
}

fn is_doubt(line: &str) -> bool {
    let doubts = ["debug build", "repetitions differ", "other programs", "saves power", "battery", "too hot"];
    line.starts_with("oai: ") && doubts.iter().any(|doubt| line.contains(doubt))
}

#[track_caller]
fn rows(home: &Home, args: &[&str]) -> Vec<Value> {
    let stdout = output(home, &[&["--json"], args].concat());
    assert_eq!(stdout.lines().count(), 1);
    serde_json::from_str(&stdout).unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} of {row}"))
}

fn texts<'a>(rows: &'a [Value], key: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[key].as_str().unwrap()).collect()
}

#[test]
fn a_row_a_test_says_what_was_measured_and_on_what() {
    let home = Home::new();
    let rows = rows(&home, &["guide", "-p", "8,0", "-n", "4", "-d", "0,40", "-r", "3", "--threads", "2"]);
    assert_eq!(texts(&rows, "test"), ["pp8", "tg4", "pp8 @ d40", "tg4 @ d40"]);
    let counts: Vec<_> = rows.iter().map(|row| ["n_prompt", "n_gen", "depth"].map(|key| number(row, key))).collect();
    assert_eq!(counts, [[8.0, 0.0, 0.0], [0.0, 4.0, 0.0], [8.0, 0.0, 40.0], [0.0, 4.0, 40.0]]);
    let shown: Value = serde_json::from_str(&home.run(&["show", "guide", "--json"]).1).unwrap();
    for row in &rows {
        for key in ["model", "path", "architecture", "quantization", "parameters", "size_bytes"] {
            assert_eq!(row[key], shown[key], "{key}");
        }
        assert_eq!((&row["threads"], &row["kv_type"], &row["batch"]), (&2.into(), &"f16".into(), &512.into()));
        assert!(row["kernels"].is_string() && number(row, "load_ms") > 0.0);
        assert_eq!(row["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(row["build"], if cfg!(debug_assertions) { "debug" } else { "release" });
        assert_eq!(row["model_fingerprint"].as_str().unwrap().len(), 64);
        let warnings = row["warnings"].as_array().unwrap();
        assert_eq!(warnings.iter().any(|line| line.as_str().unwrap().contains("debug")), cfg!(debug_assertions));
        // A new process has to start, and that alone takes longer than this.
        assert_eq!(row["first_token_prompt"], 8);
        let [warm, cold] = ["first_token_warm_ms", "first_token_cold_ms"].map(|key| number(row, key));
        assert!(warm > 0.0 && cold > 0.5, "{row}");
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
        let share =
            number(row, "operations") / 8.0 * number(row, "tokens_per_s") / number(row, "peak_operations_per_s");
        assert!((number(row, "peak_share") - share).abs() <= 1e-9 * share && share > 0.0, "{row}");
        assert!(cfg!(debug_assertions) || share < 1.0, "faster than the machine: {row}");
    }
    // Eight tokens with all weights but those that only the last one meets: less than two operations a weight and token.
    let most = 2.0 * 8.0 * number(&rows[0], "parameters");
    assert!((0.1 * most..most).contains(&number(&rows[0], "operations")), "{}", rows[0]);
    assert!(number(&rows[0], "operations") < number(&rows[2], "operations"), "attention sees more");
    for row in [&rows[1], &rows[3]] {
        assert!(row["peak_share"].is_null() && row["operations"].is_null());
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
fn models_threads_caches_and_batches_are_measured_in_all_combinations() {
    let home = Home::new();
    let file = home.path().join("memory.gguf");
    write_model_with_memory(&file);
    let file = file.to_str().unwrap();
    let rows = rows(&home, &["guide", file, "-p", "8", "-n", "0", "-r", "1", "--threads", "1,2", "-b", "4,8"]);
    let keys = |row: &Value| (row["model"].as_str().unwrap().to_owned(), number(row, "threads"), number(row, "batch"));
    let mut expected = Vec::new();
    for model in ["guide", file] {
        for threads in [1.0, 2.0] {
            expected.extend([4.0, 8.0].map(|batch| (model.to_owned(), threads, batch)));
        }
    }
    assert_eq!(rows.iter().map(keys).collect::<Vec<_>>(), expected);
    // The file has other metadata and the same weights.
    assert!(rows.iter().all(|row| row["model_fingerprint"] == rows[0]["model_fingerprint"]));
    let args = ["guide", "-p", "8", "-n", "0", "-r", "1", "--threads", "1", "--kv-type", "f32,q8_0"];
    let table = output(&home, &args);
    let at = table.lines().position(|line| line.starts_with("KV")).unwrap_or_else(|| panic!("{table}"));
    let lines: Vec<&str> = table.lines().skip(at).collect();
    assert!(lines.len() == 3 && lines[1].starts_with("f32   pp8 ") && lines[2].starts_with("q8_0  pp8 "), "{table}");
}

#[test]
fn prompt_and_generation_are_timed_as_one() {
    let home = Home::new();
    let rows = rows(&home, &["guide", "-p", "0", "-n", "0", "--pg", "16,4", "--pg", "8,8", "-d", "0,8", "-r", "1"]);
    assert_eq!(texts(&rows, "test"), ["pp16+tg4", "pp8+tg8", "pp16+tg4 @ d8", "pp8+tg8 @ d8"]);
    assert_eq!((number(&rows[0], "n_prompt"), number(&rows[0], "n_gen")), (16.0, 4.0));
    assert_eq!(number(&rows[0], "first_token_prompt"), 16.0);
    assert!(rows[0]["bandwidth_share"].is_null() && rows[0]["peak_share"].is_null());
}

#[test]
fn people_get_a_table() {
    let home = Home::new();
    let args = ["guide", "-p", "8", "-n", "2", "-d", "5", "-r", "1", "--threads", "1"];
    let stdout = output(&home, &args);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 7, "{stdout}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(lines[0].starts_with("guide: ") && lines[0].ends_with("; 1 thread, f16 cache"), "{stdout}");
    assert!(lines[1].starts_with("  load ") && lines[1].contains("first token after 8: "), "{stdout}");
    assert!(lines[1].contains(" warm, ") && lines[1].contains(" cold; memory "), "{stdout}");
    assert!(lines[2].contains("; oai ") && lines[3].is_empty(), "{stdout}");
    assert!(lines[4].starts_with("TEST") && lines[4].ends_with("OF LIMIT"), "{stdout}");
    assert!(
        lines[5].starts_with("pp8 @ d5 ") && lines[5].contains(" ± 0.00 ") && lines[5].ends_with("Top/s"),
        "{stdout}"
    );
    assert!(lines[6].starts_with("tg2 @ d5 ") && lines[6].contains(" % of ") && lines[6].ends_with("GB/s"), "{stdout}");
    let chart = output(&home, &[&args[..], &["--chart"]].concat());
    assert!(chart.contains("tokens/s") && chart.contains("pp8") && chart.lines().count() > 30, "{chart}");
}

#[test]
fn csv_and_markdown_have_a_line_a_test() {
    let home = Home::new();
    let args = ["guide", "-p", "8", "-n", "2", "-r", "2", "--threads", "1"];
    let csv = output(&home, &[&args[..], &["--csv"]].concat());
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3, "{csv}");
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    assert_eq!([lines[1][column("test")], lines[2][column("test")]], ["pp8", "tg2"]);
    assert_eq!((lines[1][column("model")], lines[1][column("path")]), ("guide", ""));
    assert!(lines[1][column("tokens_per_s")].parse::<f64>().unwrap() > 0.0);
    assert_eq!(lines[1][column("samples_tokens_per_s")].split(';').count(), 2);
    let markdown = output(&home, &[&args[..], &["--markdown"]].concat());
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!(lines.len(), 4, "{markdown}");
    assert_eq!(lines[0], "| MODEL | TYPE | SIZE | THREADS | KV | BATCH | TEST | TOKENS/S | OF LIMIT |");
    assert_eq!(lines[1], "| --- | --- | ---: | ---: | --- | ---: | --- | ---: | --- |");
    assert!(lines[2].starts_with("| guide | ") && lines[2].contains(" | 1 | f16 | 512 | pp8 | "), "{markdown}");
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
fn a_run_is_kept_and_a_slower_one_is_told_and_fails() {
    let home = Home::new();
    let args = ["bench", "guide", "-p", "8", "-n", "4", "-r", "3"];
    let (code, _, stderr) = home.run(&[&args[..], &["--save", "before"]].concat());
    assert!(code == 0 && stderr.contains("kept as before"), "{stderr}");
    let file = home.path().join(".local/share/oai/bench/before.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(texts(kept["rows"].as_array().unwrap(), "test"), ["pp8", "tg4"]);
    let against = |factor: f64, more: &[&str]| {
        let mut kept = kept.clone();
        for row in kept["rows"].as_array_mut().unwrap() {
            for sample in row["samples_tokens_per_s"].as_array_mut().unwrap() {
                *sample = (sample.as_f64().unwrap() * factor).into();
            }
        }
        std::fs::write(&file, kept.to_string()).unwrap();
        home.run(&[&args[..], &["--against", "before", "--tolerance", "50"], more].concat())
    };
    // However noisy the machine is, it is not 1000 times as fast as before, nor as slow.
    let (code, stdout, stderr) = against(1000.0, &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stderr.contains("slower than before: pp8 by 99") && stderr.contains("tg4 by 99"), "{stderr}");
    assert!(stdout.lines().last().unwrap().ends_with("slower"), "{stdout}");
    let (code, stdout, stderr) = against(0.001, &["--json"]);
    assert_eq!(code, 0, "{stderr}");
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(texts(json["comparison"]["changes"].as_array().unwrap(), "verdict"), ["faster", "faster"]);
    assert_eq!(texts(json["rows"].as_array().unwrap(), "test"), ["pp8", "tg4"]);
    assert_error(home.run(&["bench", "guide", "--against", "nothing"]), 2, &["nothing", "before"]);
    assert_error(home.run(&["bench", "guide", "--save", "a/b"]), 2, &["a/b"]);
}

/// Answers a request as a server of one model does that speaks OpenAI's protocol: a word a token.
fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().to_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if first.starts_with("GET ") {
        let models = json!({ "data": [{ "id": "parrot" }] }).to_string();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{models}",
            models.len()
        );
    }
    let asked: Value = serde_json::from_slice(&body)?;
    let tokens = asked["max_tokens"].as_u64().unwrap();
    let words = asked["prompt"].as_str().unwrap().split_whitespace().count();
    let usage = json!({ "prompt_tokens": words, "completion_tokens": tokens });
    if asked["stream"] != true {
        let whole = json!({ "choices": [{ "text": "word" }], "usage": usage }).to_string();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{whole}",
            whole.len()
        );
    }
    write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n")?;
    for _ in 0..tokens {
        std::thread::sleep(std::time::Duration::from_millis(2));
        write!(stream, "data: {}\n\n", json!({ "choices": [{ "text": " word" }] }))?;
    }
    write!(stream, "data: {}\n\ndata: [DONE]\n\n", json!({ "choices": [], "usage": usage }))
}

#[test]
fn a_server_is_measured_in_turn_with_a_model() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who went away needs no answer.
            std::thread::spawn(move || answer(&mut stream.unwrap()));
        }
    });
    let home = Home::new();
    let args = ["--endpoint", &url, "-p", "16,32", "-n", "4", "-r", "2"];
    let (code, stdout, stderr) = home.run(&[&["bench", "guide", "--json"], &args[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let in_turn = ["pp16", "tg4 @ d16", "pp16+tg4 x1", "pp32", "tg4 @ d32", "pp32+tg4 x1"];
    assert_eq!(texts(&rows, "test"), in_turn);
    assert_eq!(texts(&rows, "model"), ["guide", "guide", "parrot", "guide", "guide", "parrot"]);
    let server = &rows[2];
    assert!(server["endpoint"].as_str().unwrap().starts_with(&url), "{server}");
    assert_eq!((number(server, "requests"), number(server, "errors")), (2.0, 0.0));
    assert_eq!((number(server, "prompt_tokens"), number(server, "generated_tokens")), (16.0, 4.0));
    // It sleeps 2 ms before each token.
    assert!(number(server, "ttft_ms_p50") > 2.0 && number(server, "tokens_per_s") > 0.0, "{server}");
    let (code, table, stderr) = home.run(&[&["bench"], &args[..], &["--concurrency", "2"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let tests: Vec<&str> = table.lines().skip(1).map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(tests[..3], ["pp16 x2", "tg4 @ d16 x2", "together x2"], "{table}");
    assert_error(home.run(&["bench", "--endpoint", "127.0.0.1:1"]), 6, &["127.0.0.1:1"]);
    assert_error(home.run(&["bench", "--endpoint", "ftp://127.0.0.1"]), 2, &["ftp://127.0.0.1"]);
}

#[test]
fn what_cannot_be_measured_is_a_one_line_error() {
    let home = Home::new();
    let run = |args: &[&str]| home.run(&[&["bench", "guide"], args].concat());
    assert_error(run(&["-p", "0", "-n", "0"]), 2, &["nothing to measure", "-p", "-n"]);
    assert_error(run(&["-p", "513", "-n", "0"]), 2, &["513 tokens after 0", "512", "lower -p"]);
    assert_error(run(&["-p", "0", "-n", "1", "-d", "0,512"]), 2, &["1 tokens after 512", "-d"]);
    assert_error(run(&["-p", "0", "-n", "0", "--pg", "500,13"]), 2, &["513 tokens after 0"]);
    assert_error(run(&["-p", "4294967295", "-d", "4294967295"]), 2, &["4294967295 tokens after 4294967295"]);
    assert_error(home.run(&["bench", "/nowhere/model.gguf"]), 3, &["/nowhere/model.gguf"]);
    // Nothing is measured before all models are found.
    assert_error(home.run(&["bench", "guide", "/nowhere/model.gguf"]), 3, &["/nowhere/model.gguf"]);
    assert_error(run(&["--threads", "2,0"]), 2, &["--threads", "0"]);
    assert_error(run(&["--kv-type", "f16,q9"]), 2, &["--kv-type", "q9"]);
    assert_error(run(&["--endpoint", "localhost:1", "--threads", "1,2"]), 2, &["one model"]);
    for args in [
        &["-p", "1,x"][..],
        &["-n", "4294967296"],
        &["-d", "1.5"],
        &["-r", "0"],
        &["-p", ""],
        &["--pg", "1"],
        &["--pg", "1,2,3"],
        &["--pg", "0,4"],
        &["-b", "513"],
        &["-b", "0"],
        &["--json", "--csv"],
        &["--csv", "--markdown"],
        &["--tolerance", "5"],
        &["--tolerance", "x", "--against", "y"],
        &["--concurrency", "2"],
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(args[0]), "{args:?}: {stderr}");
    }
    let (_, _, stderr) = run(&["-pg", "8,4"]);
    assert!(stderr.contains("--pg PP,TG"), "llama-bench's flag: {stderr}");
    let (_, _, stderr) = home.run(&["bench"]);
    assert!(stderr.contains("MODEL"), "{stderr}");
}

#[test]
fn a_model_that_fails_to_load_is_told_as_everywhere() {
    let home = Home::new();
    // Whole in its headers, and without its last weights.
    let file = home.path().join("cut.gguf");
    std::fs::write(&file, &GUIDE[..GUIDE.len() - 4096]).unwrap();
    let (code, stdout, stderr) = home.run(&["bench", file.to_str().unwrap(), "-r", "1"]);
    let asked = finish(&mut home.oai(&["ask", "-m", file.to_str().unwrap(), "hello"]));
    assert_eq!((code, stdout), (asked.0, String::new()));
    assert_eq!(stderr, asked.2);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_it_and_the_process_that_measures_with_130() {
    let home = Home::new();
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"))
        .args(["bench", "guide", "-r", "1000000"])
        .env_clear()
        .env("HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let until = |done: &dyn Fn() -> bool| {
        while !done() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let children = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    until(&|| !children().is_empty());
    let measures = children().remove(0);
    // `oai top` sees the one that was called, not the one that measures.
    let running = || {
        let look: Value = serde_json::from_str(&home.run(&["top", "--json"]).1).unwrap();
        look["running"].as_array().unwrap().clone()
    };
    until(&|| running().iter().any(|found| found["command"] == "bench" && found["model"] == "guide"));
    let found = running();
    assert_eq!(found.iter().map(|found| found["pid"].to_string()).collect::<Vec<_>>().join(" "), pid, "{found:?}");
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(130), Vec::new()));
    // Gone, or only its exit code is left, which nobody may ask for.
    let state = || std::fs::read_to_string(format!("/proc/{measures}/stat")).unwrap_or_default();
    until(&|| state().rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])));
}
