"""The result for people, in Markdown. Every interval is 95 %. Knows the JSON document alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassllava.features import PARENTS
from training.evaluation.transfer.asking import IN_WORDS

_DECISIONS = {"defect": "defect", "no_defect": "no defect", "undecided": "undecided"}


def page(result: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [
        f"# Transfer to real micrographs: {result['model']['reference']}\n\n"
        f"{result['micrographs']} electron micrographs of {result['groups']} specimens or sources, "
        "none of glass, labelled by one rater. Intervals: 95 %, specimens drawn.",
        "\n".join(f"- {note}." for note in result["notes"]),
        *(_features(name, figures) for name, figures in result["labels"].items()),
        _verdicts(result["labels"]["given"]["conditions"]),
        _tiles(result["tiles"]),
        _regions(result["regions"]),
        _table(result["table"], result["labels"]["given"]["keys"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _features(name: str, figures: Mapping[str, Any]) -> str:
    keys = figures["keys"]
    asked = {IN_WORDS[n]: row for n, row in figures["conditions"].items()}
    every = {f"**{n}**": row for n, row in asked.items()} | figures["baselines"]
    first = next(iter(asked.values()))["features"]
    counts = (f"{PARENTS[key]} {first[key]['positives']}/{first[key]['known']}" for key in keys)
    lines = [
        f"## What is on them, labels as {name}",
        f"On how many of those where it is known: {', '.join(counts)}.",
        _rows(
            ["", "macro AP", "macro-F1", *(f"AP {PARENTS[key]}" for key in keys)],
            [
                [title, _figure(row["macro_ap"]), _figure(row["macro_f1"])]
                + [_value(row["features"][key]["ap"]) for key in keys]
                for title, row in every.items()
            ],
        ),
        "F1 at the shipped thresholds (those of the baselines from synthetic rows left out):",
        _rows(
            ["", *(PARENTS[key] for key in keys)],
            [
                [title, *(_f1(row["features"][key]) for key in keys)]
                for title, row in every.items()
                if row["macro_f1"]
            ],
        ),
    ]
    return "\n\n".join(lines)


def _verdicts(conditions: Mapping[str, Any]) -> str:
    rows = []
    for name, row in conditions.items():
        said = row["verdicts"]
        rows.append(
            [
                IN_WORDS[name],
                *(str(said[key]) for key in _DECISIONS),
                f"{100 * said['coverage']:.0f} %",
                _of(said["decided_as_in_a_dense_glass"]),
                _of(said["forced_as_in_a_dense_glass"]),
            ]
        )
    first = next(iter(conditions.values()))["verdicts"]["defect_in_a_dense_glass"]
    return (
        "## Verdicts\n\nThe rater calls "
        f"{_of(first)} a defect if it were a dense glass; none of them is one.\n\n"
        + _rows(
            ["", *_DECISIONS.values(), "coverage", "decided as the rater", "forced as the rater"],
            rows,
        )
    )


def _tiles(told: Mapping[str, Any]) -> str:
    rows = [
        [name, _figure(row["auc"]), _figure(row["by_specimen"]), f"{row['weighted']:.3f}"]
        for name, row in told["rows"].items()
        if row is not None
    ]
    if not rows:
        return ""
    return (
        "## Crack against no crack within an image\n\n"
        f"{told['count']} tiles of 128 px, {told['cracked']} with a crack. AUC within each image, "
        "their mean; images drawn, and specimens drawn; weighted by pairs of tiles.\n\n"
        + _rows(["", "AUC", "specimens drawn", "weighted"], rows)
    )


def _regions(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    cell, pixel = told["cell_chance"], told["pixel_chance"]
    return (
        f"## Where the cracks are\n\nWithin the masked area of {len(told['images'])} micrographs."
        "\n\n"
        + _rows(
            ["", "map", "chance"],
            [
                ["surest cell touches a crack", _figure(told["cell_hit"]), f"{cell:.3f}"],
                ["its middle is a crack", _figure(told["point_hit"]), f"{pixel:.3f}"],
                ["IoU, pixels", _figure(told["iou"]), f"{pixel:.3f}"],
                ["IoU, cells", _figure(told["cell_iou"]), f"{cell:.3f}"],
                ["average precision, cells", _figure(told["cell_ap"]), f"{cell:.3f}"],
            ],
        )
    )


def _table(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """Probability at context none; bold where it is on the micrograph, * where called present."""

    def cell(row: Mapping[str, Any], key: str) -> str:
        p, label = row["probability"][key], row["labels"][key]
        words = ("-" if p is None else f"{p:.2f}") + ("*" if key in row["present"] else "")
        words = words.replace("*", "\\*")
        return "u " + words if label is None else f"**{words}**" if label else words

    return (
        "## One by one\n\nProbability at context none: **bold** where the rater sees it, u where "
        "the rater is unsure, \\* where the product calls it present.\n\n"
        + _rows(
            ["file", *(PARENTS[key] for key in keys), "verdict none", "verdict without sample"],
            [
                [
                    row["file"],
                    *(cell(row, key) for key in keys),
                    *(_DECISIONS[decision] for decision in row["verdict"].values()),
                ]
                for row in rows
            ],
        )
    )


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(told: Sequence[float | None] | None) -> str:
    if told is None or told[0] is None:
        return "-"
    if told[1] is None or told[2] is None:
        return f"{told[0]:.3f}"
    return f"{told[0]:.3f} [{told[1]:.3f}, {told[2]:.3f}]"


def _value(told: Sequence[float | None]) -> str:
    return "-" if told[0] is None else f"{told[0]:.2f}"


def _f1(row: Mapping[str, Any]) -> str:
    return f"{_value(row['f1'])} (said {row['said']})"


def _of(pair: Sequence[int]) -> str:
    return f"{pair[0]} of {pair[1]}"
