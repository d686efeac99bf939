"""`glassview library evaluate`: the table of `rag.evaluation` over a person's library.

Without a file of questions the bundled ones are asked of the primer alone, whatever else the
library holds; with one, they are asked of the whole library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from rag.evaluation import Question, Retriever, Scores
    from rag.library import Library

Among = Literal["primer", "papers", "all"]
BUNDLED = Path(__file__).with_name("questions.toml")


def add_evaluate(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Register the sub-command through the `command` of `rag.cli`."""
    parser = command(
        "evaluate", run, "how well questions find what answers them", "evaluate --json"
    )
    parser.add_argument(
        "--questions",
        metavar="FILE",
        help="judged questions of your own, written as in rag/questions.toml",
    )
    parser.add_argument(
        "--split",
        choices=("test", "tune", "all"),
        default="test",
        help="which questions: those that nothing was tuned on (default), the others, or all",
    )


def run(args: argparse.Namespace) -> int:
    from rag import open_library
    from rag.evaluation import read_questions

    path = Path(args.questions) if args.questions else BUNDLED
    questions = of_split(read_questions(path), args.split)
    with open_library(args.library) as library:
        ways = searches_of(library, "primer" if not args.questions else "all")
    told = evaluate(questions, ways)
    if args.json:
        head = {"questions": str(path), "split": args.split}
        print(json.dumps(head | as_json(told), ensure_ascii=False, indent=2))
    else:
        print(as_text(told))
    return 0


def of_split(questions: Sequence[Question], split: str) -> tuple[Question, ...]:
    from glassllava.errors import BadInput

    chosen = tuple(q for q in questions if split in ("all", q.split))
    if not any(question.is_answerable for question in chosen):
        raise BadInput(f"No judged question is of the split '{split}'", remedy="Try --split all.")
    return chosen


def searches_of(library: Library, among: Among) -> dict[str, Retriever]:
    """BM25 alone, dense alone and ours, as the library is now, answering from `among` alone."""
    import numpy as np  # not before a question is asked: --help stays quick

    from rag.embedding import shared_embedder
    from rag.evaluation import searches
    from rag.lexicon import Lexicon
    from rag.manifest import Manifest
    from rag.passages import PRIMER_KEY

    manifest = Manifest(library.folder)
    try:
        holdings = manifest.holdings()
    finally:
        manifest.close()
    entries = [item.entry for item in holdings.passages]
    primer = np.array([e.passage.id.startswith(f"{PRIMER_KEY}:") for e in entries], bool)
    allowed = {"primer": primer, "papers": ~primer, "all": np.ones(len(entries), bool)}[among]
    alive = holdings.alive(holdings.generation)
    return searches(holdings, Lexicon.of(entries), shared_embedder(), alive, allowed)


def evaluate(questions: Sequence[Question], ways: Mapping[str, Retriever]) -> dict[str, Scores]:
    from rag.evaluation import score

    return {name: score(questions, search) for name, search in ways.items()}


def as_text(told: Mapping[str, Scores]) -> str:
    """A table in Markdown; the last way is the one that the others are held against."""
    from rag.evaluation import MEASURES

    *_, (last, ours) = told.items()
    answerable = len(ours.values)
    groups = len({q.group for q in ours.questions if q.is_answerable})
    lines = [
        f"{answerable} questions with an answer, drawn in {groups} groups;"
        f" {len(ours.questions) - answerable} without; 95 % bootstrap intervals",
        "",
        f'| | {" | ".join(MEASURES)} | "no evidence": precision | recall |',
        f"|{' --- |' * (len(MEASURES) + 3)}",
    ]
    for name, scores in told.items():
        cells = [str(scores.interval(measure) or "-") for measure in MEASURES]
        right, silent, none = scores.silence
        cells += [f"{right} of {silent}", f"{right} of {none}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name, scores in told.items():
        if name != last:
            cells = [str(ours.interval(measure, scores) or "-") for measure in MEASURES]
            lines.append(f"| {last} - {name} | {' | '.join(cells)} | | |")
    return "\n".join(lines)


def as_json(told: Mapping[str, Scores]) -> dict[str, Any]:
    from rag.evaluation import MEASURES

    def means(scores: Scores, against: Scores | None = None) -> dict[str, Any]:
        found = {measure: scores.interval(measure, against) for measure in MEASURES}
        return {measure: value.to_json() if value else None for measure, value in found.items()}

    *_, (last, ours) = told.items()
    ways: dict[str, Any] = {}
    for name, scores in told.items():
        right, silent, none = scores.silence
        ways[name] = means(scores) | {
            "no_evidence": {"right": right, "silent": silent, "unanswerable": none}
        }
        if name != last:
            ways[name][f"{last} above it"] = means(ours, scores)
    return {
        "answerable": len(ours.values),
        "unanswerable": len(ours.questions) - len(ours.values),
        "ways": ways,
    }
