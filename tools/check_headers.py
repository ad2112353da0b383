#!/usr/bin/env python3
"""Every header compiles alone.

A header that is the first include of some source file has been compiled alone by the build itself; the others are
compiled here, one by one, with the flags of a source file of their folder.

    check_headers.py BUILD_FOLDER      (compile_commands.json is read from there)
"""
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import source

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)


def first_include(text):
    match = INCLUDE.search(source.strip(text))
    return match.group(1) if match else None


def flags_by_folder(commands):
    """{src folder: compiler and flags of one of its files}, without -c, -o and the file."""
    flags = {}
    for entry in commands:
        match = re.search(r"/src/([a-z]+)/", entry["file"])
        if not match or match.group(1) in flags or "/isa/" in entry["file"]:
            continue
        words = shlex.split(entry["command"])
        start = next(i for i, word in enumerate(words) if re.search(r"(clang\+\+|g\+\+)[-\d.]*$", word))
        kept, skip = [], False
        for word in words[start:]:
            if skip or word in ("-c", "-o", entry["file"]):
                skip = word == "-o"
                continue
            kept.append(word)
        flags[match.group(1)] = kept
    return flags


def compile_alone(compiler, header):
    """The compiler's first complaint about a file that includes only this header, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "alone.cc"
        unit.write_text(f'#include "{header}"\n')
        run = subprocess.run([*compiler, "-fsyntax-only", "-Werror", str(unit)], capture_output=True, text=True)
    if run.returncode == 0:
        return None
    lines = [line for line in run.stderr.splitlines() if "error" in line] or run.stderr.splitlines() or ["failed"]
    return f"{header} does not compile alone: {lines[0]}"


def main():
    build = Path(sys.argv[1])
    commands = json.loads((build / "compile_commands.json").read_text())
    flags = flags_by_folder(commands)
    root = source.ROOT / "src"
    paths = source.files(source.ROOT, ["src"], {".h"})
    digest = hashlib.sha256(repr(flags).encode() + b"".join(str(path).encode() + path.read_bytes() for path in paths)).hexdigest()
    passed = build / "headers-passed"  # digest of the headers that passed last
    if passed.exists() and passed.read_text() == digest:
        source.finish("headers", [], None, f"{len(paths)} headers, unchanged since they passed")
    built_alone = {first_include(Path(entry["file"]).read_text()) for entry in commands if os.path.exists(entry["file"])}
    headers = [str(path.relative_to(root)) for path in paths]
    # A per-ISA header needs its level's flags; the object of that level compiles it.
    left = [header for header in headers if header not in built_alone and "/isa/" not in header]
    fallback = next(iter(flags.values()))
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(lambda header: compile_alone(flags.get(header.split("/")[0], fallback), header), left)
    problems = [outcome for outcome in outcomes if outcome]
    if not problems:
        passed.write_text(digest)
    source.finish("headers", problems, None, f"{len(headers)} headers, {len(left)} of them compiled here")


if __name__ == "__main__":
    main()
