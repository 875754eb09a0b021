//! Token ids beside llama.cpp's test vectors and Hugging Face's, from `../shared/data`.
//! A stranger has no such folder: then this says so and passes.

use std::path::{Path, PathBuf};

use oai::model::Tokenizer;
use oai::weights::Gguf;
use serde_json::Value;

fn data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn check_vocabulary(name: &str) {
    let Some(path) = data(&format!("vocab/ggml-vocab-{name}.gguf")) else { return };
    let gguf = Gguf::open(&path).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata, &gguf.file).unwrap();
    let beside = |suffix: &str| std::fs::read_to_string(format!("{}.{suffix}", path.display())).unwrap();
    let (inputs, outputs) = (beside("inp"), beside("out"));
    let inputs: Vec<&str> = inputs.split("\n__ggml_vocab_test__\n").collect();
    let mut checked = 0;
    for (input, output) in inputs.iter().zip(outputs.lines()) {
        let expected: Vec<u32> = output.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let ids = tokenizer.encode(input, false, false).unwrap();
        assert_eq!(ids, expected, "{name}: {input:?}");
        assert_eq!(tokenizer.decode(&ids), *input, "{name} back to text");
        checked += 1;
    }
    assert!(checked > 30, "{checked} vectors");
}

#[test]
fn gpt_2() {
    check_vocabulary("gpt-2");
}

#[test]
fn llama_bpe() {
    check_vocabulary("llama-bpe");
}

#[test]
fn llama_spm() {
    check_vocabulary("llama-spm");
}

#[test]
fn phi_3() {
    check_vocabulary("phi-3");
}

#[test]
fn qwen2() {
    check_vocabulary("qwen2");
}

#[test]
fn falcon() {
    check_vocabulary("falcon");
}

#[test]
fn starcoder() {
    check_vocabulary("starcoder");
}

fn check_prompts(tokenizer: &Tokenizer, expected: &Path) {
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
    for prompt in expected["prompts"].as_array().unwrap() {
        let text = prompt["text"].as_str().unwrap();
        let ids: Vec<u64> = tokenizer.encode(text, true, true).unwrap().into_iter().map(u64::from).collect();
        assert_eq!(Value::from(ids), prompt["input_ids"], "{text:?}");
    }
}

#[test]
fn tokenizer_json_of_the_tiny_models() {
    for name in ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "falcon", "starcoder2", "mixtral"] {
        let Some(folder) = data(&format!("tiny/{name}")) else { return };
        check_prompts(&Tokenizer::from_folder(&folder).unwrap(), &folder.join("expected.json"));
    }
}

#[test]
fn stories() {
    let Some(folder) = data("stories260K") else { return };
    check_prompts(&Tokenizer::from_folder(&folder.join("hf")).unwrap(), &folder.join("expected.json"));
    let gguf = Gguf::open(&folder.join("stories260K-f32.gguf")).unwrap();
    check_prompts(&Tokenizer::from_gguf(&gguf.metadata, &gguf.file).unwrap(), &folder.join("expected.json"));
}
