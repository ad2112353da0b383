"""/metrics against a load tool that counts for itself (bench/serving/load.py): requests a second, tokens, latency histograms."""
import json
import os
import pathlib
import re
import subprocess
import sys

import harness

LOAD = pathlib.Path(__file__).parents[2] / "bench/serving/load.py"
STREAMS, REQUESTS, TOKENS = 8, 24, 12


def series(text, name, **labels):
    """[(labels, value)] of a metric, those that carry `labels`."""
    found = []
    for match in re.finditer(rf"^{re.escape(name)}(?:\{{([^}}]*)\}})? (\S+)$", text, re.M):
        given = dict(re.findall(r'(\w+)="([^"]*)"', match[1] or ""))
        if all(given.get(key) == value for key, value in labels.items()):
            found.append((given, float(match[2])))
    return found


def one(text, name, **labels):
    values = series(text, name, **labels)
    assert len(values) == 1, f"{name}{labels}: {values}"
    return values[0][1]


def quantile_bounds(text, name, q):
    """(lower, upper) of the bucket that holds the q-th value, seconds."""
    buckets = [(float(labels["le"]), count) for labels, count in series(text, name + "_bucket")]
    wanted, lower = q * buckets[-1][1], 0.0
    for upper, count in buckets:
        if count >= wanted:
            return lower, upper
        lower = upper
    raise AssertionError(f"{name} is empty")


def test_counts_and_latencies_are_the_load_tools():
    with harness.Server("--no-prefix-cache") as server:
        done = subprocess.run([sys.executable, "-B", LOAD, "--url", server.url, "--streams", str(STREAMS), "--requests", str(REQUESTS),
                               "--prompt-words", "20", "--output-tokens", str(TOKENS)], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "NO_PROXY": "127.0.0.1"})
        assert done.returncode == 0, done.stdout + done.stderr
        load = json.loads(done.stdout)
        text = server.request("GET", "/metrics")[2]
        # Queries: what rate() of a Prometheus counts.
        assert one(text, "http_requests_total", handler="/v1/completions", method="POST", status="2xx") == REQUESTS == load["ok"]
        assert one(text, "vllm:generation_tokens_total") == REQUESTS * TOKENS
        assert one(text, "vllm:request_success_total", finished_reason="length") == REQUESTS
        # Each histogram has every request once; buckets only grow, and the last has all.
        for name in ("vllm:time_to_first_token_seconds", "vllm:e2e_request_latency_seconds", "vllm:request_queue_time_seconds",
                     "vllm:request_generation_tokens", "vllm:request_prompt_tokens"):
            counts = [count for _, count in series(text, name + "_bucket")]
            assert counts == sorted(counts) and counts[-1] == one(text, name + "_count") == REQUESTS, f"{name}: {counts}"
        assert one(text, "vllm:inter_token_latency_seconds_count") == REQUESTS * (TOKENS - 1)
        # Seen from the client a median is never earlier than the server's bucket begins, nor much later than it ends.
        lower, upper = quantile_bounds(text, "vllm:time_to_first_token_seconds", 0.5)
        median = load["first_token_ms"]["p50"] / 1000
        assert lower * 0.9 <= median <= upper * 1.5 + 0.25, f"the tool's median {median} s, the server's bucket {lower} to {upper} s"
        mean = one(text, "vllm:e2e_request_latency_seconds_sum") / REQUESTS
        assert mean <= load["seconds"], f"a mean latency of {mean} s in a run of {load['seconds']} s"


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
