"""Small folders in the shape of the real micrographs' one, of which everything is known."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = (
    *("file", "is_sem", "databar_rows", "crack", "pore", "crystal", "scratch", "inclusion"),
    *("clean", "defect_if_dense_glass", "note"),
)
SIDE = 192


def write(
    folder: Path, rows: Sequence[Mapping[str, str]], shows: Mapping[str, str] | None = None
) -> Path:
    """The tables of `rows` (missing cells: not there) with a grey picture and, where it is cracked,
    a mask for each."""
    (folder / "masks").mkdir(parents=True)
    told = [
        {**dict.fromkeys(COLUMNS, "0"), "is_sem": "yes", "databar_rows": "", "note": "", **row}
        for row in rows
    ]
    _table(folder / "LABELS.csv", COLUMNS, told)
    manifest = [
        {"file": row["file"], "what it shows": (shows or {}).get(row["file"], "a surface")}
        for row in told
    ]
    _table(folder / "MANIFEST.csv", ("file", "what it shows"), manifest)
    for number, row in enumerate(told):
        picture = np.random.default_rng(number).integers(90, 120, (SIDE, SIDE)).astype(np.uint8)
        if row["crack"] == "1":
            picture[:, 20:24] = 20
            mask = np.ones((SIDE, SIDE), np.uint8)
            mask[:, 20:24] = 2
            name = f"{Path(row['file']).stem}_mask.png"
            Image.fromarray(mask).save(folder / "masks" / name)
        Image.fromarray(picture).save(folder / row["file"])
    return folder


def some(folder: Path) -> Path:
    """Six specimens of two frames, cracks on four of them, one label unsure, one ion-beam image."""
    rows = [
        {
            "file": f"lab_s{specimen}_{frame:02d}.png",
            "crack": "1" if specimen < 4 else "0",
            "pore": "1" if frame == 1 else "0",
            "scratch": "u" if specimen == 5 else "0",
            "defect_if_dense_glass": "1" if specimen < 4 else "0",
        }
        for specimen in range(6)
        for frame in range(2)
    ]
    rows.append({"file": "ion_00.png", "is_sem": "ion-beam", "crack": "0"})
    return write(folder, rows)


def _table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
