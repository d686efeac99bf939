"""Which of a file's pages is the micrograph: the clean one, no preview and no mask.

Knows what the file says of its pages, and looks into those that may be masks. Knows nothing of
scales and vendors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph import tiff_pixels
from glassllava.micrograph.record import Page

#: So many pages are looked into for masks: so many rows in three places. A mask has few values, or
#: nearly all of its pixels are like the one beside them.
_MOST_MASKS, _MASK_ROWS = 4, 16
_MASK_VALUES, _MASK_ALIKE = 8, 0.9


def chosen_page(
    path: Path, pages: Sequence[Page], asked: int | None
) -> tuple[Page, tuple[Page, ...]]:
    """The page that was asked for, or the cleanest; and those before it that look like masks."""
    if asked is not None:
        found = next((page for page in pages if page.index == asked), None)
        if found is None:
            have = ", ".join(str(page.index) for page in pages[:10])
            raise UnreadableMicrograph(
                f"The file has no readable page {asked}", where=path, remedy=f"It has {have}."
            )
        return found, ()
    largest = max(page.width * page.height for page in pages)

    def cleanness(page: Page) -> tuple[bool, bool, int, int, int]:
        # A preview with the bar burned in often stands before the 16-bit data without it.
        return (
            page.role == "image",
            2 * page.width * page.height >= largest,
            min(page.bit_depth, 16),
            -page.samples,
            -page.index,
        )

    order = sorted(pages, key=cleanness, reverse=True)
    masks: list[Page] = []
    for page in order[:_MOST_MASKS]:
        # Depth says nothing of a mask: of pages of one depth the first is taken as it is.
        alike = page.bit_depth == order[-1].bit_depth and not masks
        if alike or not _is_mask(path, page):
            return page, tuple(masks)
        masks.append(page)
    return order[0], ()


def _is_mask(path: Path, page: Page) -> bool:
    """Whether a few rows hold few values, or nearly every pixel has that of the one beside it."""
    try:
        plane, *smaller = tiff_pixels.open_page(path, page.index)
        for level in smaller:
            level.close()
        with plane:
            rows = [int(share * plane.height) for share in (0.25, 0.5, 0.75)]
            bands = [plane.window(slice(row, row + _MASK_ROWS), slice(None)) for row in rows]
    except UnreadableMicrograph:
        return False  # it says so itself when it is read
    if sum(band.size for band in bands) > _MASK_ROWS and all(
        len(np.unique(band)) <= _MASK_VALUES for band in bands
    ):
        return True
    same = [float((band[:, 1:] == band[:, :-1]).mean()) for band in bands if band.shape[1] > 1]
    return bool(same) and min(same) >= _MASK_ALIKE
