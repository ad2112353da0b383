#!/usr/bin/env python3
"""The objects of kernels/isa/ export their Fill functions and nothing else.

An inline function or a template that leaves such an object as a weak symbol, compiled for AVX-512, may be the copy that
the linker keeps for the whole program: a crash on an older CPU. So: no weak symbol, no export but pingti::kernels::...Fill...

    check_isa_objects.py BUILD_FOLDER
"""
import re
import subprocess
import sys
from pathlib import Path

import source

ALLOWED = re.compile(r"^pingti::kernels::(?:\w+::)*Fill\w*\(")


def check_symbols(name, listing):
    """Problems in the output of `nm -C --defined-only` of one object."""
    problems = []
    for line in listing.splitlines():
        match = re.match(r"[0-9a-f]*\s+([A-Za-z])\s+(.*)$", line.strip())
        if not match:
            continue
        kind, symbol = match.groups()
        if kind.islower() and kind not in "uvw":
            continue  # local to the object
        if kind in "T" and ALLOWED.match(symbol):
            continue
        problems.append(f"{name}: exports {symbol} ({kind})")
    return problems


def main():
    objects = sorted(Path(sys.argv[1]).glob("CMakeFiles/pingti_kernels.dir/src/kernels/isa/**/*.o"))
    if not objects:
        sys.exit("isa objects: found none below " + sys.argv[1])
    problems = []
    for path in objects:
        listing = subprocess.run(["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout
        problems += check_symbols("/".join(path.parts[-2:]), listing)
    source.finish("isa objects", problems, None, f"{len(objects)} objects")


if __name__ == "__main__":
    main()
