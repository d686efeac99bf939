"""The held-out synthetic micrographs as cases: pictures of the test seeds, questions, references.

The references are written by a program from the truth and the rules that judged it; no model wrote
a word of them. The generator's family is the group.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glassllava import features
from glassllava.prompt import DEFAULT_QUESTION
from training.embedded.dataset import FIRST_SEED, Look
from training.evaluation.cases import Case, Kind, Truth, read_case, write_case
from training.evaluation.workers import spread

if TYPE_CHECKING:
    from training.synthesis import SyntheticMicrograph

#: A simple question asks one thing; a complex one joins what is seen with what the sample is.
QUESTIONS: dict[Kind, tuple[str, ...]] = {
    "simple": ("What is on this micrograph?", "Is this a defect for this sample?"),
    "complex": (
        DEFAULT_QUESTION,
        "What is on this micrograph, is any of it a defect for this sample, and why?",
    ),
}
WRITER = "a program, from the truth and the context rules"


def synthetic_case(
    index: int, folder: Path, size: tuple[int, int] | None = None, look: Look = "plain"
) -> Case:
    """Case `index` of the test split; its picture is written into `folder` and kept there.

    `size` is (rows, columns) of the picture; the generator draws one of its own without it.
    """
    seed = FIRST_SEED["test"] + index
    kept = folder / f"{seed}.json"
    if kept.exists():
        return read_case(kept)
    from training.synthesis import Plan, generate
    from training.synthesis.files import write_tiff

    scene = generate(seed, plan=Plan(look=look), size=size)
    image = write_tiff(scene, folder / f"{seed}.tif")
    kind: Kind = "simple" if index % 2 == 0 else "complex"
    question = QUESTIONS[kind][index // 2 % 2]
    case = Case(
        id=str(seed),
        group=scene.family,
        image=image,
        sample=scene.sample,
        question=question,
        kind=kind,
        reference=reference(scene, question),
        present=tuple(p for p in features.PARENTS if p in scene.present),
        truth=truth_of(scene),
        writer=WRITER,
    )
    write_case(kept, case)  # last: what is kept is whole
    return case


def synthetic_cases(
    number: int,
    folder: Path,
    workers: int,
    size: tuple[int, int] | None = None,
    look: Look = "plain",
) -> list[Case]:
    """The first `number` cases of the test split."""
    folder.mkdir(parents=True, exist_ok=True)
    make = partial(synthetic_case, folder=folder, size=size, look=look)
    return list(spread(make, range(number), workers, "painted"))


def truth_of(scene: SyntheticMicrograph) -> Truth:
    if scene.defect is None:
        return "depends"
    return "defect" if scene.defect else "no_defect"


def reference(scene: SyntheticMicrograph, question: str) -> str:
    """The right answer: what is there, what it means for the sample, as far as it was asked."""
    there = [features.name_of(p) for p in features.PARENTS if p in scene.present]
    seen = f"On the micrograph there is: {'; '.join(there)}."
    meaning = {
        "defect": f"For this sample there is a defect: {scene.reason}.",
        "no_defect": f"For this sample there is no defect: {scene.reason}.",
        "depends": f"For this sample it depends: {scene.reason}.",
    }[truth_of(scene)]
    if "defect" not in question:
        return seen
    return f"{seen} {meaning}" if "What" in question else meaning
