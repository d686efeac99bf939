"""All figures of one evaluation, as one JSON document. Knows no layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassllava.sample import LEVELS, ContextLevel
from training.evaluation import probing, rubric, stability, texts, verdicts
from training.evaluation.asking import Answered
from training.evaluation.controls import CONDITIONS, Condition
from training.evaluation.grading import Row, by_condition

SCHEMA = 1
_AGAINST: tuple[Condition, ...] = ("blank", "text_only", "shuffled")


def figures(
    answered: Sequence[Answered],
    rows: Sequence[Row],
    judge: str,
    baselines: Mapping[tuple[str, ContextLevel], Mapping[str, bool]],
) -> dict[str, Any]:
    """Everything that is computed from the rows; `judge` gives the grades of the paper's table."""
    levels = [level for level in LEVELS if any(row.level == level for row in rows)]
    of = {
        condition: {level: verdicts.at(chosen, level) for level in levels}
        for condition, chosen in by_condition(rows).items()
        if chosen
    }
    full = of["full"]
    verdict = {
        condition: {level: verdicts.figures(chosen) for level, chosen in by_level.items()}
        for condition, by_level in of.items()
    }
    return {
        "levels": levels,
        "conditions": [condition for condition in CONDITIONS if condition in of],
        "definitions": {
            "levels": {level: rubric.LEVEL_MEANINGS[level] for level in levels},
            "quality": rubric.QUALITY,
            "features": rubric.FEATURES,
            "offline": rubric.OFFLINE,
            "ours": "The paper publishes neither its rubric nor its levels: these are ours.",
        },
        "paper": {
            condition: {
                "quality_simple": _each(by_level, lambda c: texts.quality(c, judge, "simple")),
                "quality_complex": _each(by_level, lambda c: texts.quality(c, judge, "complex")),
                "context_assessment": _each(by_level, lambda c: texts.quality(c, judge)),
                "feature_identification": _each(by_level, lambda c: texts.identification(c, judge)),
                "defect_detection": {
                    level: verdict[condition][level]["accuracy"] for level in levels
                },
            }
            for condition, by_level in of.items()
        },
        "verdicts": verdict,
        "over": _over(of, baselines, levels),
        "gains_from_context": _gains(of, levels, judge),
        "probes": {
            condition: {level: probing.figures(chosen) for level, chosen in by_level.items()}
            for condition, by_level in of.items()
        },
        "citations": _each(full, texts.citations),
        "stability": stability.figures(answered),
    }


def _each(by_level: Mapping[ContextLevel, list[Row]], figure: Any) -> dict[ContextLevel, Any]:
    return {level: figure(chosen) for level, chosen in by_level.items()}


def _over(
    of: Mapping[Condition, Mapping[ContextLevel, list[Row]]],
    baselines: Mapping[tuple[str, ContextLevel], Mapping[str, bool]],
    levels: Sequence[ContextLevel],
) -> dict[str, Any]:
    """How much more often the full answers are right than each control and each baseline."""
    out: dict[str, Any] = {
        control: {level: verdicts.gain(of["full"][level], of[control][level]) for level in levels}
        for control in _AGAINST
        if control in of
    }
    for (name, level), right in baselines.items():
        if level in levels:
            out.setdefault(name, {})[level] = verdicts.over(of["full"][level], right)
    return out


def _gains(
    of: Mapping[Condition, Mapping[ContextLevel, list[Row]]],
    levels: Sequence[ContextLevel],
    judge: str,
) -> dict[str, Any]:
    """Each level against "none" on the same cases: verdict and quality, by condition.

    `text_only` is what of the gain the text gives without a picture; `without_expected` what is
    left where nobody says what is intended. Empty where no case is asked at two levels.
    """
    if "none" not in levels:
        return {}
    wanted: tuple[Condition, ...] = ("full", "without_expected", "text_only", "blank", "shuffled")
    out: dict[str, Any] = {}
    for condition in wanted:
        if condition not in of:
            continue
        first = of[condition]["none"]
        out[condition] = {
            level: {
                "verdict": verdicts.gain(of[condition][level], first),
                "quality": texts.quality_gain(of[condition][level], first, judge),
            }
            for level in levels
            if level != "none"
        }
    changed = [row for row in of["full"][levels[-1]] if row.case.sample.expected]
    out["cases_with_expected"] = len({row.case.id for row in changed})
    return out
