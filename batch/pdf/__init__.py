"""The report as a PDF: the only place that speaks reportlab. `draw` is the door.

Importing this package costs nothing; reportlab comes with the first report that is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.report import ReportData


def draw(report: ReportData, path: str | Path) -> Path:
    """Write `report` to `path`, whole or not at all; the same report gives the same bytes.

    Raises
    ------
    RunUnavailable : where the file cannot be written.
    """
    from batch.pdf.drawing import draw_report

    return draw_report(report, Path(path))
