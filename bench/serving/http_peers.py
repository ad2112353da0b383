"""pingti's server and llama.cpp's under the same load, in turn: `bench/peers.py --http`."""
import json
import os
import socket
import statistics
import sys

import load

FIGURES = (("tokens/s", lambda r: r["output_tokens_per_second"]),
           ("first token p50, ms", lambda r: r["first_token_ms"]["p50"]),
           ("first token p99, ms", lambda r: r["first_token_ms"]["p99"]),
           ("between tokens p50, ms", lambda r: r["between_tokens_ms"]["p50"]),
           ("between tokens p99, ms", lambda r: r["between_tokens_ms"]["p99"]))
SLOT_TOKENS = 512  # of the peer's context, which it divides among its slots


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peer_server(binary, model, threads, slots, slot_tokens):
    port = free_port()
    return load.Server([binary, "-m", model, "-t", str(threads), "-tb", str(threads), "-np", str(slots), "-c", str(slots * slot_tokens),
                        "--host", "127.0.0.1", "--port", str(port), "-fa", "on", "--no-webui"], f"http://127.0.0.1:{port}")


def one_round(server, streams, options):
    trace = load.make_trace(streams * options.waves, 0, options.prompt_words, options.output_tokens)
    warm = load.make_trace(2, 0, "30", "8", seed=7)
    with server:
        load.measure(server.url, warm, 2, 60)
        return load.measure(server.url, trace, streams, options.seconds)


def table(rows, peer):
    lines = ["| streams | server | " + " | ".join(name for name, _ in FIGURES) + " |", "| --: | --- |" + " --: |" * len(FIGURES)]
    for row in rows:
        for name in ("pingti", peer):
            if row[name]:
                medians = [statistics.median(figure(result) for result in row[name]) for _, figure in FIGURES]
                lines.append(f"| {row['streams']} | {name} | " + " | ".join(f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in medians) + " |")
    return "\n".join(lines) + "\n"


def main(options, peer):
    model = options.model[0]
    rows = []
    for streams in options.streams:
        row = {"streams": streams, "pingti": [], peer: []}
        for index in range(options.rounds):
            row["pingti"].append(one_round(load.pingti_server(options.pingti, model, options.threads), streams, options))
            if options.peer_server:
                row[peer].append(one_round(peer_server(options.peer_server, model, options.threads, streams, SLOT_TOKENS), streams, options))
            for name in ("pingti", peer):
                for result in row[name][-1:]:
                    if result["failed"] or result["cut"]:
                        sys.exit(f"{name}, {streams} streams: {result['failed']} failed, {result['cut']} cut: {result['failures']}")
                    print(f"{streams} streams, round {index + 1}: {name} {result['output_tokens_per_second']:.0f} tok/s", file=sys.stderr)
        rows.append(row)
    text = f"{os.path.basename(model)}, {options.prompt_words} words in, {options.output_tokens} tokens out, " \
           f"{options.waves} requests a stream, medians of {options.rounds} rounds\n\n" + table(rows, peer)
    print(text)
    return text, json.dumps({"model": os.path.basename(model), "rows": rows}, indent=1) + "\n"
