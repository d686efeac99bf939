"""The data of the embedded checkpoint: how much of what, made in three passes, read back.

    pictures   painted, written, read back, marked (pictures)
    measured   what the product measures on them
    contexts   samples, what the rules say of the picture in each, the prompts (contexts)

Training and inference share one preprocessing: a picture goes through `micrograph.reading`, an
enquiry through `interpreter.prepare`. One picture stands in several contexts, since the context
decides what a feature means. Knows no model and no step. Every chunk of a pass is written whole or
not at all: making the data resumes where it was cut short.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glassllava import rules
from glassllava.errors import BadInput
from glassllava.literature import Literature, NoLiterature
from glassllava.measurement.quantities import Measurements
from training.embedded import contexts, pictures
from training.embedded.contexts import HELD, holds_out, write_contexts
from training.embedded.pictures import PARENTS
from training.whole import read_json_lines, write_json_lines

Array = np.ndarray[Any, np.dtype[Any]]

#: First seed of each split: no seed is in two.
FIRST_SEED = {
    "train": 1_000_000,
    "validation": 2_000_000,
    "calibration": 3_000_000,
    "test": 4_000_000,
    "apart": 5_000_000,
}
_CHUNK = 50
Look = Literal["plain", "wide"]


@dataclass(frozen=True, slots=True)
class DataPlan:
    """How much of what. `contexts` are samples a training micrograph, its own included.

    `apart` is a split of its own where it is counted: grounds and combinations of features that
    the others never show. Training never has a held triple of feature, material and process.
    """

    counts: Mapping[str, int]
    contexts: int = 8
    image_size: int = 1344
    passage_budget: int = 700
    #: Every n-th training micrograph is measured: the others are never asked at `high`.
    measured_every: int = 8
    #: Which micrographs: 'plain' (one even ground, one leading feature) or 'wide' (the rest).
    look: Look = "wide"

    def chunks(self) -> Iterator[tuple[str, int, int]]:
        """(split, first index, number) of every chunk."""
        for split, count in self.counts.items():
            for first in range(0, count, _CHUNK):
                yield split, first, min(_CHUNK, count - first)


def fingerprint(plan: DataPlan) -> str:
    """One hash over everything that decides what the data are: the sources of painters, samples and
    contexts, the rules, the seeds and the plan."""
    import training.synthesis as synthesis

    total = hashlib.sha256()
    assert synthesis.__file__ is not None
    sources = sorted(Path(synthesis.__file__).parent.glob("*.py"))
    sources += [Path(pictures.__file__), Path(contexts.__file__)]
    ground = Path(rules.__file__).parent
    sources += [ground / name for name in ("rules.csv", "sample_words.csv", "features.csv")]
    for path in sources:
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    words = [FIRST_SEED, dict(plan.counts), plan.contexts, plan.passage_budget, plan.look]
    total.update(json.dumps([*words, plan.measured_every]).encode())
    return total.hexdigest()


def make_data(folder: Path, plan: DataPlan, *, workers: int = 2, library: bool = True) -> None:
    """Everything that `plan` asks for and `folder` does not hold yet.

    Raises
    ------
    BadInput : where the folder holds data of another plan or of other painters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept, ours = folder / "fingerprint", fingerprint(plan)
    if kept.exists() and kept.read_text("utf-8").strip() != ours:
        raise BadInput(
            "The data there were made by another plan, or by other painters",
            where=folder,
            remedy="Name another folder to work in, or remove that one.",
        )
    kept.write_text(ours + "\n", "utf-8")
    passes: list[tuple[str, Callable[[Path, str, int], Path], Callable[..., None]]] = [
        ("painted", pictures.records_path, partial(_paint, folder, plan)),
        ("measured", pictures.measured_path, partial(_measure, folder, plan)),
        ("asked", contexts_path, partial(_ask, folder, plan, library)),
    ]
    # spawn: a forked child would inherit torch's thread pool in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for name, path, work in passes:
            todo = [chunk for chunk in plan.chunks() if not path(folder, *chunk[:2]).exists()]
            _spread(pool, work, todo, name)


def _spread(
    pool: ProcessPoolExecutor, work: Callable[..., None], todo: list[Any], name: str
) -> None:
    from tqdm import tqdm

    for _ in tqdm(pool.map(work, todo), total=len(todo), unit="chunk", desc=name, disable=None):
        pass


def contexts_path(folder: Path, split: str, first: int) -> Path:
    return folder / f"{split}-{first:06d}.contexts.jsonl"


def _paint(folder: Path, plan: DataPlan, chunk: tuple[str, int, int]) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    split, first, number = chunk
    seeds = [FIRST_SEED[split] + index for index in range(first, first + number)]
    pictures.paint(folder, split, first, seeds, plan.look)


def _measure(folder: Path, plan: DataPlan, chunk: tuple[str, int, int]) -> None:
    split, first, _ = chunk
    pictures.measure_chunk(folder, split, first, plan.measured_every if split == "train" else 1)


def _ask(folder: Path, plan: DataPlan, library: bool, chunk: tuple[str, int, int]) -> None:
    """The contexts of one chunk; those of training hold no triple that is held out."""
    from glassllava.micrograph.reading import read_micrograph

    literature = _library() if library else NoLiterature()
    split, first, _ = chunk
    told = zip(
        read_json_lines(pictures.records_path(folder, split, first)),
        read_json_lines(pictures.measured_path(folder, split, first)),
        strict=True,
    )
    rows = []
    for picture, measured in told:
        path = pictures.micrograph_path(folder, split, picture["seed"])
        judged = write_contexts(
            picture,
            read_micrograph(path, with_hash=False),
            Measurements.from_json(measured) if measured else Measurements(),
            number=plan.contexts if split == "train" else 1,
            passage_budget=plan.passage_budget,
            literature=literature,
            levels_measured=measured is not None,
            rng=np.random.default_rng((picture["seed"], 7)),
            held=HELD if split in ("train", "validation") else None,
        )
        rows.append({**picture, "contexts": judged})
    write_json_lines(contexts_path(folder, split, first), rows)


_OPEN: dict[str, Any] = {}  # what a worker process keeps between chunks


def _library() -> Literature:
    if "library" not in _OPEN:
        import tempfile

        from rag import open_library

        # The bundled primer alone: a person's own library is nobody's training data.
        _OPEN["library"] = open_library(Path(tempfile.mkdtemp(prefix="primer-")))
    return _OPEN["library"]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Split:
    """The records of one split of a folder of data, in order."""

    folder: Path
    name: str
    records: Sequence[Mapping[str, Any]]

    @property
    def labels(self) -> Array:
        """(N, 16) of 0 and 1, in the order of the parents."""
        return np.array([[float(p in r["present"]) for p in PARENTS] for r in self.records])

    def __getitem__(self, part: slice) -> Split:
        return Split(self.folder, self.name, self.records[part])

    def __len__(self) -> int:
        return len(self.records)


def read_split(folder: Path, split: str, limit: int | None = None) -> Split:
    """What `make_data` wrote, up to `limit` micrographs."""
    return Split(folder, split, _records(folder, f"{split}-*.contexts.jsonl", limit))


def read_pictures(folder: Path, split: str, limit: int | None = None) -> Split:
    """The same before contexts were written: what the tower learns from."""
    return Split(folder, split, _records(folder, f"{split}-*.pictures.jsonl", limit))


def _records(folder: Path, pattern: str, limit: int | None) -> list[Mapping[str, Any]]:
    records: list[Mapping[str, Any]] = []
    for path in sorted(folder.glob(pattern)):
        if limit is not None and len(records) >= limit:
            break
        # A picture of which no context could be written teaches no language.
        records += [row for row in read_json_lines(path) if row.get("contexts") != []]
    return records[:limit]


def triple_unseen(record: Mapping[str, Any]) -> bool:
    """Whether a test micrograph in its own context has a triple that training never had."""
    context = record["contexts"][0]
    return holds_out(context, HELD)
