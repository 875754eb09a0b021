//! What a reference computed with a model, and ours beside it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use oai::model::{Checkpoint, Decoder, KvType, Logits};
use oai::weights::Source;
use serde::Deserialize;

/// An `expected.json`.
#[derive(Deserialize)]
pub struct Expected {
    pub prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
pub struct Prompt {
    pub input_ids: Vec<u32>,
    pub last_logits: Vec<f32>,
    #[serde(default)]
    pub greedy_ids: Vec<u32>,
}

impl Expected {
    pub fn read(file: &Path) -> Result<Expected, String> {
        let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }
}

/// The decoder of a folder or a GGUF file.
pub fn decoder(model: &Path) -> Result<Decoder, String> {
    let checkpoint = Checkpoint::open(&Source::Path(model.to_owned())).map_err(|e| e.to_string())?;
    Decoder::load(&checkpoint, KvType::F32).map_err(|e| e.to_string())
}

/// Logits after the last of `tokens`.
pub fn run(decoder: &mut Decoder, tokens: &[u32]) -> Vec<f32> {
    static RUN: AtomicBool = AtomicBool::new(false);
    decoder.forward(tokens, Logits::Last, &RUN).unwrap().get(0).unwrap().to_vec1().unwrap()
}

/// Logits after the last of `parts`.
pub fn run_all<'a>(decoder: &mut Decoder, parts: impl Iterator<Item = &'a [u32]>) -> Vec<f32> {
    parts.fold(Vec::new(), |_, part| run(decoder, part))
}

/// The largest difference, as a part of the largest logit; infinite where one is no number, which `max` would pass
/// over.
pub fn deviation(logits: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(logits.len(), expected.len());
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let differences = logits.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0f32, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) })
}

/// The likeliest token; of two alike the first.
pub fn argmax(logits: &[f32]) -> u32 {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }) as u32
}
