"""Starts the real binary for end-to-end tests, talks to it over plain sockets, stops only what it started.

    with Server() as server:
        server.json("GET", "/v1/models")

The binary is PINGTI_BINARY (ctest sets it), the model PINGTI_TEST_MODEL or the default model in the user's cache. A test
whose model is absent prints "SKIP: reason" and exits with 77, which ctest shows as skipped.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

SKIP_EXIT = 77
# How much slower than a release build the tested one may be (sanitizers, portable kernels): more time, less load.
SLOWDOWN = int(os.environ.get("PINGTI_TEST_SLOWDOWN", "1"))
SANITIZED = "PINGTI_TEST_SANITIZED" in os.environ
START_SECONDS = 60 * SLOWDOWN


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIP_EXIT)


def binary():
    path = os.environ.get("PINGTI_BINARY") or str(pathlib.Path(__file__).parents[2] / "build/release/pingti")
    if not os.access(path, os.X_OK):
        skip(f"no binary at {path}: build it first (./pingti test does)")
    return path


def default_model():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    path = pathlib.Path(os.environ.get("PINGTI_TEST_MODEL") or cache / "pingti/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    if not path.exists():
        skip(f"no model at {path}: ./pingti serve brings it")
    return str(path)


class Server:
    """One `pingti serve` on a free port of 127.0.0.1. Its log is kept and shown when something fails."""

    def __init__(self, *arguments, model=None, environment=None):
        self.arguments = arguments
        self.model = model or default_model()
        self.environment = {**os.environ, "PINGTI_LANG": "en", **(environment or {})}
        self.process = None
        self.log = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop()
        if error is not None:
            print(f"--- server log ---\n{self.log[-4000:]}")

    def start(self):
        began = time.monotonic()
        command = [binary(), "serve", "--model", self.model, "--port", "0", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        env=self.environment, text=True, errors="replace")
        ready = threading.Event()
        self.port = None

        def read(process):
            for line in process.stdout:
                self.log += line
                match = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
                if match and not ready.is_set():
                    self.port = int(match[1])
                    ready.set()
            ready.set()

        threading.Thread(target=read, args=(self.process,), daemon=True).start()
        if not ready.wait(START_SECONDS) or self.port is None:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.log}")
        self.start_seconds = time.monotonic() - began

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        """kill -9."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout * SLOWDOWN)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, text)"""
        connection = self.connection()
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        return response.status, response.headers, text

    def json(self, method, path, body=None, headers=None):
        status, _, text = self.request(method, path, body, headers)
        assert status == 200, f"{method} {path}: {status} {text[:400]}"
        return json.loads(text)

    def model_name(self):
        return self.json("GET", "/v1/models")["data"][0]["id"]

    def stream(self, prompt, max_tokens=32, **fields):
        """Yields the parsed chunks of one streamed chat completion; raises where the stream breaks before [DONE]."""
        connection = self.connection()
        body = {"model": self.model_name(), "messages": [{"role": "user", "content": prompt}], "stream": True,
                "max_tokens": max_tokens, "temperature": 0, **fields}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise AssertionError(f"{response.status}: {response.read().decode()[:400]}")
        for line in response:
            line = line.decode().strip()
            if line == "data: [DONE]":
                connection.close()
                return
            if line.startswith("data: "):
                yield json.loads(line[6:])
        raise ConnectionError("the stream ended without [DONE]")

    def metric(self, name):
        """The sum of a metric over its labels."""
        _, _, text = self.request("GET", "/metrics")
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
        assert values, f"no metric {name}"
        return sum(map(float, values))

    def wait_until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {what}")


def scratch():
    return tempfile.TemporaryDirectory(prefix="pingti-test-")


def main(module):
    """Runs the functions test_* of a module in order; prints each with its time; exits 1 at the first failure."""
    names = [name for name in vars(module) if name.startswith("test_")]
    for name in names:
        began = time.monotonic()
        getattr(module, name)()
        print(f"ok {name} ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"{len(names)} passed, 0 failed")
