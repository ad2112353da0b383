"""/v1/summarize on real and made models: a long text, a client that leaves, and memory that does not grow with the text."""
import json
import os
import pathlib
import re
import sys

import harness

ROOT = pathlib.Path(__file__).parents[2]


def test_a_long_text():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")[:6000]
    with harness.Server() as server:
        body = {"input": text, "chunk_tokens": 512, "max_tokens": 32, "temperature": 0}
        first = server.json("POST", "/v1/summarize", body)
        assert len(first["summary"]) > 40 and first["chunks"] >= 3 and first["levels"] >= 1, first
        words = server.json("POST", "/tokenize", {"prompt": text})["count"]
        assert first["usage"]["prompt_tokens"] > words, "the usage counts every chunk"
        connection = server.connection()
        connection.request("POST", "/v1/summarize", json.dumps({**body, "stream": True}), {"content-type": "application/json"})
        events = re.findall(r"^data: (\{.*)$", connection.getresponse().read().decode(), re.M)
        assert "".join(json.loads(event)["delta"] for event in events) == first["summary"]


def test_a_client_that_leaves():
    with harness.Server() as server:
        connection = server.connection()
        body = {"input": "One more sentence about rivers and towns. " * 2000, "chunk_tokens": 512, "max_tokens": 512}
        connection.request("POST", "/v1/summarize", json.dumps(body), {"content-type": "application/json"})
        server.wait_until(lambda: server.metric("vllm:num_requests_running") > 0, 20, "it has begun")
        assert server.metric("vllm:num_requests_running") + server.metric("vllm:num_requests_waiting") <= 4, "few chats at once"
        connection.close()
        server.wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 10, "its chats end")
        steps = server.metric("vllm:generation_tokens_total")
        assert server.json("POST", "/v1/completions", {"prompt": "a", "max_tokens": 1})["choices"]
        assert server.metric("vllm:generation_tokens_total") == steps + 1, "nothing goes on behind"


def peak_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_memory_does_not_grow_with_the_text():
    try:
        import tiny_model
    except ImportError as error:
        harness.skip(f"the package {error.name} is not installed (./pingti test installs it)")
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    paragraph = "A paragraph of sixty-four bytes, which are as many tokens here.\n\n"
    with harness.scratch() as folder:
        path = tiny_model.write(os.path.join(folder, "tiny.gguf"), template, ["<assistant>", "Short", tiny_model.END])
        with harness.Server("--no-prefix-cache", "--kv-memory", "8M", model=path) as server:
            def summarise(size):
                text = paragraph * (size // len(paragraph))
                answer = server.json("POST", "/v1/summarize", {"input": text, "instruction": "Short.", "chunk_tokens": 256, "temperature": 0})
                assert answer["summary"] == "Short" and answer["chunks"] >= size / 300, answer
                return peak_bytes(server)

            small, large = summarise(20_000), summarise(400_000)
            print(f"peak of 20 kB {small / 2**20:.1f} MiB, of 400 kB {large / 2**20:.1f} MiB")
            if harness.SANITIZED:
                return print("not judged: a sanitizer keeps what was freed")
            # The text itself is held a few times: as bytes, as JSON, as chunks; what is computed at once stays the same.
            assert large < 1.5 * small, "memory grows with the text"


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
