"""pingti pull against a hub on loopback: both layouts, resume, sums, hostile lists, two at once, offline."""
import os
import pathlib
import subprocess
import sys
import threading

import fake_hub
import harness

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB


class Box:
    """A home of its own with pingti in it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.models = self.root / "models"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("PINGTI_", "HF_", "MODELSCOPE_"))}
        self.environment.update(HOME=root, XDG_CACHE_HOME=root, PINGTI_LANG="en", PINGTI_MODELS_DIR=str(self.models), NO_PROXY="127.0.0.1")

    def run(self, *arguments, **environment):
        return subprocess.run([harness.binary(), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                              env={**self.environment, **environment})

    def pull(self, hub, name, *more, **environment):
        return self.run("pull", name, "--hub-url", hub.url, *more, **environment)

    def files(self):
        return sorted(str(path.relative_to(self.models)) for path in self.models.rglob("*") if path.is_file())


def fresh(function):
    def run():
        with harness.scratch() as root, fake_hub.FakeHub() as hub:
            hub.add("org/name-GGUF", "name-q4_k_m.gguf", WEIGHTS)
            hub.add("org/name-GGUF", "name-q8_0.gguf", WEIGHTS[:100])
            hub.add("org/name-GGUF", "README.md", b"hello")
            function(Box(root), hub)
    return run


@fresh
def test_hugging_face(box, hub):
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 0, done.stderr
    path = box.models / "org/name-GGUF/name-q4_k_m.gguf"
    assert done.stdout.strip() == str(path), done.stdout
    assert path.read_bytes() == WEIGHTS
    assert box.files() == ["org/name-GGUF/name-q4_k_m.gguf"], box.files()
    count = len(hub.requests)
    assert box.pull(hub, "org/name-GGUF").returncode == 0
    assert len(hub.requests) == count + 1, "only the list is asked for again"


@fresh
def test_model_scope_and_quantisation(box, hub):
    done = box.pull(hub, "org/name-GGUF:q8_0", "--hub", "modelscope")
    assert done.returncode == 0, done.stderr
    assert (box.models / "org/name-GGUF/name-q8_0.gguf").read_bytes() == WEIGHTS[:100]


@fresh
def test_cut_connection_goes_on(box, hub):
    hub.cut_after, hub.cuts_left = 300_000, 2
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 0, done.stderr
    assert (box.models / "org/name-GGUF/name-q4_k_m.gguf").read_bytes() == WEIGHTS
    assert any(wanted for _, wanted in hub.requests), "the rest is asked for, not all again"


@fresh
def test_wrong_sum(box, hub):
    hub.wrong_sum = True
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 1 and "SHA-256" in done.stderr, done.stderr
    assert not [name for name in box.files() if name.endswith((".gguf", ".part"))], box.files()


@fresh
def test_not_found_and_token(box, hub):
    done = box.pull(hub, "org/absent")
    assert done.returncode == 1 and "404" in done.stderr, done.stderr
    done = box.pull(hub, "org/name-GGUF:q2_k")
    assert done.returncode == 1 and "name-q8_0.gguf" in done.stderr, "an error lists what there is: " + done.stderr
    hub.token = "secret"
    done = box.pull(hub, "org/name-GGUF:q8_0")
    assert done.returncode == 1 and "PINGTI_HUB_TOKEN" in done.stderr, done.stderr
    done = box.pull(hub, "org/name-GGUF:q8_0", PINGTI_HUB_TOKEN="secret")
    assert done.returncode == 0 and "secret" not in done.stderr, done.stderr


@fresh
def test_hostile_names(box, hub):
    for path in ("../../escape.gguf", "/etc/escape.gguf", "a/../../escape.gguf", "a\\b.gguf"):
        hub.hidden_paths["org/name-GGUF"] = [(path, 5)]
        done = box.pull(hub, "org/name-GGUF")
        assert done.returncode == 1, path
    for name in ("../../x", "org", "org/name/more", "org/name:../x", ""):
        done = box.pull(hub, name)
        assert done.returncode == 2, name
    assert not box.models.exists() or not box.files()


@fresh
def test_safetensors_folder(box, hub):
    for name in ("config.json", "tokenizer.json", "model.safetensors", "onnx/model.onnx"):
        hub.add("org/full", name, b"{}" + name.encode())
    done = box.pull(hub, "org/full")
    assert done.returncode == 0, done.stderr
    assert box.files() == ["org/full/config.json", "org/full/model.safetensors", "org/full/tokenizer.json"], box.files()
    (box.models / "org/full/tokenizer.json").unlink()
    done = box.run("run", "--model", "org/full", "hello")
    assert done.returncode == 1 and "tokenizer.json" in done.stderr, "names the missing file, offline: " + done.stderr


@fresh
def test_two_at_once(box, hub):
    results = []
    threads = [threading.Thread(target=lambda: results.append(box.pull(hub, "org/name-GGUF"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.returncode for done in results] == [0, 0], [done.stderr for done in results]
    assert (box.models / "org/name-GGUF/name-q4_k_m.gguf").read_bytes() == WEIGHTS


@fresh
def test_offline(box, hub):
    done = box.run("pull", "org/name", "--hub-url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "PINGTI_HUB_URL" in done.stderr and str(box.models / "org/name") in done.stderr, done.stderr


@fresh
def test_models_lists_what_was_pulled(box, hub):
    box.pull(hub, "org/name-GGUF:q8_0")
    done = box.run("models")
    assert "org/name-GGUF:name-q8_0" in done.stdout, done.stdout


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
