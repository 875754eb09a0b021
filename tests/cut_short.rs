//! Weights that change or go away while they are in use: one line and code 4, never a crash.

mod common;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{GUIDE, Home};
use oai::weights::{Bytes, cut_short};

#[track_caller]
fn assert_told(output: &Output, file: &Path) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("oai: ")).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(4), 1), "{stderr}");
    assert!(lines[0].contains(file.to_str().unwrap()) && lines[0].contains("cut short"), "{stderr}");
}

/// A conversation whose model `change` touches after the first answer.
fn chat(change: impl Fn(&File)) {
    let home = Home::new();
    let model = home.path().join("model.gguf");
    std::fs::write(&model, GUIDE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_oai"));
    command.env_clear().env("HOME", home.path()).args(["chat", model.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    writeln!(stdin, "how do I pull a model").unwrap();
    let mut answer = String::new();
    stdout.read_line(&mut answer).unwrap();
    assert!(answer.contains("oai pull"), "{answer}");
    change(&OpenOptions::new().write(true).open(&model).unwrap());
    writeln!(stdin, "how do I list models").unwrap();
    drop(stdin);
    assert_told(&child.wait_with_output().unwrap(), &model);
}

#[test]
fn a_model_cut_short_between_answers_ends_the_chat() {
    chat(|file| file.set_len(1 << 16).unwrap());
}

#[test]
fn a_model_written_over_between_answers_ends_the_chat() {
    chat(|mut file| file.write_all(b"GGUF").unwrap());
}

/// What no check can foresee: the page is gone when it is read.
#[cfg(unix)]
#[test]
fn a_page_that_is_gone_ends_the_process_with_one_line() {
    const FILE: &str = "CUT_SHORT_FILE";
    if let Some(path) = std::env::var_os(FILE) {
        cut_short::end_process_with(4);
        let bytes = Bytes::map(Path::new(&path)).unwrap();
        assert_eq!(bytes[GUIDE.len() - 1], GUIDE[GUIDE.len() - 1]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
        let read = std::hint::black_box(&bytes)[GUIDE.len() - 1];
        unreachable!("read {read}");
    }
    let home = Home::new();
    let path = home.path().join("model.gguf");
    std::fs::write(&path, GUIDE).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_page_that_is_gone_ends_the_process_with_one_line", "--nocapture"]);
    assert_told(&command.env(FILE, &path).output().unwrap(), &path);
}
