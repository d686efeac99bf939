"""The roof's own commands: ask, demo, doctor.

They wire the rooms together and print; nothing is computed here.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from glassllava.interpretation import Finding, Interpretation


def add_commands(commands: Any) -> None:
    """Register ask, demo and doctor."""
    parser = commands.add_parser(
        "demo",
        help="scan the bundled micrographs and write their report",
        description="Scans the bundled micrographs, with literature, and writes a PDF report; the "
        "last line of standard output is its path. The micrographs are synthetic, and one of them "
        "cannot be read on purpose.",
        epilog="example:\n  glassview demo -o demo-run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="demo-run", help="the run folder (demo-run)"
    )
    parser.set_defaults(run=demo)

    parser = commands.add_parser(
        "doctor",
        help="what works on this machine, and what to do about the rest",
        description="Tries every part of the product on this machine. Uses no network.",
        epilog="example:\n  glassview doctor",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=doctor)

    parser = commands.add_parser(
        "ask",
        help="ask one question about one micrograph",
        description="One interpretation of one micrograph: verdict, findings, cited literature.",
        epilog='example:\n  glassview ask fracture.tif "Are there pores?" --sample sample.toml',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="the TIFF")
    parser.add_argument("question", metavar="QUESTION", help="in plain words, between quotes")
    parser.add_argument("--sample", metavar="FILE", help="sample.toml: what you know of the sample")
    parser.add_argument(
        "--context",
        metavar="LEVEL",
        choices=("none", "basic", "moderate", "high"),
        default="high",
        help="how much the model is told: none, basic, moderate, high (default)",
    )
    parser.add_argument("--model", metavar="REF", help="the model's reference (embedded)")
    parser.add_argument("--page", metavar="N", type=int, help="the page of a TIFF with several")
    parser.add_argument(
        "--pixel-size", metavar="LENGTH", help='metres per pixel that you know, as "2.5 nm"'
    )
    parser.add_argument(
        "--bar-length", metavar="LENGTH", help='what the drawn scale bar stands for, as "20 um"'
    )
    parser.add_argument(
        "--blank", action="store_true", help="ask a blank picture too, and tell the difference"
    )
    parser.add_argument("--json", action="store_true", help="print the interpretation record")
    parser.set_defaults(run=ask)


def demo(args: argparse.Namespace) -> int:
    """Scan the bundled micrographs; 0 when exactly the announced failures occurred."""
    import sys
    from importlib import resources
    from pathlib import Path

    from batch.recipe import Recipe
    from batch.scan import Progress, scan
    from glassllava.model.opening import ModelSettings
    from glassllava.settings import load

    def tell(progress: Progress) -> None:
        done = f"{progress.done} of {progress.total}, {progress.seconds:.0f} s"
        print(f"  {done}: {Path(progress.path).name}", file=sys.stderr)

    print("The bundled micrographs are synthetic: drawn, not taken.", file=sys.stderr)
    with resources.as_file(resources.files("glassview").joinpath("demo")) as folder:
        settings = load(args.settings)
        recipe = Recipe(model=settings.section("model", ModelSettings).reference)
        result = scan([folder], args.output, recipe=recipe, progress=tell, settings=settings)
        announced = _announced(folder)
    for note in result.notes:
        print(note, file=sys.stderr)
    as_announced = _tell_failures(
        {Path(failure.path).name: failure.reason for failure in result.failures}, announced
    )
    counts = f"{result.done} interpreted, {result.failed} failed"
    print(f"{result.discovered} micrographs: {counts}, in {result.seconds:.0f} s")
    if result.report is None:
        print("No report was written.", file=sys.stderr)
        return 1
    print(result.report.resolve())
    return 0 if as_announced and not result.partial else 1


def _tell_failures(failed: dict[str, str], announced: set[str]) -> bool:
    """Tell what could not be read, by name and reason; whether it is exactly what was announced."""
    import sys

    for name, reason in sorted(failed.items()):
        meant = "as announced" if name in announced else "which was not meant"
        print(f"{name} could not be read, {meant}: {reason}", file=sys.stderr)
    for name in sorted(announced - failed.keys()):
        print(f"{name} was meant to fail, and did not.", file=sys.stderr)
    return failed.keys() == announced


def _announced(folder: Path) -> set[str]:
    """The names of the demo micrographs that cannot be read on purpose."""
    import tomllib

    data = tomllib.loads((folder / "announced.toml").read_text("utf-8"))
    return set(data["unreadable"])


def ask(args: argparse.Namespace) -> int:
    """One interpretation, as text or as the record."""
    from glassllava.interpreter import interpret
    from glassllava.literature import NoLiterature
    from glassllava.measurement.ruler import MeasuringSettings
    from glassllava.micrograph.drawn_scale import read_with_bar
    from glassllava.micrograph.header import typed_bar_length, typed_pixel_size
    from glassllava.model.opening import ModelSettings, open_model
    from glassllava.sample import Sample, read_sample
    from glassllava.settings import load

    micrograph = read_with_bar(
        args.image,
        args.page,
        pixel_size=typed_pixel_size(args.pixel_size) if args.pixel_size is not None else None,
        bar_length_m=typed_bar_length(args.bar_length) if args.bar_length is not None else None,
    )
    sample = read_sample(args.sample) if args.sample else Sample()
    settings = load(args.settings)
    micrograph = settings.section("measurement", MeasuringSettings).applied(micrograph)
    reference = args.model or settings.section("model", ModelSettings).reference
    model = open_model(reference, settings=settings)
    if args.context != "high":
        # Only the high level is told literature: the others need no library to be opened.
        found = interpret(
            micrograph,
            sample,
            args.question,
            args.context,
            model=model,
            literature=NoLiterature(),
            want_blank=args.blank,
        )
    else:
        from rag import open_library

        library = open_library()
        try:
            found = interpret(
                micrograph,
                sample,
                args.question,
                args.context,
                model=model,
                literature=library,
                library=str(library.generation),
                want_blank=args.blank,
            )
        finally:
            library.close()
    if args.json:
        import json

        print(json.dumps(found.to_json(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        print(_in_words(found))
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Every check, as it is done; 0 whatever it finds."""
    from glassview.doctor import examine, report

    checks = []
    for check in examine():
        checks.append(check)
        if not args.json:
            mark = {"ok": "ok     ", "limited": "limited", "missing": "MISSING"}[check.state]
            print(f"{mark}  {check.part}: {check.found}", flush=True)
            if check.remedy:
                print(f"         {check.remedy}", flush=True)
    if args.json:
        import json

        print(json.dumps(report(checks), ensure_ascii=False, indent=2))
    return 0


def _in_words(found: Interpretation) -> str:
    """The interpretation for a person at a terminal."""
    from glassllava.interpretation import DECISION_WORDS, DISCLAIMER

    verdict = found.verdict
    lines = [f"{found.micrograph['path']}: {DECISION_WORDS[verdict.decision].upper()}"]
    if verdict.probability is not None:
        lines[0] += f" (probability of a defect {verdict.probability:.2f}, before any rule)"
    if found.over_blank is not None:
        lines.append(f"  probability of a defect {found.over_blank.in_words}")
    lines += [f"  {reason}" for reason in verdict.reasons]
    lines += ["", found.answer or found.description]
    lines += ["", "Findings" if found.present else "No feature was found."]
    for finding in found.present:
        lines += _finding_in_words(finding)
    cited = {citation.passage_id for citation in found.citations}
    cited |= {c.passage_id for finding in found.findings for c in finding.citations}
    passages = [passage for passage in found.passages if passage.id in cited]
    if passages:
        lines += ["", "Literature"]
        lines += [f"  {passage.locator}" for passage in passages]
    if found.warnings:
        lines += ["", "Warnings", *(f"  {warning}" for warning in found.warnings)]
    model = found.reply.identity
    seen_by = f", on {model.host}" if model.host else ""
    lines += ["", f"Model: {model.name} {model.version} ({model.reference}{seen_by})"]
    if model.trained_on_synthetic:
        lines.append("It was trained on synthetic micrographs.")
    lines.append(DISCLAIMER)
    return "\n".join(lines)


def _finding_in_words(finding: Finding) -> list[str]:
    from glassllava.features import name_of
    from glassllava.measurement.quantities import measured_in_words

    sure = "" if finding.probability is None else f" {finding.probability:.2f}"
    if sure and not finding.calibrated:
        sure += " uncalibrated"
    lines = [f"  {name_of(finding.feature)}{sure}: {finding.disposition} ({finding.reason})"]
    lines += [
        f"    {measured.quantity.replace('_', ' ')}: {measured_in_words(measured)}"
        for measured in finding.measurements
    ]
    return lines
