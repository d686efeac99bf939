"""`glassview evaluate`: how good a model is."""

from __future__ import annotations

import argparse
from typing import Any


def add_commands(commands: Any) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a model on held-out synthetic micrographs",
        epilog="example: glassview evaluate --model embedded -n 100",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("--model", default="embedded", metavar="REF", help="model reference")
    evaluate.add_argument("-n", "--number", type=int, default=100, help="micrographs")
    evaluate.add_argument("--work", default="evaluation-work", help="folder of micrographs")
    evaluate.add_argument("--json", action="store_true", help="one JSON document")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from training.evaluation import tables
    from training.evaluation.asking import evaluate

    figures = evaluate(args.model, args.number, Path(args.work), log=_log)
    print(json.dumps(figures, indent=2) if args.json else tables.as_markdown(figures), end="\n")
    return 0


def _log(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
