#!/usr/bin/env python3
"""Makes tiny models in the quantized layouts that people publish as safetensors.

    pip install torch transformers safetensors bitsandbytes compressed-tensors loguru
    pip install --no-deps autoawq
    python tests/quantized/make.py [NAME...]

Each NAME becomes a folder with config.json, model.safetensors and expected.json: for three prompts the logits after
the last token, which transformers computes in float32 with the *dequantized* weights. AWQ is dequantized by autoawq,
NF4 by bitsandbytes, FP8 and MXFP4 by transformers, compressed-tensors by its package; GPTQ and bitsandbytes' INT8 by
the formulas of gptqmodel and bitsandbytes written down here, since their code wants a GPU or will not install.
"""

import importlib.util
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).parent
COMMON = dict(vocab_size=64, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, pad_token_id=2)


def words(codes, bits, order=None):
    """Packs the columns of `codes` into int32, `32 / bits` each, the first in the lowest bits."""
    a_word = 32 // bits
    codes = codes.to(torch.int64).reshape(codes.shape[0], -1, a_word)
    if order is not None:
        codes = codes[..., order]
    packed = (codes << (bits * torch.arange(a_word))).sum(-1)
    return torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)


def gptq(bits, group, act_order=False, v2=False, sym=False):
    config = dict(quant_method="gptq", bits=bits, group_size=group, desc_act=act_order, sym=sym, true_sequential=True,
                  damp_percent=0.01, checkpoint_format="gptq_v2" if v2 else "gptq")

    def pack(stem, weight):
        rows, columns = weight.shape
        size = columns if group == -1 else group
        of = torch.arange(columns) // size
        if act_order:
            of = of[torch.randperm(columns)]
        count, top = int(of.max()) + 1, 2**bits - 1
        # Version 1 cannot hold a zero point of zero.
        zeros = torch.randint(0 if v2 else 1, top + 1, (count, rows))
        if sym:
            zeros = torch.full_like(zeros, 2 ** (bits - 1))
        scales = (weight.abs().max() / top * (0.5 + torch.rand(count, rows))).half()
        codes = torch.clamp(torch.round(weight.T / scales.float()[of]) + zeros[of], 0, top).long()
        tensors = {
            "qweight": words(codes.T, bits).T.contiguous(),
            "qzeros": words(zeros if v2 else zeros - 1, bits),
            "scales": scales,
            "g_idx": of.to(torch.int32),
        }
        plain = scales.float()[of] * (codes - zeros[of])
        return {f"{stem}.{name}": tensor for name, tensor in tensors.items()}, plain.T

    return config, pack


def awq(group):
    spec = importlib.util.find_spec("awq")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "utils/packing_utils.py"
    spec = importlib.util.spec_from_file_location("packing_utils", path)
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)  # the package's own __init__ wants older libraries

    def pack(stem, weight):
        rows, columns = weight.shape
        zeros = torch.randint(0, 16, (columns // group, rows))
        scales = (weight.abs().max() / 15 * (0.5 + torch.rand(columns // group, rows))).half()
        of = torch.arange(columns) // group
        codes = torch.clamp(torch.round(weight.T / scales.float()[of]) + zeros[of], 0, 15)
        qweight, qzeros = words(codes, 4, library.AWQ_ORDER), words(zeros, 4, library.AWQ_ORDER)
        plain = library.dequantize_gemm(qweight, qzeros, scales.float(), 4, group)
        return {f"{stem}.qweight": qweight, f"{stem}.qzeros": qzeros, f"{stem}.scales": scales}, plain.T

    return dict(quant_method="awq", bits=4, group_size=group, version="gemm", zero_point=True), pack


def scale_grid(weight, block, top):
    rows, columns = weight.shape
    grid = [[part.abs().max() / top for part in strip.split(block[1], dim=1)] for strip in weight.split(block[0])]
    return torch.tensor(grid)


def fp8(block):
    from transformers.integrations.finegrained_fp8 import _dequantize_fp8_weight

    def pack(stem, weight):
        size = block or weight.shape
        scale = scale_grid(weight, size, 448.0)
        each = scale.repeat_interleave(size[0], 0)[: weight.shape[0]]
        each = each.repeat_interleave(size[1], 1)[:, : weight.shape[1]]
        stored = (weight / each).to(torch.float8_e4m3fn)
        scale = scale if block else scale[0, 0]
        plain = _dequantize_fp8_weight(stored.clone(), scale, block, torch.float32)
        return {f"{stem}.weight": stored, f"{stem}.weight_scale_inv": scale}, plain

    config = dict(quant_method="fp8", activation_scheme="dynamic", weight_block_size=block,
                  modules_to_not_convert=["lm_head"])
    return config, pack


def compressed(kind, strategy):
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    def pack(stem, weight):
        size = {"tensor": weight.shape, "channel": (1, weight.shape[1]), "block": (128, 128)}[strategy]
        scale = scale_grid(weight, size, 448.0 if kind == "float" else 127.0).to(torch.bfloat16).float()
        each = scale.repeat_interleave(size[0], 0)[: weight.shape[0]]
        each = each.repeat_interleave(size[1], 1)[:, : weight.shape[1]]
        if kind == "float":
            stored = (weight / each).clamp(-448, 448).to(torch.float8_e4m3fn)
        else:
            stored = torch.round(weight / each).clamp(-128, 127).to(torch.int8)
        scale = scale[0] if strategy == "tensor" else scale
        plain = dequantize(stored, scale, args=QuantizationArgs(**weights), dtype=torch.float32)
        return {f"{stem}.weight": stored, f"{stem}.weight_scale": scale.to(torch.bfloat16)}, plain

    weights = dict(num_bits=8, type=kind, symmetric=True, strategy=strategy, dynamic=False,
                   block_structure=[128, 128] if strategy == "block" else None)
    groups = {"group_0": dict(targets=["Linear"], weights=weights, input_activations=None, output_activations=None)}
    config = dict(quant_method="compressed-tensors", format="float-quantized" if kind == "float" else "int-quantized",
                  quantization_status="compressed", ignore=["lm_head"], config_groups=groups)
    return config, pack


def compressed_words(bits, group, symmetric=True, act_order=False):
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    def pack(stem, weight):
        rows, columns = weight.shape
        size = group or columns
        of = torch.arange(columns) // size
        if act_order:
            of = of[torch.randperm(columns)]
        low, top = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        shape = (rows, columns // size)
        zeros = torch.zeros(shape).long() if symmetric else torch.randint(low, top + 1, shape)
        scale = (weight.abs().max() / top * (0.5 + torch.rand(shape))).half()
        stored = torch.clamp(torch.round(weight / scale.float()[:, of]) + zeros[:, of], low, top)
        tensors = {"weight_packed": pack_to_int32(stored.to(torch.int8), bits), "weight_scale": scale,
                   "weight_shape": torch.tensor(weight.shape)}
        if not symmetric:
            tensors["weight_zero_point"] = pack_to_int32(zeros.to(torch.int8), bits, packed_dim=0)
        if act_order:
            tensors["weight_g_idx"] = of.to(torch.int32)
        plain = (stored - zeros[:, of]) * scale.float()[:, of]
        return {f"{stem}.{name}": tensor for name, tensor in tensors.items()}, plain

    weights = dict(num_bits=bits, type="int", symmetric=symmetric, strategy="group" if group else "channel",
                   group_size=group, dynamic=False, actorder="group" if act_order else None, block_structure=None)
    groups = {"group_0": dict(targets=["Linear"], weights=weights, input_activations=None, output_activations=None)}
    config = dict(quant_method="compressed-tensors", format="pack-quantized", quantization_status="compressed",
                  ignore=["lm_head"], config_groups=groups)
    return config, pack


def nf4(nested):
    import bitsandbytes.functional as library

    def pack(stem, weight):
        stored, state = library.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type="nf4")
        tensors = {f"{stem}.weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
        # A row a group: bitsandbytes 0.50.2 on a processor is wrong for rows that are not whole groups.
        state.shape = torch.Size([weight.numel() // 64, 64])
        plain = library.dequantize_4bit(stored, state).float().reshape(weight.shape)
        return {f"{stem}.weight": stored} | tensors, plain

    config = dict(quant_method="bitsandbytes", load_in_4bit=True, load_in_8bit=False, bnb_4bit_quant_type="nf4",
                  bnb_4bit_use_double_quant=nested, bnb_4bit_compute_dtype="float32", bnb_4bit_quant_storage="uint8")
    return config, pack


def int8():
    def pack(stem, weight):
        largest = weight.abs().amax(1)
        stored = torch.round(weight * 127 / largest[:, None]).to(torch.int8)
        tensors = {"weight": stored, "SCB": largest, "weight_format": torch.tensor(0, dtype=torch.uint8)}
        return {f"{stem}.{name}": t for name, t in tensors.items()}, stored * largest[:, None] / 127

    return dict(quant_method="bitsandbytes", load_in_8bit=True, load_in_4bit=False), pack


LLAMA = ("llama", dict(intermediate_size=96))
WIDE = ("llama", dict(hidden_size=128, intermediate_size=160, vocab_size=40))
MOE = ("qwen3_moe", dict(intermediate_size=128, moe_intermediate_size=64, num_experts=4, num_experts_per_tok=2,
                         head_dim=32, decoder_sparse_step=1, norm_topk_prob=True, mlp_only_layers=[]))
LATENT = ("deepseek_v3", dict(intermediate_size=128, first_k_dense_replace=1, q_lora_rank=None, kv_lora_rank=64,
                              qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=32, num_key_value_heads=4,
                              n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
                              moe_intermediate_size=64))
# NAME: (model_type, what differs from COMMON), (quantization_config, what packs one weight)
MODELS = {
    "gptq-4": (LLAMA, gptq(4, 32)),
    "gptq-4-act-order": (LLAMA, gptq(4, 32, act_order=True)),
    "gptq-4-v2": (LLAMA, gptq(4, 32, v2=True)),
    "gptq-4-symmetric-rows": (LLAMA, gptq(4, -1, sym=True)),
    "gptq-8": (LLAMA, gptq(8, 32)),
    "gptq-8-act-order": (LLAMA, gptq(8, 32, act_order=True)),
    "awq": (LLAMA, awq(32)),
    "fp8-blocks": (WIDE, fp8([128, 128])),
    "fp8-tensor": (LLAMA, fp8(None)),
    "fp8-latent": (LATENT, fp8([128, 128])),
    "compressed-fp8-tensor": (LLAMA, compressed("float", "tensor")),
    "compressed-fp8-channel": (LLAMA, compressed("float", "channel")),
    "compressed-fp8-block": (WIDE, compressed("float", "block")),
    "compressed-int8": (LLAMA, compressed("int", "channel")),
    "compressed-int4": (LLAMA, compressed_words(4, 32)),
    "compressed-int4-zeros-act-order": (LLAMA, compressed_words(4, 32, symmetric=False, act_order=True)),
    "compressed-int8-words": (LLAMA, compressed_words(8, None)),
    "nf4": (("llama", dict(intermediate_size=128)), nf4(False)),
    "nf4-nested": (("llama", dict(hidden_size=128, intermediate_size=192, vocab_size=40)), nf4(True)),
    # Rows that are not whole groups.
    "nf4-across-rows": (LLAMA, nf4(True)),
    "int8": (LLAMA, int8()),
    "gptq-4-experts": (MOE, gptq(4, 32)),
}


def random_model(model_type, changes):
    config = AutoConfig.for_model(model_type, **{**COMMON, **changes})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and name.endswith("weight"):
                parameter.copy_(parameter + 0.3 * torch.randn_like(parameter))
            else:
                parameter.normal_(0.0, 0.1)
            parameter.copy_(parameter.half())
    return model


@torch.no_grad()
def write(name, model, tensors, quantization):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    config = model.config.to_dict() | {"quantization_config": quantization, "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    prompts = []
    for length in (1, 6, 20):
        ids = torch.randint(3, model.config.vocab_size, (1, length))
        last = model(ids, use_cache=False).logits[0, -1]
        prompts.append({"input_ids": ids[0].tolist(), "last_logits": [float(f"{v:.8g}") for v in last.tolist()]})
    (folder / "expected.json").write_text(json.dumps({"prompts": prompts}) + "\n")
    print(f"{name}: {sum(f.stat().st_size for f in folder.iterdir())} bytes")


@torch.no_grad()
def make(name):
    (model_type, changes), (quantization, pack) = MODELS[name]
    model = random_model(model_type, changes)
    stems = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    tensors = {n: t.half() for n, t in model.state_dict().items() if n.removesuffix(".weight") not in stems}
    for stem in stems:
        layer = model.get_submodule(stem)
        packed, plain = pack(stem, layer.weight)
        tensors |= packed
        layer.weight.copy_(plain)
    # Experts are one parameter in the program, and a linear layer each in the files.
    for stem in {n.rsplit(".", 1)[0] for n in tensors if n.endswith("experts.gate_up_proj")}:
        experts = model.get_submodule(stem)
        del tensors[f"{stem}.gate_up_proj"], tensors[f"{stem}.down_proj"]
        half = experts.gate_up_proj.shape[1] // 2
        for i in range(experts.gate_up_proj.shape[0]):
            parts = {"gate_proj": experts.gate_up_proj[i, :half], "up_proj": experts.gate_up_proj[i, half:],
                     "down_proj": experts.down_proj[i]}
            for part, weight in parts.items():
                packed, plain = pack(f"{stem}.{i}.{part}", weight)
                tensors |= packed
                weight.copy_(plain)
    write(name, model, tensors, quantization)


@torch.no_grad()
def make_mxfp4(name):
    """gpt-oss: experts whose blocks of 32 elements along the input share an exponent; gate and up alternate."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    model = random_model("gpt_oss", dict(hidden_size=64, intermediate_size=96, head_dim=16, num_local_experts=4,
                                         num_experts_per_tok=2, sliding_window=6, layer_types=["full_attention"],
                                         rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                                              original_max_position_embeddings=64, truncate=False)))
    tensors = {n: t.half() for n, t in model.state_dict().items()}
    for stem in [n.removesuffix(".down_proj") for n in tensors if n.endswith("experts.down_proj")]:
        for part in ("gate_up_proj", "down_proj"):
            parameter = getattr(model.get_submodule(stem), part)  # [experts, in, out]
            experts, inner, outer = parameter.shape
            blocks = torch.randint(0, 256, (experts, outer, inner // 32, 16), dtype=torch.uint8)
            scales = torch.randint(120, 125, blocks.shape[:-1], dtype=torch.uint8)
            plain = convert_moe_packed_tensors(blocks.clone(), scales.clone(), dtype=torch.float32)
            assert plain.shape == parameter.shape
            parameter.copy_(plain)
            del tensors[f"{stem}.{part}"]
            tensors |= {f"{stem}.{part}_blocks": blocks, f"{stem}.{part}_scales": scales}
    write(name, model, tensors, dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn"]))


if __name__ == "__main__":
    for name in sys.argv[1:] or [*MODELS, "mxfp4"]:
        torch.manual_seed(sum(name.encode()))
        make_mxfp4(name) if name == "mxfp4" else make(name)
