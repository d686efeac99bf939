"""One embedded primer for all tests of the literature: the embedder is paid for once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.library import Library


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed library folder that holds the primer and a finished index; nobody changes it."""
    folder = tmp_path_factory.mktemp("literature") / "library"
    with rag.open_library(folder) as library:
        assert library.search("bubble", 1)
    return folder


@pytest.fixture(scope="session")
def primer_library(embedded: Path) -> Iterator[Library]:
    """An open library to read from; it owns its index."""
    folder = embedded.with_name("read")
    shutil.copytree(embedded, folder)
    with rag.open_library(folder) as library:
        yield library


@pytest.fixture
def folder(embedded: Path, tmp_path: Path) -> Path:
    """A library folder of the test's own."""
    shutil.copytree(embedded, tmp_path / "library")
    return tmp_path / "library"
