"""A group's library: on a server, kept by one person, copied by everyone who opens it.

Whoever adds first is the keeper: the manifest in their own data folder is the truth, and every
change of it is written to the server. All others have a copy that follows the server, and answer
from it: a search sends nothing away, gives what it gives anywhere else, and goes on when the
server is gone. See docs/decisions/2026-11-28-library-for-a-group.md.
"""

from __future__ import annotations

import getpass
import logging
import platform
import time
import uuid
from typing import TYPE_CHECKING, Any

from glassllava.errors import LiteratureUnavailable
from rag import checking
from rag.index.server import Server, marks_of, sum_of
from rag.keeping import KeptIndex
from rag.library import Library
from rag.mirror import Copy, lives_of, missing
from rag.ownership import Ownership

if TYPE_CHECKING:
    from pathlib import Path

    from rag.embedding import Embedder
    from rag.passages import Document
    from rag.server import Address

_LOG = logging.getLogger(__name__)
_KEEPER = "keeper"
#: How often a search asks the server whether there is something new.
_EVERY_S = 2.0
#: How long one that does not answer is left alone: each search would wait for it.
_REST_S = 60.0
_TRIES = 5


class GroupLibrary(Library):
    """An open library of a group; `folder` holds this person's copy."""

    def __init__(
        self, folder: Path, embedder: Embedder, address: Address, token: str | None
    ) -> None:
        super().__init__(folder, embedder)
        self._token = token
        self._address = address
        self._server: Server | None = None
        self._next = 0.0
        self._silent = False
        # The copy is searched exactly: it needs no index of its own.
        self._kept = KeptIndex(folder, f"a copy of {address.url}")

    def hold_primer(self) -> None:
        """Follow the server; its primer is the one that its keeper's GlassView brought."""
        try:
            state = self._connected().state()
        except LiteratureUnavailable as error:
            if not self._manifest.documents():
                raise
            self._without_server(error)
            return
        if state is None:
            super().hold_primer()
            _LOG.warning("%s holds no library yet: the primer answers", self._address.url)
            return
        self._follow(state)
        if self._is_kept_here(state):
            super().hold_primer()
            if self.generation != state["generation"]:
                self._push()

    @property
    def place(self) -> str:
        return self._address.url

    def add(
        self, document: Document, progress: Any = None, record: str | None = None
    ) -> tuple[int, int]:
        self._keep()
        return super().add(document, progress, record)

    def describe(self, key: str, record: str | None) -> None:
        self._keep()
        super().describe(key, record)

    def move(self, key: str, new: str, path: str) -> bool:
        self._keep()
        return super().move(key, new, path)

    def remove(self, key: str) -> int:
        self._keep()
        return super().remove(key)

    def purge(self, key: str) -> int:
        self._keep()
        return super().purge(key)

    def settle(self) -> None:
        """Write what has changed to the server.

        Raises
        ------
        LiteratureUnavailable : where it cannot be reached; the next change or opening tries again.
        """
        if self._dirty:
            self._push()

    def take_over(self) -> str:
        """Become the keeper, from the server's last state on; who kept it before."""
        with self._lock:
            state = self._connected().state()
            before = ""
            if state is not None:
                before = str(state.get("keeper_name", ""))
                self._follow(state, anew=True)
            self._manifest.call(_KEEPER, uuid.uuid4().hex)
            self._push(taking=True)
            return before

    def check(self) -> checking.Check:
        """Ask the server for every passage by its own vector; its keeper mends it."""
        with self._lock:
            server, state = self._connected(), self._connected().state()
            keeping = state is not None and self._is_kept_here(state)
            repaired: tuple[str, ...] = ()
            altered: tuple[str, ...] = ()
            if keeping:
                repaired, altered = checking.mend(self._manifest, self._embedder)
            elif state is not None:
                self._follow(state, anew=True)
            holdings = self._refreshed().holdings
            lost = server.lost(holdings) if state is not None else []
            if keeping and lost:
                server.drop(lost)
                self._push()
                repaired = (*repaired, f"{len(lost)} passages were written to the server again")
            elif keeping:
                self._push()
            whole, total = self._manifest.whole(), len(holdings.passages)
            return checking.Check(whole, total, len(lost), False, self.backend, repaired, altered)

    def close(self) -> None:
        try:
            self.settle()
        finally:
            super().close()

    def _refreshed(self) -> Any:
        if time.monotonic() > self._next:
            try:
                state = self._connected().state()
                if state is not None:
                    self._follow(state)
                self._next = time.monotonic() + _EVERY_S
            except LiteratureUnavailable as error:
                self._without_server(error)
                self._next = time.monotonic() + _REST_S
        return super()._refreshed()

    def _connected(self) -> Server:
        if self._server is None:
            self._server = Server(self._address, self._token)
        return self._server

    def _without_server(self, error: LiteratureUnavailable) -> None:
        if not self._silent:
            _LOG.warning("%s; answering from the copy of this machine", error.what)
        self._silent = True

    def _is_kept_here(self, state: dict[str, Any]) -> bool:
        own = self._manifest.name(_KEEPER)
        return own is not None and state.get("keeper") == own

    def _keep(self) -> None:
        """Go on only as the keeper; the first who changes an empty server becomes it."""
        if self._dirty:
            return  # asked when the first of these changes was made; asked again when it is written
        state = self._connected().state()
        if state is None:
            if self._manifest.name(_KEEPER) is None:
                self._manifest.call(_KEEPER, uuid.uuid4().hex)
        elif not self._is_kept_here(state):
            raise self._kept_by(state)
        else:
            self._follow(state)
        self._dirty = True

    def _kept_by(self, state: dict[str, Any]) -> LiteratureUnavailable:
        return LiteratureUnavailable(
            f"This library is kept by {state.get('keeper_name', 'another person')}, who alone"
            " changes it",
            where=self._address.url,
            remedy="Give them the paper, or become the keeper: glassview library keep --library"
            f" {self._address.url}",
        )

    def _follow(self, state: dict[str, Any], *, anew: bool = False) -> None:
        """Bring the copy to the server's state; the keeper's own, if newer, to the server.

        Raises
        ------
        LiteratureUnavailable : where what the server holds is not what its state speaks of.
        """
        with self._lock:
            self._silent = False
            if self._is_kept_here(state) and not anew:
                if self.generation > state["generation"]:
                    self._push()  # an earlier push was cut short
                if self.generation >= state["generation"]:
                    return
            followed = f"{state.get('keeper')} {state.get('sum')}"
            if not anew and self._manifest.name("follows") == followed:
                return
            server = self._connected()
            for attempt in range(_TRIES):
                copied, marks = Copy.of(state), server.marks()
                if sum_of(marks, copied.generation) == state.get("sum"):
                    break
                time.sleep(0.2 * (attempt + 1))  # the keeper may be writing
                state = server.state() or state
            else:
                raise LiteratureUnavailable(
                    "The server has lost passages of its library, or is being written",
                    where=self._address.url,
                    remedy="Try again; else ask its keeper to run `glassview library check`.",
                    retry=True,
                )
            if state.get("embedder") != self._embedder.fingerprint:
                raise LiteratureUnavailable(
                    "The server's passages were embedded by another GlassView",
                    where=self._address.url,
                    remedy="Use the version of GlassView that its keeper uses.",
                )
            lives = lives_of(marks, copied.generation)
            own = {} if anew else marks_of(self._manifest.holdings())
            rows = server.rows(missing(own, marks, lives))
            self._manifest.become(copied, lives, rows)
            self._manifest.call("follows", f"{state.get('keeper')} {state.get('sum')}")
            self._loaded = None

    def _push(self, *, taking: bool = False) -> None:
        """Write the manifest to the server, its state last; one process of this person at a time.

        Raises
        ------
        LiteratureUnavailable : where another has become the keeper, or the server is not there.
        """
        with self._lock:
            turn = Ownership(self.folder / "push.lock")
            for _ in range(600):
                if turn.take():
                    break
                time.sleep(0.1)
            try:
                self._write(taking=taking)
            finally:
                turn.release()
            self._dirty = False

    def _write(self, *, taking: bool) -> None:
        server = self._connected()
        copied, told, holdings = self._manifest.copy()
        state = server.state()
        if state is not None and not taking and not self._is_kept_here(state):
            raise self._kept_by(state)
        server.put(holdings, told)
        marks = marks_of(holdings)
        server.put_state(
            {
                "schema": 1,
                "keeper": self._manifest.name(_KEEPER),
                "keeper_name": _who(),
                "embedder": self._embedder.fingerprint,
                "generation": copied.generation,
                "sum": sum_of(marks, copied.generation),
                "documents": list(copied.documents),
                "purges": list(copied.purges),
            }
        )


def _who() -> str:
    try:
        return f"{getpass.getuser()} on {platform.node()}"
    except (KeyError, OSError):  # a user without a name
        return f"someone on {platform.node()}"
