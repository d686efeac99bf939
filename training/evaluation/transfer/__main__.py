"""`python -m training.evaluation.transfer`: a model held against real micrographs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_EXAMPLES = """\
example:
  python -m training.evaluation.transfer --model embedded --real micrographs --data work/data \\
      --corrected -o transfer

The folder of real micrographs holds the pictures, LABELS.csv, MANIFEST.csv and masks/. The same
command goes on where it was cut. The result: transfer.json, transfer.md, sheet.png, pictures/.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.transfer",
        description="How well a model that learned from synthetic micrographs sees real ones: "
        "features, verdicts, crack against no crack within an image, where the cracks are; beside "
        "a linear probe, a forest on textures, the image's size and saying everything.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="embedded", metavar="REF", help="model reference")
    parser.add_argument("--real", required=True, metavar="FOLDER", help="the real micrographs")
    parser.add_argument(
        "--data", metavar="DIR", help="the training data, for the baselines that learn from it"
    )
    parser.add_argument(
        "--limit", type=int, default=1000, help="training pictures for them (default 1000)"
    )
    parser.add_argument(
        "--corrected", action="store_true", help="report the corrected labels beside those given"
    )
    parser.add_argument("-o", "--out", default="transfer", metavar="DIR", help="the result")
    parser.add_argument("--no-pictures", action="store_true", help="figures in words alone")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args(arguments)

    from training.evaluation.ending import ending

    return ending(lambda: _run(args), as_json=args.json, cut="the same command goes on from here.")


def _run(args: argparse.Namespace) -> int:
    from glassllava.model.opening import open_model
    from training.evaluation.transfer import page
    from training.evaluation.transfer.judging import Wanted, judge

    wanted = Wanted(
        real=Path(args.real),
        data=Path(args.data) if args.data else None,
        limit=args.limit,
        corrected=args.corrected,
        with_pictures=not args.no_pictures,
    )
    result = judge(open_model(args.model), wanted, Path(args.out), log=_log, literature=_primer)
    if args.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        print(page.page(result), end="")
    _log(f"result: {args.out}")
    return 0


def _primer(folder: Path) -> Any:
    from rag import open_library

    # The bundled primer alone: a person's own library is not what a model is measured with.
    return open_library(folder)


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
