//! Types chosen by the error that each makes, and what the report says of it.

use crate::common::{Home, assert_error};
use crate::model::{files, quantize, quantized, text, write};

fn number(value: &serde_json::Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} of {value}"))
}

#[test]
fn bits_are_kept_to_and_more_bits_are_nearer_to_the_source() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let (source, text) = (source.to_str().unwrap(), text(&home));
    let mut last = f64::INFINITY;
    for bits in ["3.5", "4.5", "6", "8"] {
        let out = format!("{bits}.gguf");
        let report = quantized(&home, &[source, "--bits", bits, "--calibrate", &text, "--report", &text, "-o", &out]);
        let had = number(&report, "bits_per_weight");
        assert!(had <= bits.parse::<f64>().unwrap() && had > bits.parse::<f64>().unwrap() - 0.3, "{bits}: {had}");
        let divergence = number(&report["report"], "kl_mean");
        assert!(divergence < last && divergence > 0.0, "{bits}: {divergence} after {last}");
        last = divergence;
    }
}

#[test]
fn the_model_fits_the_memory_with_its_context() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let source = source.to_str().unwrap();
    // Working memory is about 120 MB; the model is 1.9 million weights.
    let short = quantized(&home, &[source, "--fit", "122MB", "--context", "256", "--dry-run"]);
    let long = quantized(&home, &[source, "--fit", "122MB", "--context", "512", "--dry-run"]);
    assert!(number(&short, "size_bytes") > number(&long, "size_bytes"), "{short}\n{long}");
    assert!(number(&short, "memory_bytes") <= 122e6 && number(&long, "memory_bytes") <= 122e6);
    assert_eq!(long["context"], 512);
    assert_error(quantize(&home, &[source, "--fit", "120MB"]), 2, &["120", "least"]);
    assert_error(quantize(&home, &[source, "--bits", "1.5"]), 2, &["1.5", "least"]);
    assert_eq!(files(&home), ["m.gguf"]);
}

#[test]
fn a_report_compares_with_the_source() {
    let home = Home::new();
    let source = write(&home, "m", 256);
    let (source, text) = (source.to_str().unwrap(), text(&home));
    let same = quantized(&home, &[source, "F32", "-o", "same.gguf", "--report", &text]);
    let same = &same["report"];
    assert_eq!((number(same, "kl_mean"), number(same, "top_1_agreement")), (0.0, 1.0));
    let coarse = quantized(&home, &[source, "Q2_K", "-o", "coarse.gguf", "--report", &text]);
    let coarse = &coarse["report"];
    for key in ["perplexity", "perplexity_error", "source_perplexity", "kl_mean", "kl_p99_9", "top_1_agreement"] {
        assert!(number(coarse, key) > 0.0, "{key}");
    }
    assert_eq!(coarse["source_perplexity"], same["source_perplexity"]);
    let measured = home.run(&["perplexity", "--json", "-f", &text, home.path().join("coarse.gguf").to_str().unwrap()]);
    let measured: serde_json::Value = serde_json::from_str(&measured.1).unwrap();
    assert!(
        (number(&measured, "perplexity") - number(coarse, "perplexity")).abs() < 1e-3 * number(coarse, "perplexity")
    );
    let (code, stdout, stderr) = quantize(&home, &[source, "Q2_K", "-f", "-o", "coarse.gguf", "--report", &text]);
    assert_eq!(code, 0, "{stderr}");
    for word in ["perplexity", "KL divergence", "99.9 %", "same first choice", "bits per weight"] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
}
