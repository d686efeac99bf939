"""What `library check` asks of a manifest, and what it mends there.

A passage's vector must be whole, of unit length and of its embedder; its words must be those that
were read. Vectors are made anew from the words; words that changed on disk can only be read again.
Knows nothing of the index, which is asked by its owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.embedding import DIMENSIONS

if TYPE_CHECKING:
    from rag.embedding import Embedder
    from rag.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Check:
    """What `check` found and did.

    Passages asked for their own vector, and lost by the index; `repaired` are sentences; `altered`
    are keys of documents whose words are not those that were read, and must be added again;
    `remedy` says what a person can do where the index failed and could not be built anew.
    """

    manifest_whole: bool
    asked: int
    lost: int
    rebuilt: bool
    backend: str
    repaired: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    remedy: str = ""


def mend(manifest: Manifest, embedder: Embedder) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what was repaired, keys of documents to add again); a read-only library is left alone."""
    if manifest.readonly:
        return (), ()
    repaired = []
    if not manifest.whole():
        manifest.reindex()
        if manifest.whole():
            repaired.append("SQLite's indices were made anew")
    torn = manifest.torn(DIMENSIONS)
    torn_count = manifest.refit(embedder.encode, embedder.fingerprint, torn) if torn else 0
    holdings = manifest.holdings()
    lengths = np.linalg.norm(holdings.vectors, axis=1) if len(holdings.passages) else np.empty(0)
    wrong = [
        holdings.passages[index].row
        for index in np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))  # ~: NaN is wrong, too
    ]
    if wrong:
        torn_count += manifest.refit(embedder.encode, embedder.fingerprint, wrong)
    if torn_count:
        repaired.append(f"{torn_count} vectors were made anew")
    changed = {
        item.row: item.entry.digest
        for item in holdings.passages
        if item.entry.digest != item.digest
    }
    altered = manifest.doubt(changed) if changed else []
    return tuple(repaired), tuple(altered)
