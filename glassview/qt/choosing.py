"""Dialogs that ask for files and folders, each opening where it was left the last time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

_ALL = "All files (*)"


class Choosing:
    """Asks for paths; `kept` remembers a folder for each purpose."""

    def __init__(self, window: QWidget, kept: QSettings) -> None:
        self._window, self._kept = window, kept

    def files(self, title: str, kinds: str, purpose: str = "folder") -> Sequence[str]:
        """Files to open; empty where none was chosen."""
        paths, _ = QFileDialog.getOpenFileNames(
            self._window, title, self._start(purpose), f"{kinds};;{_ALL}"
        )
        if paths:
            self._kept.setValue(f"files/{purpose}", str(Path(paths[0]).parent))
        return list(paths)

    def folder(self, title: str, purpose: str = "folder") -> Sequence[str]:
        """One folder in a list; empty where none was chosen."""
        path = QFileDialog.getExistingDirectory(self._window, title, self._start(purpose))
        if path:
            self._kept.setValue(f"files/{purpose}", path)
        return [path] if path else []

    def report(self, title: str, name: str) -> Path | None:
        """Where to write a PDF; None where it was called off."""
        start = Path(self._start("reports") or Path.home())
        path, _ = QFileDialog.getSaveFileName(self._window, title, str(start / name), "PDF (*.pdf)")
        if not path:
            return None
        self._kept.setValue("files/reports", str(Path(path).parent))
        return Path(path)

    def _start(self, purpose: str) -> str:
        return str(self._kept.value(f"files/{purpose}", ""))
