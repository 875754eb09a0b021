#!/usr/bin/env python3
"""Makes NAME.gguf of the folders that make.py made, with llama.cpp's own converter.

    pip install torch transformers sentencepiece gguf
    python tests/embeddings/convert.py FOLDER-OF-LLAMA.CPP [NAME...]

The converter knows vocabularies by a hash of what they make of a text, and ours are of nobody: it is told "gpt-2".
Weights are F16, as the folders have them.
"""

import json
import pathlib
import runpy
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
NAMES = ["bert", "xlm-roberta", "modernbert", "nomic-bert"]


def sentence_piece(folder):
    """The vocabulary of tokenizer.json as the file that the converter reads: other numbers, and no mask."""
    from sentencepiece import sentencepiece_model_pb2 as proto

    pieces = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    model = proto.ModelProto()
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3}
    for piece, score in [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0], *pieces[4:-1]]:
        model.pieces.add(piece=piece, score=score, type=kinds.get(piece, 1))
    model.trainer_spec.model_type = 1
    model.normalizer_spec.name = "identity"
    (folder / "sentencepiece.bpe.model").write_bytes(model.SerializeToString())


def both_names(folder):
    """Newer transformers, which the converter reads configurations with, do not know the published names."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config |= dict(hidden_size=config["n_embd"], num_attention_heads=config["n_head"],
                   num_hidden_layers=config["n_layer"], intermediate_size=config["n_inner"],
                   layer_norm_eps=config["layer_norm_epsilon"])
    path.write_text(json.dumps(config))


def convert(llama_cpp, name):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / name
        shutil.copytree(HERE / name, folder)
        if name == "xlm-roberta":
            sentence_piece(folder)
        if name == "nomic-bert":
            both_names(folder)
        sys.argv = ["convert", str(folder), "--outtype", "f16", "--outfile", str(HERE / f"{name}.gguf")]
        try:
            runpy.run_path(str(llama_cpp / "convert_hf_to_gguf.py"), run_name="__main__")
        except SystemExit as end:
            assert not end.code, end


if __name__ == "__main__":
    llama_cpp = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or NAMES
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    from conversion import base

    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    for name in names:
        convert(llama_cpp, name)
