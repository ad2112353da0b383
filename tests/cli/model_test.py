"""run, chat, bench and serve with the default model."""
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import sys
import time

import harness

MODEL = harness.default_model()
ENVIRONMENT = {**os.environ, "PINGTI_LANG": "en"}


def pingti(*arguments, **more):
    return subprocess.run([harness.binary(), *arguments], capture_output=True, text=True, timeout=120, env=ENVIRONMENT,
                          **({"stdin": subprocess.DEVNULL} if "input" not in more else {}), **more)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *arguments, home):
        self.seen = ""
        self.process, self.master = None, None
        pid, self.master = pty.fork()
        if pid == 0:
            os.environ.update(PINGTI_LANG="en", TERM="xterm", XDG_STATE_HOME=home)
            os.execv(harness.binary(), [harness.binary(), *arguments])
        self.pid = pid

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, text, seconds=60):
        """Waits for `text` after what was expected before; returns what came with it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen!r}"
            self.read(0.2)
        before, _, self.seen = self.seen.partition(text)
        return before

    def wait(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it does not end")


def test_run_prints_one_answer():
    done = pingti("run", "-m", MODEL, "--raw", "--temperature", "0", "-n", "8", "The capital of France is")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout and done.stdout.endswith("\n"), done.stdout
    again = pingti("run", "-m", MODEL, "--raw", "--temperature", "0", "-n", "8", "The capital of France is")
    assert again.stdout == done.stdout


def test_run_reads_a_pipe():
    done = pingti("run", "-m", MODEL, "--temperature", "0", "-n", "12", input="What is the capital of France?")
    assert done.returncode == 0 and len(done.stdout) > 10, done.stderr
    done = pingti("run", "-m", MODEL, "--raw", "--temperature", "0", "-n", "8", "--stats", "-", input="The capital of France is")
    assert done.returncode == 0 and "Paris" in done.stdout and "seed" in done.stderr, done.stderr


def test_run_into_a_closed_pipe():
    process = subprocess.Popen([harness.binary(), "run", "-m", MODEL, "--ignore-eos", "-n", "2000", "Tell me a story"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(30) == -signal.SIGPIPE
    assert process.stderr.read() == b""


def test_run_is_interrupted():
    process = subprocess.Popen([harness.binary(), "run", "-m", MODEL, "--ignore-eos", "-n", "4000", "Tell me a story"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(30) == 130


def test_chat_on_a_terminal():
    with harness.scratch() as home:
        chat = Terminal("chat", "-m", MODEL, "--temperature", "0", "--max-tokens", "24", home=home)
        chat.expect("> ")
        chat.send("What is the capital of Franze")
        chat.send("\x7f\x7fce?\r")  # corrected with backspace
        chat.expect("\x1b[?2004l")  # the editor ends, the answer begins
        assert len(chat.expect("\x1b[?2004h")) > 10
        chat.send("/stats\r")
        chat.expect("2 messages")
        chat.send("/set max-tokens 4000\r")
        chat.expect("/set max-tokens 4000")
        chat.send("/set ignore-eos true\r")
        chat.expect("ignore-eos true\r\n")
        chat.send("Write a long story\r")
        time.sleep(1.5)
        chat.send("\x03")
        chat.expect("[stopped]")
        chat.send("你好平替")
        chat.expect("替")
        chat.send("\x15/save " + home + "/talk.json\r")
        chat.expect("saved 4 messages")
        chat.send("/nonsense\r")
        chat.expect("/help lists them")
        chat.send("\x04")
        assert chat.wait() == 0
        assert len(json.loads(pathlib.Path(home, "talk.json").read_text())["messages"]) == 4
        history = pathlib.Path(home, "pingti/history").read_text()
        assert "What is the capital of France?\n" in history, history


def test_chat_against_a_server_in_a_pipe():
    with harness.Server() as server, harness.scratch() as home:
        done = subprocess.run([harness.binary(), "chat", "--url", server.url, "--temperature", "0", "--max-tokens", "16"], text=True,
                              input="/system Answer briefly.\nWhat is the capital of France?\n/show\n/reset\n/stats\n/exit\nnever\n",
                              capture_output=True, timeout=120, env={**ENVIRONMENT, "XDG_STATE_HOME": home})
        assert done.returncode == 0, done.stderr
        assert "[assistant] " in done.stdout and "[user] What is the capital" in done.stdout and "1 messages" in done.stdout, done.stdout
        assert "never" not in done.stdout


def test_serve_says_what_to_do():
    with harness.Server() as server:
        for wanted in ("Ready: http://127.0.0.1:", "curl http://127.0.0.1:", "/v1/chat/completions", "kernels ", "loaded in"):
            assert wanted in server.log, (wanted, server.log)
        line = server.log[server.log.index("curl "):].split("\n\n")[0]
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert "choices" in json.loads(answer.stdout), answer.stdout


def test_serve_on_a_taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = pingti("serve", "-m", MODEL, "--port", str(port))
        assert done.returncode == 1 and str(port) in done.stderr and "--port" in done.stderr, done.stderr


def test_bench():
    done = pingti("bench", "batch", "-m", MODEL, "--sizes", "1,4", "--rounds", "1", "--prompt-tokens", "16", "--output-tokens", "8", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row["median"] for row in json.loads(done.stdout)["rows"]}
    assert rows["batch_1"] > 0 and rows["ratio_4_to_1"] > 0, rows


def test_models_has_the_default():
    done = pingti("models", "--json")
    assert any(model["architecture"] == "llama" for model in json.loads(done.stdout)), done.stdout


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
