#!/usr/bin/env python3
"""Makes GGUF files of the tiny models of this folder with llama.cpp's own converter.

    pip install torch transformers safetensors sentencepiece
    python tests/families/gguf.py LLAMA_CPP OUT [--type f32|f16] [NAME...]

LLAMA_CPP is a checkout of llama.cpp, OUT a folder for NAME-TYPE.gguf. The models have no tokenizer, and
the converter knows tokenizers by hashes of what they do; so each file gets a vocabulary made here, of
printable ASCII in GPT-2's spelling and pairs of it.
"""

import argparse
import json
import logging
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
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
    if kind == "ministral3":
        rope.setdefault("mscale_all_dim", 0.0)
    if kind == "deepseek_v3":
        hparams["scoring_func"] = "sigmoid"
    return hparams


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("llama_cpp", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--type", choices=["f32", "f16"], default="f32")
    parser.add_argument("--models", type=pathlib.Path, default=HERE, help="the folder of models, if not this one")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    sys.path[:0] = [str(args.llama_cpp), str(args.llama_cpp / "gguf-py")]
    import torch
    from convert_hf_to_gguf import ModelType, get_model_architecture, get_model_class, gguf

    logging.disable(logging.WARNING)
    file_type = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16}[args.type]
    args.out.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in args.names or sorted(p.parent.name for p in args.models.glob("*/config.json")):
        folder = args.models / name
        try:
            hparams = older(json.loads((folder / "config.json").read_text()))
            converter = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
            # Mistral 3's is a wrapper around another.
            converter = getattr(converter, "Ministral3Model", converter)
            converter = type(converter.__name__, (converter,), dict(model_arch=converter.model_arch, set_vocab=set_vocab))
            with tempfile.TemporaryDirectory() as copy, torch.inference_mode():
                copy = pathlib.Path(copy)
                (copy / "config.json").write_text(json.dumps(hparams))
                (copy / "model.safetensors").symlink_to((folder / "model.safetensors").resolve())
                # Gemma 3's converter counts the tokens in it.
                tokens = {token: id for id, token in enumerate(vocabulary(hparams["vocab_size"])[0])}
                (copy / "tokenizer.json").write_text(json.dumps(dict(model=dict(vocab=tokens), added_tokens=[])))
                converter(copy, file_type, args.out / f"{name}-{args.type}.gguf", model_name="tiny", hparams=hparams).write()
        except Exception as error:  # what one model misses must not keep the others from being made
            failed = True
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main()
