#!/usr/bin/env python3
"""Writes the golden models: tiny seeded random models per family, with a trusted reference's logits.

Development-time only: needs torch, transformers, numpy and gguf (tests read the files that it has written).

    python3 tools/make_golden.py [family[/case] ...]

Each case is a folder tests/golden/models/FAMILY/CASE with
  model.gguf      at most 300 KB, tensors named and permuted as the converters for GGUF do
  expected.json   prompt, logits at some of its positions, the 16 tokens of greedy decoding after it
The reference runs in double precision on the weights as the file holds them (rounded or dequantised).
"""
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

ROOT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "models"
BYTES_MAX = 300_000
PROMPT_TOKENS = 40  # more than one KV block of 32
GREEDY_TOKENS = 16
LOGITS_EVERY = 3
# Greedy tokens are comparable only where the best logit leads clearly: seeds are tried until this holds.
MARGIN = {"F32": 0.02, "F16": 0.02, "BF16": 0.02}
MARGIN_QUANTISED = 0.08
SEEDS_MAX = 400


@dataclass
class Case:
    name: str
    type: str = "F16"                 # of the matrices
    down_type: str | None = None      # of ffn_down and attn_v, where another
    embedding_type: str | None = None
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    feed_forward: int = 128
    vocab: int = 256
    tied: bool = False
    bias: bool = False
    rope: dict = field(default_factory=lambda: {"rope_type": "default", "rope_theta": 10000.0})
    context: int = 256


WIDE = dict(hidden=256, layers=1, heads=4, kv_heads=1, head_dim=64, feed_forward=256, vocab=128, tied=True)
SMALL = dict(feed_forward=64, vocab=160)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}

FAMILIES = {
    "llama": [
        Case("f32", "F32", **SMALL),
        Case("f16_tied", "F16", tied=True),
        Case("bf16", "BF16", bias=True),
        Case("head_dim", "F16", heads=4, kv_heads=2, head_dim=32),
        Case("rope_llama3", rope=LLAMA3),
        Case("rope_yarn", rope=YARN),
        Case("rope_linear", rope=LINEAR),
        Case("q4_0", "Q4_0"),
        Case("q4_1", "Q4_1", tied=True),
        Case("q5_0", "Q5_0"),
        Case("q5_1", "Q5_1"),
        Case("q8_0", "Q8_0"),
        Case("iq4_nl", "IQ4_NL"),
        Case("q2_k", "Q2_K", **WIDE),
        Case("q3_k", "Q3_K", **WIDE),
        Case("q4_k_m", "Q4_K", "Q6_K", "Q6_K", **WIDE),
        Case("q5_k_m", "Q5_K", "Q6_K", "Q6_K", **WIDE),
        Case("iq4_xs", "IQ4_XS", **WIDE),
    ],
    "qwen2": [
        Case("f32", "F32", **SMALL),
        Case("f32_tied", "F32", tied=True, **SMALL),
        Case("bf16", "BF16"),
        Case("q8_0", "Q8_0", tied=True),
        Case("q4_k_m", "Q4_K", "Q6_K", "Q6_K", **WIDE),
        Case("rope_yarn", rope=YARN, tied=True),
    ],
}


def random_blocks(rng, shape, kind):
    """Quantised blocks of random bits with small scales: what no quantiser in Python writes."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    # (offset of an f16 in the block, its value)
    scales = {Type.Q2_K: [(80, 0.02), (82, 0.03)], Type.Q3_K: [(108, 0.0016)], Type.Q4_K: [(0, 0.0006), (2, 0.0043)],
              Type.Q5_K: [(0, 0.0003), (2, 0.0043)], Type.Q6_K: [(208, 0.00005)], Type.IQ4_XS: [(0, 0.00005)],
              Type.IQ4_NL: [(0, 0.0017)]}[kind]
    for offset, scale in scales:
        values = np.float16(scale * rng.uniform(0.7, 1.3, raw.shape[:2]))
        raw[:, :, offset:offset + 2] = values[..., None].view(np.uint8)
    return raw.reshape(shape[0], -1)


def normalise_scale(raw, kind, std):
    """Multiplies the f16 scales so that the weights have about the wanted standard deviation."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = raw.reshape(raw.shape[0], -1, size).copy()
    factor = std / dequantize(raw, kind).std()
    offsets = {Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,),
               Type.IQ4_XS: (0,), Type.IQ4_NL: (0,)}[kind]
    for offset in offsets:
        scale = np.ascontiguousarray(blocks[:, :, offset:offset + 2]).view(np.float16).astype(np.float32) * factor
        blocks[:, :, offset:offset + 2] = scale.astype(np.float16).view(np.uint8)
    return blocks.reshape(raw.shape)


class Weights:
    """The tensors of one model: as the file holds them, and as the reference computes with them."""

    def __init__(self, case, seed):
        self.case, self.rng, self.file, self.values = case, np.random.default_rng(seed), {}, {}

    def matrix(self, name, rows, cols, type_name, std):
        kind = Type[type_name]
        if kind in (Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.IQ4_XS, Type.IQ4_NL):
            raw = normalise_scale(random_blocks(self.rng, (rows, cols), kind), kind, std)
        else:
            raw = quantize(self.rng.normal(0, std, (rows, cols)).astype(np.float32), kind)
        self.file[name] = (raw, kind)
        self.values[name] = dequantize(raw, kind).astype(np.float64).reshape(rows, cols)

    def vector(self, name, size, mean, std):
        data = self.rng.normal(mean, std, size).astype(np.float32)
        self.file[name] = (data, Type.F32)
        self.values[name] = data.astype(np.float64)


def make_weights(family, case, seed):
    w, c = Weights(case, seed), case
    fan = lambda n: 1.6 / math.sqrt(n)  # noqa: E731
    w.matrix("token_embd.weight", c.vocab, c.hidden, c.embedding_type or c.type, 1.0 if not c.tied else 0.35)
    w.vector("output_norm.weight", c.hidden, 1.0, 0.2)
    if not c.tied:
        w.matrix("output.weight", c.vocab, c.hidden, c.embedding_type or c.type, fan(c.hidden) * 1.5)
    for i in range(c.layers):
        blk, q, kv = f"blk.{i}.", c.heads * c.head_dim, c.kv_heads * c.head_dim
        w.vector(blk + "attn_norm.weight", c.hidden, 1.0, 0.2)
        w.vector(blk + "ffn_norm.weight", c.hidden, 1.0, 0.2)
        for name, rows in (("attn_q", q), ("attn_k", kv), ("attn_v", kv)):
            w.matrix(f"{blk}{name}.weight", rows, c.hidden,
                     c.down_type if name == "attn_v" and c.down_type else c.type, fan(c.hidden))
            if c.bias or family == "qwen2":
                w.vector(f"{blk}{name}.bias", rows, 0.0, 0.4)
        if c.bias:
            w.vector(f"{blk}attn_output.bias", c.hidden, 0.0, 0.2)
        w.matrix(blk + "attn_output.weight", c.hidden, q, c.type, fan(q))
        w.matrix(blk + "ffn_gate.weight", c.feed_forward, c.hidden, c.type, fan(c.hidden))
        w.matrix(blk + "ffn_up.weight", c.feed_forward, c.hidden, c.type, fan(c.hidden))
        w.matrix(blk + "ffn_down.weight", c.hidden, c.feed_forward, c.down_type or c.type, fan(c.feed_forward))
    return w


def unpermute(values, heads):
    """The inverse of what converters do to llama's q and k: interleaved pairs back to halves."""
    shape = values.shape
    return values.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


HF_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def reference_model(family, case, weights):
    common = dict(hidden_size=case.hidden, num_hidden_layers=case.layers, num_attention_heads=case.heads,
                  num_key_value_heads=case.kv_heads, intermediate_size=case.feed_forward, vocab_size=case.vocab,
                  tie_word_embeddings=case.tied, rms_norm_eps=1e-5, max_position_embeddings=case.context,
                  rope_parameters=dict(case.rope), attn_implementation="eager")
    if family == "llama":
        config = transformers.LlamaConfig(head_dim=case.head_dim, attention_bias=case.bias, **common)
        model = transformers.LlamaForCausalLM(config)
    else:
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**common))
    state = {}
    for name, values in weights.values.items():
        if name == "token_embd.weight":
            state["model.embed_tokens.weight"] = values
        elif name == "output.weight":
            state["lm_head.weight"] = values
        elif name == "output_norm.weight":
            state["model.norm.weight"] = values
        else:
            _, layer, part, kind = name.split(".")
            if family == "llama" and part in ("attn_q", "attn_k"):
                values = unpermute(values, case.heads if part == "attn_q" else case.kv_heads)
            state[f"model.layers.{layer}.{HF_NAMES[part]}.{kind}"] = values
    if case.tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = model.double()
    model.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in state.items()}, strict=True)
    return model.eval()


def llama3_factors(case):
    """What converters store as rope_freqs.weight: each inverse frequency is divided by its factor."""
    r = case.rope
    old = r["original_max_position_embeddings"]
    low, high = old / r["low_freq_factor"], old / r["high_freq_factor"]
    factors = []
    for i in range(0, case.head_dim, 2):
        wave = 2 * math.pi * r["rope_theta"] ** (i / case.head_dim)
        if wave < high:
            factors.append(1.0)
        elif wave > low:
            factors.append(r["factor"])
        else:
            smooth = (old / wave - r["low_freq_factor"]) / (r["high_freq_factor"] - r["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / r["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write_gguf(path, family, case, weights):
    w = gguf.GGUFWriter(path, family)
    w.add_name(f"golden {family} {case.name}")
    w.add_context_length(case.context)
    w.add_embedding_length(case.hidden)
    w.add_block_count(case.layers)
    w.add_feed_forward_length(case.feed_forward)
    w.add_head_count(case.heads)
    w.add_head_count_kv(case.kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(case.vocab)
    w.add_rope_freq_base(case.rope["rope_theta"])
    w.add_rope_dimension_count(case.head_dim)
    if case.head_dim * case.heads != case.hidden:
        w.add_key_length(case.head_dim)
        w.add_value_length(case.head_dim)
    kind = case.rope["rope_type"]
    if kind in ("linear", "yarn"):
        w.add_rope_scaling_type(gguf.RopeScalingType(kind))
        w.add_rope_scaling_factor(case.rope["factor"])
    if kind == "yarn":
        w.add_rope_scaling_orig_ctx_len(case.rope["original_max_position_embeddings"])
    if kind == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(case))
    for name, (data, raw_type) in weights.file.items():
        if raw_type in (Type.F32, Type.F16):
            w.add_tensor(name, data)
        else:
            w.add_tensor(name, data, raw_dtype=raw_type)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


@torch.no_grad()
def run(model, prompt, margin):
    """Logits of the prompt, the greedy tokens after it and the least lead of a best logit (or None: below the margin)."""
    tokens, leads = list(prompt), []
    logits = model(torch.tensor([tokens])).logits[0].double()
    prompt_logits = logits
    for _ in range(GREEDY_TOKENS):
        best = torch.topk(logits[-1], 2).values
        leads.append((best[0] - best[1]).item())
        if leads[-1] < margin * prompt_logits.std().item():
            return None
        tokens.append(int(logits[-1].argmax()))
        logits = model(torch.tensor([tokens])).logits[0].double()
    return prompt_logits.numpy(), tokens[len(prompt):], min(leads)


def make_case(family, case):
    folder = ROOT / family / case.name
    folder.mkdir(parents=True, exist_ok=True)
    margin = MARGIN.get(case.type, MARGIN_QUANTISED)
    for seed in range(1, SEEDS_MAX):
        weights = make_weights(family, case, seed)
        prompt = [int(t) for t in weights.rng.integers(0, case.vocab, PROMPT_TOKENS)]
        result = run(reference_model(family, case, weights), prompt, margin)
        if result and len(set(result[1])) >= 6:
            break
    else:
        raise SystemExit(f"{family}/{case.name}: no seed gives leads of {margin}")
    logits, greedy, lead = result
    write_gguf(folder / "model.gguf", family, case, weights)
    positions = list(range(LOGITS_EVERY - 1, PROMPT_TOKENS, LOGITS_EVERY)) + [PROMPT_TOKENS - 1]
    positions = sorted(set(positions))
    expected = {
        "seed": seed, "reference": f"transformers {transformers.__version__}, double precision",
        "prompt": prompt, "greedy": greedy, "least_lead": round(lead, 4), "logits_std": round(float(logits.std()), 4),
        "positions": positions, "logits": [[float(f"{x:.6g}") for x in logits[p]] for p in positions],
    }
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")).replace("],[", "],\n[") + "\n")
    for name in ("model.gguf", "expected.json"):
        size = (folder / name).stat().st_size
        assert size <= BYTES_MAX, f"{folder / name}: {size} bytes"
    print(f"{family}/{case.name}: seed {seed}, std {logits.std():.3f}, least lead {lead:.3f}, "
          f"{(folder / 'model.gguf').stat().st_size} bytes, greedy {greedy[:6]}")


def main():
    torch.manual_seed(0)
    wanted = sys.argv[1:]
    for family, cases in FAMILIES.items():
        for case in cases:
            if not wanted or family in wanted or f"{family}/{case.name}" in wanted:
                make_case(family, case)


if __name__ == "__main__":
    main()
