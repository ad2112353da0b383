#!/usr/bin/env python3
"""Load for an OpenAI-compatible server: bounded in requests and in time, standard library only.

    bench/serving/load.py --url http://127.0.0.1:8080 --streams 32 --requests 64            (32 at a time)
    bench/serving/load.py --url http://127.0.0.1:8080 --rate 4 --requests 100 --prompt-words 20-400 --output-tokens 16-128

Without --rate the next request begins when one ends; with it requests come by themselves (exponential gaps from --seed),
however busy the server is, and times count from then. A request is a seeded prompt of words and a number of tokens to
answer; ranges are drawn uniformly; --shared-words begin all prompts alike. What is not done after --seconds is cut off.

Prints one JSON object: tokens/s from the first request to the end, time to first token, between tokens and of whole
requests (p50, p95, p99, mean), what failed and what was cut.
"""
import argparse
import asyncio
import json
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

WORDS = ("river stone market paper engine window garden letter copper silver train bridge winter summer valley forest signal number "
         "matrix vector thread memory buffer packet ledger budget report policy doctor school island harbor mountain desert ocean").split()
LINE_BYTES_MAX = 1 << 20
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60


@dataclass
class Request:
    at: float            # seconds after the beginning
    prompt: str
    output_tokens: int


@dataclass
class Answer:
    begin: float
    times: list = field(default_factory=list)  # of the pieces that came
    tokens: int = 0                            # as the server counts; of a stream that was cut: its pieces
    end: float = 0


class Server:
    """A server's process, ended on leaving. Without `url` its output says where it listens; else it is ready when that answers."""

    def __init__(self, command, url=None):
        self.command, self.url = command, url

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE if self.url is None else subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.url is None:
                if match := re.search(r"https?://[\w.]+:\d+", self.process.stdout.readline()):
                    self.url = match[0]
                    return self
                continue
            try:
                urllib.request.urlopen(self.url + "/health", timeout=2).read()
                return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise SystemExit("the server did not start: " + " ".join(self.command))

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def pingti_server(binary, model, threads, *more):
    return Server([str(binary), "serve", "--model", model, "--port", "0", "--threads", str(threads), *more])


def draw(source, bounds):
    """Of "128" or "20-400"."""
    low, _, high = str(bounds).partition("-")
    return source.randint(int(low), int(high or low))


def make_trace(requests, rate=0, prompt_words="100", output_tokens="128", shared_words=0, seed=1):
    source = random.Random(seed)
    shared = [source.choice(WORDS) for _ in range(shared_words)]
    trace, at = [], 0.0
    for _ in range(requests):
        words = shared + [source.choice(WORDS) for _ in range(draw(source, prompt_words))]
        trace.append(Request(at, " ".join(words), draw(source, output_tokens)))
        at += source.expovariate(rate) if rate else 0
    return trace


async def stream(url, body, answer):
    """One streamed completion into `answer`."""
    parsed = urllib.parse.urlparse(url)
    reader, writer = await asyncio.open_connection(parsed.hostname, parsed.port, limit=LINE_BYTES_MAX)
    data = json.dumps(body).encode()
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                 % (parsed.netloc.encode(), len(data)) + data)
    try:
        await writer.drain()
        status = int((await reader.readline()).split()[1])
        if status != 200:
            raise RuntimeError(f"status {status}")
        async for line in reader:
            if line.startswith(b"data: [DONE]"):
                answer.end = time.perf_counter()
                return
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(str(event["error"]))
            if event.get("usage"):
                answer.tokens = event["usage"]["completion_tokens"]
            if event.get("choices") and event["choices"][0].get("text"):
                answer.times.append(time.perf_counter())
        raise RuntimeError("the stream ended without [DONE]")
    finally:
        writer.close()


async def run(url, model, trace, streams, seconds_max, pause):
    """(answers that are whole, answers that were cut, failures, requests not begun) of the trace, at most `streams` at a time."""
    waiting = list(reversed(trace))
    whole, cut, failures = [], [], []
    start = time.perf_counter()

    async def worker():
        while waiting:
            request = waiting.pop()
            await asyncio.sleep(max(0.0, start + request.at - time.perf_counter()))
            # Of a request with a time of its own, waiting for a free stream is the server's doing.
            answer = Answer(start + request.at if request.at else time.perf_counter())
            body = {"model": model, "prompt": request.prompt, "max_tokens": request.output_tokens, "temperature": 0,
                    "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}
            try:
                await stream(url, body, answer)
                whole.append(answer)
            except asyncio.CancelledError:
                answer.tokens = len(answer.times)
                cut.append(answer)
                raise
            except (OSError, RuntimeError, ValueError) as error:
                failures.append(str(error))
            await asyncio.sleep(pause)

    workers = [asyncio.ensure_future(worker()) for _ in range(min(streams, len(trace)))]
    _, late = await asyncio.wait(workers, timeout=seconds_max)
    for task in late:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return whole, cut, failures, len(waiting)


def summary_ms(values):
    values = sorted(value * 1000 for value in values)
    if not values:
        return {}
    out = {f"p{p}": round(values[min(len(values) - 1, len(values) * p // 100)], 2) for p in (50, 95, 99)}
    return out | {"mean": round(statistics.fmean(values), 2)}


def measure(url, trace, streams, seconds_max=300, pause=0):
    """`pause`: seconds between two requests of a stream, as of a person who reads."""
    try:
        with urllib.request.urlopen(url + "/v1/models", timeout=30) as answer:
            model = json.load(answer)["data"][0]["id"]
    except OSError as error:
        raise SystemExit(f"{url}: {error}") from error
    begin = time.perf_counter()
    whole, cut, failures, not_begun = asyncio.run(run(url, model, trace, streams, seconds_max, pause))
    seconds = time.perf_counter() - begin
    answers = whole + cut
    tokens = sum(one.tokens for one in answers)
    started = [one for one in answers if one.times]
    return {"streams": streams, "requests": len(trace), "ok": len(whole), "cut": len(cut) + not_begun, "failed": len(failures),
            "failures": failures[:3], "seconds": round(seconds, 3), "output_tokens": tokens,
            "output_tokens_per_second": round(tokens / seconds, 2),
            "first_token_ms": summary_ms(one.times[0] - one.begin for one in started),
            "between_tokens_ms": summary_ms(b - a for one in started for a, b in zip(one.times, one.times[1:])),
            "request_ms": summary_ms(one.end - one.begin for one in whole)}


def engine_metric(url, name):
    """A number of pingti's /metrics."""
    with urllib.request.urlopen(url + "/metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                return float(line.rsplit(" ", 1)[1])
    raise SystemExit(f"no metric {name}")


def add_arguments(parser):
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: the next begins when one ends")
    parser.add_argument("--prompt-words", default="100", metavar="N or LOW-HIGH")
    parser.add_argument("--output-tokens", default="128", metavar="N or LOW-HIGH")
    parser.add_argument("--shared-words", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300, help="at most")


def trace_of(options):
    return make_trace(options.requests, options.rate, options.prompt_words, options.output_tokens, options.shared_words, options.seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--streams", type=int, default=32, help="at a time; with --rate: at most")
    add_arguments(parser)
    options = parser.parse_args()
    result = measure(options.url, trace_of(options), options.streams, options.seconds)
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["failed"] else 0)


if __name__ == "__main__":
    main()
