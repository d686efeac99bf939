"""`glassview curate`: papers to training conversations, checked by a person.

Knows the arguments alone; `commands` carries them out, and is imported when one is asked for.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_EXAMPLE = """\
examples, in the order of the work:
  glassview curate papers papers/ -w WORK
  glassview curate write WORK --limit 20 --price-in 2.5 --price-out 10
  glassview curate review WORK --by "A. Person"
  glassview curate export WORK -o data
"""


def add_commands(commands: Any) -> None:
    curate = commands.add_parser(
        "curate",
        help="papers to training conversations, checked by a person",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = curate.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_papers(steps)
    _add_write(steps)
    _add_review(steps)
    _add_licence(steps)
    _add_export(steps)
    _add_looking(steps)


def _step(steps: Any, name: str, help_: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = steps.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=f"example: glassview curate {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    from training.curation.commands import STEPS

    return STEPS[args.step](args)


def _work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", metavar="WORK", type=Path, help="folder of the curation")


def _add_papers(steps: Any) -> None:
    papers = _step(
        steps,
        "papers",
        "papers to figures, with caption, paragraphs, licence and split; resumes",
        "papers papers/ -w WORK",
    )
    papers.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="papers or folders")
    papers.add_argument(
        "-w", "--work", required=True, type=Path, metavar="WORK", help="folder of the curation"
    )
    papers.add_argument("--model", default="embedded", metavar="REF", help="whose eye sorts looks")
    papers.add_argument("--seed", type=int, default=0, help="of the splits")
    papers.add_argument(
        "--shares",
        nargs="+",
        metavar="SPLIT=SHARE",
        help="of the figures (default: train=0.8 validation=0.1 test=0.1)",
    )


def _add_write(steps: Any) -> None:
    write = _step(
        steps,
        "write",
        "let a server write questions and answers about the figures; resumes, pays nothing twice",
        "write WORK --model endpoint:https://api.openai.com/v1#gpt-4o --limit 20 "
        "--price-in 2.5 --price-out 10",
    )
    _work(write)
    write.add_argument(
        "--model",
        metavar="endpoint:URL#MODEL",
        help="who writes (default endpoint:https://api.openai.com/v1#gpt-4o); the key comes from "
        "GLASSVIEW_ENDPOINT_KEY, OPENAI_API_KEY or the system keyring",
    )
    write.add_argument("--yes", action="store_true", help="do not ask before the first call")
    write.add_argument("--dry-run", action="store_true", help="say what it would take, and stop")
    write.add_argument(
        "--limit",
        type=float,
        metavar="N",
        help="what the whole folder may cost, in --currency, or in tokens without prices",
    )
    write.add_argument("--price-in", type=float, metavar="P", help="of a million prompt tokens")
    write.add_argument("--price-out", type=float, metavar="P", help="of a million reply tokens")
    write.add_argument("--currency", default="USD", help="of the prices (default %(default)s)")
    write.add_argument("--together", type=int, default=4, metavar="N", help="calls in flight")
    write.add_argument(
        "--image-tokens", type=int, metavar="N", help="what one picture counts at most"
    )
    write.add_argument("--unsure", action="store_true", help="also figures that may be no SEM")
    write.add_argument(
        "--retry-failed", action="store_true", help="ask again where a paid reply was unusable"
    )


def _add_review(steps: Any) -> None:
    review = _step(
        steps,
        "review",
        "accept, edit or reject pairs; without a decision, one by one in the terminal",
        'review WORK --by "A. Person"',
    )
    _work(review)
    review.add_argument("--by", metavar="NAME", help="who decides; needed for every decision")
    review.add_argument("--list", action="store_true", help="the pairs, as they stand")
    review.add_argument("--page", action="store_true", help="write WORK/review.html to look at")
    review.add_argument(
        "--from", dest="file", type=Path, metavar="FILE", help="decisions that the page saved"
    )
    for word in ("accept", "reject", "edit", "undo"):
        review.add_argument(f"--{word}", nargs="+" if word != "edit" else None, metavar="ID")
    review.add_argument("--question", default="", help="with --edit")
    review.add_argument("--answer", default="", help="with --edit")
    review.add_argument("--reason", default="", help="why")


def _add_licence(steps: Any) -> None:
    licence = _step(
        steps,
        "licence",
        "state the licence of a paper that does not say it itself",
        'licence WORK smith-2021 CC-BY-4.0 --by "A. Person"',
    )
    _work(licence)
    licence.add_argument("paper", metavar="PAPER", help="its id, as `status` lists it")
    licence.add_argument("licence", metavar="LICENCE", help="such as CC-BY-4.0")
    licence.add_argument("--by", required=True, metavar="NAME", help="who states it")


def _add_export(steps: Any) -> None:
    export = _step(
        steps,
        "export",
        "conversations by split, pictures and the data card; refuses without every licence",
        "export WORK -o data",
    )
    _work(export)
    export.add_argument("-o", "--out", required=True, type=Path, metavar="OUT", help="new folder")
    export.add_argument("--checked-only", action="store_true", help="only what a person checked")
    export.add_argument(
        "--leave-out-unlicensed", action="store_true", help="instead of refusing, and say so"
    )


def _add_looking(steps: Any) -> None:
    status = _step(steps, "status", "where a curation stands", "status WORK")
    _work(status)
    leaks = _step(
        steps,
        "leaks",
        "look for papers, works and near-duplicate pictures that two splits share",
        "leaks WORK",
    )
    leaks.add_argument("source", type=Path, metavar="SOURCE", help="WORK, an export or its file")
    leaks.add_argument("--images", type=Path, metavar="DIR", help="pictures of conversations")
    explore = _step(
        steps,
        "explore",
        "map the figures by what they look like: do the splits cover the clusters",
        "explore WORK -o map",
    )
    _work(explore)
    explore.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="folder")
    explore.add_argument("--model", default="embedded", metavar="REF", help="embeds the pictures")
    explore.add_argument("--kind", choices=("sem", "all"), default="sem", help="which figures")
    explore.add_argument("--seed", type=int, default=0, help="of the map")
