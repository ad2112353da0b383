"""A model of real size through the server with the official client: languages, streams, eight at once, log-probabilities, stop.

The model is qwen2.5-coder-1.5b (else 0.5b) in the folder PINGTI_MODELS; without one this is skipped.
"""
import concurrent.futures
import os
import pathlib
import sys
import time

import harness

try:
    import openai
except ImportError:
    harness.skip("the openai package is not installed (./pingti test installs it)")

USERS = 8
QUESTIONS = ["Name the capital of France in one word.", "Write a Python function that reverses a string.", "What is 17 + 25?",
             "用一句话介绍长城。", "Write a haiku about rain.", "List three prime numbers above ten.", "What does HTTP 404 mean?",
             "把“早上好”翻译成英文。"]


def model_file():
    folder = os.environ.get("PINGTI_MODELS")
    if not folder:
        harness.skip("PINGTI_MODELS names no folder of models")
    for size in ("1.5b", "0.5b"):
        found = sorted(pathlib.Path(folder).glob(f"*[qQ]wen2.5-[cC]oder-{size}*instruct*.gguf"))
        if found:
            return str(found[0])
    harness.skip(f"no Qwen2.5-Coder file in {folder}")


def ask(api, question, max_tokens=40, **fields):
    return api.chat.completions.create(model="coder", messages=[{"role": "user", "content": question}], temperature=0,
                                       max_tokens=max_tokens, **fields)


def streamed(api, question):
    chunks = ask(api, question, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def has_chinese(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_a_real_model():
    with harness.Server("--served-model-name", "coder", "--context-length", "4096", "--kv-memory", "512M", model=model_file()) as server:
        api = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=300)

        alone = [ask(api, question).choices[0].message.content for question in QUESTIONS]
        assert "Paris" in alone[0] and "def " in alone[1] and "42" in alone[2], alone[:3]
        assert has_chinese(alone[3]) and "morning" in alone[7].lower(), (alone[3], alone[7])
        assert not any("\ufffd" in text for text in alone), "a character was cut"

        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(USERS) as users:
            together = list(users.map(lambda question: streamed(api, question), QUESTIONS))
        seconds = time.monotonic() - began
        assert together == alone, [pair for pair in zip(alone, together) if pair[0] != pair[1]]
        print(f"{USERS} at once: {seconds:.1f} s; start {server.start_seconds:.1f} s")

        likely = ask(api, QUESTIONS[0], max_tokens=3, logprobs=True, top_logprobs=5).choices[0].logprobs.content
        for entry in likely:
            values = [candidate.logprob for candidate in entry.top_logprobs]
            assert values == sorted(values, reverse=True) and entry.token == entry.top_logprobs[0].token
        middle = alone[1][len(alone[1]) // 2:][:4]
        cut = ask(api, QUESTIONS[1], stop=[middle]).choices[0]
        assert cut.finish_reason == "stop" and cut.message.content == alone[1][:alone[1].index(middle)]


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
