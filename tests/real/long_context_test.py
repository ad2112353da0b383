"""A context of 32K tokens on a real model: needles are found at several depths, and memory grows by keys and values only.

    PINGTI_BINARY=build/release/pingti PINGTI_MODELS=FOLDER python3 tests/real/long_context_test.py [f16 q8]

One haystack holds a needle at each depth; it is read once for each type of KV (minutes on two cores) and each question finds
it in the prefix cache. Exit code 77: skipped, with the reason.
"""
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

MODEL = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
CONTEXT = 32768
ROOM = 200              # tokens for the template, a question and its answer
DEPTHS = (5, 25, 50, 75, 95)  # percent
CITIES = ("Lisbon", "Oslo", "Nairobi", "Kyoto", "Quito")
CODES = (48213, 90571, 17386, 65094, 32748)
SECONDS_MAX = 1500      # of one answer
NEEDLES_MIN = 3         # of the five
GROWTH_MAX = 96 << 20   # bytes beyond keys and values, from a short prompt to the longest


def sentences(seed=5):
    draw = random.Random(seed)
    subjects = "the gardener, a teacher, the old captain, my neighbour, the baker, a young painter, the librarian, the clockmaker".split(", ")
    verbs = "walked to, wrote about, looked at, told a story of, forgot, drew a map of, dreamed of, sold".split(", ")
    objects = "the quiet harbour, a wooden bridge, the winter market, an empty theatre, the long valley, a box of letters, the yellow house".split(", ")
    ends = "before the rain came, in the early morning, while the bells rang, after the last train, without a word, for the third time".split(", ")
    while True:
        yield f"{draw.choice(subjects).capitalize()} {draw.choice(verbs)} {draw.choice(objects)} {draw.choice(ends)}. "


def needle(index):
    return f"Remember this: the access code of {CITIES[index]} is {CODES[index]}. "


def ask(server, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_MAX)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 200, f"{path}: {response.status} {text[:300]}"
    return json.loads(text)


def count(server, text):
    return ask(server, "/tokenize", {"prompt": text, "add_special_tokens": False})["count"]


def haystack(server, tokens):
    """About so many tokens of sentences, with the needles at their depths."""
    source = sentences()
    sample = "".join(next(source) for _ in range(400))
    each = count(server, sample) / 400
    lines = [next(source) for _ in range(int(tokens / each))]
    for index, depth in enumerate(DEPTHS):
        lines.insert(len(lines) * depth // 100, needle(index))
    while count(server, "".join(lines)) > tokens:
        del lines[len(lines) // 3]
    return "".join(lines)


def answer(server, text, question):
    content = f"{text}\n\n{question}"
    began = time.monotonic()
    got = ask(server, "/v1/chat/completions", {"messages": [{"role": "user", "content": content}], "max_tokens": 24, "temperature": 0})
    return got["choices"][0]["message"]["content"], got["usage"], time.monotonic() - began


def resident_beyond_kv(server, bytes_per_token):
    blocks = server.metric("pingti_kv_blocks_used") + server.metric("pingti_kv_blocks_cached")
    kv = blocks * 32 * bytes_per_token
    return server.metric("process_resident_memory_bytes") - kv, kv


def plan(model, kv_type):
    done = subprocess.run([harness.binary(), "doctor", "--model", model, "--kv-type", kv_type, "--context-length", str(CONTEXT), "--json"],
                          stdout=subprocess.PIPE, check=False, text=True)
    return json.loads(done.stdout)["model"]


def one_type(model, kv_type):
    needs = plan(model, kv_type)
    per_token = needs["kv_bytes_per_token"]
    print(f"{kv_type}: plan: weights {needs['weight_bytes'] / 2**20:.0f} MiB, KV {per_token} bytes a token, "
          f"{per_token * CONTEXT / 2**20:.0f} MiB at {CONTEXT} tokens", flush=True)
    with harness.Server("--kv-type", kv_type, "--context-length", str(CONTEXT), "--max-batch-size", "4", model=model) as server:
        answer(server, haystack(server, 1500), "Say yes.")
        short, _ = resident_beyond_kv(server, per_token)
        text = haystack(server, CONTEXT - ROOM)
        found = []
        for index, depth in enumerate(DEPTHS):
            said, usage, seconds = answer(server, text, f"What is the access code of {CITIES[index]}? Answer with the number only.")
            found.append(str(CODES[index]) in said)
            print(f"{kv_type}: depth {depth} %: {'found' if found[-1] else 'NOT found'} ({said.strip()[:40]!r}; {usage['prompt_tokens']} tokens, "
                  f"{usage['prompt_tokens_details']['cached_tokens']} cached, {seconds:.1f} s)", flush=True)
            assert usage["prompt_tokens"] > CONTEXT - 2 * ROOM
            assert index == 0 or usage["prompt_tokens_details"]["cached_tokens"] > CONTEXT - 2 * ROOM
        long, kv = resident_beyond_kv(server, per_token)
        print(f"{kv_type}: KV in use {kv / 2**20:.0f} MiB; resident beyond it {short / 2**20:.0f} MiB after 1,500 tokens, "
              f"{long / 2**20:.0f} MiB after {CONTEXT}", flush=True)
        assert long - short < GROWTH_MAX, f"memory grows with the prompt: {(long - short) / 2**20:.0f} MiB beyond KV"
    return found


def main():
    folder = os.environ.get("PINGTI_MODELS")
    if not folder or not (pathlib.Path(folder) / MODEL).exists():
        harness.skip(f"PINGTI_MODELS names no folder with {MODEL}")
    found = {kv_type: one_type(str(pathlib.Path(folder) / MODEL), kv_type) for kv_type in (sys.argv[1:] or ["f16", "q8"])}
    for kv_type, hits in found.items():
        print(f"{kv_type}: {sum(hits)} of {len(hits)} needles")
        assert sum(hits) >= NEEDLES_MIN, f"{kv_type}: {sum(hits)} of {len(hits)} needles found"


if __name__ == "__main__":
    main()
