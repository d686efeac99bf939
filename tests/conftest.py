"""What every test may ask for, and which tests are left out where Qt cannot be loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

# Two cores shared by several libraries: spinning threads slow each other down.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

_NEEDS_QT = re.compile(
    r"^\s*(?:from|import) (?:PySide6|glassview\.(?:qt|app))\b|\bqtbot\b", re.MULTILINE
)
_left_out: list[str] = []


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that need Qt where dev.py found that it cannot be loaded."""
    if not os.environ.get("GLASSVIEW_NO_QT") or collection_path.suffix != ".py":
        return None
    if collection_path.name == "conftest.py":
        return None
    if not _NEEDS_QT.search(collection_path.read_text("utf-8")):
        return None
    _left_out.append(collection_path.name)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        why = os.environ["GLASSVIEW_NO_QT"]
        terminalreporter.write_line(f"left out, since Qt cannot be loaded ({why}): {_left_out}")


@pytest.fixture(scope="session")
def real_micrographs() -> Path:
    """The folder of real SEM images; tests that need it skip, with the reason, without it."""
    folder = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if not folder:
        pytest.skip("GLASSVIEW_REAL_MICROGRAPHS is not set: no real micrographs to read")
    path = Path(folder)
    assert path.is_dir(), f"GLASSVIEW_REAL_MICROGRAPHS names {folder}, which is not a folder"
    return path


@pytest.fixture(autouse=True, scope="session")
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never see, nor write into, the library and the settings of the person who runs them."""
    os.environ["GLASSVIEW_DATA_DIR"] = str(tmp_path_factory.mktemp("data"))
    os.environ["GLASSVIEW_CONFIG_DIR"] = str(tmp_path_factory.mktemp("config"))
