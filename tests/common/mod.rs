//! The real binary in a home of its own.

#![allow(dead_code, unused_imports)] // each test file uses its part

pub mod hub;
pub mod parrot;
pub mod proxy;
pub mod reference;
pub mod terminal;

use std::path::Path;

use assert_cmd::Command;
use oai::weights::{Bytes, Gguf, GgufWriter, Value};

/// A folder that is home, cache and configuration at once.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// `oai` with nothing of the tester's own surroundings.
    pub fn oai(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("oai").unwrap();
        command.env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin").args(args);
        command.write_stdin("").timeout(std::time::Duration::from_secs(120));
        command
    }

    /// Runs and returns exit code, standard output and standard error.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        finish(&mut self.oai(args))
    }
}

pub fn finish(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Bytes without any order, the same for a seed (xorshift, Marsaglia 2003).
pub fn noise(length: u64, seed: u64) -> axum::body::Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length as usize + 8);
    while (bytes.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length as usize);
    bytes.into()
}

/// The guide's file, as a model to damage, pull and load.
pub const GUIDE: &[u8] = include_bytes!("../../src/guide/guide.gguf");

/// Writes the guide's weights with a template that keeps every turn, as a general model's does; the
/// guide's own shows it the last question alone.
pub fn write_model_with_memory(path: &Path) {
    let guide = Gguf::from_bytes(Bytes::from_static(GUIDE), "guide").unwrap();
    let mut metadata = guide.metadata;
    let template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>";
    metadata.set("tokenizer.chat_template", Value::String(template.to_owned()));
    let mut writer = GgufWriter::new(metadata);
    for tensor in &guide.tensors {
        writer.tensor(&tensor.name, &tensor.shape, tensor.dtype, tensor.data().to_vec());
    }
    writer.write(path).unwrap();
}

/// A one-line error that contains `words`.
#[track_caller]
pub fn assert_error((code, stdout, stderr): (i32, String, String), expected: i32, words: &[&str]) {
    assert_eq!(code, expected, "{stderr}");
    assert_eq!(stdout, "");
    assert_eq!(stderr.trim_end().lines().count(), 1, "one line: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr}");
    }
}
