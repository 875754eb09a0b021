//! Folders, made here, as GGUF files.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value as Json, json};

use super::{Checkpoint, FormTensor, Metadata};
use crate::weights::{Source, TensorType};

const HIDDEN: usize = 16;
const KV_SIZE: usize = 8;
const FFN: usize = 24;
const VOCAB: usize = 10;

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Numbers that bf16 holds, other ones for each name.
fn plain(name: &str, shape: &[usize]) -> (Dtype, Vec<usize>, Vec<u8>) {
    let value = |i: usize| half::bf16::from_f32(((i * 7 + name.len() * 3) % 31) as f32 / 16.0 - 1.0);
    let bytes = (0..shape.iter().product()).flat_map(|i| value(i).to_le_bytes()).collect();
    (Dtype::BF16, shape.to_vec(), bytes)
}

/// One layer under the names that most families give its tensors.
fn one_layer() -> Tensors {
    let layer = |part: &str| format!("model.layers.0.{part}.weight");
    let matrices = [
        ("self_attn.q_proj", HIDDEN, HIDDEN),
        ("self_attn.k_proj", KV_SIZE, HIDDEN),
        ("self_attn.v_proj", KV_SIZE, HIDDEN),
        ("self_attn.o_proj", HIDDEN, HIDDEN),
        ("mlp.gate_proj", FFN, HIDDEN),
        ("mlp.up_proj", FFN, HIDDEN),
        ("mlp.down_proj", HIDDEN, FFN),
    ];
    let mut shapes: Vec<(String, Vec<usize>)> =
        matrices.into_iter().map(|(part, rows, columns)| (layer(part), vec![rows, columns])).collect();
    shapes.extend(["input_layernorm", "post_attention_layernorm"].map(|part| (layer(part), vec![HIDDEN])));
    shapes.push(("model.norm.weight".to_owned(), vec![HIDDEN]));
    shapes.extend(["model.embed_tokens.weight", "lm_head.weight"].map(|name| (name.to_owned(), vec![VOCAB, HIDDEN])));
    shapes.into_iter().map(|(name, shape)| (name.clone(), plain(&name, &shape))).collect()
}

/// What becomes of a folder with these files, without a tokenizer.
fn converted(model_type: &str, more: &Json, tensors: &Tensors) -> BTreeMap<String, FormTensor> {
    let folder = tempfile::tempdir().unwrap();
    let mut config = json!({
        "model_type": model_type, "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "vocab_size": VOCAB, "rope_theta": 10000.0, "head_dim": 4,
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
    let checkpoint = Checkpoint::open(&Source::Path(folder.path().to_owned())).unwrap();
    let tensors = checkpoint.converted(&checkpoint.config().unwrap(), &mut Metadata::default()).unwrap();
    tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect()
}

fn floats(tensor: &FormTensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.row_count() * tensor.columns()];
    tensor.rows(0, &mut values).unwrap();
    values
}

#[test]
fn tensors_have_the_names_and_types_that_readers_ask_for() {
    let llama = converted("llama", &json!({}), &one_layer());
    // As they lie in the folder, and in the order in which neighbours turn together.
    for (name, stored) in [("blk.0.attn_v.weight", true), ("blk.0.attn_q.weight", false)] {
        assert_eq!(llama[name].dtype, TensorType::BF16);
        assert_eq!(llama[name].stored().is_some(), stored, "{name}");
    }
    assert_eq!(llama["blk.0.ffn_norm.weight"].dtype, TensorType::F32);
    assert!(llama.contains_key("output.weight"));
    // The same layer calls its second norm otherwise here.
    let seed = converted("seed_oss", &json!({}), &one_layer());
    assert!(seed.contains_key("blk.0.post_attention_norm.weight"), "{:?}", seed.keys());
    assert!(!seed.contains_key("blk.0.ffn_norm.weight"));
}

#[test]
fn an_output_layer_that_is_the_embedding_is_not_written() {
    let mut tensors = one_layer();
    tensors.insert("lm_head.weight".to_owned(), tensors["model.embed_tokens.weight"].clone());
    assert!(!converted("llama", &json!({}), &tensors).contains_key("output.weight"));
}

#[test]
fn gptq_is_unpacked_when_it_is_read_and_loses_biases_that_are_none() {
    let mut tensors = one_layer();
    for part in ["self_attn.v_proj", "mlp.up_proj"] {
        let stem = format!("model.layers.0.{part}");
        let (_, shape, _) = tensors.remove(&format!("{stem}.weight")).unwrap();
        let (rows, columns) = (shape[0], shape[1]);
        // Element (row, column) is row + column + 1, by the zero point less one of 2; the scale is a quarter.
        let word =
            |of: &dyn Fn(usize) -> usize| (0..8).map(|i| ((of(i) & 15) as u32) << (4 * i)).sum::<u32>().to_le_bytes();
        let words = (0..columns / 8).flat_map(|at| (0..rows).map(move |row| (at, row)));
        let codes = words.flat_map(|(at, row)| word(&|i| row + 8 * at + i + 1)).collect();
        let mut add = |end: &str, tensor| tensors.insert(format!("{stem}.{end}"), tensor);
        add("qweight", (Dtype::I32, vec![columns / 8, rows], codes));
        add("qzeros", (Dtype::I32, vec![1, rows / 8], (0..rows / 8).flat_map(|_| word(&|_| 2)).collect()));
        let scales = (0..rows).flat_map(|_| half::f16::from_f32(0.25).to_le_bytes()).collect();
        add("scales", (Dtype::F16, vec![1, rows], scales));
        add("bias", (Dtype::F16, vec![rows], vec![0; 2 * rows]));
    }
    let packed = json!({ "quantization_config": { "quant_method": "gptq", "bits": 4, "group_size": 16 } });
    let form = converted("llama", &packed, &tensors);
    for (name, rows) in
        [("blk.0.attn_v.weight", KV_SIZE), ("blk.0.ffn_up.weight", FFN), ("blk.0.attn_v.weight", KV_SIZE)]
    {
        assert_eq!((form[name].dtype, form[name].stored()), (TensorType::F32, None));
        let value = |i: usize| (((i / HIDDEN + i % HIDDEN + 1) & 15) as f32 - 3.0) * 0.25;
        assert_eq!(floats(&form[name]), (0..rows * HIDDEN).map(value).collect::<Vec<_>>(), "{name}");
    }
    assert!(form.keys().all(|name| !name.ends_with(".bias")), "{:?}", form.keys());
}
