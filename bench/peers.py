#!/usr/bin/env python3
"""pingti and llama.cpp (through llama-cpp-python) on the same GGUF file and threads, interleaved round by round.

    bench/peers.py [--model FILE.gguf] [--model OTHER.gguf] [--rounds 3] [--quick] [--json out.json] [--table out.md]
    bench/peers.py --http --model FILE.gguf --streams 1,16,32 --peer-server PATH/llama-server      (the two servers over HTTP)

Each round runs `pingti bench engine --rounds 1 --json`, then the peer, in processes of their own: what disturbs the machine
disturbs both. Both have KV caches of the same number of F16 positions (pingti fills its own, keeping prompts for reuse).
Printed: medians, the ratio of the medians with the least and greatest ratio of a round, and the share of the limits that
pingti measured in the same run. Run it with the Python that has llama_cpp (--python for another one); the
peer's own package should be built natively by the compiler that is better for it:
    CC=clang-19 CXX=clang++-19 CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python==0.3.36
The sources of its server are in the same package (vendor/llama.cpp; target llama-server).
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEER = "llama.cpp"
ROWS = ("prefill_512", "prefill_2048", "decode_0", "decode_4096", "batch_2", "batch_4", "batch_8", "batch_16", "batch_32",
        "first_token_512", "load_seconds", "peak_memory")
LOWER_IS_BETTER = {"first_token_512", "load_seconds", "peak_memory"}


def run_json(command, timeout=3600):
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=timeout)
    if done.returncode != 0:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, command))}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def positions_of(sizes):
    """Positions that the KV caches of both have room for: the deep prompt, or all sequences of the largest batch."""
    return max(4096 + 256, max(sizes + [1]) * 256)


def pingti_round(options, model, kv_bytes):
    command = [options.pingti, "bench", "engine", "--model", model, "--rounds", "1", "--json", "--threads", str(options.threads),
               "--kv-memory", str(kv_bytes)]
    if options.quick:
        command.append("--quick")
    elif options.batches:
        command += ["--sizes", ",".join(map(str, options.batches))]
    report = run_json(command)
    values = {row["name"]: row["median"] for row in report["rows"]}
    values["load_seconds"] = report["load_seconds"]
    values["peak_memory"] = report["peak_memory_bytes"] / 1e6
    shares = {row["name"]: row["share"] for row in report["rows"] if "share" in row}
    return values, shares, report


def peer_round(options, model):
    sizes = [8] if options.quick else options.batches
    return run_json([options.python, __file__, "--peer-round", model, "--threads", str(options.threads), "--batch-sizes",
                     ",".join(map(str, sizes))] + (["--quick"] if options.quick else []))


class LlamaCpp:
    """llama.cpp through its C functions, measured as `pingti bench engine` measures itself."""

    def __init__(self, path, threads, sequences, context):
        import llama_cpp
        self.lib = lib = llama_cpp
        lib.llama_log_set(self.quiet(), None)
        lib.llama_backend_init()
        self.model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        if not self.model:
            sys.exit(f"{PEER}: cannot load {path}")
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context, 2048, 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        if hasattr(params, "kv_unified"):
            params.kv_unified = True
        self.context = lib.llama_init_from_model(self.model, params)
        self.memory = lib.llama_get_memory(self.context)
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))

    def quiet(self):
        self.callback = self.lib.llama_log_callback(lambda level, text, data: None)
        return self.callback

    def clear(self):
        self.lib.llama_memory_clear(self.memory, True)

    def prefill(self, count):
        """Seconds for a prompt of `count` tokens."""
        import time
        tokens = (self.lib.llama_token * count)(*[100 + (i * 7919) % 1000 for i in range(count)])
        begin = time.perf_counter()
        for at in range(0, count, 2048):
            size = min(2048, count - at)
            piece = (self.lib.llama_token * size)(*tokens[at:at + size])
            assert self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(piece, size)) == 0
        self.lib.llama_synchronize(self.context)
        return time.perf_counter() - begin

    def greedy(self, index):
        """The likeliest token of an output, as pingti's greedy decoding takes it too."""
        import numpy
        logits = self.lib.llama_get_logits_ith(self.context, index)
        return int(numpy.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())

    def decode(self, count):
        """Tokens a second of `count` single tokens after what is in the cache."""
        import time
        token = 100
        begin = time.perf_counter()
        for _ in range(count):
            piece = (self.lib.llama_token * 1)(token)
            assert self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(piece, 1)) == 0
            token = self.greedy(-1)
        return count / (time.perf_counter() - begin)

    def batch(self, sequences, prompt, count):
        """Aggregate tokens a second of `sequences` at once, after prompts of `prompt` tokens each."""
        import time
        lib = self.lib
        batch = lib.llama_batch_init(2048, 0, 1)

        def add(token, position, sequence, output):
            i = batch.n_tokens
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, output
            batch.seq_id[i][0] = sequence
            batch.n_tokens += 1

        for sequence in range(sequences):
            batch.n_tokens = 0
            for position in range(prompt):
                add(100 + (sequence * 131 + position * 7919) % 1000, position, sequence, position == prompt - 1)
            assert lib.llama_decode(self.context, batch) == 0
        tokens = [100 + sequence for sequence in range(sequences)]
        begin = time.perf_counter()
        for step in range(count):
            batch.n_tokens = 0
            for sequence in range(sequences):
                add(tokens[sequence], prompt + step, sequence, True)
            assert lib.llama_decode(self.context, batch) == 0
            tokens = [self.greedy(i) for i in range(sequences)]
        rate = sequences * count / (time.perf_counter() - begin)
        lib.llama_batch_free(batch)
        return rate


def print_kv_bytes(path, sizes):
    """Bytes of an F16 KV cache with room for the peer's positions, as the peer counts them."""
    import llama_cpp as lib
    quiet = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(quiet, None)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    head = lib.llama_model_n_embd(model) // lib.llama_model_n_head(model)
    position = 2 * 2 * lib.llama_model_n_layer(model) * lib.llama_model_n_head_kv(model) * head
    print(json.dumps({"kv_bytes": position * positions_of(sizes)}))


def peak_memory_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def peer_main(options):
    import time
    sizes = [int(size) for size in options.batch_sizes.split(",") if size]
    begin = time.perf_counter()
    peer = LlamaCpp(options.peer_round, options.threads, max(sizes + [1]), positions_of(sizes))
    values = {"load_seconds": time.perf_counter() - begin}
    peer.prefill(32)
    peer.clear()
    seconds = peer.prefill(512)
    values["prefill_512"], values["first_token_512"] = 512 / seconds, seconds * 1000
    peer.clear()
    if not options.quick:
        values["prefill_2048"] = 2048 / peer.prefill(2048)
        peer.clear()
    peer.prefill(1)
    values["decode_0"] = peer.decode(128)
    peer.clear()
    if not options.quick:
        peer.prefill(4096)
        values["decode_4096"] = peer.decode(128)
        peer.clear()
    for size in sizes:
        values[f"batch_{size}"] = peer.batch(size, 128, 128)
        peer.clear()
    values["peak_memory"] = peak_memory_mb()
    print(json.dumps(values))


def summary(model, ours, theirs, shares, report):
    rows = []
    for name in ROWS:
        if name not in ours[0] or name not in theirs[0]:
            continue
        mine, peers = [r[name] for r in ours], [r[name] for r in theirs]
        ratios = [p / m if name in LOWER_IS_BETTER else m / p for m, p in zip(mine, peers)]
        a, b = statistics.median(mine), statistics.median(peers)
        rows.append({"name": name, "pingti": a, "peer": b, "ratio": b / a if name in LOWER_IS_BETTER else a / b,
                     "ratio_min": min(ratios), "ratio_max": max(ratios), "pingti_values": mine, "peer_values": peers,
                     "share_of_limit": statistics.median([s[name] for s in shares]) if name in shares[0] else None})
    facts = {key: report[key] for key in ("version", "cpu", "kernels", "threads", "limits")}
    return {"model": os.path.basename(model), "peer": PEER, **facts, "rows": rows}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def markdown(result):
    limits = result["limits"]
    lines = [f"### {result['model']}", "",
             f"{result['cpu']}, {result['threads']} threads, kernels {result['kernels']}; limits in the same run: memory "
             f"{limits['memory_bytes_per_second'] / 1e9:.1f} GB/s, int8 {limits['i8_ops'] / 1e9:,.0f} GOP/s, "
             f"bf16 {limits['bf16_flops'] / 1e9:,.0f} GFLOP/s, f32 {limits['f32_flops'] / 1e9:,.0f} GFLOP/s.", "",
             f"| | pingti | {result['peer']} | ratio (least to greatest of a round) | share of the limit |", "| --- | --: | --: | --: | --: |"]
    for row in result["rows"]:
        share = "" if row["share_of_limit"] is None else f"{100 * row['share_of_limit']:.0f} %"
        lines.append(f"| {row['name']} | {number(row['pingti'])} | {number(row['peer'])} | **{row['ratio']:.2f}** "
                     f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f}) | {share} |")
    return "\n".join(lines) + "\n"


def http_main(options):
    sys.path.insert(0, str(ROOT / "bench/serving"))
    import http_peers
    text, results = http_peers.main(options, PEER)
    if options.table:
        pathlib.Path(options.table).write_text(text)
    if options.json:
        pathlib.Path(options.json).write_text(results)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[2, 4, 8, 16, 32])
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    parser.add_argument("--pingti", default=str(ROOT / "build/release/pingti"))
    parser.add_argument("--python", default=sys.executable, help="the Python that has llama_cpp")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--table", help="file for the Markdown table")
    parser.add_argument("--http", action="store_true", help="streams over HTTP instead of the engine alone")
    parser.add_argument("--peer-server", help="--http: the peer's llama-server; none: pingti alone")
    parser.add_argument("--streams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 16, 32])
    parser.add_argument("--waves", type=int, default=2, help="--http: requests a stream, one after the other")
    parser.add_argument("--prompt-words", default="100", help="--http: N or LOW-HIGH")
    parser.add_argument("--output-tokens", default="128", help="--http: N or LOW-HIGH")
    parser.add_argument("--seconds", type=float, default=300, help="--http: of a round, at most")
    parser.add_argument("--peer-round", help=argparse.SUPPRESS)
    parser.add_argument("--peer-kv", help=argparse.SUPPRESS)
    parser.add_argument("--batch-sizes", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def default_models():
    """The default model, where the set-up puts it."""
    name = re.search(r"^file=(.+)$", (ROOT / "setup/model.txt").read_text(), re.M)[1]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    path = cache / "pingti/models" / name
    if not path.exists():
        sys.exit(f"no model at {path} (./pingti serve brings it): give --model FILE.gguf")
    return [str(path)]


def main():
    options = parse_arguments()
    if options.peer_round:
        return peer_main(options)
    if options.peer_kv:
        return print_kv_bytes(options.peer_kv, [int(size) for size in options.batch_sizes.split(",") if size])
    options.model = options.model or default_models()
    if options.http:
        return http_main(options)
    if subprocess.run([options.python, "-c", "import llama_cpp, numpy"], capture_output=True).returncode != 0:
        print(f"SKIP: {options.python} has no llama_cpp (./pingti test --full installs it)")
        sys.exit(77)
    results = []
    for model in options.model:
        ours, theirs, shares, report = [], [], [], None
        sizes = [8] if options.quick else options.batches
        kv_bytes = run_json([options.python, __file__, "--peer-kv", model, "--batch-sizes", ",".join(map(str, sizes))])["kv_bytes"]
        for index in range(options.rounds):
            print(f"{os.path.basename(model)}: round {index + 1} of {options.rounds}", file=sys.stderr, flush=True)
            values, share, report = pingti_round(options, model, kv_bytes)
            ours.append(values)
            shares.append(share)
            theirs.append(peer_round(options, model))
        results.append(summary(model, ours, theirs, shares, report))
    text = "\n".join(markdown(result) for result in results)
    print(text)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    if options.table:
        pathlib.Path(options.table).write_text(text)


if __name__ == "__main__":
    main()
