"""What needs no model: help, version, configuration, completion, errors, in both languages."""
import json
import os
import pathlib
import re
import subprocess
import sys

import harness

ROOT = pathlib.Path(__file__).parents[2]


def pingti(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PINGTI_", "LC_", "LANG"))}
    return subprocess.run([harness.binary(), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                          env={**clean, "PINGTI_LANG": "en", "XDG_CONFIG_HOME": "/nonexistent", **environment})


def commands():
    return re.findall(r"^  (\w+) ", pingti("--help").stdout, re.M)


def test_help_of_every_command_in_both_languages():
    names = commands()
    assert {"serve", "run", "chat", "models", "pull", "doctor", "bench", "config", "completion"} <= set(names), names
    for name in names:
        english, chinese = pingti(name, "--help"), pingti(name, "--help", PINGTI_LANG="zh")
        assert english.returncode == chinese.returncode == 0, name
        assert f"usage: pingti {name}" in english.stdout, english.stdout
        assert not re.search(r"[\u4e00-\u9fff]", english.stdout), name
        assert re.search(r"[\u4e00-\u9fff]", chinese.stdout), name
        assert english.stdout == pingti("help", name).stdout


def test_version():
    assert re.match(r"pingti \d+\.\d+\.\d+ ", pingti("--version").stdout)


def test_locale_chooses_the_language():
    assert "用法" in pingti("--help", PINGTI_LANG="", LC_ALL="zh_CN.UTF-8").stdout
    assert "usage" in pingti("--help", PINGTI_LANG="", LANG="C").stdout


def test_usage_errors():
    for arguments, wanted in ((["serv"], "did you mean 'serve'"), (["serve", "--prot", "1"], "did you mean 'port'"),
                              (["serve", "--port", "99999"], "0..65535"), (["config", "--kv-type", "f64"], "f16, bf16, q8"),
                              (["completion"], "bash"), (["bench", "nothing"], "throughput"), (["run", ""], "empty")):
        done = pingti(*arguments)
        assert done.returncode == 2 and wanted in done.stderr, (arguments, done.returncode, done.stderr)
        assert done.stdout == ""


def test_precedence_and_secrets():
    with harness.scratch() as root:
        file = pathlib.Path(root) / "p.toml"
        file.write_text('[server]\nport = 1001\nhost = "0.0.0.0"\napi_key = ["hunter2"]\n')
        text = pingti("config", "--config", str(file), "--port", "1003", PINGTI_PORT="1002", PINGTI_THREADS="1").stdout
        assert re.search(r"port = 1003 +# flag: --port", text), text
        assert re.search(r"threads = 1 +# environment: PINGTI_THREADS", text), text
        assert re.search(rf'host = "0.0.0.0" +# {re.escape(str(file))}:3', text), text
        assert "hunter2" not in text and '"***"' in text, text
        assert "1001" in pingti("config", PINGTI_CONFIG=str(file)).stdout
        file.write_text("[server]\nprot = 1\n")
        done = pingti("config", "--config", str(file))
        assert done.returncode == 2 and f"{file}:2" in done.stderr and "did you mean 'port'" in done.stderr, done.stderr
        assert pingti("config", "--config", str(file) + ".absent").returncode != 0


def test_reference_page_is_current():
    page = ROOT / "docs/configuration.md"
    assert page.read_text() == pingti("config", "--docs").stdout, "write it anew: pingti config --docs > docs/configuration.md"


def test_completion():
    for shell in ("bash", "zsh", "fish"):
        done = pingti("completion", shell)
        assert done.returncode == 0 and "kv-type" in done.stdout, shell
    script = 'source <("$0" completion bash); COMP_WORDS=(pingti se); COMP_CWORD=1; _pingti; echo "${COMPREPLY[*]}"; ' \
             'COMP_WORDS=(pingti serve --por); COMP_CWORD=2; _pingti; echo "${COMPREPLY[*]}"; ' \
             'COMP_WORDS=(pingti serve --kv-type ""); COMP_CWORD=3; _pingti; echo "${COMPREPLY[*]}"'
    done = subprocess.run(["bash", "-c", script, harness.binary()], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PINGTI_LANG": "en"})
    assert done.stdout.split("\n")[:3] == ["serve", "--port", "f16 bf16 q8"], done.stdout + done.stderr


def test_no_model():
    with harness.scratch() as root:
        environment = {"HOME": root, "XDG_CACHE_HOME": root}
        for command in (["serve"], ["run", "hello"], ["chat"]):
            done = pingti(*command, **environment)
            assert done.returncode == 1 and "pingti pull" in done.stderr and "--model" in done.stderr, done.stderr
        done = pingti("run", "--model", "absent", "hello", **environment)
        assert done.returncode == 1 and "no model 'absent'" in done.stderr, done.stderr
        assert "pingti pull" in pingti("models", **environment).stdout


def test_doctor():
    with harness.scratch() as root:
        done = pingti("doctor", "--json", "--port", "0", HOME=root, XDG_CACHE_HOME=root)
        report = json.loads(done.stdout)
        assert done.returncode == 0 and report["problems"] == [], done.stdout
        assert set(report["self_test"].values()) == {"ok"}
        assert report["limits"]["memory_bytes_per_second"] > 1e8
        done = pingti("doctor", "--json", PINGTI_ISA="sse9")
        assert done.returncode == 1 and "sse9" in json.loads(done.stdout)["problems"][0]


def test_attention_bench():
    done = pingti("bench", "attn", "--sizes", "256", "--rounds", "1", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["ratio_256"]["median"] > 0 and rows["difference_256"]["median"] < 0.01, rows


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
