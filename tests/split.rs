//! GGUF models in several files, through the real binary: the guide, cut into three.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::hub::Hub;
use common::{GUIDE, Home, assert_error, finish};
use oai::weights::{Bytes, Gguf, GgufWriter, Metadata, Value};

const QUESTION: &[&str] = &["-t", "0", "How do I resume a pull?"];

fn part(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("tiny-Q8_0-{number:05}-of-00003.gguf"))
}

/// Writes the guide's three parts to `folder`; `edit` may change the keys of each.
fn split(folder: &Path, edit: impl Fn(usize, &mut Metadata)) {
    let guide = Gguf::from_bytes(Bytes::from_static(GUIDE), "guide").unwrap();
    let third = guide.tensors.len().div_ceil(3);
    for (number, tensors) in guide.tensors.chunks(third).enumerate() {
        let mut metadata = if number == 0 { guide.metadata.clone() } else { Metadata::default() };
        metadata.set("split.no", Value::U16(number as u16));
        metadata.set("split.count", Value::U16(3));
        metadata.set("split.tensors.count", Value::I32(guide.tensors.len() as i32));
        edit(number, &mut metadata);
        let mut writer = GgufWriter::new(metadata);
        for tensor in tensors {
            writer.tensor(&tensor.name, &tensor.shape, tensor.dtype, tensor.data().to_vec());
        }
        writer.write(&part(folder, number + 1)).unwrap();
    }
}

fn ask(home: &Home, model: &Path) -> (i32, String, String) {
    home.run(&[&["ask", "-m", model.to_str().unwrap()], QUESTION].concat())
}

#[test]
fn any_part_opens_the_whole() {
    let home = Home::new();
    split(home.path(), |_, _| {});
    let (_, whole, _) = home.run(&[&["ask", "-m", "guide"], QUESTION].concat());
    assert!(whole.contains("oai pull"), "{whole}");
    for number in 1..=3 {
        let (code, answer, stderr) = ask(&home, &part(home.path(), number));
        assert_eq!((code, &answer), (0, &whole), "{stderr}");
        let (_, shown, _) = home.run(&["show", "--json", part(home.path(), number).to_str().unwrap()]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let size: u64 = (1..=3).map(|n| fs::metadata(part(home.path(), n)).unwrap().len()).sum();
        assert_eq!(shown["size_bytes"], size);
    }
}

#[test]
fn a_part_that_is_missing_or_another_is_named() {
    let home = Home::new();
    split(home.path(), |_, _| {});
    let second = part(home.path(), 2);
    let away = home.path().join("away.gguf");
    fs::rename(&second, &away).unwrap();
    assert_error(ask(&home, &part(home.path(), 1)), 4, &["tiny-Q8_0-00002-of-00003.gguf is missing", "pull it again"]);
    assert_error(ask(&home, &away), 4, &["away.gguf", "part 2 of 3", "not named so"]);
    fs::copy(part(home.path(), 3), &second).unwrap();
    assert_error(ask(&home, &part(home.path(), 1)), 4, &["00002-of-00003.gguf", "split.no 2"]);
    fs::write(&second, &fs::read(&away).unwrap()[..1000]).unwrap();
    assert_error(ask(&home, &part(home.path(), 1)), 4, &["00002-of-00003.gguf", "truncated"]);
    split(home.path(), |_, metadata| metadata.set("split.tensors.count", Value::I32(7)));
    assert_error(ask(&home, &part(home.path(), 3)), 4, &["00001-of-00003.gguf", "split.tensors.count 7"]);
    split(home.path(), |number, metadata| metadata.set("split.count", Value::U16(if number == 1 { 4 } else { 3 })));
    assert_error(ask(&home, &part(home.path(), 1)), 4, &["00002-of-00003.gguf", "split.count 4"]);
}

#[test]
fn parts_are_pulled_listed_asked_and_removed_as_one_model() {
    let (home, made) = (Home::new(), tempfile::tempdir().unwrap());
    split(made.path(), |_, _| {});
    let files: Vec<(String, Vec<u8>)> = (1..=3)
        .map(|n| part(made.path(), n))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hub = Hub::start(&files, None);
    let run = |args: &[&str]| finish(home.oai(args).env("HF_ENDPOINT", &hub.endpoint));
    let (code, _, stderr) = run(&["pull", "org/repo"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, list, _) = run(&["list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["name"], &list[1]["name"]), (&"org/repo:Q8_0".into(), &"guide".into()), "{list}");
    assert_eq!(list[0]["size_bytes"], files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    let (code, answer, stderr) = run(&[&["ask", "-m", "org/repo"], QUESTION].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(answer.contains("oai pull"), "{answer}");
    assert_eq!(run(&["rm", "--yes", "org/repo:Q8_0"]).0, 0);
    let blobs = home.path().join(".cache/huggingface/hub/models--org--repo");
    assert!(!blobs.exists(), "nothing is left");
}
