"""The desktop's state: what is open, what is known of it, and what a person decided.

Every change goes through a method of `Session`, which tells its one listener the key of what
changed. Sample edits, pixel sizes and reviews can be undone; the undoing of a review is a row of
its own, since decisions are never deleted. Knows nothing of widgets, of threads, or of how a review
is kept (`Archive`).
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from batch.ledger import Review
from glassllava.errors import BadInput, GlassError
from glassllava.interpretation import Decision, Interpretation
from glassllava.micrograph.record import PixelSize
from glassllava.sample import LEVELS, ContextLevel, Sample
from glassview.sheet import Made, Sheet, Trouble

if TYPE_CHECKING:
    from glassllava.micrograph.drawn_scale import DrawnScale


__all__ = ["Archive", "Made", "Session", "Sheet", "Trouble", "level_named"]


class Archive(Protocol):
    """Where interpretations and reviews are kept; a number names a kept interpretation."""

    def keep(self, made: Made) -> int: ...

    def review(
        self, interpretation: int, decision: Decision | Literal[""], reason: str, who: str
    ) -> Review:
        """Add a decision; an empty one undoes what was decided before."""
        ...


@dataclass(frozen=True, slots=True)
class _SampleEdit:
    before: Mapping[int, tuple[Sample, str]]
    after: Mapping[int, tuple[Sample, str]]
    words: str


@dataclass(frozen=True, slots=True)
class _Reviewed:
    key: int
    kept: int
    before: Review | None
    after: Review
    words: str


@dataclass(frozen=True, slots=True)
class _SizeEdit:
    """A typed size belongs to a page: each side of the edit is a page and its size."""

    key: int
    before: tuple[int | None, PixelSize | None]
    after: tuple[int | None, PixelSize | None]
    words: str = "pixel size"


_Command = _SampleEdit | _SizeEdit | _Reviewed


class Session:
    """What is open; `on_change` hears the key of every sheet that changed, None for the list."""

    def __init__(
        self,
        archive: Archive,
        on_change: Callable[[int | None], None] = lambda key: None,
        who: str | None = None,
    ) -> None:
        self.archive = archive
        self.on_change = on_change
        self.who = who if who is not None else _person()
        self._sheets: dict[int, Sheet] = {}
        self._next = 1
        self.current: int | None = None
        self._done: list[_Command] = []
        self._undone: list[_Command] = []

    # -- what is open --------------------------------------------------------------------------

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        return tuple(self._sheets.values())

    @property
    def sheet(self) -> Sheet | None:
        """The one that is shown."""
        return self._sheets.get(self.current) if self.current is not None else None

    def __getitem__(self, key: int) -> Sheet:
        return self._sheets[key]

    def __contains__(self, key: object) -> bool:
        return key in self._sheets

    def add(self, paths: Iterable[Path]) -> tuple[int, ...]:
        """Open files that are not open yet; the keys of all of them, in order."""
        open_already = {sheet.path: sheet.key for sheet in self._sheets.values()}
        keys = []
        for path in paths:
            key = open_already.get(path)
            if key is None:
                key = self._next
                self._next += 1
                open_already[path] = key
                self._sheets[key] = Sheet(key, path)
            keys.append(key)
        if keys:
            self.on_change(None)
        return tuple(dict.fromkeys(keys))

    def close_all(self) -> None:
        self._sheets.clear()
        self._done.clear()
        self._undone.clear()
        self.current = None
        self.on_change(None)

    def show(self, key: int) -> None:
        if key in self._sheets and key != self.current:
            self.current = key
            self.on_change(None)

    def step(self, by: int) -> None:
        """Show the next (1) or the previous (-1); stays where there is none."""
        keys = list(self._sheets)
        if not keys:
            return
        here = keys.index(self.current) if self.current in self._sheets else 0
        self.show(keys[min(max(here + by, 0), len(keys) - 1)])

    # -- what becomes known --------------------------------------------------------------------

    def update(self, key: int, **changes: object) -> None:
        """Put what became known into a sheet; one that was closed meanwhile is left alone."""
        if key in self._sheets:
            self._sheets[key] = replace(self._sheets[key], **changes)  # type: ignore[arg-type]
            self.on_change(key)

    def concluded(self, key: int, made: Made) -> None:
        """A new interpretation: kept in the archive, not yet reviewed.

        Where it cannot be kept it is shown all the same, with the reason.
        """
        kept, trouble = None, None
        try:
            kept = self.archive.keep(made)
        except GlassError as error:
            trouble = Trouble(f"This interpretation is not kept: {error.what}", error.remedy)
        self.update(
            key,
            interpretation=made.interpretation,
            kept=kept,
            interpretation_trouble=trouble,
            review=None,
            stage="",
        )

    def recalled(
        self, key: int, kept: int, interpretation: Interpretation, review: Review | None
    ) -> None:
        """An interpretation of an earlier day; a newer one is not replaced."""
        if key in self._sheets and self._sheets[key].interpretation is None:
            self.update(key, interpretation=interpretation, kept=kept, review=review)

    def bar_read(self, key: int, page: int, drawn: DrawnScale | None) -> None:
        """What the drawn bar of a page says; of one that is no more shown it is dropped."""
        if key in self._sheets and self._sheets[key].shown_page == page:
            self.update(key, drawn=drawn)

    # -- what a person does --------------------------------------------------------------------

    def edit_sample(self, key: int, sample: Sample, *, everywhere: bool = False) -> None:
        """What the person typed of the sample; `everywhere` for every open micrograph."""
        keys = list(self._sheets) if everywhere else [key]
        before = {k: (self._sheets[k].sample, self._sheets[k].sample_origin) for k in keys}
        after = {k: (sample, "typed") for k in keys if self._sheets[k].sample != sample}
        if not after:
            return
        words = "sample of all micrographs" if everywhere else "sample"
        edit = _SampleEdit({k: before[k] for k in after}, after, words)
        self._remember(edit)
        self._put_samples(edit.after)

    def edit_size(self, key: int, size: PixelSize | None) -> None:
        """The pixel size that the person typed, or took from the drawn bar; None takes it back."""
        sheet = self._sheets[key]
        page = sheet.shown_page
        if size != sheet.typed_size:
            self._remember(_SizeEdit(key, (page, sheet.typed_size), (page, size)))
            self._put_size(key, page, size)

    def choose_page(self, key: int, page: int) -> str:
        """Show another page of the file; the words say so where the typed size was for another.

        It is kept for a page of the same width and height alone (and see `settle_size`).
        """
        sheet = self._sheets[key]
        here, size = sheet.shown_page, sheet.typed_size
        if page == here:
            return ""
        if size is None or sheet.is_alike(page):
            self._put_size(key, page, size)
            return ""
        return self._drop_size(key, here, page, "has another width or height")

    def settle_size(self, key: int) -> str:
        """Drop a size that was typed for another page where this one has its own; "" if it stays.

        Called when the page's header is known.
        """
        sheet = self._sheets[key]
        known, page = sheet.micrograph, sheet.shown_page
        if sheet.typed_size is None or sheet.typed_page == page or known is None:
            return ""
        if known.page != page or not any(size.is_the_pages_own for size in known.candidates):
            return ""
        return self._drop_size(key, sheet.typed_page, page, "has a scale of its own")

    def _drop_size(self, key: int, of: int | None, page: int | None, why: str) -> str:
        self._remember(_SizeEdit(key, (of, self._sheets[key].typed_size), (page, None)))
        self._put_size(key, page, None)
        shown = "this page" if page is None else f"page {page + 1}"
        return f"The pixel size that was typed is not used here: {shown} {why}. Undo goes back."

    def ask(self, **asked: Any) -> None:
        """Set `question` or `level` here and for all that are not interpreted yet.

        A person goes through a series with one question; what was already answered keeps its own.
        """
        for key, sheet in self._sheets.items():
            if sheet.interpretation is None and not sheet.stage and key != self.current:
                self._sheets[key] = replace(sheet, **asked)
        if self.current is not None:
            self.update(self.current, **asked)

    def review(self, decision: Decision, reason: str = "") -> Review:
        """Accept the interpretation that is shown (its own decision), or overrule it (another).

        Raises
        ------
        BadInput : where there is none, or an overruling has no reason.
        RunUnavailable : where the decision cannot be kept.
        """
        sheet = self.sheet
        if sheet is None or sheet.interpretation is None:
            raise BadInput(
                "There is no interpretation to review", remedy="Interpret the micrograph first."
            )
        if sheet.kept is None:
            raise BadInput(
                "This interpretation is not kept, so that it cannot be reviewed",
                remedy="Interpret the micrograph again.",
            )
        accepts = decision == sheet.interpretation.verdict.decision
        if not accepts and not reason.strip():
            raise BadInput(
                "An overruling needs its reason", remedy="Say in a few words what is wrong."
            )
        review = self.archive.review(sheet.kept, decision, reason.strip(), self.who)
        words = "accept" if accepts else "overrule"
        self._remember(_Reviewed(sheet.key, sheet.kept, sheet.review, review, words))
        self.update(sheet.key, review=review)
        return review

    # -- undo ----------------------------------------------------------------------------------

    @property
    def undo_words(self) -> str:
        """What would be undone, "" for nothing."""
        return self._done[-1].words if self._done else ""

    @property
    def redo_words(self) -> str:
        return self._undone[-1].words if self._undone else ""

    def undo(self) -> None:
        if not self._done:
            return
        command = self._done[-1]
        if isinstance(command, _SampleEdit):
            self._put_samples(command.before)
        elif isinstance(command, _SizeEdit):
            self._put_size(command.key, *command.before)
        else:
            self._put_review(command, command.before)
        self._undone.append(self._done.pop())
        self.on_change(None)

    def redo(self) -> None:
        if not self._undone:
            return
        command = self._undone[-1]
        if isinstance(command, _SampleEdit):
            self._put_samples(command.after)
        elif isinstance(command, _SizeEdit):
            self._put_size(command.key, *command.after)
        else:
            self._put_review(command, command.after)
        self._done.append(self._undone.pop())
        self.on_change(None)

    def _remember(self, command: _Command) -> None:
        self._done.append(command)
        self._undone.clear()

    def _put_samples(self, values: Mapping[int, tuple[Sample, str]]) -> None:
        for key, (sample, origin) in values.items():
            self.update(key, sample=sample, sample_origin=origin)

    def _put_size(self, key: int, page: int | None, size: PixelSize | None) -> None:
        """Show a page with a typed size; what was made of another page goes."""
        sheet = self._sheets.get(key)
        if sheet is None:
            return
        changes: dict[str, object] = {"typed_size": size}
        if size is None or sheet.typed_size != size:
            changes["typed_page"] = None if size is None else page
        if page != sheet.shown_page:
            changes |= {"page": page, "drawn": None}
            changes |= dict.fromkeys(("interpretation", "kept", "review"))
        self.update(key, **changes)

    def _put_review(self, command: _Reviewed, shown: Review | None) -> None:
        """Make `shown` the last word on an interpretation, by a new row."""
        decision, reason = (shown.decision, shown.reason) if shown else ("", "")
        row = self.archive.review(command.kept, decision, reason, self.who)
        sheet = self._sheets.get(command.key)
        # A newer interpretation may have taken the place of the reviewed one: the row is kept,
        # but it says nothing of what is shown now.
        if sheet is not None and sheet.kept == command.kept:
            self.update(command.key, review=row if shown else None)


def level_named(name: str) -> ContextLevel:
    """Raises BadInput for a word that is no context level."""
    for level in LEVELS:
        if level == name:
            return level
    raise BadInput(f"'{name}' is not a context level", remedy=f"Levels: {', '.join(LEVELS)}.")


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "unknown"
