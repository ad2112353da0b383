#!/usr/bin/env python3
"""The tokenizer beside the Python package tokenizers, on the same vocabulary and texts: MB/s and their ratio, ids compared.

    cmake --build --preset release --target tokenizer_bench
    .deps/venv/bin/python bench/text/tokenizer_bench.py MODEL.gguf ...     # byte-level BPE of any GGUF file

Texts: this repository's English, Chinese and code, one megabyte of each at most. Both run on one thread, in turns. Prints a
table; exits with 1 where the ids differ, with 77 where a package is missing. Needs tokenizers and gguf (setup/pypi-test.txt).
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
# The patterns need no tables of a certain Unicode version, which is what the tools import it for.
sys.modules.setdefault("unicodedata2", unicodedata)
try:
    import gguf
    from make_tokenizer_golden import PATTERNS, split_sequence
    from tokenizers import Tokenizer, models, pre_tokenizers
except ImportError as error:
    print(f"SKIP: {error}")
    sys.exit(77)

TEXT_BYTES_MAX = 1_000_000
ROUNDS = 9
SAME_PATTERN = {"deepseek-r1-qwen": "qwen2", "llama-v3": "llama-bpe", "llama3": "llama-bpe"}
WHOLE_WORDS_FIRST = {"llama-bpe", "llama-v3", "llama3"}


def texts():
    """Name -> text of this repository's files."""
    def joined(paths, keep=lambda text: text):
        return "".join(keep(path.read_text(encoding="utf-8")) for path in sorted(paths))[:TEXT_BYTES_MAX]
    han = re.compile(r"[^\n]*[\u4e00-\u9fff][^\n]*\n?")
    documents = [path for path in ROOT.glob("*.md")] + list((ROOT / "docs").rglob("*.md"))
    return {"English": joined(path for path in documents if "zh" not in path.name),
            "Chinese": joined([*documents, *(ROOT / "web").glob("i18n.js"), *(ROOT / "setup").glob("*.sh")],
                              lambda text: "".join(han.findall(text))),
            "code": joined(list((ROOT / "src").rglob("*.cc")))}


def peer_of(path):
    fields = gguf.GGUFReader(path).fields
    def read(key):
        return fields[f"tokenizer.ggml.{key}"].contents()
    if read("model") != "gpt2":
        sys.exit(f"{path}: its tokenizer is {read('model')}, wanted gpt2 (byte-level BPE)")
    pre = SAME_PATTERN.get(read("pre"), read("pre"))
    merges = []
    for rule in read("merges"):
        space = rule.index(" ", 1)
        merges.append((rule[:space], rule[space + 1:]))
    vocabulary = {token: number for number, token in enumerate(read("tokens"))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=read("pre") in WHOLE_WORDS_FIRST))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split_sequence(PATTERNS[pre]), byte_level])
    return tokenizer


def peer_speed(tokenizer, text):
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        seconds.append(time.perf_counter() - begin)
    return ids, len(text.encode()) / sorted(seconds)[ROUNDS // 2] / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", default=ROOT / "build/release/bench/tokenizer_bench")
    parser.add_argument("vocabularies", nargs="+")
    options = parser.parse_args()
    differ = 0
    print("| vocabulary | text | KB | tokens | pingti, MB/s | tokenizers, MB/s | ratio |")
    print("| --- | --- | --: | --: | --: | --: | --: |")
    for path in options.vocabularies:
        tokenizer = peer_of(path)
        for name, text in texts().items():
            with tempfile.NamedTemporaryFile() as file:
                file.write(text.encode())
                file.flush()
                done = subprocess.run([options.tool, path, file.name], capture_output=True, text=True, check=True)
            ours = json.loads(done.stdout)
            ids, speed = peer_speed(tokenizer, text)
            if ids != list(map(int, done.stderr.split())):
                differ += 1
                print(f"{path}: the ids of the {name} text differ")
            print(f"| {Path(path).stem} | {name} | {ours['bytes'] // 1000} | {ours['tokens']} | {ours['mb_per_s']:.1f} | {speed:.1f} "
                  f"| {ours['mb_per_s'] / speed:.1f}x |")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
