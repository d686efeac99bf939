"""Words burned into a micrograph, read by RapidOCR: the only file that speaks it.

Knows pictures and words; nothing of bars. The models ship in the package's wheel: their folder is
checked before the reader is opened, since the package would otherwise fetch them.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.errors import MissingPart

Array = np.ndarray[Any, Any]

REMEDY = "Install it with: pip install 'glassview[ocr]'"
_MODELS = ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx")
_UNSURE = 0.6
_readers: list[Any] = []
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and where it stands, in pixels of the picture that was read."""

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


def is_installed() -> bool:
    """Whether words can be read; imports nothing."""
    found = importlib.util.find_spec("rapidocr")
    return found is not None and _has_models(found.origin)


def read_lines(picture: Array) -> tuple[Line, ...]:
    """The lines of text in a (H, W) uint8 picture.

    Raises
    ------
    MissingPart : where the reader or its models are not installed.
    """
    # One at a time: the engine is not said to be safe for threads.
    with _lock:
        # All three are said each time: a call's choice stays for the calls after it.
        colours = np.repeat(picture[..., None], 3, axis=2)
        found = _reader()(colours, use_det=True, use_cls=False, use_rec=True)
    if found is None or found.boxes is None or found.txts is None:
        return ()
    lines = []
    for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True):
        corners = np.asarray(box, dtype=float)
        left, top = corners.min(axis=0)
        right, bottom = corners.max(axis=0)
        if score >= _UNSURE:
            lines.append(Line(str(text), float(score), left, top, right, bottom))
    return tuple(lines)


def read_line(picture: Array) -> tuple[str, float]:
    """The text and its score in a (H, W) uint8 picture of one line; ("", 0.0) for none.

    Raises
    ------
    MissingPart : where the reader or its models are not installed.
    """
    with _lock:
        colours = np.repeat(picture[..., None], 3, axis=2)
        found = _reader()(colours, use_det=False, use_cls=False, use_rec=True)
    if found is None or not found.txts:
        return "", 0.0
    return str(found.txts[0]), float(found.scores[0])


def _reader() -> Any:
    if not _readers:
        if not is_installed():
            raise MissingPart("The reader of lettering (rapidocr) is not installed", remedy=REMEDY)
        from rapidocr import RapidOCR  # a second, and only where a label is read

        _readers.append(
            RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.use_cls": False,
                    # Or every picture is enlarged to 736 px on its shorter side.
                    "Det.limit_type": "max",
                    "Det.limit_side_len": 1280,
                    # Spinning threads of several libraries slow each other down.
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        )
    return _readers[0]


def _has_models(origin: str | None) -> bool:
    folder = Path(origin or "").parent / "models"
    return all((folder / name).is_file() for name in _MODELS)
