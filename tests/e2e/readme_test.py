"""The commands of README.md and README.zh-CN.md do what they say: the curl and Python examples against a real server, and
`pingti run` in a pipe. Commands that set up, test or need the internet are left to their own tests."""
import json
import os
import pathlib
import re
import subprocess
import sys

import harness
from harness import Server, binary, default_model

ROOT = pathlib.Path(__file__).parents[2]


def blocks(document, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)


def streamed_text(output):
    """The text of an SSE stream, which must end with [DONE]."""
    events = [line[len("data: "):] for line in output.splitlines() if line.startswith("data: ")]
    assert events and events[-1] == "[DONE]", output[-300:]
    deltas = [choice["delta"].get("content") or "" for event in events[:-1] for choice in json.loads(event)["choices"]]
    return "".join(deltas)


def test_curl_examples():
    with Server("--context-length", "512") as server:  # bounds an answer that finds no end
        for document in ("README.md", "README.zh-CN.md"):
            examples = [block for block in blocks(document, "sh") if block.startswith("curl ")]
            assert examples, f"{document}: no curl example"
            for example in examples:
                command = example.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}").replace("curl ", "curl -sSN ", 1)
                run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
                assert run.returncode == 0, run.stderr
                assert streamed_text(run.stdout).strip(), f"{document}: no text came"


def test_python_examples():
    try:
        import openai  # noqa: F401
    except ImportError:
        print("SKIP python: the openai package is not installed (./pingti test installs it)")
        return
    with Server("--context-length", "512") as server:  # bounds an answer that finds no end
        for example in blocks("README.md", "python"):
            program = example.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
            run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
            assert run.returncode == 0 and run.stdout.strip(), run.stderr[-2000:]


def test_one_answer_in_a_pipe():
    prompt = re.search(r'pingti run ("[^"]*")', (ROOT / "README.md").read_text()).group(1)
    command = f"'{binary()}' run --model '{default_model()}' --max-tokens 16 {prompt} | cat"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120, env={**os.environ, "PINGTI_LANG": "en"})
    assert run.returncode == 0 and run.stdout.strip(), run.stderr


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
