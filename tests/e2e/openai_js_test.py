"""The official JavaScript client (js/client.mjs) against the real server."""
import pathlib
import shutil
import subprocess
import sys

import harness

FOLDER = pathlib.Path(__file__).parent / "js"


def test_official_client():
    with harness.Server() as server:
        command = ["node", str(FOLDER / "client.mjs"), server.url + "/v1", server.model_name()]
        run = subprocess.run(command, capture_output=True, text=True, timeout=200)
        print(run.stdout, end="")
        assert run.returncode == 0, run.stderr[-2000:]
        server.wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 10, "the aborted request is gone")


if __name__ == "__main__":
    if shutil.which("node") is None:
        harness.skip("no node here")
    if not (FOLDER / "node_modules/openai").is_dir():
        harness.skip("the openai package of tests/e2e/js is not installed (./pingti test does where there is an npm)")
    harness.main(sys.modules[__name__])
