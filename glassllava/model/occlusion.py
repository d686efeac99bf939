"""Where a probe looks, of any checkpoint that runs here: what falls when a part is hidden.

Each cell of a coarse grid is covered with the picture's mean grey, one after the other, and the
probe is asked again; by how much its logit falls is the cell's share (Zeiler and Fergus 2014). A
pass over the whole model for every cell, so that nothing does this unasked: no enquiry, no night
and no window carries a wish for it. It is a method to call, for judging and for checkpoints whose
tower cannot point. Knows no map of the tower.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.model import processing
from glassllava.model.backend import Pointed, Probe
from glassllava.model.pointing import Frame, pointed

if TYPE_CHECKING:
    from glassllava.model.llava import LlavaBackend
    from glassllava.prompt import Enquiry

CELLS = 7
#: A cell belongs to the region where the logit falls by so much of the largest fall.
_OF_LARGEST = 0.5
Array = np.ndarray[Any, np.dtype[Any]]


def occlusion(
    model: LlavaBackend, enquiry: Enquiry, *, cells: int = CELLS
) -> dict[str, tuple[Array, Pointed]]:
    """By probe key: the fall of the logit (rows, columns of the cells that show the specimen),
    and the place that it points at. `certainty` is the largest fall; without any fall there is no
    region.

    Raises
    ------
    UnreadableMicrograph : where the pixels cannot be read again.
    """
    picture = processing.see(enquiry.micrograph, model.side)
    frame = Frame.of(enquiry.micrograph, model.side, cells)
    rows = range(frame.rows.start, frame.rows.stop)
    columns = range(frame.columns.start, frame.columns.stop)
    hidden = [covered(picture, [(i, j)], cells) for i in rows for j in columns]
    whole, *parts = model.probes_of(enquiry, [picture, *hidden])
    found = {}
    for key, probe in whole.items():
        fall = np.array([logit(probe) - logit(part[key]) for part in parts])
        fall = fall.reshape(len(rows), len(columns))
        most = float(fall.max())
        level = _OF_LARGEST * most if most > 0 else math.inf
        found[key] = fall, pointed(fall, level, key, frame)
    return found


def covered(picture: processing.Picture, places: list[tuple[int, int]], cells: int) -> Any:
    """`picture` (side, side) with these cells (row, column) of a grid in its mean grey."""
    out, side = picture.copy(), picture.shape[0]
    edges = [round(i * side / cells) for i in range(cells + 1)]
    for i, j in places:
        out[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = round(float(picture.mean()))
    return out


def logit(probe: Probe) -> float:
    p = min(max(probe.probability or 0.0, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
