"""What the texts are worth: quality, feature identification, citations, by condition and level.

A grade that a judge did not give is counted and stands in no mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassllava import answers
from training.evaluation import scores, stated
from training.evaluation.cases import Kind
from training.evaluation.grading import Row
from training.evaluation.verdicts import finite


def quality(rows: Sequence[Row], judge: str, kind: Kind | None = None) -> list[float | None] | None:
    """The mean quality, 0 to 100, groups drawn; of one kind of question, or of all."""
    chosen = [row for row in rows if kind is None or row.case.kind == kind]
    return _mean(chosen, [row.grades[judge].quality for row in chosen])


def identification(rows: Sequence[Row], judge: str) -> list[float | None] | None:
    """The mean of the grades 1 to 4, groups drawn."""
    return _mean(rows, [row.grades[judge].features for row in rows])


def ungraded(rows: Sequence[Row], judge: str) -> dict[str, int]:
    """How many replies the judge gave no grade, by the reason it has for that."""
    counts: dict[str, int] = {}
    for row in rows:
        grade = row.grades[judge]
        if grade.quality is None:
            counts[grade.why] = counts.get(grade.why, 0) + 1
    return counts


def quality_gain(
    first: Sequence[Row], second: Sequence[Row], judge: str
) -> list[float | None] | None:
    """How much better the first were graded than the second on the same cases."""
    other = {row.case.id: row.grades[judge].quality for row in second}
    pairs = [
        (row, mine - theirs)
        for row in first
        if (mine := row.grades[judge].quality) is not None
        and (theirs := other.get(row.case.id)) is not None
    ]
    return _mean([row for row, _ in pairs], [difference for _, difference in pairs])


def citations(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Precision and recall of citing; None where no passage was given to any.

    A citation is right where it points to a passage that was in the prompt and that names a
    feature of the sentence citing it (of the whole text, where the sentence names none). Precision
    is the share of right ones among all that were made, invented ones included. Recall is over the
    replies to which some passage was given that names a feature that is there: the share that cites
    such a passage. By words: whether a passage bears the sentence out is not judged.
    """
    given = [row for row in rows if row.said.passages]
    if not given:
        return None
    made = right = invented = could = did = 0
    for row in given:
        passages = row.said.passages
        about = [stated.mentioned(f"{p.title}. {p.text}") for p in passages]
        cited_well: set[int] = set()
        for raw in (row.said.raw_description, row.said.raw_answer):
            checked = answers.check(raw, passages)
            invented += checked.invented
            made += checked.invented
            whole = stated.mentioned(checked.text)
            for sentence in stated.sentences(checked.text):
                for citation in answers.cited_in(sentence, passages):
                    made += 1
                    named = stated.mentioned(sentence) or whole
                    if named & about[citation.number - 1]:
                        right += 1
                        cited_well.add(citation.number - 1)
        there = set(row.case.present or ()) - {"artefact"}
        useful = {i for i, names in enumerate(about) if names & there}
        could += bool(useful)
        did += bool(useful & cited_well)
    return {
        "replies": len(given),
        "made": made,
        "invented": invented,
        "precision": finite(scores.share(right, made)) if made else None,
        "could_cite": could,
        "recall": finite(scores.share(did, could)) if could else None,
    }


def _mean(rows: Sequence[Row], values: Sequence[float | None]) -> list[float | None] | None:
    kept = [
        (row.case.group, float(v)) for row, v in zip(rows, values, strict=True) if v is not None
    ]
    if not kept:
        return None
    groups, numbers = zip(*kept, strict=True)
    return finite(scores.mean(np.array(numbers), np.array(groups)))
