//! `oai embed` beside Hugging Face transformers: the tiny models of `embeddings/`, which
//! `embeddings/make.py` made; and what it promises to scripts.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Home, assert_error, finish};
use oai::model::encoder;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    tokens: usize,
    vector: Vec<f64>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embeddings").join(name)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The objects that `oai embed -m MODEL ARGS` prints.
#[track_caller]
fn embed(model: &str, args: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) = Home::new().run(&[&["embed", "-m", model], args].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn vector(object: &Value) -> Vec<f64> {
    object["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// The largest difference, as a part of the largest component.
#[track_caller]
fn deviation(vector: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(vector.len(), expected.len());
    let scale = expected.iter().fold(0f64, |m, v| m.max(v.abs()));
    vector.iter().zip(expected).fold(0f64, |m, (a, b)| m.max((a - b).abs())) / scale
}

#[test]
fn vectors_are_those_of_transformers() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder("")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|path| path.join("config.json").exists());
    folders.sort();
    assert!(folders.len() >= 8, "{folders:?}");
    let mut checked: BTreeMap<String, (usize, usize, f64)> = BTreeMap::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy();
        let expected: Expected = serde_json::from_value(json(&folder.join("expected.json"))).unwrap();
        let texts: Vec<&str> = expected.texts.iter().map(|text| text.text.as_str()).collect();
        let objects = embed(folder.to_str().unwrap(), &texts);
        assert_eq!(objects.len(), texts.len());
        let mut largest = 0f64;
        for (index, (object, expected)) in objects.iter().zip(&expected.texts).enumerate() {
            assert_eq!((&object["index"], &object["tokens"]), (&index.into(), &expected.tokens.into()), "{name}");
            let deviation = deviation(&vector(object), &expected.vector);
            // Not "greater": a deviation that is no number is wrong too.
            assert!(deviation <= 1e-4, "{name}, text {index}: {deviation:e}");
            largest = largest.max(deviation);
        }
        println!("{name:20} {largest:.1e}");
        let entry = checked.entry(json(&folder.join("config.json"))["model_type"].as_str().unwrap().to_owned());
        let (folders, files, worst) = entry.or_default();
        *folders += 1;
        // Held to the folder's vectors below.
        *files += usize::from(folder.with_extension("gguf").exists());
        *worst = worst.max(largest);
    }
    // Decoders are counted where their logits are.
    checked.remove("qwen3").expect("a decoder is among the models");
    if std::env::var_os("UPDATE").is_some() {
        let line = |(name, (folders, files, largest)): (&String, &(usize, usize, f64))| {
            format!("{name} = {{ folders = {folders}, gguf_files = {files}, deviation = {largest:.1e} }}\n")
        };
        let text: String = checked.iter().map(line).collect();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/encoder/checked.toml"), text).unwrap();
    }
    for architecture in encoder::architectures() {
        let here = checked.remove(architecture.name).map(|(folders, files, _)| (folders, files));
        let said = architecture.checked.map(|c| (c.folders, c.gguf_files));
        assert_eq!(said, here, "{}: renew it: UPDATE=1 cargo test --test embed", architecture.name);
    }
    assert!(checked.is_empty(), "not of the table: {checked:?}");
}

/// Files that llama.cpp's converter made of the folders beside them (`embeddings/convert.py`).
#[test]
fn vectors_of_gguf_files_are_those_of_the_folders() {
    for name in ["bert", "modernbert", "nomic-bert", "xlm-roberta"] {
        let expected: Expected = serde_json::from_value(json(&folder(name).join("expected.json"))).unwrap();
        let texts: Vec<&str> = expected.texts.iter().map(|text| text.text.as_str()).collect();
        let objects = embed(folder(&format!("{name}.gguf")).to_str().unwrap(), &texts);
        assert_eq!(objects.len(), texts.len());
        for (object, expected) in objects.iter().zip(&expected.texts) {
            assert_eq!(object["tokens"], expected.tokens, "{name}: {}", expected.text);
            let deviation = deviation(&vector(object), &expected.vector);
            assert!(deviation <= 1e-4, "{name}: {}: {deviation:e}", expected.text);
        }
    }
}

#[test]
fn texts_come_from_words_files_lines_and_standard_input() {
    let home = Home::new();
    let model = folder("bert");
    let model = model.to_str().unwrap();
    let file = home.path().join("texts.txt");
    std::fs::write(&file, "the fox\n\nover it\n").unwrap();
    let file = file.to_str().unwrap();
    let words = embed(model, &["the fox", "over it"]);
    let lines = embed(model, &["--lines", "-f", file]);
    assert_eq!(words, lines);
    let mut piped = home.oai(&["embed", "-m", model, "--lines"]);
    let (code, stdout, _) = finish(piped.write_stdin("the fox\nover it"));
    assert_eq!(code, 0);
    assert_eq!(stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>(), words);
    // Without --lines a file is one text.
    let whole = embed(model, &["-f", file]);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0]["embedding"], embed(model, &["the fox over it"])[0]["embedding"]);
    assert_error(home.run(&["embed", "-m", model]), 2, &["nothing to embed"]);
}

#[test]
fn dimensions_prompts_and_length_are_as_asked() {
    let (bert, plain) = (folder("bert"), folder("distilbert"));
    let (bert, plain) = (bert.to_str().unwrap(), plain.to_str().unwrap());
    let length = |object: &Value| vector(object).iter().map(|v| v * v).sum::<f64>().sqrt();
    let whole = embed(bert, &["the fox"]);
    let short = embed(bert, &["--dimensions", "8", "the fox"]);
    assert!((length(&whole[0]) - 1.0).abs() < 1e-6 && (length(&short[0]) - 1.0).abs() < 1e-6);
    let (whole, short) = (vector(&whole[0]), vector(&short[0]));
    assert_eq!(short.len(), 8);
    assert!((whole[0] / whole[7] - short[0] / short[7]).abs() < 1e-4);
    // The one's files ask for length one, the other's do not; flags go before files.
    let raw = embed(bert, &["--no-normalize", "the fox"]);
    assert!((length(&raw[0]) - 1.0).abs() > 0.1);
    assert!((length(&embed(plain, &["the fox"])[0]) - 1.0).abs() > 0.1);
    assert!((length(&embed(plain, &["--normalize", "the fox"])[0]) - 1.0).abs() < 1e-6);
    let prompted = embed(bert, &["--prompt", "query", "the fox"]);
    assert_eq!(prompted[0]["embedding"], embed(bert, &["search: the fox"])[0]["embedding"]);
    let home = Home::new();
    assert_error(home.run(&["embed", "-m", bert, "--prompt", "song", "x"]), 2, &["song", "document, query"]);
    assert_error(home.run(&["embed", "-m", bert, "--dimensions", "33", "x"]), 2, &["33", "32"]);
}

#[test]
fn a_text_that_is_too_long_is_refused_or_cut() {
    for name in ["bert", "qwen3"] {
        let model = folder(name);
        let model = model.to_str().unwrap();
        let long = "the fox ".repeat(60);
        let (code, stdout, stderr) = Home::new().run(&["embed", "-m", model, "short", &long]);
        // What came before is printed.
        assert_eq!((code, stdout.lines().count()), (5, 1), "{stderr}");
        assert!(stderr.contains("text 2: ") && stderr.contains(" 100") && stderr.contains("--truncate"), "{stderr}");
        let cut = embed(model, &["--truncate", &long]);
        assert_eq!(cut[0]["tokens"], 100);
        // The end of the text is lost, what the model wants around it is not.
        assert_eq!(cut, embed(model, &["--truncate", &format!("{long} and more")]));
        assert_ne!(cut[0]["embedding"], embed(model, &["--truncate", &format!("and more {long}")])[0]["embedding"]);
    }
}

/// Puts a folder into the cache of `home` as if it were pulled.
fn pulled(home: &Home, name: &str, repo: &str) {
    let to = home.path().join(".cache/huggingface/hub").join(format!("models--{}", repo.replace('/', "--")));
    copy(&folder(name), &to.join("snapshots/0"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { _ = std::fs::copy(entry.path(), to).unwrap() }
    }
}

#[test]
fn embedding_models_embed_and_do_not_answer() {
    let home = Home::new();
    assert_error(home.run(&["embed", "a text"]), 3, &["oai pull all-minilm"]);
    pulled(&home, "bert", "org/tiny-bert");
    let (code, stdout, stderr) = home.run(&["embed", "a text"]);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stderr}");
    assert_error(home.run(&["ask", "-m", "org/tiny-bert", "why?"]), 4, &["embedding model", "oai embed"]);
    // The newest model is no model for answers: the guide answers.
    let (code, stdout, _) = home.run(&["ask", "How do I resume a pull?"]);
    assert!(code == 0 && stdout.contains("oai pull"), "{stdout}");
    let (_, stdout, _) = home.run(&["show", "--json", "org/tiny-bert"]);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&shown["kind"], &shown["pooling"]), (&"encoder".into(), &"mean".into()));
    assert_eq!((&shown["architecture"], &shown["context_length"]), (&"bert".into(), &114.into()));
}

#[test]
fn a_decoder_embeds_with_a_note() {
    let (code, stdout, stderr) = Home::new().run(&["embed", "-m", "guide", "a text"]);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stderr}");
    assert!(stderr.contains("last token"), "{stderr}");
}

#[test]
fn damaged_and_foreign_modules_are_one_line_errors() {
    let home = Home::new();
    let damaged = |name: &str, file: &str, text: &str| {
        let to = home.path().join(name);
        copy(&folder("bert-dense"), &to);
        std::fs::write(to.join(file), text).unwrap();
        home.run(&["embed", "-m", to.to_str().unwrap(), "x"])
    };
    let module = |kind: &str, path: &str| {
        format!("[{{\"type\": \"sentence_transformers.models.{kind}\", \"path\": \"{path}\"}}]")
    };
    assert_error(damaged("a", "modules.json", "{"), 4, &["modules.json", "not JSON"]);
    assert_error(damaged("b", "modules.json", &module("WordWeights", "2")), 4, &["WordWeights", "not supported"]);
    assert_error(damaged("c", "modules.json", &module("Dense", "../2")), 4, &["outside the folder"]);
    assert_error(damaged("d", "1_Pooling/config.json", "{}"), 4, &["1_Pooling/config.json", "pooling mode"]);
    assert_error(damaged("e", "2_Dense/config.json", "{\"in_features\": 9, \"out_features\": 24}"), 4, &["2_Dense"]);
    // The last weight is no number, and all that it touches.
    let spoilt = home.path().join("spoilt");
    copy(&folder("bert-dense"), &spoilt);
    let weights = spoilt.join("2_Dense/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, bytes).unwrap();
    assert_error(home.run(&["embed", "-m", spoilt.to_str().unwrap(), "x"]), 4, &["spoilt", "no number"]);
    let config = std::fs::read_to_string(folder("bert").join("config.json")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from));
        config.replace(from, to)
    };
    let heads = with("\"num_attention_heads\": 4", "\"num_attention_heads\": 5");
    assert_error(damaged("f", "config.json", &heads), 4, &["config.json", "5 heads"]);
    let more = with("\"max_position_embeddings\": 114", "\"max_position_embeddings\": 115");
    assert_error(damaged("g", "config.json", &more), 4, &["position_embeddings", "[115, 32]"]);
    let alibi = with("\"model_type\"", "\"position_embedding_type\": \"alibi\", \"model_type\"");
    assert_error(damaged("h", "config.json", &alibi), 4, &["alibi", "not supported"]);
}
