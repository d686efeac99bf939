"""One figure of a paper with its words and origin: what gathering writes and writing reads.

WORK/figures.jsonl holds one a line. The words are a paper's, so they are data: bounded here,
made harmless where they are given to anyone. Knows neither how figures are found nor what is asked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from glassllava.errors import BadInput
from glassllava.sample import Sample
from training.whole import write_whole

FIGURES = "figures.jsonl"

Kind = Literal["sem", "other", "unsure"]
_KINDS = ("sem", "other", "unsure")
_SAMPLE_KEYS = frozenset(field.name for field in fields(Sample)) - {"expected"}
_SPLIT = re.compile(r"[a-z][a-z_-]{0,39}")  # names a file
_LARGEST_FILE = 1 << 30
_LONGEST_TEXT = 20_000  # characters of one caption or paragraph
_MOST_PARAGRAPHS = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, or one panel of it.

    Parameters
    ----------
    id : names it for good, and in every file made from it.
    image : path of its picture, relative to the work folder, with forward slashes.
    paper : id of its paper; splits go by this.
    licence : of the paper, as it says so itself; empty where it does not.
    page : counted from 1; 0 where papers of that kind have none.
    label, panel : "Fig. 3", and "a" or nothing.
    context : the paragraphs that mention the figure.
    kind, kind_score : whether it is an SEM micrograph, and how sure that is, 0 to 1.
    pixels : width and height.
    sha256 : of the picture's file.
    duplicate_of : id of the figure that it repeats; such a figure is not asked about.
    split : as the splits of curation are named.
    sample : what the paper says of material, process and so on, by the keys of a sample.
    """

    id: str
    image: str
    paper: str
    title: str = ""
    authors: str = ""
    year: int | None = None
    doi: str = ""
    licence: str = ""
    page: int = 0
    label: str = ""
    panel: str = ""
    caption: str = ""
    context: tuple[str, ...] = ()
    kind: Kind = "unsure"
    kind_score: float = 0.0
    pixels: tuple[int, int] = (0, 0)
    sha256: str = ""
    duplicate_of: str = ""
    split: str = "train"
    sample: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As a person finds it in the paper: "Fig. 3 (a)"."""
        panel = f" ({self.panel})" if self.panel else ""
        return f"{self.label or 'a figure'}{panel}"

    def to_json(self) -> dict[str, Any]:
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **data,
            "context": list(self.context),
            "pixels": list(self.pixels),
            "sample": dict(self.sample),
        }

    @classmethod
    def from_json(cls, data: Any, where: str | Path = "figure") -> Figure:
        """A figure from untrusted JSON.

        Raises
        ------
        BadInput : for a missing key, a wrong type, an image outside the work folder, a key of a
            sample that is none, a text that no figure has.
        """
        if not isinstance(data, dict):
            raise BadInput("A figure is not a JSON object", where=where)
        where = f"{where} {data.get('id', '')}".strip()[:300]
        try:
            return cls(
                **{name: _text(data, name) for name in _TEXTS},
                **{name: _text(data, name, needed=True) for name in ("id", "paper")},
                image=_inside(_text(data, "image", needed=True)),
                year=None if data.get("year") is None else _whole(data["year"], "year"),
                page=_whole(data.get("page", 0), "page"),
                context=_paragraphs(data.get("context", [])),
                kind=_one_of(data.get("kind", "unsure"), _KINDS, "kind"),
                kind_score=_score(data.get("kind_score", 0.0)),
                pixels=_pixels(data.get("pixels", [0, 0])),
                split=_split(data.get("split", "train")),
                sample=_sample(data.get("sample", {})),
            )
        except ValueError as error:
            raise BadInput(f"A figure cannot be used: {error}", where=where) from error


_TEXTS = (
    *("title", "authors", "doi", "licence", "label", "panel", "caption", "sha256"),
    "duplicate_of",
)


def read_figures(work: Path) -> tuple[Figure, ...]:
    """The figures of a work folder, in their order.

    Raises
    ------
    BadInput : where there is no such file, or a line of it is no figure or repeats an id.
    """
    path = work / FIGURES
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("larger than 1 GB")
        lines = path.read_text("utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"The figures cannot be read ({error})",
            where=path,
            remedy="Gather them first: glassview curate papers PAPERS… -w WORK.",
        ) from error
    figures = tuple(Figure.from_json(row, where=path) for row in rows)
    seen: set[str] = set()
    for figure in figures:
        if figure.id in seen:
            raise BadInput(f"Two figures have the id '{figure.id}'", where=path)
        seen.add(figure.id)
    return figures


def write_figures(work: Path, figures: Iterable[Figure]) -> int:
    """Write WORK/figures.jsonl whole or not at all; how many were written.

    Raises
    ------
    RunUnavailable : where it cannot be written.
    """
    lines = [json.dumps(figure.to_json(), ensure_ascii=False) + "\n" for figure in figures]
    path = work / FIGURES
    write_whole(path, "".join(lines))
    return len(lines)


def _text(data: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"'{name}' is no text of at most {_LONGEST_TEXT} characters")
    value.encode()  # half a surrogate pair can be written to no file
    if needed and not value:
        raise ValueError(f"'{name}' is missing")
    return value


def _inside(image: str) -> str:
    path = PurePosixPath(image)
    if path.is_absolute() or ".." in path.parts or "\\" in image or ":" in image or "\0" in image:
        raise ValueError("'image' leads out of the work folder")
    return image


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**6:
        raise ValueError(f"'{name}' is no whole number")
    return value


def _paragraphs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_PARAGRAPHS:
        raise ValueError(f"'context' is no list of at most {_MOST_PARAGRAPHS} paragraphs")
    return tuple(_text({"context": one}, "context") for one in value)


def _one_of(value: Any, words: tuple[str, ...], name: str) -> Any:
    if value not in words:
        raise ValueError(f"'{name}' is none of {', '.join(words)}")
    return value


def _split(value: Any) -> str:
    if not isinstance(value, str) or not _SPLIT.fullmatch(value):
        raise ValueError("'split' is no word of small letters")
    return value


def _score(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("'kind_score' is no number")
    return float(value)


def _pixels(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("'pixels' is no pair of width and height")
    return _whole(value[0], "pixels"), _whole(value[1], "pixels")


def _sample(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or set(value) - _SAMPLE_KEYS:
        raise ValueError(f"'sample' holds keys other than {', '.join(sorted(_SAMPLE_KEYS))}")
    return {key: _text(value, key) for key in value}
