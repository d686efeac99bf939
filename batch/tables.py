"""The tables of a run: findings, micrographs and failures as CSV; whole records as JSON lines.

Knows columns and how a cell is kept from being run as a formula; nothing of SQLite.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassllava.features import name_of

if TYPE_CHECKING:
    from batch.ledger import Kept, Review, Row

MICROGRAPHS = (
    *("path", "page", "state", "verdict", "probability", "threshold", "calibrated"),
    *("model_verdict", "reasons", "findings", "warnings", "sample", "context_asked"),
    *("context_given", "width", "height", "bit_depth", "pixel_size_m", "pixel_size_source"),
    *("review", "reviewed_by", "reason", "seconds", "model", "sha256", "asked", "judged"),
)
FINDINGS = (
    *("path", "page", "feature", "name", "disposition", "reason", "probability", "calibrated"),
    *("regions", "area_px", "measurements", "citations", "verdict", "sample", "pointed"),
)
FAILURES = ("path", "reason", "tries", "remedy")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def micrograph_rows(
    rows: Iterable[Row], kept: Mapping[int, Kept], reviews: Mapping[int, Review]
) -> list[dict[str, Any]]:
    """One row a file and page, done or not; `kept` by row, `reviews` by interpretation."""
    return [
        {
            "path": str(row.file),
            "page": row.page,
            "state": row.state,
            "reason": row.reason,
            **(_told(kept[row.id], reviews) if row.id in kept else {}),
        }
        for row in rows
    ]


def _told(entry: Kept, reviews: Mapping[int, Review]) -> dict[str, Any]:
    found = entry.interpretation
    record, size = found.micrograph, found.micrograph["pixel_size"] or {}
    review = reviews.get(entry.id)
    said = {None: "", True: "defect", False: "no_defect"}[found.model_verdict.defect]
    return {
        "page": record["page"],
        "verdict": found.verdict.decision,
        "probability": found.verdict.probability,
        "threshold": found.verdict.threshold,
        "calibrated": found.model_verdict.calibrated,
        "model_verdict": said,
        "reasons": "; ".join(found.verdict.reasons),
        "findings": "; ".join(finding.feature for finding in found.present),
        "warnings": "; ".join(found.warnings),
        "sample": found.sample.id,
        "context_asked": found.context_asked,
        "context_given": found.context_given,
        "width": record["width"],
        "height": record["height"],
        "bit_depth": record["bit_depth"],
        "pixel_size_m": size.get("value_m"),
        "pixel_size_source": size.get("source"),
        "review": review.decision if review else "",
        "reviewed_by": review.who if review and review.decision else "",
        "seconds": round(sum(found.timing.get(stage, 0.0) for stage in STAGES), 3),
        "model": found.reply.identity.name,
        "sha256": record["sha256"],
        "asked": found.asked,
        "judged": found.judged,
    }


#: The stages of a night that do not overlap within one micrograph.
STAGES = ("read", "measure", "picture", "retrieve", "model", "conclude")


def finding_rows(rows: Iterable[Row], kept: Mapping[int, Kept]) -> list[dict[str, Any]]:
    """One row a feature that is present."""
    return [
        {
            "path": str(row.file),
            "page": kept[row.id].interpretation.micrograph["page"],
            "feature": finding.feature,
            "name": name_of(finding.feature),
            "disposition": finding.disposition,
            "reason": finding.reason,
            "probability": finding.probability,
            "calibrated": finding.calibrated,
            "regions": sum(region.source != "model" for region in finding.regions),
            "area_px": sum(r.area_px for r in finding.regions if r.source != "model"),
            "measurements": "; ".join(
                f"{m.quantity} = {m.value:.6g} {m.unit}"
                + (f" ± {m.uncertainty:.2g}" if m.uncertainty is not None else "")
                for m in finding.measurements
            ),
            "citations": "; ".join(citation.locator for citation in finding.citations),
            "verdict": kept[row.id].interpretation.verdict.decision,
            "sample": kept[row.id].interpretation.sample.id,
            # Regions that only the model sees: as coarse as its map, so without an area.
            "pointed": sum(region.source == "model" for region in finding.regions),
        }
        for row in rows
        if row.id in kept
        for finding in kept[row.id].interpretation.present
    ]


def failure_rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [
        {
            "path": str(row.file),
            "reason": row.reason,
            "tries": row.tries,
            "remedy": row.remedy,
        }
        for row in rows
        if row.state == "failed"
    ]


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """UTF-8 with a header line; no cell starts a formula in a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return stream.getvalue().encode("utf-8")


def to_json_lines(rows: Iterable[Row], kept: Mapping[int, Kept], reviews: Sequence[Review]) -> str:
    """The interpretation record of every row that is done, a line each, with its reviews."""
    lines = []
    for row in rows:
        if row.id not in kept:
            continue
        entry = kept[row.id]
        own = [
            {"who": r.who, "at": r.at, "decision": r.decision, "reason": r.reason}
            for r in reviews
            if r.interpretation == entry.id
        ]
        record = entry.interpretation.to_json()
        record |= {"sha256": entry.interpretation.sha256(), "reviews": own}
        lines.append(json.dumps(record, ensure_ascii=False, allow_nan=False))
    return "".join(f"{line}\n" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text
