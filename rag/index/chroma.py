"""What a folder's index and a group's server have in common: rows, their marks, and errors.

Every library's own errors become one, here.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.holdings import Holdings, StoredPassage

COLLECTION = "passages"
BATCH = 1000  # Chroma takes at most 5,461

#: What Chroma was seen to let through on damaged folders, its own errors aside. AttributeError is
#: among them: its client stumbles over itself when the database cannot be opened.
_RAISED = (
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    sqlite3.Error,
)


class IndexFailed(Exception):
    """Chroma refused, or answered wrongly; the caller searches the manifest's vectors instead."""


def numbered(holdings: Holdings) -> enumerate[StoredPassage]:
    return enumerate(holdings.passages)


def metadata(holdings: Holdings, index: int) -> dict[str, Any]:
    """What tells whether a stored row is the manifest's: generations, words, vector."""
    item = holdings.passages[index]
    vector = hashlib.sha256(holdings.vectors[index].tobytes()).hexdigest()[:16]
    return {
        "added": item.added,
        "removed": int(holdings.removed[index]),
        "digest": item.digest[:16],
        "vector": vector,
    }


def same(stored: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    return stored is not None and all(stored.get(key) == value for key, value in wanted.items())


def store_of(collection: Any) -> Any:
    from llama_index.vector_stores.chroma import ChromaVectorStore

    return ChromaVectorStore(chroma_collection=collection)


def nodes_of(
    holdings: Holdings,
    indices: Sequence[int],
    told: Callable[[Holdings, int], dict[str, Any]],
) -> list[Any]:
    """llama-index's nodes of these passages, under their row numbers, with `told` of each."""
    from llama_index.core.schema import TextNode

    return [
        TextNode(
            id_=str(holdings.passages[i].row),
            text=holdings.passages[i].entry.passage.text,
            embedding=holdings.vectors[i].tolist(),
            metadata=told(holdings, i),
        )
        for i in indices
    ]


def lost(collection: Any, holdings: Holdings, most: int | None = None) -> list[int]:
    """Row numbers that do not find themselves by their own vector (`most`: asked, spread)."""
    total = len(holdings.passages)
    if most is None or total <= most:
        asked = np.arange(total)
    else:
        asked = np.linspace(0, total - 1, most).astype(int)
    missing = []
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        answer = collection.query(
            query_embeddings=holdings.vectors[part], n_results=1, include=["distances"]
        )
        for index, ids, distances in zip(part, answer["ids"], answer["distances"], strict=True):
            row = holdings.passages[index].row
            # A twin with the same vector may answer in its place.
            if not ids or (ids[0] != str(row) and distances[0] > 1e-5):
                missing.append(row)
    return missing


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Whatever Chroma and llama-index raise, as one word.

    Both let errors of the layers below through; Rust's panics reach Python as a BaseException.
    """
    try:
        yield
    except IndexFailed:
        raise
    except _RAISED as e:
        raise IndexFailed(f"{type(e).__name__}: {e}") from e
    except BaseException as e:
        if type(e).__module__.split(".")[0] in ("chromadb", "httpx", "pyo3_runtime"):
            raise IndexFailed(f"{type(e).__name__}: {e}") from e
        raise
