#!/usr/bin/env python3
"""pingti and its peers on the same GGUF file and threads, interleaved round by round.

    bench/peers.py [--model FILE.gguf] [--model OTHER.gguf] [--rounds 3] [--quick] [--json out.json] [--table out.md]
    bench/peers.py --http --model FILE.gguf --streams 1,16,32 --peer-server PATH/llama-server      (two servers over HTTP)

Each round runs `pingti bench engine --rounds 1 --json`, then each peer, in processes of their own: what disturbs the machine
disturbs all. All have KV caches of the same number of F16 positions (pingti fills its own, keeping prompts for reuse).
Printed: medians, the ratio to the best peer of each row with the least and greatest ratio of a round, and the share of the
limits that pingti measured in the same run. A peer that is not installed or cannot run a file is named with the reason.

Peers are llama.cpp (llama-cpp-python) and OpenVINO GenAI (openvino-genai); each runs in the first --python that has its package.
llama.cpp should be built natively by the compiler that is better for it:
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
from dataclasses import dataclass

import gguf_header

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROWS = ("prefill_512", "prefill_2048", "decode_0", "decode_4096", "batch_2", "batch_4", "batch_8", "batch_16", "batch_32",
        "first_token_512", "load_seconds", "peak_memory")
LOWER_IS_BETTER = {"first_token_512", "load_seconds", "peak_memory"}
ROUND_SECONDS_MAX = 3600


@dataclass(frozen=True)
class Peer:
    name: str
    driver: str   # the module beside this file
    package: str  # as pip calls it
    imports: str


PEERS = (Peer("llama.cpp", "peer_llama_cpp", "llama-cpp-python", "llama_cpp, numpy"),
         Peer("OpenVINO GenAI", "peer_openvino", "openvino-genai", "openvino_genai, openvino, numpy"))


def find_pythons(options):
    """Peer to the Python that has its package, and peer's name to why there is none."""
    pythons, absent = {}, {}
    for peer in PEERS:
        for python in options.python:
            done = subprocess.run([python, "-c", f"import {peer.imports}"], capture_output=True, text=True)
            if done.returncode == 0:
                pythons[peer] = python
                break
            why = (done.stderr.strip().splitlines() or [f"import ended with status {done.returncode}"])[-1]
            absent[peer.name] = f"not installed, {why} (pip install {peer.package})"
        if peer in pythons:
            absent.pop(peer.name, None)
    return pythons, absent


def positions_of(sizes):
    """Positions that all KV caches have room for: the deep prompt, or all sequences of the largest batch."""
    return max(4096 + 256, max(sizes + [1]) * 256)


def pingti_round(options, model, sizes):
    command = [options.pingti, "bench", "engine", "--model", model, "--rounds", "1", "--json", "--threads", str(options.threads),
               "--kv-memory", str(gguf_header.kv_bytes(model, positions_of(sizes)))]
    if options.quick:
        command.append("--quick")
    elif sizes:
        command += ["--sizes", ",".join(map(str, sizes))]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=ROUND_SECONDS_MAX)
    if done.returncode != 0:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, command))}")
    report = json.loads(done.stdout.strip().splitlines()[-1])
    values = {row["name"]: row["median"] for row in report["rows"]}
    values["load_seconds"] = report["load_seconds"]
    values["peak_memory"] = report["peak_memory_bytes"] / 1e6
    report["shares"] = {row["name"]: row["share"] for row in report["rows"] if "share" in row}
    return values, report


def peer_round(options, peer, python, model, sizes):
    """What `peer_round.py` prints; a process that dies or hangs has failed too."""
    command = [python, str(ROOT / "bench/peer_round.py"), peer.driver, model, "--threads", str(options.threads),
               "--positions", str(positions_of(sizes))]
    if sizes:
        command += ["--batches", ",".join(map(str, sizes))]
    if options.quick:
        command.append("--quick")
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=ROUND_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {ROUND_SECONDS_MAX} s"}
    if done.returncode != 0:
        return {"failed": f"ended with status {done.returncode}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(options, model, pythons, absent):
    """All rounds of one model. A peer that fails is left out of the rounds that follow."""
    sizes = [8] if options.quick else options.batches
    ours, reports, theirs, failed = [], [], {peer.name: [] for peer in pythons}, dict(absent)
    for index in range(options.rounds):
        print(f"{os.path.basename(model)}: round {index + 1} of {options.rounds}", file=sys.stderr, flush=True)
        values, report = pingti_round(options, model, sizes)
        ours.append(values)
        reports.append(report)
        for peer, python in pythons.items():
            if peer.name in failed:
                continue
            result = peer_round(options, peer, python, model, sizes)
            if "failed" in result:
                failed[peer.name] = f"cannot run this file: {result['failed']}"
                theirs.pop(peer.name)
            else:
                theirs[peer.name].append(result["values"])
    return summary(model, ours, theirs, failed, reports)


def compare(name, mine, peers):
    """Ratios of one row to the best of its peers; more is better for pingti in every row."""
    better = min if name in LOWER_IS_BETTER else max
    best = better(peers, key=lambda peer: statistics.median(peers[peer]))
    a, b = statistics.median(mine), statistics.median(peers[best])
    ratios = [p / m if name in LOWER_IS_BETTER else m / p for m, p in zip(mine, peers[best])]
    return {"best_peer": best, "ratio": b / a if name in LOWER_IS_BETTER else a / b, "ratio_min": min(ratios), "ratio_max": max(ratios)}


def summary(model, ours, theirs, failed, reports):
    rows = []
    for name in ROWS:
        if name not in ours[0]:
            continue
        mine = [values[name] for values in ours]
        peers = {peer: [values[name] for values in rounds] for peer, rounds in theirs.items() if all(name in values for values in rounds)}
        shares = [report["shares"][name] for report in reports if name in report["shares"]]
        rows.append({"name": name, "pingti": statistics.median(mine), "pingti_values": mine,
                     "peers": {peer: statistics.median(values) for peer, values in peers.items()}, "peer_values": peers,
                     "share_of_limit": statistics.median(shares) if shares else None,
                     **(compare(name, mine, peers) if peers else {})})
    facts = {key: reports[-1][key] for key in ("version", "cpu", "kernels", "threads", "limits")}
    return {"model": os.path.basename(model), "peers": list(theirs), "not_measured": failed, **facts, "rows": rows}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def markdown_row(row, peers):
    cells = [row["name"], number(row["pingti"])]
    cells += [number(row["peers"][peer]) if peer in row["peers"] else "" for peer in peers]
    cells.append(f"**{row['ratio']:.2f}** ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})" if "ratio" in row else "")
    cells.append("" if row["share_of_limit"] is None else f"{100 * row['share_of_limit']:.0f} %")
    return "| " + " | ".join(cells) + " |"


def markdown(result):
    limits = result["limits"]
    ratio = f"ratio{' to the best peer' if len(result['peers']) > 1 else ''} (least to greatest of a round)"
    lines = [f"### {result['model']}", "",
             f"{result['cpu']}, {result['threads']} threads, kernels {result['kernels']}; limits in the same run: memory "
             f"{limits['memory_bytes_per_second'] / 1e9:.1f} GB/s, int8 {limits['i8_ops'] / 1e9:,.0f} GOP/s, "
             f"bf16 {limits['bf16_flops'] / 1e9:,.0f} GFLOP/s, f32 {limits['f32_flops'] / 1e9:,.0f} GFLOP/s.", "",
             "| | " + " | ".join(["pingti", *result["peers"], ratio, "share of the limit"]) + " |",
             "| --- |" + " --: |" * (len(result["peers"]) + 3)]
    lines += [markdown_row(row, result["peers"]) for row in result["rows"]]
    lines += [""] * bool(result["not_measured"])
    lines += [f"Not measured: {peer}, {reason}." for peer, reason in result["not_measured"].items()]
    return "\n".join(lines) + "\n"


def http_main(options):
    sys.path.insert(0, str(ROOT / "bench/serving"))
    import http_peers
    text, results = http_peers.main(options, PEERS[0].name)
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
    parser.add_argument("--python", action="append", default=[], help="a Python that has a peer's package (default: this one)")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--table", help="file for the Markdown table")
    parser.add_argument("--http", action="store_true", help="streams over HTTP instead of the engine alone")
    parser.add_argument("--peer-server", help="--http: the peer's llama-server; none: pingti alone")
    parser.add_argument("--streams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 16, 32])
    parser.add_argument("--waves", type=int, default=2, help="--http: requests a stream, one after the other")
    parser.add_argument("--prompt-words", default="100", help="--http: N or LOW-HIGH")
    parser.add_argument("--output-tokens", default="128", help="--http: N or LOW-HIGH")
    parser.add_argument("--seconds", type=float, default=300, help="--http: of a round, at most")
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
    options.model = options.model or default_models()
    options.python = options.python or [sys.executable]
    if options.http:
        return http_main(options)
    pythons, absent = find_pythons(options)
    if not pythons:
        print(f"SKIP: no peer is installed in {', '.join(options.python)} (./pingti test --full installs llama_cpp)")
        sys.exit(77)
    results = [measure(options, model, pythons, absent) for model in options.model]
    text = "\n".join(markdown(result) for result in results)
    print(text)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    if options.table:
        pathlib.Path(options.table).write_text(text)
    alone = [result["model"] for result in results if not result["peers"]]
    if alone:
        sys.exit(f"no peer runs {', '.join(alone)}")


if __name__ == "__main__":
    main()
