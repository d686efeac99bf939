"""A real library with an embedder that counts words: nothing is loaded, and all is fast."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.library import Library

DIMENSIONS = 384


class WordCounter:
    """Texts that share words are near each other; that is all the meaning it knows."""

    fingerprint = "test:words"

    def __init__(self, before_each: Callable[[str], None] = lambda text: None) -> None:
        self._before_each = before_each

    def encode(self, texts: Sequence[str], progress: Any = None) -> np.ndarray:
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        for number, text in enumerate(texts):
            self._before_each(text)
            vectors[number] = self.query(text)
            if progress:
                progress(1)
        return vectors

    def phrases(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.query(text) for text in texts])

    def query(self, text: str) -> np.ndarray:
        vector = np.zeros(DIMENSIONS, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % DIMENSIONS] += 1
        return vector / max(1.0, float(np.linalg.norm(vector)))


def library(folder: Path, **parts: Any) -> Library:
    """A library without a primer in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Library(folder, WordCounter(**parts))  # type: ignore[arg-type]


def write_note(path: Path, title: str, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {title}\n\n{text}\n", "utf-8")
    return path
