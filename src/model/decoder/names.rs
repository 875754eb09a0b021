//! What the authors of safetensors files call the tensors that GGUF files name alike.

/// GGUF stems beside the Hugging Face names of the same tensors, likeliest first. `#` is the number
/// of an expert or a head. A name that means two things (`post_attention_layernorm`) is settled by which
/// tensors the family's [`super::family::Residual`] asks for, and by the better name before it.
const NAMES: &[(&str, &[&str])] = &[
    ("token_embd", &["embed_tokens", "word_embeddings", "embed_in", "wte"]),
    ("position_embd", &["wpe"]),
    ("output_norm", &["norm", "ln_f", "final_layernorm", "final_layer_norm"]),
    ("output", &["lm_head", "embed_out"]),
    ("attn_norm", &["input_layernorm", "ln_attn", "ln_1"]),
    ("attn_q", &["self_attn.q_proj"]),
    ("attn_k", &["self_attn.k_proj"]),
    ("attn_v", &["self_attn.v_proj"]),
    ("attn_qkv", &["self_attn.qkv_proj", "self_attention.query_key_value", "attention.query_key_value", "attn.c_attn"]),
    ("attn_q_a", &["self_attn.q_a_proj"]),
    ("attn_q_a_norm", &["self_attn.q_a_layernorm"]),
    ("attn_q_b", &["self_attn.q_b_proj"]),
    ("attn_kv_a_mqa", &["self_attn.kv_a_proj_with_mqa"]),
    ("attn_kv_a_norm", &["self_attn.kv_a_layernorm"]),
    ("attn_kv_b", &["self_attn.kv_b_proj"]),
    ("attn_output", &["self_attn.o_proj", "self_attn.dense", "self_attention.dense", "attention.dense", "attn.c_proj"]),
    ("attn_q_norm", &["self_attn.q_norm"]),
    ("attn_k_norm", &["self_attn.k_norm"]),
    ("attn_q_norm.#", &["self_attn.q_layernorm.norms.#"]),
    ("attn_k_norm.#", &["self_attn.k_layernorm.norms.#"]),
    ("post_attention_norm", &["post_self_attn_layernorm", "post_attention_layernorm"]),
    ("ffn_norm", &["pre_feedforward_layernorm", "post_attention_layernorm", "ln_mlp", "ln_2"]),
    ("post_ffw_norm", &["post_feedforward_layernorm", "post_mlp_layernorm"]),
    ("ffn_gate", &["mlp.gate_proj"]),
    ("ffn_up", &["mlp.up_proj", "mlp.gate_up_proj", "mlp.c_fc", "mlp.fc1", "mlp.dense_h_to_4h"]),
    ("ffn_down", &["mlp.down_proj", "mlp.c_proj", "mlp.fc2", "mlp.dense_4h_to_h"]),
    ("ffn_gate_inp", &["mlp.gate", "block_sparse_moe.gate", "block_sparse_moe.router.layer"]),
    ("ffn_gate_up_exps", &["block_sparse_moe.input_linear"]),
    ("ffn_down_exps", &["block_sparse_moe.output_linear"]),
    ("ffn_gate.#", &["mlp.experts.#.gate_proj", "block_sparse_moe.experts.#.w1"]),
    ("ffn_up.#", &["mlp.experts.#.up_proj", "block_sparse_moe.experts.#.w3"]),
    ("ffn_down.#", &["mlp.experts.#.down_proj", "block_sparse_moe.experts.#.w2"]),
    ("ffn_gate_inp_shexp", &["mlp.shared_expert_gate"]),
    ("ffn_gate_shexp", &["mlp.shared_expert.gate_proj", "mlp.shared_experts.gate_proj"]),
    ("ffn_up_shexp", &["mlp.shared_expert.up_proj", "mlp.shared_experts.up_proj"]),
    ("ffn_down_shexp", &["mlp.shared_expert.down_proj", "mlp.shared_experts.down_proj"]),
];

/// The same for encoders: the tensors that decoders lack, and the names that they do not use.
const ENCODER_NAMES: &[(&str, &[&str])] = &[
    ("token_embd", &["embeddings.word_embeddings", "embeddings.tok_embeddings"]),
    ("token_embd_norm", &["embeddings.LayerNorm", "emb_ln", "embeddings.norm"]),
    ("token_types", &["embeddings.token_type_embeddings"]),
    ("position_embd", &["embeddings.position_embeddings"]),
    ("output_norm", &["final_norm"]),
    ("attn_norm", &["attn_norm"]),
    ("attn_q", &["attention.self.query", "attention.q_lin", "attention.attn.q"]),
    ("attn_k", &["attention.self.key", "attention.k_lin", "attention.attn.k"]),
    ("attn_v", &["attention.self.value", "attention.v_lin", "attention.attn.v"]),
    ("attn_qkv", &["attn.Wqkv"]),
    ("attn_rel_b", &["relative_attention_bias"]),
    ("attn_output", &["attention.output.dense", "attention.out_lin", "attention.attn.o", "attn.out_proj", "attn.Wo"]),
    ("attn_output_norm", &["attention.output.LayerNorm", "attention.LayerNorm", "sa_layer_norm", "norm1"]),
    ("ffn_norm", &["mlp_norm"]),
    ("ffn_gate", &["mlp.fc12"]),
    ("ffn_up", &["mlp.fc11", "mlp.Wi", "intermediate.dense", "ffn.lin1"]),
    ("ffn_down", &["mlp.Wo", "output.dense", "ffn.lin2"]),
    ("layer_output_norm", &["output.LayerNorm", "output_layer_norm", "norm2"]),
    // What a Dense module of sentence-transformers holds.
    ("linear", &["linear"]),
];

/// Around the text model of a file: nothing, its own name, or a model that also sees.
const PREFIXES: &[&str] = &["model.", "language_model.", "transformer.", "gpt_neox."];

/// The same for encoders.
const ENCODER_PREFIXES: &[&str] = &["bert.", "distilbert.", "roberta.", "mpnet.", "nomic_bert.", "encoder."];

/// A name in a safetensors file with its layer as GGUF writes it:
/// `model.layers.3.self_attn.q_proj.weight` is `blk.3.self_attn.q_proj.weight`.
pub fn normalized(hf: &str) -> String {
    let mut rest = hf;
    while let Some(stripped) = PREFIXES.iter().chain(ENCODER_PREFIXES).find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = stripped;
    }
    // BERT's oldest files write a norm's weight and bias as the paper does.
    let rest = rest.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
    match ["layers.", "layer.", "h."].iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        Some(layer) => format!("blk.{layer}"),
        None => rest,
    }
}

/// The normalized Hugging Face names that a GGUF name may have: `blk.3.attn_q.weight` gives
/// `blk.3.self_attn.q_proj.weight`.
pub fn candidates(gguf: &str) -> Vec<String> {
    let Some((stem, kind)) = gguf.rsplit_once('.') else { return Vec::new() };
    if let Some(layer) = gguf.strip_suffix(".exp_probs_b.bias") {
        return vec![format!("{layer}.mlp.gate.e_score_correction_bias")];
    }
    let (layer, stem) = match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((layer, stem)) => (format!("blk.{layer}."), stem),
        None => (String::new(), stem),
    };
    let (stem, expert) = match stem.split_once('.') {
        Some((stem, expert)) => (format!("{stem}.#"), expert),
        None => (stem.to_owned(), ""),
    };
    let rows = NAMES.iter().chain(ENCODER_NAMES).filter(|(gguf, _)| *gguf == stem);
    rows.flat_map(|(_, names)| *names).map(|name| format!("{layer}{}.{kind}", name.replace('#', expert))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_translate() {
        assert_eq!(candidates("blk.3.attn_q.weight")[0], "blk.3.self_attn.q_proj.weight");
        assert_eq!(candidates("blk.3.ffn_up.7.weight")[1], "blk.3.block_sparse_moe.experts.7.w3.weight");
        assert_eq!(candidates("output.weight")[0], "lm_head.weight");
        assert!(candidates("rope_freqs.weight").is_empty());
        assert_eq!(normalized("model.layers.3.self_attn.q_proj.weight"), "blk.3.self_attn.q_proj.weight");
        assert_eq!(normalized("language_model.model.layers.3.mlp.up_proj.weight"), "blk.3.mlp.up_proj.weight");
        assert_eq!(normalized("transformer.h.0.ln_1.bias"), "blk.0.ln_1.bias");
        assert_eq!(normalized("language_model.lm_head.weight"), "lm_head.weight");
        let bert = "bert.encoder.layer.1.attention.output.LayerNorm.gamma";
        assert_eq!(normalized(bert), "blk.1.attention.output.LayerNorm.weight");
        assert_eq!(candidates("blk.1.attn_output_norm.weight")[0], "blk.1.attention.output.LayerNorm.weight");
    }
}
