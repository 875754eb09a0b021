//! Files that are cut, joined and overwritten.

use std::collections::BTreeMap;
use std::path::Path;

use oai::weights::Gguf;

use crate::common::{Home, assert_error};
use crate::model::{files, quantize, quantized, text, write};

fn contents(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let tensors = Gguf::open(path).unwrap().tensors;
    tensors.into_iter().map(|t| (t.name.clone(), (t.shape.clone(), t.data().to_vec()))).collect()
}

#[test]
fn a_model_is_cut_into_parts_and_joined_again() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let report = quantized(&home, &[source.to_str().unwrap(), "Q8_0", "--split", "1M", "-o", "m-Q8_0.gguf"]);
    let parts = report["files"].as_array().unwrap().len();
    assert!(parts > 2, "{report}");
    let part = |n: usize| home.path().join(format!("m-Q8_0-{n:05}-of-{parts:05}.gguf"));
    for n in 1..=parts {
        assert!(std::fs::metadata(part(n)).unwrap().len() <= 1 << 20, "part {n}");
    }
    quantized(&home, &[source.to_str().unwrap(), "Q8_0", "-o", "whole.gguf"]);
    quantized(&home, &[part(2).to_str().unwrap(), "-o", "joined.gguf"]);
    let (whole, joined) = (home.path().join("whole.gguf"), home.path().join("joined.gguf"));
    assert_eq!(contents(&joined), contents(&whole));
    assert!(Gguf::open(&joined).unwrap().metadata.get("split.count").is_none());
    // Cut as it is, without another type.
    quantized(&home, &[whole.to_str().unwrap(), "--split", "1M", "-o", "again.gguf"]);
    let again = home.path().join(format!("again-00001-of-{parts:05}.gguf"));
    assert_eq!(contents(&again), contents(&whole));
    let (code, answer, stderr) = home.run(&["ask", "--raw", "-n", "3", "-m", again.to_str().unwrap(), "How"]);
    assert_eq!(code, 0, "{answer}{stderr}");
}

#[test]
fn a_tensor_larger_than_a_part_is_one_of_its_own_and_parts_are_not_overwritten() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    let report = quantized(&home, &[source, "--split", "100k", "-o", "s.gguf"]);
    let parts = report["files"].as_array().unwrap().len();
    let first = home.path().join(format!("s-00001-of-{parts:05}.gguf"));
    assert_eq!(contents(&first), contents(Path::new(source)));
    let (code, _, stderr) = quantize(&home, &[source, "--split", "100k", "-o", "s.gguf"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("-of-") && stderr.contains("--force"), "{stderr}");
    quantized(&home, &[source, "--split", "100k", "-o", "s.gguf", "--force"]);
    assert_eq!(files(&home).len(), parts + 1);
}

#[test]
fn what_is_read_is_never_written_over() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let (source, text) = (source.to_str().unwrap(), text(&home));
    quantized(&home, &[source, "--split", "2M", "-o", "s.gguf"]);
    let before = files(&home);
    let part = home.path().join(before.iter().find(|name| name.starts_with("s-00002")).unwrap());
    let part = part.to_str().unwrap();
    for output in [
        &["-o", part, "-f"][..],
        &["-o", "s.gguf", "--split", "2M", "-f"],
        &["-o", "x.gguf", "--calibrate", &text, "--save-imatrix", &text, "-f"],
        &["-o", "x.gguf", "--calibrate", &text, "--save-imatrix", part, "-f"],
    ] {
        let first = part.replace("s-00002", "s-00001");
        assert_error(quantize(&home, &[&[first.as_str(), "F32"], output].concat()), 2, &["-o"]);
    }
    assert_eq!(files(&home), before);
    assert_eq!(std::fs::read_to_string(&text).unwrap(), crate::model::TEXT);
    // A name of the default kind is that of the whole.
    quantized(&home, &[part, "Q8_0"]);
    assert!(files(&home).contains(&"s-Q8_0.gguf".to_owned()), "{:?}", files(&home));
}

#[test]
fn tensors_are_listed() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let (code, stdout, _) = home.run(&["show", "--tensors", source.to_str().unwrap()]);
    assert_eq!(code, 0);
    let line = stdout.lines().find(|line| line.starts_with("blk.1.ffn_down.weight")).unwrap();
    assert!(line.contains("F32") && line.contains("256 x 512") && line.contains("524.3 kB"), "{line}");
    assert!(stdout.lines().last().unwrap().starts_with("21 tensors"), "{stdout}");
    let (_, json, _) = home.run(&["show", "--tensors", "--json", source.to_str().unwrap()]);
    let tensors: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(tensors[0]["name"], "token_embd.weight");
    assert_eq!(tensors.as_array().unwrap().len(), 21);
}
