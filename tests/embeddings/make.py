#!/usr/bin/env python3
"""Makes the tiny embedding models of this folder and what Hugging Face transformers computes with them.

    pip install torch transformers tokenizers
    python tests/embeddings/make.py [NAME...]

Each NAME becomes a folder as sentence-transformers saves one: config.json, model.safetensors, tokenizer.json,
modules.json and what that names; and expected.json: for each text its token ids, and the vector after pooling,
Dense and Normalize, which this file computes itself (float32, eager attention). The weights are random, but no
norm is left at one and no bias at zero, so that a forgotten one shows.
"""

import copy
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel

transformers.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).parent
SIZE = 160
TEXTS = [
    "hello",
    "How do I resume a pull?",
    "The quick brown fox jumps over the lazy dog, and then it rests; 12 days later it jumps again.",
    "vector search ranks texts by what they mean, not by the words that they share; and this text is longer",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "how", "do", "fox", "dog", "over", "it", "by", "not", "ext", "ank", "hat", "mean", "pull", "search"]
COMMON = dict(vocab_size=SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
              max_position_embeddings=114)


def word_piece(first=("[PAD]", "[UNK]")):
    pieces = [*first, "[CLS]", "[SEP]", "[MASK]", *"0123456789.,;?", *LETTERS, *("##" + c for c in LETTERS)]
    pieces += WORDS + ["##" + w for w in WORDS]
    pieces += [f"[unused{i}]" for i in range(SIZE - len(pieces))]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return around(tokenizer, "[CLS]", "[SEP]", ["[PAD]", "[UNK]", "[MASK]"])


def padding_second():
    """MPNet takes token 1 for padding, wherever it is."""
    return word_piece(("[UNK]", "[PAD]"))


def unigram():
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(c, -5.0 - i / 50) for i, c in enumerate("▁0123456789.,;?HT" + LETTERS)]
    pieces += [(p + w, -6.0 - i / 20) for i, w in enumerate(WORDS) for p in ("▁", "")]
    pieces += [(f"<unused{i}>", -99.0) for i in range(SIZE - 1 - len(pieces))] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return around(tokenizer, "<s>", "</s>", ["<pad>", "<unk>", "<mask>"])


def byte_bpe(first, last, special):
    alphabet = sorted(set("".join(TEXTS).replace(" ", "Ġ")))
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("Ġ", "o"), ("e", "r"), ("Ġ", "b"), ("Ġb", "y")]
    pieces = special + alphabet + [a + b for a, b in merges]
    pieces += [f"<|unused{i}|>" for i in range(SIZE - len(pieces))]
    tokenizer = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return around(tokenizer, first, last, special)


def around(tokenizer, first, last, special):
    special = special + [token for token in (first, last) if token and token not in special]
    tokenizer.add_special_tokens(special)
    template = [token for token in (first, "$A", last) if token]
    named = [(token, tokenizer.token_to_id(token)) for token in (first, last) if token]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=named)
    assert tokenizer.get_vocab_size() == SIZE, tokenizer.get_vocab_size()
    return tokenizer


def modern():
    return byte_bpe("[CLS]", "[SEP]", ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]"])


def qwen():
    return byte_bpe(None, "<|endoftext|>", ["<|endoftext|>", "<|im_end|>"])


ROBERTA = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2)
MODERN = dict(pad_token_id=0, bos_token_id=3, eos_token_id=4, cls_token_id=3, sep_token_id=4, local_attention=12)

# NAME: (model_type, what differs from COMMON, tokenizer, pooling modes, further modules)
MODELS = {
    "bert": ("bert", {}, word_piece, ["mean"], ["Normalize"]),
    "bert-dense": ("bert", dict(hidden_act="gelu_new"), word_piece, ["mean", "max"], ["Dense"]),
    "distilbert": ("distilbert", dict(dim=32, hidden_dim=48, n_layers=2, n_heads=4), word_piece, ["mean"], []),
    "mpnet": ("mpnet", dict(pad_token_id=1), padding_second, ["mean"], ["Normalize"]),
    "roberta": ("roberta", dict(type_vocab_size=1, **ROBERTA), modern, ["mean_sqrt_len_tokens", "weightedmean"], []),
    "xlm-roberta": ("xlm-roberta", dict(type_vocab_size=1, **ROBERTA), unigram, ["cls"], ["Normalize"]),
    "modernbert": ("modernbert", dict(num_hidden_layers=4, **MODERN), modern, ["mean"], ["Normalize"]),
    "nomic-bert": ("nomic_bert", {}, word_piece, ["mean"], ["Normalize"]),
    "qwen3": ("qwen3", dict(num_key_value_heads=2, head_dim=16, tie_word_embeddings=True, pad_token_id=0), qwen,
              ["lasttoken"], ["Normalize"]),
}
SWITCHES = dict(cls="pooling_mode_cls_token", mean="pooling_mode_mean_tokens", max="pooling_mode_max_tokens",
                mean_sqrt_len_tokens="pooling_mode_mean_sqrt_len_tokens", lasttoken="pooling_mode_lasttoken",
                weightedmean="pooling_mode_weightedmean_tokens")


def pooled(mode, states):
    count = states.shape[0]
    weights = torch.arange(1, count + 1, dtype=torch.float32).unsqueeze(1)
    return {
        "cls": lambda: states[0],
        "lasttoken": lambda: states[-1],
        "max": lambda: states.max(dim=0).values,
        "mean": lambda: states.sum(dim=0) / count,
        "mean_sqrt_len_tokens": lambda: states.sum(dim=0) / count**0.5,
        "weightedmean": lambda: (states * weights).sum(dim=0) / weights.sum(),
    }[mode]()


def as_published(path, config):
    """nomic-ai's files keep the names of GPT-2's configuration, and of the code that came with them."""
    path.write_text(json.dumps({
        "architectures": ["NomicBertModel"], "model_type": "nomic_bert", "vocab_size": config.vocab_size,
        "n_embd": config.hidden_size, "n_head": config.num_attention_heads, "n_layer": config.num_hidden_layers,
        "n_inner": config.intermediate_size, "n_positions": 8192,
        "max_trained_positions": 2048, "activation_function": "swiglu", "layer_norm_epsilon": config.layer_norm_eps,
        "type_vocab_size": config.type_vocab_size, "rotary_emb_base": config.rope_parameters["rope_theta"],
        "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None, "prenorm": False, "parallel_block": False, "use_rms_norm": False,
        "causal": False, "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False,
    }) + "\n")


def make(name):
    model_type, changes, tokenizer, modes, further = MODELS[name]
    torch.manual_seed(sum(name.encode()))
    config = AutoConfig.for_model(model_type, **{**COMMON, **changes})
    config._attn_implementation = "eager"
    model = AutoModel.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 1 and parameter_name.endswith("weight"):
                parameter.copy_(parameter + 0.3 * torch.randn_like(parameter))
            else:
                parameter.normal_(0.0, 0.15)
            # Half the bytes in the repository; one stays as it is, so that both are read.
            if name != "distilbert":
                parameter.copy_(parameter.half())
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    # A copy: what the model keeps for itself, RoPE's frequencies above all, must not lose its digits.
    (model if name == "distilbert" else copy.deepcopy(model).half()).save_pretrained(folder)
    if model_type == "nomic_bert":
        as_published(folder / "config.json", config)
    tokenizer = tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write = lambda path, value: (folder / path).write_text(json.dumps(value) + "\n")
    named = {"cls": ("[CLS]", "<s>"), "sep": ("[SEP]", "</s>"), "pad": ("[PAD]", "<pad>"), "unk": ("[UNK]", "<unk>")}
    has = lambda texts: next((text for text in texts if tokenizer.token_to_id(text) is not None), None)
    special = {f"{key}_token": has(texts) for key, texts in named.items() if has(texts)}
    write("tokenizer_config.json", {"model_max_length": 110, **special})
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    modules += [(kind, f"{i + 2}_{kind}") for i, kind in enumerate(further)]
    write("modules.json", [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                           for i, (kind, path) in enumerate(modules)])
    write("config_sentence_transformers.json", {"prompts": {"query": "search: ", "document": ""},
                                                "default_prompt_name": None})
    write("sentence_bert_config.json", {"max_seq_length": 100, "do_lower_case": False})
    (folder / "1_Pooling").mkdir(exist_ok=True)
    width = config.hidden_size
    write("1_Pooling/config.json", {"word_embedding_dimension": width,
                                    **{switch: mode in modes for mode, switch in SWITCHES.items()}})
    dense = None
    if "Dense" in further:
        (folder / "2_Dense").mkdir(exist_ok=True)
        dense = torch.nn.Linear(width * len(modes), 24)
        write("2_Dense/config.json", {"in_features": width * len(modes), "out_features": 24, "bias": True,
                                      "activation_function": "torch.nn.modules.activation.Tanh"})
        save_file({"linear." + key: value.contiguous() for key, value in dense.state_dict().items()},
                  folder / "2_Dense/model.safetensors")
    texts = []
    with torch.no_grad():
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            states = model(torch.tensor([ids])).last_hidden_state[0]
            # sentence-transformers joins the modes in this order.
            ordered = [mode for mode in ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
                       if mode in modes]
            vector = torch.cat([pooled(mode, states) for mode in ordered])
            if dense is not None:
                vector = torch.tanh(dense(vector))
            if "Normalize" in further:
                vector = torch.nn.functional.normalize(vector, dim=0)
            texts.append({"text": text, "tokens": len(ids), "vector": [float(f"{v:.8g}") for v in vector.tolist()]})
    (folder / "expected.json").write_text(json.dumps({"texts": texts}) + "\n")
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, {len(ids)} tokens")


if __name__ == "__main__":
    failed = False
    for name in sys.argv[1:] or MODELS:
        try:
            make(name)
        except Exception as error:  # one family must not keep the others from being made
            failed = True
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(failed)
