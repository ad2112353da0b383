"""The official Python client against the real server: what an application does all day, and what goes wrong on the way."""
import sys
import tempfile
import time

import harness

try:
    import openai
except ImportError:
    harness.skip("the openai package is not installed (./pingti test installs it)")

QUESTION = [{"role": "user", "content": "Name three colours."}]


def client(server, key="none", **options):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0, timeout=60, **options)


def raises(kind, call, *wanted):
    """The error of this kind that the call raises; its text names each of `wanted`."""
    try:
        call()
    except kind as error:
        for word in wanted:
            assert word in str(error), f"{error}: wanted {word!r} in it"
        return error
    raise AssertionError(f"no {kind.__name__}")


def test_models_and_an_answer():
    with harness.Server() as server:
        api = client(server)
        model = api.models.list().data[0].id
        assert api.models.retrieve(model).id == model
        answer = api.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0)
        again = api.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0)
        assert answer.object == "chat.completion" and answer.model == model
        assert answer.choices[0].message.role == "assistant" and answer.choices[0].message.content
        assert answer.choices[0].message.content == again.choices[0].message.content
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
        assert answer.usage.completion_tokens <= 24
        text = api.completions.create(model=model, prompt="Paris is the capital of", max_tokens=8, temperature=0)
        assert text.object == "text_completion" and text.choices[0].text


def test_a_stream_says_what_the_whole_answer_says():
    with harness.Server() as server:
        api = client(server)
        model = server.model_name()
        fields = dict(model=model, messages=QUESTION, max_tokens=32, temperature=0)
        whole = api.chat.completions.create(**fields)
        text, finish, usage, ids = "", None, None, set()
        for chunk in api.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}):
            ids.add(chunk.id)
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
            usage = chunk.usage or usage
        assert text == whole.choices[0].message.content
        assert finish == whole.choices[0].finish_reason
        assert usage.completion_tokens == whole.usage.completion_tokens
        assert len(ids) == 1


def test_n_seed_logprobs_and_stop():
    with harness.Server() as server:
        api = client(server)
        model = server.model_name()
        several = api.chat.completions.create(model=model, messages=QUESTION, n=3, max_tokens=12, temperature=1.0, seed=7)
        assert [choice.index for choice in several.choices] == [0, 1, 2]
        same = api.chat.completions.create(model=model, messages=QUESTION, n=3, max_tokens=12, temperature=1.0, seed=7)
        assert [c.message.content for c in several.choices] == [c.message.content for c in same.choices]

        likely = api.chat.completions.create(model=model, messages=QUESTION, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3)
        entries = likely.choices[0].logprobs.content
        assert len(entries) == likely.usage.completion_tokens
        for entry in entries:
            assert entry.logprob <= 0 and len(entry.top_logprobs) == 3
            assert entry.top_logprobs[0].token == entry.token
        assert b"".join(bytes(e.bytes) for e in entries).decode() == likely.choices[0].message.content

        long = api.chat.completions.create(model=model, messages=QUESTION, max_tokens=32, temperature=0).choices[0].message.content
        middle = long[len(long) // 2:][:3]
        cut = api.chat.completions.create(model=model, messages=QUESTION, max_tokens=32, temperature=0, stop=[middle])
        assert cut.choices[0].message.content == long[:long.index(middle)]
        assert cut.choices[0].finish_reason == "stop"


def test_classic_logprobs_and_echo():
    with harness.Server() as server:
        answer = client(server).completions.create(model=server.model_name(), prompt="The sea", max_tokens=4, temperature=0, logprobs=2,
                                                   echo=True)
        logprobs = answer.choices[0].logprobs
        assert answer.choices[0].text.startswith("The sea")
        assert logprobs.token_logprobs[0] is None and len(logprobs.tokens) == len(logprobs.text_offset)


def test_leaving_in_mid_stream_frees_the_place():
    with harness.Server() as server:
        api = client(server)
        stream = api.chat.completions.create(model=server.model_name(), messages=QUESTION, max_tokens=2000, stream=True,
                                             extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        server.wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 10, "the request is gone")


def test_errors_have_the_client_s_own_types():
    with harness.Server() as server:
        api = client(server)
        model = server.model_name()

        def chat(**fields):
            return lambda: api.chat.completions.create(**{"model": model, "messages": QUESTION, **fields})

        error = raises(openai.BadRequestError, chat(temperature=9.0), "temperature")
        assert error.param == "temperature" and error.status_code == 400
        raises(openai.BadRequestError, chat(max_tokens=-1))
        raises(openai.BadRequestError, chat(messages=[]))
        raises(openai.NotFoundError, chat(model="no-such-model"), "no-such-model")
        error = raises(openai.BadRequestError, chat(messages=[{"role": "user", "content": "word " * 20000}]), "token")
        assert error.code == "context_length_exceeded"
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
        raises(openai.BadRequestError, chat(messages=image))
        raises(openai.NotFoundError, lambda: api.models.retrieve("no-such-model"))
        chat(max_tokens=2)()  # and it still answers


def test_keys():
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("team secret-key\n")
        keys.flush()
        with harness.Server("--api-key-file", keys.name) as server:
            raises(openai.AuthenticationError, client(server, "wrong").models.list)
            assert client(server, "secret-key").models.list().data


def test_a_client_that_retries_gets_through_a_restart():
    with harness.Server() as server:
        port = server.port
    with harness.Server("--port", str(port)) as server:
        api = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=5)
        began = time.monotonic()
        assert api.models.list().data and time.monotonic() - began < 30


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
