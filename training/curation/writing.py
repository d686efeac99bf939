"""Questions and answers about every figure of a work folder, written by one server; resumable.

    plan = plan_writing(work, server)      what would be asked, of whom, for how much
    write_pairs(plan, server)              asks it

A figure whose picture, words, prompts, host and model are those of its last writing is done and
costs nothing. Knows figures, prompts and the ledger; how a server is asked is `training.served`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassllava.errors import BadInput
from training.curation import prompts
from training.curation.asking import ask_about
from training.curation.figure import Figure, read_figures
from training.curation.ledger import PairLedger
from training.curation.replies import read_pairs
from training.served import Estimate, LimitReached, Said, Server

ANSWERS = "answers"  # folder of what the server said, within the work folder
_AT_ONCE = 32  # pictures in memory


@dataclass(frozen=True, slots=True)
class Plan:
    """What a writing will ask, before it asks anything.

    `left_out` counts figures that are not asked about, by reason; `unfit` are those whose picture
    or words cannot be used, with the reason.
    """

    work: Path
    todo: tuple[Figure, ...]
    done: int
    left_out: Counter[str]
    unfit: tuple[tuple[str, str], ...]
    estimate: Estimate
    host: str
    model: str

    @property
    def papers(self) -> int:
        return len({figure.paper for figure in self.todo})


@dataclass(frozen=True, slots=True)
class Wrote:
    """What a writing gave. `failed` are figures with the reason; `left` were not asked any more."""

    figures: int
    pairs: int
    drops: Counter[str]
    failed: tuple[tuple[str, str], ...]
    left: int


def plan_writing(work: Path, server: Server, *, with_unsure: bool = False) -> Plan:
    """Which figures are to be asked about, and what that would take; sends nothing.

    Raises
    ------
    BadInput : where there are no figures to ask about.
    """
    figures = read_figures(work)
    left_out: Counter[str] = Counter()
    chosen = []
    for figure in figures:
        if figure.duplicate_of:
            left_out["a duplicate of another figure"] += 1
        elif figure.kind == "other":
            left_out["not an SEM micrograph"] += 1
        elif figure.kind == "unsure" and not with_unsure:
            left_out["not surely an SEM micrograph (--unsure takes these too)"] += 1
        else:
            chosen.append(figure)
    if not chosen:
        told = "; ".join(f"{count} {why}" for why, count in left_out.items())
        raise BadInput(f"There is no figure to ask about: {told or 'none at all'}", where=work)
    with PairLedger(work, create=True) as ledger:
        asked = ledger.done()
    new = [figure for figure in chosen if asked.get(figure.id) != asked_of(figure, server)]
    todo, unfit, total = [], [], Estimate(0, 0, 0, 0, 0.0 if server.purse.price else None)
    for part in _parts(new):
        asks = []
        for figure in part:
            try:
                asks.append(ask_about(figure, work))
                todo.append(figure)
            except BadInput as error:
                unfit.append((figure.id, str(error)))
        total = _sum(total, server.estimate(asks))
    return Plan(
        work=work,
        todo=tuple(todo),
        done=len(chosen) - len(new),
        left_out=left_out,
        unfit=tuple(unfit),
        estimate=total,
        host=server.host,
        model=server.model,
    )


def write_pairs(
    plan: Plan, server: Server, told: Callable[[int, int], None] | None = None
) -> Wrote:
    """Ask about every figure of `plan` and put each reply down as it comes.

    A figure that fails is listed and the rest goes on; where the limit is reached the rest is left.

    Raises
    ------
    ModelUnavailable : where the server refuses every question alike.
    RunUnavailable : where nothing can be written down.
    """
    done = pairs = left = 0
    drops: Counter[str] = Counter()
    failed: list[tuple[str, str]] = []
    with PairLedger(plan.work, create=True) as ledger:
        old_failures = ledger.failures()
        for part in _parts(plan.todo):
            before = done + len(failed) + left
            asks, figures = [], []
            for figure in part:
                try:
                    asks.append(ask_about(figure, plan.work))
                    figures.append(figure)
                except BadInput as error:
                    failed.append((figure.id, str(error)))

            def progress(count: int, _: int, before: int = before) -> None:
                if told:
                    told(before + count, len(plan.todo))

            for figure, said in zip(figures, server.ask(asks, progress), strict=True):
                asked = asked_of(figure, server)
                if isinstance(said, Said):
                    read = read_pairs(said.text, figure)
                    ledger.write(
                        *(figure.id, asked),
                        host=server.host,
                        model=said.model,
                        pairs=read.pairs,
                        drops=read.drops,
                        sample=read.sample,
                    )
                    done, pairs = done + 1, pairs + len(read.pairs)
                    drops.update(drop.reason for drop in read.drops)
                elif isinstance(said, LimitReached):
                    left += 1
                else:
                    failed.append((figure.id, str(said)))
                    if not said.retry and old_failures.get(figure.id) != said.what:
                        ledger.write(
                            *(figure.id, asked),
                            host=server.host,
                            model=server.model,
                            failed=said.what,
                        )
    return Wrote(done, pairs, drops, tuple(failed), left)


def asked_of(figure: Figure, server: Server) -> str:
    """All that decides what is written about a figure, as a hash."""
    told = [
        *(figure.sha256, figure.title, figure.caption, list(figure.context)),
        dict(figure.sample),
        *(prompts.PROMPTS_SHA256, server.host, server.model),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _parts(figures: Sequence[Figure]) -> list[Sequence[Figure]]:
    return [figures[at : at + _AT_ONCE] for at in range(0, len(figures), _AT_ONCE)]


def _sum(one: Estimate, other: Estimate) -> Estimate:
    cost = None if one.cost is None or other.cost is None else one.cost + other.cost
    return Estimate(
        one.calls + other.calls,
        one.cached + other.cached,
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        cost,
    )
