"""Whether batching changes answers: the same enquiries asked eight together and one by one.

LLaVA-1.5 flips yes and no near the threshold with the batch size (LLaVA#1928). What is near it is
named, so that a person looks twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.evaluation import scores
from training.evaluation.asking import Answered
from training.evaluation.controls import TOGETHER, deepest
from training.evaluation.verdicts import NEAR, finite


def figures(answered: Sequence[Answered]) -> dict[str, Any]:
    """Flips, the largest difference, and the cases near one half, at each case's deepest level."""
    pairs = [
        (one, one.said["full", deepest(one.case.levels)], one.alone)
        for one in answered
        if one.alone is not None
    ]
    out: dict[str, Any] = {"batch": TOGETHER, "cases": len(pairs)}
    if not pairs:
        return out | {"why_not": "a server batches as it likes: its batches are not ours to set"}
    texts = sum(
        (together.raw_description, together.raw_answer) != (alone.raw_description, alone.raw_answer)
        for _, together, alone in pairs
    )
    decisions = sum(together.decision != alone.decision for _, together, alone in pairs)
    out |= {
        "texts_differ": finite(scores.share(texts, len(pairs))),
        "decisions_flip": finite(scores.share(decisions, len(pairs))),
    }
    told = [
        (one.case.id, together.probability, alone.probability)
        for one, together, alone in pairs
        if together.probability is not None and alone.probability is not None
    ]
    if not told:
        return out | {"verdicts_flip": None}
    largest = max(abs(p - q) for _, p, q in told)
    band = max(NEAR, 2 * largest)
    flips = [id_ for id_, p, q in told if (p >= 0.5) != (q >= 0.5)]
    return out | {
        "verdicts_flip": finite(scores.share(len(flips), len(told))),
        "flipped": flips,
        "largest_difference": largest,
        "near_band": band,
        "near": [id_ for id_, p, _ in told if abs(p - 0.5) <= band],
    }
