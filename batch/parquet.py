"""The tables of a run as Parquet: the columns of the CSV files, each with its type.

Knows what type a column has and how Arrow writes it; the rows come from `tables`. A cell that the
CSV leaves empty is null here, and a number keeps all its digits. The one file that needs pyarrow.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glassllava.errors import MissingPart

#: Arrow's name of a column's type; text where it is not named.
TYPES: Mapping[str, str] = {
    **dict.fromkeys(
        ("page", "width", "height", "bit_depth", "regions", "tries", "pointed"), "int32"
    ),
    **dict.fromkeys(("probability", "threshold", "pixel_size_m", "area_px", "seconds"), "float64"),
    "calibrated": "bool",
}


def to_parquet(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A Parquet file of `rows`; every column is there and has its type, also without a row.

    Raises
    ------
    MissingPart : where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPart(
            "Parquet needs pyarrow, which is not installed",
            remedy="Install it with `pip install glassview[tables]`, or export csv.",
        ) from error
    schema = pa.schema([(name, pa.type_for_alias(TYPES.get(name, "string"))) for name in columns])
    table = pa.Table.from_pylist(
        [{name: _cell(row.get(name)) for name in columns} for row in rows], schema=schema
    )
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    return None if value == "" else value
