"""What `library show` shows: a passage between its neighbours, or a document with its figures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from rag.printed import short

if TYPE_CHECKING:
    from glassllava.literature import Passage
    from rag.library import Library
    from rag.manifest import DocumentRow
    from rag.passages import Entry
    from rag.plates import StoredFigure


@dataclass(frozen=True, slots=True)
class Shown:
    """A document, its figures, and, where one was asked for, a passage with what stands around it.

    `entry` is None where the whole document was asked for; `passages` are then all of it.
    """

    document: DocumentRow
    figures: tuple[StoredFigure, ...]
    passages: tuple[Passage, ...]
    entry: Entry | None = None
    before: Passage | None = None
    after: Passage | None = None


def show(library: Library, name: str) -> Shown:
    """The passage of this id, or the document of this key, path, title or DOI.

    Raises
    ------
    BadInput : for what is not there, or fits several documents.
    """
    rows = {row.key: row for row in library.documents()}
    key = library.key_of(name)
    entry = library.get(name) if key is not None else None
    if key is None:
        keys = library.keys_like(name)
        if len(keys) != 1:
            raise BadInput(
                f"'{short(name)}' names {len(keys)} documents and no passage",
                where=library.folder,
                remedy="`glassview library search` shows ids, such as primer:12; `glassview library"
                " list --json` shows keys.",
            )
        key = keys[0]
    row = rows[key]
    passages = library.reading(key)
    figures = tuple(item for item in library.figures() if _is_of(item, row))
    if entry is None:
        return Shown(row, figures, passages)
    place = [passage.id for passage in passages].index(name)
    own = tuple(item for item in figures if item.passage_id == name)
    return Shown(
        row,
        own,
        (),
        entry,
        passages[place - 1] if place else None,
        passages[place + 1] if place + 1 < len(passages) else None,
    )


def _is_of(figure: StoredFigure, row: DocumentRow) -> bool:
    return figure.path == row.path


def as_json(shown: Shown) -> dict[str, Any]:
    from rag.printed import document_json

    document = document_json(shown.document)
    figures = [_figure_json(figure) for figure in shown.figures]
    if shown.entry is None:
        passages = [passage.to_json() for passage in shown.passages]
        return {"document": document, "figures": figures, "passages": passages}
    return shown.entry.passage.to_json() | {
        "topics": list(shown.entry.topics),
        "materials": list(shown.entry.materials),
        "before": shown.before.to_json() if shown.before else None,
        "after": shown.after.to_json() if shown.after else None,
        "document": document,
        "figures": figures,
    }


def _figure_json(figure: StoredFigure) -> dict[str, Any]:
    told = dataclasses.asdict(figure)
    keep = ("id", "page", "label", "caption", "passage_id", "box", "picture", "width", "height")
    return {name: told[name] for name in keep}
