"""HTTPS as operators set it up: TLS 1.3 answers, older versions are refused, plain HTTP on the TLS port gets nothing."""
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys

import harness

if not shutil.which("openssl"):
    harness.skip("no openssl command, which makes the test's certificate")
if not ssl.HAS_TLSv1_3:
    harness.skip("this Python's ssl has no TLS 1.3")


class TlsServer(harness.Server):
    """A server with a fresh self-signed certificate for 127.0.0.1, which its clients trust and check."""

    def __init__(self, folder):
        self.certificate, key = str(pathlib.Path(folder) / "cert.pem"), str(pathlib.Path(folder) / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=pingti test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.certificate],
                       check=True, capture_output=True)
        super().__init__("--tls-cert", self.certificate, "--tls-key", key)

    def connection(self, timeout=60):
        context = ssl.create_default_context(cafile=self.certificate)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def alive(self):
        return self.request("GET", "/health")[0] == 200 and self.process.poll() is None


def test_tls_1_3_answers_and_streams():
    with harness.scratch() as folder, TlsServer(folder) as server:
        connection = server.connection()
        connection.connect()
        assert connection.sock.version() == "TLSv1.3"
        connection.close()
        assert server.alive()
        chunks = list(server.stream("Name three colours.", max_tokens=24))
        assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        body = {"model": server.model_name(), "prompt": "The sea", "max_tokens": 1}
        long = json.dumps(body) + " " * 300_000  # many TLS records
        assert server.json("POST", "/v1/completions", long)["usage"]["completion_tokens"] == 1


def test_tls_1_2_is_refused():
    with harness.scratch() as folder, TlsServer(folder) as server:
        context = ssl.create_default_context(cafile=server.certificate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            with socket.create_connection(("127.0.0.1", server.port), 20) as plain:
                tls = context.wrap_socket(plain, server_hostname="127.0.0.1")
                raise AssertionError(f"the server speaks {tls.version()}")
        except ssl.SSLError as error:
            assert error.reason == "TLSV1_ALERT_PROTOCOL_VERSION", error  # refused for this, not for something else
        assert server.alive()


def test_plain_http_on_the_tls_port_gets_no_answer():
    with harness.scratch() as folder, TlsServer(folder) as server:
        for request in (b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", bytes(range(256)) * 8, b"\x16\x03\x01"):
            with socket.create_connection(("127.0.0.1", server.port), 20) as plain:
                plain.sendall(request)
                plain.shutdown(socket.SHUT_WR)
                answer = b""
                try:
                    while piece := plain.recv(4096):
                        answer += piece
                except ConnectionResetError:
                    pass
            assert b"HTTP/" not in answer and len(answer) <= 7, answer  # nothing, or one TLS alert
            assert server.alive()


def test_a_certificate_that_cannot_be_read_is_told_at_the_start():
    with harness.scratch() as folder:
        server = TlsServer(folder)
        pathlib.Path(server.certificate).write_text("no certificate\n")
        try:
            server.start()
        except AssertionError as error:
            assert "cert.pem" in str(error), error
        else:
            server.stop()
            raise AssertionError("the server started")


if __name__ == "__main__":
    harness.main(sys.modules[__name__])
