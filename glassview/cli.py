"""The entry point: which room owns the asked command, and how an error is told.

Imports nothing of a room until its command is asked for, so that `glassview --help` costs about as
much as a bare interpreter with argparse. Knows the names of the commands and their one line of
help, and nothing of what they do; a test holds this table to what the rooms register.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

from glassllava import __version__
from glassllava.errors import BadInput, GlassError, MissingPart

#: command: (the module whose `add_commands` registers it, its line in `glassview --help`)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("glassview.commands", "scan the bundled micrographs and write their report"),
    "doctor": ("glassview.commands", "what works on this machine, and what to do about the rest"),
    "ask": ("glassview.commands", "ask one question about one micrograph"),
    "inspect": ("glassllava.cli", "metadata with the source of every value, databar, pages"),
    "measure": ("glassllava.cli", "calibrated measurements and regions; no model"),
    "model": ("glassllava.cli", "checkpoints and endpoints: list, show, verify, use"),
    "library": (
        "rag.cli",
        "the literature: add, list, search, like, show, remove, export, check, evaluate",
    ),
    "scan": ("batch.cli", "interpret every micrograph of a folder; resumes what was cut short"),
    "report": ("batch.cli", "the PDF again from a run, without the model"),
    "export": (
        "batch.cli",
        "tables of a run: csv, jsonl, parquet; llava training conversations",
    ),
    "curate": ("training.curation.cli", "papers to training conversations, checked by a person"),
    "train": ("training.cli", "make a model by a recipe"),
    "convert": (
        "training.export.cli",
        "a checkpoint in the original LLaVA layout, or a LoRA, to a folder that opens here",
    ),
    "evaluate": ("training.evaluation.cli", "how good a model is, with intervals and controls"),
}

#: Libraries that a bare `pip install glassview` leaves out, and the extra that brings them.
_EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "safetensors", "tokenizers"), "model"),
    **dict.fromkeys(("openai", "keyring"), "endpoint"),
    **dict.fromkeys(("chromadb", "llama_index", "sentence_transformers"), "library"),
    **dict.fromkeys(("reportlab",), "report"),
    **dict.fromkeys(("PySide6", "shiboken6"), "desktop"),
    **dict.fromkeys(("matplotlib", "peft", "sklearn", "tensorboard"), "training"),
    **dict.fromkeys(("pyarrow",), "tables"),
}

_EXAMPLES = """\
examples:
  glassview                                open the desktop
  glassview micrographs/                   open it on a folder
  glassview scan micrographs/ -o night/    interpret a folder; the report is night/report.pdf
  glassview scan --help                    more about one command
"""


class _Parser(argparse.ArgumentParser):
    """Parses like argparse, tells errors like the product, takes the common flags anywhere."""

    def __init__(self, **kwargs: Any) -> None:
        # A room's own flag of the same name wins over the common one.
        super().__init__(**{"conflict_handler": "resolve"} | kwargs)
        common = self.add_argument_group("common flags")
        common.add_argument(
            "-v",
            "--verbose",
            action="count",
            default=argparse.SUPPRESS,
            help="tell more on standard error; -vv for debugging",
        )
        common.add_argument(
            "--settings",
            metavar="FILE",
            default=argparse.SUPPRESS,
            help="use this glassview.toml instead of the one in the configuration folder",
        )

    def error(self, message: str) -> NoReturn:
        raise BadInput(
            message[:1].upper() + message[1:].rstrip("."),
            where=self.prog,
            remedy=f"See `{self.prog} --help`.",
        )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code.

    0 done; 1 done, but some micrographs failed; 2 cannot be carried out as asked; 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # A Windows pipe may be cp1252: a µ must not end a night.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(argv)
    except GlassError as error:
        return _tell(error, as_json="--json" in argv)
    except ModuleNotFoundError as error:
        part = (error.name or "").partition(".")[0]
        if part not in _EXTRAS:
            raise
        missing = MissingPart(
            f"This needs {part}, which is not installed",
            where=f"glassview {argv[0]}" if argv else "glassview",
            remedy=f"Run: pip install 'glassview[{_EXTRAS[part]}]'",
        )
        return _tell(missing, as_json="--json" in argv)
    except KeyboardInterrupt:
        print("glassview: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `glassview ... | head` has read enough; without this the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: list[str]) -> int:
    top = _top_parser()
    args = top.parse_args(argv)
    words: list[str] = args.words
    if words and words[0] in COMMANDS:
        args = _parse_command(words, args)
        _set_up_log(args.verbose)
        with _settings_of(args):
            code: int = args.run(args)
        return code
    args = _parse_desktop(words, args)
    _set_up_log(args.verbose)
    with _settings_of(args):
        return _open_desktop(args)


def _settings_of(args: argparse.Namespace) -> AbstractContextManager[None]:
    """Lets --settings count for what loads its settings further down, too."""
    if not args.settings:
        return nullcontext()
    from glassllava.settings import named

    return named(args.settings)


def _top_parser() -> _Parser:
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items())
    top = _Parser(
        prog="glassview",
        usage="glassview [-h] [--version] [-v] [--settings FILE] [COMMAND … | PATH …]",
        description="Reads scanning electron microscope images of glass: measures, cites, judges "
        "in context, reports.",
        epilog=f"commands (without one, the desktop opens on the paths):\n{table}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"glassview {__version__}")
    top.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    top.set_defaults(settings=None, verbose=0)
    return top


def _parse_command(words: list[str], args: argparse.Namespace) -> argparse.Namespace:
    """The arguments of a sub-command, after importing the one room that owns it."""
    import importlib

    parser = _Parser(prog="glassview")
    room = importlib.import_module(COMMANDS[words[0]][0])
    room.add_commands(parser.add_subparsers(dest="command", required=True))
    return parser.parse_args(words, args)


def _parse_desktop(words: list[str], args: argparse.Namespace) -> argparse.Namespace:
    parser = _Parser(prog="glassview")
    parser.add_argument("paths", nargs="*")
    return parser.parse_args(words, args)


def _open_desktop(args: argparse.Namespace) -> int:
    for path in args.paths:
        if not os.path.exists(path):  # noqa: PTH110 - pathlib is not worth its import here
            raise BadInput(
                "This is neither a command nor a file or folder",
                where=path,
                remedy=_nearest_command(path),
            )
    from glassllava.settings import load
    from glassview.app import open_desktop

    code: int = open_desktop(args.paths, settings=load(args.settings))
    return code


def _nearest_command(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"Did you mean `glassview {near[0]}`?" if near else "See `glassview --help`."


def _set_up_log(verbosity: int) -> None:
    """The log on standard error: warnings; with -v the house's progress; with -vv everyone's."""
    import logging

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbosity > 1 else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        if verbosity > 1
        else "glassview: %(message)s",
    )
    if verbosity == 1:
        for room in ("glassllava", "rag", "batch", "training", "glassview"):
            logging.getLogger(room).setLevel(logging.INFO)


def _tell(error: GlassError, *, as_json: bool) -> int:
    """Print what went wrong, where and what to do; exit code 2."""
    if as_json:
        import json

        print(json.dumps(error.to_json(), ensure_ascii=False, indent=2))
    label = "error:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        label = f"\033[1;31m{label}\033[0m"
    print(f"{label} {error}", file=sys.stderr)
    return 2
