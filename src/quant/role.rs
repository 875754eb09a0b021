//! What a tensor is in its model, by its name, and whether it is quantized at all.
//!
//! Both are as llama-quantize has them:
//! <https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp>.

/// What a tensor is for, as far as it has to do with its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Embedding,
    Output,
    Query,
    Key,
    /// And what has the value projection inside.
    Value,
    AttentionOutput,
    Down,
    Other,
}

/// The first that is in a name says its role.
const ROLES: &[(&str, Role)] = &[
    ("attn_qkv.weight", Role::Value),
    ("attn_kv_b.weight", Role::Value),
    ("attn_v.weight", Role::Value),
    ("attn_k.weight", Role::Key),
    ("attn_q.weight", Role::Query),
    ("attn_output.weight", Role::AttentionOutput),
    ("ffn_down", Role::Down),
];

/// A second table of embeddings that some models have (Gemma 3n): a row of it for every layer.
pub const LAYER_EMBEDDING: &str = "per_layer_token_embd.weight";

impl Role {
    pub fn of(name: &str) -> Role {
        match name {
            "output.weight" => Role::Output,
            "token_embd.weight" | LAYER_EMBEDDING => Role::Embedding,
            _ => ROLES.iter().find(|(part, _)| name.contains(part)).map_or(Role::Other, |(_, role)| *role),
        }
    }
}

/// Names with one of these in them keep their type: norms, routers, convolutions, positions, and matrices that are
/// small beside the others.
const KEPT: &[&str] = &[
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

/// The same of one architecture alone.
const KEPT_OF_GLM5_NEXT: &[&str] = &[
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
];

/// Whether a tensor of this name and these dimensions (outermost first) is quantized: a matrix, or one for each expert.
pub fn is_quantized(architecture: &str, name: &str, dims: &[usize]) -> bool {
    let rank = dims.iter().position(|dim| *dim > 1).map_or(1, |first| dims.len() - first);
    let is_in = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    rank >= 2
        && name.ends_with("weight")
        && !matches!(name, "position_embd.weight" | "token_types.weight")
        && !is_in(KEPT)
        && !(architecture == "glm5-next" && is_in(KEPT_OF_GLM5_NEXT))
}
