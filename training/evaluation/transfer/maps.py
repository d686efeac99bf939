"""The vision tower alone, asked for cracks: one score a picture, or a map of a whole micrograph.

A map is read off in cells; `Map` knows where each lies on the micrograph. Knows the tower's
interface and the letterbox of `processing`; knows no mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from glassllava.features import PARENTS
from glassllava.model import processing

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel

Array = np.ndarray[Any, Any]
CELL = 16  # pixels of a square that a cell of a map covers
_PIXELS = 8 * 448**2  # of a batch: the first stages hold some hundred bytes for each
_LARGEST = 6


@dataclass(frozen=True)
class Eye:
    """The tower of an open checkpoint; `label` is the place of the crack among its labels."""

    tower: Any
    image_processor: Any
    side: int
    label: int = tuple(PARENTS).index("crack")

    @property
    def can_point(self) -> bool:
        return hasattr(self.tower, "where")

    def scores(self, pictures: Sequence[Array], side: int | None = None) -> Array:
        """(N,) crack logits of `pictures`, each a micrograph of its own, letterboxed to `side`."""
        import torch

        said = []
        with torch.inference_mode():
            for values in self._values(pictures, side or self.side):
                # The last values of every token are what the tower sees on the whole picture.
                tokens = self.tower(pixel_values=values).last_hidden_state
                said.append(tokens[:, 0, self.label - self.tower.config.labels])
        return np.asarray(torch.cat(said).float().numpy())

    def whole(self, picture: Array) -> Map:
        """The map of a whole micrograph as the product sees it: letterboxed into one square."""
        (logits,) = self._where([processing.letterbox(picture, self.side)])
        height, width = picture.shape
        top, left, rows, columns = processing.placed((height, width), self.side)
        return Map(
            logits,
            (rows / height / CELL, columns / width / CELL),
            (top / CELL, left / CELL),
        )

    def zoomed(self, picture: Array, zoom: float) -> Map:
        """The map of a micrograph at `zoom`, cut in squares that overlap by half; their mean."""
        height, width = picture.shape
        rows, columns = max(1, round(height * zoom)), max(1, round(width * zoom))
        # Reducing by averages: a thin crack must not fall between the pixels that are kept.
        how = Image.Resampling.BICUBIC if zoom >= 1 else Image.Resampling.BOX
        drawn = np.asarray(Image.fromarray(picture).resize((columns, rows), how))
        down, across = (max(self.side, -(-n // CELL) * CELL) for n in drawn.shape)
        field = np.full((down, across), round(float(drawn.mean())), np.uint8)
        field[:rows, :columns] = drawn
        total = np.zeros((down // CELL, across // CELL))
        count = np.zeros_like(total)
        corners = [(y, x) for y in _starts(down, self.side) for x in _starts(across, self.side)]
        squares = [field[y : y + self.side, x : x + self.side] for y, x in corners]
        cells = self.side // CELL
        for (y, x), logits in zip(corners, self._where(squares), strict=True):
            at = np.s_[y // CELL : y // CELL + cells, x // CELL : x // CELL + cells]
            total[at] += logits
            count[at] += 1
        return Map(total / count, (rows / height / CELL, columns / width / CELL), (0.0, 0.0))

    def _where(self, squares: Sequence[Array]) -> list[Array]:
        import torch

        found: list[Array] = []
        with torch.inference_mode():
            for values in self._values(squares, self.side):
                found += list(self.tower.where(values)[:, self.label].float().numpy())
        return found

    def _values(self, pictures: Sequence[Array], side: int) -> Iterator[Any]:
        """Batches as `processing.pixel_values` makes them, at any side."""
        import torch

        mean, std = self.image_processor.image_mean[0], self.image_processor.image_std[0]
        batch = max(1, _PIXELS // side**2)
        for start in range(0, len(pictures), batch):
            part = [processing.letterbox(p, side) for p in pictures[start : start + batch]]
            grey = torch.from_numpy(np.stack(part).astype(np.float32) / 255)
            yield ((grey - mean) / std)[:, None].expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Map:
    """Crack logits (rows, columns) in cells. A pixel (y, x) of the micrograph lies at the cell
    coordinates `corner` + (y, x) · `scale`, down and across."""

    logits: Array
    scale: tuple[float, float]
    corner: tuple[float, float]

    def over(self, x0: int, y0: int, x1: int, y1: int) -> Array:
        """The logits of the cells that a box of the micrograph touches, flat."""
        rows, columns = (
            self._cells(axis, low, high) for axis, low, high in ((0, y0, y1), (1, x0, x1))
        )
        return self.logits[rows, columns].ravel()

    def boxes(self, shape: tuple[int, int]) -> Iterator[tuple[int, int, tuple[int, int, int, int]]]:
        """(row, column, (x0, y0, x1, y1)) of every cell with a pixel of a frame of `shape`."""
        edges = [
            np.clip(
                np.round((np.arange(count + 1) - self.corner[axis]) / self.scale[axis]),
                0,
                shape[axis],
            ).astype(int)
            for axis, count in enumerate(self.logits.shape)
        ]
        for row in range(self.logits.shape[0]):
            for column in range(self.logits.shape[1]):
                y0, y1 = edges[0][row], edges[0][row + 1]
                x0, x1 = edges[1][column], edges[1][column + 1]
                if y1 > y0 and x1 > x0:
                    yield row, column, (int(x0), int(y0), int(x1), int(y1))

    def on_pixels(self, shape: tuple[int, int]) -> Array:
        """(H, W) logits, straight lines between the middles of the cells."""
        from scipy.ndimage import map_coordinates

        y, x = (
            (np.arange(shape[axis]) + 0.5) * self.scale[axis] + self.corner[axis] - 0.5
            for axis in (0, 1)
        )
        where = np.meshgrid(y, x, indexing="ij")
        return np.asarray(map_coordinates(self.logits, where, order=1, mode="nearest"))

    def _cells(self, axis: int, low: int, high: int) -> slice:
        first = int(np.floor(low * self.scale[axis] + self.corner[axis] + 1e-6))
        last = int(np.ceil(high * self.scale[axis] + self.corner[axis] - 1e-6))
        count = self.logits.shape[axis]
        return slice(min(max(first, 0), count - 1), max(min(last, count), first + 1))


def eye_of(model: VisionModel) -> Eye | None:
    """The tower behind `model`, or None where there is none that gives scores."""
    tower = getattr(getattr(getattr(model, "model", None), "model", None), "vision_tower", None)
    if tower is None or not hasattr(tower.config, "labels"):
        return None
    processor = model.processor  # type: ignore[attr-defined]  # a checkpoint's backend has one
    return Eye(tower, processor.image_processor, processing.side_of(processor))


def sides(eye: Eye, pixels: int) -> tuple[int, ...]:
    """The sides at which a tile of `pixels` is shown: the model's own and its halves, of those the
    tower takes, and that enlarge the tile no more than sixfold: beyond, nothing is to be seen."""
    cell, side = int(eye.tower.config.patch_size), eye.side
    found = []
    while side >= cell and side % cell == 0:
        if side <= _LARGEST * pixels:
            found.append(side)
        side //= 2
    return tuple(found)


def _starts(length: int, side: int) -> list[int]:
    """Where squares of `side` begin that cover `length` (whole cells), overlapping by half."""
    last = length - side
    return sorted({*range(0, last + 1, max(CELL, side // 2 // CELL * CELL)), last})
