"""The library of a person: opened, searched, kept in step, checked, closed.

Ties the manifest (the truth), the index (a cache that one process owns) and the embedder together.
Without the index (another process holds it, or Chroma failed) every answer comes from an exact
search over the manifest's vectors, and is the same.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput, LiteratureUnavailable
from rag import passages, retrieval
from rag.embedding import Embedder, shared_embedder
from rag.index import Index, IndexFailed
from rag.manifest import DocumentRow, Holdings, Manifest
from rag.ownership import Ownership

if TYPE_CHECKING:
    from glassllava.literature import Passage
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


@dataclass(frozen=True, slots=True)
class Check:
    """What `check` found and did: passages asked, lost by the index, and whether it was mended."""

    manifest_whole: bool
    asked: int
    lost: int
    rebuilt: bool
    backend: str


class PinnedLibrary:
    """The library as it was at one generation."""

    def __init__(self, library: Library, generation: int) -> None:
        self._library = library
        self.generation = generation

    def search(self, query: str, limit: int, *, where: Where | None = None) -> tuple[Passage, ...]:
        return self._library.search_at(query, limit, self.generation, where=where)


class Library:
    """An open library; searches may come from any thread."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self._embedder = embedder
        self._lock = threading.RLock()
        self._manifest = Manifest(folder)
        self._ownership = Ownership(folder / "owner.lock")
        self._index: Index | None = None
        self._index_tried = False
        self._why_exact = ""
        self._loaded: _Loaded | None = None

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
        query = " ".join(query.split())
        if limit < 1 or not query:
            return ()
        if len(query) > _LONGEST_QUERY:
            raise BadInput(f"The question is longer than {_LONGEST_QUERY} characters")
        vector = self._embedder.query(query)
        with self._lock:
            loaded = self._refreshed()
            at = loaded.holdings.generation if generation is None else generation
            count = max(retrieval.LEAST_CANDIDATES, limit * retrieval.OVERSAMPLING)
            alive = loaded.holdings.alive(at)
            if where is None:
                candidates = self._candidates(loaded, vector, count, at)
            else:
                alive &= where.mask([item.entry for item in loaded.holdings.passages])
                nearest = retrieval.exact(vector, loaded.holdings.vectors, alive, count)
                candidates = [int(index) for index in nearest]
        found = retrieval.rank(
            query, vector, candidates, loaded.holdings, loaded.lexicon, alive, limit
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
        with self._lock:
            for item in self._refreshed().holdings.passages:
                if item.entry.passage.id == passage_id and item.removed is None:
                    return item.entry
        raise BadInput(
            f"No passage has the id '{passage_id}'",
            where=self.folder,
            remedy="`glassview library search` shows ids, such as primer:12.",
        )

    def add(self, document: passages.Document, progress: Any = None) -> tuple[int, int]:
        """Hold exactly this version of a document; (added, removed) passages, (0, 0) if it was."""
        if self._manifest.made_of(document.key) == document.made:
            return 0, 0

        def encode(texts: list[str]) -> np.ndarray:
            return self._embedder.encode(texts, progress)

        return self._manifest.replace(document, encode, self._embedder.fingerprint)

    def remove(self, key: str) -> int:
        """Hide a document from now on; pinned searches still find it. The number of passages."""
        return self._manifest.remove(key)

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
        """What proposes candidates: "chroma", or "exact" with the reason."""
        if self._index is not None:
            return "chroma"
        return f"exact ({self._why_exact})" if self._index_tried else "not opened yet"

    def check(self) -> Check:
        """Ask every passage for its own vector, and rebuild the index if one is lost."""
        with self._lock:
            whole = self._manifest.whole()
            holdings = self._refreshed().holdings
            total = len(holdings.passages)
            lost, rebuilt = 0, False
            if self._index is not None:
                try:
                    lost = len(self._index.lost(holdings))
                    if lost:
                        self._index.rebuild(holdings)
                except IndexFailed as error:
                    self._give_up(error)
                rebuilt = self._index is not None and self._index.rebuilt
            return Check(whole, total, lost, rebuilt, self.backend)

    def close(self) -> None:
        with self._lock:
            if self._index is not None:
                try:
                    self._index.close()
                except IndexFailed as error:
                    _LOG.warning("the index did not close cleanly: %s", error)
                self._index = None
            self._ownership.release()
            self._manifest.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hold_primer(self) -> None:
        """Bring the bundled primer to its current version; embeds only what is new."""
        document = passages.primer()
        if self._manifest.digest_of(document.key) != document.sha256:
            with progress_bar(len(document.entries), "primer") as bar:
                self.add(document, bar.update)
        self._manifest.refit(self._embedder.encode, self._embedder.fingerprint)

    def _refreshed(self) -> _Loaded:
        """The manifest as it is now, and the index in step with it."""
        if self._loaded is None or self._loaded.holdings.generation != self._manifest.generation:
            self._loaded = _Loaded.of(self._manifest.holdings())
            if self._index is not None:
                try:
                    self._index.sync(self._loaded.holdings)
                except IndexFailed as error:
                    self._give_up(error)
        if not self._index_tried:
            self._index_tried = True
            self._open_index(self._loaded.holdings)
        return self._loaded

    def _open_index(self, holdings: Holdings) -> None:
        if not self._ownership.take():
            self._why_exact = "another process owns the index"
            return
        index = Index(self.folder / "index")
        try:
            index.open(holdings)
        except IndexFailed as error:
            self._give_up(error)
        else:
            self._index = index

    def _give_up(self, error: IndexFailed) -> None:
        _LOG.warning("searching without the index: %s", error)
        self._index = None
        self._why_exact = f"the index failed: {error}"

    def _candidates(
        self, loaded: _Loaded, vector: np.ndarray, count: int, generation: int
    ) -> list[int]:
        alive = loaded.holdings.alive(generation)
        if self._index is not None:
            try:
                at = None if alive.all() else generation
                rows = self._index.nearest(vector, count, at)
                return [loaded.by_row[row] for row in rows]
            except (IndexFailed, KeyError) as error:
                self._give_up(IndexFailed(str(error)))
        best = retrieval.exact(vector, loaded.holdings.vectors, alive, count)
        return [int(index) for index in best]


def open_library(folder: Path | None = None) -> Library:
    """The library in `folder` (default: the person's data folder), the primer in it and current.

    Raises
    ------
    LiteratureUnavailable : where the folder cannot be made, read or written, or is damaged.
    MissingPart : where the embedder is not installed.
    """
    if folder is None:
        from glassllava.settings import user_data_dir

        folder = user_data_dir() / "library"
        _make(folder, parents=True)
    else:
        folder = Path(folder).expanduser().resolve()
        _make(folder, parents=False)
    library = Library(folder, shared_embedder())
    try:
        library.hold_primer()
    except BaseException:
        library.close()
        raise
    return library


def _make(folder: Path, *, parents: bool) -> None:
    try:
        folder.mkdir(parents=parents, exist_ok=True)
        # Not os.access, which answers for the wrong user and not for read-only disks.
        probe = folder / "owner.lock"
        with probe.open("ab"):
            pass
    except FileExistsError as error:
        raise LiteratureUnavailable(
            "This is a file, not the folder of a library",
            where=folder,
            remedy="Name a folder with --library.",
        ) from error
    except OSError as error:
        raise LiteratureUnavailable(
            f"The library's folder cannot be used ({error.strerror})",
            where=folder,
            remedy="Name a folder that exists, or whose parent does, and that you may write"
            " (--library FOLDER, or GLASSVIEW_DATA_DIR).",
        ) from error


def progress_bar(total: int, name: str) -> Any:
    """A bar on standard error, drawn only where that is a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=name, unit="passage", file=sys.stderr, disable=None, leave=False)
