"""Claim: every vendor's file reads as its header says, or is refused with one reason.

Reads every real micrograph of --folder against its HEADER_TRUTH.csv, and every file that the tests
write from a documented layout; prints, format by format, how many read right (real, written), how
many wrong, and how many were refused. Exit 1 where anything is wrong.
Run: `python benchmarks/vendors.py --folder FOLDER` (default: $GLASSVIEW_REAL_MICROGRAPHS).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.reading import read_micrograph
from tests.real_files import ODD, apart, formats_of, images, truth
from tests.vendor_files import WRITTEN, wrong

_COLUMNS = ("real", "written", "wrong", "refused")
_NONE = "no vendor's"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=os.environ.get("GLASSVIEW_REAL_MICROGRAPHS"))
    folder = parser.parse_args().folder
    counts: dict[str, Counter[str]] = {}
    problems: list[str] = []
    files = 0

    def count(name: str, column: str) -> None:
        counts.setdefault(name, Counter())[column] += 1

    if folder:
        rows = truth(Path(folder))
        for path in images(Path(folder)):
            try:
                difference = apart(path, rows.get(path.name))
                names = formats_of(path) or {_NONE}
            except UnreadableMicrograph as error:
                is_right = isinstance(ODD.get(path.name, ("",))[0], str) and path.name in ODD
                count(_NONE, "refused" if is_right else "wrong")
                problems += [] if is_right else [f"{path.name}: {error}"]
                continue
            files += not difference
            for name in names:
                count(name, "wrong" if difference else "real")
            problems += [f"{path.name}: {difference}"] if difference else []
    for written in WRITTEN:
        with tempfile.TemporaryDirectory() as place:
            difference = wrong(read_micrograph(written.make(Path(place))), written)
        count(written.vendor, "wrong" if difference else "written")
        problems += [f"{written.vendor}, {written.name}: {difference}"] if difference else []

    print(f"{'format':20}" + "".join(f"{column:>9}" for column in _COLUMNS))
    for name in sorted(counts):
        print(f"{name:20}" + "".join(f"{counts[name][column]:9}" for column in _COLUMNS))
    total = sum(counts.values(), Counter())
    total["real"] = files  # one file may prove two formats
    print(f"{'all':20}" + "".join(f"{total[column]:9}" for column in _COLUMNS))
    if not folder:
        print("(without real files: --folder or GLASSVIEW_REAL_MICROGRAPHS)")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
