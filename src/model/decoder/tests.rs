//! However the tokens reach the decoder, the logits are the same: for every family, on random
//! weights made here. (candle-transformers' GGUF models fail this: see `../decoder`.)

use std::sync::atomic::AtomicBool;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::family::{KeySharing, QkNorm, Recurrence, Residual};
use super::*;
use crate::weights::{GgufWriter, Metadata, Source, TensorType, Value};

const HIDDEN: usize = 64;
const HEAD_DIM: usize = 16;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const FFN: usize = 96;
const VOCAB: usize = 80;
const LAYERS: usize = 4;
const EXPERTS: usize = 4;
/// Of the gated delta rule.
const KEY_HEADS: usize = 2;
const VALUE_HEADS: usize = 6;
const CONTEXT: usize = 1024;
/// Of recurrent layers.
const INNER: usize = 96;
const STATES: usize = 12;
const GROUPS: usize = 2;
/// Mamba 2's heads; the width of Mamba's time steps.
const TIME_STEPS: usize = 8;
const CONV: usize = 4;
static RUN: AtomicBool = AtomicBool::new(false);

/// What a layer of such a model mixes tokens with.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Attention,
    ShortConv,
    DeltaNet(KeySharing),
    Recurrence(Recurrence),
    /// It only feeds forward.
    None,
}

fn part(family: &Family, layer: usize) -> Part {
    let single = family.residual == Residual::Single;
    if let Some(sharing) = family.delta_net.filter(|_| layer % 4 != 3) {
        return Part::DeltaNet(sharing);
    }
    match (family.recurrence, layer) {
        (Some(_), 1 | 3) if single && !family.gated => Part::None,
        (Some(recurrence), 0 | 2) => Part::Recurrence(recurrence),
        (Some(recurrence), _) if single => Part::Recurrence(recurrence),
        (None, 0 | 2) if family.gguf_architecture.starts_with("lfm2") => Part::ShortConv,
        _ => Part::Attention,
    }
}

/// A number for each layer.
fn of_layers(number: impl Fn(usize) -> usize) -> Value {
    Value::Array((0..LAYERS).map(|layer| Value::U32(number(layer) as u32)).collect())
}

/// A random four-layer model of `family`, its matrices stored as `dtype`, with a sliding window
/// where the family knows one; with experts if asked.
fn model(family: &Family, dtype: TensorType, experts: bool) -> Decoder {
    let architecture = family.gguf_architecture;
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", Value::String(architecture.to_owned()));
    let mut numbers = vec![
        ("block_count", LAYERS),
        ("embedding_length", HIDDEN),
        ("attention.head_count", HEADS),
        ("attention.key_length", HEAD_DIM),
        ("context_length", CONTEXT),
        ("attention.sliding_window", 5),
        ("ssm.conv_kernel", CONV),
        ("ssm.inner_size", INNER),
        ("ssm.state_size", STATES),
        ("ssm.group_count", GROUPS),
        ("ssm.time_step_rank", TIME_STEPS),
    ];
    if (0..LAYERS).any(|layer| part(family, layer) == Part::ShortConv) {
        numbers.push(("shortconv.l_cache", CONV));
    }
    if family.delta_net.is_some() {
        numbers.push(("attention.head_count_kv", KV_HEADS));
    } else {
        let kv_heads = of_layers(|layer| if part(family, layer) == Part::Attention { KV_HEADS } else { 0 });
        metadata.set(&format!("{architecture}.attention.head_count_kv"), kv_heads);
    }
    let single = family.residual == Residual::Single;
    let sizes = of_layers(|layer| if single && part(family, layer) != Part::None { 0 } else { FFN });
    metadata.set(&format!("{architecture}.feed_forward_length"), sizes);
    if experts {
        numbers.extend([("expert_count", EXPERTS), ("expert_used_count", 2), ("expert_feed_forward_length", FFN)]);
        numbers.push(("expert_shared_feed_forward_length", FFN));
    }
    if family.delta_net.is_some() {
        // A last layer that predicts the token after the next is there and not used.
        numbers[0].1 += 1;
        numbers.extend([("nextn_predict_layers", 1), ("rope.dimension_count", HEAD_DIM / 4), ("ssm.conv_kernel", 4)]);
        numbers.extend([("ssm.group_count", KEY_HEADS), ("ssm.time_step_rank", VALUE_HEADS)]);
        numbers.extend([("ssm.state_size", HEAD_DIM), ("ssm.inner_size", VALUE_HEADS * HEAD_DIM)]);
    }
    if is_rwkv7(family) {
        numbers.retain(|(key, _)| !key.starts_with("attention."));
        numbers.extend([("attention.head_count", 0), ("wkv.head_size", HEAD_DIM)]);
    }
    for (key, value) in numbers {
        metadata.set(&format!("{architecture}.{key}"), Value::U32(value as u32));
    }
    for (key, value) in [("attention.layer_norm_rms_epsilon", 1e-5), ("attn_logit_softcapping", 20.0)] {
        metadata.set(&format!("{architecture}.{key}"), Value::F32(value));
    }
    let mut writer = GgufWriter::new(metadata);
    let mut rng = StdRng::seed_from_u64(1);
    for (name, dims) in tensors(family, experts) {
        let mut values: Vec<f32> = (0..dims.iter().product()).map(|_| rng.random_range(-0.3f32..0.3)).collect();
        if name.ends_with(".ssm_a") {
            values.iter_mut().for_each(|value| *value = -value.abs());
        }
        let (dtype, bytes) = match dims.len() {
            2 if dtype == TensorType::F16 => {
                (dtype, values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect())
            }
            _ => (TensorType::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        };
        writer.tensor(&name, &dims, dtype, bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    writer.write(&path).unwrap();
    Decoder::load(&Checkpoint::open(&Source::Path(path)).unwrap(), KvType::F32).unwrap()
}

/// Names and shapes of the tensors of such a model.
fn tensors(family: &Family, experts: bool) -> Vec<(String, Vec<usize>)> {
    let (q_size, kv_size) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    let layer_norm = family.norm.subtracts_mean();
    let single = family.residual == Residual::Single;
    let mut all: Vec<(String, Vec<usize>)> = Vec::new();
    let mut tensor = |name: String, dims: &[usize]| all.push((name, dims.to_vec()));
    let norm = |tensor: &mut dyn FnMut(String, &[usize]), stem: String, size: usize| {
        tensor(format!("{stem}.weight"), &[size]);
        if layer_norm {
            tensor(format!("{stem}.bias"), &[size]);
        }
    };
    tensor("token_embd.weight".to_owned(), &[VOCAB, HIDDEN]);
    if family.learned_positions {
        tensor("position_embd.weight".to_owned(), &[CONTEXT, HIDDEN]);
    }
    norm(&mut tensor, "output_norm".to_owned(), HIDDEN);
    if is_rwkv7(family) {
        norm(&mut tensor, "token_embd_norm".to_owned(), HIDDEN);
    }
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}");
        if family.residual != Residual::Post {
            norm(&mut tensor, name("attn_norm"), HIDDEN);
        }
        let part = part(family, layer);
        if is_rwkv7(family) {
            norm(&mut tensor, name("attn_norm_2"), HIDDEN);
            rwkv7(&mut tensor, layer);
            continue;
        }
        if matches!(family.residual, Residual::Pre | Residual::Sandwich) {
            let norm_name = if family.delta_net.is_some() { "post_attention_norm" } else { "ffn_norm" };
            norm(&mut tensor, name(norm_name), HIDDEN);
        }
        if matches!(family.residual, Residual::Post | Residual::Sandwich) {
            norm(&mut tensor, name("post_attention_norm"), HIDDEN);
            norm(&mut tensor, name("post_ffw_norm"), HIDDEN);
        }
        match part {
            Part::None => {}
            Part::Attention => {
                let q_rows = if family.gated_attention { 2 * q_size } else { q_size };
                for (part, size) in [("attn_q", q_rows), ("attn_k", kv_size), ("attn_v", kv_size)] {
                    tensor(name(&format!("{part}.weight")), &[size, HIDDEN]);
                    if family.qkv_bias {
                        tensor(name(&format!("{part}.bias")), &[size]);
                    }
                }
                tensor(name("attn_output.weight"), &[HIDDEN, q_size]);
            }
            Part::DeltaNet(sharing) => delta_net(&mut tensor, layer, sharing),
            Part::ShortConv => {
                tensor(name("shortconv.in_proj.weight"), &[3 * HIDDEN, HIDDEN]);
                tensor(name("shortconv.conv.weight"), &[HIDDEN, CONV]);
                tensor(name("shortconv.out_proj.weight"), &[HIDDEN, HIDDEN]);
            }
            Part::Recurrence(recurrence) => {
                let (input, mixed, rates) = match recurrence {
                    Recurrence::Mamba => (2 * INNER, INNER, [INNER, STATES]),
                    Recurrence::Mamba2 => {
                        let mixed = INNER + 2 * GROUPS * STATES;
                        (INNER + mixed + TIME_STEPS, mixed, [TIME_STEPS, 1])
                    }
                };
                tensor(name("ssm_in.weight"), &[input, HIDDEN]);
                tensor(name("ssm_conv1d.weight"), &[mixed, CONV]);
                tensor(name("ssm_conv1d.bias"), &[mixed]);
                tensor(name("ssm_a"), &rates);
                tensor(name("ssm_d"), &rates[..1]);
                tensor(name("ssm_dt.bias"), &rates[..1]);
                match recurrence {
                    Recurrence::Mamba => {
                        tensor(name("ssm_x.weight"), &[TIME_STEPS + 2 * STATES, INNER]);
                        tensor(name("ssm_dt.weight"), &[INNER, TIME_STEPS]);
                    }
                    Recurrence::Mamba2 => tensor(name("ssm_norm.weight"), &[GROUPS, INNER / GROUPS]),
                }
                tensor(name("ssm_out.weight"), &[HIDDEN, INNER]);
            }
        }
        let normed = match family.qk_norm {
            _ if part != Part::Attention => None,
            QkNorm::None => None,
            QkNorm::Heads | QkNorm::HeadsIfAny | QkNorm::TurnedHeads => Some((HEAD_DIM, HEAD_DIM)),
            QkNorm::Whole => Some((q_size, kv_size)),
            QkNorm::EachHead => {
                tensor(name("attn_q_norm.weight"), &[HEADS, HEAD_DIM]);
                tensor(name("attn_k_norm.weight"), &[KV_HEADS, HEAD_DIM]);
                None
            }
        };
        if let Some((q, k)) = normed {
            tensor(name("attn_q_norm.weight"), &[q]);
            tensor(name("attn_k_norm.weight"), &[k]);
        }
        if single && part != Part::None {
            continue;
        }
        let suffixes: &[&str] = if experts { &["_exps", "_shexp"] } else { &[""] };
        for suffix in suffixes {
            let stacked: &[usize] = if *suffix == "_exps" { &[EXPERTS] } else { &[] };
            if family.gated {
                tensor(name(&format!("ffn_gate{suffix}.weight")), &[stacked, &[FFN, HIDDEN]].concat());
            }
            tensor(name(&format!("ffn_up{suffix}.weight")), &[stacked, &[FFN, HIDDEN]].concat());
            tensor(name(&format!("ffn_down{suffix}.weight")), &[stacked, &[HIDDEN, FFN]].concat());
        }
        if experts {
            tensor(name("ffn_gate_inp.weight"), &[EXPERTS, HIDDEN]);
            tensor(name("ffn_gate_inp_shexp.weight"), &[HIDDEN]);
        }
    }
    all
}

/// Those of a layer of the gated delta rule: woven by key heads as the first files of Qwen3-Next are, or apart.
fn delta_net(tensor: &mut dyn FnMut(String, &[usize]), layer: usize, sharing: KeySharing) {
    let mut tensor = |part: &str, dims: &[usize]| tensor(format!("blk.{layer}.{part}"), dims);
    let (keys, values) = (KEY_HEADS * HEAD_DIM, VALUE_HEADS * HEAD_DIM);
    match sharing {
        KeySharing::Neighbours => {
            tensor("ssm_in.weight", &[2 * keys + 2 * values, HIDDEN]);
            tensor("ssm_ba.weight", &[2 * VALUE_HEADS, HIDDEN]);
        }
        KeySharing::InTurn => {
            tensor("attn_qkv.weight", &[2 * keys + values, HIDDEN]);
            tensor("attn_gate.weight", &[values, HIDDEN]);
            tensor("ssm_alpha.weight", &[VALUE_HEADS, HIDDEN]);
            tensor("ssm_beta.weight", &[VALUE_HEADS, HIDDEN]);
        }
    }
    tensor("ssm_conv1d.weight", &[2 * keys + values, 4]);
    tensor("ssm_dt.bias", &[VALUE_HEADS]);
    tensor("ssm_a", &[VALUE_HEADS]);
    tensor("ssm_norm.weight", &[HEAD_DIM]);
    tensor("ssm_out.weight", &[HIDDEN, values]);
}

fn is_rwkv7(family: &Family) -> bool {
    family.gguf_architecture == "rwkv7"
}

fn rwkv7(tensor: &mut dyn FnMut(String, &[usize]), layer: usize) {
    let mut tensor = |part: &str, dims: &[usize]| tensor(format!("blk.{layer}.{part}"), dims);
    for part in ["w", "a", "v", "g"] {
        tensor(&format!("time_mix_{part}1.weight"), &[8, HIDDEN]);
        tensor(&format!("time_mix_{part}2.weight"), &[HIDDEN, 8]);
        if part != "g" {
            tensor(&format!("time_mix_{part}0.weight"), &[HIDDEN]);
        }
    }
    tensor("time_mix_lerp_fused.weight", &[6, 1, 1, HIDDEN]);
    for part in ["k_k.weight", "k_a.weight", "r_k.weight", "ln.weight", "ln.bias"] {
        tensor(&format!("time_mix_{part}"), &[HIDDEN]);
    }
    for part in ["key", "value", "receptance", "output"] {
        tensor(&format!("time_mix_{part}.weight"), &[HIDDEN, HIDDEN]);
    }
    tensor("channel_mix_lerp_k.weight", &[1, 1, HIDDEN]);
    tensor("channel_mix_key.weight", &[FFN, HIDDEN]);
    tensor("channel_mix_value.weight", &[HIDDEN, FFN]);
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
        let experts = family.gguf_architecture.ends_with("moe");
        for dtype in [TensorType::F32, TensorType::F16] {
            let mut decoder = model(family, dtype, experts);
            let what = |how: &str| format!("{} {dtype}: {how}", family.gguf_architecture);
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
            let left = decoder.truncate(8);
            let rest = run(&mut decoder, &tokens[left..]);
            assert_same(&whole[left..], &rest, &what("after going back"));
        }
    }
}

#[test]
fn a_rolled_cache_gives_the_logits_of_a_whole_one() {
    for family in FAMILIES {
        let mut decoder = model(family, TensorType::F32, false);
        if decoder.config.layers.iter().all(|layer| layer.window.is_none()) {
            continue;
        }
        let long: Vec<u32> = (0..900).map(|i| i * i % VOCAB as u32).collect();
        // In one pass nothing is rolled away, and a cache that has grown for it has room for all.
        let whole = run(&mut decoder, &long);
        let mut decoder = model(family, TensorType::F32, false);
        let chunks: Vec<_> = long.chunks(7).flat_map(|c| run(&mut decoder, c)).collect();
        let what = |how: &str| format!("{}: {how}", family.gguf_architecture);
        assert_same(&whole, &chunks, &what("rolled"));
        // Near enough the end is still there; far back is not, and is computed anew.
        assert_eq!(decoder.truncate(895), 895);
        assert_same(&whole[895..], &run(&mut decoder, &long[895..]), &what("after going back a little"));
        assert_eq!(decoder.truncate(100), 0, "{}", what("what was seen at 100"));
        assert_same(&whole[..100], &run(&mut decoder, &long[..100]), &what("after going back far"));
    }
}

#[test]
fn the_cache_grows_past_its_first_capacity() {
    let mut decoder = model(&FAMILIES[0], TensorType::F32, false);
    same_in_chunks(&mut decoder, 600, 100);
}

#[test]
fn a_long_prefill_of_mamba_2_is_that_of_single_tokens() {
    let family = FAMILIES.iter().find(|f| f.gguf_architecture == "mamba2").unwrap();
    same_in_chunks(&mut model(family, TensorType::F32, false), 150, 1);
}

/// One pass over `len` tokens, and passes of `chunk`.
fn same_in_chunks(decoder: &mut Decoder, len: u32, chunk: usize) {
    let long: Vec<u32> = (0..len).map(|i| i % VOCAB as u32).collect();
    let whole = run(decoder, &long);
    decoder.truncate(0);
    let chunks: Vec<_> = long.chunks(chunk).flat_map(|c| run(decoder, c)).collect();
    assert_same(&whole, &chunks, "in chunks");
}

#[test]
fn a_cancelled_pass_leaves_the_cache_as_it_was() {
    let mut decoder = model(&FAMILIES[0], TensorType::F32, false);
    let tokens = tokens();
    let whole = run(&mut decoder, &tokens);
    decoder.truncate(10);
    let cancelled = decoder.forward(&tokens[10..], Logits::Last, &AtomicBool::new(true));
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert_same(&whole[10..], &run(&mut decoder, &tokens[10..]), "after a cancellation");
}
