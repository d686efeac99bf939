"""`glassview library`: list, search, show, add and check, for people and for scripts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rag.judging import add_evaluate

if TYPE_CHECKING:
    from rag.library import Library

_EXAMPLES = """examples:
  glassview library search "bright ball at the origin of a broken tempered pane"
  glassview library search -k 3 --json "needles on stored float glass"
  glassview library add notes.md
  glassview library show primer:25
"""


def add_commands(commands: Any) -> None:
    """Hang `library` and its sub-commands on the `glassview` command."""
    library = commands.add_parser(
        "library",
        help="the literature: list, search, show, add, check",
        description="The passages that GlassView knows and cites; it needs no network.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    library.set_defaults(run=lambda args: _help(library))
    inner = library.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, run: Any, words: str, example: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = inner.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog=f"example:\n  glassview library {example}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--library", metavar="FOLDER", help="another library than the one in your data folder"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.set_defaults(run=run)
        return parser

    command("list", _list, "what the library holds", "list")
    search = command("search", _search, "find passages by meaning", 'search "dark square" -k 3')
    search.add_argument("query", metavar="QUERY", help="a question, or words of it")
    search.add_argument(
        "-k", type=_positive, default=5, metavar="N", help="at most N passages (default: 5)"
    )
    search.add_argument("--material", default="", help='only passages on it, as "float glass"')
    search.add_argument("--process", default="", help='only passages on it, as "tempered"')
    search.add_argument("--year", default="", help="only passages of 2015, or of 2010-2020")
    show = command("show", _show, "one passage with its sources and topics", "show primer:12")
    show.add_argument("id", metavar="ID", help="a passage's id, as search prints it")
    add = command("add", _add, "add Markdown or plain text files", "add notes.md report.txt")
    add.add_argument("paths", nargs="+", metavar="FILE", help=".md or .txt, UTF-8, at most 8 MB")
    command("check", _check, "ask every passage for its own vector, and repair", "check")
    add_evaluate(command)


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be between 1 and 1000")
    return number


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _open(args: argparse.Namespace) -> Library:
    from pathlib import Path

    from rag.opening import open_library

    return open_library(Path(args.library) if args.library else None)


def _list(args: argparse.Namespace) -> int:
    with _open(args) as library:
        rows = library.documents()
        generation = library.generation
        folder = str(library.folder)
    if args.json:
        import dataclasses

        _print_json(
            {
                "folder": folder,
                "generation": generation,
                "documents": [dataclasses.asdict(row) for row in rows],
            }
        )
        return 0
    for row in rows:
        checked = f", {row.with_sources} with checked sources" if row.with_sources else ""
        print(f"{row.title}: {row.passages} passages{checked}")
        if row.path:
            print(f"    {row.path}")
    print(f"generation {generation}, in {folder}")
    return 0


def _search(args: argparse.Namespace) -> int:
    from rag.query import Where

    narrowed = Where.of(args.material, args.process, args.year)
    with _open(args) as library:
        found = library.search(args.query, args.k, where=None if narrowed == Where() else narrowed)
    if args.json:
        _print_json({"query": args.query, "passages": [passage.to_json() for passage in found]})
        return 0
    if not found:
        print("No evidence found.")
    for number, passage in enumerate(found, start=1):
        print(f"[{number}] {passage.locator}   ({passage.id}, score {passage.score:.2f})")
        print(_wrapped(passage.text))
        print(_sources(passage.sources))
    return 0


def _show(args: argparse.Namespace) -> int:
    with _open(args) as library:
        entry = library.get(args.id)
    if args.json:
        _print_json(
            entry.passage.to_json()
            | {"topics": list(entry.topics), "materials": list(entry.materials)}
        )
        return 0
    print(entry.passage.locator)
    print(_wrapped(entry.passage.text))
    print(_sources(entry.passage.sources))
    if entry.topics:
        print(f"    topics: {', '.join(entry.topics)}")
    if entry.materials:
        print(f"    materials: {', '.join(entry.materials)}")
    return 0


def _add(args: argparse.Namespace) -> int:
    from pathlib import Path

    from rag.passages import read_text

    documents = [read_text(Path(path)) for path in args.paths]  # all can be read, or none is added
    told = []
    with _open(args) as library:
        from rag.progress import progress_bar

        for document in documents:
            with progress_bar(len(document.entries), document.title) as bar:
                added, removed = library.add(document, bar.update)
            told.append({"path": document.path, "added": added, "removed": removed})
        generation = library.generation
    if args.json:
        _print_json({"generation": generation, "added": told})
        return 0
    for item in told:
        changed = item["added"] or item["removed"]
        news = f"{item['added']} passages added, {item['removed']} replaced or gone"
        print(f"{item['path']}: {news if changed else 'nothing new'}")
    return 0


def _check(args: argparse.Namespace) -> int:
    import dataclasses

    with _open(args) as library:
        result = library.check()
    if args.json:
        _print_json(dataclasses.asdict(result))
    else:
        print(f"manifest: {'in order' if result.manifest_whole else 'DAMAGED'}")
        print(f"passages asked for their own vector: {result.asked}, lost: {result.lost}")
        print(f"index: {result.backend}{', built anew' if result.rebuilt else ''}")
    return 0 if result.manifest_whole else 2


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(
        textwrap.fill(line, 96, initial_indent="    ", subsequent_indent="    ")
        for line in text.splitlines()
    )


def _sources(sources: tuple[str, ...]) -> str:
    if not sources:
        return "    sources: none checked"
    return "\n".join(f"    source: {source}" for source in sources)


def _print_json(document: dict[str, Any]) -> None:
    import json

    print(json.dumps(document, ensure_ascii=False, indent=2))
