//! Quantized safetensors folders beside transformers: `quantized/make.py` made them, in the layouts
//! that people publish. The deviation of one prefill and of token by token, and what `oai show` says.

mod common;

use std::path::{Path, PathBuf};

use common::reference::{Expected, decoder, run_all};
use common::{Home, assert_error, reference};
use oai::model::{Checkpoint, Decoder, KvType};
use oai::weights::Source;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quantized").join(name)
}

/// The largest difference of a logit, as a part of the largest.
fn deviation(folder: &Path) -> Result<f32, String> {
    let expected = Expected::read(&folder.join("expected.json"))?;
    let mut decoder = decoder(folder)?;
    let mut largest = 0f32;
    for prompt in &expected.prompts {
        for step in [prompt.input_ids.len(), 1] {
            decoder.truncate(0);
            let logits = run_all(&mut decoder, prompt.input_ids.chunks(step));
            largest = largest.max(reference::deviation(&logits, &prompt.last_logits));
        }
    }
    Ok(largest)
}

#[test]
fn logits_are_those_of_the_dequantized_model() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder("")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|path| path.join("config.json").exists());
    folders.sort();
    assert!(folders.len() >= 15, "{folders:?}");
    let mut wrong = Vec::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy();
        match deviation(folder) {
            Ok(deviation) if deviation <= 1e-4 => println!("{name:24} {deviation:.1e}"),
            Ok(deviation) => wrong.push(format!("{name:24} {deviation:e}")),
            Err(reason) => wrong.push(format!("{name:24} {reason}")),
        }
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
}

/// A copy of the model `name` whose tensors and configuration `edit` may change.
fn edited(home: &Home, name: &str, edit: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let copy = home.path().join(name);
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(folder(name).join("model.safetensors"), copy.join("model.safetensors")).unwrap();
    let mut config = serde_json::from_slice(&std::fs::read(folder(name).join("config.json")).unwrap()).unwrap();
    edit(&mut config);
    std::fs::write(copy.join("config.json"), config.to_string()).unwrap();
    copy
}

#[test]
fn show_counts_weights_and_not_what_packs_them() {
    // Embedding and output, queries and outputs, keys and values, three matrices, three norms.
    let llama = 2 * 64 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 3 * 64;
    for (name, says) in [
        ("gptq-4-act-order", "GPTQ 4-bit"),
        ("gptq-8", "GPTQ 8-bit"),
        ("awq", "AWQ 4-bit"),
        ("fp8-tensor", "FP8"),
        ("compressed-int8", "INT8"),
        ("int8", "INT8"),
        ("compressed-int4-zeros-act-order", "INT4"),
        ("nf4-across-rows", "NF4"),
    ] {
        let (code, shown, stderr) = Home::new().run(&["show", "--json", folder(name).to_str().unwrap()]);
        assert_eq!(code, 0, "{name}: {stderr}");
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["parameters"], &shown["quantization"]), (&llama.into(), &says.into()), "{name}");
    }
}

#[test]
fn unknown_methods_are_refused_by_name() {
    let home = Home::new();
    let copy = edited(&home, "awq", |config| config["quantization_config"]["quant_method"] = "aqlm".into());
    assert_error(home.run(&["show", copy.to_str().unwrap()]), 4, &["config.json", "aqlm", "not supported"]);
}

#[test]
fn a_layout_that_does_not_fit_is_an_error() {
    let home = Home::new();
    let load = |path: PathBuf| match Decoder::load(&Checkpoint::open(&Source::Path(path)).unwrap(), KvType::F32) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    };
    let bits = edited(&home, "gptq-4", |config| config["quantization_config"]["bits"] = 8.into());
    assert!(load(bits).contains("scales has shape"), "eight bits");
    let group = edited(&home, "awq", |config| config["quantization_config"]["group_size"] = 64.into());
    assert!(load(group).contains("scales has shape"), "larger groups");
    let order = edited(&home, "gptq-4-act-order", |config| config["quantization_config"]["group_size"] = (-1).into());
    assert!(load(order).contains("scales has shape"), "one group");
}
