"""A group's Chroma server: two collections, the passages and the state that makes them one library.

The state is written last, in one record: passages that it does not speak of are not there yet, and
a reader that does not find all that it speaks of knows so by its sum. Rows go through llama-index's
store. Knows nothing of files, of who may write, or of how a reader keeps its copy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import LiteratureUnavailable
from rag.index.chroma import (
    BATCH,
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
    from collections.abc import Iterable, Mapping, Sequence

    from rag.holdings import Holdings
    from rag.server import Address

_PASSAGES, _STATE = "glassview-passages", "glassview-state"
_WAIT_S = 60.0  # for each read
_LONGEST_BEAT, _BEAT_S = 4096, 10.0
#: The marks of all passages come in one answer: some 300 bytes each, with their columns 1 kB.
_LONGEST_ANSWER, _ANSWER_S = 512 * 1024 * 1024, 600.0


@dataclass(frozen=True, slots=True)
class Row:
    """A passage as the server holds it: `told` are its columns, `vector` is float32."""

    row: int
    text: str
    told: Mapping[str, Any]
    vector: np.ndarray


class Server:
    """The open connection to one server."""

    def __init__(self, address: Address, token: str | None) -> None:
        """
        Raises
        ------
        LiteratureUnavailable : where nobody answers, or it is no Chroma server, or it refuses;
            where its heartbeat is longer than 4 kB or takes 10 s, or Chroma's own answers, the
            first of which is asked for here, are longer than 512 MB or take 10 min. What these
            answers become in memory once they are read is not bounded further.
        """
        self.address = address
        try:
            with translated():
                self._open(token)
        except IndexFailed as error:
            raise self._unavailable(error) from error

    def _open(self, token: str | None) -> None:
        import chromadb
        import httpx

        from rag.index.bounded import bounded

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Chroma's own client waits for ever: one that does not answer is found out before.
        hooks = {"response": [bounded(_LONGEST_BEAT, _BEAT_S)]}
        with httpx.Client(timeout=_BEAT_S, trust_env=True, event_hooks=hooks) as asker:
            beat = asker.get(f"{self.address.url}/api/v2/heartbeat", headers=headers)
        if beat.status_code != 200 or "nanosecond heartbeat" not in beat.text:
            raise IndexFailed(f"it answers {beat.status_code}, not as a Chroma server does")
        client = chromadb.HttpClient(
            host=self.address.host,
            port=self.address.port,
            ssl=self.address.scheme == "https",
            headers=headers,
            settings=chromadb.config.Settings(anonymized_telemetry=False),
        )
        session = client._server._session  # type: ignore[attr-defined]
        session.timeout = _WAIT_S
        session.event_hooks = {"response": [bounded(_LONGEST_ANSWER, _ANSWER_S)]}
        how: dict[str, Any] = {
            "embedding_function": None,  # the default one would download a model
            "configuration": {"hnsw": {"space": "cosine"}},
        }
        self._passages = client.get_or_create_collection(_PASSAGES, **how)
        self._state = client.get_or_create_collection(_STATE, **how)
        self._store = store_of(self._passages)

    def state(self) -> dict[str, Any] | None:
        """What the keeper last wrote; None on a server that holds no library yet."""
        found = self._asked(lambda: self._state.get(ids=["state"], include=["documents"]))
        if not found["ids"]:
            return None
        try:
            told = json.loads(found["documents"][0])
            if told["schema"] != 1:
                raise LiteratureUnavailable(
                    "The server's library was written by a newer GlassView",
                    where=self.address.url,
                    remedy="Update GlassView.",
                )
        except (TypeError, ValueError, KeyError) as error:
            raise self._unavailable(error) from error
        return dict(told)

    def put_state(self, state: Mapping[str, Any]) -> None:
        text = json.dumps(state, ensure_ascii=False)
        points: Any = [np.ones(1, np.float32)]  # a collection wants one for each record
        self._asked(lambda: self._state.upsert(ids=["state"], documents=[text], embeddings=points))

    def put(self, holdings: Holdings, told: Mapping[int, Mapping[str, Any]]) -> int:
        """Make the server hold these passages and no others; how many were written.

        `told` gives each row's columns. Nothing is deleted before it stands anew, so that a reader
        in between misses nothing.
        """

        def all_of(held: Holdings, index: int) -> dict[str, Any]:
            columns = told[held.passages[index].row]
            return metadata(held, index) | {"told": json.dumps(columns, ensure_ascii=False)}

        marks = self.marks()
        wanted = {item.row: metadata(holdings, index) for index, item in numbered(holdings)}
        new = [index for index, item in numbered(holdings) if item.row not in marks]
        changed = [
            index
            for index, item in numbered(holdings)
            if item.row in marks and not same(marks[item.row], wanted[item.row])
        ]
        for part in _parts(new):
            nodes = nodes_of(holdings, part, all_of)
            self._asked(lambda nodes=nodes: self._store.add(nodes))  # type: ignore[misc]
        for part in _parts(changed):
            rows = {
                "ids": [str(holdings.passages[i].row) for i in part],
                "documents": [holdings.passages[i].entry.passage.text for i in part],
                "embeddings": [holdings.vectors[i] for i in part],
                "metadatas": [all_of(holdings, i) for i in part],
            }
            self._asked(lambda rows=rows: self._passages.upsert(**rows))  # type: ignore[misc]
        self.drop([row for row in marks if row not in wanted])
        return len(new) + len(changed)

    def drop(self, rows: Sequence[int]) -> None:
        for part in _parts(rows):
            ids = [str(row) for row in part]
            self._asked(lambda ids=ids: self._store.delete_nodes(ids))  # type: ignore[misc]

    def marks(self) -> dict[int, dict[str, Any]]:
        """What tells rows apart, by row number: added, removed, digest, vector."""
        found = self._asked(lambda: self._passages.get(include=["metadatas"]))
        return {
            int(id_): {key: told.get(key) for key in ("added", "removed", "digest", "vector")}
            for id_, told in zip(found["ids"], found["metadatas"], strict=True)
        }

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Those of these rows that the server holds, whole."""
        rows = []
        for part in _parts(numbers):
            ids = [str(number) for number in part]
            found = self._asked(
                lambda ids=ids: self._passages.get(  # type: ignore[misc]
                    ids=ids, include=["metadatas", "documents", "embeddings"]
                )
            )
            try:
                for id_, text, told, vector in zip(
                    found["ids"],
                    found["documents"],
                    found["metadatas"],
                    found["embeddings"],
                    strict=True,
                ):
                    columns = json.loads(told["told"])
                    rows.append(Row(int(id_), text, columns, np.asarray(vector, np.float32)))
            except (TypeError, ValueError, KeyError) as error:
                raise self._unavailable(error) from error
        return rows

    def lost(self, holdings: Holdings) -> list[int]:
        """Row numbers that the server does not find by their own vector."""
        found: list[int] = self._asked(lambda: lost(self._passages, holdings))
        return found

    def _asked(self, question: Any) -> Any:
        try:
            with translated():
                return question()
        except IndexFailed as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> LiteratureUnavailable:
        return LiteratureUnavailable(
            f"The library's server cannot be reached or understood ({error})",
            where=self.address.url,
            remedy="Check that `chroma run` runs there, the address and the token"
            " (GLASSVIEW_LIBRARY_TOKEN).",
            retry=True,
        )


def sum_of(marks: Mapping[int, Mapping[str, Any]], generation: int) -> str:
    """One hash over all passages that had come by `generation`: their words and vectors."""
    told = [
        [row, mark["digest"], mark["vector"]]
        for row, mark in sorted(marks.items())
        if mark["added"] <= generation
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def marks_of(holdings: Holdings) -> dict[int, dict[str, Any]]:
    return {item.row: metadata(holdings, index) for index, item in numbered(holdings)}


def _parts(items: Sequence[int]) -> Iterable[Sequence[int]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
