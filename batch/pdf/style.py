"""The report's letter forms, colours and measures, and text made safe to set.

Knows reportlab's paragraphs; nothing of what a report says.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import reportlab
from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph

from glassllava.interpretation import DECISION_WORDS

# Base-85 text around every picture makes a file a quarter larger and 25 times slower to write.
rl_config.useA85 = 0

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN = 17 * mm
WIDTH = PAGE_WIDTH - 2 * MARGIN

_FONTS = Path(__file__).parents[1] / "fonts"
PLAIN, BOLD, OBLIQUE = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"

INK = HexColor("#1c2530")
QUIET = HexColor("#65717e")
HAIRLINE = HexColor("#d5dbe1")
PALE = HexColor("#f3f5f7")
ACCENT = HexColor("#1d5c75")
WHITE = HexColor("#ffffff")

# Okabe and Ito's palette, told apart by most colour-blind readers, darkened for white paper.
DISPOSITION = {
    "defect": HexColor("#c8501a"),
    "unclear": HexColor("#c98a00"),
    "intended": HexColor("#0b7f5e"),
    "harmless": HexColor("#2a78b5"),
    "artefact": HexColor("#9b5a86"),
}
DECISION = {
    "defect": DISPOSITION["defect"],
    "no_defect": DISPOSITION["intended"],
    "undecided": DISPOSITION["unclear"],
    "failed": HexColor("#7d8791"),
}
OUTCOME_WORDS = {**DECISION_WORDS, "failed": "Failed"}


@cache
def register_fonts() -> None:
    """Make DejaVu known to reportlab; it is embedded, and covers µ, σ, subscripts and arrows."""
    for name in (PLAIN, BOLD, OBLIQUE):
        pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(PLAIN, PLAIN, BOLD, OBLIQUE, BOLD)


def _style(name: str, size: float, leading: float, **more: object) -> ParagraphStyle:
    settings: dict[str, object] = {
        "fontName": PLAIN,
        "bulletFontName": PLAIN,
        "textColor": INK,
        "splitLongWords": 1,
        **more,
    }
    return ParagraphStyle(name, fontSize=size, leading=leading, **settings)


TITLE = _style("title", 25, 30, fontName=BOLD)
SUBTITLE = _style("subtitle", 10, 14, textColor=QUIET)
LABEL = _style("label", 7, 10, textColor=QUIET, fontName=BOLD)
HEADING = _style("heading", 15, 19, fontName=BOLD, spaceAfter=6)
NAME = _style("name", 12.5, 16, fontName=BOLD)
SECTION = _style(
    "section", 9, 12, fontName=BOLD, textColor=ACCENT, spaceBefore=10, spaceAfter=3, keepWithNext=1
)
BODY = _style("body", 8.8, 12.6)
BODY_BOLD = _style("body bold", 8.8, 12.6, fontName=BOLD)
SMALL = _style("small", 7, 9.6)
SMALL_QUIET = _style("small quiet", 7, 9.6, textColor=QUIET)
QUOTE = _style("quote", 8.2, 11.8, leftIndent=10, textColor=INK)
CELL = _style("cell", 7.7, 10.4)
CELL_HEAD = _style("cell head", 7, 9.6, fontName=BOLD, textColor=QUIET)
CELL_RIGHT = _style("cell right", 7.7, 10.4, alignment=TA_RIGHT)
CODE = _style("code", 6.6, 9, textColor=INK)
CENTRED = _style("centred", 6.4, 8, alignment=TA_CENTER)

_REMOVED = {"Cs", "Co", "Cn"}
_BIDI = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def clean(text: object, longest: int = 4000) -> str:
    """Foreign text as characters that can be set: no controls, no overrides of direction."""
    kept = []
    for character in str(text)[: longest + 1]:
        if character in "\n\t":
            kept.append(" ")
        elif character in _BIDI or unicodedata.category(character) in _REMOVED:
            continue
        elif unicodedata.category(character) == "Cc":
            kept.append("\N{WHITE SQUARE}")
        else:
            kept.append(character)
    joined = "".join(kept)
    return joined if len(joined) <= longest else joined[: longest - 1].rstrip() + "…"


def safe(text: object, longest: int = 4000) -> str:
    """`clean` text as reportlab's markup reads it literally."""
    return escape(clean(text, longest))


def paragraph(text: object, style: ParagraphStyle = BODY, longest: int = 4000) -> Paragraph:
    """Foreign text as a paragraph; nothing in it is markup."""
    return Paragraph(safe(text, longest), style)


def marked(markup: str, style: ParagraphStyle = BODY) -> Paragraph:
    """Our own markup as a paragraph; foreign parts of it must have gone through `safe`."""
    return Paragraph(markup, style)


def hexadecimal(colour: Color) -> str:
    return f"#{colour.hexval()[2:]}"


def fitted(text: str, font: str, size: float, width: float) -> str:
    """`text` cut in the middle until it is no wider than `width` points."""
    text = clean(text, 400)
    if pdfmetrics.stringWidth(text, font, size) <= width:
        return text
    keep = len(text)
    while keep > 4:
        keep -= 1
        short = f"{text[: keep // 2]}…{text[-(keep - keep // 2) :]}"
        if pdfmetrics.stringWidth(short, font, size) <= width:
            return short
    return text[:1] + "…"


VERSION = f"reportlab {reportlab.Version}"
