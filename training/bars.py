"""Bars on standard error for what tells how much of all is done; drawn only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(words: str, *, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar that is gone when it is done; gives what is told (done, of all)."""
    from rag.progress import progress_bar

    if not shown:
        yield lambda done, of: None
        return
    with progress_bar(0, words, "it") as drawn:

        def told(done: int, of: int) -> None:
            drawn.total = of
            drawn.update(done - drawn.n)

        yield told
