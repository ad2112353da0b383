"""A model hub on loopback, in Hugging Face's and ModelScope's layouts, that can also misbehave.

    with FakeHub() as hub:
        hub.add("org/name", "m-q4_0.gguf", b"...")
        pingti("pull", "org/name", "--hub-url", hub.url)
"""
import hashlib
import http.server
import json
import re
import threading
import urllib.parse


class FakeHub:
    def __init__(self):
        self.repositories = {}   # "org/name" -> {path: bytes}
        self.hidden_paths = {}   # "org/name" -> [(path as listed, size)]: entries without a file
        self.wrong_sum = False
        self.cut_after = 0       # bytes of a body after which the connection breaks; 0: never
        self.cuts_left = 0
        self.token = None        # wanted as "Bearer TOKEN"
        self.requests = []       # (path, Range)

    def add(self, repository, path, content):
        self.repositories.setdefault(repository, {})[path] = content

    def __enter__(self):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                hub.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    def sum_of(self, content):
        return hashlib.sha256(b"other" if self.wrong_sum else content).hexdigest()

    def hugging_face_list(self, repository):
        entries = [{"type": "directory", "path": "folder", "oid": "0" * 40, "size": 0}]
        for path, content in self.repositories[repository].items():
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"type": "file", "path": path, "size": len(content), "oid": git}
            if not path.endswith(".json"):
                entry["lfs"] = {"oid": self.sum_of(content), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return entries + [{"type": "file", "path": path, "size": size} for path, size in self.hidden_paths.get(repository, [])]

    def model_scope_list(self, repository):
        files = [{"Type": "tree", "Path": "folder", "Size": 0}]
        for path, content in self.repositories[repository].items():
            files.append({"Type": "blob", "Path": path, "Size": len(content), "Sha256": self.sum_of(content)})
        return {"Code": 200, "Data": {"Files": files}}

    def answer(self, request):
        self.requests.append((request.path, request.headers.get("Range")))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return self.reply(request, 401, b"{}")
        parsed = urllib.parse.urlparse(request.path)
        query = urllib.parse.parse_qs(parsed.query)
        path = urllib.parse.unquote(parsed.path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/main", path):
            return self.list(request, match[1], self.hugging_face_list)
        if match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
            return self.list(request, match[1], self.model_scope_list)
        if match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", path):
            return self.file(request, match[1], query["FilePath"][0])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/(.+)", path):
            where = urllib.parse.quote(f"/store/{match[1]}/{match[2]}")
            return self.reply(request, 302, b"", {"Location": where})  # as the hub sends to its file servers
        if match := re.fullmatch(r"/store/([^/]+/[^/]+)/(.+)", path):
            return self.file(request, match[1], match[2])
        return self.reply(request, 404, b"{}")

    def list(self, request, repository, make):
        if repository not in self.repositories:
            return self.reply(request, 404, b"{}")
        return self.reply(request, 200, json.dumps(make(repository)).encode())

    def file(self, request, repository, path):
        content = self.repositories.get(repository, {}).get(path)
        if content is None:
            return self.reply(request, 404, b"{}")
        etag = '"%s"' % hashlib.md5(content).hexdigest()
        begin = 0
        if (match := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")) and request.headers.get("If-Range") == etag:
            begin = int(match[1])
        headers = {"ETag": etag}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self.reply(request, 206 if begin else 200, content[begin:], headers)

    def reply(self, request, status, body, headers=None):
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.cuts_left > 0 and len(body) > self.cut_after > 0:
            self.cuts_left -= 1
            request.wfile.write(body[: self.cut_after])
            request.wfile.flush()
            request.close_connection = True
            request.connection.shutdown(2)
            return
        request.wfile.write(body)
