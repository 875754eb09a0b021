//! `oai tokenize` through the real binary: with the guide, and with small vocabularies made here.

mod common;

use std::path::{Path, PathBuf};

use common::{Home, assert_error, finish};
use oai::model::Tokenizer;
use oai::weights::{Gguf, GgufWriter, Metadata, Value};

const CONTROL: i32 = 3;
const NORMAL: i32 = 1;

/// Writes a GGUF file of a vocabulary alone: text, score and kind of each token.
fn write_vocabulary(path: &Path, model: &str, tokens: &[(&str, f32, i32)], settings: &[(&str, Value)]) {
    let mut metadata = Metadata::default();
    let mut set = |key: &str, value: Value| metadata.set(&format!("tokenizer.ggml.{key}"), value);
    set("model", Value::String(model.to_owned()));
    set("tokens", Value::Array(tokens.iter().map(|t| Value::String(t.0.to_owned())).collect()));
    set("scores", Value::Array(tokens.iter().map(|t| Value::F32(t.1)).collect()));
    set("token_type", Value::Array(tokens.iter().map(|t| Value::I32(t.2)).collect()));
    settings.iter().for_each(|(key, value)| set(key, value.clone()));
    GgufWriter::new(metadata).write(path).unwrap();
}

fn word_piece(home: &Home) -> PathBuf {
    let path = home.path().join("bert.gguf");
    let words = ["▁hello", "▁world", "▁un", "aff", "able", "▁.", "▁e", "▁漢"].map(|text| (text, 0.0, NORMAL));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(|text| (text, 0.0, CONTROL));
    let ids = [("cls_token_id", 2), ("seperator_token_id", 3), ("unknown_token_id", 1)];
    let ids = ids.map(|(key, id)| (key, Value::U32(id)));
    write_vocabulary(&path, "bert", &[&special[..], &words[..]].concat(), &ids);
    path
}

fn unigram(home: &Home) -> PathBuf {
    let path = home.path().join("t5.gguf");
    let special = [("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<unk>", 0.0, 2)];
    let words = [("▁", -3.0), ("▁a", -2.5), ("b", -2.0), ("ab", -3.0), ("▁ab", -3.5)].map(|(t, s)| (t, s, NORMAL));
    let settings = [
        ("eos_token_id", Value::U32(1)),
        ("unknown_token_id", Value::U32(2)),
        ("add_space_prefix", Value::Bool(true)),
        ("remove_extra_whitespaces", Value::Bool(true)),
    ];
    write_vocabulary(&path, "t5", &[&special[..], &words[..]].concat(), &settings);
    path
}

/// What `oai tokenize ARGS` prints for `input`.
fn tokenize(home: &Home, model: Option<&Path>, args: &[&str], input: &str) -> String {
    let mut all = vec!["tokenize"];
    all.extend(model.iter().flat_map(|path| ["-m", path.to_str().unwrap()]));
    all.extend(args);
    let (code, stdout, stderr) = finish(home.oai(&all).write_stdin(input));
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout
}

#[test]
fn the_guide_goes_there_and_back() {
    let home = Home::new();
    for text in ["How do I list models?", "  two\n\nlines\t\r\n", "<|user|> is text or token", "é漢🚀\0", ""] {
        for flags in [&["--ids"][..], &["--ids", "--no-special"]] {
            let ids = tokenize(&home, None, flags, text);
            assert_eq!(ids.lines().count(), 1);
            assert_eq!(tokenize(&home, None, &["--decode"], &ids), text, "{flags:?}");
        }
        let json = tokenize(&home, None, &["--json"], text);
        assert_eq!(tokenize(&home, None, &["--decode"], &json), text);
    }
    let lines = tokenize(&home, None, &["--no-special"], "list\nit's");
    let count = tokenize(&home, None, &["--ids", "--no-special"], "list\nit's").split_whitespace().count();
    assert_eq!(lines.lines().count(), count);
    assert!(lines.lines().all(|line| line.contains(" -> '")) && lines.contains("\\n"), "{lines}");
}

#[test]
fn control_tokens_are_parsed_only_where_asked() {
    let home = Home::new();
    let parsed = tokenize(&home, None, &["--ids"], "<|user|>");
    let text = tokenize(&home, None, &["--ids", "--no-special"], "<|user|>");
    assert!(text.split_whitespace().count() > parsed.split_whitespace().count(), "{parsed} and {text}");
    assert_eq!(tokenize(&home, None, &["--decode", "--no-special"], &parsed), "");
}

#[test]
fn text_comes_from_words_a_file_or_standard_input() {
    let home = Home::new();
    let file = home.path().join("text.txt");
    std::fs::write(&file, "one two\n").unwrap();
    let from_file = tokenize(&home, None, &["--ids", "-f", file.to_str().unwrap()], "");
    assert_eq!(from_file, tokenize(&home, None, &["--ids"], "one two\n"));
    assert_eq!(tokenize(&home, None, &["--ids", "one", "two"], "no"), tokenize(&home, None, &["--ids"], "one two"));
}

#[test]
fn a_word_piece_vocabulary() {
    let home = Home::new();
    let bert = word_piece(&home);
    let ids = |args: &[&str], text: &str| tokenize(&home, Some(&bert), &[&["--ids"], args].concat(), text);
    assert_eq!(ids(&[], "Hello, WORLD unaffable."), "2 4 1 5 6 7 8 9 3\n");
    assert_eq!(ids(&["--no-special"], "hello é 漢漢\tquux"), "4 10 11 11 1\n");
    assert_eq!(ids(&["--no-special"], "[SEP]"), "1 1 1\n");
    assert_eq!(ids(&[], "[SEP]hello"), "2 3 4 3\n");
    assert_eq!(tokenize(&home, Some(&bert), &["--decode"], "2 4 5 6 7 8 9 3"), "hello world unaffable.");
    let json = tokenize(&home, Some(&bert), &["--json", "--no-special"], "unaffable");
    assert_eq!(json, "{\"ids\":[6,7,8],\"pieces\":[\"un\",\"##aff\",\"##able\"]}\n");
}

#[test]
fn a_unigram_vocabulary() {
    let home = Home::new();
    let t5 = unigram(&home);
    let ids = |text: &str| tokenize(&home, Some(&t5), &["--ids"], text);
    assert_eq!(ids("ab"), "7 1\n");
    assert_eq!(ids("  a   b "), "4 3 5 1\n");
    assert_eq!(ids("aéèb</s>"), "4 2 5 1 1\n");
    assert_eq!(ids(""), "1\n");
    assert_eq!(tokenize(&home, Some(&t5), &["--decode"], "[4, 3, 5, 1]"), "a b");
}

#[test]
fn what_cannot_be_is_one_line() {
    let home = Home::new();
    let run = |args: &[&str], input: &[u8]| finish(home.oai(&[&["tokenize"], args].concat()).write_stdin(input));
    assert_error(run(&[], b"abc\xffd"), 7, &["standard input", "byte 3", "0xff"]);
    assert_error(run(&["--decode"], b"1 x"), 7, &["\"x\"", "token id"]);
    assert_error(run(&["--decode"], b"99999999"), 7, &["no token 99999999"]);
    assert_error(run(&["-f", "no-such-file"], b""), 7, &["no-such-file"]);
    assert_error(run(&["-m", "./no-such.gguf"], b""), 3, &["no-such.gguf"]);
    let path = home.path().join("odd.gguf");
    let merges = ("merges", Value::Array(vec![Value::String("a b".to_owned())]));
    let tokens = [("a", 0.0, NORMAL), ("b", 0.0, NORMAL), ("ab", 0.0, NORMAL)];
    let path_text = path.to_str().unwrap();
    write_vocabulary(&path, "gpt2", &tokens, &[("pre", Value::String("no-such-pre".to_owned())), merges]);
    assert_error(run(&["-m", path_text], b"ab"), 4, &["odd.gguf", "no-such-pre"]);
    write_vocabulary(&path, "plamo2", &tokens, &[]);
    assert_error(run(&["-m", path_text], b"ab"), 4, &["plamo2", "not supported"]);
    write_vocabulary(&path, "gpt2", &tokens, &[]);
    assert_error(run(&["-m", path_text], b"ab"), 4, &["merges"]);
}

#[test]
fn control_tokens_in_untrusted_ranges_stay_text() {
    let home = Home::new();
    let gguf = Gguf::open(&word_piece(&home)).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf.metadata, &gguf.file).unwrap();
    let text = "[CLS]hello[SEP][SEP]world";
    let ids = |untrusted: &[std::ops::Range<usize>]| tokenizer.encode_rendered(text, untrusted).unwrap();
    assert_eq!(ids(&[]), [2, 4, 3, 3, 5]);
    // The first [SEP] is the user's, or a byte of it.
    let as_text = tokenizer.encode("hello[SEP]", false, false).unwrap();
    assert_eq!(as_text, [4, 1, 1, 1]);
    for range in [5..15, 14..15, 10..11] {
        assert_eq!(ids(&[range]), [&[2][..], &as_text, &[3, 5]].concat());
    }
    // The model's own [CLS] stands before a text that does not begin with one.
    assert_eq!(ids(&[0..text.len()]), [2, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 5]);
}
