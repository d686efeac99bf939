"""Bars on standard error for what takes long; drawn only where that is a terminal."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(total: int, name: str, unit: str = "passage") -> Any:
    """A bar that is gone when it is done; `update` it by what has been done since."""
    from tqdm import tqdm

    return tqdm(total=total, desc=name, unit=unit, file=sys.stderr, disable=None, leave=False)
