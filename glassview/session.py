"""The desktop's state: what is open, what is known of it, and what a person decided.

Every change goes through a method of `Session`, which tells its one listener the key of what
changed. Sample edits and reviews can be undone; a review that is undone is withdrawn by a new row,
since decisions are never deleted. Knows nothing of widgets, of threads, or of how a review is kept
(`Archive`).
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from glassllava.errors import BadInput, GlassError
from glassllava.interpretation import Decision, Interpretation
from glassllava.micrograph.record import Micrograph, PixelSize
from glassllava.prompt import DEFAULT_QUESTION
from glassllava.sample import LEVELS, ContextLevel, Sample, read_sample

#: What a folder is searched for; a file that is named directly is tried whatever its name.
SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"})
MOST_FILES = 20_000

ReviewDecision = Literal["accepted", "overruled", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Review:
    """A person's decision about an interpretation.

    `verdict` is what the person says it is: the record's own where it was accepted.
    """

    interpretation: str  # sha256 of the record
    who: str
    when: str  # ISO 8601 with its zone
    decision: ReviewDecision
    verdict: Decision
    reason: str = ""


class Archive(Protocol):
    """Where interpretations and reviews are kept."""

    def keep(self, interpretation: Interpretation) -> None: ...

    def review(self, review: Review) -> None: ...


class NoArchive:
    """Keeps nothing: for a session that is only looked at."""

    def keep(self, interpretation: Interpretation) -> None:
        return None

    def review(self, review: Review) -> None:
        return None


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
    trouble: Trouble | None = None
    sample: Sample = field(default_factory=Sample)
    sample_origin: str = ""
    sample_trouble: Trouble | None = None
    level: ContextLevel = "high"
    question: str = DEFAULT_QUESTION
    stage: str = ""  # what a running interpretation is doing; "" when none runs
    interpretation: Interpretation | None = None
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


@dataclass(frozen=True, slots=True)
class _SampleEdit:
    before: Mapping[int, tuple[Sample, str]]
    after: Mapping[int, tuple[Sample, str]]
    words: str


@dataclass(frozen=True, slots=True)
class _Reviewed:
    key: int
    before: Review | None
    after: Review
    words: str


class Session:
    """What is open; `on_change` hears the key of every sheet that changed, None for the list."""

    def __init__(
        self,
        archive: Archive | None = None,
        on_change: Callable[[int | None], None] = lambda key: None,
        who: str | None = None,
    ) -> None:
        self.archive: Archive = archive or NoArchive()
        self.on_change = on_change
        self.who = who if who is not None else _person()
        self._sheets: dict[int, Sheet] = {}
        self._next = 1
        self.current: int | None = None
        self._done: list[_SampleEdit | _Reviewed] = []
        self._undone: list[_SampleEdit | _Reviewed] = []

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

    def concluded(self, key: int, interpretation: Interpretation) -> None:
        """A new interpretation: kept in the archive, not yet reviewed."""
        self.archive.keep(interpretation)
        self.update(
            key,
            interpretation=interpretation,
            interpretation_trouble=None,
            review=None,
            stage="",
        )

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
        self._put_samples(edit.after)
        self._remember(edit)

    def review(
        self, decision: ReviewDecision, *, verdict: Decision | None = None, reason: str = ""
    ) -> Review:
        """Accept or overrule the interpretation that is shown.

        Raises
        ------
        BadInput : where there is none, or an overruling has no reason.
        """
        sheet = self.sheet
        if sheet is None or sheet.interpretation is None:
            raise BadInput(
                "There is no interpretation to review", remedy="Interpret the micrograph first."
            )
        if decision == "overruled" and not reason.strip():
            raise BadInput(
                "An overruling needs its reason", remedy="Say in a few words what is wrong."
            )
        made = sheet.interpretation
        review = Review(
            interpretation=made.sha256(),
            who=self.who,
            when=_now(),
            decision=decision,
            verdict=verdict or made.verdict.decision,
            reason=reason.strip(),
        )
        self.archive.review(review)
        self._remember(_Reviewed(sheet.key, sheet.review, review, decision))
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
        else:
            back = command.before
            row = (
                replace(back, when=_now(), who=self.who)
                if back
                else replace(
                    command.after, when=_now(), who=self.who, decision="withdrawn", reason="undone"
                )
            )
            self._put_review(command, row, back)
        self._undone.append(self._done.pop())
        self.on_change(None)

    def redo(self) -> None:
        if not self._undone:
            return
        command = self._undone[-1]
        if isinstance(command, _SampleEdit):
            self._put_samples(command.after)
        else:
            again = replace(command.after, when=_now(), who=self.who)
            self._put_review(command, again, again)
        self._done.append(self._undone.pop())
        self.on_change(None)

    def _remember(self, command: _SampleEdit | _Reviewed) -> None:
        self._done.append(command)
        self._undone.clear()

    def _put_samples(self, values: Mapping[int, tuple[Sample, str]]) -> None:
        for key, (sample, origin) in values.items():
            self.update(key, sample=sample, sample_origin=origin)

    def _put_review(self, command: _Reviewed, row: Review, shown: Review | None) -> None:
        self.archive.review(row)
        sheet = self._sheets.get(command.key)
        made = sheet.interpretation if sheet else None
        # A newer interpretation has taken the place of the reviewed one: the row is kept, but
        # it says nothing of what is shown now.
        if made is not None and made.sha256() == row.interpretation:
            self.update(command.key, review=shown)


def find_micrographs(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """Files as named, folders as what lies in them and below, in the order people expect.

    Hidden files and folders are passed over, links to folders are not followed.

    Raises
    ------
    BadInput : for a path that is not there, or folders without a single micrograph.
    """
    found: dict[Path, None] = {}
    folders = []
    for given in paths:
        path = Path(given).absolute()
        if path.is_dir():
            folders.append(path)
            found.update(dict.fromkeys(_in_folder(path)))
        elif path.exists():
            found[path] = None
        else:
            raise BadInput("There is no such file or folder", where=path, remedy="Check the path.")
    if folders and not found:
        raise BadInput(
            "There is no micrograph in this folder",
            where=folders[0],
            remedy=f"Files that end in {', '.join(sorted(SUFFIXES))} are looked for.",
        )
    return tuple(found)[:MOST_FILES]


def _in_folder(folder: Path) -> list[Path]:
    found: list[Path] = []
    for at, below, names in os.walk(folder):
        here = Path(at)
        below[:] = sorted((n for n in below if not n.startswith(".")), key=natural)
        found += [
            here / name
            for name in sorted(names, key=natural)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
        if len(found) > MOST_FILES:
            break
    return found


def natural(name: str) -> tuple[object, ...]:
    """A sort key by which image_2 comes before image_10."""
    return tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in re.split(r"(\d{1,18})", name.casefold())
        if part
    )


def sample_beside(path: Path) -> tuple[Sample, str, Trouble | None]:
    """The sample that lies beside a micrograph: NAME.sample.toml, else sample.toml.

    Returns the sample, the name of its file ("" for none) and why that file could not be used.
    """
    for file in (path.with_name(f"{path.stem}.sample.toml"), path.with_name("sample.toml")):
        if file.is_file():
            try:
                return read_sample(file), file.name, None
            except GlassError as error:
                return Sample(), file.name, Trouble.of(error)
    return Sample(), "", None


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
