//! Every family beside Hugging Face transformers: the tiny models of `families/`, which
//! `families/make.py` made. One prefill, token by token and in chunks; a second request and going
//! back on the same decoder: always the same logits.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::reference::{Expected, argmax, decoder, deviation, run, run_all};
use oai::kernels;
use oai::model::Checkpoint;
use oai::model::decoder::architectures;
use oai::weights::{Gguf, GgufWriter, Metadata, Source, Value};

fn check(model: &Path, expected: &Path) -> Result<f32, String> {
    let expected = Expected::read(expected)?;
    let mut decoder = decoder(model)?;
    let mut largest = 0f32;
    // Twice: the second request finds what the first left in the caches.
    for prompt in expected.prompts.iter().chain(&expected.prompts) {
        let ids = &prompt.input_ids;
        assert!(!prompt.greedy_ids.is_empty(), "{}: nothing to compare with", model.display());
        let mut compare = |how: &str, logits: &[f32]| {
            let deviation = deviation(logits, &prompt.last_logits);
            largest = largest.max(deviation);
            // Not "greater": a deviation that is no number is wrong too.
            if deviation <= 1e-4 { Ok(()) } else { Err(format!("{how}, {} tokens: {deviation:e}", ids.len())) }
        };
        decoder.truncate(0);
        compare("one prefill", &run(&mut decoder, ids))?;
        decoder.truncate(0);
        compare("token by token", &run_all(&mut decoder, ids.chunks(1)))?;
        decoder.truncate(0);
        compare("in chunks", &run_all(&mut decoder, ids.chunks(5)))?;
        // A turn, an answer of other tokens, and back to the middle of the turn.
        run(&mut decoder, &[5, 4, 3]);
        let left = decoder.truncate(ids.len() / 2);
        let mut logits = run(&mut decoder, &ids[left..]);
        compare("after going back", &logits)?;
        for (i, expected) in prompt.greedy_ids.iter().enumerate() {
            let token = argmax(&logits);
            if token != *expected {
                return Err(format!("greedy token {i} after {} is {token}, not {expected}", ids.len()));
            }
            logits = run(&mut decoder, &[token]);
        }
    }
    Ok(largest)
}

#[derive(Default)]
struct Count {
    folders: usize,
    gguf_files: usize,
    largest: f32,
}

#[test]
fn logits_are_those_of_transformers() {
    // FAMILIES names another folder of such models, to check more than are kept here.
    let other = std::env::var_os("FAMILIES").map(PathBuf::from);
    let home = other.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families"));
    let mut names: Vec<String> = std::fs::read_dir(&home)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|path| path.join("config.json").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(other.is_some() || names.len() >= 60, "{names:?}");
    let mut wrong = Vec::new();
    let mut checked: BTreeMap<String, Count> = BTreeMap::new();
    for name in &names {
        let folder = home.join(name);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        let count = checked.entry(config["model_type"].as_str().unwrap().to_owned()).or_default();
        // A file of the same kind that llama.cpp's converter wrote (`families/gguf.py`), with weights that f16 holds
        // exactly.
        let file = home.join(format!("gguf/{name}.gguf"));
        for (model, expected) in [(&folder, folder.join("expected.json")), (&file, file.with_extension("json"))] {
            if !model.exists() {
                continue;
            }
            match check(model, &expected) {
                Ok(deviation) => {
                    println!("{:30} {deviation:.1e}", model.strip_prefix(&home).unwrap().display());
                    count.largest = count.largest.max(deviation);
                }
                Err(reason) => wrong.push(format!("{} {reason}", model.display())),
            }
            *(if *model == file { &mut count.gguf_files } else { &mut count.folders }) += 1;
        }
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    if other.is_some() {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        let line = |(name, count): (&String, &Count)| {
            let Count { folders, gguf_files, largest } = count;
            format!("{name} = {{ folders = {folders}, gguf_files = {gguf_files}, deviation = {largest:.1e} }}\n")
        };
        let text: String = checked.iter().map(line).collect();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/decoder/checked.toml"), text).unwrap();
    }
    assert_eq!(checked.values().map(|c| c.gguf_files).sum::<usize>(), gguf_files(&home), "files of no folder");
    // What the program says of itself: the deviations may differ by processor, what was checked not.
    for architecture in architectures() {
        let here = checked.remove(architecture.name).map(|c| (c.folders, c.gguf_files));
        let said = architecture.checked.map(|c| (c.folders, c.gguf_files));
        assert_eq!(said, here, "{}: renew it: UPDATE=1 cargo test --test families", architecture.name);
    }
    assert!(checked.is_empty(), "not of the table: {:?}", checked.keys());
}

fn gguf_files(home: &Path) -> usize {
    let files = std::fs::read_dir(home.join("gguf")).unwrap().map(|e| e.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")).count()
}

/// Folders that are refused with a reason instead of converted: GGUF has no key for Mamba 2's bounds of time steps, for
/// the epsilon of RWKV's fused norms, and for layers without RoPE at other places than the family's.
const NOT_CONVERTED: &[&str] = &["mamba2-groups", "rwkv7-fused", "smollm3"];

/// What `oai quantize` makes of a folder, before any type is changed: the same logits.
#[test]
fn folders_converted_to_gguf_compute_the_same() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let (mut wrong, mut refused) = (Vec::new(), Vec::new());
    let out = tempfile::tempdir().unwrap();
    for folder in ["families", "quantized"].into_iter().flat_map(|part| folders(&home.join(part))) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let folder = as_gguf_can_say(&folder, out.path());
        let checkpoint = Checkpoint::open(&Source::Path(folder.clone())).unwrap();
        let config = checkpoint.config().unwrap();
        let mut metadata = Metadata::default();
        metadata.set("general.architecture", Value::String(config.family.gguf_architecture.to_owned()));
        let tensors = match checkpoint.converted(&config, &mut metadata) {
            Ok(tensors) => tensors,
            Err(error) => {
                assert!(error.to_string().contains("conversion to GGUF of"), "{name}: {error}");
                println!("{error}");
                refused.push(name);
                continue;
            }
        };
        // The file of its kind that llama.cpp's converter wrote has no tensor that ours lacks.
        if let Ok(file) = Gguf::open(&home.join(format!("families/gguf/{name}.gguf"))) {
            let ours: BTreeSet<&str> = tensors.iter().map(|tensor| part(&tensor.name)).collect();
            let theirs: BTreeSet<&str> = file.tensors.iter().map(|tensor| part(&tensor.name)).collect();
            assert!(theirs.is_subset(&ours), "{name}: {:?}", theirs.difference(&ours));
        }
        let mut writer = GgufWriter::new(metadata);
        for tensor in &tensors {
            let bytes = match tensor.stored() {
                Some(parts) => parts.concat(),
                None => {
                    let mut values = vec![0f32; tensor.row_count() * tensor.columns()];
                    tensor.rows(0, &mut values).unwrap();
                    let size = tensor.dtype.storage_bytes(values.len(), tensor.columns()).unwrap();
                    let mut bytes = vec![0; size];
                    kernels::quantize_rows(tensor.dtype, &values, tensor.columns(), None, &mut bytes);
                    bytes
                }
            };
            writer.tensor(&tensor.name, &tensor.shape, tensor.dtype, bytes);
        }
        let file = out.path().join(format!("{name}.gguf"));
        writer.write(&file).unwrap();
        let ids: Vec<u32> = (1..25).collect();
        let [source, made] = [&folder, &file].map(|model| run(&mut decoder(model).unwrap(), &ids));
        let deviation = deviation(&made, &source);
        // Not "greater": a deviation that is no number is wrong too.
        if deviation <= 1e-4 {
            println!("{name:30} {deviation:.1e}");
        } else {
            wrong.push(format!("{name}: {deviation:e}"));
        }
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    refused.sort();
    assert_eq!(refused, NOT_CONVERTED);
}

/// The same model without what GGUF cannot say: a ramp of YaRN's that does not end at whole pairs, a least time step
/// (Nemotron), and norms of the state with an epsilon of their own (Falcon Mamba).
fn as_gguf_can_say(folder: &Path, out: &Path) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let before = config.clone();
    for rope in ["rope_parameters", "rope_scaling"] {
        if config[rope]["truncate"] == false {
            config[rope]["truncate"] = true.into();
        }
    }
    if config["model_type"] == "nemotron_h" {
        config["time_step_min"] = 0.0.into();
    }
    if !config["mixer_rms_eps"].is_null() {
        config["mixer_rms_eps"] = config["layer_norm_epsilon"].clone();
    }
    if config == before {
        return folder.to_owned();
    }
    let copy = out.join(folder.file_name().unwrap());
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(folder.join("model.safetensors"), copy.join("model.safetensors")).unwrap();
    std::fs::write(copy.join("config.json"), config.to_string()).unwrap();
    copy
}

/// A tensor's name without its layer.
fn part(name: &str) -> &str {
    name.strip_prefix("blk.").and_then(|rest| Some(rest.split_once('.')?.1)).unwrap_or(name)
}

fn folders(home: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(home).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|path| path.join("config.json").exists());
    folders.sort();
    folders
}
