"""Published figures that look like the open micrograph, as cards: picture, caption, paper, page.

Speaks to the library and to the model's eye; knows no widget. Each figure is looked at once for
each model, which takes a while after papers were added: `say` tells how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, GlassError
from glassllava.literature import Passage
from glassview.cards import byline, line
from glassview.session import Trouble

if TYPE_CHECKING:
    from rag.figures import Alike
    from rag.library import Library

_MOST = 12


@dataclass(frozen=True, slots=True)
class FigureCard:
    """One figure; `picture` is PNG or JPEG. `passage` is its place in the paper, or None."""

    title: str
    byline: str
    place: str
    caption: str
    likeness: float
    picture: bytes
    passage: Passage | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was looked for: for which micrograph (`key`), what was found among `total` figures."""

    key: object = None
    is_running: bool = False
    step: str = ""
    cards: tuple[FigureCard, ...] | None = None
    total: int = 0
    trouble: Trouble | None = None


def find(
    library: Library, model: Any, path: Path, page: int | None, say: Callable[[str], None]
) -> tuple[tuple[FigureCard, ...], int]:
    """The figures most like a micrograph, the nearest first, and among how many.

    Raises
    ------
    BadInput : for a model that only answers, and cannot look at figures.
    UnreadableMicrograph : where the file has gone since.
    """
    from glassllava.micrograph.reading import read_micrograph, specimen
    from rag.figures import fingerprint_of

    figures = library.figures()
    if not figures:
        return (), 0
    if not hasattr(model, "likeness"):
        raise BadInput(
            "This model answers questions, and has no eye that looks at figures",
            remedy="Use the embedded model, or a checkpoint on this machine.",
        )
    unseen = sum(figure.embedder != fingerprint_of(model) for figure in figures)
    if unseen:
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            say(f"Looking at figure {done:,} of {unseen:,}")

        progress(0)
        library.look_at_figures(model, progress)
    say("Comparing")
    found = library.like(model, specimen(read_micrograph(path, page)), _MOST)
    return tuple(_card(library, each) for each in found), len(figures)


def _card(library: Library, each: Alike) -> FigureCard:
    figure = each.figure
    kept = library.picture(each.view)
    panel = "one panel of it" if each.is_panel else ""
    page = f"p. {figure.page}" if figure.page is not None else ""
    return FigureCard(
        title=line(figure.title) or "Without a title",
        byline=byline(figure.authors, figure.year),
        place=" · ".join(filter(None, (page, line(figure.label), panel))),
        caption=line(figure.caption),
        likeness=each.score,
        picture=kept[1] if kept is not None else b"",
        passage=_passage(library, each),
    )


def _passage(library: Library, each: Alike) -> Passage | None:
    """What the paper says under the figure, so that its page can be opened."""
    if each.figure.passage_id is None:
        return None
    try:
        return library.get(each.figure.passage_id).passage
    except GlassError:  # an earlier version of the paper held it
        return None


def words_of(figures: Figures) -> str:
    """What stands over the cards, or in their place."""
    if figures.is_running:
        return f"{figures.step or 'Looking for figures that look alike'} …"
    if figures.trouble is not None:
        return f"{figures.trouble.what}. {figures.trouble.remedy}".strip()
    if figures.cards is None:
        return "Open a micrograph to find published figures that look like it."
    if not figures.total:
        return "The library holds no figures yet: add papers under Library."
    if not figures.cards:
        return f"None of the {figures.total:,} figures in the library looks like it."
    return (
        f"Nearest of {figures.total:,} published figures, by how they look: "
        "a likeness is no finding."
    )
