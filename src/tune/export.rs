//! A trained model as a GGUF file: matrices as Q8_0, norms as F32.

use candle_core::quantized::{GgmlDType, QTensor};

use super::Error;
use super::llama::{Llama, RMS_NORM_EPS, ROPE_THETA};
use super::train::Recipe;
use super::vocabulary::{CHAT_TEMPLATE, CONTROL, END, Vocabulary};
use crate::weights::{GgufWriter, Metadata, TensorType, Value};

/// `general.file_type` of files whose matrices are Q8_0.
const MOSTLY_Q8_0: u32 = 7;
/// `tokenizer.ggml.token_type`.
const NORMAL: i32 = 1;
const CONTROL_TYPE: i32 = 3;

/// The file, ready to be written.
pub fn to_gguf(model: &Llama, vocabulary: &Vocabulary, recipe: &Recipe) -> Result<GgufWriter, Error> {
    let text = |text: &str| Value::String(text.to_owned());
    let texts = |texts: &[String]| Value::Array(texts.iter().map(|t| Value::String(t.clone())).collect());
    let number = |n: usize| Value::U32(n as u32);
    let shape = model.shape;
    let types = (0..vocabulary.tokens.len())
        .map(|id| Value::I32(if id < CONTROL.len() { CONTROL_TYPE } else { NORMAL }))
        .collect();
    let pairs = [
        ("general.architecture", text("llama")),
        ("general.name", text(&recipe.name)),
        ("general.license", text("MIT OR Apache-2.0")),
        ("general.file_type", Value::U32(MOSTLY_Q8_0)),
        ("llama.context_length", number(recipe.context)),
        ("llama.embedding_length", number(shape.hidden_size)),
        ("llama.block_count", number(shape.layers)),
        ("llama.feed_forward_length", number(shape.feed_forward_size)),
        ("llama.attention.head_count", number(shape.heads)),
        ("llama.attention.head_count_kv", number(shape.heads)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(RMS_NORM_EPS)),
        ("llama.rope.dimension_count", number(shape.head_dim())),
        ("llama.rope.freq_base", Value::F32(ROPE_THETA)),
        ("llama.vocab_size", number(shape.vocab_size)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-2")),
        ("tokenizer.ggml.tokens", texts(&vocabulary.tokens)),
        ("tokenizer.ggml.token_type", Value::Array(types)),
        ("tokenizer.ggml.merges", texts(&vocabulary.merges)),
        ("tokenizer.ggml.eos_token_id", Value::U32(END)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.chat_template", text(CHAT_TEMPLATE)),
    ];
    let mut metadata = Metadata::default();
    for (key, value) in pairs {
        metadata.set(key, value);
    }
    let mut writer = GgufWriter::new(metadata);
    for (name, var) in &model.weights {
        let tensor = var.as_tensor();
        let (dtype, data) = match tensor.rank() {
            2 => (TensorType::Q8_0, QTensor::quantize(tensor, GgmlDType::Q8_0)?.data()?.into_owned()),
            _ => (TensorType::F32, tensor.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
        };
        writer.tensor(name, tensor.dims(), dtype, data);
    }
    Ok(writer)
}
