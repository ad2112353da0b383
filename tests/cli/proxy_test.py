"""pingti pull from an https hub through an HTTP proxy, as offices have it: CONNECT, resume, sums, refusals, NO_PROXY."""
import base64
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import fake_hub
import harness
import pull_test

if not shutil.which("openssl"):
    harness.skip("no openssl command, which makes the test's certificate")

HOST = "hub.invalid"  # no resolver knows it: who reaches it went through the proxy


class Proxy:
    """Joins CONNECT's two ends, whatever name was asked for, at the hub's port; or refuses."""

    def __init__(self, port):
        self.port_of_hub = port
        self.refuse_with = None  # "502 Bad Gateway"
        self.wanted_user = None  # "user:password"
        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = client.recv(1)
            if not piece:
                return client.close()
            head += piece
        self.heads.append(head.decode())
        wanted = base64.b64encode((self.wanted_user or "").encode()).decode()
        refusal = self.refuse_with
        if self.wanted_user and f"Proxy-Authorization: Basic {wanted}\r\n" not in self.heads[-1]:
            refusal = "407 Proxy Authentication Required"
        if refusal:
            body = b"<html>no</html>"
            client.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            return client.close()
        hub = socket.create_connection(("127.0.0.1", self.port_of_hub))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=self.pump, args=(hub, client), daemon=True)
        back.start()
        self.pump(client, hub)
        back.join()
        client.close()
        hub.close()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def make_certificates(folder):
    """A test authority and a certificate of it for HOST: (authority, certificate with key)."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key[:-2], "-subj", f"/CN={HOST}", "-keyout", "hub.key", "-out", "hub.csr")
    pathlib.Path(folder, "names").write_text(f"subjectAltName=DNS:{HOST}")
    openssl("x509", "-req", "-in", "hub.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names",
            "-out", "hub.pem")
    return os.path.join(folder, "ca.pem"), os.path.join(folder, "hub.pem"), os.path.join(folder, "hub.key")


def behind_proxy(function):
    def run():
        with harness.scratch() as root, fake_hub.FakeHub() as hub:
            authority, certificate, key = make_certificates(root)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            hub.server.socket = context.wrap_socket(hub.server.socket, server_side=True)
            hub.add("org/name-GGUF", "name-q4_k_m.gguf", pull_test.WEIGHTS)
            hub.url = f"https://{HOST}:{hub.server.server_port}"
            with Proxy(hub.server.server_port) as proxy:
                box = pull_test.Box(root)
                box.environment = {name: value for name, value in box.environment.items() if not name.lower().endswith("_proxy")}
                box.environment.update(SSL_CERT_FILE=authority, HTTPS_PROXY=f"http://{proxy.address}")
                function(box, hub, proxy)
    return run


def pulled(box):
    path = box.models / "org/name-GGUF/name-q4_k_m.gguf"
    return path.exists() and path.read_bytes() == pull_test.WEIGHTS


@behind_proxy
def test_through_the_proxy(box, hub, proxy):
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 0, done.stderr
    assert pulled(box)
    assert all(head.startswith(f"CONNECT {HOST}:{hub.server.server_port} HTTP/1.1\r\n") for head in proxy.heads), proxy.heads
    assert not any("Authorization" in head for head in proxy.heads), "what is for the hub stays in the tunnel"
    (box.models / "org/name-GGUF/name-q4_k_m.gguf").unlink()
    done = box.pull(hub, "org/name-GGUF", "--hub", "modelscope", HTTPS_PROXY="", https_proxy=proxy.address)
    assert done.returncode == 0 and pulled(box), done.stderr


@behind_proxy
def test_resumes_through_the_proxy(box, hub, proxy):
    hub.cut_after, hub.cuts_left = 300_000, 2
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 0 and pulled(box), done.stderr
    assert any(wanted for _, wanted in hub.requests), "the rest is asked for, not all again"


@behind_proxy
def test_wrong_sum_through_the_proxy(box, hub, proxy):
    hub.wrong_sum = True
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 1 and "SHA-256" in done.stderr, done.stderr
    assert not pulled(box)


@behind_proxy
def test_user_and_password(box, hub, proxy):
    proxy.wanted_user = "us:er@office:pass word"
    begin = time.monotonic()
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 1 and "407" in done.stderr and "USER:PASSWORD@" in done.stderr, done.stderr
    assert time.monotonic() - begin < 20, "asking again would not help"
    assert not hub.requests
    done = box.pull(hub, "org/name-GGUF", HTTPS_PROXY=f"http://us%3Aer%40office:pass%20word@{proxy.address}")
    assert done.returncode == 0 and pulled(box), done.stderr
    assert "pass" not in done.stderr, "secrets are not printed"


@behind_proxy
def test_a_proxy_that_refuses(box, hub, proxy):
    proxy.refuse_with = "502 Bad Gateway"
    done = box.pull(hub, "org/name-GGUF")
    assert done.returncode == 1 and "502" in done.stderr and proxy.address in done.stderr, done.stderr
    assert not hub.requests and not box.models.joinpath("org/name-GGUF/name-q4_k_m.gguf").exists()


@behind_proxy
def test_no_proxy_goes_directly(box, hub, proxy):
    done = box.pull(hub, "org/name-GGUF", NO_PROXY=f"example.com, .{HOST}")
    assert done.returncode == 1 and HOST in done.stderr, done.stderr  # where only the proxy would have found it
    assert not proxy.heads, proxy.heads
    done = box.pull(hub, "org/name-GGUF", NO_PROXY=f"not{HOST}")
    assert done.returncode == 0 and pulled(box), done.stderr


@behind_proxy
def test_an_unknown_authority_is_refused(box, hub, proxy):
    done = box.pull(hub, "org/name-GGUF", SSL_CERT_FILE="/dev/null")
    assert done.returncode == 1 and "TLS" in done.stderr, done.stderr
    assert not hub.requests


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
