"""From state to screen state: every word, number and colour role that the window shows.

Pure functions over the session's nouns. Knows no widget; the window puts what these return where
it belongs. Colours are named by their role (`Tone`), never by a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from batch.ledger import Review
from glassllava.interpretation import DECISION_WORDS, Decision, Interpretation
from glassllava.measurement.quantities import Region, in_words
from glassllava.micrograph.record import Micrograph, PixelSize
from glassview.session import Session, Sheet, Trouble

#: What a colour stands for; shapes and words say the same (see `MARKS`).
Tone = Literal["defect", "no_defect", "undecided", "failed", "plain", "artefact"]

#: One shape for each tone, so that colour is never the only sign.
MARKS: dict[Tone, str] = {
    "defect": "triangle",
    "no_defect": "disc",
    "undecided": "diamond",
    "failed": "cross",
    "artefact": "square",
    "plain": "ring",
}
_DISPOSITION_TONES: dict[str | None, Tone] = {
    "defect": "defect",
    "unclear": "undecided",
    "intended": "no_defect",
    "harmless": "no_defect",
    "artefact": "artefact",
}

SHORTCUTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Files",
        (
            ("Ctrl+O", "Open files"),
            ("Ctrl+Shift+O", "Open a folder"),
            ("← →  or  A D", "Previous and next micrograph"),
            ("Ctrl+Shift+P", "Add papers to the library"),
            ("Ctrl+E", "Export the report of this micrograph (PDF)"),
            ("Ctrl+W", "Close all micrographs"),
        ),
    ),
    (
        "Looking",
        (
            ("Wheel", "Zoom at the cursor"),
            ("Space or middle button", "Pan while held"),
            ("Ctrl+0 or double-click", "Fit the window"),
            ("1", "One to one"),
            ("+  −", "Zoom in and out"),
            ("Shift+C", "Contrast: histogram, gamma, invert"),
            ("O", "Show or hide the overlay"),
            ("Ctrl+F", "Search the literature"),
        ),
    ),
    (
        "Judging",
        (
            ("Ctrl+Return", "Interpret"),
            ("Esc", "Stop waiting for an interpretation"),
            ("Ctrl+Shift+A", "Accept the verdict"),
            ("Ctrl+Shift+R", "Overrule it"),
            ("Ctrl+Z, Ctrl+Shift+Z", "Undo, redo: sample edits, pixel sizes, reviews"),
        ),
    ),
    ("Help", (("F1 or ?", "These shortcuts"), ("Ctrl+L", "Log"))),
)


# -- thumbnails --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThumbnailState:
    key: int
    name: str
    tone: Tone
    words: str
    is_reviewed: bool
    is_working: bool
    tip: str


def thumbnail(sheet: Sheet) -> ThumbnailState:
    tone: Tone = "plain"
    words = ""
    if sheet.trouble is not None:
        tone, words = "failed", "cannot be read"
    elif sheet.stage:
        words = "interpreting"
    elif sheet.interpretation is not None:
        decision = decided(sheet.interpretation, sheet.review)
        tone, words = decision, DECISION_WORDS[decision].lower()
    elif sheet.interpretation_trouble is not None:
        tone, words = "failed", "not interpreted"
    reviewed = sheet.review is not None
    tip = [str(sheet.path)]
    if words:
        tip.append(f"{words}, reviewed" if reviewed else words)
    if sheet.trouble is not None:
        tip.append(sheet.trouble.what)
    return ThumbnailState(
        sheet.key, sheet.path.name, tone, words, reviewed, bool(sheet.stage), "\n".join(tip)
    )


def decided(made: Interpretation, review: Review | None) -> Decision:
    """The person's word where there is one, else the record's."""
    return (review.decision if review else "") or made.verdict.decision


def tone_of(disposition: str | None) -> Tone:
    return _DISPOSITION_TONES.get(disposition, "plain")


# -- the canvas --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of `length_px` image pixels, and what stands on it."""

    length_px: float
    label: str
    is_calibrated: bool


def scale_bar(size: PixelSize | None, zoom: float, longest: float = 180.0) -> ScaleBar:
    """The longest 1-2-5 bar of at most `longest` screen pixels at `zoom` screen px per image px.

    Without a pixel size its length is in px, and its label says so.
    """
    unit = size.value_m if size else 1.0
    length = _one_two_five(longest / zoom * unit)
    label = in_words(length, "m") if size else f"{length:g} px · uncalibrated"
    return ScaleBar(length / unit, label, size is not None)


def _one_two_five(most: float) -> float:
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= most * (1 + 1e-9))


def under_cursor(
    micrograph: Micrograph, x: int, y: int, value: float | int | None
) -> tuple[str, str]:
    """Where the cursor is and what is stored there: ("10.4, 6.12 µm", "23,412").

    The counts are "" while they are still being read.
    """
    counts = "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    size = micrograph.pixel_size
    if size is None:
        return f"x {x}  y {y} px", counts
    across, down = x * size.value_m, y * size.down_m
    scale, name = _length_unit(micrograph.width * size.value_m)
    digits = max(0, math.ceil(-math.log10(size.value_m / scale)))
    return f"x {across / scale:.{digits}f}  y {down / scale:.{digits}f} {name}", counts


def _length_unit(length: float) -> tuple[float, str]:
    for scale, name in ((1e-3, "mm"), (1e-6, "µm")):
        if length >= scale:
            return scale, name
    return 1e-9, "nm"


def calibration_words(micrograph: Micrograph | None) -> tuple[str, bool]:
    """What the status bar says of the scale, and whether there is one."""
    if micrograph is None:
        return "", True
    size = micrograph.pixel_size
    if size is None:
        return "uncalibrated: lengths in px", False
    down = f" × {in_words(size.value_y_m, 'm')}" if size.value_y_m else ""
    return f"{in_words(size.value_m, 'm')}{down} / px", True


@dataclass(frozen=True, slots=True)
class Overlay:
    """The regions of one finding, and how they are drawn."""

    feature: str
    tone: Tone
    regions: tuple[Region, ...]


def overlays(made: Interpretation | None) -> tuple[Overlay, ...]:
    """One for each finding that is present and has regions."""
    if made is None:
        return ()
    return tuple(
        Overlay(f.feature, tone_of(f.disposition), f.regions) for f in made.present if f.regions
    )


@dataclass(frozen=True, slots=True)
class BarOffer:
    """What the drawn bar says, for a person to confirm."""

    words: str
    tip: str
    can_use: bool


def bar_offer(sheet: Sheet) -> BarOffer | None:
    """The offer of the drawn bar, where the sheet has no scale but such a bar."""
    drawn, micrograph = sheet.drawn, sheet.micrograph
    if drawn is None or micrograph is None or micrograph.pixel_size is not None:
        return None
    if drawn.size is None:
        return BarOffer(
            f"A scale bar of {drawn.bar.length_px:.1f} px is drawn. Its label was not read.",
            drawn.remedy,
            False,
        )
    return BarOffer(
        f"The drawn bar reads {drawn.label} over {drawn.bar.length_px:.1f} px: "
        f"{in_words(drawn.size.value_m, 'm', 3)} per pixel. Is that right?",
        "Measured " + drawn.bar.in_words.split(" px ", 1)[-1] + "; the label was read by OCR",
        True,
    )


# -- the window --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WindowState:
    """What the window shows as a whole."""

    title: str
    position: str
    is_empty: bool
    trouble: Trouble | None
    can_interpret: bool
    can_review: bool
    can_export: bool
    stage: str
    undo: str
    redo: str


def window_state(session: Session) -> WindowState:
    sheet = session.sheet
    keys = [s.key for s in session.sheets]
    return WindowState(
        title=f"{sheet.path.name} – GlassView" if sheet else "GlassView",
        position=f"{keys.index(sheet.key) + 1} of {len(keys)}" if sheet else "",
        is_empty=not keys,
        trouble=sheet.trouble if sheet else None,
        can_interpret=bool(sheet and sheet.micrograph and not sheet.stage),
        can_review=bool(sheet and sheet.interpretation and not sheet.stage),
        can_export=bool(sheet and sheet.interpretation),
        stage=sheet.stage if sheet else "",
        undo=session.undo_words,
        redo=session.redo_words,
    )


def page_choices(micrograph: Micrograph) -> tuple[tuple[int, str, str], ...]:
    """The pages of a file: index, short name, and what it holds."""
    return tuple(
        (
            page.index,
            f"Page {page.index + 1}",
            f"{page.width} × {page.height} px, {page.bit_depth} bit {page.role}".strip(),
        )
        for page in micrograph.pages
    )
