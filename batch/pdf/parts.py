"""The drawn parts of the report: a micrograph with its findings, bars, counts, thumbnails.

Each is a flowable of a known size. Knows no page and no order.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.colors import Color
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.platypus import Flowable

from batch.pdf import style
from batch.pictures import Picture
from glassllava.measurement.quantities import Region, in_words

_MOST_REGIONS = 60  # of one finding: more would hide what they show
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Marked:
    """The regions of one finding, with the number and colour it has on the page."""

    number: int
    colour: Color
    regions: tuple[Region, ...]


def bar_length(width_px: float, pixel_m: float | None) -> tuple[float, str]:
    """A round length of about a fifth of the picture: its pixels and its words.

    Steps are 1, 2 and 5 times a power of ten; without a pixel size the bar counts pixels.
    """
    goal = width_px / 5 * (pixel_m if pixel_m is not None else 1.0)
    power = 10.0 ** math.floor(math.log10(goal))
    # 1e-9 of grace: 5 × 10⁻⁷ may come out a hair above the goal it equals.
    length = max(step * power for step in (1, 2, 5) if step * power <= goal * (1 + 1e-9))
    if pixel_m is None:
        length = max(1.0, length)
        return length, f"{length:.0f} px"
    return length / pixel_m, in_words(length, "m")


class PictureWithFindings(Flowable):
    """A micrograph with a scale bar burned in and the regions of its findings over it."""

    def __init__(
        self,
        picture: Picture,
        *,
        most: tuple[float, float],
        pixel_m: float | None,
        marked: Sequence[Marked] = (),
    ) -> None:
        super().__init__()
        self._picture, self._pixel_m, self._marked = picture, pixel_m, marked
        ratio = min(most[0] / picture.width, most[1] / picture.height)
        self.width, self.height = picture.width * ratio, picture.height * ratio
        #: points per pixel of the micrograph
        self._zoom = ratio * picture.scale

    def draw(self) -> None:
        canvas = self.canv
        reader = ImageReader(io.BytesIO(self._picture.jpeg))
        canvas.drawImage(reader, 0, 0, self.width, self.height)
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(0, 0, self.width, self.height)
        canvas.clipPath(clip, stroke=0)
        for marked in self._marked:
            self._draw_regions(marked)
        for marked in self._marked:
            self._draw_number(marked)
        self._draw_bar()
        canvas.restoreState()
        canvas.setStrokeColor(style.HAIRLINE)
        canvas.setLineWidth(0.4)
        canvas.rect(0, 0, self.width, self.height)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self._zoom, self.height - (y - self._picture.top) * self._zoom

    def _draw_regions(self, marked: Marked) -> None:
        canvas = self.canv
        for colour, width in ((style.WHITE, 1.7), (marked.colour, 0.9)):
            canvas.setStrokeColor(colour, alpha=0.55 if colour is style.WHITE else 1)
            canvas.setLineWidth(width)
            canvas.setLineJoin(1)
            for region in _largest(marked.regions):
                # The model's own is as fine as its map: a dashed line claims less.
                canvas.setDash([3, 2] if region.source == "model" else [])
                path = canvas.beginPath()
                points = region.polygon[:: max(1, len(region.polygon) // _MOST_POINTS)]
                if len(points) < 3:
                    x0, y0, x1, y1 = region.bbox
                    points = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
                path.moveTo(*self._at(*points[0]))
                for point in points[1:]:
                    path.lineTo(*self._at(*point))
                path.close()
                canvas.drawPath(path, stroke=1, fill=0)
        canvas.setDash([])

    def _draw_number(self, marked: Marked) -> None:
        """The finding's number beside its largest regions."""
        for region in _largest(marked.regions)[:3]:
            x, y = self._at(region.bbox[0], region.bbox[1])
            draw_number(
                self.canv,
                marked.number,
                marked.colour,
                min(max(x - 2, 5), self.width - 5),
                min(max(y + 2, 5), self.height - 5),
            )

    def _draw_bar(self) -> None:
        canvas = self.canv
        pixels, words = bar_length(self._picture.width / self._picture.scale, self._pixel_m)
        length, size = pixels * self._zoom, 7.5
        wide = max(length, pdfmetrics.stringWidth(words, style.BOLD, size)) + 10
        x, y = self.width - wide - 5, 5
        canvas.setFillColor(style.INK, alpha=0.62)
        canvas.roundRect(x, y, wide, 18, 2, stroke=0, fill=1)
        canvas.setFillColor(style.WHITE, alpha=1)
        canvas.rect(x + (wide - length) / 2, y + 3.5, length, 2, stroke=0, fill=1)
        canvas.setFont(style.BOLD, size)
        canvas.drawCentredString(x + wide / 2, y + 8.8, words)


def draw_number(canvas: Any, number: int, colour: Color, x: float, y: float) -> None:
    """A number in a disc of its finding's colour, centred at (x, y)."""
    canvas.setFillColor(colour, alpha=1)
    canvas.setStrokeColor(style.WHITE, alpha=1)
    canvas.setLineWidth(0.6)
    canvas.circle(x, y, 4.6, stroke=1, fill=1)
    canvas.setFillColor(style.WHITE)
    canvas.setFont(style.BOLD, 6)
    canvas.drawCentredString(x, y - 2.1, str(number))


def _largest(regions: tuple[Region, ...]) -> list[Region]:
    """The measured ones by size, then the model's own, which are few."""
    ordered = sorted(regions, key=lambda region: -region.area_px)
    measured = [region for region in ordered if region.source != "model"]
    return measured[:_MOST_REGIONS] + [region for region in ordered if region.source == "model"]


class NumberDisc(Flowable):
    """The number of a finding, as it stands on the picture."""

    def __init__(self, number: int, colour: Color) -> None:
        super().__init__()
        self.width = self.height = 10
        self._number, self._colour = number, colour

    def draw(self) -> None:
        draw_number(self.canv, self._number, self._colour, 5, 5)


class NoPicture(Flowable):
    """Says in the picture's place why there is none."""

    def __init__(self, reason: str, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self._reason = style.paragraph(reason, style.SMALL_QUIET)

    def draw(self) -> None:
        self.canv.setFillColor(style.PALE)
        self.canv.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        _, needed = self._reason.wrap(self.width - 20, self.height)
        self._reason.drawOn(self.canv, 10, (self.height - needed) / 2)


class VerdictBox(Flowable):
    """The verdict in its colour, with the probability on a scale and the threshold on it."""

    def __init__(
        self, decision: str, probability: float | None, threshold: float | None, width: float
    ) -> None:
        super().__init__()
        self._decision, self._probability, self._threshold = decision, probability, threshold
        self.width, self.height = width, 52.0

    def draw(self) -> None:
        canvas, colour = self.canv, style.DECISION[self._decision]
        canvas.setFillColor(colour)
        canvas.roundRect(0, self.height - 24, self.width, 24, 3, stroke=0, fill=1)
        canvas.setFillColor(style.WHITE)
        canvas.setFont(style.BOLD, 12)
        canvas.drawString(9, self.height - 16.4, style.OUTCOME_WORDS[self._decision])
        canvas.setFillColor(style.QUIET)
        canvas.setFont(style.PLAIN, 6.6)
        if self._probability is None:
            canvas.drawString(0, self.height - 35, "the model gave no probability")
            return
        canvas.drawString(0, self.height - 34, "probability of a defect, before any rule")
        y, tall = 3.0, 5.0
        canvas.setFillColor(style.PALE)
        canvas.rect(0, y, self.width - 26, tall, stroke=0, fill=1)
        canvas.setFillColor(style.QUIET)
        canvas.rect(0, y, (self.width - 26) * self._probability, tall, stroke=0, fill=1)
        if self._threshold is not None and 0.5 <= self._threshold <= 1:
            # Between the two marks the model is too unsure to be heard.
            canvas.setStrokeColor(style.INK)
            canvas.setLineWidth(0.8)
            for share in (1 - self._threshold, self._threshold):
                x = (self.width - 26) * share
                canvas.line(x, y - 2, x, y + tall + 2)
        canvas.setFillColor(style.INK)
        canvas.setFont(style.BOLD, 8)
        canvas.drawRightString(self.width, y, f"{self._probability:.2f}")


class Counts(Flowable):
    """The four counts as large numbers, and one bar that shows their shares."""

    def __init__(self, counts: dict[str, int], width: float) -> None:
        super().__init__()
        self._counts = {name: counts[name] for name in style.DECISION}
        self.width, self.height = width, 62.0

    def draw(self) -> None:
        canvas, step = self.canv, self.width / len(self._counts)
        for index, (name, count) in enumerate(self._counts.items()):
            x = index * step
            canvas.setFillColor(style.DECISION[name] if count else style.HAIRLINE)
            canvas.setFont(style.BOLD, 27)
            canvas.drawString(x, 31, str(count))
            canvas.setFillColor(style.QUIET)
            canvas.setFont(style.PLAIN, 8)
            canvas.drawString(x, 17, style.OUTCOME_WORDS[name])
        total, x = sum(self._counts.values()), 0.0
        canvas.setFillColor(style.PALE)
        canvas.rect(0, 2, self.width, 6, stroke=0, fill=1)
        for name, count in self._counts.items():
            if count:
                part = self.width * count / total
                canvas.setFillColor(style.DECISION[name])
                canvas.rect(x, 2, part, 6, stroke=0, fill=1)
                x += part


class FeatureBars(Flowable):
    """How often each feature was found, by what it was judged to be."""

    _STEP = 13.0

    def __init__(self, found: dict[str, dict[str, int]], width: float) -> None:
        super().__init__()
        self._found = found
        self.width = width
        self.height = self._STEP * len(found) + 16

    def draw(self) -> None:
        canvas, label = self.canv, 46 * mm
        most = max(sum(parts.values()) for parts in self._found.values())
        room = self.width - label - 20
        for index, (name, parts) in enumerate(self._found.items()):
            y, x = self.height - (index + 1) * self._STEP + 3, label
            canvas.setFillColor(style.INK)
            canvas.setFont(style.PLAIN, 7.6)
            canvas.drawString(0, y + 0.6, style.fitted(name, style.PLAIN, 7.6, label - 6))
            for disposition, colour in style.DISPOSITION.items():
                part = room * parts.get(disposition, 0) / most
                canvas.setFillColor(colour)
                canvas.rect(x, y - 0.5, part, 8, stroke=0, fill=1)
                x += part
            canvas.setFillColor(style.QUIET)
            canvas.drawString(x + 4, y + 0.6, str(sum(parts.values())))
        x = label
        canvas.setFont(style.PLAIN, 6.6)
        for disposition, colour in style.DISPOSITION.items():
            canvas.setFillColor(colour)
            canvas.rect(x, 2, 6, 6, stroke=0, fill=1)
            canvas.setFillColor(style.QUIET)
            canvas.drawString(x + 9, 2.6, disposition)
            x += 9 + pdfmetrics.stringWidth(disposition, style.PLAIN, 6.6) + 12


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture that leads to its page."""

    jpeg: bytes | None
    width: int
    height: int
    name: str
    decision: str
    key: str


class ThumbnailSheet(Flowable):
    """Thumbnails in rows, each with its verdict's colour, linked to its page."""

    def __init__(self, thumbnails: Sequence[Thumbnail], columns: int, width: float) -> None:
        super().__init__()
        self._thumbnails, self._columns = thumbnails, columns
        self._gap = 7.0
        self._cell = (width - self._gap * (columns - 1)) / columns
        self._tall = self._cell * 0.72
        rows = math.ceil(len(thumbnails) / columns)
        self.width, self.height = width, rows * self.row_height(width, columns)

    @classmethod
    def row_height(cls, width: float, columns: int) -> float:
        return (width - 7.0 * (columns - 1)) / columns * 0.72 + 19

    def draw(self) -> None:
        canvas, step = self.canv, self.row_height(self.width, self._columns)
        for index, thumbnail in enumerate(self._thumbnails):
            x = (index % self._columns) * (self._cell + self._gap)
            y = self.height - (index // self._columns) * step - self._tall
            self._draw_one(thumbnail, x, y)
            canvas.linkRect("", thumbnail.key, (x, y - 14, x + self._cell, y + self._tall), 1)

    def _draw_one(self, thumbnail: Thumbnail, x: float, y: float) -> None:
        canvas = self.canv
        canvas.setFillColor(style.PALE)
        canvas.rect(x, y, self._cell, self._tall, stroke=0, fill=1)
        if thumbnail.jpeg is not None:
            # Fill the cell and cut what is over: rows of one height read calmly.
            ratio = max(self._cell / thumbnail.width, self._tall / thumbnail.height)
            wide, tall = thumbnail.width * ratio, thumbnail.height * ratio
            canvas.saveState()
            clip = canvas.beginPath()
            clip.rect(x, y, self._cell, self._tall)
            canvas.clipPath(clip, stroke=0)
            canvas.drawImage(
                ImageReader(io.BytesIO(thumbnail.jpeg)),
                x - (wide - self._cell) / 2,
                y - (tall - self._tall) / 2,
                wide,
                tall,
            )
            canvas.restoreState()
        canvas.setFillColor(style.DECISION[thumbnail.decision])
        canvas.rect(x, y - 2.6, self._cell, 2.6, stroke=0, fill=1)
        canvas.setFillColor(style.INK)
        canvas.setFont(style.PLAIN, 6.3)
        canvas.drawString(x, y - 10.5, style.fitted(thumbnail.name, style.PLAIN, 6.3, self._cell))
