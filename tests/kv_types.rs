//! Keys and values of fewer bits: how far logits, perplexity and greedy text then are from those of f32.

mod common;

use std::path::{Path, PathBuf};

use common::reference::{Expected, Prompt, deviation, run, run_all};
use common::{Home, finish};
use oai::model::{Checkpoint, Decoder, KvType};
use oai::weights::Source;

fn families() -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families");
    let folders = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.join("expected.json").exists()).collect();
    folders.sort();
    folders
}

/// Of nine in ten: a router that stands between two experts may choose the other.
#[test]
fn logits_of_nearly_every_family_stay_near() {
    for (kv_type, bound) in [(KvType::F16, 1e-3), (KvType::Q8_0, 2e-2)] {
        let mut deviations = Vec::new();
        for folder in families() {
            let checkpoint = Checkpoint::open(&Source::Path(folder.clone())).unwrap();
            let mut decoder = Decoder::load(&checkpoint, kv_type).unwrap();
            let Prompt { input_ids, last_logits, .. } =
                Expected::read(&folder.join("expected.json")).unwrap().prompts.swap_remove(0);
            let whole = run(&mut decoder, &input_ids);
            decoder.truncate(0);
            let single = run_all(&mut decoder, input_ids.chunks(1));
            deviations.extend([whole, single].map(|logits| deviation(&logits, &last_logits)));
        }
        deviations.sort_by(f32::total_cmp);
        let (nine_in_ten, last) = (deviations[deviations.len() * 9 / 10], deviations[deviations.len() - 1]);
        println!("{kv_type:?}: nine in ten are within {nine_in_ten:.1e}, all within {last:.1e}");
        assert!(nine_in_ten <= bound && last.is_finite(), "{kv_type:?}: {nine_in_ten:e} and {last:e}");
    }
}

#[test]
fn the_cache_takes_what_its_type_does() {
    let bytes = |kv_type: KvType| {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/guide.gguf");
        let checkpoint = Checkpoint::open(&Source::Path(guide)).unwrap();
        let mut decoder = Decoder::load(&checkpoint, kv_type).unwrap();
        assert_eq!(decoder.kv_bytes(), 0);
        run(&mut decoder, &[1, 2, 3]);
        decoder.kv_bytes() as f64
    };
    let of_f16 = bytes(KvType::F16);
    assert_eq!(bytes(KvType::F32) / of_f16, 2.0);
    assert!(bytes(KvType::Q8_0) / of_f16 < 0.55);
}

#[test]
fn the_guide_says_the_same() {
    let home = Home::new();
    for question in ["How do I resume a pull?", "Where are models stored?", "How do I set the context?"] {
        let ask = |kv_type: &str| {
            let args = ["ask", "-m", "guide", "-t", "0", "--kv-type", kv_type, question];
            let (code, answer, stderr) = home.run(&args);
            assert_eq!(code, 0, "{stderr}");
            answer
        };
        let answer = ask("f32");
        assert!(answer.len() > 10, "{answer}");
        assert_eq!((ask("f16"), ask("q8_0")), (answer.clone(), answer), "{question}");
    }
}

#[test]
fn perplexity_changes_little() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/stories260K/stories260K-f32.gguf");
    let mut models = vec!["guide".to_owned()];
    if shared.exists() {
        models.push(shared.display().to_string());
    } else {
        eprintln!("skipped: {} is absent", shared.display());
    }
    let home = Home::new();
    let text = &include_str!("../src/guide/corpus/sampling.toml")[..12_000];
    for model in models {
        let perplexity = |kv_type: &str| {
            let args = ["perplexity", "--json", &model, "--context", "128", "--kv-type", kv_type];
            let (code, stdout, stderr) = finish(home.oai(&args).write_stdin(text));
            assert_eq!(code, 0, "{stderr}");
            let measured: serde_json::Value = serde_json::from_str(&stdout).unwrap();
            measured["perplexity"].as_f64().unwrap()
        };
        let exact = perplexity("f32");
        for (kv_type, bound) in [("f16", 1e-3), ("q8_0", 5e-3)] {
            let change = perplexity(kv_type) / exact - 1.0;
            println!("{model} {kv_type}: {exact} changes by {:.4} %", change * 100.0);
            assert!(change.abs() <= bound, "{model} {kv_type}: {change}");
        }
    }
}

#[test]
fn other_types_are_refused_in_one_line() {
    let home = Home::new();
    for command in [["ask", "why?"], ["perplexity", "guide"]] {
        let result = home.run(&[&command[..], &["--kv-type", "q4_0"]].concat());
        common::assert_error(result, 2, &["kv_type", "q4_0", "f32, f16, q8_0"]);
    }
}
