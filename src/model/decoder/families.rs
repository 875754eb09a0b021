//! The table of families: a row each, and what they were checked with.

use std::collections::HashMap;

use super::family::{
    Activation, Family, KeySharing, NormKind, QkNorm, QkvLayout, Recurrence, Residual, RopePairs, WindowedRope, Windows,
};

/// What most rows share: the shape of Llama.
const LLAMA: Family = Family {
    gguf_architecture: "llama",
    hf_model_types: &["llama"],
    gguf_rope_pairs: RopePairs::Neighbours,
    hf_rope_pairs: RopePairs::Halves,
    norm: NormKind::Rms,
    residual: Residual::Pre,
    qk_norm: QkNorm::None,
    v_norm: false,
    score_scale: None,
    qkv_bias: false,
    hf_qkv: QkvLayout::Blocks,
    activation: Activation::Silu,
    gated: true,
    windows: Windows::Never,
    windowed_rope: WindowedRope::Same,
    recurrence: None,
    learned_positions: false,
    rope_free_every: None,
    rope_in_windows: false,
    scaled_embedding: false,
    experts_sum_to_one: true,
    experts_by_sigmoid: false,
    multiplied_logits: false,
    delta_net: None,
    gated_attention: false,
    hf_transposed: false,
    hf_alternating_experts: false,
};

const QWEN2: Family = Family {
    gguf_architecture: "qwen2",
    hf_model_types: &["qwen2"],
    gguf_rope_pairs: RopePairs::Halves,
    qkv_bias: true,
    ..LLAMA
};

const QWEN3: Family =
    Family { gguf_architecture: "qwen3", hf_model_types: &["qwen3"], qk_norm: QkNorm::Heads, qkv_bias: false, ..QWEN2 };

const QWEN3_NEXT: Family = Family {
    gguf_architecture: "qwen3next",
    hf_model_types: &["qwen3_next"],
    norm: NormKind::RmsLessOne,
    delta_net: Some(KeySharing::Neighbours),
    gated_attention: true,
    ..QWEN3
};

const QWEN3_5: Family = Family {
    gguf_architecture: "qwen35",
    hf_model_types: &["qwen3_5_text", "qwen3_5"],
    delta_net: Some(KeySharing::InTurn),
    ..QWEN3_NEXT
};

const GEMMA: Family = Family {
    gguf_architecture: "gemma",
    hf_model_types: &["gemma"],
    gguf_rope_pairs: RopePairs::Halves,
    norm: NormKind::RmsLessOne,
    activation: Activation::GeluTanh,
    scaled_embedding: true,
    ..LLAMA
};

const GEMMA2: Family = Family {
    gguf_architecture: "gemma2",
    hf_model_types: &["gemma2"],
    residual: Residual::Sandwich,
    windows: Windows::FullEvery(2),
    ..GEMMA
};

/// What the families with LayerNorm and a feed-forward layer without gate share.
const PLAIN: Family = Family {
    gguf_rope_pairs: RopePairs::Halves,
    norm: NormKind::Layer,
    activation: Activation::GeluTanh,
    gated: false,
    ..LLAMA
};

const OLMO2: Family = Family {
    gguf_architecture: "olmo2",
    hf_model_types: &["olmo2", "olmo3"],
    gguf_rope_pairs: RopePairs::Halves,
    residual: Residual::Post,
    qk_norm: QkNorm::Whole,
    windows: Windows::FullEvery(4),
    windowed_rope: WindowedRope::Unscaled,
    ..LLAMA
};

const COHERE: Family = Family {
    gguf_architecture: "command-r",
    hf_model_types: &["cohere"],
    hf_rope_pairs: RopePairs::Neighbours,
    norm: NormKind::Layer,
    residual: Residual::Parallel,
    qk_norm: QkNorm::EachHead,
    multiplied_logits: true,
    ..LLAMA
};

const LFM2: Family = Family {
    gguf_architecture: "lfm2",
    hf_model_types: &["lfm2"],
    gguf_rope_pairs: RopePairs::Halves,
    qk_norm: QkNorm::Heads,
    ..LLAMA
};

const NEMOTRON_H: Family = Family {
    gguf_architecture: "nemotron_h",
    hf_model_types: &["nemotron_h"],
    residual: Residual::Single,
    activation: Activation::ReluSquared,
    experts_by_sigmoid: true,
    gated: false,
    recurrence: Some(Recurrence::Mamba2),
    rope_free_every: Some(1),
    ..LLAMA
};

pub const FAMILIES: &[Family] = &[
    Family { hf_model_types: &["llama", "internlm3"], ..LLAMA },
    // GGUF files of these call themselves llama, which is found first.
    Family { hf_model_types: &["mistral", "mixtral"], windows: Windows::All, ..LLAMA },
    Family { gguf_architecture: "mistral3", hf_model_types: &["ministral3"], windows: Windows::All, ..LLAMA },
    QWEN2,
    Family {
        gguf_architecture: "qwen2vl",
        hf_model_types: &["qwen2_vl_text", "qwen2_5_vl_text", "qwen2_vl", "qwen2_5_vl"],
        ..QWEN2
    },
    QWEN3,
    Family { gguf_architecture: "qwen3vl", hf_model_types: &["qwen3_vl_text"], ..QWEN3 },
    Family { gguf_architecture: "qwen3vlmoe", hf_model_types: &["qwen3_vl_moe_text"], ..QWEN3 },
    Family { gguf_architecture: "qwen2moe", hf_model_types: &["qwen2_moe"], experts_sum_to_one: false, ..QWEN2 },
    Family { gguf_architecture: "qwen3moe", hf_model_types: &["qwen3_moe"], ..QWEN3 },
    QWEN3_NEXT,
    QWEN3_5,
    Family { gguf_architecture: "qwen35moe", hf_model_types: &["qwen3_5_moe_text", "qwen3_5_moe"], ..QWEN3_5 },
    GEMMA,
    GEMMA2,
    Family {
        gguf_architecture: "gemma3",
        hf_model_types: &["gemma3_text", "gemma3"],
        qk_norm: QkNorm::Heads,
        windows: Windows::FullEvery(6),
        windowed_rope: WindowedRope::Theta(10_000.0),
        ..GEMMA2
    },
    Family {
        gguf_architecture: "gemma4",
        hf_model_types: &["gemma4_text"],
        norm: NormKind::Rms,
        qk_norm: QkNorm::Heads,
        v_norm: true,
        score_scale: Some(1.0),
        windows: Windows::FullEvery(6),
        windowed_rope: WindowedRope::Theta(10_000.0),
        ..GEMMA2
    },
    Family { gguf_architecture: "phi2", hf_model_types: &["phi"], residual: Residual::Parallel, ..PLAIN },
    Family {
        gguf_architecture: "phi3",
        hf_model_types: &["phi3"],
        gguf_rope_pairs: RopePairs::Halves,
        windows: Windows::All,
        ..LLAMA
    },
    Family {
        gguf_architecture: "falcon",
        hf_model_types: &["falcon"],
        residual: Residual::Parallel,
        hf_qkv: QkvLayout::Groups,
        activation: Activation::Gelu,
        ..PLAIN
    },
    Family { gguf_architecture: "starcoder2", hf_model_types: &["starcoder2"], windows: Windows::All, ..PLAIN },
    Family {
        gguf_architecture: "stablelm",
        hf_model_types: &["stablelm"],
        qk_norm: QkNorm::EachHead,
        activation: Activation::Silu,
        gated: true,
        ..PLAIN
    },
    Family {
        gguf_architecture: "gptneox",
        hf_model_types: &["gpt_neox"],
        residual: Residual::Parallel,
        hf_qkv: QkvLayout::Groups,
        activation: Activation::Gelu,
        ..PLAIN
    },
    Family {
        gguf_architecture: "gpt2",
        hf_model_types: &["gpt2"],
        hf_transposed: true,
        rope_free_every: Some(1),
        learned_positions: true,
        ..PLAIN
    },
    OLMO2,
    Family {
        gguf_architecture: "olmoe",
        hf_model_types: &["olmoe"],
        residual: Residual::Pre,
        windows: Windows::Never,
        windowed_rope: WindowedRope::Same,
        experts_sum_to_one: false,
        ..OLMO2
    },
    Family {
        gguf_architecture: "exaone4",
        hf_model_types: &["exaone4"],
        qk_norm: QkNorm::Heads,
        windowed_rope: WindowedRope::Same,
        rope_in_windows: true,
        ..OLMO2
    },
    COHERE,
    Family {
        gguf_architecture: "cohere2",
        hf_model_types: &["cohere2"],
        windows: Windows::FullEvery(4),
        rope_in_windows: true,
        ..COHERE
    },
    Family {
        gguf_architecture: "deepseek2",
        hf_model_types: &["deepseek_v2"],
        hf_rope_pairs: RopePairs::Neighbours,
        experts_sum_to_one: false,
        ..LLAMA
    },
    // GGUF files of these call themselves deepseek2, which is found first, and say how experts are scored.
    Family {
        gguf_architecture: "deepseek2",
        hf_model_types: &["deepseek_v3", "kimi_k2", "glm4_moe_lite"],
        hf_rope_pairs: RopePairs::Neighbours,
        experts_by_sigmoid: true,
        ..LLAMA
    },
    Family {
        gguf_architecture: "glm4moe",
        hf_model_types: &["glm4_moe"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: QkNorm::HeadsIfAny,
        experts_by_sigmoid: true,
        ..LLAMA
    },
    Family {
        gguf_architecture: "dots1",
        hf_model_types: &["dots1"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: QkNorm::Heads,
        experts_by_sigmoid: true,
        ..LLAMA
    },
    Family {
        gguf_architecture: "minimax-m2",
        hf_model_types: &["minimax_m2"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: QkNorm::Whole,
        experts_by_sigmoid: true,
        ..LLAMA
    },
    Family {
        gguf_architecture: "seed_oss",
        hf_model_types: &["seed_oss"],
        gguf_rope_pairs: RopePairs::Halves,
        ..LLAMA
    },
    Family {
        gguf_architecture: "ernie4_5",
        hf_model_types: &["ernie4_5"],
        hf_rope_pairs: RopePairs::Neighbours,
        ..LLAMA
    },
    Family { gguf_architecture: "exaone", hf_model_types: &["exaone"], gguf_rope_pairs: RopePairs::Halves, ..LLAMA },
    Family {
        gguf_architecture: "hunyuan-dense",
        hf_model_types: &["hunyuan_v1_dense"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: QkNorm::TurnedHeads,
        ..LLAMA
    },
    Family {
        gguf_architecture: "arcee",
        hf_model_types: &["arcee"],
        activation: Activation::ReluSquared,
        gated: false,
        ..LLAMA
    },
    Family {
        gguf_architecture: "nemotron",
        hf_model_types: &["nemotron"],
        norm: NormKind::LayerLessOne,
        activation: Activation::ReluSquared,
        ..PLAIN
    },
    Family { gguf_architecture: "olmo", hf_model_types: &["olmo"], norm: NormKind::LayerPlain, ..LLAMA },
    Family {
        gguf_architecture: "gpt-oss",
        hf_model_types: &["gpt_oss"],
        gguf_rope_pairs: RopePairs::Halves,
        qkv_bias: true,
        activation: Activation::BoundedSilu,
        windows: Windows::FullEvery(2),
        hf_alternating_experts: true,
        ..LLAMA
    },
    Family { gguf_architecture: "granitemoe", hf_model_types: &["granitemoe", "granitemoeshared"], ..LLAMA },
    Family {
        gguf_architecture: "granitehybrid",
        hf_model_types: &["granitemoehybrid", "bamba"],
        recurrence: Some(Recurrence::Mamba2),
        ..LLAMA
    },
    NEMOTRON_H,
    Family { gguf_architecture: "nemotron_h_moe", hf_model_types: &[], ..NEMOTRON_H },
    Family {
        gguf_architecture: "jamba",
        hf_model_types: &["jamba"],
        recurrence: Some(Recurrence::Mamba),
        rope_free_every: Some(1),
        experts_sum_to_one: false,
        ..LLAMA
    },
    Family {
        gguf_architecture: "mamba",
        hf_model_types: &["mamba", "falcon_mamba"],
        residual: Residual::Single,
        recurrence: Some(Recurrence::Mamba),
        ..LLAMA
    },
    Family {
        gguf_architecture: "mamba2",
        hf_model_types: &["mamba2"],
        residual: Residual::Single,
        recurrence: Some(Recurrence::Mamba2),
        ..LLAMA
    },
    Family { gguf_architecture: "granite", hf_model_types: &["granite"], ..LLAMA },
    Family { gguf_architecture: "smollm3", hf_model_types: &["smollm3"], rope_free_every: Some(4), ..LLAMA },
    Family {
        gguf_architecture: "glm4",
        hf_model_types: &["glm4"],
        residual: Residual::Sandwich,
        hf_rope_pairs: RopePairs::Neighbours,
        ..LLAMA
    },
    LFM2,
    Family { gguf_architecture: "lfm2moe", hf_model_types: &["lfm2_moe"], experts_by_sigmoid: true, ..LFM2 },
    Family { gguf_architecture: "rwkv7", hf_model_types: &["rwkv7"], activation: Activation::ReluSquared, ..PLAIN },
    Family { gguf_architecture: "chatglm", hf_model_types: &["glm"], hf_rope_pairs: RopePairs::Neighbours, ..LLAMA },
];

/// An architecture that runs, and what it was checked with.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Architecture {
    /// `model_type` of `config.json`.
    pub name: &'static str,
    /// `general.architecture` of GGUF files; `""` where there are none.
    pub gguf: &'static str,
    /// `decoder` or `encoder`.
    pub kind: &'static str,
    pub checked: Option<Checked>,
}

impl Architecture {
    /// Whose numbers ours are held to.
    pub fn reference(&self) -> &'static str {
        match self.name {
            // transformers does not have it.
            "rwkv7" => "flash-linear-attention",
            _ => "transformers",
        }
    }
}

/// Beside a reference in float32, with the models of `tests/families` or `tests/embeddings`.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Checked {
    /// Safetensors folders.
    pub folders: usize,
    /// GGUF files, as llama.cpp's converter writes them.
    pub gguf_files: usize,
    /// Largest difference of a logit (an encoder's: of a component), as a part of the largest.
    pub deviation: f64,
}

/// What the decoder runs, in the order of [`FAMILIES`].
pub fn architectures() -> Vec<Architecture> {
    // Written by `UPDATE=1 cargo test --test families`, which also reads it first.
    let checked: HashMap<String, Checked> =
        toml::from_str(include_str!("checked.toml")).expect("a test parses the file that is built in");
    let names = FAMILIES.iter().flat_map(|f| f.hf_model_types.iter().map(move |name| (*name, f.gguf_architecture)));
    names
        .map(|(name, gguf)| Architecture { name, gguf, kind: "decoder", checked: checked.get(name).copied() })
        .collect()
}
