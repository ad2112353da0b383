#!/usr/bin/env python3
"""What batching saves: the same trace of requests, at the same times, against servers with other batch sizes.

    bench/serving/batching.py --model FILE.gguf --rate 2 --requests 40 --batches 1,4,256
    bench/serving/batching.py --model FILE.gguf --ramp 1,4,16 --max-batch-size 16       (gauges under a rising load)

For each batch size: seconds of the engine's time for a thousand answer tokens (what a token costs: the rest of the machine's
time is free for others), time to first token and of whole requests; then the change from the first size to the last. With
--price, dollars an hour of this machine, also dollars a million answer tokens.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import threading

import load

ROOT = pathlib.Path(__file__).resolve().parents[2]


def one_size(options, size):
    with load.pingti_server(options.pingti, options.model, options.threads, "--max-batch-size", str(size)) as server:
        load.measure(server.url, load.make_trace(2, 0, "30", "8", seed=7), 1, 60)
        busy = load.engine_metric(server.url, "pingti_engine_busy_seconds_total")
        result = load.measure(server.url, load.trace_of(options), options.requests, options.seconds)
        busy = load.engine_metric(server.url, "pingti_engine_busy_seconds_total") - busy
    if result["failed"] or result["cut"]:
        sys.exit(f"max_batch_size {size}: {result['failed']} failed, {result['cut']} cut: more --seconds or a lower --rate")
    cost = 1000 * busy / result["output_tokens"]
    return {"max_batch_size": size, "busy_seconds_per_1000_tokens": cost, "dollars_per_million_tokens": cost / 3.6 * options.price,
            "busy_share": busy / result["seconds"], **result}


class Gauges:
    """Samples of gauges while a load runs."""

    NAMES = ("pingti_engine_batch_sequences", "pingti_engine_busy_share", "vllm:kv_cache_usage_perc", "pingti_kv_waste_ratio")
    EVERY_SECONDS = 0.2

    def __init__(self, url):
        self.url, self.samples, self.stop = url, {name: [] for name in self.NAMES}, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.stop.wait(self.EVERY_SECONDS):
            for name in self.NAMES:
                self.samples[name].append(load.engine_metric(self.url, name))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        self.thread.join()


def ramp(options):
    """Streams that pause between their requests: more of them, fuller batches and a busier engine."""
    print("| streams | sequences in a step, mean / most | engine busy | KV used | KV waste | tokens/s | request mean, ms |\n"
          "| --: | --: | --: | --: | --: | --: | --: |")
    with load.pingti_server(options.pingti, options.model, options.threads, "--max-batch-size", str(options.max_batch_size)) as server:
        for streams in options.ramp:
            trace = load.make_trace(streams * 4, 0, options.prompt_words, options.output_tokens, options.shared_words, options.seed + streams)
            with Gauges(server.url) as gauges:
                result = load.measure(server.url, trace, streams, options.seconds, pause=options.pause)
            batch, busy, used, waste = (gauges.samples[name] for name in Gauges.NAMES)
            late = busy[len(busy) // 2:]  # the gauge looks back some seconds
            print(f"| {streams} | {statistics.fmean(batch):.1f} / {max(batch):.0f} | {100 * statistics.fmean(late):.0f} % | "
                  f"{100 * max(used):.1f} % | {100 * statistics.fmean(waste):.1f} % | {result['output_tokens_per_second']:.0f} | "
                  f"{result['request_ms']['mean']:,.0f} |", flush=True)


def table(rows, priced):
    lines = ["| max_batch_size | engine s / 1,000 tokens |" + (" $ / million tokens |" if priced else "") +
             " busy | tokens/s | first token mean, ms | request mean, ms | request p99, ms |",
             "| --: | --: |" + (" --: |" if priced else "") + " --: | --: | --: | --: | --: |"]
    for r in rows:
        price = f" {r['dollars_per_million_tokens']:.3f} |" if priced else ""
        lines.append(f"| {r['max_batch_size']} | {r['busy_seconds_per_1000_tokens']:.2f} |{price} {100 * r['busy_share']:.0f} % | "
                     f"{r['output_tokens_per_second']:.0f} | {r['first_token_ms']['mean']:,.0f} | {r['request_ms']['mean']:,.0f} | "
                     f"{r['request_ms']['p99']:,.0f} |")
    return "\n".join(lines)


def change(before, after):
    return f"{100 * (after / before - 1):+.0f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[1, 256])
    parser.add_argument("--pingti", default=str(ROOT / "build/release/pingti"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--price", type=float, default=0)
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--ramp", type=lambda text: [int(n) for n in text.split(",")], help="streams, one load after the other")
    parser.add_argument("--max-batch-size", type=int, default=16, help="of --ramp")
    parser.add_argument("--pause", type=float, default=2, help="--ramp: seconds between two requests of a stream")
    load.add_arguments(parser)
    options = parser.parse_args()
    if options.ramp:
        return ramp(options)
    rows = [one_size(options, size) for size in options.batches]
    print(table(rows, options.price > 0))
    first, last = rows[0], rows[-1]
    print(f"\nfrom {first['max_batch_size']} to {last['max_batch_size']}: cost a token "
          f"{change(first['busy_seconds_per_1000_tokens'], last['busy_seconds_per_1000_tokens'])}, "
          f"mean time of a request {change(first['request_ms']['mean'], last['request_ms']['mean'])}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
