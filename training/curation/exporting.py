"""A work folder made into training data: conversations by split, pictures, evidence, and the card.

What a person rejected is never exported. Without the licence of every paper nothing is; papers
whose licence is not known may be left out on purpose. Knows how a conversation is asked (through
`glassllava.prompt`, as the product asks); nothing of how training reads it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassllava.conversation import Conversation, Turn, write_conversations
from glassllava.errors import BadInput, RunUnavailable
from glassllava.literature import Passage
from glassllava.measurement.quantities import Measurements
from glassllava.micrograph.reading import read_micrograph
from glassllava.prompt import Budget, compose
from glassllava.sample import Sample
from training.curation.asking import picture_bytes, words_of
from training.curation.balance import balance
from training.curation.card import MADE_BY, card, in_words
from training.curation.figure import Figure, read_figures
from training.curation.leaks import check_leaks, refuse_leaks
from training.curation.ledger import PairLedger, Written

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg"}


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the data are, and the card as a dictionary."""

    folder: Path
    card: Mapping[str, Any]


def export(
    work: Path, out: Path, *, leave_out_unlicensed: bool = False, checked_only: bool = False
) -> Exported:
    """Write OUT: a JSON of conversations for each split, images/, evidence, reviews and the card.

    OUT is new, empty, or an earlier export, which is replaced when the new one is whole.

    Raises
    ------
    BadInput : where nothing stands, a licence is missing, splits leak, or OUT holds something else.
    """
    named, out = out, out.resolve()
    _refuse_folder(out)
    figures = {figure.id: figure for figure in read_figures(work)}
    with PairLedger(work) as ledger:
        standing = [one for one in ledger.written() if one.figure in figures]
        stated, reviews = ledger.stated_licences(), ledger.reviews()
        drops, failures, superseded = ledger.drops(), ledger.failures(), ledger.superseded()
    usable = [one for one in standing if one.decision != "reject"]
    left_out: Counter[str] = Counter()
    if checked_only:
        left_out["not checked by a person"] = sum(not one.decision for one in usable)
        usable = [one for one in usable if one.decision]
    licences = _licences((figures[one.figure] for one in usable), stated)
    without = sorted(paper for paper, (licence, _) in licences.items() if not licence)
    if without and not leave_out_unlicensed:
        raise BadInput(
            f"The licence of {len(without)} paper{'s'[: len(without) > 1]} is not known: "
            + "; ".join(_named(paper, figures.values()) for paper in without),
            where=work,
            remedy="State each: glassview curate licence WORK PAPER LICENCE --by NAME; or leave "
            "these papers out with --leave-out-unlicensed.",
        )
    gone = [one for one in usable if figures[one.figure].paper in without]
    left_out["of papers without a known licence"] = len(gone)
    usable = [one for one in usable if figures[one.figure].paper not in without]
    balanced = balance(usable, {id_: figure.split for id_, figure in figures.items()})
    if not balanced.kept:
        raise BadInput(
            "There is no pair to export",
            where=work,
            remedy="Write and review first; `glassview curate status WORK` says where it stands.",
        )
    refuse_leaks(check_leaks(work), work)
    used = {figures[one.figure].paper for one in balanced.kept}
    told = card(
        figures=tuple(figures.values()),
        standing=standing,
        balanced=balanced,
        licences={paper: said for paper, said in licences.items() if paper in used},
        drops=drops,
        failures=failures,
        superseded=superseded,
        left_out={why: count for why, count in left_out.items() if count},
    )
    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / "images").mkdir(parents=True)
        names = _write_pictures(balanced.kept, figures, work, part / "images")
        _write_pairs(balanced.kept, figures, names, licences, part)
        rows = [{name: getattr(r, name) for name in r.__slots__} for r in reviews]
        _write_lines(part / "reviews.jsonl", rows)
        (part / "card.json").write_text(json.dumps(told, indent=2, ensure_ascii=False), "utf-8")
        (part / "DATA_CARD.md").write_text(in_words(told), "utf-8")
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    except OSError as error:
        raise RunUnavailable(
            f"The export cannot be written ({error})",
            where=out,
            remedy="Check the disk and the rights of the folder.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(named, told)


def conversation(
    written: Written, figure: Figure, picture: Path, image: str, licence: str
) -> Conversation:
    """A pair as the product would ask it at its level: what is told first, then the question."""
    pair = written.standing
    micrograph = read_micrograph(picture, with_hash=False, with_databar=False)
    passages = tuple(
        Passage(
            id=f"{figure.id}-{number}",
            text=text,
            title=figure.title or figure.paper,
            authors=figure.authors,
            year=figure.year,
            doi=figure.doi or None,
            page=figure.page or None,
            kind="caption" if text == figure.caption else "text",
        )
        for number, text in enumerate(words_of(figure))
    )
    enquiry = compose(
        replace(micrograph, pixel_size=None),  # a printed picture's dots say nothing of the sample
        Sample.from_mapping(written.sample, where=written.id),
        pair.question,
        pair.level,
        measurements=Measurements(),
        passages=passages,
        query="",
        probe_keys=(),
        passage_budget=Budget(sum(len(passage.text) for passage in passages)),
    )
    question = enquiry.verdict_text if pair.kind == "verdict" else pair.question
    person = written.review.who if written.review else ""
    return Conversation(
        id=written.id,
        image=image,
        turns=(Turn("\n".join(filter(None, (enquiry.prefix, question))), pair.answer),),
        paper=figure.paper,
        licence=licence,
        split=figure.split,
        features=pair.features,
        defect=_defect(written),
        context_level=pair.level,
        question_type="complex" if pair.kind == "complex" else "simple",
        answer_source=f"{written.model} at {written.host}"
        + (f", edited by {person}" if written.decision == "edit" else ""),
        checked_by=person,
    )


def _defect(written: Written) -> bool | None:
    """Whether the micrograph shows a defect: only a verdict tells, a claim is about one feature."""
    return written.standing.answer == "Yes." if written.pair.kind == "verdict" else None


def _licences(
    figures: Iterable[Figure], stated: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """By paper: its licence and who says so; a person's word stands above the paper's file."""
    return {
        figure.paper: stated.get(figure.paper, (figure.licence, "the paper")) for figure in figures
    }


def _named(paper: str, figures: Iterable[Figure]) -> str:
    title = next((figure.title for figure in figures if figure.paper == paper), "")
    return f"{paper} ({title[:60]})" if title else paper


def _refuse_folder(out: Path) -> None:
    if out == Path.cwd() or out in Path.cwd().parents:
        raise BadInput(
            "The folder one stands in cannot be replaced", where=out, remedy="Name a new folder."
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        is_ours = json.loads((out / "card.json").read_text("utf-8"))["made_by"] == MADE_BY
    except (OSError, ValueError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise BadInput(
            "This is not empty and no earlier export", where=out, remedy="Name a new folder."
        )


def _write_pictures(
    pairs: Sequence[Written], figures: Mapping[str, Figure], work: Path, folder: Path
) -> dict[str, str]:
    """The pictures under names that only their bytes decide; by figure, the name."""
    names = {}
    for id_ in dict.fromkeys(one.figure for one in pairs):
        data = picture_bytes(figures[id_], work)
        suffix = next((s for head, s in _SUFFIXES.items() if data.startswith(head)), ".tif")
        names[id_] = f"{hashlib.sha256(data).hexdigest()[:32]}{suffix}"
        (folder / names[id_]).write_bytes(data)
    return names


def _write_pairs(
    pairs: Sequence[Written],
    figures: Mapping[str, Figure],
    names: Mapping[str, str],
    licences: Mapping[str, tuple[str, str]],
    folder: Path,
) -> None:
    by_split: dict[str, list[Conversation]] = {}
    evidence = []
    for one in pairs:
        figure = figures[one.figure]
        image = f"images/{names[figure.id]}"
        licence = licences[figure.paper][0]
        made = conversation(one, figure, folder / image, image, licence)
        by_split.setdefault(figure.split, []).append(made)
        evidence.append(
            {
                "id": one.id,
                "support": list(one.pair.support),
                "paper": figure.paper,
                "page": figure.page,
                "figure": figure.name,
                "kind": one.pair.kind,
            }
        )
    for split, made_of in by_split.items():
        write_conversations(folder / f"{split}.json", made_of)
    _write_lines(folder / "evidence.jsonl", evidence)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
