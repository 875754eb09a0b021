use super::*;

/// A model of which only what the rules look at is there.
#[derive(Clone, Copy)]
struct Sample {
    architecture: &'static str,
    layers: usize,
    heads: [usize; 2],
    hidden: usize,
    feed_forward: usize,
    vocabulary: usize,
    experts: usize,
    is_tied: bool,
}

const LLAMA_8B: Sample = Sample {
    architecture: "llama",
    layers: 32,
    heads: [32, 8],
    hidden: 4096,
    feed_forward: 14336,
    vocabulary: 128_256,
    experts: 0,
    is_tied: false,
};
const LLAMA_7B: Sample = Sample { heads: [32, 32], ..LLAMA_8B };
const LLAMA_70B: Sample = Sample { layers: 80, heads: [64, 8], ..LLAMA_8B };
const MIXTRAL: Sample = Sample { experts: 8, ..LLAMA_8B };
const FALCON_40B: Sample = Sample { architecture: "falcon", layers: 60, heads: [128, 8], ..LLAMA_8B };
const QWEN3_30B_A3B: Sample = Sample {
    architecture: "qwen3moe",
    layers: 48,
    heads: [32, 4],
    hidden: 2048,
    feed_forward: 768,
    vocabulary: 151_936,
    experts: 128,
    is_tied: false,
};

impl Sample {
    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.set("general.architecture", Value::String(self.architecture.to_owned()));
        for (key, value) in [
            ("block_count", self.layers),
            ("attention.head_count", self.heads[0]),
            ("attention.head_count_kv", self.heads[1]),
            ("expert_count", self.experts),
        ] {
            metadata.set(&format!("{}.{key}", self.architecture), Value::U32(value as u32));
        }
        metadata
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let Sample { hidden, feed_forward, vocabulary, experts, .. } = *self;
        // Heads of 128 elements.
        let [queries, keys] = self.heads.map(|heads| heads * 128);
        let mut tensors = vec![("token_embd.weight".to_owned(), vec![vocabulary, hidden])];
        tensors.push(("output_norm.weight".to_owned(), vec![hidden]));
        if !self.is_tied {
            tensors.push(("output.weight".to_owned(), vec![vocabulary, hidden]));
        }
        let attention = match self.architecture {
            "falcon" => vec![("attn_qkv", queries + 2 * keys, hidden)],
            _ => vec![("attn_q", queries, hidden), ("attn_k", keys, hidden), ("attn_v", keys, hidden)],
        };
        for layer in 0..self.layers {
            let mut add = |name: &str, dims| tensors.push((format!("blk.{layer}.{name}.weight"), dims));
            for (name, rows, columns) in &attention {
                add(name, vec![*rows, *columns]);
            }
            add("attn_output", vec![hidden, queries]);
            add("ffn_norm", vec![hidden]);
            let mut parts = vec![("ffn_up", feed_forward, hidden), ("ffn_down", hidden, feed_forward)];
            if self.architecture != "falcon" {
                parts.push(("ffn_gate", feed_forward, hidden));
            }
            for (name, rows, columns) in parts {
                match experts {
                    0 => add(name, vec![rows, columns]),
                    _ => add(&format!("{name}_exps"), vec![experts, rows, columns]),
                }
            }
            if experts > 0 {
                add("ffn_gate_inp", vec![experts, hidden]);
            }
        }
        tensors
    }

    /// The plan, by name.
    fn plan(&self, rules: &Rules) -> Result<Vec<(String, Vec<usize>, Choice)>, Error> {
        let tensors = self.tensors();
        let shapes: Vec<Shape> =
            tensors.iter().map(|(name, dims)| Shape { name, dims, dtype: TensorType::F16 }).collect();
        let choices = plan(rules, &self.metadata(), &shapes)?;
        Ok(tensors.into_iter().zip(choices).map(|((name, dims), choice)| (name, dims, choice)).collect())
    }
}

fn rules(scheme: Scheme, has_importance: bool) -> Rules {
    let scheme = Some(scheme);
    Rules { scheme, has_importance, output: None, embedding: None, overrides: Vec::new(), pure: false }
}

fn overridden(scheme: Scheme, pattern: &str, dtype: TensorType) -> Rules {
    let overrides = vec![(Pattern::parse(pattern).unwrap(), dtype)];
    Rules { overrides, ..rules(scheme, false) }
}

/// The types of the tensors with `part` in their names: a sign for each, or for all where they are the same; `.` is the
/// scheme's own type.
fn types(plan: &[(String, Vec<usize>, Choice)], part: &str, scheme: Scheme) -> String {
    let sign = |choice: &Choice| match choice.dtype {
        dtype if dtype == scheme.base() => '.',
        TensorType::Q3K => '3',
        TensorType::Q4K => '4',
        TensorType::Q5K => '5',
        TensorType::Q6K => '6',
        TensorType::Q8_0 => '8',
        TensorType::Q4_1 => 'd',
        _ => '?',
    };
    let signs: String = plan.iter().filter(|(name, ..)| name.contains(part)).map(|(.., choice)| sign(choice)).collect();
    let mut different: Vec<char> = signs.chars().collect();
    different.dedup();
    if different.len() == 1 { different.into_iter().collect() } else { signs }
}

#[test]
fn mixtures_are_those_of_llama_quantize() {
    use Scheme::*;
    let eighth = "5555............................";
    let more = "6666..6..6..6..6..6..6..6..66666";
    let (fives, fours) = ("55".to_owned() + &"4".repeat(30), "5".repeat(5) + &"4".repeat(75));
    let (fives, fours) = (fives.as_str(), fours.as_str());
    // Output, key, value, attention's output, feed-forward's up and down: as llama-quantize --dry-run has them.
    for (sample, scheme, has_importance, expected) in [
        (LLAMA_8B, Q2_K, false, ["6", ".", "4", "3", ".", "3"]),
        (LLAMA_7B, Q2_K, false, ["6", ".", "3", "3", ".", "3"]),
        (LLAMA_8B, Q2_K_S, true, ["6", ".", "4", ".", ".", "4444............................"]),
        (LLAMA_8B, Q3_K_M, false, ["6", ".", fives, "4", ".", fives]),
        (LLAMA_8B, Q3_K_L, false, ["6", ".", "5", "5", ".", "5"]),
        (LLAMA_8B, Q4_K_S, false, ["6", ".", eighth, ".", ".", eighth]),
        (LLAMA_8B, Q4_K_M, true, ["6", ".", more, ".", ".", more]),
        (LLAMA_8B, Q5_K_M, false, ["6", ".", more, ".", ".", more]),
        (LLAMA_8B, IQ4_XS, false, ["6", ".", "5", ".", ".", eighth]),
        (LLAMA_8B, IQ4_XS, true, ["6", ".", "5", ".", ".", "."]),
        (LLAMA_8B, Q4_0, false, ["6", ".", ".", ".", ".", "."]),
        (LLAMA_8B, Q4_0, true, ["6", ".", ".", ".", ".", "dddd............................"]),
        (LLAMA_8B, Q8_0, true, [".", ".", ".", ".", ".", "."]),
        (LLAMA_70B, Q3_K_M, false, ["6", ".", "5", "4", ".", fours]),
        (MIXTRAL, Q4_K_M, false, ["6", "8", "8", "5", ".", more]),
        (MIXTRAL, Q3_K_L, false, ["6", "8", "8", ".", ".", "5"]),
        (MIXTRAL, MXFP4, false, ["8", "8", "8", "8", ".", "."]),
        (QWEN3_30B_A3B, MXFP4, false, ["8", "8", "8", "8", ".", "."]),
        (FALCON_40B, Q3_K_L, false, ["8", "", "5", "4", ".", "4"]),
    ] {
        let plan = sample.plan(&rules(scheme, has_importance)).unwrap();
        let value = if sample.architecture == "falcon" { "attn_qkv" } else { "attn_v" };
        let got = ["output.weight", "attn_k", value, "attn_output", "ffn_up", "ffn_down"];
        // `attn_output.weight` ends like `output.weight`.
        let got = got.map(|part| match part {
            "output.weight" => types(&plan[2..3], part, scheme),
            part => types(&plan, part, scheme),
        });
        assert_eq!(got, expected, "{} {}", sample.architecture, scheme.name());
    }
}

#[test]
fn falcon_has_a_third_type_down_from_the_feed_forward_part() {
    let plan = FALCON_40B.plan(&rules(Scheme::Q4_K_M, false)).unwrap();
    let middle = "..5".repeat(14);
    assert_eq!(types(&plan, "ffn_down", Scheme::Q4_K_M), format!("6665555{middle}..555555555"));
}

#[test]
fn bits_are_those_of_the_models_that_are_named() {
    for scheme in Scheme::ALL {
        let sample = if *scheme == Scheme::MXFP4 { QWEN3_30B_A3B } else { LLAMA_8B };
        let (mut bytes, mut elements) = (0, 0);
        for (_, dims, choice) in sample.plan(&rules(*scheme, *scheme == Scheme::Q2_K_S)).unwrap() {
            let count: usize = dims.iter().product();
            bytes += choice.dtype.storage_bytes(count, dims[dims.len() - 1]).unwrap();
            elements += count;
        }
        let bits = 8.0 * bytes as f64 / elements as f64;
        assert!((bits - scheme.bits()).abs() < 0.01, "{} has {bits:.3}", scheme.name());
    }
    assert!(Scheme::ALL.is_sorted_by(|a, b| a.bits() <= b.bits()));
}

#[test]
fn rows_that_are_not_whole_blocks_fall_back() {
    use TensorType::*;
    let types = |hidden, scheme| {
        let sample = Sample { hidden, feed_forward: 1536, ..LLAMA_8B };
        let plan = sample.plan(&rules(scheme, false)).unwrap();
        let of = |name: &str| plan.iter().find(|(other, ..)| other == name).map(|(.., c)| (c.dtype, c.fallback_from));
        [of("output.weight").unwrap(), of("blk.9.attn_q.weight").unwrap(), of("blk.0.attn_v.weight").unwrap()]
    };
    assert_eq!(types(576, Scheme::Q4_K_M), [(Q8_0, None), (Q5_0, Some(Q4K)), (Q8_0, Some(Q6K))]);
    assert_eq!(types(576, Scheme::Q2_K), [(Q8_0, None), (Q4_0, Some(Q2K)), (Q5_0, Some(Q4K))]);
    assert_eq!(types(576, Scheme::IQ4_XS), [(Q8_0, None), (IQ4_NL, Some(IQ4_XS)), (Q5_1, Some(Q5K))]);
    // An output whose rows suit the scheme's type is to be Q6_K, whose blocks are larger.
    assert_eq!(types(576, Scheme::Q4_0)[0], (Q8_0, Some(Q6K)));
    assert_eq!(types(80, Scheme::Q4_K_M), [(F16, Some(Q8_0)), (F16, Some(Q4K)), (F16, Some(Q6K))]);
    assert_eq!(types(80, Scheme::Q4_0)[1], (F16, Some(Q4_0)));
}

#[test]
fn only_matrices_that_pay_are_quantized() {
    let is = |name: &str, dims: &[usize]| role::is_quantized("llama", name, dims);
    assert!(is("blk.0.attn_q.weight", &[64, 64]) && is("blk.0.ffn_up_exps.weight", &[8, 64, 64]));
    for (name, dims) in [
        ("blk.0.attn_norm.weight", &[64, 64][..]),
        ("blk.0.attn_q.weight", &[1, 64]),
        ("blk.0.attn_q.bias", &[64, 64]),
        ("blk.0.ffn_gate_inp.weight", &[8, 64]),
        ("position_embd.weight", &[64, 64]),
        ("blk.0.ssm_conv1d.weight", &[64, 4]),
        ("blk.0.ssm_a", &[64, 4]),
    ] {
        assert!(!is(name, dims), "{name}");
    }
    assert!(
        is("blk.0.attn_k_b.weight", &[8, 64, 64])
            && !role::is_quantized("glm5-next", "blk.0.attn_k_b.weight", &[8, 64, 64])
    );
}

#[test]
fn types_asked_for_by_name_come_first() {
    use TensorType::*;
    let named = |rules: &Rules, sample: Sample, name: &str| {
        let plan = sample.plan(rules).unwrap();
        plan.iter().find(|(other, ..)| other == name).map(|(.., choice)| (choice.dtype, choice.free)).unwrap()
    };
    let tied = Sample { is_tied: true, ..LLAMA_8B };
    let down = overridden(Scheme::Q4_K_M, "ffn_down", Q8_0);
    assert_eq!(named(&down, LLAMA_8B, "blk.3.ffn_down.weight"), (Q8_0, false));
    assert_eq!(named(&down, LLAMA_8B, "blk.3.ffn_up.weight"), (Q4K, true));
    let output = Rules { output: Some(F16), ..rules(Scheme::Q4_K_M, false) };
    assert_eq!(named(&output, LLAMA_8B, "output.weight"), (F16, false));
    assert_eq!(named(&output, LLAMA_8B, "token_embd.weight"), (Q4K, true));
    assert_eq!(named(&output, tied, "token_embd.weight"), (F16, false));
    let both = Rules { embedding: Some(Q5_0), ..output };
    assert_eq!(named(&both, tied, "token_embd.weight"), (Q5_0, false));
    // Without a scheme all the rest stays.
    let converted = Rules { scheme: None, ..down };
    assert_eq!(named(&converted, LLAMA_8B, "blk.3.ffn_down.weight"), (Q8_0, false));
    assert_eq!(named(&converted, LLAMA_8B, "blk.3.ffn_up.weight"), (F16, true));
    let pure = Rules { pure: true, ..rules(Scheme::Q4_K_M, false) };
    assert_eq!(named(&pure, LLAMA_8B, "output.weight"), (Q4K, true));
    assert_eq!(named(&pure, LLAMA_8B, "blk.0.ffn_norm.weight"), (F16, false));
}

#[test]
fn tensors_that_are_asked_for_by_name_are_not_counted_among_their_like() {
    // The first values are a coarser type by name; the two finest are the next.
    let plan = LLAMA_8B.plan(&overridden(Scheme::Q3_K_M, r"blk\.[01]\.attn_v", TensorType::Q4K)).unwrap();
    assert_eq!(types(&plan, "attn_v", Scheme::Q3_K_M), "4455".to_owned() + &"4".repeat(28));
}

#[test]
fn what_cannot_be_meant_is_an_error() {
    let error = LLAMA_8B.plan(&overridden(Scheme::Q4_K_M, "ffn_dwon", TensorType::Q8_0)).unwrap_err();
    assert!(error.to_string().contains("ffn_dwon") && error.to_string().contains("token_embd.weight"), "{error}");
    // Norms are never quantized.
    assert!(LLAMA_8B.plan(&overridden(Scheme::Q4_K_M, "ffn_norm", TensorType::Q8_0)).is_err());
    let error = LLAMA_8B.plan(&rules(Scheme::Q2_K_S, false)).unwrap_err();
    assert!(matches!(error, Error::NeedsImportance { .. }));
}

#[test]
fn tensors_are_visited_layer_by_layer() {
    let names = ["blk.10.a", "blk.2.b", "output.weight", "blk.2.a", "a.weight"];
    let shapes = names.map(|name| Shape { name, dims: &[1], dtype: TensorType::F32 });
    assert_eq!(
        visit_order(&shapes).into_iter().map(|index| names[index]).collect::<Vec<_>>(),
        ["a.weight", "output.weight", "blk.2.a", "blk.2.b", "blk.10.a"]
    );
}
