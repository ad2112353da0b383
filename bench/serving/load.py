#!/usr/bin/env python3
"""Load for an OpenAI-compatible server: N streams at once, bounded, standard library only.

    bench/serving/load.py --url http://127.0.0.1:8080 --streams 32 --requests 64 --output-tokens 128

Prints one JSON object: aggregate tokens/s (prompts included, and of the time when all streams decode), time to first token
and between tokens (p50, p95, p99), failures.
"""
import argparse
import asyncio
import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

WORDS = ("river stone market paper engine window garden letter copper silver train bridge winter summer valley forest signal number "
         "matrix vector thread memory buffer packet ledger budget report policy doctor school island harbor mountain desert ocean").split()
LINE_BYTES_MAX = 1 << 20


class PingtiServer:
    """A `pingti serve` on a free port, ended on leaving."""

    def __init__(self, binary, model, threads):
        self.command = [binary, "serve", "--model", model, "--port", "0", "--threads", str(threads)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if match := re.search(r"https?://[\w.]+:\d+", line):
                self.url = match[0]
                return self
        raise SystemExit("the server did not start: " + " ".join(self.command))

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def prompt(index, words):
    draw = random.Random(index)
    return " ".join(draw.choice(WORDS) for _ in range(words))


async def stream(url, body, times):
    """One streamed completion; the time of each piece goes to `times`. Returns its count of tokens."""
    parsed = urllib.parse.urlparse(url)
    reader, writer = await asyncio.open_connection(parsed.hostname, parsed.port, limit=LINE_BYTES_MAX)
    data = json.dumps(body).encode()
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                 % (parsed.netloc.encode(), len(data)) + data)
    await writer.drain()
    tokens = 0
    try:
        status = int((await reader.readline()).split()[1])
        if status != 200:
            raise RuntimeError(f"status {status}")
        async for line in reader:
            if not line.startswith(b"data: {"):
                if line.startswith(b"data: [DONE]"):
                    return tokens
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(str(event["error"]))
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
            if event.get("choices"):
                times.append(time.perf_counter())
        raise RuntimeError("the stream ended without [DONE]")
    finally:
        writer.close()


async def run(url, model, streams, requests, prompt_words, output_tokens):
    waiting = list(range(requests))
    done, failures = [], []

    async def worker():
        while waiting:
            index = waiting.pop(0)
            body = {"model": model, "prompt": prompt(index, prompt_words), "max_tokens": output_tokens, "temperature": 0,
                    "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}
            times, begin = [], time.perf_counter()
            try:
                tokens = await stream(url, body, times)
                done.append({"begin": begin, "times": times, "tokens": tokens})
            except (OSError, RuntimeError, ValueError) as error:
                failures.append(str(error))

    await asyncio.gather(*[worker() for _ in range(streams)])
    return done, failures


def percentiles(values):
    values = sorted(values)
    return {f"p{p}": round(values[min(len(values) - 1, len(values) * p // 100)] * 1000, 2) for p in (50, 95, 99)} if values else {}


def measure(url, streams, requests, prompt_words, output_tokens):
    with urllib.request.urlopen(url + "/v1/models", timeout=30) as answer:
        model = json.load(answer)["data"][0]["id"]
    begin = time.perf_counter()
    done, failures = asyncio.run(run(url, model, streams, requests, prompt_words, output_tokens))
    seconds = time.perf_counter() - begin
    tokens = sum(one["tokens"] for one in done)
    result = {"streams": streams, "requests": requests, "ok": len(done), "failures": failures[:3], "seconds": round(seconds, 3),
              "output_tokens_per_second": tokens / seconds,
              "first_token_ms": percentiles([one["times"][0] - one["begin"] for one in done if one["times"]]),
              "between_tokens_ms": percentiles([b - a for one in done for a, b in zip(one["times"], one["times"][1:])])}
    started = max((one["times"][0] for one in done if one["times"]), default=begin)
    ended = min((one["times"][-1] for one in done if one["times"]), default=begin)
    if requests == streams and ended > started and not failures:
        # Pieces may hold several tokens: count in tokens, in the time when all streams decode.
        rate = sum(one["tokens"] / len(one["times"]) * sum(started < t <= ended for t in one["times"]) for one in done)
        result["decode_tokens_per_second"] = rate / (ended - started)
    else:
        result["decode_tokens_per_second"] = result["output_tokens_per_second"]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--prompt-words", type=int, default=100)
    parser.add_argument("--output-tokens", type=int, default=128)
    options = parser.parse_args()
    result = measure(options.url, options.streams, options.requests, options.prompt_words, options.output_tokens)
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["failures"] else 0)


if __name__ == "__main__":
    main()
