"""One open file and page, with all that is known of it, and what was made of it.

Frozen nouns of the desktop's state; they know no widget, and `session` alone changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.ledger import Review
from glassllava.errors import GlassError
from glassllava.interpretation import Interpretation
from glassllava.micrograph.record import Micrograph, PixelSize
from glassllava.prompt import DEFAULT_QUESTION
from glassllava.sample import ContextLevel, Sample

if TYPE_CHECKING:
    from glassllava.micrograph.drawn_scale import DrawnScale


@dataclass(frozen=True, slots=True)
class Made:
    """A new interpretation, with what the archive needs to judge its reply again."""

    interpretation: Interpretation
    evidence: Mapping[str, Any]
    wanted: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something failed, in the words of a GlassError."""

    what: str
    remedy: str = ""

    @classmethod
    def of(cls, error: GlassError) -> Trouble:
        return cls(error.what, error.remedy)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One open file and page, with all that is known of it."""

    key: int
    path: Path
    page: int | None = None
    micrograph: Micrograph | None = None
    typed_size: PixelSize | None = None
    typed_page: int | None = None  # the page that `typed_size` was typed for
    drawn: DrawnScale | None = None  # what the drawn bar says, where the file has no scale
    trouble: Trouble | None = None
    sample: Sample = field(default_factory=Sample)
    sample_origin: str = ""
    sample_trouble: Trouble | None = None
    level: ContextLevel = "high"
    question: str = DEFAULT_QUESTION
    stage: str = ""  # what a running interpretation is doing; "" when none runs
    interpretation: Interpretation | None = None
    kept: int | None = None  # the archive's number of the interpretation
    interpretation_trouble: Trouble | None = None
    review: Review | None = None

    @property
    def is_outdated(self) -> bool:
        """True where the interpretation was made for another sample, question or level."""
        made = self.interpretation
        return made is not None and (
            made.sample != self.sample
            or made.question != (self.question or DEFAULT_QUESTION)
            or made.context_asked != self.level
        )

    @property
    def shown_page(self) -> int | None:
        """The page that was chosen, else the one that was read."""
        if self.page is None and self.micrograph is not None:
            return self.micrograph.page
        return self.page

    def is_alike(self, page: int) -> bool:
        """Whether a page has the width and height of the shown one; False where unknown."""
        pages = self.micrograph.pages if self.micrograph is not None else ()
        sizes = {each.index: (each.width, each.height) for each in pages}
        return page in sizes and sizes[page] == sizes.get(self.shown_page or 0)
