"""Whether judges agree, with each other and with people: Cohen's kappa on a checked subset.

The subset is a sheet of replies in an order drawn by lot, without level, control or model. A
person fills in grades by the same rubric that a judge is given, and says who they are; the filled
sheet is read back. Quality is compared in five bands of twenty, which are in order.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from glassllava import features
from glassllava.errors import BadInput
from glassllava.quotation import harmless
from training.evaluation import scores
from training.evaluation.grading import Row
from training.evaluation.verdicts import finite, stated_by

Array = np.ndarray[Any, Any]
_SHOWN = ("item", "sample", "question", "features there", "reference", "description", "answer")
_FILLED = ("quality", "features", "verdict", "who")
_VERDICTS = ("defect", "no_defect", "depends")
_NO_VERDICT = -1
_SEED = 20261128
_LARGEST_FILE = 8 << 20


@dataclass(frozen=True, slots=True)
class Marks:
    """What one rater gave one reply; None where nothing was given. Whole numbers."""

    quality_band: int | None = None
    features: int | None = None
    verdict: int | None = None


Raters = Mapping[str, Mapping[str, Marks]]


def item_of(row: Row) -> str:
    """The name of a reply on the sheet: it tells neither level nor control."""
    words = "\0".join((row.case.id, row.said.description, row.said.answer))
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def write_sheet(path: Path, rows: Sequence[Row], number: int = 60) -> int:
    """Write `number` distinct replies for people to grade; how many there were."""
    distinct = list({item_of(row): row for row in rows}.values())
    order = np.random.default_rng(_SEED).permutation(len(distinct))[:number]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_SHOWN + _FILLED)
        for i in order:
            row = distinct[i]
            case = row.case
            told = case.told or "; ".join(
                f"{k}: {v}"
                for k, v in case.sample.to_json().items()
                if v and k not in ("id", "lot")
            )
            there = "; ".join(features.name_of(p) for p in case.present or ())
            shown = (told, case.question, there, case.reference)
            texts = (row.said.description, row.said.answer)
            writer.writerow([item_of(row), *map(_cell, shown + texts), "", "", "", ""])
    return len(order)


def read_sheet(path: Path) -> Raters:
    """What people filled in: by person, by item. Rows without a grade are passed over.

    Raises
    ------
    BadInput : for a file that is no such sheet, or a grade beyond its scale, naming the line.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("larger than 8 MB")
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"The sheet of grades cannot be read ({error})", where=path) from error
    people: dict[str, dict[str, Marks]] = {}
    for number, line in enumerate(lines, start=2):
        where = f"{path} line {number}"
        given = {name: (line.get(name) or "").strip() for name in ("item", *_FILLED)}
        if not any(given[name] for name in ("quality", "features", "verdict")):
            continue
        if not given["item"] or not given["who"]:
            raise BadInput("A grade needs its item, and who gave it", where=where)
        quality = _whole(given["quality"], 0, 100, "quality", where)
        verdict = None
        if given["verdict"]:
            if given["verdict"] not in _VERDICTS:
                raise BadInput(
                    f"'{given['verdict']}' is no verdict",
                    where=where,
                    remedy=f"Write one of {', '.join(_VERDICTS)}.",
                )
            verdict = _VERDICTS.index(given["verdict"])
        people.setdefault(harmless(given["who"]), {})[given["item"]] = Marks(
            None if quality is None else band(quality),
            _whole(given["features"], 1, 4, "features", where),
            verdict,
        )
    return people


def judges_of(rows: Sequence[Row], judges: Sequence[str]) -> Raters:
    """What the judges gave, in the same shape; the verdict read from the text is the offline's."""
    out: dict[str, dict[str, Marks]] = {name: {} for name in judges}
    for row in rows:
        for name in judges:
            grade = row.grades[name]
            read = stated_by(row)
            out[name][item_of(row)] = Marks(
                None if grade.quality is None else band(grade.quality),
                grade.features,
                (_VERDICTS.index(read) if read in _VERDICTS else _NO_VERDICT)
                if name == "offline"
                else None,
            )
    return out


def figures(raters: Raters, group_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Kappa of every two raters on what both graded; `group_of` an item is drawn whole."""
    return [
        {
            "raters": [first, second],
            "features_weighted": _pair(raters, first, second, "features", group_of, ordinal=True),
            "features": _pair(raters, first, second, "features", group_of, ordinal=False),
            "quality_weighted": _pair(
                raters, first, second, "quality_band", group_of, ordinal=True
            ),
            "verdict": _pair(raters, first, second, "verdict", group_of, ordinal=False),
        }
        for first, second in combinations(raters, 2)
    ]


def band(quality: float) -> int:
    """0 to 4: bands of twenty; 100 is in the last."""
    return min(int(quality // 20), 4)


def _pair(
    raters: Raters,
    first: str,
    second: str,
    name: str,
    group_of: Mapping[str, str],
    *,
    ordinal: bool,
) -> dict[str, Any] | None:
    items = [
        item
        for item in raters[first]
        if item in group_of
        and item in raters[second]
        and getattr(raters[first][item], name) is not None
        and getattr(raters[second][item], name) is not None
    ]
    if len(items) < 2:
        return None
    a = np.array([getattr(raters[first][item], name) for item in items])
    b = np.array([getattr(raters[second][item], name) for item in items])
    groups = np.array([group_of[item] for item in items])

    def score(rows: Array) -> float:
        return scores.kappa(a[rows], b[rows], ordinal=ordinal)

    agree = float((a == b).mean())
    kappa = finite(scores.bootstrap(score, len(items), groups=groups))
    return {"items": len(items), "agree": round(agree, 4), "kappa": kappa}


def _whole(text: str, low: int, high: int, name: str, where: str) -> int | None:
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise BadInput(
            f"'{text[:40]}' is no {name}",
            where=where,
            remedy=f"It is a whole number from {low} to {high}.",
        )
    return value


def _cell(text: str) -> str:
    # A spreadsheet runs what begins with these; the words are a model's.
    line = harmless(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line
