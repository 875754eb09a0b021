//! What the authors of safetensors files call the tensors that GGUF files name alike.

/// GGUF stems beside the Hugging Face names of the same tensors, likeliest first. `#` is the number
/// of an expert or a head. A name that means two things (`post_attention_layernorm`) is settled by which
/// tensors the family's [`super::family::Residual`] asks for, and by the better name before it.
const NAMES: &[(&str, &[&str])] = &[
    ("token_embd", &["embed_tokens", "word_embeddings", "embed_in", "wte", "embeddings", "embedding"]),
    ("token_embd_norm", &["blk.0.pre_norm"]),
    ("position_embd", &["wpe"]),
    ("output_norm", &["norm", "ln_f", "final_layernorm", "final_layer_norm", "embedding_norm", "norm_f"]),
    ("output", &["lm_head", "embed_out"]),
    ("attn_norm", &["input_layernorm", "ln_attn", "ln_1", "operator_norm", "attn_norm", "norm"]),
    ("attn_q", &["self_attn.q_proj", "attn.attention.q_proj", "mixer.q_proj"]),
    ("attn_k", &["self_attn.k_proj", "attn.attention.k_proj", "mixer.k_proj"]),
    ("attn_v", &["self_attn.v_proj", "attn.attention.v_proj", "mixer.v_proj"]),
    (
        "attn_qkv",
        &[
            "self_attn.qkv_proj",
            "self_attention.query_key_value",
            "attention.query_key_value",
            "attn.c_attn",
            "linear_attn.in_proj_qkv",
        ],
    ),
    ("attn_gate", &["linear_attn.in_proj_z"]),
    ("ssm_in", &["linear_attn.in_proj_qkvz", "mixer.in_proj", "mamba.in_proj"]),
    ("ssm_ba", &["linear_attn.in_proj_ba"]),
    ("ssm_beta", &["linear_attn.in_proj_b"]),
    ("ssm_alpha", &["linear_attn.in_proj_a"]),
    ("ssm_conv1d", &["linear_attn.conv1d", "mixer.conv1d", "mamba.conv1d"]),
    ("ssm_a", &["linear_attn.A_log"]),
    ("ssm_dt", &["linear_attn.dt", "mixer.dt_proj", "mamba.dt_proj"]),
    ("ssm_norm", &["linear_attn.norm", "mixer.norm", "mamba.norm"]),
    ("ssm_out", &["linear_attn.out_proj", "mixer.out_proj", "mamba.out_proj"]),
    ("ssm_x", &["mixer.x_proj", "mamba.x_proj"]),
    ("ssm_dt_norm", &["mamba.dt_layernorm"]),
    ("ssm_b_norm", &["mamba.b_layernorm"]),
    ("ssm_c_norm", &["mamba.c_layernorm"]),
    ("attn_q_a", &["self_attn.q_a_proj"]),
    ("attn_q_a_norm", &["self_attn.q_a_layernorm"]),
    ("attn_q_b", &["self_attn.q_b_proj"]),
    ("attn_kv_a_mqa", &["self_attn.kv_a_proj_with_mqa"]),
    ("attn_kv_a_norm", &["self_attn.kv_a_layernorm"]),
    ("attn_kv_b", &["self_attn.kv_b_proj"]),
    (
        "attn_output",
        &[
            "self_attn.o_proj",
            "self_attn.dense",
            "self_attention.dense",
            "attention.dense",
            "attn.c_proj",
            "self_attn.out_proj",
            "attn.attention.out_proj",
            "mixer.o_proj",
        ],
    ),
    ("attn_q_norm", &["self_attn.q_norm", "self_attn.q_layernorm", "self_attn.query_layernorm"]),
    ("attn_k_norm", &["self_attn.k_norm", "self_attn.k_layernorm", "self_attn.key_layernorm"]),
    ("attn_q_norm.#", &["self_attn.q_layernorm.norms.#"]),
    ("attn_k_norm.#", &["self_attn.k_layernorm.norms.#"]),
    ("attn_sinks", &["self_attn.sinks"]),
    ("post_attention_norm", &["post_self_attn_layernorm", "post_attention_layernorm"]),
    (
        "ffn_norm",
        &["pre_feedforward_layernorm", "post_attention_layernorm", "ln_mlp", "ln_2", "ffn_norm", "pre_ff_layernorm"],
    ),
    ("post_ffw_norm", &["post_feedforward_layernorm", "post_mlp_layernorm"]),
    ("ffn_gate", &["mlp.gate_proj", "feed_forward.w1", "mlp.c_fc_0", "feed_forward.gate_proj"]),
    (
        "ffn_up",
        &[
            "mlp.up_proj",
            "mlp.gate_up_proj",
            "mlp.c_fc",
            "mlp.fc1",
            "mlp.dense_h_to_4h",
            "feed_forward.w3",
            "mlp.c_fc_1",
            "feed_forward.up_proj",
            "shared_mlp.input_linear",
            "mixer.up_proj",
        ],
    ),
    (
        "ffn_down",
        &[
            "mlp.down_proj",
            "mlp.c_proj",
            "mlp.fc2",
            "mlp.dense_4h_to_h",
            "feed_forward.w2",
            "feed_forward.down_proj",
            "shared_mlp.output_linear",
            "mixer.down_proj",
        ],
    ),
    ("pre_ffw_norm_2", &["pre_feedforward_layernorm_2"]),
    ("post_ffw_norm_1", &["post_feedforward_layernorm_1"]),
    ("post_ffw_norm_2", &["post_feedforward_layernorm_2"]),
    ("per_layer_token_embd", &["embed_tokens_per_layer"]),
    ("per_layer_model_proj", &["per_layer_model_projection"]),
    ("per_layer_proj_norm", &["per_layer_projection_norm"]),
    ("inp_gate", &["per_layer_input_gate"]),
    ("proj", &["per_layer_projection"]),
    ("post_norm", &["post_per_layer_input_norm"]),
    ("layer_output_scale", &["layer_scalar"]),
    ("time_mix_lerp_r", &["attn.x_r"]),
    ("time_mix_lerp_w", &["attn.x_w"]),
    ("time_mix_lerp_k", &["attn.x_k"]),
    ("time_mix_lerp_v", &["attn.x_v"]),
    ("time_mix_lerp_a", &["attn.x_a"]),
    ("time_mix_lerp_g", &["attn.x_g"]),
    ("time_mix_lerp_fused", &["attn.x_x"]),
    ("time_mix_receptance", &["attn.r_proj"]),
    ("time_mix_key", &["attn.k_proj"]),
    ("time_mix_value", &["attn.v_proj"]),
    ("time_mix_output", &["attn.o_proj"]),
    ("time_mix_w1", &["attn.w_lora.lora.0"]),
    ("time_mix_w2", &["attn.w_lora.lora.2"]),
    ("time_mix_a1", &["attn.a_lora.lora.0"]),
    ("time_mix_a2", &["attn.a_lora.lora.2"]),
    ("time_mix_v1", &["attn.v_lora.lora.0"]),
    ("time_mix_v2", &["attn.v_lora.lora.2"]),
    ("time_mix_g1", &["attn.g_lora.lora.0"]),
    ("time_mix_g2", &["attn.g_lora.lora.2"]),
    ("time_mix_k_k", &["attn.k_k"]),
    ("time_mix_k_a", &["attn.k_a"]),
    ("time_mix_r_k", &["attn.r_k"]),
    ("time_mix_ln", &["attn.g_norm"]),
    ("channel_mix_lerp_k", &["ffn.x_k"]),
    ("channel_mix_key", &["ffn.key"]),
    ("channel_mix_value", &["ffn.value"]),
    ("shortconv.in_proj", &["conv.in_proj"]),
    ("shortconv.conv", &["conv.conv"]),
    ("shortconv.out_proj", &["conv.out_proj"]),
    (
        "ffn_gate_inp",
        &[
            "mlp.gate",
            "block_sparse_moe.gate",
            "block_sparse_moe.router.layer",
            "feed_forward.gate",
            "feed_forward.router",
            "mixer.gate",
            "mlp.router",
            "router.proj",
        ],
    ),
    ("ffn_gate_up_exps", &["block_sparse_moe.input_linear", "mlp.experts.gate_up_proj", "experts.gate_up_proj"]),
    ("ffn_down_exps", &["block_sparse_moe.output_linear", "mlp.experts.down_proj", "experts.down_proj"]),
    (
        "ffn_gate.#",
        &[
            "mlp.experts.#.gate_proj",
            "block_sparse_moe.experts.#.w1",
            "feed_forward.experts.#.w1",
            "feed_forward.experts.#.gate_proj",
        ],
    ),
    (
        "ffn_up.#",
        &[
            "mlp.experts.#.up_proj",
            "block_sparse_moe.experts.#.w3",
            "feed_forward.experts.#.w3",
            "feed_forward.experts.#.up_proj",
            "mixer.experts.#.up_proj",
        ],
    ),
    (
        "ffn_down.#",
        &[
            "mlp.experts.#.down_proj",
            "block_sparse_moe.experts.#.w2",
            "feed_forward.experts.#.w2",
            "feed_forward.experts.#.down_proj",
            "mixer.experts.#.down_proj",
        ],
    ),
    ("ffn_gate_inp_shexp", &["mlp.shared_expert_gate"]),
    ("ffn_gate_shexp", &["mlp.shared_expert.gate_proj", "mlp.shared_experts.gate_proj"]),
    (
        "ffn_up_shexp",
        &[
            "mlp.shared_expert.up_proj",
            "mlp.shared_experts.up_proj",
            "mixer.shared_experts.up_proj",
            "shared_mlp.input_linear",
        ],
    ),
    (
        "ffn_down_shexp",
        &[
            "mlp.shared_expert.down_proj",
            "mlp.shared_experts.down_proj",
            "mixer.shared_experts.down_proj",
            "shared_mlp.output_linear",
        ],
    ),
];

/// The same for tensors whose last word is their own in either.
const WHOLE_NAMES: &[(&str, &[&str])] = &[
    (
        "exp_probs_b.bias",
        &[
            "mlp.gate.e_score_correction_bias",
            "block_sparse_moe.e_score_correction_bias",
            "mixer.gate.e_score_correction_bias",
            "feed_forward.expert_bias",
        ],
    ),
    ("ffn_gate_inp.scale", &["router.scale"]),
    ("ffn_down_exps.scale", &["router.per_expert_scale"]),
    ("ssm_a", &["mixer.A_log", "mamba.A_log"]),
    ("ssm_d", &["mixer.D", "mamba.D"]),
    (
        "ssm_dt.bias",
        &["linear_attn.dt_bias", "mixer.dt_bias", "mamba.dt_bias", "mixer.dt_proj.bias", "mamba.dt_proj.bias"],
    ),
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
const PREFIXES: &[&str] = &["model.", "language_model.", "text_model.", "transformer.", "gpt_neox.", "backbone."];

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
    let whole = WHOLE_NAMES.iter().find_map(|(name, names)| {
        let layer = gguf.strip_suffix(name)?.strip_suffix('.')?;
        Some(names.iter().map(|name| format!("{layer}.{name}")).collect())
    });
    if let Some(names) = whole {
        return names;
    }
    let Some((stem, kind)) = gguf.rsplit_once('.') else { return Vec::new() };
    let (layer, stem) = match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((layer, stem)) => (format!("blk.{layer}."), stem),
        None => (String::new(), stem),
    };
    let (stem, expert) = match stem.split_once('.') {
        Some((stem, expert)) if expert.bytes().all(|b| b.is_ascii_digit()) => (format!("{stem}.#"), expert),
        _ => (stem.to_owned(), ""),
    };
    let rows = NAMES.iter().chain(ENCODER_NAMES).filter(|(gguf, _)| *gguf == stem);
    let names = rows.flat_map(|(_, names)| *names);
    let names: Vec<String> = names.map(|name| format!("{layer}{}", name.replace('#', expert))).collect();
    // Parameters that no linear layer holds are named without a `.weight`, and their biases with a `_bias`.
    let bare = if kind == "weight" { String::new() } else { format!("_{kind}") };
    let usual = names.iter().map(|name| format!("{name}.{kind}"));
    usual.chain(names.iter().map(|name| format!("{name}{bare}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_translate() {
        assert_eq!(candidates("blk.3.attn_q.weight")[0], "blk.3.self_attn.q_proj.weight");
        assert_eq!(candidates("blk.3.ssm_a.weight")[1], "blk.3.linear_attn.A_log");
        assert_eq!(candidates("blk.3.ssm_dt.bias")[0], "blk.3.linear_attn.dt_bias");
        assert_eq!(candidates("blk.3.attn_sinks.weight")[1], "blk.3.self_attn.sinks");
        assert!(candidates("blk.3.ffn_down_exps.bias").contains(&"blk.3.mlp.experts.down_proj_bias".to_owned()));
        assert_eq!(candidates("blk.3.ssm_a")[0], "blk.3.mixer.A_log");
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
