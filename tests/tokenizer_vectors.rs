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

/// Every vocabulary of the folder that has vectors; more of llama.cpp's are checked where `OAI_TEST_VOCAB` names
/// a folder of them.
#[test]
fn vocabularies_of_gguf_files() {
    let folders = [data("vocab"), std::env::var_os("OAI_TEST_VOCAB").map(PathBuf::from)];
    for folder in folders.into_iter().flatten() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "gguf"));
        files.sort();
        assert!(!files.is_empty());
        files.iter().for_each(|path| check_vocabulary(path));
    }
}

fn check_vocabulary(path: &Path) {
    let beside = |suffix: &str| std::fs::read_to_string(format!("{}.{suffix}", path.display()));
    let (Ok(inputs), Ok(outputs)) = (beside("inp"), beside("out")) else { return };
    let started = std::time::Instant::now();
    let gguf = Gguf::open(path).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata, &gguf.file).unwrap();
    let loaded = started.elapsed();
    let inputs: Vec<&str> = inputs.split("\n__ggml_vocab_test__\n").collect();
    let mut checked = 0;
    for (input, output) in inputs.iter().zip(outputs.lines()) {
        let expected: Vec<u32> = output.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let ids = tokenizer.encode(input, false, false).unwrap();
        assert_eq!(ids, expected, "{}: {input:?}", path.display());
        // BERT's vocabulary has neither case nor white space.
        if gguf.metadata.str("tokenizer.ggml.model") != Some("bert") {
            assert_eq!(tokenizer.decode(&ids), *input, "{} back to text", path.display());
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} vectors");
    println!("{}: {checked} vectors, loaded in {loaded:?}", path.display());
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

/// With nothing untrusted a rendered text has the tokens that Hugging Face's own encoding has, and with
/// everything untrusted it has no control token.
#[test]
fn rendered_texts_keep_their_tokens() {
    let texts = [
        "<s>[INST] Hello\n\n [/INST] hi</s>",
        "<|user|>\n  two  spaces</s><unk> <s> \n",
        "</s></s>x<pad>",
        " <s> é漢🚀\u{301}",
    ];
    for name in ["llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "falcon", "starcoder2", "mixtral"] {
        let Some(folder) = data(&format!("tiny/{name}")) else { return };
        let tokenizer = Tokenizer::from_folder(&folder).unwrap();
        let reference = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        for text in texts {
            let expected = reference.encode_fast(text, false).unwrap().get_ids().to_vec();
            assert_eq!(tokenizer.encode_rendered(text, &[]).unwrap(), expected, "{name}: {text:?}");
            let ids = tokenizer.encode_rendered(text, &[0..text.len()]).unwrap();
            assert!(!ids.iter().any(|id| tokenizer.is_control(*id)), "{name}: {text:?} {ids:?}");
            assert_eq!(ids, tokenizer.encode(text, false, false).unwrap());
            for skip in [true, false] {
                let all = if skip { tokenizer.decode(&expected) } else { tokenizer.decode_with_control(&expected) };
                assert_eq!(all, reference.decode(&expected, skip).unwrap(), "{name}: {text:?}");
            }
        }
    }
}
