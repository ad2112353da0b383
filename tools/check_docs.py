#!/usr/bin/env python3
"""Documents name only what exists: paths in backticks, links, and the commands and flags of fenced sh blocks.

    check_docs.py [BINARY]     without a built binary its commands and flags are not looked at
"""
import re
import subprocess
import sys
from pathlib import Path

import source

DOCUMENTS = ["*.md", "docs/**/*.md", "web/*.md", "bench/*.md", "tests/**/*.md", "third_party/*.md"]
TOP = {path.name for path in source.ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"build", "dist"}
# Made by a build or a command, so absent in a fresh checkout.
MADE = re.compile(r"^(?:build|dist|\.deps)/|^rust/target|^web/dist")
SCRIPT_COMMANDS = {"test", "package", "setup"}


def paths(text, folders):
    """Repository paths that a document names in backticks; folders are the names that may begin one."""
    for match in re.finditer(r"`([^`\s]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        name = match.group(1).rstrip(".,:;")
        first, slash, _ = name.partition("/")
        if slash and first in folders and not MADE.match(name):
            yield name


def exists(name, root):
    """True when the path, seen from the root or from src/, is there; <x> and {a,b} stand for anything."""
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}", "*", name).rstrip("/")
    return any(True for base in (root, root / "src") for _ in base.glob(pattern))


def check_paths(name, text, root, folders):
    problems = [f"{name}: names {path}, which does not exist" for path in paths(text, folders) if not exists(path, root)]
    for match in re.finditer(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        if not ((root / name).parent / match.group(1)).exists():
            problems.append(f"{name}: links to {match.group(1)}, which does not exist")
    return problems


def commands(text):
    """(command, flags) of each pingti call in the fenced sh blocks."""
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            match = re.search(r"(?:^|\s|/)pingti\s+([a-z][\w-]*)([^#|;&]*)", line)
            if match:
                yield match.group(1), re.findall(r"(?<!\S)--[a-z][\w-]*", match.group(2))


def check_commands(name, text, help_of):
    """help_of(command) is the text of `pingti COMMAND --help`, or None when there is no such command."""
    problems = []
    for command, flags in commands(text):
        if command in SCRIPT_COMMANDS:
            continue
        page = help_of(command)
        if page is None:
            problems.append(f"{name}: there is no command pingti {command}")
            continue
        problems += [f"{name}: pingti {command} has no {flag}" for flag in flags if not re.search(re.escape(flag) + r"\b", page)]
    return problems


def ask_binary(binary):
    pages = {}

    def help_of(command):
        if command not in pages:
            run = subprocess.run([binary, command, "--help"], capture_output=True, text=True)
            pages[command] = run.stdout if run.returncode == 0 else None
        return pages[command]

    return help_of


def main():
    folders = TOP | {path.name for path in (source.ROOT / "src").iterdir()}
    documents = sorted({path for pattern in DOCUMENTS for path in source.ROOT.glob(pattern) if "node_modules" not in path.parts})
    binary = sys.argv[1] if len(sys.argv) > 1 and Path(sys.argv[1]).exists() else None
    problems = []
    for path in documents:
        name = str(path.relative_to(source.ROOT))
        text = path.read_text()
        problems += check_paths(name, text, source.ROOT, folders)
        if binary:
            problems += check_commands(name, text, ask_binary(binary))
    source.finish("docs", problems, None, f"{len(documents)} documents")


if __name__ == "__main__":
    main()
