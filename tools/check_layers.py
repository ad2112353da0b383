#!/usr/bin/env python3
"""Who includes whom, and which words stay where (the rules of ARCHITECTURE.md as greps).

1. An #include "folder/..." in src/, apps/ and include/ is one that tools/layers.txt allows.
2. An instruction set is named only in kernels/, a model family only in models/ and text/, a socket only in net/, a field
   of the OpenAI protocol only in protocol/ and endpoints/. Comments may explain; tests beside the source may name models.
"""
import re

import source

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# (what, pattern, folders that may, whether tests may)
WORDS = [
    ("an instruction set", re.compile(r"\b_mm(?:256|512)?_|\b__m\d{3}|immintrin\.h|\bavx\w*|\bvnni\b|\bneon\b|\bsse\d", re.I),
     {"kernels"}, False),
    ("a model family", re.compile(
        r"(?<![A-Za-z])(?:llama|qwen|smollm|mistral|mixtral|deepseek|gemma|phi-?[234])"
        r"|Llama|Qwen|SmolLM|Mistral|Mixtral|DeepSeek|Gemma|Phi-?[234]"), {"models", "text"}, True),
    ("a socket", re.compile(r"<(?:sys/(?:socket|epoll|un)\.h|netinet/|arpa/|netdb\.h|boost/(?:asio|beast))"), {"net"}, True),
    ("an OpenAI field", re.compile(
        r'\\?"(?:finish_reason|chat\.completion(?:\.chunk)?|max_completion_tokens|stream_options'
        r'|response_format|parallel_tool_calls|system_fingerprint)\\?"'), {"protocol", "endpoints"}, True),
]


def read_layers(text):
    """{folder: folders it may include} of tools/layers.txt."""
    layers = {}
    for line in text.splitlines():
        match = re.match(r"([a-z]+):\s*([^#]*)", line)
        if match:
            layers[match.group(1)] = set(match.group(2).split())
    return layers


def check_order(layers):
    """Each folder may include only folders that stand above it in the list: so there is no cycle."""
    seen = set()
    problems = []
    for folder, allowed in layers.items():
        problems += [f"layers.txt: {folder} names {other} before its line" for other in sorted(allowed - seen)]
        seen.add(folder)
    return problems


def check_includes(name, folder, text, layers):
    problems = []
    if folder not in layers:
        return [f"{name}: folder {folder} is not in tools/layers.txt"]
    for match in INCLUDE.finditer(source.strip(text)):
        other, slash, _ = match.group(1).partition("/")
        line = text.count("\n", 0, match.start(1)) + 1
        if not slash:
            if folder != "apps":
                problems.append(f'{name}:{line}: #include "{match.group(1)}": wanted a path from src/')
        elif other in layers and other != folder and other not in layers[folder]:
            problems.append(f"{name}:{line}: {folder} may not include {match.group(1)} (tools/layers.txt)")
    return problems


def check_words(name, folder, text, exceptions):
    problems = []
    code = source.strip(text)
    is_test = bool(re.search(r"_(?:test|bench)\.cc$|/testing/", name))
    for what, pattern, homes, tests_may in WORDS:
        if folder in homes or (is_test and tests_may):
            continue
        for match in pattern.finditer(code):
            if exceptions is not None and exceptions.covers(f"{name} {match.group(0)}"):
                continue
            line = code.count("\n", 0, match.start()) + 1
            problems.append(f"{name}:{line}: {match.group(0)}: {what} is named only in {', '.join(sorted(homes))}")
    return problems


def main():
    exceptions = source.Exceptions("layers")
    layers = read_layers((source.ROOT / "tools/layers.txt").read_text())
    problems = check_order(layers)
    paths = source.files(source.ROOT, ["src", "apps", "include"], {".h", ".cc", ".inl"})
    for path in paths:
        parts = path.relative_to(source.ROOT).parts
        folder = parts[1] if parts[0] == "src" else parts[0]
        name = "/".join(parts)
        text = path.read_text()
        if folder != "include":
            problems += check_includes(name, folder, text, layers)
        problems += check_words(name, folder, text, exceptions)
    source.finish("layers", problems, exceptions, f"{len(paths)} files")


if __name__ == "__main__":
    main()
