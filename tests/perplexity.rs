//! `oai perplexity` through the real binary, beside a count of the library's logits and beside
//! Hugging Face transformers.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;

use common::{GUIDE, Home, assert_error, finish};
use oai::model::{Checkpoint, Decoder, KvType, Logits, Tokenizer};
use oai::weights::Source;
use serde_json::Value;

/// Some English of the guide's kind; 400 tokens and more.
const TEXT: &str = include_str!("../src/guide/README.md");

fn measured(home: &Home, args: &[&str], stdin: &str) -> Value {
    let mut command = home.oai(&[&["perplexity", "--json"], args].concat());
    let (code, stdout, stderr) = finish(command.write_stdin(stdin));
    assert_eq!((code, stdout.lines().count(), stderr.as_str()), (0, 1, ""), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn number(measured: &Value, key: &str) -> f64 {
    measured[key].as_f64().unwrap_or_else(|| panic!("{key} of {measured}"))
}

#[track_caller]
fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-3 * b.abs().max(1.0), "{a} is not {b}");
}

fn guide() -> (Decoder, Tokenizer) {
    let checkpoint = Checkpoint::open(&Source::Embedded { name: "guide", bytes: GUIDE }).unwrap();
    (Decoder::load(&checkpoint, KvType::F32).unwrap(), Tokenizer::open(&checkpoint).unwrap())
}

/// The negative log-likelihood of each token but the first, in one pass.
fn likelihoods(decoder: &mut Decoder, tokens: &[u32]) -> Vec<f64> {
    decoder.truncate(0);
    let logits = decoder.forward(tokens, Logits::All, &AtomicBool::new(false)).unwrap().to_vec2::<f32>().unwrap();
    let nll = |(logits, next): (&Vec<f32>, &u32)| {
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        total.ln() - f64::from(logits[*next as usize])
    };
    logits.iter().zip(&tokens[1..]).map(nll).collect()
}

#[test]
fn chunks_are_scored_in_their_second_half() {
    let home = Home::new();
    let (mut decoder, tokenizer) = guide();
    let tokens = tokenizer.encode(TEXT, false, true).unwrap();
    assert!(tokens.len() >= 400, "{}", tokens.len());
    let bos = tokenizer.bos().filter(|bos| tokens[0] == *bos);
    for context in [33usize, 128] {
        let mut nlls = Vec::new();
        for chunk in tokens.chunks_exact(context) {
            let mut chunk = chunk.to_vec();
            chunk[0] = bos.unwrap_or(chunk[0]);
            nlls.extend_from_slice(&likelihoods(&mut decoder, &chunk)[context / 2..]);
        }
        let (count, nll) = (nlls.len() as f64, nlls.iter().sum::<f64>());
        let mean = nll / count;
        let variance = nlls.iter().map(|nll| (nll - mean).powi(2)).sum::<f64>() / count;
        let measured = measured(&home, &["guide", "--context", &context.to_string()], TEXT);
        assert_eq!((&measured["model"], &measured["file"]), (&"guide".into(), &Value::Null));
        assert_eq!(measured["context"], context);
        assert_eq!(measured["chunks"], tokens.len() / context);
        assert_eq!(measured["tokens"], tokens.len());
        assert_eq!(measured["scored"], nlls.len());
        assert_close(number(&measured, "nll"), nll);
        assert_close(number(&measured, "perplexity"), mean.exp());
        assert_close(number(&measured, "error"), (variance / (count - 1.0)).sqrt() * mean.exp());
        assert!(number(&measured, "tokens_per_s") > 0.0);
    }
}

#[test]
fn a_whole_text_is_scored_but_for_its_first_token() {
    let home = Home::new();
    let (mut decoder, tokenizer) = guide();
    let text: String = TEXT.chars().take(900).collect();
    let tokens = tokenizer.encode(&text, false, true).unwrap();
    let nlls = likelihoods(&mut decoder, &tokens);
    let file = home.path().join("text.txt");
    std::fs::write(&file, &text).unwrap();
    let measured = measured(&home, &["guide", "--whole", "-f", file.to_str().unwrap()], "");
    assert_eq!(measured["file"], file.to_str().unwrap());
    assert_eq!((&measured["context"], &measured["chunks"]), (&tokens.len().into(), &1.into()));
    assert_eq!(measured["scored"], nlls.len());
    assert_close(number(&measured, "nll"), nlls.iter().sum());
}

#[test]
fn a_text_is_taken_as_it_is() {
    let home = Home::new();
    let tokens = |text: &str| measured(&home, &["guide", "--whole"], text)["tokens"].as_u64().unwrap();
    assert!(tokens("how do I\n\n") > tokens("how do I"), "line breaks at the end count");
    assert!(tokens("<|end|><|end|>") > 5, "control tokens are text");
}

#[test]
fn people_get_aligned_lines() {
    let (code, stdout, stderr) =
        finish(Home::new().oai(&["perplexity", "guide", "--context", "64", "--threads", "1"]).write_stdin(TEXT));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let keys: Vec<&str> = stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(keys, ["model", "text", "tokens", "nll", "perplexity", "speed"]);
    assert!(stdout.contains("chunks of 64") && stdout.contains(" ± "), "{stdout}");
}

#[test]
fn what_cannot_be_scored_is_a_one_line_error() {
    let home = Home::new();
    let run = |args: &[&str], stdin: &[u8]| {
        finish(home.oai(&[&["perplexity", "guide"], args].concat()).write_stdin(stdin.to_vec()))
    };
    let long = "word ".repeat(2000);
    assert_error(run(&[], b"too short"), 2, &["chunks of 512 need 1024", "tokens", "--context", "--whole"]);
    assert_error(run(&["--whole"], long.as_bytes()), 5, &["context 512", "tokens", "--whole"]);
    assert_error(run(&["--whole"], b""), 2, &["tokens", "nothing to foresee"]);
    assert_error(run(&["--context", "1000"], long.as_bytes()), 2, &["--context 1000", "512"]);
    assert_error(run(&[], b"caf\xe9"), 7, &["standard input", "byte 3"]);
    assert_error(run(&["-f", "/nowhere/text.txt"], b""), 7, &["/nowhere/text.txt"]);
    for args in [["--context", "2"], ["--threads", "0"]] {
        let (code, stdout, stderr) = run(&args, b"text");
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(args[0]), "{stderr}");
    }
}

#[test]
fn ctrl_c_ends_it_with_130() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("oai"))
        .args(["perplexity", "guide"])
        .env_clear()
        .env("HOME", Home::new().path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds: once it is all taken, the program is reading and listens.
    child.stdin.as_mut().unwrap().write_all(&vec![b'a'; 1 << 20]).unwrap();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!((output.status.code(), output.stdout), (Some(130), Vec::new()));
}

#[test]
fn likelihoods_are_those_of_transformers() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.exists() {
        eprintln!("skipped: {} is absent", data.display());
        return;
    }
    let mut cases = vec![data.join("stories260K/hf"), data.join("stories260K/stories260K-f32.gguf")];
    cases.extend(std::fs::read_dir(data.join("tiny")).unwrap().map(|entry| entry.unwrap().path()));
    let home = Home::new();
    for model in cases {
        let folder = if model.starts_with(data.join("tiny")) { &model } else { model.parent().unwrap() };
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
        for prompt in expected["prompts"].as_array().unwrap() {
            let text = prompt["text"].as_str().unwrap();
            let measured = measured(&home, &[model.to_str().unwrap(), "--whole"], text);
            assert_eq!(measured["tokens"], prompt["input_ids"].as_array().unwrap().len(), "{}", model.display());
            let (nll, expected) = (number(&measured, "nll"), prompt["nll"].as_f64().unwrap());
            assert!((nll - expected).abs() <= 1e-3, "{}: {nll}, not {expected}", model.display());
        }
    }
}
