"""The pointing of one model on held-out synthetic micrographs, as one JSON document."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from glassllava.model.pointing import PLACELESS
from training.embedded.dataset import Look
from training.evaluation.pointing import findings, hiding, sheet
from training.evaluation.pointing.painted import Painted, painted, places_on
from training.evaluation.pointing.places import judge_places

if TYPE_CHECKING:
    from glassllava.model.llava import LlavaBackend

_SHEET, _MOST_ALIKE = 12, 2  # panels, and those of one feature
#: Pixels of the square a cell of a tower's map takes; the tolerance of every other map too.
_STRIDE = 16


def evaluate_pointing(
    model: LlavaBackend,
    count: int,
    folder: Path,
    *,
    told: int = 60,
    hidden: int = 0,
    look: Look = "wide",
    workers: int = 1,
) -> dict[str, Any]:
    """Pictures, and the sheet, are written into `folder`.

    Parameters
    ----------
    count : micrographs of the test split.
    told : of so many the product's findings are judged too (about two seconds each).
    hidden : of so many the occlusion maps (half a minute each).

    Raises
    ------
    BadInput : for a tower without maps, where no occlusion is wanted.
    """
    if not model.can_point and not hidden:
        raise BadInput(
            "The vision tower of this model does not say where",
            where=model.identity.reference,
            remedy="Ask for occlusion maps instead (--occlusion N).",
        )
    places, said, covered = [], [], []
    shown: list[tuple[Painted, str]] = []
    count = count if model.can_point else min(count, hidden)
    for number, one in enumerate(painted(count, folder, look=look, workers=workers)):
        if model.can_point:
            places += places_on(model, one)
        if model.can_point and number < told:
            said += findings.tell(model, one, _cells(model))
        if number < hidden:
            covered += hiding.hide(model, one, _cells(model))
        if model.can_point and len(shown) < _SHEET:
            # The features that the fewest panels show so far, so that most are seen.
            seen = Counter(parent for _, parent in shown)
            own = sorted((p for p in one.packed if p not in PLACELESS), key=lambda p: seen[p])
            shown += [(one, parent) for parent in own[:1] if seen[parent] < _MOST_ALIKE]
    result: dict[str, Any] = {
        "schema": 1,
        "model": model.identity.reference,
        "sha256": model.identity.sha256,
        "micrographs": count,
        "look": look,
        "cells": _cells(model),
        "thresholds": model.pointing,
        "tower": judge_places(places) if places else None,
        "findings": findings.figures(said) if said else None,
        "occlusion": hiding.figures(covered) if covered else None,
    }
    if shown:
        sheet.draw(model, shown, folder / "pointing.png")
    return result


def _cells(model: LlavaBackend) -> int:
    return model.side // _STRIDE


def as_markdown(result: dict[str, Any]) -> str:
    """The figures as a page."""
    lines = [
        f"# Pointing: {result['model']}",
        "",
        f"{result['micrographs']} {result['look']} synthetic micrographs of the test split; the "
        f"tolerance is a cell of {result['cells']} along the longer side. Brackets: 95 % intervals "
        "(bootstrap over micrographs). Features that cover half of the specimen are no game and "
        "counted apart (wide).",
        "",
    ]
    if result["tower"]:
        lines += ["## The tower's map", "", *_table(result["tower"])]
    if told := result["findings"]:
        px, on = told["overlap_px"], told["on_feature"]
        lines += [
            "## Findings of the product, context none",
            "",
            f"{told['findings']} findings, {told['true']} of them true; hit of all, those of what "
            f"is not there counted as misses: {_words(told['hit_of_all'])}.",
            "",
            *_table(told["places"]),
            f"Overlap in pixels where something was measured ({px['findings']} findings): measured "
            f"{_words(px['measured'])}, the model's {_words(px['model'])}, joined "
            f"{_words(px['joined'])}.",
            "",
            "Measured regions on the feature: "
            + "; ".join(
                f"{name.replace('_', ' ')} {_words(each['share'])} of {each['regions']}"
                for name, each in on.items()
            )
            + ".",
            "",
        ]
    if hid := result["occlusion"]:
        lines += [
            f"## Occlusion, {hid['cells']} × {hid['cells']} grey patches",
            "",
            *_table(hid["places"]),
            "| order | deletion (low is good) | insertion (high is good) |",
            "| --- | --- | --- |",
            *(
                f"| {name} | {_words(hid['deletion'][name])} | {_words(hid['insertion'][name])} |"
                for name in hid["deletion"]
            ),
            "",
        ]
    return "\n".join(lines)


def _table(figures: dict[str, Any]) -> list[str]:
    rows = [("all", figures), *figures["by_parent"].items()]
    return [
        "| feature | places | hit | chance | exact hit | chance | overlap, cells | overlap, px "
        "| wide |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {row['places']} | "
            + " | ".join(
                _words(row[key])
                for key in ("hit", "chance", "exact", "chance_exact", "overlap", "overlap_px")
            )
            + f" | {row['wide']} |"
            for name, row in rows
        ),
        "",
        f"Mean over the features: {_words(figures['macro_hit'])}.",
        "",
    ]


def _words(value: list[float] | float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value[0]:.2f} [{value[1]:.2f}, {value[2]:.2f}]"
