"""Every reply with every judge's grade: rows, from which all figures come.

The offline scorer grades always; judges that were named grade beside it, and the first of them is
the one whose grades the table shows. Knows no figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glassllava.sample import ContextLevel
from training.evaluation import judging, offline
from training.evaluation.controls import CONDITIONS, Condition
from training.evaluation.offline import Grade

if TYPE_CHECKING:
    from training.evaluation.asking import Answered, Said
    from training.evaluation.cases import Case


@dataclass(frozen=True, slots=True)
class Row:
    """What was said of one case under one condition at one level, and the grades it got."""

    case: Case
    condition: Condition
    level: ContextLevel
    said: Said
    grades: Mapping[str, Grade] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.case.id}/{self.condition}/{self.level}"


def rows_of(answered: Sequence[Answered]) -> list[Row]:
    """Every reply, graded offline."""
    return [
        Row(one.case, condition, level, said, {offline.NAME: _offline(one.case, said)})
        for one in answered
        for (condition, level), said in one.said.items()
    ]


def judged(
    rows: Sequence[Row],
    server: judging.Answering,
    told: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """The rows with a judge's grades too; replies of equal words to one question are one call."""
    distinct: dict[tuple[str, str, str], judging.Graded] = {}
    for row in rows:
        distinct.setdefault(
            _words(row),
            judging.Graded(row.label, row.case, row.said.description, row.said.answer),
        )
    grades = dict(zip(distinct, judging.grade(server, list(distinct.values()), told), strict=True))
    return [
        Row(r.case, r.condition, r.level, r.said, {**r.grades, server.model: grades[_words(r)]})
        for r in rows
    ]


def to_be_judged(rows: Sequence[Row]) -> list[judging.Graded]:
    """What a judge would be asked about: for an estimate before the first call."""
    distinct = {_words(row): row for row in rows}
    return [
        judging.Graded(row.label, row.case, row.said.description, row.said.answer)
        for row in distinct.values()
    ]


def by_condition(rows: Sequence[Row]) -> dict[Condition, list[Row]]:
    return {name: [row for row in rows if row.condition == name] for name in CONDITIONS}


def _words(row: Row) -> tuple[str, str, str]:
    return row.case.id, row.said.description, row.said.answer


def _offline(case: Case, said: Said) -> Grade:
    # The raw texts: what the product drops or unmarks for want of support is held against them.
    return offline.grade(
        said.raw_answer,
        said.raw_description,
        question=case.question,
        reference=case.reference,
        present=case.present,
        truth=case.truth,
        prompt=said.prompt,
        passages=said.passages,
    )
