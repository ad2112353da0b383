#!/usr/bin/env python3
"""Writes tests/golden/kernels/dequantize.bin: random blocks of every weight type with the values that the PyPI package
`gguf` (0.19.0) gives for them.

Format, little endian: for each type a line "NAME block_bytes_in_all values\n", the blocks, then the values as F32.
"""
import pathlib
import sys

import gguf
import numpy as np

BLOCKS = {"F32": 64, "F16": 64, "BF16": 64, "Q4_0": 6, "Q4_1": 6, "Q5_0": 6, "Q5_1": 6, "Q8_0": 6, "Q2_K": 3,
          "Q3_K": 3, "Q4_K": 3, "Q5_K": 3, "Q6_K": 3, "IQ4_NL": 6, "IQ4_XS": 3}
# Where F16 scales stand in a block: they get sane values, all else is random bits.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}


def main() -> None:
    out_path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/kernels/dequantize.bin")
    random = np.random.default_rng(20240601)
    with out_path.open("wb") as out:
        for name, count in BLOCKS.items():
            kind = gguf.GGMLQuantizationType[name]
            _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
            if name in ("F32", "F16", "BF16"):
                values = random.normal(size=count).astype(np.float32)
                blocks = gguf.quants.quantize(values, kind).view(np.uint8).reshape(-1)
            else:
                blocks = random.integers(0, 256, size=(count, block_bytes), dtype=np.uint8)
                for offset in SCALES[name]:
                    scales = random.normal(scale=0.05, size=count).astype(np.float16)
                    blocks[:, offset:offset + 2] = scales.reshape(-1, 1).view(np.uint8)
                blocks = blocks.reshape(-1)
            wanted = gguf.quants.dequantize(blocks, kind).astype("<f4").reshape(-1)
            out.write(f"{name} {blocks.size} {wanted.size}\n".encode())
            out.write(blocks.tobytes())
            out.write(wanted.tobytes())


if __name__ == "__main__":
    main()
