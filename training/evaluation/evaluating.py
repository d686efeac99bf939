"""One evaluation from end to end: cases, evidence, answers, grades, figures, files.

Everything that took time is kept in the folder of the result, so that the same call goes on where
one was cut: pictures and cases, measurements, answers (for each model), a judge's replies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, RunUnavailable
from glassllava.literature import Literature, NoLiterature
from training.bars import bar
from training.embedded.dataset import Look
from training.evaluation import (
    agreement,
    baselines,
    evidence,
    families,
    grading,
    markdown,
    offline,
    plots,
    summary,
    synthetic,
    texts,
)
from training.evaluation.asking import Answered, ask_all
from training.evaluation.cases import Case, conversation_cases

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel
    from training.served import Price, Server

Log = Callable[[str], None]
FEWEST = 10
_WRITERS = 5  # whose kinship with a judge is told


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be evaluated, on what, and who judges.

    `number` synthetic micrographs, unless `data` names a conversations file with its `images`.
    `judges` are "offline" or `endpoint:URL#MODEL`; the first that is no "offline" gives the grades
    of the table. `limit` is what all calls of one judge may take together. `writer` is who wrote
    the data, where the records do not say; `size` that of synthetic micrographs, (rows, columns),
    `look` whether they are 'plain', as the checkpoint that ships learned from, or 'wide'.
    """

    number: int = 150
    data: Path | None = None
    images: Path | None = None
    split: str = "test"
    judges: tuple[str, ...] = (offline.NAME,)
    people: Path | None = None
    workers: int = 2
    price: Price | None = None
    limit: float | None = None
    training_texts: int = baselines.SAMPLES
    writer: str = ""
    size: tuple[int, int] | None = None
    look: Look = "plain"
    with_plots: bool = True


def evaluate(
    model: VisionModel,
    wanted: Wanted,
    out: Path,
    *,
    log: Log,
    literature: Callable[[Path], Literature] | None = None,
) -> dict[str, Any]:
    """The result, and its files in `out`: evaluation.json, evaluation.md, plots, to_grade.csv.

    `literature` opens the passages that synthetic cases are told, from a folder of its own.

    Raises
    ------
    BadInput : for too few cases, a file that is no conversations file, a sheet that is none.
    ModelUnavailable : where the model or a judge does not answer; the same call goes on from there.
    RunUnavailable : where `out` cannot be written.
    """
    people = agreement.read_sheet(wanted.people) if wanted.people else {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        cases = _cases(wanted, out)
        seen, failures = evidence.gather(cases, out / "measured" / _name(wanted), wanted.workers)
        texts_told = _training_texts(wanted, out)
    except OSError as error:
        raise RunUnavailable(
            f"The folder of the result cannot be used ({error.strerror or error})", where=out
        ) from error
    readable = [case for case in cases if case.id in seen]
    if not readable:
        raise BadInput(
            f"None of the {len(cases)} pictures can be read; the first: {failures[0].why}",
            where=str(wanted.data or out),
        )
    # A conversation's own words tell its context: no passage is looked up for it.
    is_told = readable[0].told is not None
    opened = NoLiterature() if is_told or literature is None else literature(out / "primer")
    folder = out / "answers" / _name(wanted) / _safe(model.identity.reference)
    answered = ask_all(model, readable, seen, opened, folder)
    rows = grading.rows_of(answered)
    judges, notes, hosts = [offline.NAME], [], {}
    for server in _servers(wanted, out):
        kin = _kin(server.model, model, readable, wanted)
        for sentence in kin:  # before anything is paid
            log(f"{sentence}.")
        notes += kin
        rows = _judge(rows, server, log)
        judges.append(server.model)
        notes += _without_grade(rows, server.model)
        hosts[server.model] = server.host
    main = judges[1] if len(judges) > 1 else offline.NAME
    base, right = baselines.figures(readable, texts_told)
    if "why_not" in base:
        notes.append(f"There are no baselines: {base['why_not']}")
    identity = model.identity
    result = {
        "schema": summary.SCHEMA,
        "model": {
            "reference": identity.reference,
            "name": identity.name,
            "sha256": identity.sha256,
            "host": identity.host,
            "calibrated": model.calibration is not None,
            "trained_on_synthetic": identity.trained_on_synthetic,
        },
        "data": _data(wanted),
        "cases": len(readable),
        "groups": len({case.group for case in readable}),
        "groups_are": "papers" if wanted.data else "families of the generator",
        "failures": [{"case": each.case, "why": each.why} for each in failures],
        "judge": {
            "name": main,
            "host": hosts.get(main),
            "all": judges,
            "ungraded": {name: texts.ungraded(rows, name) for name in judges},
        },
        "notes": _notes(model, answered, failures) + notes,
        **summary.figures(answered, rows, main, right),
        "baselines": base,
        "agreement": agreement.figures(
            {**agreement.judges_of(rows, judges), **people},
            {agreement.item_of(row): row.case.group for row in rows},
        ),
    }
    _write(out, result, rows, wanted.with_plots)
    return result


def _cases(wanted: Wanted, out: Path) -> list[Case]:
    if wanted.data is None:
        if wanted.number < FEWEST:
            raise BadInput(f"Fewer than {FEWEST} micrographs give no figure", remedy="Raise -n.")
        folder = out / _pictures(wanted)
        return synthetic.synthetic_cases(
            wanted.number, folder, wanted.workers, wanted.size, wanted.look
        )
    if wanted.images is None:
        raise BadInput(
            "The folder of the pictures is not told", where=wanted.data, remedy="Add --images DIR."
        )
    return conversation_cases(wanted.data, wanted.images, wanted.split)


def _training_texts(wanted: Wanted, out: Path) -> list[baselines.Text]:
    if wanted.data is None:
        folder = out / f"training-texts{_look(wanted)}"
        number, workers = wanted.training_texts, wanted.workers
        return baselines.synthetic_texts(number, folder, workers, wanted.look)
    assert wanted.images is not None
    try:
        return baselines.texts_of(conversation_cases(wanted.data, wanted.images, "train"))
    except BadInput:
        return []  # the file holds no training split: the result says that it has no baselines


def _servers(wanted: Wanted, out: Path) -> list[Server]:
    from training.served import Server

    return [
        Server(
            reference,
            cache=out / "judged" / _safe(reference),
            price=wanted.price,
            limit=wanted.limit,
        )
        for reference in wanted.judges
        if reference != offline.NAME
    ]


def _judge(rows: list[grading.Row], server: Server, log: Log) -> list[grading.Row]:
    """The rows with this judge's grades; says first who will read how much, and what it costs."""
    from training.evaluation import judging

    estimate = server.estimate(judging.asks_of(grading.to_be_judged(rows)))
    cost = "" if estimate.cost is None else f", at most about {estimate.cost:.2f} by the price told"
    log(
        f"The judge {server.model} at {server.host} will read questions, references and replies, "
        f"no picture: {estimate.calls} calls ({estimate.cached} are kept), about "
        f"{estimate.prompt_tokens} tokens in and up to {estimate.completion_tokens} out{cost}."
    )
    with bar("judged") as told:
        return grading.judged(rows, server, told)


def _without_grade(rows: Sequence[grading.Row], judge: str) -> list[str]:
    counts = texts.ungraded(rows, judge)
    if not counts:
        return []
    reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items())
    return [
        f"{sum(counts.values())} of {len(rows)} replies have no grade by {judge} and stand in no "
        f"mean ({reasons})"
    ]


def _kin(judge: str, model: VisionModel, cases: Sequence[Case], wanted: Wanted) -> list[str]:
    """Where the judge is kin to who wrote the references, or to the model that it grades."""
    said = [families.kinship(judge, model.identity.name, "is being graded")]
    # A program and a person are no model's kin.
    writers = sorted({c.writer or wanted.writer for c in cases} - {synthetic.WRITER, "person"})
    said += [families.kinship(judge, who, "wrote the references") for who in writers[:_WRITERS]]
    if len(writers) > _WRITERS:
        said.append(f"{len(writers) - _WRITERS} more writers of references are not compared")
    return [sentence for sentence in said if sentence]


def _notes(
    model: VisionModel, answered: Sequence[Answered], failures: Sequence[evidence.Failure]
) -> list[str]:
    said = [said for one in answered for said in one.said.values()]
    notes = []
    if all(each.probability is None for each in said):
        notes.append(
            "The model tells no probabilities: there is no figure of its verdict, only of what its "
            "text says"
        )
    elif not any(each.calibrated for each in said):
        notes.append(
            "Nothing is calibrated for these prompts: probabilities are raw, and the product would "
            "leave every verdict undecided"
        )
    if answered[0].case.told is not None:
        notes.append(
            "The pairs tell their context in words, to which the product adds nothing: blank and "
            "text only are the same control here"
        )
    if failures:
        notes.append(f"{len(failures)} cases could not be read and stand in no figure")
    return notes


def _data(wanted: Wanted) -> str:
    if wanted.data is None:
        return (
            f"synthetic micrographs ({wanted.look}) of the held-out test seeds, painted by a "
            "program: no specimen"
        )
    return f"conversations of split '{wanted.split}' in {wanted.data.name}"


def _write(
    out: Path, result: dict[str, Any], rows: Sequence[grading.Row], with_plots: bool
) -> None:
    try:
        text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
        (out / "evaluation.json").write_text(text + "\n", "utf-8")
        (out / "evaluation.md").write_text(markdown.page(result), "utf-8")
        if with_plots:
            plots.draw(result, out)
        agreement.write_sheet(out / "to_grade.csv", rows)
    except OSError as error:
        raise RunUnavailable(f"The result cannot be written ({error})", where=out) from error


def _pictures(wanted: Wanted) -> str:
    size = "" if wanted.size is None else "-{}x{}".format(*wanted.size)
    return f"micrographs{_look(wanted)}{size}"


def _look(wanted: Wanted) -> str:
    return "" if wanted.look == "plain" else f"-{wanted.look}"


def _name(wanted: Wanted) -> str:
    if wanted.data is None:
        return _pictures(wanted).replace("micrographs", "synthetic")
    return _safe(f"{wanted.data.resolve()}-{wanted.split}")


def _safe(reference: str) -> str:
    """A folder's name for a reference: readable, and its own."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", reference).strip("-")[-40:]
    return f"{plain}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}"
