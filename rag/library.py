"""The library of a person: opened, searched, kept in step, checked, closed.

Ties the manifest (the truth), the index (a cache that one process owns) and the embedder together.
The index proposes candidates where a library is large (`retrieval.EXACT_UP_TO`). A smaller one is
searched exactly over the manifest's vectors, and so is a large one whose index another process
holds or is at work on, or that failed: the answers are the same, and no small library waits for it.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput, LiteratureUnavailable
from rag import checking, passages, retrieval
from rag import figures as published
from rag.keeping import KeptIndex
from rag.manifest import DocumentRow, Manifest
from rag.pinned import PinnedLibrary
from rag.printed import short
from rag.subjects import strangeness

if TYPE_CHECKING:
    from collections.abc import Callable

    from glassllava.literature import Passage
    from rag.embedding import Embedder
    from rag.figures import Alike, Eye
    from rag.holdings import Holdings
    from rag.plates import StoredFigure
    from rag.query import Where

_LOG = logging.getLogger(__name__)
_LONGEST_QUERY = 4000


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a search needs of one generation."""

    holdings: Holdings
    lexicon: retrieval.Lexicon
    by_row: dict[int, int]

    @classmethod
    def of(cls, holdings: Holdings) -> _Loaded:
        lexicon = retrieval.Lexicon.of([item.entry for item in holdings.passages])
        by_row = {item.row: index for index, item in enumerate(holdings.passages)}
        return cls(holdings, lexicon, by_row)


class Library:
    """An open library; searches may come from any thread."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self._embedder = embedder
        self._lock = threading.RLock()
        self._manifest = Manifest(folder)
        readonly = self._manifest.readonly
        self._kept = KeptIndex(folder, f"read-only: {readonly}" if readonly else "")
        self._loaded: _Loaded | None = None
        self._dirty = False  # changed, and not settled
        self._only_hidden = False  # what changed last was a removal

    @property
    def generation(self) -> int:
        return self._manifest.generation

    def search(self, query: str, limit: int, *, where: Where | None = None) -> tuple[Passage, ...]:
        """The passages nearest to `query` in what the library holds now, best first.

        `where` leaves out passages of other materials, processes or years. Empty when nothing
        reaches the floor: no evidence is an answer.
        """
        return self.search_at(query, limit, None, where=where)

    def search_at(
        self, query: str, limit: int, generation: int | None, *, where: Where | None = None
    ) -> tuple[Passage, ...]:
        """The same in the library as it was at `generation`; None is now."""
        query = " ".join(_encodable(query).split())
        if limit < 1 or not query:
            return ()
        if len(query) > _LONGEST_QUERY:
            raise BadInput(
                f"The question is longer than {_LONGEST_QUERY} characters",
                remedy="Ask in a few sentences; a longer text can be added as a document.",
            )
        vector = self._embedder.query(query)
        with self._lock:
            loaded = self._refreshed()
            at = loaded.holdings.generation if generation is None else generation
            count = max(retrieval.LEAST_CANDIDATES, limit * retrieval.OVERSAMPLING)
            alive = loaded.holdings.alive(at)
            candidates = self._candidates(loaded, vector, count, at)
        allowed = None
        if where is not None:
            allowed = alive & where.mask([item.entry for item in loaded.holdings.passages])
            near = retrieval.exact(vector, loaded.holdings.vectors, allowed, count)
            candidates += [int(index) for index in near]
        found = retrieval.rank(
            query,
            vector,
            candidates,
            loaded.holdings,
            loaded.lexicon,
            alive,
            limit,
            allowed,
            strangeness=strangeness(self._embedder, vector),
        )
        entries = loaded.holdings.passages
        return tuple(
            dataclasses.replace(entries[index].entry.passage, score=round(score, 4))
            for index, score in found
        )

    def pinned(self, generation: int) -> PinnedLibrary:
        """A literature that goes on answering as the library was at `generation`.

        Raises
        ------
        LiteratureUnavailable : for a generation that this library has not reached.
        """
        if not 0 <= generation <= self.generation:
            raise LiteratureUnavailable(
                f"The library is at generation {self.generation}, not yet {generation}",
                where=self.folder,
                remedy="Use the library that the run was started with.",
            )
        return PinnedLibrary(self, generation)

    def get(self, passage_id: str) -> passages.Entry:
        """One passage that is in the library now, with its topics.

        Raises
        ------
        BadInput : for an id that is not there.
        """
        if found := self._manifest.passage(_encodable(passage_id)):
            return found[1].entry
        raise BadInput(
            f"No passage has the id '{short(passage_id)}'",
            where=self.folder,
            remedy="`glassview library search` shows ids, such as primer:12.",
        )

    def add(
        self, document: passages.Document, progress: Any = None, record: str | None = None
    ) -> tuple[int, int]:
        """Hold exactly this version of a document; (added, removed) passages, (0, 0) if it was.

        `record` is what a bibliography says of it, as JSON.
        """
        if self._manifest.made_of(document.key) == document.made:
            return 0, 0

        def encode(texts: list[str]) -> np.ndarray:
            return self._embedder.encode(texts, progress)

        self._only_hidden = False
        return self._manifest.replace(document, encode, self._embedder.fingerprint, record)

    def describe(self, key: str, record: str | None) -> None:
        """Keep what a bibliography says of a document where nothing that is cited changes."""
        self._manifest.describe(key, record)

    def move(self, key: str, new: str, path: str) -> bool:
        """The document's file lies elsewhere now; False if another stands under the new key."""
        return self._manifest.move(key, new, path)

    def held_as(self, sha256: str) -> str | None:
        """The key of the document that was read from a file of these bytes; None if none was."""
        return self._manifest.held_as(sha256)

    def remove(self, key: str) -> int:
        """Hide a document from now on; pinned searches still find it. The number of passages."""
        self._only_hidden = True
        return self._manifest.remove(key)

    def purge(self, key: str) -> int:
        """Erase a document, for pinned searches too; how many passages, of all its versions.

        Its words leave the index too: at once, or with the next search of the process that owns it.
        """
        self._only_hidden = True
        count = self._manifest.purge(key)
        if not self._kept.erase():
            _LOG.warning("what was erased leaves the index with the next search of its owner")
        return count

    def purged_at(self, generation: int) -> int:
        """How many passages a search pinned at `generation` may have lost to purges."""
        return self._manifest.purged_at(generation)

    def keys_like(self, words: str, *, removed: bool = False) -> list[str]:
        """Keys of the documents that a key, path, title, DOI or passage id names."""
        words = _encodable(words)
        try:
            path = str(Path(words).expanduser().resolve())
        except (OSError, RuntimeError, ValueError):  # no such person, a loop of links, a null
            path = words
        return self._manifest.keys_like(words, path, removed=removed)

    def reading(self, key: str) -> tuple[Passage, ...]:
        """A document's passages in the order in which they are read."""
        return tuple(item.entry.passage for item in self._manifest.passages_of(key))

    def key_of(self, passage_id: str) -> str | None:
        """The key of the document that holds this passage now."""
        found = self._manifest.passage(_encodable(passage_id))
        return found[0] if found else None

    def figures(self) -> tuple[StoredFigure, ...]:
        """The figures of the documents that the library holds now."""
        return tuple(item for item in self._manifest.figures() if item.removed is None)

    def look_at_figures(
        self, eye: Eye, progress: Callable[[int], None] | None = None
    ) -> tuple[int, int]:
        """Look at every figure that this eye has not seen; (looked at, not decodable)."""
        return published.look_at_new(self._manifest, eye, progress)

    def like(self, eye: Eye, picture: np.ndarray, limit: int) -> tuple[Alike, ...]:
        """The figures most like a grey picture (H, W), best first, among those looked at."""
        return published.alike(self._manifest, eye, picture, limit)

    def picture(self, sha256: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of a figure's picture."""
        return self._manifest.picture(sha256)

    @property
    def place(self) -> str:
        """Where a person says this library is."""
        return str(self.folder)

    @property
    def readonly(self) -> str:
        """Why nothing can be added; empty where something can."""
        return self._manifest.readonly

    def documents(self) -> list[DocumentRow]:
        return self._manifest.documents()

    def statistics(self) -> dict[str, Any]:
        """Counts, generation, embedder and what answers searches, for people and records."""
        rows = self.documents()
        return {
            "folder": str(self.folder),
            "generation": self.generation,
            "documents": len(rows),
            "passages": sum(row.passages for row in rows),
            "with_checked_sources": sum(row.with_sources for row in rows),
            "embedder": self._embedder.fingerprint,
            "backend": self.backend,
        }

    @property
    def backend(self) -> str:
        """Whether the index is open: "chroma", or else "exact" with the reason."""
        return self._kept.backend

    def check(self) -> checking.Check:
        """Ask every passage for its own vector and its own words, and mend what can be mended."""
        with self._lock:
            repaired, altered = checking.mend(self._manifest, self._embedder)
            whole = self._manifest.whole()
            holdings = self._refreshed().holdings
            lost, rebuilt, mended = self._kept.check(holdings)
            if mended:
                repaired = (*repaired, "the index was built anew")
            total = len(holdings.passages)
            remedy = ""
            if self._kept.failed:
                index = self.folder / "index"
                remedy = (
                    f"Searches are exact meanwhile. Free some space, or move {index} away, and"
                    " check again: the index is made anew from the manifest."
                )
            return checking.Check(
                whole, total, lost, rebuilt, self.backend, repaired, altered, remedy
            )

    def settle(self) -> None:
        """Have what was added reach everyone, and the index; others search meanwhile.

        What was hidden or erased is so at once, and makes nobody wait for an index that is closed.
        """
        if self._only_hidden and not self._kept.is_open:
            return
        with self._lock:
            holdings = self._refreshed().holdings
        self._kept.bring_up(holdings)

    def close(self) -> None:
        with self._lock:
            self._kept.close()
            self._manifest.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hold_primer(self) -> None:
        """Bring the bundled primer to its current version; embeds only what is new.

        Raises
        ------
        LiteratureUnavailable : where it cannot be kept, and nothing else is held; where the disk is
            full; where a read-only library was embedded by another GlassView.
        """
        document = passages.primer()
        if self.readonly:
            if stale := self._manifest.stale(self._embedder.fingerprint):
                raise LiteratureUnavailable(
                    f"{stale} passages were embedded by another GlassView, and cannot be embedded"
                    f" anew ({self.readonly})",
                    where=self.folder,
                    remedy="Open the library once where it can be written, or copy its folder.",
                )
            held = self._manifest.digest_of(document.key)
            if held is None and not self.documents():
                # An empty answer would be taken for one: "no evidence".
                raise LiteratureUnavailable(
                    f"The library is empty: not even the primer could be kept ({self.readonly})",
                    where=self.folder,
                    remedy="Free some space on its disk, make its folder writable, or name another"
                    " folder (--library FOLDER, or GLASSVIEW_DATA_DIR).",
                )
            if held is None:
                _LOG.warning("this library has no primer, and takes none (%s)", self.readonly)
            elif held != document.sha256:
                _LOG.info("this library keeps another version of the primer: it is read-only")
            return
        if self._manifest.digest_of(document.key) != document.sha256:
            from rag.progress import progress_bar

            with progress_bar(len(document.entries), "primer") as bar:
                Library.add(self, document, bar.update)  # no change that a group need be told
        self._manifest.refit(self._embedder.encode, self._embedder.fingerprint)

    def _refreshed(self) -> _Loaded:
        """The manifest as it is now."""
        before = self._loaded
        if before is None or before.holdings.generation != self._manifest.generation:
            self._loaded = _Loaded.of(self._manifest.holdings())
            if before is not None and not before.by_row.keys() <= self._loaded.by_row.keys():
                self._kept.forget()  # something was erased
            return self._loaded
        return before

    def _candidates(
        self, loaded: _Loaded, vector: np.ndarray, count: int, generation: int
    ) -> list[int]:
        alive = loaded.holdings.alive(generation)
        # The exact search is the faster one here (measured: benchmarks/query_latency.py), and a
        # search that filters on generations costs Chroma more than the exact one costs.
        if len(alive) > retrieval.EXACT_UP_TO and alive.all():
            rows = self._kept.nearest(vector, count, loaded.holdings)
            if rows is not None and loaded.by_row.keys() >= set(rows):
                return [loaded.by_row[row] for row in rows]
        best = retrieval.exact(vector, loaded.holdings.vectors, alive, count)
        return [int(index) for index in best]


def _encodable(words: str) -> str:
    """The words, if they are text: bytes that were no UTF-8 reach Python as half characters."""
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            f"'{short(words.encode(errors='replace').decode())}' is not text in UTF-8",
            remedy="Write it in UTF-8; a file whose name is none can be renamed.",
        ) from error
    return words
