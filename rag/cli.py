"""`glassview library`: the literature, for people and for scripts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rag.judging import add_evaluate
from rag.likeness import add_like

if TYPE_CHECKING:
    from pathlib import Path

    from rag.library import Library

_EXAMPLES = """examples:
  glassview library add ~/Zotero/storage library.bib
  glassview library search "bright ball at the origin of a broken tempered pane"
  glassview library search -k 3 --json "needles on stored float glass"
  glassview library show primer:25
"""


def add_commands(commands: Any) -> None:
    """Hang `library` and its sub-commands on the `glassview` command."""
    library = commands.add_parser(
        "library",
        help="the literature: add, list, search, like, show, remove, export, check, evaluate",
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
            "--library",
            metavar="FOLDER|URL",
            help="another library than the one in your data folder, or http(s)://HOST:PORT of a"
            " group's Chroma server",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.set_defaults(run=run)
        return parser

    add = command(
        "add", _add, "add papers and notes, or bring them up to date", "add papers/ papers.bib"
    )
    add.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="folders, and files: PDF, Markdown, text, HTML, JATS XML; .bib, .ris and CSL .json"
        " tell who wrote them",
    )
    add.add_argument("--ocr", action="store_true", help="read scanned pages, too (slow)")
    command("list", _list, "what the library holds", "list")
    search = command("search", _search, "find passages by meaning", 'search "dark square" -k 3')
    search.add_argument("query", metavar="QUERY", help="a question, or words of it")
    search.add_argument(
        "-k", type=_positive, default=5, metavar="N", help="at most N passages (default: 5)"
    )
    search.add_argument("--material", default="", help='only passages on it, as "float glass"')
    search.add_argument("--process", default="", help='only passages on it, as "tempered"')
    search.add_argument("--year", default="", help="only passages of 2015, or of 2010-2020")
    show = command(
        "show", _show, "a passage where it stands, or a document and its figures", "show primer:12"
    )
    show.add_argument("id", metavar="ID|KEY|PATH|DOI", help="as search and list print them")
    remove = command(
        "remove",
        _remove,
        "hide documents from every later search; to add their folder again brings them back",
        'remove "Old notes" --purge',
    )
    remove.add_argument(
        "names", nargs="+", metavar="KEY|PATH|ID", help="a key, path, title, DOI or passage's id"
    )
    remove.add_argument(
        "--purge",
        action="store_true",
        help="erase them and their figures, also for runs that keep to an earlier generation",
    )
    export = command(
        "export", _export, "the passages, or the references", "export --format bibtex -o refs.bib"
    )
    export.add_argument(
        "--format",
        choices=("jsonl", "csv", "csl", "bibtex"),
        default="jsonl",
        help="jsonl, csv: a passage a line; csl, bibtex: a reference a document, as Zotero takes it"
        " (default: jsonl)",
    )
    export.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    command("check", _check, "ask every passage for its own vector, and repair", "check")
    command(
        "keep",
        _keep,
        "become the keeper of a group's library, who alone changes it",
        "keep --library http://127.0.0.1:8000",
    )
    add_like(command)
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
    from rag.opening import open_library

    return open_library(args.library)


def _list(args: argparse.Namespace) -> int:
    from rag import printed

    with _open(args) as library:
        rows = library.documents()
        told = {"folder": str(library.folder), "generation": library.generation}
        place = library.place
        readonly = library.readonly
    if args.json:
        _print_json(
            told
            | {"place": place, "readonly": readonly}
            | {"documents": [printed.document_json(row) for row in rows]}
        )
    else:
        print(printed.listing(rows))
        print(printed.plain(f"generation {told['generation']}, in {place}"))
        if readonly:
            print(printed.plain(f"nothing can be added: {readonly}"))
    return 0


def _search(args: argparse.Namespace) -> int:
    from rag.query import Where

    narrowed = Where.of(args.material, args.process, args.year)
    with _open(args) as library:
        found = library.search(args.query, args.k, where=None if narrowed == Where() else narrowed)
    if args.json:
        _print_json({"query": args.query, "passages": [passage.to_json() for passage in found]})
        return 0
    from rag import printed

    print(printed.found(found) if found else "No evidence found.")
    return 0


def _show(args: argparse.Namespace) -> int:
    from rag import printed, showing

    with _open(args) as library:
        shown = showing.show(library, args.id)
    if args.json:
        _print_json(showing.as_json(shown))
    else:
        print(printed.shown(shown))
    return 0


def _add(args: argparse.Namespace) -> int:
    import dataclasses
    from pathlib import Path

    from rag import printed
    from rag.adding import add_files
    from rag.progress import FileBar

    with _open(args) as library, FileBar("add") as bar:
        addition = add_files(library, [Path(path) for path in args.paths], ocr=args.ocr, watch=bar)
        library.settle()
        generation = library.generation
    if args.json:
        told = {
            what: [dataclasses.asdict(outcome) for outcome in addition.of(*kinds)]
            for what, kinds in printed.KINDS.items()
        }
        passed = [{"path": path, "reason": why} for path, why in addition.passed_over]
        notes = list(addition.notes)
        _print_json({"generation": generation, **told, "passed_over": passed, "notes": notes})
    else:
        print(printed.addition(addition))
    return 1 if addition.of("failed") else 0


def _remove(args: argparse.Namespace) -> int:
    from rag.removing import remove

    with _open(args) as library:
        removed = remove(library, args.names, purge=args.purge)
        library.settle()
        generation = library.generation
    if args.json:
        told = [{"key": item.key, "passages": item.passages} for item in removed]
        _print_json({"generation": generation, "purged": args.purge, "removed": told})
        return 0
    from rag.printed import many, plain

    for item in removed:
        done = "erased" if args.purge else "hidden from now on"
        print(f"{plain(item.key)}: {many(item.passages, 'passage')} {done}")
    print("The file itself stays: to add it or its folder again brings it back.")
    return 0


def _export(args: argparse.Namespace) -> int:
    from rag.exporting import export

    with _open(args) as library:
        text = export(library, args.format)
        count = len(library.documents())
    if args.output:
        _write(args.output, text)
    if args.json:
        _print_json({"format": args.format, "documents": count, "output": args.output or text})
    elif not args.output:
        print(text, end="")
    return 0


def _write(output: str | Path, text: str) -> None:
    from pathlib import Path

    from glassllava.errors import BadInput

    try:
        Path(output).write_text(text, "utf-8", newline="")
    except OSError as error:
        raise BadInput(
            f"The export cannot be written ({error.strerror})",
            where=output,
            remedy="Name a file in a folder that exists and that you may write (-o FILE).",
        ) from error


def _check(args: argparse.Namespace) -> int:
    import dataclasses

    with _open(args) as library:
        result = library.check()
    if args.json:
        _print_json(dataclasses.asdict(result))
    else:
        from rag.printed import checked

        print(checked(result))
    return 0 if result.manifest_whole else 2


def _keep(args: argparse.Namespace) -> int:
    from glassllava.errors import BadInput
    from rag.group import GroupLibrary

    with _open(args) as library:
        if not isinstance(library, GroupLibrary):
            raise BadInput(
                "A folder's library is kept by whoever may write there",
                where=library.folder,
                remedy="Name a server: --library http://HOST:PORT.",
            )
        before = library.take_over()
    if args.json:
        _print_json({"kept_before_by": before})
    else:
        from rag.printed import plain

        print(plain(f"you keep this library now{f'; before: {before}' if before else ''}"))
    return 0


def _print_json(document: dict[str, Any]) -> None:
    import json

    print(json.dumps(document, ensure_ascii=False, indent=2))
