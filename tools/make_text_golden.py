#!/usr/bin/env python3
"""Writes the goldens of src/text from Python's implementations of the same things.

    pip install jinja2==3.1.6 transformers==4.57.1 tokenizers==0.22.1 gguf==0.19.0
    tools/make_text_golden.py templates [MODEL.gguf ...]    tests/golden/templates/{features,real}_rendered.json
"""
import hashlib
import json
import pathlib
import sys

GOLDEN = pathlib.Path("tests/golden")
MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi <you>"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
]


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def save(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("[\n" + text + "\n]\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes")


def render(template, **variables):
    from transformers.utils.chat_template_utils import _compile_jinja_template
    return _compile_jinja_template(template).render(**variables)


def make_features():
    rows = []
    for case in load(GOLDEN / "templates/features.json"):
        variables = {"messages": MESSAGES, "tools": None, "documents": None, "add_generation_prompt": True,
                     "bos_token": "<s>", "eos_token": "</s>", **case.get("extra", {})}
        row = {"name": case["name"]}
        try:
            row["rendered"] = render(case["template"], **variables)
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"
        wanted = "error" if case.get("fails") or case.get("raises") else "rendered"
        assert wanted in row, (case["name"], row)
        rows.append(row)
    save(GOLDEN / "templates/features_rendered.json", rows)


def make_real(files):
    """Renderings of templates that are themselves never committed: read from model files at test time."""
    from gguf import GGUFReader
    rows = []
    for file in files:
        fields = GGUFReader(file).fields
        value = lambda key: fields["tokenizer." + key].contents() if "tokenizer." + key in fields else None
        template, tokens = value("chat_template"), value("ggml.tokens")
        text = lambda key: tokens[value(key)] if value(key) is not None else ""
        bos, eos = text("ggml.bos_token_id"), text("ggml.eos_token_id")
        for case in load(GOLDEN / "templates/conversations.json"):
            row = {"file": pathlib.Path(file).name, "sha256": hashlib.sha256(template.encode()).hexdigest(),
                   "bos": bos, "eos": eos, "conversation": case["name"]}
            try:
                row["rendered"] = render(
                    template, messages=case["messages"], tools=case.get("tools"), documents=None,
                    add_generation_prompt=case.get("add_generation_prompt", True), bos_token=bos, eos_token=eos)
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"
            rows.append(row)
    save(GOLDEN / "templates/real_rendered.json", rows)


def main():
    what, *arguments = sys.argv[1:] or ["help"]
    if what == "templates":
        make_features()
        if arguments:
            make_real(arguments)
    else:
        print(__doc__)


if __name__ == "__main__":
    main()
