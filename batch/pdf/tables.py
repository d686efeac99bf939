"""How tables are ruled: hairlines or nothing, never boxes, always in our letters."""

from __future__ import annotations

from reportlab.platypus import TableStyle

from batch.pdf import style


def bare() -> TableStyle:
    """Two things beside each other: no line, no padding."""
    return TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), style.PLAIN),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ]
    )


def ruled() -> TableStyle:
    """A table of hairlines between rows, and no box."""
    return TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), style.PLAIN),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
            ("LINEBELOW", (0, 0), (-1, 0), 0.6, style.QUIET),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, style.HAIRLINE),
        ]
    )
