"""A case: one picture, one question, what is known of the sample, and what is true.

Synthetic micrographs and the pairs of a conversations file become the same thing here, so that
one evaluation serves both. Knows no model and no grade.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from glassllava import features
from glassllava.conversation import Conversation, read_conversations
from glassllava.errors import BadInput
from glassllava.quotation import harmless
from glassllava.sample import LEVELS, ContextLevel, Sample
from training.evaluation import stated
from training.whole import write_whole

Kind = Literal["simple", "complex"]
Truth = Literal["defect", "no_defect", "depends"]
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Case:
    """One question about one picture, asked at `levels`.

    `group` is the paper, or the generator's family: what the bootstrap draws. `present` are the
    parents that are there, None where nobody said; `truth` likewise. `told` is None where the
    product writes the prompt; else the words of a conversation that tell all the context there is
    (the question itself where they are one). `writer` is who wrote the reference.
    """

    id: str
    group: str
    image: Path
    sample: Sample
    question: str
    kind: Kind
    reference: str
    present: tuple[str, ...] | None
    truth: Truth | None
    levels: tuple[ContextLevel, ...] = LEVELS
    told: str | None = None
    writer: str = ""

    @property
    def defect(self) -> bool | None:
        return {"defect": True, "no_defect": False}.get(self.truth or "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"image": str(self.image), "sample": self.sample.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        present = data["present"]
        return cls(
            **{
                **data,
                "image": Path(data["image"]),
                "sample": Sample.from_mapping(data["sample"]),
                "present": None if present is None else tuple(present),
                "levels": tuple(data["levels"]),
            }
        )


def without_expected(case: Case) -> Case:
    """The same case, of whose sample nobody said what is intended."""
    return replace(case, sample=replace(case.sample, expected=()))


def conversation_cases(path: Path, images: Path, split: str = "test") -> list[Case]:
    """A case for every question of `split` in a conversations file.

    All context stands in the question's own words, as the pair was written: the product adds no
    measurement and no passage, and the pair is asked at its own level.

    Raises
    ------
    BadInput : for a file that is none, without a record of `split`, or a picture that is not
        within `images`.
    """
    records = list(read_conversations(path))
    chosen = [record for record in records if record.split == split]
    if not chosen:
        there = sorted({record.split for record in records})
        raise BadInput(
            f"The file holds no conversation of split '{split}'",
            where=path,
            remedy=f"It holds: {', '.join(there) or 'none at all'}. Name one with --split.",
        )
    cases = [case for record in chosen for case in _of_record(record, path, images)]
    _refuse_twins(cases, path)
    return cases


def _leads_out(images: Path, inside: PurePosixPath) -> bool:
    """Whether a link leads out of the folder: data of others must not show a model other files."""
    try:
        return not (images / inside).resolve().is_relative_to(images.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, links in a ring
        return True


def _of_record(record: Conversation, path: Path, images: Path) -> Iterable[Case]:
    inside = PurePosixPath(record.image)
    if (
        not record.image
        or inside.is_absolute()
        or ".." in inside.parts
        or _leads_out(images, inside)
    ):
        raise BadInput(
            f"The picture '{record.image}' is not one within the folder of images",
            where=f"{path} {record.id}",
        )
    for number, turn in enumerate(record.turns):
        *context, question = [line for line in turn.question.splitlines() if line.strip()] or [""]
        # As exports write them: the context in lines of its own, then the question. Of one line,
        # the question itself tells what there is to tell.
        if not context and record.context_level != "none":
            context = [question]
        said = stated.verdict(turn.answer, turn.question)
        truth: Truth | None = "depends" if said == "depends" else None
        if record.defect is not None:
            truth = "defect" if record.defect else "no_defect"
        # Names are anyone's, and stand in results and on terminals.
        name, paper = harmless(record.id), harmless(record.paper)
        yield Case(
            id=name if len(record.turns) == 1 else f"{name}#{number + 1}",
            group=paper or name,
            image=images / inside,
            sample=Sample(),
            question=question,
            kind=record.question_type,
            reference=turn.answer,
            present=tuple(dict.fromkeys(map(features.parent_of, record.features))) or None,
            truth=truth,
            levels=(record.context_level,),
            told="\n".join(context),
            writer=harmless(record.answer_source)[:_LONGEST_NAME],
        )


def _refuse_twins(cases: list[Case], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise BadInput(f"Two conversations have the id '{case.id}'", where=path)
        seen.add(case.id)


def write_case(path: Path, case: Case) -> None:
    """Write a case whose picture stands beside it: the folder may be moved."""
    data = case.to_json() | {"image": case.image.name}
    write_whole(path, json.dumps(data, ensure_ascii=False) + "\n")


def read_case(path: Path) -> Case:
    case = Case.from_json(json.loads(path.read_text("utf-8")))
    return replace(case, image=path.parent / case.image)
