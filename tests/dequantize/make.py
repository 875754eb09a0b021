#!/usr/bin/env python3
"""Makes expected.json: what the `gguf` package's own dequantization makes of pseudo-random blocks.

    pip install gguf
    python tests/dequantize/make.py

The bytes are the high bytes of x = 1664525 x + 1013904223 mod 2^32 from x = 1 on, enough for 1000 blocks of each
type, so that every point of every table is met. Of the float32 values there are the first 64 (null for what is no
number) and the SHA-256 of all in little-endian order, every not-a-number written as 0x7fc00000.
"""

import hashlib
import json
import pathlib

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS IQ3_XXS IQ3_S IQ2_XXS IQ2_XS IQ2_S IQ1_S " \
        "IQ1_M TQ1_0 TQ2_0 MXFP4"


def pseudo_random(count):
    x, out = 1, bytearray()
    for _ in range(count):
        x = (1664525 * x + 1013904223) % 2**32
        out.append(x >> 24)
    return numpy.frombuffer(bytes(out), dtype=numpy.uint8)


expected = {}
for name in TYPES.split():
    kind = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[kind]
    with numpy.errstate(all="ignore"):
        values = dequantize(pseudo_random(1000 * size).reshape(1000, size), kind).reshape(-1).astype("<f4")
    numbers = ~numpy.isnan(values)
    bits = numpy.where(numbers, values.view("<u4"), numpy.uint32(0x7FC00000)).astype("<u4")
    first = [float(f"{v:.9g}") if n else None for v, n in zip(values[:64], numbers[:64])]
    expected[name] = {"first": first, "sha256": hashlib.sha256(bits.tobytes()).hexdigest()}
lines = ",\n".join(f'"{name}": {json.dumps(case)}' for name, case in expected.items())
pathlib.Path(__file__).with_name("expected.json").write_text("{\n" + lines + "\n}\n")
