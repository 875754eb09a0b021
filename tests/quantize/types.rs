//! Which tensor gets which type, and what comes of it.

use oai::weights::{Gguf, TensorType, Value};

use crate::common::{Home, assert_error};
use crate::model::{files, quantize, quantized, text, type_of, types, write};

/// Every type by name, the type that most tensors get, `general.file_type` and bits a weight at most.
const TYPES: &[(&str, TensorType, u64, f64)] = &[
    ("F32", TensorType::F32, 0, 32.1),
    ("F16", TensorType::F16, 1, 16.2),
    ("BF16", TensorType::BF16, 32, 16.2),
    ("Q8_0", TensorType::Q8_0, 7, 8.6),
    ("Q6_K", TensorType::Q6K, 18, 6.7),
    ("Q5_K_M", TensorType::Q5K, 17, 6.5),
    ("Q5_K_S", TensorType::Q5K, 16, 6.5),
    ("Q5_1", TensorType::Q5_1, 9, 6.5),
    ("Q5_0", TensorType::Q5_0, 8, 6.5),
    ("Q4_K_M", TensorType::Q4K, 15, 6.1),
    ("Q4_K_S", TensorType::Q4K, 14, 6.1),
    ("Q4_1", TensorType::Q4_1, 3, 6.1),
    ("Q4_0", TensorType::Q4_0, 2, 6.1),
    ("IQ4_NL", TensorType::IQ4_NL, 25, 6.1),
    ("IQ4_XS", TensorType::IQ4_XS, 30, 6.1),
    ("Q3_K_L", TensorType::Q3K, 13, 6.0),
    ("Q3_K_M", TensorType::Q3K, 12, 6.0),
    ("Q3_K_S", TensorType::Q3K, 11, 5.0),
    ("Q2_K", TensorType::Q2K, 10, 5.0),
];

#[test]
fn every_type_makes_a_model_that_runs_and_says_what_it_is() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    for (name, dtype, file_type, bits) in TYPES {
        let report = quantized(&home, &[source, &name.to_lowercase(), "-o", "out.gguf", "--force"]);
        let out = home.path().join("out.gguf");
        let gguf = Gguf::open(&out).unwrap();
        assert_eq!(gguf.metadata.u64("general.file_type"), Some(*file_type), "{name}");
        assert_eq!(gguf.metadata.u64("general.quantization_version"), Some(2), "{name}");
        assert_eq!(type_of(&out, "blk.1.ffn_gate.weight"), *dtype, "{name}");
        assert_eq!(type_of(&out, "blk.1.attn_norm.weight"), TensorType::F32, "{name}");
        let had = report["bits_per_weight"].as_f64().unwrap();
        assert!(had <= *bits && had > bits / 2.0, "{name}: {had}");
        assert_eq!(report["size_bytes"], std::fs::metadata(&out).unwrap().len(), "{name}");
        let (code, shown, stderr) = home.run(&["show", "--json", out.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["quantization"], *name);
        let asked = ["ask", "--raw", "-n", "4", "-t", "0", "-m", out.to_str().unwrap(), "How"];
        let (code, _, stderr) = home.run(&asked);
        assert_eq!(code, 0, "{name}: {stderr}");
    }
}

#[test]
fn a_mix_gives_more_to_what_needs_more_and_exceptions_are_heeded() {
    let home = Home::new();
    let source = write(&home, "m-F32", 256);
    let source = source.to_str().unwrap();
    quantized(&home, &[source, "Q4_K_M"]);
    // The name of the source, without its own type.
    let out = home.path().join("m-Q4_K_M.gguf");
    for (name, dtype) in [
        ("output.weight", TensorType::Q6K),
        ("token_embd.weight", TensorType::Q4K),
        ("blk.0.attn_q.weight", TensorType::Q4K),
        ("blk.1.ffn_down.weight", TensorType::Q6K),
        ("blk.1.attn_v.weight", TensorType::Q6K),
    ] {
        assert_eq!(type_of(&out, name), dtype, "{name}");
    }
    let exceptions = ["--tensor", "ffn_down=Q8_0", "--tensor", "blk.0.*q.weight=f16", "--keep-output", "F16"];
    quantized(&home, &[&[source, "Q4_K_M", "-f"], &exceptions[..]].concat());
    for (name, dtype) in [
        ("output.weight", TensorType::F16),
        ("blk.0.attn_q.weight", TensorType::F16),
        ("blk.1.attn_q.weight", TensorType::Q4K),
        ("blk.0.ffn_down.weight", TensorType::Q8_0),
        ("blk.1.ffn_down.weight", TensorType::Q8_0),
    ] {
        assert_eq!(type_of(&out, name), dtype, "{name}");
    }
    quantized(&home, &[source, "Q4_K_M", "-f", "--pure"]);
    let pure = types(&out).into_iter().filter(|(name, _)| !name.contains("norm")).all(|(_, t)| t == TensorType::Q4K);
    assert!(pure, "{:?}", types(&out));
}

#[test]
fn rows_that_a_type_cannot_hold_get_another_and_it_is_said() {
    let home = Home::new();
    let source = write(&home, "m", 192);
    let (code, stdout, stderr) = quantize(&home, &[source.to_str().unwrap(), "Q4_K_S", "-o", "out.gguf"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("Q5_0") && stderr.contains("192"), "{stderr}");
    assert!(stdout.contains("out.gguf"), "{stdout}");
    let out = home.path().join("out.gguf");
    assert_eq!(type_of(&out, "blk.0.attn_q.weight"), TensorType::Q5_0);
}

#[test]
fn a_plan_is_printed_and_nothing_is_written() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    let plan = quantized(&home, &[source, "Q4_K_M", "--dry-run"]);
    assert_eq!(files(&home), ["m.gguf"]);
    let tensors = plan["tensors"].as_array().unwrap();
    let find = |name: &str| tensors.iter().find(|tensor| tensor["name"] == name).unwrap();
    assert_eq!((&find("output.weight")["from"], &find("output.weight")["to"]), (&"F32".into(), &"Q6_K".into()));
    let (code, stdout, stderr) = quantize(&home, &[source, "Q4_K_M", "--dry-run"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("blk.1.ffn_down.weight") && stdout.contains("nothing written"), "{stdout}");
    quantized(&home, &[source, "Q4_K_M", "-o", "out.gguf"]);
    assert_eq!(plan["size_bytes"], std::fs::metadata(home.path().join("out.gguf")).unwrap().len());
    for (name, dtype) in types(&home.path().join("out.gguf")) {
        assert_eq!(find(&name)["to"], dtype.name(), "{name}");
    }
}

#[test]
fn what_cannot_be_is_one_line_with_the_way_out() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    let (code, _, stderr) = quantize(&home, &[source, "Q4_X"]);
    assert_eq!(code, 2);
    for word in ["Q4_X", "Q4_K_M", "IQ4_XS", "MXFP4", "BF16"] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    assert_error(quantize(&home, &[source, "Q4_0", "--tensor", "no_such=Q8_0"]), 2, &["no_such", "ffn_down"]);
    assert_error(quantize(&home, &["./none.gguf", "Q4_0"]), 3, &["none.gguf"]);
    assert_error(quantize(&home, &[source, "Q4_0", "-o", "m.gguf"]), 2, &["m.gguf", "the source itself"]);
    assert_error(quantize(&home, &[source, "Q4_0", "-o", "x.bin"]), 2, &["x.bin", ".gguf"]);
    assert_error(quantize(&home, &[source, "Q4_0", "-o", "no/x.gguf"]), 7, &["no", "folder"]);
    assert_error(quantize(&home, &[source, "Q4_0", "--imatrix", source]), 4, &["m.gguf", "importance matrix"]);
    assert_error(quantize(&home, &[source, "Q4_0", "--calibrate", "none.txt"]), 7, &["none.txt"]);
    let text = text(&home);
    assert_error(quantize(&home, &[source, "--calibrate", &text]), 2, &["importance matrix", "TYPE"]);
    std::fs::remove_file(text).unwrap();
    assert_eq!(files(&home), ["m.gguf"]);
    quantized(&home, &[source, "Q4_0", "-o", "x.gguf"]);
    let before = std::fs::read(home.path().join("x.gguf")).unwrap();
    assert_error(quantize(&home, &[source, "Q8_0", "-o", "x.gguf"]), 2, &["x.gguf", "--force"]);
    assert_eq!(std::fs::read(home.path().join("x.gguf")).unwrap(), before);
}

#[test]
fn an_importance_matrix_is_collected_kept_and_read_again() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let (source, text) = (source.to_str().unwrap(), text(&home));
    quantized(&home, &[source, "Q4_K_S", "-o", "plain.gguf"]);
    quantized(&home, &[source, "Q4_K_S", "-o", "a.gguf", "--calibrate", &text, "--save-imatrix", "m.imatrix"]);
    quantized(&home, &[source, "Q4_K_S", "-o", "b.gguf", "--imatrix", "m.imatrix"]);
    let open = |name: &str| Gguf::open(&home.path().join(name)).unwrap();
    let data = |name: &str, tensor: &str| open(name).tensor(tensor).unwrap().data().to_vec();
    for tensor in ["blk.0.attn_q.weight", "blk.1.ffn_down.weight"] {
        assert_eq!(data("a.gguf", tensor), data("b.gguf", tensor), "{tensor}");
        assert_ne!(data("a.gguf", tensor), data("plain.gguf", tensor), "{tensor}");
    }
    let a = open("a.gguf");
    assert_eq!(a.metadata.u64("quantize.imatrix.entries_count"), Some(14));
    assert!(matches!(a.metadata.get("quantize.imatrix.chunks_count"), Some(Value::U32(n)) if *n > 0));
    assert_eq!(open("m.imatrix").metadata.str("general.type"), Some("imatrix"));
}
