"""The pages of a PDF as they were gathered: lines, images and drawings with their places."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag.reading.glyphs import Box, Frame, Line


_MOST_TOLD = 10


def pages_told(numbers: Iterable[int]) -> str:
    """Numbers of pages for people: "3", "2-2999, 3005"; beyond ten runs "..."."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    told = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return ", ".join(told[:_MOST_TOLD]) + (" ..." if len(told) > _MOST_TOLD else "")


@dataclass(frozen=True, slots=True)
class Placed:
    """An embedded image: where it stands on the page as read, what it is, and its pixels."""

    box: Box
    key: str
    width: int
    height: int


@dataclass(slots=True)
class Sheet:
    """One page: `lines` in reading order, boxes of images and of drawn paths."""

    number: int
    frame: Frame
    lines: list[Line]
    images: list[Placed] = field(default_factory=list)
    drawings: list[Box] = field(default_factory=list)

    @property
    def width(self) -> float:
        return self.frame.size[0]

    @property
    def height(self) -> float:
        return self.frame.size[1]


def body_size(sheets: Iterable[Sheet]) -> float:
    """The size that most letters of the document have, in points."""
    sizes: Counter[float] = Counter()
    for sheet in sheets:
        for line in sheet.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def pitch(sheets: Iterable[Sheet], size: float) -> float:
    """The usual distance between the feet of two lines of the text's own size."""
    steps: Counter[float] = Counter()
    for sheet in sheets:
        for above, line in zip(sheet.lines, sheet.lines[1:], strict=False):
            step = line.base - above.base
            same = above.column == line.column and abs(line.size - size) < 0.06 * size
            if same and 0.8 * size < step < 3 * size:
                steps[round(step * 2) / 2] += 1
    return steps.most_common(1)[0][0] if steps else 1.2 * size
