"""A streamed answer with OpenAI's Python package (pip install openai). Usage: examples/chat.py [QUESTION]"""
import os
import sys

import openai

client = openai.OpenAI(base_url=os.environ.get("PINGTI_URL", "http://127.0.0.1:8080") + "/v1",
                       api_key=os.environ.get("PINGTI_API_KEY", "none"))
question = " ".join(sys.argv[1:]) or "Name three rivers."

try:
    stream = client.chat.completions.create(
        model=client.models.list().data[0].id,
        messages=[{"role": "user", "content": question}],
        max_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"repetition_penalty": 1.1},  # fields beyond OpenAI's
    )
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        if chunk.usage:
            print(f"\n[{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens]")
except openai.BadRequestError as error:  # error.param names the field; error.code says "context_length_exceeded" and the like
    sys.exit(f"refused: {error.message}")
except openai.AuthenticationError:
    sys.exit("the server wants a key: set PINGTI_API_KEY")
except openai.RateLimitError as error:  # the client has already waited and tried again
    sys.exit(f"over the quota, or the server is full: {error.message}")
except openai.APIConnectionError:
    sys.exit(f"nobody answers at {client.base_url}")
