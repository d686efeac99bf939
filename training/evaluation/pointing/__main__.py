"""`python -m training.evaluation.pointing`: does a model see a feature where it is?"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_EXAMPLES = """\
examples:
  python -m training.evaluation.pointing --model embedded -n 200 -o pointing
  python -m training.evaluation.pointing --model my-checkpoint -n 30 --findings 0 --occlusion 30
  python -m training.evaluation.pointing --model my-checkpoint --fit -n 200

The result: pointing.json, pointing.md, pointing.png. --fit instead finds from which probability on
a cell of the map shows a feature, and keeps that in the checkpoint's glassllava.json.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.pointing",
        description="The pointing game and the overlap of a model's regions with the truth, on "
        "held-out synthetic micrographs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="embedded", metavar="REF", help="model reference")
    parser.add_argument("-n", "--number", type=int, default=200, help="micrographs (default 200)")
    parser.add_argument(
        "--findings",
        type=int,
        default=60,
        metavar="N",
        help="of so many judge the product's findings too, measured and joined (default 60)",
    )
    parser.add_argument(
        "--occlusion",
        type=int,
        default=0,
        metavar="N",
        help="of so many make occlusion maps: slow (default 0)",
    )
    parser.add_argument("--look", choices=("plain", "wide"), default="wide", help="default wide")
    parser.add_argument("--fit", action="store_true", help="fit the thresholds of the map")
    parser.add_argument("--workers", type=int, default=1, help="processes that paint (default 1)")
    parser.add_argument("-o", "--out", default="pointing", metavar="DIR", help="the result")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args(arguments)

    from training.evaluation.ending import ending

    return ending(lambda: _run(args), as_json=args.json, cut="nothing was kept.")


def _run(args: argparse.Namespace) -> int:
    from glassllava.errors import BadInput
    from glassllava.model.llava import LlavaBackend
    from glassllava.model.opening import open_model
    from training.evaluation.pointing.evaluating import as_markdown, evaluate_pointing
    from training.whole import write_whole

    model = open_model(args.model)
    if not isinstance(model, LlavaBackend):
        raise BadInput("Only a checkpoint that runs here can point", where=args.model)
    if args.number < 1:
        raise BadInput("At least one micrograph is needed", where="--number")
    out = Path(args.out)
    if args.fit:
        return _fit(model, args, out)
    result = evaluate_pointing(
        model,
        args.number,
        out,
        told=args.findings,
        hidden=args.occlusion,
        look=args.look,
        workers=args.workers,
    )
    page = as_markdown(result)
    write_whole(out / "pointing.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    write_whole(out / "pointing.md", page)
    print(json.dumps(result, indent=1, ensure_ascii=False) if args.json else page)
    print(f"result: {out}", file=sys.stderr)
    return 0


def _fit(model: Any, args: argparse.Namespace, out: Path) -> int:
    from glassllava.model.opening import folder_of
    from training.evaluation.pointing.painted import fit_thresholds, keep_thresholds

    found = fit_thresholds(model, args.number, out, workers=args.workers)
    keep_thresholds(folder_of(args.model), found)
    print(json.dumps({"pointing": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
