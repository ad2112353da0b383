"""API keys against the real server, with the official client: scopes, quotas, expiry, revoking without a restart, usage."""
import json
import os
import subprocess
import sys
import time

import harness

try:
    import openai
except ImportError:
    harness.skip("the openai package is not installed (./pingti test installs it)")

QUESTION = [{"role": "user", "content": "Say hello."}]


def keys(file, *arguments):
    done = subprocess.run([harness.binary(), "keys", *arguments, "--file", file], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def client(server, key):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0, timeout=60)


def chat(server, key, **fields):
    fields = {"model": "demo", "messages": QUESTION, "max_tokens": 4, **fields}
    return client(server, key).chat.completions.create(**fields)


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def start(file, *arguments):
    return harness.Server("--served-model-name", "demo", "--context-length", "1024", "--api-key-file", file, *arguments)


def test_scopes_quotas_and_expiry():
    with harness.scratch() as folder:
        file = os.path.join(folder, "keys")
        talker = keys(file, "create", "talker", "--scopes", "chat")
        watcher = keys(file, "create", "watcher", "--scopes", "metrics")
        hasty = keys(file, "create", "hasty", "--requests-per-minute", "2")
        assert talker.startswith("pt_") and len(talker) == 46
        text = open(file, encoding="utf-8").read()
        assert talker not in text and oct(os.stat(file).st_mode & 0o777) == "0o600"
        with open(file, "a", encoding="utf-8") as lines:
            lines.write("late late-key expires=2020-01-01\n")
        with start(file) as server:
            assert chat(server, talker).choices[0].message.content
            error = refused(openai.PermissionDeniedError, lambda: client(server, talker).completions.create(model="demo", prompt="a"))
            assert "completions" in str(error)
            refused(openai.PermissionDeniedError, lambda: chat(server, watcher))
            assert server.request("GET", "/metrics", headers={"authorization": f"Bearer {talker}"})[0] == 403
            assert "expired" in str(refused(openai.AuthenticationError, lambda: chat(server, "late-key")))
            refused(openai.AuthenticationError, lambda: chat(server, "pt_wrong"))
            raw = client(server, hasty).chat.completions.with_raw_response.create(model="demo", messages=QUESTION, max_tokens=1)
            assert raw.headers["x-ratelimit-limit-requests"] == "2" and raw.headers["x-ratelimit-remaining-requests"] == "1"
            chat(server, hasty)
            error = refused(openai.RateLimitError, lambda: chat(server, hasty))
            assert 1 <= int(error.response.headers["retry-after"]) <= 30, error.response.headers
            status, _, metrics = server.request("GET", "/metrics", headers={"authorization": f"Bearer {watcher}"})
            assert status == 200 and 'key="hasty",result="limited"} 1' in metrics
            usage = json.loads(server.request("GET", "/pingti/usage", headers={"authorization": f"Bearer {watcher}"})[2])
            used = {key["name"]: key for key in usage["keys"]}
            assert used["talker"]["requests"] == 1 and used["talker"]["completion_tokens"] > 0
            assert talker not in json.dumps(usage)


def test_revoking_and_creating_need_no_restart_and_cut_no_stream():
    with harness.scratch() as folder:
        file = os.path.join(folder, "keys")
        first = keys(file, "create", "first")
        with start(file) as server:
            stream = chat(server, first, max_tokens=300, stream=True, extra_body={"ignore_eos": True})
            next(iter(stream))
            keys(file, "revoke", "first")
            second = keys(file, "create", "second", "--expires", "1d")

            def taken_over():
                return server.request("GET", "/v1/models", headers={"authorization": f"Bearer {second}"})[0] == 200

            server.wait_until(taken_over, 5, "the new key is taken over")
            refused(openai.AuthenticationError, lambda: chat(server, first))
            finish = [chunk.choices[0].finish_reason for chunk in stream if chunk.choices]
            assert finish[-1] == "length", "the stream of the revoked key was cut"
            assert "second" in keys(file, "list") and "first" not in keys(file, "list")


def test_tokens_of_a_day_survive_kill_9_and_count_for_those_who_leave():
    with harness.scratch() as folder:
        file = os.path.join(folder, "keys")
        key = keys(file, "create", "team", "--tokens-per-day", "40")
        server = start(file)
        server.start()
        chat(server, key, max_tokens=2)
        stream = chat(server, key, max_tokens=900, stream=True, extra_body={"ignore_eos": True})
        for number, _ in enumerate(stream):
            if number == 20:
                break
        stream.close()  # leaving early is not free
        server.wait_until(lambda: server.request("POST", "/tokenize", {"prompt": "a"}, {"authorization": f"Bearer {key}"})[0] == 429,
                          5, "the tokens of the stream that was left are counted")
        server.wait_until(lambda: os.path.exists(file + ".usage") and json.load(open(file + ".usage", encoding="utf-8"))["keys"]["team"]
                          ["tokens_today"] >= 40, 15, "the usage is written")
        server.kill()
        server.start()
        error = refused(openai.RateLimitError, lambda: chat(server, key))
        assert "tokens per day" in str(error) and int(error.response.headers["retry-after"]) <= 86400
        server.stop()


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
