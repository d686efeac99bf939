"""Published figures that look like a micrograph: which, how near, with their caption and page.

A figure is looked at whole, and each image that it was put together from by itself, so that one
panel of four may answer. The eye is the model's own vision tower. What was seen is kept in the
manifest; a figure is looked at once for each model. Searches are exact: libraries hold thousands
of figures, not millions. Knows no file format but PNG and JPEG, and no words.
"""

from __future__ import annotations

import io
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from glassllava.micrograph.contrast import to_8bit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glassllava.model.backend import ModelIdentity
    from rag.manifest import Manifest
    from rag.plates import StoredFigure

_LOG = logging.getLogger(__name__)
_BATCH = 8
#: Pixels of one picture that are decoded at most; PAPERS keep less.
_LARGEST = 64_000_000
#: Images of one figure that are looked at by themselves.
MOST_PANELS = 16
#: Raised when the preparing of pictures changes: vectors compare only under one.
_VERSION = 1
#: Weight of greys and edges beside the eye (decision 2026-11-28-figures).
_GREYS = 0.7


class Eye(Protocol):
    """A model that sees: unit vectors (n, d) float32 of grey pictures; alike lie near."""

    @property
    def identity(self) -> ModelIdentity: ...

    def likeness(self, pictures: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True, slots=True)
class Alike:
    """A figure with the cosine of its most similar view, -1 to 1, and that view's picture hash."""

    figure: StoredFigure
    score: float
    view: str

    @property
    def is_panel(self) -> bool:
        """Whether one image of several looks alike, and not the figure as a whole."""
        return self.view != self.figure.picture and len(self.figure.originals) > 1


def views_of(figure: StoredFigure) -> tuple[str, ...]:
    """Hashes of the pictures of a figure that are looked at: the whole, then its panels."""
    return tuple(dict.fromkeys((figure.picture, *figure.originals[:MOST_PANELS])))


def look_at_new(
    manifest: Manifest, eye: Eye, progress: Callable[[int], None] | None = None
) -> tuple[int, int]:
    """Look at every figure that this eye has not seen; (looked at, not decodable).

    A figure whose picture cannot be decoded is remembered as seen, with no vector that finds it.
    """
    fingerprint = fingerprint_of(eye)
    unseen = [f for f in manifest.figures() if f.embedder != fingerprint]
    blind = 0
    for start in range(0, len(unseen), _BATCH):
        part = unseen[start : start + _BATCH]
        pictures, owners = [], []
        for figure in part:
            for view in views_of(figure):
                pictures.append(_decoded(manifest.picture(view)))
                owners.append(figure.row)
        shown = [picture for picture in pictures if picture is not None]
        seen = iter(seen_by(eye, shown))
        size = 0
        vectors: dict[int, list[np.ndarray[Any, Any] | None]] = {f.row: [] for f in part}
        for owner, picture in zip(owners, pictures, strict=True):
            vector = next(seen) if picture is not None else None
            size = size if vector is None else len(vector)
            vectors[owner].append(vector)
        blind += sum(all(v is None for v in each) for each in vectors.values())
        manifest.embed_figures(
            fingerprint,
            {
                row: np.concatenate([np.zeros(size) if v is None else v for v in each])
                for row, each in vectors.items()
            },
        )
        if progress:
            progress(len(part))
    return len(unseen), blind


def alike(
    manifest: Manifest,
    eye: Eye,
    picture: np.ndarray[Any, Any],
    limit: int,
    generation: int | None = None,
) -> tuple[Alike, ...]:
    """The figures most like a grey picture of any depth (H, W), best first, looked at before.

    `generation` asks the library as it was then. The same picture in two papers is told once.
    """
    at = manifest.generation if generation is None else generation
    fingerprint = fingerprint_of(eye)
    vector = seen_by(eye, [to_8bit(picture)])[0]
    found = []
    for figure in manifest.figures():
        there = figure.added <= at and (figure.removed is None or figure.removed > at)
        if not there or figure.embedder != fingerprint or figure.vector is None:
            continue
        views = views_of(figure)
        if not figure.vector.size or figure.vector.size % len(views):
            continue  # seen by nobody: its pictures could not be decoded
        cosines = figure.vector.reshape(len(views), -1) @ vector
        best = int(cosines.argmax())
        found.append(Alike(figure, float(cosines[best]), views[best]))
    found.sort(key=lambda each: (-each.score, each.figure.row))
    told: dict[str, Alike] = {}
    for each in found:
        if each.score > 0 and len(told) < limit:
            told.setdefault(each.view, each)
    return tuple(told.values())


def seen_by(eye: Eye, pictures: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Unit vectors (n, d) float32 of grey pictures of 8 bits: the eye's, and greys and edges."""
    if not pictures:
        return np.empty((0, 0), np.float32)
    greys = np.array([greys_and_edges(picture) for picture in pictures])
    vectors = np.hstack([eye.likeness(pictures), _GREYS * greys])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def greys_and_edges(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How often each grey, each steepness and each direction of an edge occurs; unit, (60,)."""
    from PIL import Image

    small = np.asarray(Image.fromarray(picture).resize((256, 256)), float)
    down, across = np.gradient(small)
    steep = np.hypot(down, across)
    turned = np.histogram(np.arctan2(down, across) % np.pi, 12, (0, np.pi), weights=steep)[0]
    shares = (
        np.histogram(small, 32, (0, 256))[0] / small.size,
        np.histogram(np.minimum(steep, 63.9), 16, (0, 64))[0] / small.size,
        turned / max(float(turned.sum()), 1e-9),
    )
    # Square roots, so that the product of two vectors is Bhattacharyya's coefficient.
    spread: np.ndarray[Any, Any] = np.sqrt(np.concatenate(shares))
    return spread / np.linalg.norm(spread)


def fingerprint_of(eye: Eye) -> str:
    """What vectors of figures compare under: the model's files and our preparing."""
    return f"{eye.identity.sha256} figures {_VERSION}"


def _decoded(stored: tuple[str, bytes] | None) -> np.ndarray[Any, Any] | None:
    """Grey levels (H, W), 8 bits, in the specimen's own range; None for what is no picture."""
    from PIL import Image

    if stored is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(stored[1]), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > _LARGEST or min(opened.size) < 2:
                    return None
                return to_8bit(np.asarray(opened.convert("L")))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
            _LOG.info("a figure's picture cannot be decoded: %s", error)
            return None
