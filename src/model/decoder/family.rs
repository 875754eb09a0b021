//! The families that the decoder runs, a row each, and the names of their tensors.
//!
//! A family that differs only in these columns is a new row; one that needs new arithmetic is a new
//! column and a branch where [`super::Decoder`] reads it.

/// Which components of a head RoPE turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Components `i` and `i + rope_dim / 2` ("NeoX"; all safetensors files).
    Halves,
    /// Components `2i` and `2i + 1` (GGUF files of Llama and Mistral, whose rows are permuted for it).
    Neighbours,
}

/// One row: a family of decoders.
#[derive(Debug)]
pub struct Family {
    /// `general.architecture` of GGUF files.
    pub gguf_architecture: &'static str,
    /// `model_type` of `config.json`.
    pub hf_model_types: &'static [&'static str],
    pub gguf_rope_pairs: RopePairs,
    /// RMSNorm over each head of Q and K before RoPE.
    pub qk_norm: bool,
    /// Q, K and V always have a bias.
    pub qkv_bias: bool,
}

pub const FAMILIES: &[Family] = &[
    Family {
        gguf_architecture: "llama",
        hf_model_types: &["llama", "mistral"],
        gguf_rope_pairs: RopePairs::Neighbours,
        qk_norm: false,
        qkv_bias: false,
    },
    Family {
        gguf_architecture: "qwen2",
        hf_model_types: &["qwen2"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: false,
        qkv_bias: true,
    },
    Family {
        gguf_architecture: "qwen3",
        hf_model_types: &["qwen3"],
        gguf_rope_pairs: RopePairs::Halves,
        qk_norm: true,
        qkv_bias: false,
    },
];

/// What is supported, for error messages: `llama, mistral, qwen2, qwen3`.
pub fn supported() -> String {
    let names: Vec<&str> = FAMILIES.iter().flat_map(|f| f.hf_model_types).copied().collect();
    names.join(", ")
}

/// GGUF stems beside the names that Hugging Face gives the same tensors.
const NAMES: &[(&str, &str)] = &[
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
    ("output", "lm_head"),
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The Hugging Face name of a GGUF tensor: `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`.
pub fn hf_name(gguf: &str) -> Option<String> {
    let (stem, kind) = gguf.rsplit_once('.')?;
    let (prefix, stem) = match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((layer, stem)) => (format!("model.layers.{layer}."), stem),
        None => (String::new(), stem),
    };
    let (_, name) = NAMES.iter().find(|(gguf, _)| *gguf == stem)?;
    Some(format!("{prefix}{name}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_translate() {
        assert_eq!(hf_name("blk.3.attn_q.weight").as_deref(), Some("model.layers.3.self_attn.q_proj.weight"));
        assert_eq!(hf_name("output.weight").as_deref(), Some("lm_head.weight"));
        assert_eq!(hf_name("rope_freqs.weight"), None);
    }
}
