"""A body as large as the background's window must not become its own background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from glassllava.measurement import measure
from glassllava.micrograph.reading import read_micrograph


def test_a_bubble_of_a_third_of_the_field_is_found_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:480, :640]
    grey = 150 + 0.05 * columns + rng.normal(0, 6, (480, 640))
    large = np.hypot(rows - 240, columns - 400) < 110
    small = np.hypot(rows - 100, columns - 120) < 20
    grey[large | small] -= 100
    path = tmp_path / "bubbles.tif"
    tifffile.imwrite(path, grey.clip(0, 255).astype(np.uint8))
    measured = measure(read_micrograph(path))
    assert measured.value("pore_count") == 2
    largest = measured.value("pore_equivalent_diameter_max")
    assert largest is not None
    assert abs(largest - 220) < 0.03 * 220
