"""The folder of real micrographs: what one rater saw on each, which are of one specimen, masks.

LABELS.csv says what is on each (1, 0, or u for unsure), MANIFEST.csv where it comes from,
masks/NAME_mask.png where the oxide (1) and its cracks (2) are. Rows that the rater names as databar
or as a caption are cut. Knows no model.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glassllava.errors import BadInput
from glassllava.features import PARENTS
from glassllava.micrograph.reading import read_micrograph, specimen, to_8bit
from glassllava.micrograph.record import Databar, Micrograph

Array = np.ndarray[Any, Any]
OXIDE, CRACK = 1, 2  # values of a mask
CORRECTIONS = Path(__file__).parent / "corrections.csv"
#: A parent with fewer positives says nothing of how well it is found.
FEWEST = 4

_VALUES: Mapping[str, bool | None] = {"1": True, "0": False, "u": None}
_CAPTION = re.compile(r"rows (\d+)-(\d+)\b[^;]*\bcaption\b")
_SAME = ("same ", "as above")


@dataclass(frozen=True)
class Real:
    """One real micrograph. `labels` by parent: there, not there, or None where nobody can say.

    `group` names the specimen, or the source where specimens cannot be told apart. `dense_defect`
    is whether it would be a defect in a dense glass. `mask` is that of the specimen's rows.
    """

    micrograph: Micrograph
    labels: Mapping[str, bool | None]
    group: str
    dense_defect: bool | None
    mask_file: Path | None

    @property
    def name(self) -> str:
        return self.micrograph.path.name

    @cached_property
    def grey(self) -> Array:
        """(H, W), 8 bits: the specimen's rows in the grey range that a model is shown."""
        return to_8bit(specimen(self.micrograph))

    @cached_property
    def mask(self) -> Array | None:
        """(H, W) of 0, `OXIDE` and `CRACK`, or None.

        Raises
        ------
        BadInput : where it is not as large as the micrograph.
        """
        if self.mask_file is None:
            return None
        with Image.open(self.mask_file) as image:
            mask = np.asarray(image)
        frame = (self.micrograph.height, self.micrograph.width)
        if mask.shape != frame:
            raise BadInput(
                f"The mask has {mask.shape}, its micrograph {frame} rows and columns",
                where=self.mask_file,
            )
        return mask[self.micrograph.specimen_rows]


def read_folder(folder: Path, *, corrected: bool = False) -> list[Real]:
    """The electron micrographs of `folder` (is_sem = yes) in the order of LABELS.csv.

    Raises
    ------
    BadInput : for a table or a picture that is missing, or a label that is none.
    UnreadableMicrograph : for a picture that cannot be read.
    """
    labels = [row for row in _table(folder / "LABELS.csv") if row["is_sem"] == "yes"]
    groups = specimens(_table(folder / "MANIFEST.csv"))
    changes = read_corrections(CORRECTIONS) if corrected else {}
    return [_real(folder, row, groups, changes) for row in labels]


def read_corrections(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """(file, parent) to (from, to): labels that somebody saw otherwise, looking at the image."""
    return {(row["file"], row["parent"]): (row["from"], row["to"]) for row in _table(path)}


def specimens(manifest: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """File to specimen: the name without its frame number; "same ..." joins it to the row above.

    A source that says no more than "same alloy" is one group, whether or not it is one piece:
    intervals shall rather be too wide.
    """
    found: dict[str, str] = {}
    before = ""
    for row in manifest:
        parts = Path(row["file"]).stem.removesuffix("_crop").split("_")
        if len(parts) > 1 and any(sign.isdigit() for sign in parts[-1]):
            parts.pop()
        told = row["what it shows"].lower()
        if not (before and told.startswith(_SAME)):
            before = "_".join(parts)
        found[row["file"]] = before
    return found


def asked_parents(reals: Sequence[Real]) -> tuple[str, ...]:
    """The parents of which enough micrographs have one, in the order of the vocabulary."""
    return tuple(
        key for key in PARENTS if sum(real.labels.get(key) is True for real in reals) >= FEWEST
    )


def truth(reals: Sequence[Real], keys: Sequence[str]) -> tuple[Array, Array]:
    """(N, K) whether it is there, and (N, K) whether that is known."""
    known = np.array([[real.labels.get(key) is not None for key in keys] for real in reals], bool)
    there = np.array([[real.labels.get(key) is True for key in keys] for real in reals], bool)
    return there.reshape(-1, len(keys)), known.reshape(-1, len(keys))


def _real(
    folder: Path,
    row: Mapping[str, str],
    groups: Mapping[str, str],
    changes: Mapping[tuple[str, str], tuple[str, str]],
) -> Real:
    file = row["file"]
    path = folder / file
    if Path(file).name != file or file not in groups:
        raise BadInput("The file of a label is not in MANIFEST.csv", where=f"LABELS.csv: {file}")
    labels = {}
    for key in PARENTS:
        if key not in row:
            continue
        value = row[key]
        if (file, key) in changes:
            before, after = changes[file, key]
            if value != before:
                raise BadInput(
                    f"A correction takes {key} of {file} for {before!r}, it is {value!r}",
                    where=CORRECTIONS,
                    remedy="Look at the image again and mend the correction.",
                )
            value = after
        labels[key] = _value(value, file, key)
    mask = folder / "masks" / f"{path.stem}_mask.png"
    return Real(
        micrograph=_cut(read_micrograph(path), row),
        labels=labels,
        group=groups[file],
        dense_defect=_value(row["defect_if_dense_glass"], file, "defect_if_dense_glass"),
        mask_file=mask if mask.exists() else None,
    )


def _value(cell: str, file: str, key: str) -> bool | None:
    if cell not in _VALUES:
        raise BadInput(
            f"'{cell}' is no label of {key}", where=f"LABELS.csv: {file}", remedy="Write 1, 0 or u."
        )
    return _VALUES[cell]


def _cut(micrograph: Micrograph, row: Mapping[str, str]) -> Micrograph:
    """The rater's databar or caption instead of what the product found: the judge is fair to it."""
    if row["databar_rows"]:
        top = int(row["databar_rows"])
        bar = Databar(top, micrograph.height - top, "pixels")
    elif caption := _CAPTION.search(row["note"]):
        bar = Databar(int(caption[1]), int(caption[2]) - int(caption[1]) + 1, "pixels")
    else:
        return micrograph
    return replace(micrograph, databar=bar)


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise BadInput(
            f"The table cannot be read ({error.strerror or error})",
            where=path,
            remedy="The folder of real micrographs needs LABELS.csv and MANIFEST.csv.",
        ) from error
