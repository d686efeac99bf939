"""What a run leaves for people: its tables and its report, from the ledger alone; no model.

Knows which file of a run folder holds what; the tables and the report are made elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batch import tables
from batch.ledger import Kept, Ledger, Review, Row
from batch.report import Entry, Failed, ReportData, RunFacts, build_report
from batch.schema import write_file


def write_outputs(ledger: Ledger, report: Path | None = None) -> Path:
    """Write findings.csv, micrographs.csv, failures.csv and the report; the report's path."""
    write_tables(ledger)
    return write_report(ledger, report)


def write_tables(ledger: Ledger, folder: Path | None = None) -> list[Path]:
    """Write the three tables as CSV, by default into the run; their paths.

    Raises
    ------
    RunUnavailable : where they cannot be written.
    """
    return [
        write_file((folder or ledger.run) / f"{name}.csv", tables.to_csv(columns, rows))
        for name, (columns, rows) in _tables(ledger).items()
    ]


def write_parquet(ledger: Ledger, folder: Path | None = None) -> list[Path]:
    """Write the three tables as Parquet, by default into the run; their paths.

    Raises
    ------
    MissingPart : where pyarrow is not installed.
    RunUnavailable : where they cannot be written.
    """
    from batch.parquet import to_parquet

    return [
        write_file((folder or ledger.run) / f"{name}.parquet", to_parquet(columns, rows))
        for name, (columns, rows) in _tables(ledger).items()
    ]


def _tables(ledger: Ledger) -> dict[str, tuple[Sequence[str], list[dict[str, Any]]]]:
    """Columns and rows of each table, by its name."""
    rows, reviews, kept = ledger.rows(), last_reviews(ledger), _kept(ledger)
    return {
        "micrographs": (tables.MICROGRAPHS, tables.micrograph_rows(rows, kept, reviews)),
        "findings": (tables.FINDINGS, tables.finding_rows(rows, kept)),
        "failures": (tables.FAILURES, tables.failure_rows(rows)),
    }


def write_json_lines(ledger: Ledger, path: Path | None = None) -> list[Path]:
    """Write the record of every row that is done, a line each, with its reviews; its path."""
    text = tables.to_json_lines(ledger.rows(), _kept(ledger), ledger.reviews())
    return [write_file(path or ledger.run / "interpretations.jsonl", text.encode())]


def _kept(ledger: Ledger) -> dict[int, Kept]:
    return {row.id: entry for row, entry in ledger.current()}


def write_report(ledger: Ledger, path: Path | None = None) -> Path:
    """Draw the report of the run, by default into its folder."""
    from batch.pdf import draw

    path = path or ledger.run / "report.pdf"
    draw(report_of(ledger), path)
    return path


def report_of(ledger: Ledger) -> ReportData:
    """The report's data, from every row of the run."""
    rows, facts, reviews = ledger.rows(), ledger.facts(), last_reviews(ledger)
    counts, kept = ledger.counts(), _kept(ledger)
    folders = sorted({row.folder for row in rows})

    def name(row: Row) -> str:
        # The folder tells two of one name apart, where there are several.
        return row.path if len(folders) == 1 else f"{Path(row.folder).name}/{row.path}"

    return build_report(
        [
            Entry(kept[row.id].interpretation, name=name(row), review=reviews.get(kept[row.id].id))
            for row in rows
            if row.id in kept
        ],
        failures=[
            Failed(name(row), row.reason, row.remedy, row.tries)
            for row in rows
            if row.state == "failed"
        ],
        skipped=[(name(row), row.reason) for row in rows if row.state == "skipped"],
        run=RunFacts(
            name=ledger.run.resolve().name,
            folders=tuple(folders),
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
