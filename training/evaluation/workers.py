"""A few processes for what needs no model: paint, measure. Knows no case."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def spread(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, what: str
) -> Iterator[Result]:
    """`work` of every job, in order, with a progress bar; in this process where one is enough."""
    from tqdm import tqdm

    with tqdm(total=len(jobs), desc=what, disable=None) as bar:
        if workers < 2 or len(jobs) < 2:
            for job in jobs:
                yield work(job)
                bar.update()
            return
        # spawn: a forked child would inherit torch's thread pool in an unknown state.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for result in pool.map(work, jobs):
                yield result
                bar.update()
