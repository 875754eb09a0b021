//! A small model to quantize: a llama of random weights whose rows are whole blocks of every type, with the guide's
//! vocabulary.

use std::path::{Path, PathBuf};

use oai::weights::{Bytes, Gguf, GgufWriter, TensorType, Value};

use crate::common::{GUIDE, Home, finish, noise};

/// Text of a few thousand tokens.
pub const TEXT: &str = include_str!("../../README.md");

/// Writes the model in f32 to `NAME.gguf` in `home`. Columns of its matrices differ in size, as those of real ones do.
pub fn write(home: &Home, name: &str, hidden: usize) -> PathBuf {
    let guide = Gguf::from_bytes(Bytes::from_static(GUIDE), "guide").unwrap();
    let mut metadata = guide.metadata;
    let tokens = metadata.array("tokenizer.ggml.tokens").unwrap().len();
    let feed_forward = 2 * hidden;
    for (key, n) in [
        ("embedding_length", hidden),
        ("block_count", 2),
        ("feed_forward_length", feed_forward),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("rope.dimension_count", hidden / 4),
    ] {
        metadata.set(&format!("llama.{key}"), Value::U32(n as u32));
    }
    metadata.set("general.file_type", Value::U32(0));
    metadata.set("general.name", Value::String("random".to_owned()));
    let mut writer = GgufWriter::new(metadata);
    let mut seed = 0;
    let mut matrix = |writer: &mut GgufWriter, name: &str, rows: usize, columns: usize| {
        seed += 1;
        let bytes = noise(4 * (rows * columns) as u64, seed);
        let value = |(at, word): (usize, &[u8])| {
            // Three uniform numbers are bell-shaped enough.
            let sum = f32::from(word[0]) + f32::from(word[1]) + f32::from(word[2]);
            let size = 1.0 + 7.0 * f32::from(u8::from((at % columns).is_multiple_of(61)));
            (sum / 382.5 - 1.0) * size / (columns as f32).sqrt()
        };
        let values = bytes.chunks_exact(4).enumerate().map(value);
        writer.tensor(name, &[rows, columns], TensorType::F32, values.flat_map(f32::to_le_bytes).collect());
    };
    matrix(&mut writer, "token_embd.weight", tokens, hidden);
    matrix(&mut writer, "output.weight", tokens, hidden);
    let norms = |writer: &mut GgufWriter, name: &str| {
        let ones = vec![1f32; hidden].into_iter().flat_map(f32::to_le_bytes).collect();
        writer.tensor(name, &[hidden], TensorType::F32, ones);
    };
    norms(&mut writer, "output_norm.weight");
    for layer in 0..2 {
        norms(&mut writer, &format!("blk.{layer}.attn_norm.weight"));
        norms(&mut writer, &format!("blk.{layer}.ffn_norm.weight"));
        for (part, rows, columns) in [
            ("attn_q", hidden, hidden),
            ("attn_k", hidden / 2, hidden),
            ("attn_v", hidden / 2, hidden),
            ("attn_output", hidden, hidden),
            ("ffn_gate", feed_forward, hidden),
            ("ffn_up", feed_forward, hidden),
            ("ffn_down", hidden, feed_forward),
        ] {
            matrix(&mut writer, &format!("blk.{layer}.{part}.weight"), rows, columns);
        }
    }
    let path = home.path().join(format!("{name}.gguf"));
    writer.write(&path).unwrap();
    path
}

/// Writes [`TEXT`] to a file in `home`.
pub fn text(home: &Home) -> String {
    let path = home.path().join("text.txt");
    std::fs::write(&path, TEXT).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `oai quantize` in `home`'s folder.
pub fn quantize(home: &Home, args: &[&str]) -> (i32, String, String) {
    finish(home.oai(&[&["quantize"], args].concat()).current_dir(home.path()))
}

/// The JSON of a run that succeeds.
#[track_caller]
pub fn quantized(home: &Home, args: &[&str]) -> serde_json::Value {
    let (code, stdout, stderr) = quantize(home, &[args, &["--json"]].concat());
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A file's tensors: name and type.
pub fn types(path: &Path) -> Vec<(String, TensorType)> {
    Gguf::open(path).unwrap().tensors.into_iter().map(|tensor| (tensor.name, tensor.dtype)).collect()
}

/// The type of one of a file's tensors.
pub fn type_of(path: &Path, name: &str) -> TensorType {
    types(path).into_iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// Names of what is in `home`'s folder.
pub fn files(home: &Home) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}
