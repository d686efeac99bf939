"""The floor's commands: `scan`, `report` and `export`.

Knows flags, the progress bar and the closing words; what they do is done elsewhere.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch.ledger import Ledger
    from batch.recipe import Recipe
    from batch.scan import Progress, ScanResult
    from glassllava.settings import Settings

_SCAN_EXAMPLES = """\
examples:
  glassview scan micrographs/ -o night/                      interpret; resumes when repeated
  glassview scan micrographs/ -o night/ --sample float.toml  the same sample for all of them
  glassview scan micrographs/ -o night/ --retry-failed       those that failed once more
  glassview scan micrographs/ -o night/ --dry-run            what would be done

What is known of a sample is read from --sample FILE, else from NAME.sample.toml beside the file,
else from sample.toml in its folder. Nothing is written into the folder of micrographs.
"""
_REPORT_EXAMPLES = """\
example:
  glassview report night/ -o night.pdf
"""
_EXPORT_EXAMPLES = """\
examples:
  glassview export night/ --format csv                      findings, micrographs and failures
  glassview export night/ --format parquet -o tables/       the same tables, with types
  glassview export night/ --format jsonl -o records.jsonl   whole records with their reviews
  glassview export night/ --format llava -o data/           reviewed ones, to train a model on

llava writes what a person accepted or overruled as LLaVA conversations: conversations.json, the
specimens as PNG in images/, and README.md, which says what was left out.
"""


def add_commands(commands: Any) -> None:
    """Register scan, report and export with argparse's sub-parsers."""
    scan = commands.add_parser(
        "scan",
        help="interpret every micrograph of a folder; resumes what was cut short",
        description="Interprets every micrograph of the folders and writes a run folder: ledger, "
        "tables, report.pdf. The last line of standard output is the report's path.",
        epilog=_SCAN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scan.add_argument("folders", nargs="+", metavar="FOLDER", help="looked into with all below it")
    scan.add_argument("-o", "--output", metavar="RUN", required=True, help="the run folder")
    scan.add_argument("--recipe", metavar="FILE", help="how to ask and judge (TOML)")
    scan.add_argument("--sample", metavar="FILE", help="what you know of the sample of all of them")
    scan.add_argument(
        "--context",
        metavar="LEVEL",
        choices=("none", "basic", "moderate", "high"),
        help="how much the model is told: none, basic, moderate, high (default)",
    )
    scan.add_argument("--model", metavar="REF", help="the model's reference (embedded)")
    scan.add_argument(
        "--pixel-size",
        metavar="LENGTH",
        help='metres per pixel of all of them, as "2.5 nm"; stands above what the files say',
    )
    scan.add_argument("--engine", metavar="NAME", default="local", help="where it runs: local")
    scan.add_argument(
        "--workers", metavar="N", type=int, help="threads that read and measure ahead of the model"
    )
    scan.add_argument("--watch", action="store_true", help="go on with files that arrive later")
    scan.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    scan.add_argument(
        "--refresh", action="store_true", help="use the library as it is now, not as the run began"
    )
    scan.add_argument(
        "--dry-run", action="store_true", help="list what would be done; write nothing"
    )
    scan.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    scan.set_defaults(run=run_scan)

    report = commands.add_parser(
        "report",
        help="the PDF again from a run, without the model",
        description="Draws the report of a run again, and its tables, without the model.",
        epilog=_REPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("run_folder", metavar="RUN", help="the run folder")
    report.add_argument("-o", "--output", metavar="FILE.pdf", help="where to (RUN/report.pdf)")
    report.add_argument("--json", action="store_true", help="print the paths as one JSON object")
    report.set_defaults(run=run_report)

    export = commands.add_parser(
        "export",
        help="tables of a run: csv, jsonl, parquet; llava training conversations",
        description="Writes the interpretations of a run as tables, as whole records, or as "
        "training data.",
        epilog=_EXPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("run_folder", metavar="RUN", help="the run folder")
    export.add_argument(
        "--format", required=True, metavar="FORMAT", help="csv, jsonl, parquet or llava"
    )
    export.add_argument(
        "-o",
        "--output",
        "--out",
        metavar="PATH",
        help="csv, parquet: a folder (RUN); llava: a folder (RUN/llava); jsonl: a file "
        "(RUN/interpretations.jsonl)",
    )
    export.add_argument(
        "--licence", metavar="TEXT", default="", help="llava: the licence of the micrographs"
    )
    export.add_argument("--json", action="store_true", help="print the paths as one JSON object")
    export.set_defaults(run=run_export)


def run_scan(args: argparse.Namespace) -> int:
    """Scan; 0 all done, 1 some failed, 130 interrupted."""
    import sys

    from batch.scan import scan
    from glassllava.errors import BadInput
    from glassllava.sample import read_sample
    from glassllava.settings import load

    if args.watch:
        raise BadInput(
            "Watching a folder is not possible yet",
            where="--watch",
            remedy="Repeat the same scan: it takes up only what is new.",
        )
    if args.engine != "local":
        raise BadInput(
            f"There is no engine '{args.engine}' yet",
            where="--engine",
            remedy="Leave it out: the scan runs on this machine.",
        )
    if args.workers is not None and not 1 <= args.workers <= 64:
        raise BadInput("This must be a whole number from 1 to 64", where="--workers")
    settings = load(args.settings)
    bar = _Bar() if sys.stderr.isatty() else None
    try:
        result = scan(
            args.folders,
            args.output,
            recipe=_recipe(args, settings),
            sample=read_sample(args.sample) if args.sample else None,
            workers=args.workers,
            retry_failed=args.retry_failed,
            dry_run=args.dry_run,
            refresh=args.refresh,
            progress=bar,
            settings=settings,
        )
    except KeyboardInterrupt:
        if bar is not None:
            bar.close()
        print(
            "glassview: interrupted; what was done is kept, and the same command goes on from "
            "there",
            file=sys.stderr,
        )
        return 130
    finally:
        if bar is not None:
            bar.close()
    _tell(result, args)
    # A dry run has done what was asked of it, whatever failed in an earlier night.
    return 1 if not args.dry_run and (result.failed or result.partial) else 0


def run_report(args: argparse.Namespace) -> int:
    """Draw a run's report and write its tables again."""
    import json
    from pathlib import Path

    from batch.ledger import Ledger
    from batch.outputs import write_outputs

    with Ledger.open(args.run_folder) as ledger:
        path = write_outputs(ledger, Path(args.output) if args.output else None)
        counts = ledger.counts()
    print(json.dumps({"report": str(path), **counts}) if args.json else path)
    return 1 if counts["failed"] or counts["pending"] else 0


def run_export(args: argparse.Namespace) -> int:
    """Write a run's interpretations in another form; prints the paths.

    0 all written, 1 some micrographs of an llava export could not be read.
    """
    import json
    from pathlib import Path

    from batch.ledger import Ledger
    from batch.outputs import write_json_lines, write_parquet, write_tables
    from glassllava.errors import BadInput

    writers: dict[str, Callable[..., list[Path]]] = {
        "csv": write_tables,
        "jsonl": write_json_lines,
        "parquet": write_parquet,
    }
    if args.format not in (*writers, "llava"):
        raise BadInput(
            f"There is no export as '{args.format}'",
            where="--format",
            remedy=f"Use one of {', '.join(writers)}, llava.",
        )
    output = Path(args.output) if args.output else None
    with Ledger.open(args.run_folder) as ledger:
        if args.format == "llava":
            return _export_llava(ledger, output, args)
        paths = [str(path) for path in writers[args.format](ledger, output)]
    print(json.dumps({"paths": paths}) if args.json else "\n".join(paths))
    return 0


def _export_llava(ledger: Ledger, output: Path | None, args: argparse.Namespace) -> int:
    import json
    import sys
    from dataclasses import asdict

    from batch.conversations import write_llava

    exported = write_llava(ledger, output, licence=args.licence)
    if args.json:
        print(json.dumps(asdict(exported), default=str, ensure_ascii=False, indent=2))
    else:
        lines = [f"failed: {_line(path)}: {_line(why)}" for path, why in exported.failures]
        print("\n".join([*lines, *exported.in_words]), file=sys.stderr)
        print(exported.folder)
    return 1 if exported.failures else 0


def _recipe(args: argparse.Namespace, settings: Settings) -> Recipe:
    """The recipe of the flags: --recipe, else the run's own, else the default; flags over it."""
    from dataclasses import replace
    from pathlib import Path

    from batch.recipe import Recipe, read_recipe
    from glassllava.micrograph.header import typed_pixel_size
    from glassllava.model.opening import ModelSettings

    own = Path(args.output) / "recipe.toml"
    recipe = Recipe(model=settings.section("model", ModelSettings).reference)
    if args.recipe:
        recipe = read_recipe(args.recipe)
    elif own.is_file():
        # A run that is resumed keeps to what it was asked, unless told otherwise.
        recipe = read_recipe(own)
    if args.context:
        recipe = replace(recipe, context=args.context)
    if args.model:
        recipe = replace(recipe, model=args.model)
    if args.pixel_size is not None:
        typed_pixel_size(args.pixel_size)
        recipe = replace(recipe, scale=replace(recipe.scale, pixel_size=args.pixel_size))
    return recipe


class _Bar:
    """The progress bar: micrographs, failures, seconds a micrograph, time that remains."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=progress.total,
                unit="micrograph",
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}, {rate_inv_fmt}, {remaining} left"
                "{postfix}",
            )
        self._bar.update(progress.done - self._bar.n)
        self._bar.set_postfix_str(f"{progress.failed} failed")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _tell(result: ScanResult, args: argparse.Namespace) -> None:
    """The closing words on standard error; the report's path last on standard output."""
    import json
    import sys
    from dataclasses import asdict

    if args.json:
        document = asdict(result) | {"report": str(result.report) if result.report else None}
        print(json.dumps(document, ensure_ascii=False, indent=2, default=str))
        return
    if args.dry_run:
        for path, what in result.planned:
            print(f"{_line(path)}: {_line(what)}")
        return
    lines = [_line(note) for note in result.notes]
    lines += [f"failed: {_line(f.path)}: {_line(f.reason)}" for f in result.failures[:20]]
    if (more := len(result.failures) - 20) > 0:
        lines.append(f"and {more} more: see failures.csv")
    lines.append(
        f"{result.discovered} discovered: {result.done} done, {result.failed} failed, "
        f"{result.skipped} skipped"
        + (" (PARTIAL: some are still to be done)" if result.partial else "")
    )
    worked = result.asked + result.judged
    each = f", {result.seconds / worked:.2f} s each" if worked else ""
    lines.append(
        f"{result.asked} asked, {result.judged} judged again, {result.unchanged} unchanged in "
        f"{result.seconds:.1f} s{each}, report included"
    )
    print("\n".join(lines), file=sys.stderr)
    print(result.report)


def _line(text: str) -> str:
    """A foreign name as one line that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
