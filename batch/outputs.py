"""What a run leaves for people: its tables and its report, from the ledger alone; no model.

Knows which file of a run folder holds what; the tables and the report are made elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from batch import tables
from batch.ledger import Kept, Ledger, Review
from batch.report import Entry, Failed, ReportData, RunFacts, build_report


def write_outputs(ledger: Ledger, report: Path | None = None) -> Path:
    """Write findings.csv, micrographs.csv, failures.csv and the report; the report's path."""
    kept = {row.id: entry for row, entry in ledger.current()}
    write_tables(ledger, kept)
    return write_report(ledger, kept, report)


def write_tables(ledger: Ledger, kept: dict[int, Kept]) -> None:
    rows, reviews = ledger.rows(), last_reviews(ledger)
    found = {
        "micrographs.csv": (tables.MICROGRAPHS, tables.micrograph_rows(rows, kept, reviews)),
        "findings.csv": (tables.FINDINGS, tables.finding_rows(rows, kept)),
        "failures.csv": (tables.FAILURES, tables.failure_rows(rows)),
    }
    for name, (columns, table) in found.items():
        ledger.write(name, tables.to_csv(columns, table))


def write_report(ledger: Ledger, kept: dict[int, Kept], path: Path | None = None) -> Path:
    """Draw the report of the run, by default into its folder."""
    from batch.pdf import draw

    path = path or ledger.run / "report.pdf"
    draw(report_of(ledger, kept), path)
    return path


def report_of(ledger: Ledger, kept: dict[int, Kept]) -> ReportData:
    """The report's data, from every row of the run."""
    rows, facts, reviews = ledger.rows(), ledger.facts(), last_reviews(ledger)
    counts = ledger.counts()
    return build_report(
        [
            Entry(kept[row.id].interpretation, name=row.path, review=reviews.get(kept[row.id].id))
            for row in rows
            if row.id in kept
        ],
        failures=[
            Failed(row.path, row.reason, row.remedy, row.tries)
            for row in rows
            if row.state == "failed"
        ],
        skipped=[(row.path, row.reason) for row in rows if row.state == "skipped"],
        run=RunFacts(
            name=ledger.run.resolve().name,
            folders=tuple(facts.get("folders", ())),
            started=facts.get("started", ""),
            finished=facts.get("finished") or "",
            discovered=sum(counts.values()),
            recipe=facts.get("recipe", ""),
            library=facts.get("library", ""),
        ),
        pictures=ledger.run / "thumbnails",
    )


def last_reviews(ledger: Ledger) -> dict[int, Review]:
    """By interpretation, the review that holds; an undone one is left out."""
    last = {review.interpretation: review for review in ledger.reviews()}
    return {number: review for number, review in last.items() if review.decision}
