#!/usr/bin/env python3
"""How close the engine's logits are to the F32 model, beside llama.cpp's on the same file.

    python3 tests/real/accuracy.py --logits build/release/tests/real/real_logits [MODEL.gguf ...]

On the 20 prompts of prompts.json (teacher-forced, all positions): mean KL divergence to the F32 reference of the same
dequantised weights, agreement on the best token; on all of them as one text: perplexity. Fails (exit status 1) where
the engine's KL is above 1.02x llama.cpp's, its agreement is lower, or its perplexity is more than 0.5 % from llama.cpp's
and not nearer to the reference's (llama.cpp's own is 0.8 % off on Qwen2.5-Coder-1.5B). Models: the arguments, or all
*.gguf of $PINGTI_MODELS. Exit status 77: skipped, with the reason. Needs numpy, gguf, llama-cpp-python.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError as error:
    print(f"SKIP: {error}")
    sys.exit(77)

HERE = Path(__file__).resolve().parent
SKIPPED = 77
KL_RATIO_MAX = 1.02
PERPLEXITY_RATIO = 0.005
POSITIONS_MIN, POSITIONS_MAX = 64, 128
TEXT_TOKENS = 1024
OURS = ("prompts", "answers")


class Ours:
    def __init__(self, tool, model, kv_type, rows):
        self.process = subprocess.Popen([tool, model, kv_type, rows], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def logits(self, tokens, vocab):
        self.process.stdin.write((" ".join(map(str, tokens)) + "\n").encode())
        self.process.stdin.flush()
        data = self.process.stdout.read(len(tokens) * vocab * 4)
        assert len(data) == len(tokens) * vocab * 4, "real_logits ended early"
        return np.frombuffer(data, np.float32).reshape(len(tokens), vocab)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class LlamaCpp:
    def __init__(self, model):
        import llama_cpp
        self.llm = llama_cpp.Llama(model, n_ctx=TEXT_TOKENS + 8, n_batch=256, logits_all=True, verbose=False,
                                   n_threads=os.cpu_count(), n_threads_batch=os.cpu_count())

    def tokens(self, text):
        return self.llm.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, tokens, vocab):
        self.llm.reset()
        self.llm.eval(tokens)
        return np.array(self.llm.scores[:len(tokens), :vocab], np.float32)

    def close(self):
        self.llm.close()


def log_softmax(logits):
    x = logits.astype(np.float64)
    x -= x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def compare(wanted, found):
    """Of each position: KL(wanted || found[engine]), whether the best token is the same. Row by row: less memory."""
    divergences, agreements = {name: [] for name in found}, {name: [] for name in found}
    for i, row in enumerate(wanted):
        p = log_softmax(row)
        for name, logits in found.items():
            divergences[name].append((np.exp(p) * (p - log_softmax(logits[i]))).sum())
            agreements[name].append(row.argmax() == logits[i].argmax())
    return divergences, agreements


def perplexity(logits, tokens):
    # Row by row: a vocabulary of 150,000 in double precision is 1.2 MB.
    lp = [log_softmax(row)[token] for row, token in zip(logits, tokens[1:])]
    return float(np.exp(-np.mean(lp)))


def measure(path, tool, kv_type):
    from reference import Reference
    theirs = LlamaCpp(path)
    texts = [p["text"] for p in json.loads((HERE / "prompts.json").read_text())]
    prompts = [theirs.tokens(text)[:POSITIONS_MAX] for text in texts]
    assert min(map(len, prompts)) >= POSITIONS_MIN, f"a prompt has only {min(map(len, prompts))} tokens"
    reference = Reference(path)
    vocab = reference.tensors["token_embd.weight"].shape[1]
    result = {"model": Path(path).name, "kv": kv_type, "positions": sum(map(len, prompts))}
    # A prompt's rows and an answer's may be computed in different ways (src/ops/batch.h).
    engines = {rows: Ours(tool, path, kv_type, rows) for rows in OURS} | {"theirs": theirs}
    divergences, agreements = {name: [] for name in engines}, {name: [] for name in engines}
    text = theirs.tokens("\n\n".join(texts))[:TEXT_TOKENS]
    exact = reference.logits([*prompts, text])
    for prompt, wanted in zip(prompts, exact):
        of_prompt = compare(wanted, {name: engine.logits(prompt, vocab) for name, engine in engines.items()})
        for name in engines:
            divergences[name] += of_prompt[0][name]
            agreements[name] += of_prompt[1][name]
    result["perplexity_exact"] = perplexity(next(exact), text)
    for name, engine in engines.items():
        result[f"kl_{name}"] = float(np.mean(divergences[name]))
        result[f"top1_{name}"] = float(np.mean(agreements[name]))
        result[f"perplexity_{name}"] = perplexity(engine.logits(text, vocab), text)
    for engine in engines.values():
        engine.close()
    return result


def problems(r):
    found = []
    theirs, exact = r["perplexity_theirs"], r["perplexity_exact"]
    for rows in OURS:
        if r[f"kl_{rows}"] > KL_RATIO_MAX * r["kl_theirs"]:
            found.append(f"{rows}: KL {r[f'kl_{rows}']:.6f} is above {KL_RATIO_MAX} x {r['kl_theirs']:.6f}")
        if r[f"top1_{rows}"] < r["top1_theirs"]:
            found.append(f"{rows}: top-1 agreement {r[f'top1_{rows}']:.4f} is below {r['top1_theirs']:.4f}")
        ours = r[f"perplexity_{rows}"]
        if abs(ours / theirs - 1) > PERPLEXITY_RATIO and abs(ours - exact) > abs(theirs - exact):
            found.append(f"{rows}: perplexity {ours:.4f}, llama.cpp's {theirs:.4f}, the F32 reference's {exact:.4f}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--logits", required=True, help="the real_logits program")
    parser.add_argument("--kv", default="f16")
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    folder = os.environ.get("PINGTI_MODELS")
    models = args.models or (sorted(map(str, Path(folder).glob("*.gguf"))) if folder else [])
    if not models:
        print("SKIP: PINGTI_MODELS names no folder with models")
        return SKIPPED
    try:
        import gguf  # noqa: F401
        import llama_cpp  # noqa: F401
    except ImportError as error:
        print(f"SKIP: {error}")
        return SKIPPED
    results, failed = [], False
    for model in models:
        result = measure(model, args.logits, args.kv)
        result["problems"] = problems(result)
        failed |= bool(result["problems"])
        results.append(result)
        print(json.dumps(result, indent=1), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
