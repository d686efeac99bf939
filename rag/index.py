"""The index: a persistent Chroma collection, through llama-index. The only file that speaks either.

It is a cache of the manifest and never the truth: Chroma has lost acknowledged batches without an
error when two processes wrote, and keeps the old text of an id that is added again. So one owner
per folder writes and reads it, every change is bracketed by a mark on disk, a folder whose mark is
missing is built anew from the manifest, and each opening asks passages for their own vectors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.holdings import Holdings, StoredPassage

_MARK = "current.json"
_COLLECTION = "passages"
_BATCH = 1000  # Chroma takes at most 5,461
_ASKED_AT_OPENING = 256


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


class Index:
    """A Chroma collection that mirrors the manifest's holdings; for its one owner."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder / _MARK
        self._client: Any = None
        self._collection: Any = None
        self._store: Any = None
        self._name = ""
        self.rebuilt = False

    def open(self, holdings: Holdings) -> None:
        """Open what is there if it can be trusted, else build it anew.

        Raises
        ------
        IndexFailed : where even a new one fails.
        """
        mark = self._read_mark()
        if mark is not None:
            try:
                self._name = mark["folder"]
                self._attach(self._folder / self._name)
                self.sync(holdings)
                if not self.lost(holdings, _ASKED_AT_OPENING):
                    self._seal()
                    return
            except IndexFailed:
                pass  # what follows is the remedy
        self.rebuild(holdings)
        if self.lost(holdings, _ASKED_AT_OPENING):
            raise IndexFailed("a new index does not find its own passages")
        self._seal()

    def rebuild(self, holdings: Holdings) -> None:
        """A new collection in a new folder; the old one goes."""
        with contextlib.suppress(IndexFailed):  # a damaged one may not even close
            self.close()
        name = f"chroma-{uuid.uuid4().hex[:12]}"
        with _translated():
            self._folder.mkdir(exist_ok=True)
            self._mark.unlink(missing_ok=True)
            self._attach(self._folder / name)
            self._add(holdings, range(len(holdings.passages)))
            self._name = name
            self._write_mark()
        self.rebuilt = True
        for other in self._folder.glob("chroma-*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)  # a leftover costs space, no answer

    def sync(self, holdings: Holdings) -> None:
        """Bring the collection to the manifest: rows that came, went or changed, and no others."""
        with _translated():
            found = self._collection.get(include=["metadatas"])
            stored = dict(zip(found["ids"], found["metadatas"], strict=True))
            wanted = {str(item.row): _metadata(holdings, i) for i, item in _numbered(holdings)}
            gone = [id_ for id_ in stored if id_ not in wanted]
            changed = [
                index
                for index, item in _numbered(holdings)
                if not _same(stored.get(str(item.row)), wanted[str(item.row)])
            ]
            if not gone and not changed:
                return
            self._mark.unlink()  # torn in between, the folder is not trusted again
            for start in range(0, len(gone), _BATCH):
                self._store.delete_nodes(gone[start : start + _BATCH])
            self._add(holdings, changed)
            self._write_mark()

    def nearest(self, vector: np.ndarray, count: int, generation: int | None) -> list[int]:
        """Row numbers of the passages nearest to a unit vector, nearest first.

        `generation` leaves out what was not alive then; None asks all (filtering costs Chroma
        six to nine times the search itself).

        Raises
        ------
        IndexFailed : where Chroma does.
        """
        with _translated():
            from llama_index.core.vector_stores.types import (
                FilterOperator,
                MetadataFilter,
                MetadataFilters,
                VectorStoreQuery,
            )

            alive = None
            if generation is not None:
                alive = MetadataFilters(
                    filters=[
                        MetadataFilter(key="added", value=generation, operator=FilterOperator.LTE),
                        MetadataFilter(key="removed", value=generation, operator=FilterOperator.GT),
                    ]
                )
            answer = self._store.query(
                VectorStoreQuery(
                    query_embedding=vector.tolist(), similarity_top_k=count, filters=alive
                )
            )
            return [int(id_) for id_ in answer.ids or ()]

    def lost(self, holdings: Holdings, most: int | None = None) -> list[int]:
        """Row numbers that do not find themselves by their own vector (`most`: asked, spread)."""
        total = len(holdings.passages)
        if most is None or total <= most:
            asked = np.arange(total)
        else:
            asked = np.linspace(0, total - 1, most).astype(int)
        missing = []
        with _translated():
            for start in range(0, len(asked), _BATCH):
                part = asked[start : start + _BATCH]
                answer = self._collection.query(
                    query_embeddings=holdings.vectors[part], n_results=1, include=["distances"]
                )
                for index, ids, distances in zip(
                    part, answer["ids"], answer["distances"], strict=True
                ):
                    row = holdings.passages[index].row
                    # A twin with the same vector may answer in its place.
                    if not ids or (ids[0] != str(row) and distances[0] > 1e-5):
                        missing.append(row)
        return missing

    def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            self._collection = self._store = None
            with _translated():
                client.close()
            self._seal()

    def _attach(self, folder: Path) -> None:
        with _translated():
            import chromadb
            from llama_index.vector_stores.chroma import ChromaVectorStore

            settings = chromadb.config.Settings(anonymized_telemetry=False)
            self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
            self._collection = self._client.get_or_create_collection(
                _COLLECTION,
                embedding_function=None,  # the default one would download a model
                configuration={"hnsw": {"space": "cosine"}},
            )
            self._store = ChromaVectorStore(chroma_collection=self._collection)

    def _add(self, holdings: Holdings, indices: Any) -> None:
        from llama_index.core.schema import TextNode

        indices = list(indices)
        for start in range(0, len(indices), _BATCH):
            nodes = [
                TextNode(
                    id_=str(holdings.passages[i].row),
                    text=holdings.passages[i].entry.passage.text,
                    embedding=holdings.vectors[i].tolist(),
                    metadata=_metadata(holdings, i),
                )
                for i in indices[start : start + _BATCH]
            ]
            # add() would silently keep the old text of an id that exists.
            self._store.delete_nodes([node.node_id for node in nodes])
            self._store.add(nodes)

    def _read_mark(self) -> dict[str, Any] | None:
        """The mark, if it names a folder whose graph files are byte for byte as they were sealed.

        Chroma maps these files and follows the pointers in them: rubbish there ends the process
        with a segmentation fault, which nothing can catch. So they are compared before.
        """
        try:
            mark = json.loads(self._mark.read_text("utf-8"))
            name, files = mark["folder"], mark["files"]
            plain = isinstance(name, str) and re.fullmatch(r"chroma-[0-9a-f]{12}", name)
            return mark if plain and _graph_files(self._folder / name) == files else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_mark(self) -> None:
        new = self._mark.with_suffix(".new")
        mark = {"folder": self._name, "files": _graph_files(self._folder / self._name)}
        new.write_text(json.dumps(mark), "utf-8")
        new.replace(self._mark)

    def _seal(self) -> None:
        """Note the graph files as they are now: Chroma writes them late, during queries too."""
        with _translated():
            if self._mark.is_file():  # else a write was torn, and the folder stays untrusted
                self._write_mark()


def _graph_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of Chroma's segments, by path in `folder`; its database is left out."""
    found = {}
    for path in sorted(folder.glob("*/*")):
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return found


def _numbered(holdings: Holdings) -> enumerate[StoredPassage]:
    return enumerate(holdings.passages)


def _metadata(holdings: Holdings, index: int) -> dict[str, Any]:
    item = holdings.passages[index]
    vector = hashlib.sha256(holdings.vectors[index].tobytes()).hexdigest()[:16]
    return {
        "added": item.added,
        "removed": int(holdings.removed[index]),
        "digest": item.digest[:16],
        "vector": vector,
    }


def _same(stored: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    return stored is not None and all(stored.get(key) == value for key, value in wanted.items())


@contextlib.contextmanager
def _translated() -> Iterator[None]:
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
        if type(e).__module__.split(".")[0] in ("chromadb", "pyo3_runtime"):
            raise IndexFailed(f"{type(e).__name__}: {e}") from e
        raise
