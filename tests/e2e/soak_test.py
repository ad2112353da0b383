"""Minutes of mixed load on one server, with little KV memory: streams, clients that leave, rubbish, long prompts, choices.

At the end the same question gets the same answer as at the beginning, nothing runs, no connection is left open, and memory
has not grown since the first third (a run too short for that says so). PINGTI_SOAK_SECONDS (default 300) bounds it; loopback
only.
"""
import json
import os
import random
import sys
import threading
import time

import harness

SECONDS = float(os.environ.get("PINGTI_SOAK_SECONDS", "300"))
CLIENTS = 24 // harness.SLOWDOWN
GROWTH_MAX = 24 * 2**20
WARM_SECONDS = 100  # by then every buffer has had its largest use
QUESTION = "Name three colours."


class Load:
    """What CLIENTS threads do to the server until the end of time; each answer that is not the expected one is kept."""

    def __init__(self, server, end):
        self.server, self.end, self.wrong, self.done = server, end, [], 0
        self.model = server.model_name()
        self.lock = threading.Lock()
        self.actions = (self.whole_stream, self.whole_stream, self.leave, self.choices, self.long_prompt, self.rubbish, self.too_long)

    def client(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            action = rng.choice(self.actions)
            try:
                action(rng)
            except Exception as error:  # every one is a finding
                with self.lock:
                    self.wrong.append(f"{action.__name__}: {error!r}")
            with self.lock:
                self.done += 1

    def prompt(self, rng, words):
        return " ".join(rng.choice(("cost", "of", "a", "model", "on", "old", "machines", "平替", "def f(x):", "π")) for _ in range(words))

    def whole_stream(self, rng):
        for _ in self.server.stream(self.prompt(rng, rng.randint(1, 60)), max_tokens=rng.randint(1, 60), temperature=1, seed=rng.randrange(2**31)):
            pass

    def leave(self, rng):
        stop_after = rng.randint(0, 5)
        for number, _ in enumerate(self.server.stream(self.prompt(rng, 20), max_tokens=500, ignore_eos=True)):
            if number == stop_after:
                return

    def choices(self, rng):
        body = {"model": self.model, "prompt": self.prompt(rng, 30), "n": rng.randint(2, 4), "max_tokens": 16, "logprobs": 2}
        answer = self.server.json("POST", "/v1/completions", body)
        assert len(answer["choices"]) == body["n"], answer

    def long_prompt(self, rng):
        body = {"model": self.model, "prompt": self.prompt(rng, rng.randint(300, 900)), "max_tokens": 8}
        self.server.json("POST", "/v1/completions", body)

    def rubbish(self, rng):
        status, _, text = self.server.request("POST", "/v1/chat/completions", bytes(rng.randrange(256) for _ in range(rng.randint(1, 3000))))
        assert status == 400 and "error" in json.loads(text), f"{status} {text[:200]}"

    def too_long(self, rng):
        status, _, text = self.server.request("POST", "/v1/completions", {"model": self.model, "prompt": "one two " * 20000})
        assert status == 400 and "context" in text, f"{status} {text[:200]}"


def open_files(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def answer(server):
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in server.stream(QUESTION) if chunk["choices"])


def test_minutes_of_mixed_load():
    with harness.Server("--kv-memory", "48M") as server:
        first, files = answer(server), open_files(server)
        begin = time.monotonic()
        load = Load(server, begin + SECONDS)
        threads = [threading.Thread(target=load.client, args=(seed,)) for seed in range(CLIENTS)]
        for thread in threads:
            thread.start()
        resident = []
        while time.monotonic() < load.end:
            time.sleep(SECONDS / 30)
            resident.append(server.metric("process_resident_memory_bytes"))
        for thread in threads:
            thread.join(120 * harness.SLOWDOWN)
        assert not any(thread.is_alive() for thread in threads), "a client hung"
        assert not load.wrong, f"{len(load.wrong)} of {load.done} went wrong, the first: {load.wrong[0]}"
        server.wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 10, "nothing runs")
        server.wait_until(lambda: open_files(server) <= files + 1, 10, f"no more than {files} files open")
        assert answer(server) == first
        growth = max(resident[-5:]) - max(resident[:len(resident) // 3])
        print(f"{load.done} requests in {SECONDS:.0f} s, resident {resident[-1] / 2**20:.0f} MiB, growth {growth / 2**20:.1f} MiB, "
              f"{server.metric('vllm:num_preemptions_total'):.0f} preemptions")
        if SECONDS < 3 * WARM_SECONDS:
            return print("growth is not judged: the first third is too short to warm up")
        assert growth <= GROWTH_MAX, f"memory grew by {growth / 2**20:.1f} MiB"


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
