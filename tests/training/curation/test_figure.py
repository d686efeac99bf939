"""The record of a figure: there and back, and what a file of figures may not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput
from training.curation.figure import FIGURES, Figure, read_figures, write_figures

ONE = Figure(
    id="p1-3-a",
    image="images/p1-3-a.png",
    paper="p1",
    title="Bubbles\nin glass",
    year=2021,
    licence="CC-BY-4.0",
    page=4,
    label="Fig. 3",
    panel="a",
    caption="A bubble.\u2028Scale bar 10 µm.",
    context=("Fig. 3a shows a bubble.",),
    kind="sem",
    kind_score=0.97,
    pixels=(640, 480),
    split="validation",
    sample={"material": "soda-lime float glass"},
)


def test_there_and_back(tmp_path: Path) -> None:
    other = Figure(id="p1-4", image="images/b.png", paper="p1")
    assert write_figures(tmp_path, [ONE, other]) == 2
    assert read_figures(tmp_path) == (ONE, other)
    assert ONE.name == "Fig. 3 (a)"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", ""),
        ("image", "../a.png"),
        ("image", "/a.png"),
        ("image", "C:\\a.png"),
        ("paper", None),
        ("year", "2021"),
        ("page", True),
        ("context", "text"),
        ("context", [1]),
        ("caption", "x" * 20_001),
        ("caption", "half a \ud800 pair"),
        ("split", "../train"),
        ("split", ""),
        ("kind", "tem"),
        ("kind_score", float("nan")),
        ("pixels", [1]),
        ("sample", {"colour": "blue"}),
        ("sample", {"material": 1}),
    ],
)
def test_what_no_figure_is(tmp_path: Path, key: str, value: Any) -> None:
    row = {**ONE.to_json(), key: value}
    (tmp_path / FIGURES).write_text(json.dumps(row), "utf-8")
    with pytest.raises(BadInput, match=r"figures\.jsonl"):
        read_figures(tmp_path)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="glassview curate papers"):
        read_figures(tmp_path)
    (tmp_path / FIGURES).write_text('{"id": ', "utf-8")
    with pytest.raises(BadInput, match="cannot be read"):
        read_figures(tmp_path)
    (tmp_path / FIGURES).write_text("[]\n", "utf-8")
    with pytest.raises(BadInput, match="not a JSON object"):
        read_figures(tmp_path)
    line = json.dumps(ONE.to_json()) + "\n"
    (tmp_path / FIGURES).write_text(line * 2, "utf-8")
    with pytest.raises(BadInput, match="Two figures have the id 'p1-3-a'"):
        read_figures(tmp_path)
