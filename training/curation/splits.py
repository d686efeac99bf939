"""Which split a figure belongs to: by paper, never by image."""

from __future__ import annotations

from types import MappingProxyType

#: Of the figures; the paper had 404 of 481 images to train on.
SHARES = MappingProxyType({"train": 0.8, "validation": 0.1, "test": 0.1})
