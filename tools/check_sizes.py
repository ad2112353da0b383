#!/usr/bin/env python3
"""A function fits on a screen (70 lines), a header has at most 300 lines and a source file at most 1,000.

Functions are found by their braces in text without comments and literals: rough, but a block that follows a parameter
list at namespace or class scope is a function in the style of this code base.
"""
import ast
import re

import source

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = {".h": 300, ".cc": 1000, ".inl": 1000, ".py": 1000, ".js": 1000, ".css": 1000, ".rs": 1000, ".sh": 1000}

_SCOPE = re.compile(r"^(?:inline\s+)?(?:namespace\b|extern\s*\"\")")
_TYPE = re.compile(r"\b(?:class|struct|union|enum)\b")
_AFTER_PARAMETERS = re.compile(
    r"\)\s*(?:const|noexcept(?:\([^()]*\))?|override|final|mutable|volatile|try|&&?|\s)*"
    r"(?:->\s*[\w:<>,\s*&]+)?(?:requires\b.*)?$",
    re.DOTALL,
)
_INITIALISERS = re.compile(r"\)[\s\w]*:(?!:)")


def _kind(head):
    """What a brace opens at namespace or class scope: scope, type, function, member (of an initialiser list) or value."""
    plain = re.sub(r"template\s*<.*?>\s*(?=\b)", "", head, flags=re.DOTALL).strip()
    if _SCOPE.match(plain):
        return "scope"
    if _AFTER_PARAMETERS.search(plain):
        return "function"
    initialisers = _INITIALISERS.search(plain)
    if initialisers:
        # "Foo() : a_{1}, b_(2) {": a brace after a name belongs to the list.
        return "member" if re.search(r"[\w>]$", plain) else "function"
    if _TYPE.search(plain) and "=" not in plain:
        return "type"
    return "value"


def _name(head):
    match = re.search(r"([~\w:]+(?:\s*<[^<>]*>)?|operator\s*\S+)\s*\(", head)
    name = match.group(1) if match else head.strip()[:40]
    if name in ("TEST", "TEST_F", "TEST_P"):
        return re.sub(r"\s+", "", head[match.start():].split(")")[0] + ")")
    return name


def functions(text):
    """(name, first line, last line) of every function of C++ text."""
    code = source.strip(text, keep_strings=False)
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*(?:\\\n[^\n]*)*", lambda m: "\n" * m.group(0).count("\n"), code, flags=re.MULTILINE)
    found = []
    stack = []  # (kind, name, first line) of the open braces
    head_start = 0
    parens = 0
    for position, character in enumerate(code):
        inside = stack and stack[-1][0] in ("function", "value", "member")
        if character in "()":
            parens += 1 if character == "(" else -1
        elif character == "{":
            if inside or parens > 0:
                stack.append((stack[-1][0] if inside else "value", None, 0))
                continue
            head = code[head_start:position]
            kind = _kind(head)
            first = code.count("\n", 0, head_start + len(head) - len(head.lstrip())) + 1
            stack.append((kind, _name(head) if kind == "function" else None, first))
            if kind not in ("member", "value"):
                head_start = position + 1
        elif character == "}" and stack:
            kind, name, first = stack.pop()
            if name:
                found.append((name, first, code.count("\n", 0, position) + 1))
            if kind not in ("member", "value"):
                head_start = position + 1
        elif character == ";" and not inside and parens == 0:
            head_start = position + 1
    return found


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def check_file(name, text, exceptions):
    """Problems of one file."""
    suffix = "." + name.rsplit(".", 1)[-1]
    problems = []
    lines = text.count("\n")
    if lines > FILE_LINES_MAX[suffix] and not exceptions.covers(name):
        problems.append(f"{name}: {lines} lines, at most {FILE_LINES_MAX[suffix]}")
    found = []
    if suffix in (".h", ".cc", ".inl"):
        found = functions(text)
    elif suffix == ".py":
        found = python_functions(text)
    for function, first, last in found:
        length = last - first + 1
        if length > FUNCTION_LINES_MAX and not exceptions.covers(f"{name} {function}"):
            problems.append(f"{name}:{first}: {function}: {length} lines, at most {FUNCTION_LINES_MAX}")
    return problems


def main():
    exceptions = source.Exceptions("sizes")
    problems = []
    folders = ["src", "apps", "include", "tests", "bench", "tools", "web", "setup", "rust"]
    paths = source.files(source.ROOT, folders, FILE_LINES_MAX)
    for path in paths:
        problems += check_file(str(path.relative_to(source.ROOT)), path.read_text(), exceptions)
    source.finish("sizes", problems, exceptions, f"{len(paths)} files")


if __name__ == "__main__":
    main()
