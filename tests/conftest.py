"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two cores shared by several libraries: spinning threads slow each other down.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def real_micrographs() -> Path:
    """The folder of real SEM images; tests that need it skip, with the reason, without it."""
    folder = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if not folder:
        pytest.skip("GLASSVIEW_REAL_MICROGRAPHS is not set: no real micrographs to read")
    path = Path(folder)
    assert path.is_dir(), f"GLASSVIEW_REAL_MICROGRAPHS names {folder}, which is not a folder"
    return path
