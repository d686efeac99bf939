"""A plan laid out for a person: what is learnt, how long, what a device holds, and why not."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from training.planning.plan import Plan, StagePlan
from training.planning.rehearsal import Rehearsal

_GB = 1e9
_WIDE = 78


def table(plan: Plan) -> str:
    """The plan in lines of plain text."""
    hardware, recipe = plan.recipe.hardware, plan.recipe
    on = f"{plan.devices} x {hardware.memory_gb:g} GB (made for {hardware.name})"
    rows = [
        ("recipe", recipe.name),
        ("devices", on),
        ("samples", f"{plan.samples:,}"),
        ("steps", f"{plan.steps:,}"),
        ("time", f"{_time(plan.hours)} at {hardware.utilisation:.0%} of the peak"),
    ]
    lines = [f"{name:<10}{value}" for name, value in rows]
    lines += ["", *_stages(plan.stages)]
    for when in dict.fromkeys(peak.when for stage in plan.stages for peak in stage.peaks):
        lines += ["", *_memory(plan, when)]
    lines += ["", *_folded(("It fits. " if plan.fits else "It does not fit. ") + plan.reason)]
    if plan.notes:
        lines += ["", "notes"]
        for note in plan.notes:
            lines += _folded(note, "- ")
    return "\n".join(lines)


def told(rehearsals: Sequence[Rehearsal]) -> str:
    """What a rehearsal found, in lines of plain text."""
    lines = []
    for done in rehearsals:
        verdict = "complete" if done.complete else "NOT COMPLETE"
        lines.append(
            f"rehearsed '{done.stage}' on {done.devices} device{'s' * (done.devices > 1)}: "
            f"{done.parameters:,} parameters, {done.trained:,} trained, in {len(done.groups)} "
            f"groups; a checkpoint of {done.whole / _GB:.1f} GB, at most "
            f"{max(done.written) / _GB:.2f} GB by one: {verdict}"
        )
    return "\n".join(lines)


def _stages(stages: Sequence[StagePlan]) -> list[str]:
    head = ["stage", "trains", "trained", "frozen", "batch", "steps", "epochs", "tokens", "time"]
    rows = [head]
    for stage in stages:
        rates = ", ".join(f"{part} {rate:g}" for part, rate in stage.stage.rates.items())
        rows.append(
            [
                stage.stage.name,
                f"{len(stage.stage.rates)} part{'s' * (len(stage.stage.rates) > 1)}",
                _count(stage.trained),
                _count(stage.frozen),
                str(stage.stage.batch),
                f"{stage.length.steps:,}",
                f"{stage.length.epochs:.4g}",
                _count(stage.length.tokens),
                _time(stage.hours),
            ]
        )
        rows[-1].append(rates)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells).rstrip())
        if len(row) > len(head):
            lines += _folded(row[-1], "    ")
    return lines


def _memory(plan: Plan, when: str) -> list[str]:
    """GB by part, a column a stage."""
    found = [
        (stage.stage.name, next((p for p in stage.peaks if p.when == when), None))
        for stage in plan.stages
    ]
    columns: list[tuple[str, Mapping[str, float]]] = [
        (name, {**peak.parts, "in all": peak.total}) for name, peak in found if peak is not None
    ]
    names = list(dict.fromkeys(part for _, parts in columns for part in parts))
    names.sort(key=lambda name: name in ("CUDA, NCCL and libraries", "fragments"))
    names.sort(key=lambda name: name == "in all")
    wide = max(len(name) for name in names)
    title = f"GB of a device {when}"
    wide = max(wide, len(title))
    lines = [title.ljust(wide) + "".join(f"  {name:>10}" for name, _ in columns)]
    for part in names:
        cells = [parts.get(part) for _, parts in columns]
        row = "".join(
            f"  {_gb(size):>{max(10, len(name))}}"
            for size, (name, _) in zip(cells, columns, strict=True)
        )
        lines.append(part.ljust(wide) + row)
    return lines


def _gb(size: float | None) -> str:
    return "-" if size is None else f"{size / _GB:.2f}"


def _count(number: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:.0f}"


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 1 else f"{hours * 3600:.0f} s"


def _folded(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDE, initial_indent=first, subsequent_indent=" " * len(first))
