"""The server's real answers against OpenAI's own description of its API ($PINGTI_DATA/openai/openapi.yaml.gz)."""
import functools
import gzip
import json
import os
import pathlib
import sys

import harness

try:
    import jsonschema
    import yaml
except ImportError as error:
    harness.skip(f"{error.name} is not installed (./pingti test installs it)")

DESCRIPTION = pathlib.Path(os.environ.get("PINGTI_DATA") or ".") / "openai/openapi.yaml.gz"
if not DESCRIPTION.exists():
    harness.skip("no openai/openapi.yaml.gz in the folder that PINGTI_DATA names")

MESSAGES = [{"role": "user", "content": "Name three colours."}]

# Where the description is narrower than what the API itself sends: a streamed text completion has no finish_reason
# until its last event, and the first token of an echoed prompt has no probability.
NULL_IN_COMPLETIONS = [["finish_reason"], ["logprobs", "anyOf", 0, "properties", "token_logprobs", "items"],
                       ["logprobs", "anyOf", 0, "properties", "top_logprobs", "items"]]


def as_json_schema(node):
    """OpenAPI 3.0's `nullable`, which the description still has in places, in the words of JSON Schema 2020-12."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: as_json_schema(value) for key, value in node.items() if key != "nullable"}
    return or_null(schema) if node.get("nullable") is True else schema


def or_null(schema):
    return {"anyOf": [schema, {"type": "null"}]}


@functools.cache
def schemas():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with gzip.open(DESCRIPTION) as file:
        named = as_json_schema(yaml.load(file, loader)["components"]["schemas"])
    choice = named["CreateCompletionResponse"]["properties"]["choices"]["items"]["properties"]
    for *path, last in NULL_IN_COMPLETIONS:
        place = functools.reduce(lambda node, key: node[key], path, choice)
        place[last] = or_null(place[last])
    return named


@functools.cache
def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}})


def valid(name, value):
    """The value, once it is what the description calls `name`; every departure is told at once."""
    wrong = [f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(value)]
    assert not wrong, f"not a {name}:\n  " + "\n  ".join(wrong) + f"\nin {json.dumps(value)[:800]}"
    return value


def events(server, path, body):
    """The parsed events of one stream, which ends with [DONE]."""
    status, headers, text = server.request("POST", path, {**body, "stream": True})
    assert status == 200 and headers["content-type"].startswith("text/event-stream"), f"{status} {text[:400]}"
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]" and len(lines) > 2
    return [json.loads(line) for line in lines[:-1]]


def test_the_check_itself_finds_what_is_wrong():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None, "logprobs": None}
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], "usage": None}
    valid("CreateChatCompletionStreamResponse", chunk)
    valid("CreateChatCompletionStreamResponse", {**chunk, "usage": usage})
    for change in ({"object": "chat.completion"}, {"created": 1.5}, {"usage": {"total_tokens": 3}}, {"choices": [{"index": 0}]},
                   {"choices": [{**choice, "finish_reason": "end"}]}, {"choices": [{**choice, "delta": {"content": 1}}]}):
        assert not validator("CreateChatCompletionStreamResponse").is_valid({**chunk, **change}), change


def test_chat_completions():
    with harness.Server() as server:
        body = {"model": server.model_name(), "messages": MESSAGES, "max_tokens": 8, "seed": 1}
        for fields in ({}, {"n": 3}, {"logprobs": True}, {"logprobs": True, "top_logprobs": 2, "n": 2}):
            answer = valid("CreateChatCompletionResponse", server.json("POST", "/v1/chat/completions", {**body, **fields}))
            assert len(answer["choices"]) == fields.get("n", 1) and valid("CompletionUsage", answer["usage"])


def test_every_event_of_a_chat_stream():
    with harness.Server() as server:
        body = {"model": server.model_name(), "messages": MESSAGES, "max_tokens": 8, "seed": 1}
        for fields in ({}, {"n": 2}, {"logprobs": True, "top_logprobs": 2}, {"stream_options": {"include_usage": True}}):
            chunks = events(server, "/v1/chat/completions", {**body, **fields})
            for chunk in chunks:
                valid("CreateChatCompletionStreamResponse", chunk)
            if "stream_options" in fields:
                assert chunks[-1]["choices"] == [] and valid("CompletionUsage", chunks[-1]["usage"])


def test_completions():
    with harness.Server() as server:
        body = {"model": server.model_name(), "prompt": "The sea is", "max_tokens": 8, "seed": 1}
        for fields in ({}, {"n": 2}, {"logprobs": 2}, {"logprobs": 2, "echo": True}, {"prompt": ["One", "Two"]}):
            answer = valid("CreateCompletionResponse", server.json("POST", "/v1/completions", {**body, **fields}))
            assert valid("CompletionUsage", answer["usage"]) and all(choice["finish_reason"] for choice in answer["choices"])
            if "echo" in fields:
                continue  # the server refuses to stream an echoed prompt's probabilities
            finished = 0
            for event in events(server, "/v1/completions", {**body, **fields}):
                finished += sum(choice["finish_reason"] is not None for choice in valid("CreateCompletionResponse", event)["choices"])
            assert finished == len(answer["choices"])


def test_models():
    with harness.Server() as server:
        for model in valid("ListModelsResponse", server.json("GET", "/v1/models"))["data"]:
            valid("Model", server.json("GET", f"/v1/models/{model['id']}"))


def test_errors():
    with harness.Server("--api-key", "right") as server:
        chat = {"model": "no-such-model", "messages": MESSAGES}
        for wanted, method, path, body, key in ((401, "GET", "/v1/models", None, "wrong"),
                                                (404, "GET", "/v1/models/no-such-model", None, "right"),
                                                (404, "GET", "/v1/no-such-path", None, "right"),
                                                (405, "GET", "/v1/chat/completions", None, "right"),
                                                (404, "POST", "/v1/chat/completions", chat, "right"),
                                                (400, "POST", "/v1/chat/completions", "{not JSON", "right"),
                                                (400, "POST", "/v1/chat/completions", {**chat, "temperature": 9}, "right"),
                                                (400, "POST", "/v1/completions", {"prompt": 5}, "right")):
            status, _, text = server.request(method, path, body, {"authorization": f"Bearer {key}"})
            assert status == wanted, f"{method} {path}: {status} {text[:400]}"
            valid("ErrorResponse", json.loads(text))


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
