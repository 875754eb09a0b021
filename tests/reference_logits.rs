//! Logits and greedy tokens beside Hugging Face transformers, on the models of `../shared/data`.
//! A stranger has no such folder: then this says so and passes.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use candle_core::Tensor;
use oai::model::{Checkpoint, Decoder, Logits};
use oai::weights::Source;
use serde_json::Value;

fn data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (i, v) in logits.iter().enumerate() {
        if *v > logits[best] {
            best = i;
        }
    }
    best as u32
}

fn last(logits: &Tensor) -> Vec<f32> {
    let rows = logits.dim(0).unwrap();
    logits.get(rows - 1).unwrap().to_vec1().unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn check(model: &Path, expected: &Path) {
    let run = AtomicBool::new(false);
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
    let mut decoder = Decoder::load(&Checkpoint::open(&Source::Path(model.to_owned())).unwrap()).unwrap();
    for prompt in expected["prompts"].as_array().unwrap() {
        decoder.truncate(0);
        let input = ids(&prompt["input_ids"]);
        let mut logits = last(&decoder.forward(&input, Logits::Last, &run).unwrap());
        let reference = floats(&prompt["last_logits"]);
        let scale = reference.iter().fold(0f32, |m, v| m.max(v.abs()));
        let difference = logits.iter().zip(&reference).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(difference <= 1e-3 * scale, "{}: {difference} of {scale}", model.display());
        println!("{}: largest deviation {:.1e} of {scale}", model.display(), difference / scale);
        for (i, expected) in ids(&prompt["greedy_ids"]).into_iter().enumerate() {
            let token = argmax(&logits);
            assert_eq!(token, expected, "{}: greedy token {i}", model.display());
            logits = last(&decoder.forward(&[token], Logits::Last, &run).unwrap());
        }
    }
}

fn check_tiny(name: &str) {
    if let Some(folder) = data(&format!("tiny/{name}")) {
        check(&folder, &folder.join("expected.json"));
    }
}

#[test]
fn llama() {
    check_tiny("llama");
}

#[test]
fn llama3() {
    check_tiny("llama3");
}

#[test]
fn mistral() {
    check_tiny("mistral");
}

#[test]
fn qwen2() {
    check_tiny("qwen2");
}

#[test]
fn qwen3() {
    check_tiny("qwen3");
}

#[test]
fn falcon() {
    check_tiny("falcon");
}

#[test]
fn gemma2() {
    check_tiny("gemma2");
}

#[test]
fn mixtral() {
    check_tiny("mixtral");
}

#[test]
fn phi3() {
    check_tiny("phi3");
}

#[test]
fn starcoder2() {
    check_tiny("starcoder2");
}

#[test]
fn stories() {
    if let Some(folder) = data("stories260K") {
        check(&folder.join("hf"), &folder.join("expected.json"));
        check(&folder.join("stories260K-f32.gguf"), &folder.join("expected.json"));
    }
}
