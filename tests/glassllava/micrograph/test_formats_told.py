"""The README's table of formats says what the tests prove, and no more."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.reading import read_micrograph
from tests.real_files import REAL
from tests.vendor_files import WRITTEN

README = Path(__file__).resolve().parents[3] / "README.md"


def test_the_readme_counts_what_proves_each_format():
    section = README.read_text("utf-8").split("## What it reads")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    told = {name: proof for name, _, proof in rows if name not in ("format", "---")}
    written = Counter(one.vendor for one in WRITTEN)
    expected = {}
    for name in REAL | written:
        parts = [f"{REAL[name]} real"] if name in REAL else []
        parts += [f"{written[name]} written"] if written[name] else []
        expected[name] = ", ".join(parts)
    assert told == expected


@pytest.mark.parametrize(
    "start",
    [
        b"\0\0\0\3\0\0\0\0\0\0\0\1",  # DM3
        b"\0\0\0\4\0\0\0\0\0\0\0\1",  # DM4
        b"ZISRAWFILE\0\0\0\0\0\0",  # CZI
        b"II\x97\x01\x20\x02",  # SER
        b"\0\1\0\0\0\1\0\0\0\1\0\0",  # MRC begins with its three sizes
    ],
)
def test_what_the_readme_says_is_refused_is_refused(tmp_path, start):
    path = tmp_path / "a.tif"
    path.write_bytes(start + b"\0" * 1000)
    with pytest.raises(UnreadableMicrograph, match="neither TIFF nor PNG") as caught:
        read_micrograph(path)
    assert caught.value.remedy
