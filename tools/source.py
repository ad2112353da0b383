"""What the checks share: the project's sources, C++ text without comments, and the list of exceptions."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A comment, a raw string, a string, or a character; strings are kept or emptied, comments become blank lines.
_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def strip(text, keep_strings=True):
    """C++ without comments, line for line; with keep_strings=False without the contents of literals too."""

    def replacement(match):
        token = match.group(0)
        lines = "\n" * token.count("\n")
        if token.startswith(("//", "/*")):
            return lines or " "
        return token if keep_strings else '""' + lines

    return _TOKEN.sub(replacement, text)


def files(root, folders, suffixes):
    """Paths below these folders of root with one of the suffixes, sorted."""
    found = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*") if path.suffix in suffixes and path.is_file()]
    return sorted(path for path in found if "node_modules" not in path.parts and "target" not in path.parts)


class Exceptions:
    """tools/exceptions.txt: lines "CHECK SUBJECT: reason"; says which are used, so that none outlives its reason."""

    def __init__(self, check, path=ROOT / "tools/exceptions.txt"):
        self.unused = {}
        self._subjects = set()
        for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
            if not line.strip() or line.startswith("#"):
                continue
            head, _, reason = line.partition(": ")
            name, _, subject = head.partition(" ")
            if not subject or not reason.strip():
                sys.exit(f"{path.name}:{number}: wanted 'check subject: reason', found {line!r}")
            if name == check:
                self._subjects.add(subject.strip())
                self.unused[subject.strip()] = f"{path.name}:{number}"

    def covers(self, subject):
        self.unused.pop(subject, None)
        return subject in self._subjects


def finish(name, problems, exceptions=None, counted=""):
    """Prints the outcome of a check and ends with its status."""
    if exceptions is not None:
        problems = problems + [f"{place}: no longer needed: {subject}" for subject, place in exceptions.unused.items()]
    for problem in problems:
        print(problem)
    print(f"{name}: {len(problems)} problems{' in ' + counted if counted else ''}")
    sys.exit(1 if problems else 0)
