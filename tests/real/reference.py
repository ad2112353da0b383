"""The F32 reference of a GGUF file's own (dequantised) weights, in numpy, independent of the engine: families llama and
qwen2. All prompts go through a layer together, so that one layer's weights are in memory at a time.
"""
import gguf
import numpy as np
from gguf.quants import dequantize


class Reference:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.tensors = {t.name: t for t in reader.tensors}
        self.fields = reader.fields
        self.arch = self.field("general.architecture")
        key = lambda name, *default: self.field(f"{self.arch}.{name}", *default)  # noqa: E731
        self.layers, self.heads = key("block_count"), key("attention.head_count")
        self.kv_heads = key("attention.head_count_kv", self.heads)
        self.hidden, self.epsilon = key("embedding_length"), key("attention.layer_norm_rms_epsilon")
        self.head_dim = key("attention.key_length", self.hidden // self.heads)
        self.rope_base = key("rope.freq_base", 10000.0)
        assert self.arch in ("llama", "qwen2") and "rope_freqs.weight" not in self.tensors

    def field(self, key, *default):
        if key not in self.fields and default:
            return default[0]
        return self.fields[key].contents()

    def weight(self, name):
        t = self.tensors[name]
        return dequantize(t.data, t.tensor_type).astype(np.float32)

    def norm(self, x, name):
        x = x.astype(np.float64)
        scaled = x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon)
        return (scaled * self.weight(name)).astype(np.float32)

    def linear(self, x, name):
        y = x @ self.weight(name + ".weight").T
        return y + self.weight(name + ".bias") if name + ".bias" in self.tensors else y

    def rope(self, x):  # [positions, heads, head_dim]
        half = self.head_dim // 2
        angle = np.arange(len(x))[:, None] * self.rope_base ** (-np.arange(half) * 2.0 / self.head_dim)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        if self.arch == "llama":  # interleaved pairs
            a, b = x[..., 0::2], x[..., 1::2]
        else:
            a, b = x[..., :half], x[..., half:]
        out = np.empty_like(x)
        if self.arch == "llama":
            out[..., 0::2], out[..., 1::2] = a * cos - b * sin, a * sin + b * cos
        else:
            out[..., :half], out[..., half:] = a * cos - b * sin, a * sin + b * cos
        return out

    def attention(self, q, k, v):
        n = len(q)
        q = self.rope(q.reshape(n, self.heads, -1)).transpose(1, 0, 2).astype(np.float64)
        k = self.rope(k.reshape(n, self.kv_heads, -1)).transpose(1, 0, 2).astype(np.float64)
        v = v.reshape(n, self.kv_heads, -1).transpose(1, 0, 2).astype(np.float64)
        group = self.heads // self.kv_heads
        scores = q @ np.repeat(k, group, 0).transpose(0, 2, 1) / np.sqrt(self.head_dim)
        scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        out = weights @ np.repeat(v, group, 0)
        return out.transpose(1, 0, 2).reshape(n, -1).astype(np.float32)

    def hidden_states(self, prompts):
        """Normed outputs of the last layer of all prompts' tokens, one prompt after the other."""
        ends = np.cumsum([len(p) for p in prompts])
        x = self.weight("token_embd.weight")[np.concatenate(prompts)]
        for i in range(self.layers):
            blk = f"blk.{i}."
            n = self.norm(x, blk + "attn_norm.weight")
            qkv = [self.linear(n, blk + name) for name in ("attn_q", "attn_k", "attn_v")]
            parts = [self.attention(*(m[end - len(p):end] for m in qkv)) for p, end in zip(prompts, ends)]
            x = x + self.linear(np.concatenate(parts), blk + "attn_output")
            n = self.norm(x, blk + "ffn_norm.weight")
            gate = self.linear(n, blk + "ffn_gate")
            x = x + self.linear(gate / (1 + np.exp(-gate)) * self.linear(n, blk + "ffn_up"), blk + "ffn_down")
        return self.norm(x, "output_norm.weight")

    def logits(self, prompts):
        """Yields [positions, vocab] for each prompt."""
        states = self.hidden_states(prompts)
        head = self.weight("output.weight" if "output.weight" in self.tensors else "token_embd.weight")
        begin = 0
        for prompt in prompts:
            yield states[begin:begin + len(prompt)] @ head.T
            begin += len(prompt)
