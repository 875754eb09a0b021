#!/usr/bin/env python3
"""Makes the tiny models of this folder and what Hugging Face transformers computes with them.

    pip install torch transformers
    python tests/families/make.py [NAME...]

Each NAME becomes a folder with config.json, model.safetensors and expected.json: for three prompts of
token ids the logits after the last (float32, eager attention), and 16 tokens of greedy decoding. The
weights are random, but no norm is left at one and no bias at zero, so that a forgotten one shows.
"""

import json
import pathlib
import sys

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

import rwkv7  # noqa: F401: makes it known to transformers

transformers.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).parent
COMMON = dict(
    vocab_size=160,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    tie_word_embeddings=False,
    bos_token_id=0,
    eos_token_id=1,
    pad_token_id=2,
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)
LONG = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=16, factor=16.0,
            short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.5, 2.0, 3.0, 5.0])
PLAIN_ROPE = dict(rope_type="default", rope_theta=10000.0)

GEMMA4 = dict(head_dim=16, global_head_dim=32, sliding_window=6, tie_word_embeddings=True, num_kv_shared_layers=0,
              enable_moe_block=False, layer_types=["sliding_attention", "full_attention"])
QWEN3_5 = dict(head_dim=16, linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8,
               linear_value_head_dim=8, rope_parameters=dict(PLAIN_ROPE, partial_rotary_factor=0.5,
                                                             mrope_section=[2, 1, 1], mrope_interleaved=True))
SIGHT = dict(depth=1, hidden_size=8, intermediate_size=8, num_heads=1, in_channels=1, patch_size=2,
             spatial_merge_size=2, temporal_patch_size=1, out_hidden_size=32, num_position_embeddings=16)

# NAME: (model_type, what differs from COMMON)
MODELS = {
    "llama": ("llama", {}),
    "llama-bias": ("llama", dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama-linear": ("llama", dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.0))),
    "llama-yarn": ("llama", dict(rope_parameters=YARN)),
    "llama3": ("llama", dict(rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0,
                                                  low_freq_factor=1.0, high_freq_factor=4.0,
                                                  original_max_position_embeddings=16))),
    "mistral": ("mistral", dict(sliding_window=8, head_dim=16)),
    "ministral3": ("ministral3", dict(head_dim=16, rope_parameters=dict(YARN, original_max_position_embeddings=8,
                                                                        llama_4_scaling_beta=0.1))),
    "qwen2": ("qwen2", dict(use_sliding_window=True, sliding_window=6, max_window_layers=1)),
    "qwen3": ("qwen3", dict(head_dim=16)),
    "gemma": ("gemma", dict(head_dim=16, tie_word_embeddings=True)),
    "gemma2": ("gemma2", dict(head_dim=16, sliding_window=6, query_pre_attn_scalar=24, tie_word_embeddings=True)),
    "gemma3": ("gemma3_text", dict(head_dim=16, sliding_window=6, query_pre_attn_scalar=24, tie_word_embeddings=True,
                                   layer_types=["sliding_attention", "full_attention"])),
    "phi": ("phi", dict(partial_rotary_factor=0.5)),
    "phi3": ("phi3", dict(sliding_window=7)),
    "phi3-longrope": ("phi3", dict(rope_parameters=LONG, original_max_position_embeddings=16)),
    "falcon-7b": ("falcon", dict(multi_query=True, parallel_attn=True, new_decoder_architecture=False, alibi=False)),
    "falcon-new": ("falcon", dict(num_kv_heads=2, new_decoder_architecture=True, alibi=False, bias=True)),
    "starcoder2": ("starcoder2", dict(use_bias=True, sliding_window=6)),
    "stablelm": ("stablelm", dict(use_qkv_bias=True, partial_rotary_factor=0.25)),
    "stablelm-parallel": ("stablelm", dict(use_parallel_residual=True, qk_layernorm=True)),
    "gpt-neox": ("gpt_neox", dict(num_key_value_heads=4, rotary_pct=0.25, use_parallel_residual=True)),
    "gpt-neox-serial": ("gpt_neox", dict(num_key_value_heads=4, rotary_pct=0.5, use_parallel_residual=False)),
    "gpt2": ("gpt2", dict(num_key_value_heads=4, n_inner=48, n_embd=32, n_layer=2, n_head=4, n_positions=256, tie_word_embeddings=True)),
    "olmo2": ("olmo2", {}),
    "olmo3-yarn": ("olmo3", dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"],
                                 rope_parameters=dict(sliding_attention=PLAIN_ROPE, full_attention=YARN))),
    "olmo3": ("olmo3", dict(sliding_window=6, num_hidden_layers=2,
                            layer_types=["sliding_attention", "full_attention"])),
    "granite": ("granite", dict(embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.3,
                                logits_scaling=4.0)),
    "smollm3": ("smollm3", dict(no_rope_layers=[1, 0])),
    "glm": ("glm", dict(head_dim=8, partial_rotary_factor=0.5)),
    "glm4": ("glm4", dict(head_dim=8, partial_rotary_factor=0.5, attention_bias=True)),
    "cohere": ("cohere", dict(logit_scale=0.25, use_qk_norm=False, tie_word_embeddings=True)),
    "cohere-norm": ("cohere", dict(logit_scale=0.25, use_qk_norm=True, tie_word_embeddings=True)),
    "cohere2": ("cohere2", dict(logit_scale=0.25, sliding_window=6, tie_word_embeddings=True,
                                layer_types=["sliding_attention", "full_attention"])),
    "exaone4": ("exaone4", dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"])),
    "mixtral": ("mixtral", dict(num_local_experts=4, num_experts_per_tok=2)),
    "qwen2-moe": ("qwen2_moe", dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                    shared_expert_intermediate_size=40, norm_topk_prob=False, mlp_only_layers=[0])),
    "qwen3-moe": ("qwen3_moe", dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, head_dim=16,
                                    norm_topk_prob=True)),
    "olmoe": ("olmoe", dict(num_experts=4, num_experts_per_tok=2)),
    "olmoe-clip": ("olmoe", dict(num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, clip_qkv=0.5)),
    "granitemoe": ("granitemoe", dict(num_local_experts=4, num_experts_per_tok=2, embedding_multiplier=6.0,
                                      attention_multiplier=0.2, residual_multiplier=0.3, logits_scaling=4.0)),
    "deepseek-v2": ("deepseek_v2", dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=None, qk_nope_head_dim=8,
                                        qk_rope_head_dim=4, v_head_dim=8, n_routed_experts=4, n_shared_experts=1,
                                        num_experts_per_tok=2, moe_intermediate_size=24, first_k_dense_replace=1,
                                        routed_scaling_factor=1.5, n_group=1, topk_group=1, topk_method="greedy")),
    "deepseek-v2-groups": ("deepseek_v2", dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24,
                                               qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8,
                                               n_routed_experts=8, n_shared_experts=2, num_experts_per_tok=2,
                                               moe_intermediate_size=24, first_k_dense_replace=0,
                                               routed_scaling_factor=2.0, n_group=4, topk_group=2,
                                               topk_method="group_limited_greedy",
                                               rope_parameters=dict(YARN, mscale=0.7, mscale_all_dim=0.7))),
    "deepseek-v3": ("deepseek_v3", dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8,
                                        qk_rope_head_dim=4, v_head_dim=8, n_routed_experts=8, n_shared_experts=1,
                                        num_experts_per_tok=2, moe_intermediate_size=24, first_k_dense_replace=1,
                                        routed_scaling_factor=2.5, n_group=4, topk_group=2, norm_topk_prob=True,
                                        rope_parameters=dict(YARN, mscale=1.0, mscale_all_dim=1.0))),
    "gpt-oss": ("gpt_oss", dict(head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=6,
                                layer_types=["sliding_attention", "full_attention"],
                                rope_parameters=dict(YARN, truncate=False))),
    "lfm2": ("lfm2", dict(layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False)),
    "qwen3-next": ("qwen3_next", dict(head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                      shared_expert_intermediate_size=24, linear_num_value_heads=4,
                                      linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
                                      layer_types=["linear_attention", "full_attention"])),
    "qwen3-next-dense": ("qwen3_next", dict(head_dim=16, num_hidden_layers=3, num_experts=4, num_experts_per_tok=1,
                                            moe_intermediate_size=16, shared_expert_intermediate_size=16,
                                            mlp_only_layers=[0, 1], linear_num_value_heads=3, linear_num_key_heads=3,
                                            linear_key_head_dim=8, linear_value_head_dim=12,
                                            linear_conv_kernel_dim=3, attention_bias=True, norm_topk_prob=False,
                                            layer_types=["linear_attention", "full_attention", "linear_attention"])),
    "qwen3.5": ("qwen3_5_text", dict(QWEN3_5, num_hidden_layers=4, linear_num_value_heads=6, tie_word_embeddings=True)),
    "qwen3.5-moe": ("qwen3_5_moe_text", dict(QWEN3_5, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                                             shared_expert_intermediate_size=24,
                                             layer_types=["linear_attention", "full_attention"])),
    "qwen3.5-seeing": ("qwen3_5", dict(vision_config=SIGHT, text_config=dict(
        COMMON, model_type="qwen3_5_text", **QWEN3_5, layer_types=["full_attention", "linear_attention"]))),
    "qwen3.5-moe-seeing": ("qwen3_5_moe", dict(vision_config=SIGHT, text_config=dict(
        COMMON, model_type="qwen3_5_moe_text", **QWEN3_5, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=16, shared_expert_intermediate_size=16,
        layer_types=["full_attention", "linear_attention"]))),
    "rwkv7": ("rwkv7", dict(head_dim=16, norm_eps=4e-5)),
    "rwkv7-fused": ("rwkv7", dict(num_hidden_layers=3, head_dim=8, fuse_norm=True, norm_bias=False,
                                  intermediate_size=None, hidden_ratio=2.5, decay_low_rank_dim=6, v_low_rank_dim=2)),
    "mamba2": ("mamba2", dict(hidden_size=32, num_heads=8, head_dim=8, n_groups=1, state_size=16, expand=2)),
    "granitemoehybrid": ("granitemoehybrid", dict(layer_types=["mamba", "attention"], mamba_n_heads=8,
                                                  mamba_d_head=8, mamba_expand=2, mamba_d_state=16, mamba_n_groups=1,
                                                  num_local_experts=0, num_experts_per_tok=0,
                                                  shared_intermediate_size=48, embedding_multiplier=6.0,
                                                  attention_multiplier=0.2, residual_multiplier=0.3,
                                                  logits_scaling=4.0, position_embedding_type="nope")),
    "glm4-moe": ("glm4_moe", dict(head_dim=8, partial_rotary_factor=0.5, use_qk_norm=True, attention_bias=True,
                                  n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2,
                                  moe_intermediate_size=24, first_k_dense_replace=1, routed_scaling_factor=1.5,
                                  num_nextn_predict_layers=0)),
    "glm4-moe-lite": ("glm4_moe_lite", dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8,
                                            qk_rope_head_dim=4, v_head_dim=12, n_routed_experts=4, n_shared_experts=1,
                                            num_experts_per_tok=2, moe_intermediate_size=24)),
    "dots1": ("dots1", dict(head_dim=8, n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2,
                            moe_intermediate_size=24, first_k_dense_replace=1, sliding_window=None)),
    "minimax-m2": ("minimax_m2", dict(head_dim=16, rotary_dim=8, num_local_experts=4, num_experts_per_tok=2)),
    "seed-oss": ("seed_oss", dict(head_dim=16, attention_bias=True, attention_out_bias=False)),
    "ernie4-5": ("ernie4_5", dict(head_dim=8, use_bias=True)),
    "exaone": ("exaone", {}),
    "hunyuan": ("hunyuan_v1_dense", dict(head_dim=16, rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0,
                                                                           alpha=100.0, factor=1.0))),
    "arcee": ("arcee", {}),
    "nemotron": ("nemotron", dict(head_dim=8, partial_rotary_factor=0.5)),
    "olmo": ("olmo", dict(clip_qkv=0.5)),
    "internlm3": ("internlm3", dict(head_dim=16, qkv_bias=True, bias=True)),
    "gemma4": ("gemma4_text", dict(GEMMA4, hidden_size_per_layer_input=0, final_logit_softcapping=30.0)),
    "gemma4-shared": ("gemma4_text", dict(GEMMA4, num_hidden_layers=4, num_kv_shared_layers=2, use_double_wide_mlp=True,
                                          hidden_size_per_layer_input=8, vocab_size_per_layer_input=160,
                                          layer_types=["sliding_attention", "full_attention"] * 2)),
    "gemma4-experts": ("gemma4_text", dict(GEMMA4, hidden_size_per_layer_input=0, attention_k_eq_v=True,
                                           num_global_key_value_heads=1, enable_moe_block=True, num_experts=4,
                                           top_k_experts=2, moe_intermediate_size=24)),
    "mamba2-groups": ("mamba2", dict(num_heads=8, head_dim=8, n_groups=2, state_size=16, use_bias=True,
                                     use_conv_bias=False, time_step_limit=[0.005, 0.05], tie_word_embeddings=True)),
    "granitemoehybrid-moe": ("granitemoehybrid", dict(layer_types=["mamba", "attention"], mamba_n_heads=8,
                                                      mamba_d_head=8, mamba_expand=2, mamba_d_state=16,
                                                      mamba_n_groups=2, mamba_conv_bias=False, mamba_proj_bias=True,
                                                      num_local_experts=4, num_experts_per_tok=2, attention_bias=True,
                                                      shared_intermediate_size=24, embedding_multiplier=6.0,
                                                      attention_multiplier=0.2, residual_multiplier=0.3,
                                                      logits_scaling=4.0, position_embedding_type="rope")),
    "granitemoeshared": ("granitemoeshared", dict(num_local_experts=4, num_experts_per_tok=2,
                                                  shared_intermediate_size=24, embedding_multiplier=6.0,
                                                  attention_multiplier=0.2, residual_multiplier=0.3,
                                                  logits_scaling=4.0)),
    "bamba": ("bamba", dict(attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=8, mamba_d_state=16,
                            mamba_n_groups=2)),
    "mamba": ("mamba", dict(state_size=8, intermediate_size=64)),
    "mamba-bias": ("mamba", dict(state_size=8, intermediate_size=64, use_bias=True, use_conv_bias=False, time_step_rank=3,
                                 tie_word_embeddings=True)),
    "falcon-mamba": ("falcon_mamba", dict(state_size=8, intermediate_size=64, time_step_rank=3)),
    "lfm2-moe": ("lfm2_moe", dict(layer_types=["conv", "full_attention"], num_dense_layers=1, num_experts=4,
                                  num_experts_per_tok=2, moe_intermediate_size=24, tie_word_embeddings=True)),
    "nemotron-h": ("nemotron_h", dict(layers_block_type=["mamba", "mlp", "attention", "mlp"], num_hidden_layers=4,
                                      mamba_num_heads=8, mamba_head_dim=8, ssm_state_size=16, n_groups=2, head_dim=16,
                                      mlp_hidden_act="relu2")),
    "nemotron-h-moe": ("nemotron_h", dict(layers_block_type=["mamba", "moe", "attention", "moe"], num_hidden_layers=4,
                                          mamba_num_heads=8, mamba_head_dim=8, ssm_state_size=16, n_groups=1,
                                          head_dim=8, n_routed_experts=4, num_experts_per_tok=2,
                                          moe_intermediate_size=24, moe_shared_expert_intermediate_size=40,
                                          routed_scaling_factor=1.5, time_step_min=0.02)),
    "jamba": ("jamba", dict(attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1,
                            num_experts=4, num_experts_per_tok=2, mamba_d_state=8, mamba_dt_rank=3)),
}


def make(name, changes={}, folder=None, half=False):
    """With `half` all weights are numbers that f16 has too."""
    model_type, own = MODELS[name]
    changes = {**own, **changes}
    torch.manual_seed(sum(name.encode()))
    config = AutoConfig.for_model(model_type, **{**COMMON, **changes})
    config._attn_implementation = "eager"
    kind = AutoModelForImageTextToText if "vision_config" in changes else AutoModelForCausalLM
    model = kind.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("linear_attn.A_log"):
                parameter.uniform_(-4.0, 0.5)  # as initialised most heads forget at once
                continue
            if parameter_name.endswith("linear_attn.dt_bias"):
                parameter.normal_(0.0, 0.5)
                continue
            if parameter_name.endswith(("A_log", "dt_bias")):
                continue
            if model_type == "rwkv7" and not parameter_name.endswith("weight"):
                parameter.normal_(0.3, 0.8)  # shares of the token before, and what decays: all over their range
                continue
            if parameter.dim() == 1 and parameter_name.endswith("weight"):
                parameter.copy_(parameter + 0.3 * torch.randn_like(parameter))
            else:
                parameter.normal_(0.0, 0.15)
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith(("e_score_correction_bias", "expert_bias")):
                buffer.normal_(0.0, 0.1)
            if buffer_name.endswith("layer_scalar"):
                buffer.fill_(0.7)
        for parameter in model.parameters() if half else ():
            parameter.copy_(parameter.half().float())
    folder = folder or HERE / name
    folder.mkdir(exist_ok=True)
    # As Qwen publishes these: experts stacked, not one by one.
    model.save_pretrained(folder, save_original_format=name != "qwen3.5-moe-seeing")
    (folder / "generation_config.json").unlink(missing_ok=True)
    prompts = []
    for length in (3, 14, 40):
        ids = torch.randint(3, config.get_text_config().vocab_size, (1, length))
        last = logits(model, ids)
        greedy, longer = [], ids
        for _ in range(16):
            token = logits(model, longer).argmax()
            greedy.append(int(token))
            longer = torch.cat([longer, token.view(1, 1)], dim=1)
        prompts.append({"input_ids": ids[0].tolist(), "last_logits": [float(f"{v:.8g}") for v in last.tolist()],
                        "greedy_ids": greedy})
    (folder / "expected.json").write_text(json.dumps({"prompts": prompts}) + "\n")
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters")


@torch.no_grad()
def logits(model, ids):
    """Of the last position, everything computed anew: caches are what we test."""
    return model(ids, use_cache=False).logits[0, -1]


if __name__ == "__main__":
    failed = False
    for name in sys.argv[1:] or MODELS:
        try:
            make(name)
        except Exception as error:  # one family must not keep the others from being made
            failed = True
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(failed)
