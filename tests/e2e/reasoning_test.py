"""What a model thinks is parted from what it answers, with the official client, in streams and whole answers.

The model is made for the test and thinks aloud; one template leaves the opening tag to the model, the other writes it.
"""
import os
import sys

import harness

try:
    import openai
    import tiny_model
except ImportError as error:
    harness.skip(f"the package {error.name} is not installed (./pingti test installs it)")

# As published reasoning models do: earlier thoughts are not shown again.
HISTORY = ("{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}{% endfor %}"
           "{% if add_generation_prompt %}<assistant>PROMPT{% endif %}")
MODEL_OPENS = HISTORY.replace("PROMPT", "")
TEMPLATE_OPENS = HISTORY.replace("PROMPT", "<think>\n")
SCRIPT = ["<assistant>", "<think>", "\n", "Two and two", " is", " four", ".", "</think>", "The answer", ":", " 4", tiny_model.END]
QUESTION = [{"role": "user", "content": "2+2?"}]
THOUGHT, ANSWER = "Two and two is four.", "The answer: 4"


def check(template):
    with harness.scratch() as folder:
        path = tiny_model.write(os.path.join(folder, "tiny.gguf"), template, SCRIPT)
        with harness.Server(model=path) as server:
            api = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=60)
            fields = dict(model="tiny", messages=QUESTION, temperature=0, max_tokens=64)

            whole = api.chat.completions.create(**fields)
            message = whole.choices[0].message
            assert message.content.strip() == ANSWER, message
            assert message.reasoning_content.strip() == THOUGHT, message
            assert whole.choices[0].finish_reason == "stop"
            assert 4 <= whole.usage.completion_tokens_details.reasoning_tokens < whole.usage.completion_tokens, whole.usage

            thought, text, order = "", "", []
            for chunk in api.chat.completions.create(**fields, stream=True):
                delta = chunk.choices[0].delta
                reasoning = getattr(delta, "reasoning_content", None) or ""
                thought, text = thought + reasoning, text + (delta.content or "")
                order += ["thought"] * bool(reasoning) + ["text"] * bool(delta.content)
            assert (thought, text) == (message.reasoning_content, message.content)
            assert order == sorted(order, key=["thought", "text"].index) and set(order) == {"thought", "text"}, order

            cut = api.chat.completions.create(**{**fields, "max_tokens": 4})
            assert cut.choices[0].finish_reason == "length" and not cut.choices[0].message.content, "cut while it thinks: all is thought"
            assert cut.choices[0].message.reasoning_content

            # The classic endpoint parts nothing.
            plain = api.completions.create(model="tiny", prompt="<assistant>", temperature=0, max_tokens=64).choices[0].text
            assert plain.startswith("<think>") and "</think>" in plain and plain.endswith(ANSWER), plain


def test_the_model_opens_its_thought():
    check(MODEL_OPENS)


def test_the_template_has_opened_it():
    check(TEMPLATE_OPENS)


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
