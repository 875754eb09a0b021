//! Logits and greedy tokens beside Hugging Face transformers, on the models of `../shared/data`.
//! A stranger has no such folder: then this says so and passes.

mod common;

use std::path::{Path, PathBuf};

use common::reference::{Expected, argmax, decoder, deviation, run};

fn data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn check(model: &Path, expected: &Path) {
    let expected = Expected::read(expected).unwrap();
    let mut decoder = decoder(model).unwrap();
    for prompt in &expected.prompts {
        decoder.truncate(0);
        let mut logits = run(&mut decoder, &prompt.input_ids);
        let deviation = deviation(&logits, &prompt.last_logits);
        assert!(deviation <= 1e-3, "{}: {deviation:e}", model.display());
        println!("{}: largest deviation {deviation:.1e}", model.display());
        assert!(!prompt.greedy_ids.is_empty(), "{}: nothing to compare with", model.display());
        for (i, expected) in prompt.greedy_ids.iter().enumerate() {
            let token = argmax(&logits);
            assert_eq!(token, *expected, "{}: greedy token {i}", model.display());
            logits = run(&mut decoder, &[token]);
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
