//! How many bits a weight takes in each quantization, and how good each is.

/// A quantization, and the bits a weight takes in Llama 3.1 8B on average, as llama-quantize makes it: names promise less
/// than mixtures of types take. From `tools/quantize/README.md` and the help of `llama-quantize` in
/// <https://github.com/ggml-org/llama.cpp>; TQ and MXFP4 from their blocks.
const BITS: &[(&str, f64)] = &[
    ("IQ1_S", 2.00),
    ("IQ1_M", 2.15),
    ("TQ1_0", 2.00),
    ("TQ2_0", 2.37),
    ("IQ2_XXS", 2.38),
    ("IQ2_XS", 2.59),
    ("IQ2_S", 2.74),
    ("IQ2_M", 2.93),
    ("Q2_K_S", 2.97),
    ("Q2_K_L", 3.30),
    ("Q2_K", 3.16),
    ("IQ3_XXS", 3.25),
    ("IQ3_XS", 3.50),
    ("IQ3_S", 3.66),
    ("IQ3_M", 3.76),
    ("Q3_K_S", 3.64),
    ("Q3_K_M", 4.00),
    ("Q3_K_L", 4.30),
    ("Q3_K_XL", 4.50),
    ("Q3_K", 4.00),
    ("MXFP4", 4.60),
    ("IQ4_XS", 4.46),
    ("IQ4_NL", 4.68),
    ("Q4_0", 4.65),
    ("Q4_1", 5.12),
    ("Q4_K_S", 4.67),
    ("Q4_K_M", 4.89),
    ("Q4_K_L", 5.10),
    ("Q4_K_XL", 5.10),
    ("Q4_K", 4.89),
    ("Q5_0", 5.57),
    ("Q5_1", 6.05),
    ("Q5_K_S", 5.57),
    ("Q5_K_M", 5.70),
    ("Q5_K_L", 5.90),
    ("Q5_K_XL", 5.90),
    ("Q5_K", 5.70),
    ("Q6_K", 6.56),
    ("Q8_0", 8.50),
    ("BF16", 16.0),
    ("FP16", 16.0),
    ("F16", 16.0),
    ("F32", 32.0),
];

/// What is listed of a model whose repository cannot be asked.
pub const OFFERED: &[&str] = &["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K"];

/// How a quantization ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Below four bits: what it costs is plain to see.
    Low,
    /// Around four bits, in types that lose more than the next, or have no kernel of their own here.
    Four,
    /// Q4_K_M to Q8_0: hard to tell from the original, or nearly.
    Good,
    /// As trained, in twice the bytes of Q8_0 and more.
    Full,
}

/// What the name of a quantization says; `None` if it is none.
fn known(tag: &str) -> Option<(&'static str, f64)> {
    let tag = tag.to_uppercase();
    // Names of files may say more: `UD-Q4_K_XL`, `a-Q8_0`.
    let begins = |at: usize| at == 0 || !tag.as_bytes()[at - 1].is_ascii_alphanumeric();
    let in_tag = BITS.iter().filter(|(name, _)| tag.match_indices(name).any(|(at, _)| begins(at)));
    in_tag.max_by_key(|(name, _)| name.len()).copied()
}

/// Bits a weight takes; `None` of an unknown name.
pub fn bits(tag: &str) -> Option<f64> {
    known(tag).map(|(_, bits)| bits)
}

/// The rank of a quantization by its name; of an unknown one by the bits that a weight takes.
pub fn rank(tag: &str, bits_a_weight: Option<f64>) -> Rank {
    let name = known(tag).map(|(name, _)| name);
    match name {
        Some("IQ4_XS" | "IQ4_NL" | "Q4_0" | "Q4_1" | "Q4_K_S" | "Q5_0" | "Q5_1") => return Rank::Four,
        Some("Q3_K_L" | "Q3_K_XL") => return Rank::Low,
        _ if tag == crate::hub::SAFETENSORS => return Rank::Full,
        _ => {}
    }
    match bits(tag).or(bits_a_weight) {
        Some(bits) if bits < 4.4 => Rank::Low,
        Some(bits) if bits > 12.0 => Rank::Full,
        _ => Rank::Good,
    }
}

/// How many weights a thread multiplies with in a nanosecond when decoding: of types that take long to unpack this bounds
/// the speed, and not the bandwidth. Measured on a model of 1.2 billion parameters and two threads of a Zen 5 with
/// AVX-512-VNNI; other processors may do less.
pub fn weights_a_nanosecond(tag: &str) -> f64 {
    match known(tag).map_or("", |(name, _)| name) {
        name if name.starts_with("IQ") || name.starts_with("TQ") => 4.0,
        name if name.starts_with("Q3_K") => 17.0,
        name if name.starts_with("Q2_K") => 22.0,
        _ => 40.0,
    }
}

/// The output matrix's part of all weights: a vocabulary weighs more in a small model. Fits Gemma 3, Llama 3 and Qwen 3
/// from 0.6 to 70 billion parameters to a fifth.
fn output_share(parameters: f64) -> f64 {
    (0.22 * (parameters / 1e9).powf(-0.55)).clamp(0.0, 0.6)
}

/// Bytes of a file of `parameters` weights, about: the output matrix of mixtures stays at six bits, and of Q8_0 and more
/// is like the rest. `None` of an unknown name.
pub fn estimated_bytes(tag: &str, parameters: u64) -> Option<u64> {
    let (parameters, bits) = (parameters as f64, bits(tag)?);
    let of_output = bits.max(6.56);
    // What is known is the average over a model of 8 billion.
    let of_8b = output_share(8e9);
    let of_rest = (bits - of_8b * of_output) / (1.0 - of_8b);
    let share = output_share(parameters);
    // And a vocabulary as text.
    Some((parameters * (of_rest * (1.0 - share) + of_output * share) / 8.0) as u64 + 6_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_tags() {
        for (tag, bits_of) in [
            ("Q4_K_M", Some(4.89)),
            ("q8_0", Some(8.5)),
            ("UD-Q4_K_XL", Some(5.1)),
            ("model-Q6_K_L", Some(6.56)),
            ("BF16", Some(16.0)),
            ("mxfp4_moe", Some(4.6)),
            ("IQ4_XS", Some(4.46)),
            ("safetensors", None),
            ("odd", None),
        ] {
            assert_eq!(bits(tag), bits_of, "{tag}");
        }
    }

    #[test]
    fn ranks_follow_names_and_bits() {
        for (tag, bits, expected) in [
            ("Q4_K_M", None, Rank::Good),
            ("Q8_0", None, Rank::Good),
            ("MXFP4", None, Rank::Good),
            ("Q4_K_S", None, Rank::Four),
            ("IQ4_XS", None, Rank::Four),
            ("Q3_K_L", None, Rank::Low),
            ("UD-IQ2_M", None, Rank::Low),
            ("F16", None, Rank::Full),
            ("safetensors", Some(8.0), Rank::Full),
            ("odd", Some(3.0), Rank::Low),
            ("odd", None, Rank::Good),
        ] {
            assert_eq!(rank(tag, bits), expected, "{tag}");
        }
    }

    #[test]
    fn sizes_come_near_those_of_real_files() {
        // Parameters and bytes: Qwen3 0.6B (random weights, its shape), Llama 3.2 1B (the same), Llama 3.1 8B and 3.3 70B
        // (bartowski's files).
        for (tag, parameters, bytes) in [
            ("Q4_K_M", 596_049_920, 396_700_448.0),
            ("Q4_K_M", 1_235_814_432, 807_689_696.0),
            ("Q5_K_M", 1_235_814_432, 911_498_720.0),
            ("Q6_K", 1_235_814_432, 1_021_795_808.0),
            ("Q8_0", 1_235_814_432, 1_321_078_240.0),
            ("Q4_0", 1_235_814_432, 770_924_000.0),
            ("IQ4_XS", 1_235_814_432, 748_400_000.0),
            ("Q3_K_M", 1_235_814_432, 690_800_000.0),
            ("Q2_K", 1_235_814_432, 580_900_000.0),
            ("F16", 1_235_814_432, 2_479_590_848.0),
            ("Q4_K_M", 8_030_261_248, 4_920_734_176.0),
            ("Q4_K_M", 70_553_706_496, 42_520_395_584.0),
        ] {
            let (estimated, bytes): (f64, f64) = (estimated_bytes(tag, parameters).unwrap() as f64, bytes);
            let off = estimated / bytes - 1.0;
            assert!(off.abs() < 0.05, "{tag} of {parameters}: {estimated} for {bytes}, off by {off:.3}");
        }
        assert_eq!(estimated_bytes("odd", 1), None);
    }
}
