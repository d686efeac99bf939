"""Whether splits share what they must not: a paper, a work, a picture or its near-duplicate.

    check_leaks(source, *, images=None, told=None) -> Leaks      looks, and refuses nothing
    refuse_leaks(leaks, source) -> None                          raises BadInput where there is one

`source` is a WORK folder, its figures.jsonl, a conversations file (`glassllava.conversation`), or a
folder that holds such files alone, one for each split, as exports write them; pictures of
conversations are looked for under `images`, else beside the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava.conversation import read_conversations
from glassllava.errors import BadInput
from training.curation.duplicates import find_same, look
from training.curation.figure import FIGURES, read_figures
from training.curation.pictures import read_picture
from training.curation.splits import title_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Leak:
    """Two records of different splits that share something; `why` is a sentence's end."""

    why: str
    one: str
    other: str
    splits: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found. `checked` pictures were looked at, `missing` ones could not be opened."""

    leaks: tuple[Leak, ...]
    records: int
    checked: int
    missing: tuple[str, ...]


def check_leaks(
    source: Path,
    *,
    images: Path | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Leaks:
    """Compare every picture with every other of another split; `told` is (pictures read, of all).

    Raises
    ------
    BadInput : where the source is not there or no such file.
    """
    records = tuple(_records(source))
    if not records:
        raise BadInput("There is no record in this file", where=source)
    leaks = list(_shared_words(records))
    root = images or (source if source.is_dir() else source.parent)
    pictures = {record.image: record for record in records}
    looks, known, missing = [], [], []
    for number, (image, record) in enumerate(pictures.items(), start=1):
        try:
            looks.append(look(read_picture(root / image)))
            known.append(record)
        except BadInput as error:
            missing.append(f"{image}: {error.what}")
        if told:
            told(number, len(pictures))
    for pair in find_same(looks, [record.split for record in known]):
        one, other = known[pair.one], known[pair.other]
        why = f"show the same ({one.image}, {other.image}; agreement {pair.score:.2f})"
        leaks.append(Leak(why, one.id, other.id, (one.split, other.split)))
    return Leaks(tuple(leaks), len(records), len(looks), tuple(missing))


def refuse_leaks(leaks: Leaks, source: Path) -> None:
    """Raises BadInput that names the first leaks, or the pictures that could not be checked."""
    if leaks.leaks:
        first = leaks.leaks[0]
        raise BadInput(
            f"{len(leaks.leaks)} pairs of records leak from split to split; {first.one} "
            f"({first.splits[0]}) and {first.other} ({first.splits[1]}) {first.why}",
            where=source,
            remedy="Give what belongs together one split: glassview curate papers does.",
        )
    if leaks.missing:
        raise BadInput(
            f"{len(leaks.missing)} pictures could not be compared; the first is {leaks.missing[0]}",
            where=source,
            remedy="Name the folder that holds the pictures with --images.",
        )


@dataclass(frozen=True, slots=True)
class _Record:
    id: str
    image: str
    split: str
    shared: tuple[tuple[str, str], ...]


def _records(source: Path) -> Iterator[_Record]:
    """Figures of a work folder, or conversations; what two of one work have in common, with each.

    Raises
    ------
    BadInput : where the source is not there, or neither.
    """
    if source.name == FIGURES or (source.is_dir() and not _exported(source)):
        for figure in read_figures(source if source.is_dir() else source.parent):
            shared = [("are of one paper", figure.paper), ("have one picture", figure.image)]
            if figure.doi:
                shared.append(("are of one work by its DOI", figure.doi.lower()))
            if key := title_key(figure.title):
                shared.append(("are of one work by its title", key))
            if figure.sha256:
                shared.append(("are one picture, byte for byte", figure.sha256))
            yield _Record(figure.id, figure.image, figure.split, tuple(shared))
        return
    files = _exported(source) if source.is_dir() else [source]
    for said in (said for file in files for said in read_conversations(file)):
        shared = [("are of one paper", said.paper)] if said.paper else []
        shared.append(("ask about one picture", said.image))
        yield _Record(said.id, said.image, said.split, tuple(shared))


def _exported(folder: Path) -> list[Path]:
    """The files of conversations in the folder of an export; none in a work folder."""
    if (folder / FIGURES).exists():
        return []
    return sorted(path for path in folder.glob("*.json") if path.name != "card.json")


def _shared_words(records: tuple[_Record, ...]) -> Iterator[Leak]:
    """The first two records of each two splits that share a paper, a work or a picture's name."""
    first: dict[tuple[str, str], dict[str, _Record]] = {}
    told: set[tuple[str, str, str]] = set()
    for record in records:
        for shared in record.shared:
            by_split = first.setdefault(shared, {})
            for split, other in by_split.items():
                pair = (min(split, record.split), max(split, record.split), _short(shared))
                if split != record.split and pair not in told:
                    told.add(pair)
                    yield Leak(shared[0], other.id, record.id, (split, record.split))
            by_split.setdefault(record.split, record)


def _short(shared: tuple[str, str]) -> str:
    return hashlib.sha256("\0".join(shared).encode()).hexdigest()
