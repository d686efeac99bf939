"""Synthetic micrographs made ready for training: written, read back, measured, put into words.

Every micrograph is written as a TIFF and read by the same code as a person's, its enquiries come
from `interpreter.prepare`, and its pixels go through `processing.see`: training and inference
share one preprocessing. One micrograph stands in several contexts, since the context decides what
a feature means. Knows nothing of the model beyond the tower's frozen early blocks, whose output
it keeps, so that no training step has to look at pixels again.

A folder of data holds, for each split, chunks of records (JSON lines) and of early features
(float16), each written whole or not at all: making the data resumes where it was cut short.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassllava import features, interpreter, rules
from glassllava.literature import Literature, NoLiterature
from glassllava.measurement.quantities import Measurements
from glassllava.prompt import Budget
from glassllava.sample import LEVELS, Sample, understand
from training.whole import write_whole

if TYPE_CHECKING:
    from training.synthesis import SyntheticMicrograph

PARENTS = tuple(features.PARENTS)
Array = np.ndarray[Any, np.dtype[Any]]

#: First seed of each split: no seed is in two.
FIRST_SEED = {
    "train": 1_000_000,
    "validation": 2_000_000,
    "calibration": 3_000_000,
    "test": 4_000_000,
}
_CHUNK = 50
Look = Literal["plain", "wide"]


@dataclass(frozen=True, slots=True)
class DataPlan:
    """How much of what. `contexts` are samples a training micrograph, its own included."""

    counts: Mapping[str, int]
    contexts: int = 3
    image_size: int = 448
    passage_budget: int = 700
    #: Every n-th training micrograph is measured: the others are never asked at `high`.
    measured_every: int = 2
    #: Which micrographs: 'plain' (one even ground, one leading feature) or 'wide' (the rest).
    look: Look = "plain"

    def chunks(self) -> Iterator[tuple[str, int, int]]:
        """(split, first index, number) of every chunk."""
        for split, count in self.counts.items():
            for first in range(0, count, _CHUNK):
                yield split, first, min(_CHUNK, count - first)


def fingerprint(plan: DataPlan) -> str:
    """One hash over the generator's source, the rules, the seeds and the counts."""
    import training.synthesis as synthesis

    total = hashlib.sha256()
    assert synthesis.__file__ is not None
    sources = sorted(Path(synthesis.__file__).parent.glob("*.py"))
    ground = Path(rules.__file__).parent
    sources += [ground / name for name in ("rules.csv", "sample_words.csv", "features.csv")]
    for path in sources:
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    words = [FIRST_SEED, dict(plan.counts), plan.contexts, plan.image_size, plan.measured_every]
    words.append(plan.look)
    total.update(json.dumps(words).encode())
    return total.hexdigest()


def make_data(folder: Path, plan: DataPlan, *, workers: int = 2, library: bool = True) -> None:
    """Everything that `plan` asks for and `folder` does not hold yet."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fingerprint").write_text(fingerprint(plan) + "\n", "utf-8")
    todo = [chunk for chunk in plan.chunks() if not _paths(folder, *chunk[:2])[0].exists()]
    work = partial(_make_chunk, folder, plan, library)
    # spawn: a forked child would inherit torch's thread pool in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for _ in tqdm(pool.map(work, todo), total=len(todo), unit="chunk", disable=None):
            pass


def _paths(folder: Path, split: str, first: int) -> tuple[Path, Path]:
    stem = f"{split}-{first:06d}"
    return folder / f"{stem}.jsonl", folder / f"{stem}.npy"


def _make_chunk(folder: Path, plan: DataPlan, library: bool, chunk: tuple[str, int, int]) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from glassllava.micrograph.reading import read_micrograph
    from glassllava.model import processing
    from training.synthesis import Plan, generate
    from training.synthesis.files import write_tiff

    torch.set_num_threads(1)
    literature = _library() if library else NoLiterature()
    tower = _tower(plan.image_size)
    split, first, number = chunk
    lines, kept = [], []
    pictures = folder / "micrographs" / split
    pictures.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + number):
        seed = FIRST_SEED[split] + index
        synthetic = generate(seed, plan=Plan(look=plan.look))
        path = pictures / f"{seed}.tif"
        write_tiff(synthetic, path)
        micrograph = read_micrograph(path, with_hash=False)
        rng = np.random.default_rng(seed)
        measured = split != "train" or index % plan.measured_every == 0
        lines.append(_record(synthetic, micrograph, plan, rng, literature, split, measured))
        picture = processing.see(micrograph, plan.image_size)
        with torch.inference_mode():
            pixels = torch.from_numpy(picture.astype(np.float32))
            pixels = ((pixels - 127) / 128).expand(1, 3, -1, -1)
            kept.append(tower.early(pixels)[0].half().numpy())
    records, early = _paths(folder, split, first)
    temporary = early.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, np.stack(kept))
    temporary.replace(early)
    write_whole(records, "".join(json.dumps(line) + "\n" for line in lines))


_OPEN: dict[str, Any] = {}  # what a worker process keeps between chunks


def _library() -> Literature:
    if "library" not in _OPEN:
        import tempfile

        from rag import open_library

        # The bundled primer alone: a person's own library is nobody's training data.
        _OPEN["library"] = open_library(Path(tempfile.mkdtemp(prefix="primer-")))
    return _OPEN["library"]  # type: ignore[no-any-return]


def _tower(image_size: int) -> Any:
    if "tower" not in _OPEN:
        from glassllava.model.tower import TowerConfig
        from training.embedded.start import imagenet_weights, pretrained_tower

        _OPEN["tower"] = pretrained_tower(imagenet_weights(), TowerConfig(image_size)).eval()
    return _OPEN["tower"]


def _record(
    synthetic: SyntheticMicrograph,
    micrograph: Any,
    plan: DataPlan,
    rng: np.random.Generator,
    literature: Literature,
    split: str,
    measured: bool,
) -> dict[str, Any]:
    """One micrograph with its truth and its contexts, as JSON."""
    from glassllava.measurement import measure

    measurements = measure(micrograph) if measured else Measurements()
    scenes = [synthetic]
    if split == "train":
        scenes += other_contexts(synthetic, plan.contexts - 1, rng)
    return {
        "seed": synthetic.seed,
        "family": synthetic.family,
        "present": sorted(synthetic.present),
        "keys": [truth.key for truth in synthetic.truths],
        "counts": [truth.count for truth in synthetic.truths],
        "artefacts": [key for key in synthetic.artefacts if key != "art_databar"],
        "contexts": [
            _context(scene, micrograph, measurements, plan, literature, measured)
            for scene in scenes
        ],
    }


def _context(
    scene: SyntheticMicrograph,
    micrograph: Any,
    measurements: Measurements,
    plan: DataPlan,
    literature: Literature,
    measured: bool,
) -> dict[str, Any]:
    levels: dict[str, Any] = {}
    for level in LEVELS:
        if level == "high" and not measured:
            continue
        enquiry = interpreter.prepare(
            micrograph,
            scene.sample,
            "",
            level,
            literature=literature,
            probe_keys=PARENTS,
            passage_budget=Budget(plan.passage_budget),
            measurements=measurements,
        )
        levels[level] = {
            "prefix": enquiry.prefix,
            "given": enquiry.level_given,
            "passages": [f"{p.title}. {p.text}" for p in enquiry.passages],
        }
    return {
        "sample": scene.sample.to_json(),
        "defect": scene.defect,
        "reason": scene.reason,
        "rulings": list(scene.rulings),
        "truths": [
            {
                "key": t.key,
                "verdict": t.ruling.verdict if t.ruling else None,
                "reason": t.ruling.reason if t.ruling else "",
            }
            for t in scene.truths
        ],
        "levels": levels,
    }


def other_contexts(
    synthetic: SyntheticMicrograph, number: int, rng: np.random.Generator
) -> list[SyntheticMicrograph]:
    """The same pixels with other samples, judged again; the verdict is defined in most."""
    from training.synthesis import samples

    lead = synthetic.truths[0].key
    found: list[SyntheticMicrograph] = []
    for turn in range(4 * number):
        # Contexts of this feature by turns for either verdict, now and then those of another.
        key = lead if rng.random() < 0.8 else str(rng.choice(sorted(features.vocabulary())))
        said = samples.verdicts_for(key)
        if not said or key.startswith("art_"):
            continue
        wanted = samples.wanted_for(key, rng, said[turn % len(said)])
        sample = samples.write_sample(wanted, rng, synthetic.view)
        scene = judged_again(synthetic, sample)
        if scene.defect is not None or rng.random() < 0.15:
            found.append(scene)
        if len(found) == number:
            break
    return found


def judged_again(synthetic: SyntheticMicrograph, sample: Sample) -> SyntheticMicrograph:
    """The same pixels in the context of another sample, by the same rules."""
    from training.synthesis.truth import _size_tokens as size_tokens

    tokens = understand(sample).tokens
    truths = tuple(
        replace(t, ruling=rules.judge_child(t.key, {**tokens, **size_tokens(t.sizes)}))
        for t in synthetic.truths
    )
    return replace(synthetic, sample=sample, tokens=tokens, truths=truths)


@dataclass(frozen=True)
class Split:
    """The records of one split and their early features, in order."""

    records: Sequence[Mapping[str, Any]]
    early: Array  # (N, 112, S/16, S/16) float16

    @property
    def labels(self) -> Array:
        """(N, 16) of 0 and 1, in the order of the parents."""
        return np.array([[float(p in r["present"]) for p in PARENTS] for r in self.records])


def read_split(folder: Path, split: str, limit: int | None = None) -> Split:
    """What `make_data` wrote, up to `limit` micrographs."""
    records: list[Mapping[str, Any]] = []
    early = []
    for path in sorted(folder.glob(f"{split}-*.jsonl")):
        if limit is not None and len(records) >= limit:
            break
        records += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        early.append(np.load(path.with_suffix(".npy"), allow_pickle=False))
    stacked = np.concatenate(early)
    return Split(records[:limit], stacked[:limit])
