//! The families that the decoder runs, a row each.
//!
//! A family that differs only in these columns is a new row; one that needs new arithmetic is a new
//! column and a branch where [`super::Decoder`] reads it.

use std::collections::HashMap;

/// Which components of a head RoPE turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Components `i` and `i + rope_dim / 2` ("NeoX"; nearly all safetensors files).
    Halves,
    /// Components `2i` and `2i + 1` (GGUF files of Llama and Mistral, whose rows are permuted for it).
    Neighbours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Zhang and Sennrich, 2019, <https://arxiv.org/abs/1910.07467>.
    Rms,
    /// RMSNorm whose safetensors hold the weight less one (GGUF files hold the weight).
    RmsLessOne,
    /// Ba et al., 2016, <https://arxiv.org/abs/1607.06450>.
    Layer,
    /// LayerNorm whose safetensors hold the weight less one.
    LayerLessOne,
    /// LayerNorm without weights.
    LayerPlain,
}

impl NormKind {
    pub fn subtracts_mean(self) -> bool {
        matches!(self, NormKind::Layer | NormKind::LayerLessOne | NormKind::LayerPlain)
    }
}

/// Where a layer normalizes and adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// Each part reads a normed state: `x += attn(norm(x)); x += ffn(norm(x))`.
    Pre,
    /// The same, and each part's result is normed before it is added.
    Sandwich,
    /// Only the results are normed.
    Post,
    /// Both parts read the layer's input, normed together or each for itself.
    Parallel,
    /// A layer is one part only: `x += part(norm(x))`.
    Single,
}

/// What layers are that do not attend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    Mamba,
    Mamba2,
}

/// How Q and K are normed before RoPE; RMSNorm if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    None,
    /// Over each head, with the same weights.
    Heads,
    /// The same, where the file has weights for it.
    HeadsIfAny,
    /// Over each head, after RoPE.
    TurnedHeads,
    /// LayerNorm over each head with weights of its own, where the file has them.
    EachHead,
    /// Over all heads at once.
    Whole,
}

/// Which layers see only a window of the tokens before them, if the file gives a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    Never,
    All,
    /// Every `n`th layer sees everything.
    FullEvery(usize),
}

/// RoPE in windowed layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowedRope {
    Same,
    /// Without the scaling of the others.
    Unscaled,
    /// That, and with a base of its own if the file does not give one.
    Theta(f64),
}

/// How safetensors store Q, K and V when they are one matrix. (GGUF files: always `Blocks`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkvLayout {
    /// All of Q, all of K, all of V.
    Blocks,
    /// For each KV head: the heads of Q that share it, K, V.
    Groups,
}

/// Which key head a value head of the gated delta rule has, of `k` key heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySharing {
    /// The first few have the first, the next few the second.
    Neighbours,
    /// Head `i` has `i % k`.
    InTurn,
}

/// The feed-forward layer's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// With the error function.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// The square of what is above zero.
    ReluSquared,
    /// gpt-oss: gate and up bounded, SiLU of a steeper slope, and up counted from one.
    BoundedSilu,
}

/// One row: a family of decoders.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// `general.architecture` of GGUF files.
    pub gguf_architecture: &'static str,
    /// `model_type` of `config.json`.
    pub hf_model_types: &'static [&'static str],
    pub gguf_rope_pairs: RopePairs,
    pub hf_rope_pairs: RopePairs,
    pub norm: NormKind,
    pub residual: Residual,
    pub qk_norm: QkNorm,
    /// V is normed too, without weights.
    pub v_norm: bool,
    /// What scores are multiplied with, where it does not follow from the width of a head.
    pub score_scale: Option<f64>,
    /// Q, K and V always have a bias.
    pub qkv_bias: bool,
    pub hf_qkv: QkvLayout,
    /// What GGUF files mean, which do not name it, and `config.json` files that do not.
    pub activation: Activation,
    /// The feed-forward layer multiplies with a gate.
    pub gated: bool,
    pub windows: Windows,
    pub windowed_rope: WindowedRope,
    pub recurrence: Option<Recurrence>,
    /// Positions are learned vectors.
    pub learned_positions: bool,
    /// Every `n`th layer has no RoPE.
    pub rope_free_every: Option<usize>,
    /// Layers that see everything have no RoPE, if there are others.
    pub rope_in_windows: bool,
    /// Embeddings are multiplied by the square root of the hidden size.
    pub scaled_embedding: bool,
    /// The weights of the experts chosen for a token are scaled to sum to one.
    pub experts_sum_to_one: bool,
    /// Experts are scored by a sigmoid, where the file does not say how.
    pub experts_by_sigmoid: bool,
    /// GGUF's `logit_scale` multiplies; it divides elsewhere.
    pub multiplied_logits: bool,
    /// Most layers have the gated delta rule in place of attention; how GGUF files order its heads.
    pub delta_net: Option<KeySharing>,
    /// The matrix of Q also gives a gate for what attention finds, after each head's query.
    pub gated_attention: bool,
    /// Matrices of safetensors are `[in, out]`.
    pub hf_transposed: bool,
    /// Those of experts are, and gate and up alternate in one matrix.
    pub hf_alternating_experts: bool,
}

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
    Family { gguf_architecture: "qwen2vl", hf_model_types: &["qwen2_vl_text", "qwen2_5_vl_text"], ..QWEN2 },
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
