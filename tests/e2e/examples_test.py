"""The clients of examples/ do what they show, against a real server with keys; their errors are readable."""
import os
import pathlib
import subprocess
import sys

import harness

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
KEY = "example-secret"


def clients():
    """name -> command, of those that can run here."""
    found = {"chat.sh": [str(EXAMPLES / "chat.sh")]}
    built = pathlib.Path(harness.binary()).parent / "examples/example_chat"
    if built.exists():
        found["chat.cc"] = [str(built)]
    else:
        print(f"SKIP chat.cc: not built at {built}")
    try:
        import openai  # noqa: F401
        found["chat.py"] = [sys.executable, "-B", str(EXAMPLES / "chat.py")]
    except ImportError:
        print("SKIP chat.py: the openai package is not installed (./pingti test installs it)")
    return found


def run(command, server, key, question='Say "hello"\nand a river\'s name.'):
    environment = {**os.environ, "PINGTI_URL": server.url, "PINGTI_API_KEY": key, "NO_PROXY": "127.0.0.1"}
    return subprocess.run([*command, question], capture_output=True, text=True, timeout=120, env=environment)


def test_each_client():
    with harness.Server("--api-key", f"team {KEY}", "--context-length", "512") as server:
        for name, command in clients().items():
            done = run(command, server, KEY)
            assert done.returncode == 0 and done.stdout.strip(), f"{name}: {done.stdout[-300:]} {done.stderr[-500:]}"
            if name == "chat.sh":
                assert done.stdout.rstrip().endswith("data: [DONE]"), done.stdout[-300:]
            else:
                assert "data:" not in done.stdout, f"{name} shows text, not events: {done.stdout[:200]}"
            refused = run(command, server, "wrong")
            assert refused.returncode != 0 and "key" in (refused.stdout + refused.stderr).lower(), f"{name}: {refused.stdout} {refused.stderr}"


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
