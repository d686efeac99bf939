"""`glassview evaluate`: how good a model is, with intervals and controls."""

from __future__ import annotations

import argparse
from typing import Any

_EXAMPLES = """\
examples:
  glassview evaluate --model embedded -n 150 -o evaluation
  glassview evaluate --model my-checkpoint --data pairs.json --images figures -o evaluation
  glassview evaluate -o evaluation --judge endpoint:http://localhost:8000/v1#qwen-72b --limit 200000
  glassview evaluate -o evaluation --people graded.csv   (the filled copy of to_grade.csv)

The same command goes on where it was cut. The result: evaluation.json, evaluation.md, plots, and
to_grade.csv, the sheet for people.
"""


def add_commands(commands: Any) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="how good a model is, with intervals and controls",
        description="Quality, context, features and defects as the paper grades them, on held-out "
        "synthetic micrographs or on your pairs, beside a blank picture, the text alone, shuffled "
        "pictures and baselines that do not look.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("--model", default="embedded", metavar="REF", help="model reference")
    evaluate.add_argument(
        "-n", "--number", type=int, default=150, help="synthetic micrographs (default 150)"
    )
    evaluate.add_argument(
        "--look",
        choices=("plain", "wide"),
        default="plain",
        help="plain: one leading feature on an even ground, as the embedded checkpoint learned "
        "from; wide: fifteen grounds, up to four features, look-alikes",
    )
    evaluate.add_argument("--data", metavar="FILE", help="conversations instead (LLaVA format)")
    evaluate.add_argument("--images", metavar="DIR", help="folder of their pictures")
    evaluate.add_argument("--split", default="test", help="which of their splits (default test)")
    evaluate.add_argument(
        "--writer", default="", metavar="NAME", help="who wrote the pairs, where they do not say"
    )
    evaluate.add_argument(
        "--judge",
        action="append",
        metavar="REF",
        help="offline (default), or endpoint:URL#MODEL; more than one shows how they agree",
    )
    evaluate.add_argument(
        "--price", metavar="IN/OUT", help="money for a million tokens in and out, such as 2.5/10"
    )
    evaluate.add_argument(
        "--limit", type=float, help="what a judge may take, in that money, or in tokens without it"
    )
    evaluate.add_argument("--people", metavar="FILE", help="a sheet of grades that people gave")
    evaluate.add_argument("-o", "--out", default="evaluation", help="folder of the result")
    evaluate.add_argument("--workers", type=int, default=2, help="processes that paint and measure")
    evaluate.add_argument("--no-plots", action="store_true", help="figures in words alone")
    evaluate.add_argument("--json", action="store_true", help="one JSON document")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from glassllava.model.opening import open_model
    from glassllava.settings import load
    from training.evaluation import markdown
    from training.evaluation.evaluating import Wanted, evaluate
    from training.evaluation.offline import NAME

    settings = load(getattr(args, "settings", None))
    wanted = Wanted(
        number=args.number,
        data=Path(args.data) if args.data else None,
        images=Path(args.images) if args.images else None,
        split=args.split,
        judges=tuple(args.judge or (NAME,)),
        people=Path(args.people) if args.people else None,
        workers=args.workers,
        price=_price(args.price),
        limit=args.limit,
        writer=args.writer,
        look=args.look,
        with_plots=not args.no_plots,
    )
    out = Path(args.out)
    model = open_model(args.model, settings=settings)
    if model.identity.host is not None:
        _log(f"{model.identity.host} will see every picture and every word.")
    result = evaluate(model, wanted, out, log=_log, literature=_primer)
    if args.json:
        print(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(markdown.page(result), end="")
    for failure in result["failures"]:
        _log(f"not read: {failure['case']}: {failure['why']}")
    _log(f"result: {out}")
    ungraded = sum(sum(counts.values()) for counts in result["judge"]["ungraded"].values())
    return 1 if result["failures"] or ungraded else 0


def _primer(folder: Any) -> Any:
    from rag import open_library

    # The bundled primer alone: a person's own library is not what a model is measured with.
    return open_library(folder)


def _price(told: str | None) -> Any:
    from glassllava.errors import BadInput
    from training.served import Price

    if told is None:
        return None
    try:
        prompt, completion = map(float, told.split("/"))
    except ValueError:
        raise BadInput(
            f"'{told}' is no price", where="--price", remedy="Write two numbers, such as 2.5/10."
        ) from None
    return Price(prompt, completion)


def _log(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
