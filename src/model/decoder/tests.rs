//! However the tokens reach the decoder, the logits are the same: for every family, on random
//! weights made here. (candle-transformers' GGUF models fail this: see `../decoder`.)

use std::sync::atomic::AtomicBool;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::weights::{GgufWriter, Metadata, Source, TensorType, Value};

const HIDDEN: usize = 64;
const HEAD_DIM: usize = 16;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const FFN: usize = 96;
const VOCAB: usize = 80;
static RUN: AtomicBool = AtomicBool::new(false);

/// A random two-layer model of `family`, its matrices stored as `dtype`.
fn model(family: &Family, dtype: TensorType) -> Decoder {
    let architecture = family.gguf_architecture;
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", Value::String(architecture.to_owned()));
    for (key, value) in [
        ("block_count", 2),
        ("embedding_length", HIDDEN),
        ("feed_forward_length", FFN),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("attention.key_length", HEAD_DIM),
        ("context_length", 128),
    ] {
        metadata.set(&format!("{architecture}.{key}"), Value::U32(value as u32));
    }
    metadata.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5));
    let mut writer = GgufWriter::new(metadata);
    let mut rng = StdRng::seed_from_u64(1);
    let mut tensor = |name: &str, dims: &[usize]| {
        let values: Vec<f32> = (0..dims.iter().product()).map(|_| rng.random_range(-0.3f32..0.3)).collect();
        let (dtype, bytes) = match dims.len() {
            2 if dtype == TensorType::F16 => {
                (dtype, values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect())
            }
            _ => (TensorType::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        };
        writer.tensor(name, dims, dtype, bytes);
    };
    tensor("token_embd.weight", &[VOCAB, HIDDEN]);
    tensor("output_norm.weight", &[HIDDEN]);
    for layer in 0..2 {
        let name = |part: &str| format!("blk.{layer}.{part}");
        tensor(&name("attn_norm.weight"), &[HIDDEN]);
        tensor(&name("ffn_norm.weight"), &[HIDDEN]);
        for (part, heads) in [("attn_q", HEADS), ("attn_k", KV_HEADS), ("attn_v", KV_HEADS)] {
            tensor(&name(&format!("{part}.weight")), &[heads * HEAD_DIM, HIDDEN]);
            if family.qkv_bias {
                tensor(&name(&format!("{part}.bias")), &[heads * HEAD_DIM]);
            }
        }
        if family.qk_norm {
            tensor(&name("attn_q_norm.weight"), &[HEAD_DIM]);
            tensor(&name("attn_k_norm.weight"), &[HEAD_DIM]);
        }
        tensor(&name("attn_output.weight"), &[HIDDEN, HEADS * HEAD_DIM]);
        tensor(&name("ffn_gate.weight"), &[FFN, HIDDEN]);
        tensor(&name("ffn_up.weight"), &[FFN, HIDDEN]);
        tensor(&name("ffn_down.weight"), &[HIDDEN, FFN]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    writer.write(&path).unwrap();
    Decoder::load(&Checkpoint::open(&Source::Path(path)).unwrap()).unwrap()
}

fn tokens() -> Vec<u32> {
    (0..24).map(|i| (i * 37 + 11) % VOCAB as u32).collect()
}

fn run(decoder: &mut Decoder, tokens: &[u32]) -> Vec<Vec<f32>> {
    decoder.forward(tokens, Logits::All, &RUN).unwrap().to_vec2().unwrap()
}

fn assert_same(a: &[Vec<f32>], b: &[Vec<f32>], what: &str) {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().flatten().fold(0f32, |m, v| m.max(v.abs()));
    let difference = a.iter().flatten().zip(b.iter().flatten()).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(difference <= 1e-5 * scale, "{what}: {difference} of {scale}");
}

#[test]
fn prefill_decode_chunks_and_turns_give_the_same_logits_in_every_family() {
    for family in FAMILIES {
        for window in [None, Some(5)] {
            for dtype in [TensorType::F32, TensorType::F16] {
                let mut decoder = model(family, dtype);
                for layer in &mut decoder.layers {
                    layer.window = window;
                }
                let what = |how: &str| format!("{} {dtype} window {window:?}: {how}", family.gguf_architecture);
                let tokens = tokens();
                let whole = run(&mut decoder, &tokens);

                decoder.truncate(0);
                let one_by_one: Vec<_> = tokens.iter().flat_map(|t| run(&mut decoder, &[*t])).collect();
                assert_same(&whole, &one_by_one, &what("decode"));

                decoder.truncate(0);
                let chunks: Vec<_> = tokens.chunks(7).flat_map(|c| run(&mut decoder, c)).collect();
                assert_same(&whole, &chunks, &what("chunked prefill"));

                // Turns: prefill 8, decode 4, go back on 2, prefill the rest.
                decoder.truncate(0);
                run(&mut decoder, &tokens[..8]);
                for wrong in [3, 1, 4, 1] {
                    run(&mut decoder, &[wrong]);
                }
                decoder.truncate(8);
                let rest = run(&mut decoder, &tokens[8..]);
                assert_same(&whole[8..], &rest, &what("after going back"));
            }
        }
    }
}

#[test]
fn the_cache_grows_past_its_first_capacity() {
    let mut decoder = model(&FAMILIES[0], TensorType::F32);
    let long: Vec<u32> = (0..600).map(|i| i % VOCAB as u32).collect();
    let whole = run(&mut decoder, &long);
    decoder.truncate(0);
    let chunks: Vec<_> = long.chunks(100).flat_map(|c| run(&mut decoder, c)).collect();
    assert_same(&whole, &chunks, "grown cache");
}

#[test]
fn a_cancelled_pass_leaves_the_cache_as_it_was() {
    let mut decoder = model(&FAMILIES[0], TensorType::F32);
    let tokens = tokens();
    let whole = run(&mut decoder, &tokens);
    decoder.truncate(10);
    let cancelled = decoder.forward(&tokens[10..], Logits::Last, &AtomicBool::new(true));
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert_same(&whole[10..], &run(&mut decoder, &tokens[10..]), "after a cancellation");
}
