"""The ways to deploy do what docs/deployment.md says: the container's root file system runs in a bare root, the manifest fits
the binary (paths, ports, settings, rights), the unit is one that systemd accepts. No registry, daemon or cluster is needed."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import harness

try:
    import yaml
except ImportError:
    harness.skip("the package yaml is not installed (./pingti test installs it)")

ROOT = pathlib.Path(__file__).parents[2]
PORT = 18080 + os.getpid() % 1000


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=200, **options)
    assert done.returncode == 0, f"{command}: {done.stdout[-500:]} {done.stderr[-1500:]}"
    return done.stdout


def dockerfile(keyword):
    text = (ROOT / "deploy/container/Dockerfile").read_text(encoding="utf-8")
    return re.search(rf"^{keyword} (.*)$", text, re.M)[1]


def test_container_root_runs_alone():
    if os.getuid() != 0 or shutil.which("dpkg-deb") is None:
        print("SKIP: packages are made on Debian, and a root of its own needs root's rights")
        return
    with harness.scratch() as folder:
        run(ROOT / "pingti", "package", "--no-build", "--output", folder)
        archive = next(pathlib.Path(folder).glob("pingti-*-linux-x86_64.tar.gz"))
        run(ROOT / "deploy/container/build.sh", archive, f"{folder}/image")
        rootfs = pathlib.Path(folder) / "image/rootfs"
        assert (rootfs.parent / "Dockerfile").exists()
        os.chmod(folder, 0o755)
        shutil.copy(harness.default_model(), rootfs / "models/model.gguf")
        # As a container: the image's user, variables and entry, a root without anything else, mounts that nobody else sees.
        environment = dict(re.findall(r"(\w+)=(\S+)", dockerfile("ENV"))) | {"PINGTI_PORT": str(PORT), "PINGTI_HOST": "127.0.0.1"}
        enter = f"mount --bind /proc {rootfs}/proc; exec chroot --userspec={dockerfile('USER')} {rootfs} \"$@\""
        command = [*json.loads(dockerfile("ENTRYPOINT")), *json.loads(dockerfile("CMD")), "--model", "/models/model.gguf"]
        log = open(f"{folder}/log", "w+", encoding="utf-8")
        server = subprocess.Popen(["unshare", "--mount", "sh", "-c", enter, "sh", *command], stdout=log, stderr=log,
                                  env=environment | {"PATH": os.environ["PATH"]})
        try:
            answer = ask_until_ready(server, log)
            assert answer["usage"]["completion_tokens"] == 4, answer
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
            assert re.search(r"^Uid:\s+65532\s+65532", status, re.M), status[:400]
        finally:
            server.terminate()
            assert server.wait(30) == 0, "SIGTERM ends it cleanly"
            log.close()


def ask_until_ready(server, log):
    body = json.dumps({"prompt": "Hello", "max_tokens": 4, "ignore_eos": True}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 60
    while True:
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}/v1/completions", body, {"content-type": "application/json"})
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError):
            log.seek(0)
            assert server.poll() is None and time.monotonic() < end, log.read()[-2000:]
            time.sleep(0.1)


def manifests():
    text = (ROOT / "deploy/kubernetes/pingti.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_manifest_fits_the_binary():
    documents = manifests()
    spec = documents["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert str(ports["http"]) == dockerfile("EXPOSE")
    (service,) = documents["Service"]["spec"]["ports"]
    assert service["targetPort"] in ports
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= documents["Service"]["spec"]["selector"].items()
    assert labels.items() >= documents["Deployment"]["spec"]["selector"]["matchLabels"].items()

    with harness.Server("--context-length", "256") as server:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = container[probe]["httpGet"]
            assert get["port"] in ports
            assert server.request("GET", get["path"])[0] == 200, f"{probe}: {get['path']}"
    # Its settings are settings of this binary, and together they are a valid configuration.
    known = run(harness.binary(), "config", "--docs")
    for variable in container["env"]:
        assert f"`{variable['name']}`" in known, f"{variable['name']} is no setting"
    usage = run(harness.binary(), "serve", "--help")
    assert container["args"][0] == "serve"
    for word in container["args"]:
        assert not word.startswith("--") or re.search(re.escape(word) + r"\b", usage), f"serve has no {word}"
    version = run(harness.binary(), "--version").split()[1]
    assert container["image"].endswith(":" + version), f"{container['image']} is not version {version}"
    drain = next(int(v["value"]) for v in container["env"] if v["name"] == "PINGTI_DRAIN_TIMEOUT_MS")
    assert spec["terminationGracePeriodSeconds"] * 1000 > drain, "the cluster would kill what still drains"


def test_manifest_gives_no_rights():
    spec = manifests()["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    user, group = map(int, dockerfile("USER").split(":"))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (user, group)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                            "capabilities": {"drop": ["ALL"]}}
    for side in ("requests", "limits"):
        assert set(container["resources"][side]) == {"cpu", "memory"}
    volumes = {volume["name"] for volume in spec["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(mounts) == volumes, "every volume is mounted, every mount has one"
    assert mounts["cache"]["mountPath"] in dockerfile("ENV"), "the cache is where the image looks for it"
    written = {value for variable in container["env"] for value in [variable["value"]] if variable["name"] == "PINGTI_KEY_USAGE_FILE"}
    assert all(path.startswith(mounts["cache"]["mountPath"] + "/") for path in written), "the root cannot be written"


def test_systemd_accepts_the_unit():
    if shutil.which("systemd-analyze") is None:
        print("SKIP: no systemd-analyze here")
        return
    with harness.scratch() as folder:
        text = (ROOT / "deploy/debian/pingti.service").read_text(encoding="utf-8")
        unit = pathlib.Path(folder) / "pingti.service"
        unit.write_text(text.replace("/usr/bin/pingti", harness.binary()), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        ours = [line for line in done.stderr.splitlines() if "pingti" in line]
        assert not ours, ours


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
