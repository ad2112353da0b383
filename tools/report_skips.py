#!/usr/bin/env python3
"""How many tests were skipped, and why: read from a ctest run's results.

Sources: GoogleTest's own XML files under RESULTS/gtest (a skip inside a program that ctest counts as passed), and ctest's
JUnit file (a test that ended with its SKIP_RETURN_CODE and printed "SKIP: reason", or lines "SKIP part: reason" of a test
that ran on).
With --allowed FILE the exit status is 1 when a skip matches no line "name pattern: reason" of that file.
"""
import argparse
import fnmatch
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SKIP_LINE = re.compile(r"^SKIP(?: ([^:\n]+))?: (.+)$", re.MULTILINE)


def gtest_skips(folder):
    """(name, reason) of each skipped GoogleTest case."""
    for path in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            skipped = case.find("skipped")
            if skipped is None and case.get("result") != "skipped":
                continue
            message = (skipped.get("message") or skipped.text or "") if skipped is not None else ""
            lines = [line.strip() for line in message.splitlines() if line.strip()]
            # The first line is "file:line" of the GTEST_SKIP.
            reason = " ".join(lines[1:]) if len(lines) > 1 else " ".join(lines)
            yield f"{path.stem}.{case.get('classname')}.{case.get('name')}", reason or "no reason given"


def ctest_skips(path):
    """(name, reason) of each skip that ctest itself knows or a test printed."""
    if not path.exists():
        return
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("name")
        printed = SKIP_LINE.findall(case.findtext("system-out") or "")
        for part, reason in printed:
            yield f"{name}.{part.strip()}" if part else name, reason.strip()
        if case.get("status") in ("notrun", "disabled") and not printed:
            skipped = case.find("skipped")
            yield name, (skipped.get("message") if skipped is not None else None) or case.get("status")


def read_allowed(path):
    pairs = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(": ")
        if not reason.strip():
            sys.exit(f"{path}:{number}: wanted 'name pattern: reason', found {line!r}")
        pairs.append(pattern.strip())
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--allowed", help="file of accepted skips; any other is an error")
    options = parser.parse_args()
    skips = [*gtest_skips(options.results / "gtest"), *ctest_skips(options.results / "ctest.xml")]
    by_reason = {}
    for name, reason in skips:
        by_reason.setdefault(reason, []).append(name)
    print(f"skipped: {len(skips)} tests")
    for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        print(f"  {len(names)}x {reason}: {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}")
    if options.allowed is None:
        return 0
    patterns = read_allowed(options.allowed)
    wrong = [name for name, _ in skips if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    for name in wrong:
        print(f"  not listed in {options.allowed}: {name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
