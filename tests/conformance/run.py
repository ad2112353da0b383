#!/usr/bin/env python3
"""Runs the cases of one .http file against the real binary; README.md describes the format."""
import json
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../e2e"))
import harness

DEFAULT_FLAGS = ["--served-model-name", "demo", "--context-length", "512", "--kv-memory", "64M"]


class Case:
    def __init__(self, line, title):
        self.line, self.title = line, title
        self.request, self.answer, self.status, self.repeat = [], [], None, 1

    def add(self, line):
        expected = re.fullmatch(r"=> (\d+)(?: x (\d+))?", line)
        if expected:
            self.status, self.repeat = int(expected[1]), int(expected[2] or 1)
        elif self.status is None:
            self.request.append(line)
        else:
            self.answer.append(line)


def parse(text):
    """[("server", flags) | ("case", Case)]"""
    steps, case = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("@server"):
            steps.append(("server", shlex.split(line)[1:]))
            case = None
        elif line.startswith("### "):
            case = Case(number, line[4:])
            steps.append(("case", case))
        elif case:
            case.add(line)
        elif line and not line.startswith("#"):
            raise AssertionError(f"line {number} belongs to no case: {line}")
    return steps


def head_and_body(lines):
    """(headers as pairs, body) of lines: headers, an empty line, a body."""
    gap = lines.index("") if "" in lines else len(lines)
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[:gap]]
    return headers, "\n".join(lines[gap:]).strip("\n")


def expand(text):
    return re.sub(r"\{\{(.+?) x (\d+)\}\}", lambda match: match[1] * int(match[2]), text)


def mismatch(wanted, found, where=""):
    """Why `found` does not match, or None."""
    if wanted == "*":
        return None
    if isinstance(wanted, str) and wanted.startswith("~"):
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        return None if re.search(wanted[1:], text, re.S) else f"{where}: {text[:300]!r} has no /{wanted[1:]}/"
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return f"{where}: wanted an object, found {found!r}"
        for key, value in wanted.items():
            if (key in found) != (value != "-"):
                return f"{where}.{key}: " + ("is there" if key in found else f"is missing in {list(found)}")
            problem = value != "-" and mismatch(value, found[key], f"{where}.{key}")
            if problem:
                return problem
        return None
    if isinstance(wanted, list):
        open_end = wanted[-1:] == ["..."]
        items = wanted[:-1] if open_end else wanted
        if not isinstance(found, list) or len(found) < len(items) or (len(found) > len(items) and not open_end):
            return f"{where}: wanted {len(items)} elements, found {json.dumps(found)[:300]}"
        return next(filter(None, (mismatch(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(items, found)))), None)
    same = wanted == found and isinstance(wanted, bool) == isinstance(found, bool)
    return None if same else f"{where}: wanted {wanted!r}, found {found!r}"


def event_mismatch(wanted, found):
    if wanted == "[DONE]" or found == "[DONE]":
        return None if wanted == found else f"wanted {wanted}, found {found[:200]}"
    return mismatch(json.loads(wanted), json.loads(found))


def events_mismatch(lines, body):
    """Events in order; `...` lets any pass until the next one that matches."""
    found = [event[6:] for event in body.split("\n\n") if event.startswith("data: ")]
    skip, at = False, 0
    for line in filter(None, lines):
        if line == "...":
            skip = True
            continue
        problem = "no event is left"
        while at < len(found):
            problem = event_mismatch(line.removeprefix("data: "), found[at])
            at += 1
            if not problem or not skip:
                break
        if problem:
            return f"event {at} for {line[:120]}: {problem}"
        skip = False
    return None if skip or at == len(found) else f"{len(found) - at} events more than expected: {found[at][:200]}"


def body_mismatch(wanted, body):
    if not wanted:
        return None
    if wanted.startswith(("data: ", "...")):
        return events_mismatch(wanted.split("\n"), body)
    if wanted.startswith("~ "):
        return next((f"no /{line[2:]}/ in {body[:500]!r}" for line in wanted.split("\n") if line and not re.search(line[2:], body, re.M)), None)
    return mismatch(json.loads(wanted), json.loads(body))


def run_case(case, server):
    method, path = case.request[0].split(" ", 1)
    headers, body = head_and_body(case.request[1:])
    wanted_headers, wanted_body = head_and_body(case.answer)
    for _ in range(case.repeat):
        status, got, text = server.request(method, path, expand(body).encode() or None, dict(headers))
        assert status == case.status, f"wanted {case.status}, found {status}: {text[:500]}"
        for name, value in wanted_headers:
            problem = (f"header {name} is there: {got[name]}" if got[name] else None) if value == "-" else (
                mismatch(value, got[name], name) if got[name] is not None else f"no header {name} in {got.items()}")
            assert not problem, problem
        problem = body_mismatch(wanted_body, text)
        assert not problem, problem


def main(path):
    steps = parse(open(path, encoding="utf-8").read())
    if steps[0][0] != "server":
        steps.insert(0, ("server", []))
    server, passed = None, 0
    try:
        for kind, value in steps:
            if kind == "server":
                if server:
                    server.stop()
                server = harness.Server(*DEFAULT_FLAGS, *value)
                server.start()
                continue
            try:
                run_case(value, server)
            except (AssertionError, ValueError, OSError) as error:
                print(f"{path}:{value.line}: {value.title}\n  {error}\n--- server log ---\n{server.log[-2000:]}")
                sys.exit(1)
            passed += 1
    finally:
        if server:
            server.stop()
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1])
