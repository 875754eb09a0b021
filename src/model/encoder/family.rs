//! The families that the encoder runs, a row each.

use std::collections::HashMap;

use crate::model::decoder::{Activation, Architecture, Checked};

/// How a state learns where its token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Each has a learned vector.
    Learned,
    /// The same, and safetensors have as many rows before the first as the padding token's id and one.
    LearnedAfterPadding,
    /// Heads are rotated.
    Rotary,
}

/// One row: a family of encoders.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// `general.architecture` of GGUF files; `""` where llama.cpp writes none.
    pub gguf_architecture: &'static str,
    /// `model_type` of `config.json`.
    pub hf_model_types: &'static [&'static str],
    pub positions: Positions,
    /// Each part reads a normed state; else what each part adds to is normed.
    pub pre_norm: bool,
    /// What files mean that do not name it.
    pub activation: Activation,
    /// The feed-forward layer multiplies with a gate.
    pub gated: bool,
    /// RoPE's base, where a file gives none: of layers that see everything, and of the others.
    pub theta: f64,
    pub windowed_theta: f64,
    /// LayerNorm's epsilon, where a file gives none.
    pub norm_eps: f64,
}

/// Devlin et al., 2018, <https://arxiv.org/abs/1810.04805>.
const BERT: Family = Family {
    gguf_architecture: "bert",
    hf_model_types: &["bert"],
    positions: Positions::Learned,
    pre_norm: false,
    activation: Activation::Gelu,
    gated: false,
    theta: 10_000.0,
    windowed_theta: 10_000.0,
    norm_eps: 1e-12,
};

pub const FAMILIES: &[Family] = &[
    BERT,
    // GGUF files of these call themselves bert, which is found first.
    Family { hf_model_types: &["distilbert"], ..BERT },
    Family {
        hf_model_types: &["roberta", "xlm-roberta", "camembert"],
        positions: Positions::LearnedAfterPadding,
        norm_eps: 1e-5,
        ..BERT
    },
    // Its relative positions, besides, are a tensor that the others lack.
    Family { gguf_architecture: "", hf_model_types: &["mpnet"], positions: Positions::LearnedAfterPadding, ..BERT },
    Family {
        gguf_architecture: "nomic-bert",
        hf_model_types: &["nomic_bert"],
        positions: Positions::Rotary,
        activation: Activation::Silu,
        gated: true,
        theta: 1000.0,
        ..BERT
    },
    Family {
        gguf_architecture: "modern-bert",
        hf_model_types: &["modernbert"],
        positions: Positions::Rotary,
        pre_norm: true,
        gated: true,
        theta: 160_000.0,
        norm_eps: 1e-5,
        ..BERT
    },
];

/// What the encoder runs, in the order of [`FAMILIES`].
pub fn architectures() -> Vec<Architecture> {
    // Written by `UPDATE=1 cargo test --test embed`, which also reads it first.
    let checked: HashMap<String, Checked> =
        toml::from_str(include_str!("checked.toml")).expect("a test parses the file that is built in");
    let names = FAMILIES.iter().flat_map(|f| f.hf_model_types.iter().map(move |name| (*name, f.gguf_architecture)));
    let of = |(name, gguf)| Architecture { name, gguf, kind: "encoder", checked: checked.get(name).copied() };
    names.map(of).collect()
}
