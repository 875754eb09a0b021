//! Folders of safetensors become GGUF files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oai::weights::{Gguf, TensorType};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::common::{Home, assert_error, noise};
use crate::model::{files, quantize, quantized, text, type_of};

/// GPT-2's letters for bytes.
fn letter(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match plain(byte) {
        true => char::from(byte),
        false => char::from_u32(256 + (0..byte).filter(|before| !plain(*before)).count() as u32).unwrap(),
    }
}

/// A llama of random weights in bf16 with a tokenizer of bytes, as Hugging Face publishes one.
fn folder(home: &Home) -> PathBuf {
    let folder = home.path().join("Tiny-Llama");
    std::fs::create_dir(&folder).unwrap();
    let (vocabulary, hidden, feed_forward) = (258usize, 256usize, 512usize);
    let write = |name: &str, json: &Value| std::fs::write(folder.join(name), json.to_string()).unwrap();
    write(
        "config.json",
        &json!({
            "model_type": "llama", "hidden_size": hidden, "intermediate_size": feed_forward, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
            "vocab_size": vocabulary, "rope_theta": 10000.0,
        }),
    );
    let vocab: serde_json::Map<String, Value> = (0..=255u8)
        .map(|byte| (letter(byte).to_string(), json!(byte)))
        .chain([("<|end|>".to_owned(), json!(256)), ("th".to_owned(), json!(257))])
        .collect();
    write(
        "tokenizer.json",
        &json!({
            "version": "1.0",
            "added_tokens": [{
                "id": 256, "content": "<|end|>", "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false,
            }],
            "normalizer": null,
            "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
            "post_processor": null,
            "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
            "model": { "type": "BPE", "vocab": vocab, "merges": ["t h"] },
        }),
    );
    let template = "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}";
    write("tokenizer_config.json", &json!({ "eos_token": "<|end|>", "chat_template": template }));
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![vocabulary, hidden]),
        ("lm_head.weight".to_owned(), vec![vocabulary, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    for layer in 0..2 {
        for (name, shape) in [
            ("input_layernorm", vec![hidden]),
            ("post_attention_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![hidden, hidden]),
            ("self_attn.k_proj", vec![hidden / 2, hidden]),
            ("self_attn.v_proj", vec![hidden / 2, hidden]),
            ("self_attn.o_proj", vec![hidden, hidden]),
            ("mlp.gate_proj", vec![feed_forward, hidden]),
            ("mlp.up_proj", vec![feed_forward, hidden]),
            ("mlp.down_proj", vec![hidden, feed_forward]),
        ] {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    let data: BTreeMap<String, (Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .enumerate()
        .map(|(seed, (name, shape))| {
            let count = shape.iter().product::<usize>();
            // From -1/8 to 1/8 in steps that bf16 holds.
            let value = |byte: &u8| half::bf16::from_f32((f32::from(*byte) - 128.0) / 1024.0).to_le_bytes();
            (name, (shape, noise(count as u64, seed as u64 + 1).iter().flat_map(value).collect()))
        })
        .collect();
    let views =
        data.iter().map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::BF16, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    folder
}

fn answer(home: &Home, model: &Path) -> String {
    let (code, answer, stderr) =
        home.run(&["ask", "--raw", "-n", "12", "-t", "0", "-m", model.to_str().unwrap(), "Once upon a time"]);
    assert_eq!(code, 0, "{stderr}");
    answer
}

#[test]
fn a_folder_becomes_a_file_that_says_the_same() {
    let home = Home::new();
    let folder = folder(&home);
    let source = folder.to_str().unwrap();
    quantized(&home, &[source]);
    // Named after the folder, every tensor as it was but what GGUF keeps in f32.
    let out = home.path().join("Tiny-Llama.gguf");
    assert_eq!(type_of(&out, "blk.0.attn_q.weight"), TensorType::BF16);
    assert_eq!(type_of(&out, "blk.0.attn_norm.weight"), TensorType::F32);
    assert_eq!(answer(&home, &out), answer(&home, &folder));
    let metadata = Gguf::open(&out).unwrap().metadata;
    assert_eq!(metadata.u64("general.file_type"), Some(32));
    assert_eq!(metadata.str("tokenizer.ggml.model"), Some("gpt2"));
    assert!(metadata.str("tokenizer.chat_template").is_some_and(|template| template.contains("m.content")));
    // In one step the same as in two.
    quantized(&home, &[source, "Q4_K_M", "-o", "one.gguf"]);
    quantized(&home, &["./Tiny-Llama.gguf", "Q4_K_M", "-o", "two.gguf"]);
    let tensors = |name: &str| {
        let all = Gguf::open(&home.path().join(name)).unwrap().tensors;
        all.into_iter().map(|tensor| (tensor.name.clone(), tensor.data().to_vec())).collect::<BTreeMap<_, _>>()
    };
    assert!(tensors("one.gguf") == tensors("two.gguf"));
}

#[test]
fn a_folder_is_calibrated_and_compared_and_leaves_nothing_else_behind() {
    let home = Home::new();
    let folder = folder(&home);
    let text = text(&home);
    let report = quantized(
        &home,
        &[folder.to_str().unwrap(), "Q4_K_S", "--calibrate", &text, "--report", &text, "-o", "out.gguf"],
    );
    let divergence = report["report"]["kl_mean"].as_f64().unwrap();
    assert!(divergence > 0.0 && divergence < 1.0, "{divergence}");
    assert_eq!(files(&home), ["Tiny-Llama", "out.gguf", "text.txt"]);
    let metadata = Gguf::open(&home.path().join("out.gguf")).unwrap().metadata;
    assert_eq!(metadata.u64("quantize.imatrix.entries_count"), Some(14));
}

#[test]
fn what_is_not_converted_is_said_in_a_line() {
    let home = Home::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families/mamba2-groups");
    let error = quantize(&home, &[folder.to_str().unwrap(), "Q4_0", "-o", "x.gguf"]);
    assert_error(error, 4, &["mamba2-groups", "conversion to GGUF"]);
    assert!(files(&home).is_empty());
}
