"""`glassview train`: the making of the model."""

from __future__ import annotations

import argparse
from typing import Any


def add_commands(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="make a model by a recipe",
        epilog="example: glassview train embedded_2cpu -o checkpoint --work scratch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("recipe", metavar="RECIPE", help="embedded_2cpu")
    train.add_argument("-o", "--out", default="checkpoint", help="folder of the checkpoint")
    train.add_argument("--work", default="training-work", help="folder of data and kept stages")
    train.add_argument("--workers", type=int, default=2, help="processes that make data")
    train.add_argument("--devices", type=int, default=1, help="for --plan")
    train.add_argument("--plan", action="store_true", help="say what would be done, and stop")
    train.add_argument("--json", action="store_true", help="one JSON document")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from pathlib import Path

    from training.recipes import named

    recipe = named(args.recipe)
    from training.embedded.making import make_embedded
    from training.ranks import Ranks

    out, work = Path(args.out), Path(args.work)
    make_embedded(recipe, out, work, workers=args.workers, ranks=Ranks(), log=_log)
    if args.json:
        print((Path(args.out) / "evaluation.json").read_text("utf-8"), end="")
    else:
        print(f"checkpoint: {args.out}")
    return 0


def _in_lines(plan: dict[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in plan.items())


def _log(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
