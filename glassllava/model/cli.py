"""`glassview model`: list, show, verify, use.

Knows how a person reads about a model; loads none: everything here is told by the files.
"""

from __future__ import annotations

import argparse
from typing import Any

_EXAMPLES = """\
examples:
  glassview model list                    what can be opened
  glassview model show embedded           who it is, and what was measured of it
  glassview model verify embedded         are the files the ones that were released
  glassview model use ./my-checkpoint     make it the default
"""


def add_commands(commands: Any) -> None:
    """Register `model` with argparse's sub-parsers."""
    model = commands.add_parser(
        "model",
        help="checkpoints and endpoints: list, show, verify, use",
        description="The models that GlassView can ask.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = model.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, run, help_ in (
        ("list", _list, "what can be opened"),
        ("show", _show, "who a model is, and what was measured of it"),
        ("verify", _verify, "are a checkpoint's files the ones that were released"),
        ("use", _use, "make a model the default"),
    ):
        action = actions.add_parser(name, help=help_)
        if name != "list":
            nargs = None if name == "use" else "?"
            action.add_argument("reference", nargs=nargs, metavar="REF", default="embedded")
        action.add_argument("--json", action="store_true", help="one JSON document")
        action.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    from glassllava.model import opening
    from glassllava.settings import load

    default = load(_settings_file(args)).section("model", opening.ModelSettings).reference
    rows = [
        ("embedded", "the checkpoint that ships"),
        ("scripted", "answers by a script: for tests, not a model"),
        ("FOLDER", "a checkpoint in Hugging Face LLaVA format, safetensors only"),
        ("hf:ORG/NAME", "the same from the hub, when a network is allowed"),
        ("endpoint:URL#MODEL", "an OpenAI-compatible server"),
    ]
    if args.json:
        _print({"default": default, "references": [{"reference": r, "is": w} for r, w in rows]})
        return 0
    for reference, words in rows:
        print(f"{reference:<20} {words}")
    print(f"\ndefault: {default}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from glassllava.calibration import read_calibration
    from glassllava.model import opening
    from glassllava.prompt import TEMPLATES_SHA256

    folder = _folder(args.reference)
    checkpoint = opening.read_checkpoint(folder)
    identity = opening.identify(checkpoint, args.reference)
    calibration = read_calibration(folder)
    levels = (
        [level for level in calibration.levels if calibration.for_level(level, TEMPLATES_SHA256)]
        if calibration
        else []
    )
    measured = folder / "evaluation.json"
    figures = opening.read_json(measured) if measured.is_file() else None
    if args.json:
        shown = {**asdict(identity), "probe_keys": list(checkpoint.probe_keys)}
        _print({**shown, "calibrated_levels": levels, "evaluation": figures})
        return 0
    for key, value in asdict(identity).items():
        if value is not None:
            print(f"{key.replace('_', ' '):<22} {value}")
    print(f"{'calibrated levels':<22} {', '.join(levels) or 'none: every verdict is undecided'}")
    if figures:
        majority = figures["majority"]["accuracy"]
        print(f"\nheld-out synthetic micrographs: {figures['micrographs']}")
        print(f"{'always the majority':<22} {_share(majority)}")
        for level, row in figures["levels"].items():
            words = f"{_share(row['accuracy'])}, blank picture {_share(row['blank'])}"
            print(f"{'verdict at ' + level:<22} {words}")
        print(f"{'features, macro-F1':<22} {figures['macro']['f1'][0]:.2f}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    import hashlib

    from glassllava.errors import ModelUnavailable
    from glassllava.model import opening

    folder = _folder(args.reference)
    opening.read_checkpoint(folder)
    manifest = folder / "MANIFEST.json"
    if not manifest.is_file():
        raise ModelUnavailable(
            "The checkpoint has no manifest to verify it by",
            where=folder,
            remedy="Only checkpoints made by `glassview train` have a MANIFEST.json.",
        )
    rows = []
    for name, expected in sorted(opening.read_json(manifest).items()):
        path = folder / name
        if path.name != name or not path.is_file():
            rows.append((name, "missing"))
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append((name, "ok" if found == expected else "changed"))
    bad = [name for name, state in rows if state != "ok"]
    if args.json:
        _print({"folder": str(folder), "files": dict(rows), "verified": not bad})
    else:
        for name, state in rows:
            print(f"{state:<8} {name}")
    if bad:
        raise ModelUnavailable(
            f"{len(bad)} files are not the ones that were released, such as {bad[0]}",
            where=folder,
            remedy="Install the package again, or make the checkpoint again.",
        )
    return 0


def _use(args: argparse.Namespace) -> int:
    from pathlib import Path

    from glassllava.model import opening
    from glassllava.settings import user_config_dir

    if not args.reference.startswith(("hf:", "endpoint:")) and args.reference != "scripted":
        opening.read_checkpoint(_folder(args.reference))
        if args.reference != "embedded":
            args.reference = str(Path(args.reference).resolve())
    given = _settings_file(args)
    file = Path(given) if given else user_config_dir() / "glassview.toml"
    opening.set_default(file, args.reference)
    if args.json:
        _print({"default": args.reference, "settings": str(file)})
    else:
        print(f"default: {args.reference} (written to {file})")
    return 0


def _folder(reference: str) -> Any:
    from pathlib import Path

    from glassllava.errors import BadInput
    from glassllava.model import opening

    if reference == "embedded":
        return opening.EMBEDDED
    if reference == "scripted" or reference.startswith(("hf:", "endpoint:")):
        raise BadInput(
            "Only a checkpoint folder can be shown and verified",
            where=reference,
            remedy="Name `embedded` or a folder.",
        )
    return Path(reference)


def _settings_file(args: argparse.Namespace) -> str | None:
    return getattr(args, "settings", None)


def _share(figure: list[float]) -> str:
    value, low, high = (100 * x for x in figure)
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def _print(document: dict[str, Any]) -> None:
    import json

    print(json.dumps(document, indent=2))
