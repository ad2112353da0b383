"""The official `openai` Python package against the real binary."""
import sys

import harness

try:
    import openai
except ImportError:
    harness.skip("the Python package openai is not installed: ./pingti test installs it")

SERVER = harness.Server("--api-key", "e2e test-key")
MESSAGES = [{"role": "user", "content": "Name three colours."}]


def client(key="test-key", retries=0):
    return openai.OpenAI(base_url=f"{SERVER.url}/v1", api_key=key, max_retries=retries, timeout=60)


def model():
    return client().models.list().data[0].id


def test_models():
    assert client().models.retrieve(model()).object == "model"


def test_answer_with_usage():
    answer = client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=24, temperature=0)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens <= 24


def test_streamed_text_is_the_whole_text():
    wanted = client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=24, temperature=0)
    text, usage, reasons = "", None, []
    for chunk in client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=24, temperature=0,
                                                  stream=True, stream_options={"include_usage": True}):
        if chunk.usage:
            usage = chunk.usage
            assert chunk.choices == []
            continue
        text += chunk.choices[0].delta.content or ""
        reasons.append(chunk.choices[0].finish_reason)
    assert text == wanted.choices[0].message.content
    assert usage.completion_tokens == wanted.usage.completion_tokens
    assert reasons[-1] == wanted.choices[0].finish_reason and not any(reasons[:-1])


def test_cancel_in_mid_stream():
    stream = client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=2000, temperature=0,
                                              stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    headers = {"authorization": "Bearer test-key"}

    def idle():
        text = SERVER.request("GET", "/metrics", headers=headers)[2]
        return "vllm:num_requests_running{" in text and '"} 0\n' in text.split("vllm:num_requests_running{")[1]

    SERVER.wait_until(idle, 10, "the engine lets go of a cancelled request")


def test_choices_logprobs_stop_and_seed():
    answer = client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=8, n=3, logprobs=True,
                                              top_logprobs=2, seed=7)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert all(len(entry.top_logprobs) == 2 for entry in answer.choices[0].logprobs.content)
    again = client().chat.completions.create(model=model(), messages=MESSAGES, max_tokens=8, n=3, seed=7)
    assert [c.message.content for c in again.choices] == [c.message.content for c in answer.choices]
    counted = client().completions.create(model=model(), prompt="1, 2, 3, 4, 5, 6,", max_tokens=24, temperature=0)
    mark = counted.choices[0].text.strip()[:1]
    stopped = client().completions.create(model=model(), prompt="1, 2, 3, 4, 5, 6,", max_tokens=24, temperature=0,
                                          stop=mark)
    assert mark not in stopped.choices[0].text and stopped.choices[0].finish_reason == "stop"


def test_classic_logprobs_and_echo():
    answer = client().completions.create(model=model(), prompt="The sea", max_tokens=4, temperature=0, logprobs=2, echo=True)
    logprobs = answer.choices[0].logprobs
    assert answer.choices[0].text.startswith("The sea")
    assert logprobs.token_logprobs[0] is None and len(logprobs.tokens) == len(logprobs.text_offset)


def test_errors_have_their_classes():
    def raises(kind, call):
        try:
            call()
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")

    raises(openai.AuthenticationError, lambda: client("wrong").models.list())
    create = client().chat.completions.create
    wrong = raises(openai.BadRequestError, lambda: create(model=model(), messages=MESSAGES, temperature=9))
    assert wrong.body["param"] == "temperature"
    raises(openai.NotFoundError, lambda: create(model="no-such-model", messages=MESSAGES))
    long = raises(openai.BadRequestError,
                  lambda: create(model=model(), messages=[{"role": "user", "content": "word " * 40_000}]))
    assert long.code == "context_length_exceeded"
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    raises(openai.BadRequestError, lambda: create(model=model(), messages=[{"role": "user", "content": image}]))
    raises(openai.BadRequestError,
           lambda: create(model=model(), messages=MESSAGES, response_format={"type": "json_object"}))


if __name__ == "__main__":
    with SERVER:
        harness.main(sys.modules[__name__])
