"""`glassview library like`: published figures that look like a micrograph, with caption and page.

Opens the micrograph, the model whose eye looks, and the library; what alike means is `rag.figures`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from rag.figures import Alike, Eye
    from rag.library import Library

_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg"}


def add_like(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Register the sub-command through the `command` of `rag.cli`."""
    parser = command(
        "like", run, "published figures that look like a micrograph", "like pane.tif -k 3"
    )
    parser.add_argument("image", metavar="IMAGE", help="a micrograph, as `glassview inspect` reads")
    parser.add_argument("-k", type=int, default=5, metavar="N", help="at most N (default: 5)")
    parser.add_argument("--page", type=int, metavar="N", help="which page of the file (from 0)")
    parser.add_argument("--model", default="embedded", metavar="REF", help="whose eye looks")
    parser.add_argument("--save", metavar="FOLDER", help="write their pictures there")


def run(args: argparse.Namespace) -> int:
    from glassllava.errors import BadInput
    from glassllava.micrograph.reading import read_micrograph, specimen
    from rag import open_library

    if not 1 <= args.k <= 100:
        raise BadInput(f"{args.k} figures cannot be asked for", remedy="Ask for 1 to 100.")
    picture = specimen(read_micrograph(args.image, args.page))
    with open_library(args.library) as library:
        total = len(library.figures())
        found: Sequence[Alike] = ()
        if total:
            eye = eye_of(args.model)
            _look(library, eye)
            found = library.like(eye, picture, args.k)
        saved = _save(library, found, Path(args.save)) if args.save else {}
    if args.json:
        told = {
            "micrograph": str(args.image),
            "figures_in_library": total,
            "figures": [as_json(each) | {"file": saved.get(each.view)} for each in found],
        }
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(_in_words(found, total, saved))
    return 0


def eye_of(reference: str) -> Eye:
    """The model behind `reference`, where it runs here and so can look at a figure.

    Raises
    ------
    ModelUnavailable : for an endpoint, which only answers.
    """
    from glassllava.errors import ModelUnavailable
    from glassllava.model.opening import open_model

    model: Any = open_model(reference)
    if not hasattr(model, "likeness"):
        raise ModelUnavailable(
            "This model answers questions, and has no eye that looks at figures",
            where=reference,
            remedy="Name a checkpoint folder, or leave --model out.",
        )
    eye: Eye = model
    return eye


def _look(library: Library, eye: Eye) -> None:
    from rag.figures import fingerprint_of
    from rag.progress import progress_bar

    unseen = sum(figure.embedder != fingerprint_of(eye) for figure in library.figures())
    if unseen:
        with progress_bar(unseen, "looking at figures", "figure") as bar:
            library.look_at_figures(eye, bar.update)


def _save(library: Library, found: Sequence[Alike], folder: Path) -> dict[str, str]:
    """Where each view's picture was written, by its hash.

    Raises
    ------
    BadInput : where nothing can be written.
    """
    from glassllava.errors import BadInput

    written = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(found, start=1):
            kept = library.picture(each.view)
            if kept is not None:
                path = folder / f"{number:02}{_ENDINGS.get(kept[0], '.bin')}"
                path.write_bytes(kept[1])
                written[each.view] = str(path)
    except OSError as error:
        raise BadInput(f"Nothing can be written there ({error.strerror})", where=folder) from error
    return written


def as_json(each: Alike) -> dict[str, Any]:
    """One figure for programs; `view` is the hash of the picture that looks alike."""
    figure = each.figure
    return {
        "id": figure.id,
        "label": figure.label,
        "caption": figure.caption,
        "page": figure.page,
        "title": figure.title,
        "authors": figure.authors,
        "year": figure.year,
        "doi": figure.doi,
        "path": figure.path,
        "passage_id": figure.passage_id,
        "score": round(each.score, 4),
        "view": each.view,
        "panel": each.is_panel,
    }


def _in_words(found: Sequence[Alike], total: int, saved: dict[str, str]) -> str:
    from rag.printed import plain, wrapped

    if not total:
        return "The library holds no figures yet: add papers with `glassview library add`."
    if not found:
        return f"None of the {total} figures looks like it."
    lines = []
    for number, each in enumerate(found, start=1):
        figure = each.figure
        place = f", p. {figure.page}" if figure.page is not None else ""
        panel = ", one panel of it" if each.is_panel else ""
        lines.append(
            plain(f"[{number}] {figure.title}{place}: {figure.label}{panel}   ({each.score:.2f})")
        )
        if figure.caption:
            lines.append(wrapped(figure.caption))
        if each.view in saved:
            lines.append(f"    {saved[each.view]}")
    return "\n".join(lines)
