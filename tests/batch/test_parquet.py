"""Tables as Parquet: the same cells as the CSV files, with types."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from batch import tables
from batch.ledger import Ledger
from batch.parquet import TYPES, to_parquet
from batch.scan import scan
from glassllava.literature import NoLiterature
from glassview.cli import main

Make = Callable[..., Any]


@pytest.fixture
def run(folder: Path, tmp_path: Path, write: Make, make_model: Make) -> Path:
    write("a.tif")
    write("b.tif", seed=1)
    (folder / "text.tif").write_text("no picture")
    scan([folder], tmp_path / "night", model=make_model(), literature=NoLiterature())
    with Ledger.open(tmp_path / "night") as ledger:
        ledger.review(1, "defect", "I see a crack", who="me")
    return tmp_path / "night"


def test_every_cell_is_the_one_of_the_csv(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    assert main(["export", str(run), "--format", "csv", "-o", str(out)]) == 0
    assert main(["export", str(run), "--format", "parquet", "-o", str(out)]) == 0
    compared = 0
    for name in ("micrographs", "findings", "failures"):
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        table = parquet.read_table(out / f"{name}.parquet")
        assert table.num_rows == len(rows) > 0
        assert table.column_names == list(rows[0])
        for row, typed in zip(rows, table.to_pylist(), strict=True):
            assert row == {key: tables._cell(value) for key, value in typed.items()}
            compared += len(row)
    assert compared > 100


def test_columns_have_types_and_numbers_all_their_digits(run: Path) -> None:
    assert main(["export", str(run), "--format", "parquet"]) == 0
    table = parquet.read_table(run / "micrographs.parquet")
    assert table.schema.field("page").type == pa.int32()
    assert table.schema.field("probability").type == pa.float64()
    assert table.schema.field("calibrated").type == pa.bool_()
    assert table.schema.field("review").type == pa.string()
    done = table.to_pylist()[0]
    assert done["pixel_size_m"] == pytest.approx(1e-7, rel=1e-12)
    assert done["review"] == "defect"
    failed = next(row for row in table.to_pylist() if row["state"] == "failed")
    assert failed["width"] is None
    assert failed["verdict"] is None
    # Types are named for columns that there are.
    known = {*tables.MICROGRAPHS, *tables.FINDINGS, *tables.FAILURES}
    assert set(TYPES) <= known


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.write_bytes(to_parquet(tables.FAILURES, []))
    schema = parquet.read_schema(path)
    assert schema.names == list(tables.FAILURES)
    assert schema.field("tries").type == pa.int32()
