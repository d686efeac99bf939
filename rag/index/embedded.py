"""A folder's own index: a persistent Chroma collection, through llama-index.

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
import uuid
from typing import TYPE_CHECKING, Any

from rag.index.chroma import (
    BATCH,
    COLLECTION,
    IndexFailed,
    lost,
    metadata,
    nodes_of,
    numbered,
    same,
    store_of,
    translated,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from rag.holdings import Holdings

_MARK = "current.json"
_ASKED_AT_OPENING = 256


class Index:
    """A Chroma collection that mirrors the manifest's holdings; for its one owner."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder / _MARK
        self._client: Any = None
        self._collection: Any = None
        self._store: Any = None
        self._name = ""
        self._was_there = any(folder.glob("chroma-*"))
        self.rebuilt = False

    @property
    def mended(self) -> bool:
        """Whether one that was there could not be trusted, and was built anew."""
        return self.rebuilt and self._was_there

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
        with translated():
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
        with translated():
            found = self._collection.get(include=["metadatas"])
            stored = dict(zip(found["ids"], found["metadatas"], strict=True))
            wanted = {str(item.row): metadata(holdings, i) for i, item in numbered(holdings)}
            gone = [id_ for id_ in stored if id_ not in wanted]
            changed = [
                index
                for index, item in numbered(holdings)
                if not same(stored.get(str(item.row)), wanted[str(item.row)])
            ]
            if gone:
                # Erased ones: deleted rows would leave their words in Chroma's files.
                self.rebuild(holdings)
                return
            if not changed:
                return
            self._mark.unlink()  # torn in between, the folder is not trusted again
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
        with translated():
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
        with translated():
            return lost(self._collection, holdings, most)

    def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            self._collection = self._store = None
            with translated():
                client.close()
            self._seal()

    def _attach(self, folder: Path) -> None:
        with translated():
            import chromadb

            settings = chromadb.config.Settings(anonymized_telemetry=False)
            self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
            self._collection = self._client.get_or_create_collection(
                COLLECTION,
                embedding_function=None,  # the default one would download a model
                configuration={"hnsw": {"space": "cosine"}},
            )
            self._store = store_of(self._collection)

    def _add(self, holdings: Holdings, indices: Any) -> None:
        indices = list(indices)
        for start in range(0, len(indices), BATCH):
            nodes = nodes_of(holdings, indices[start : start + BATCH], metadata)
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
        with translated():
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
