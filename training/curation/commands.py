"""The steps of `glassview curate`, carried out: what they print, ask for and exit with.

Knows the terminal; everything else is done by the module that a step imports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput
from training.bars import bar

if TYPE_CHECKING:
    import argparse

    from training.curation.writing import Plan
    from training.served import Estimate, Server


def _papers(args: argparse.Namespace) -> int:
    from training.curation.papers import gather
    from training.curation.splits import SHARES, read_shares

    shares = read_shares(args.shares) if args.shares else SHARES
    with bar("papers") as told:
        got = gather(
            args.paths,
            args.work,
            model=args.model,
            seed=args.seed,
            shares=shares,
            told=told,
            log=_log,
        )
    if args.json:
        _print_json({name: getattr(got, name) for name in got.__slots__})
    else:
        splits = ", ".join(f"{count} {split}" for split, count in got.splits.items())
        print(
            f"{got.figures} figures of {got.papers} papers: {got.sem} SEM, {got.unsure} unsure, "
            f"{got.duplicates} duplicates folded ({splits})"
        )
    for path, why in (*got.failed, *got.passed_over):
        _log(f"{path}: {why}")
    for note in got.notes:
        _log(note)
    return 1 if got.failed else 0


def _write(args: argparse.Namespace) -> int:
    from training.curation.figure import read_figures
    from training.curation.writing import ANSWERS, plan_writing, write_pairs
    from training.served import DEFAULT_REFERENCE, Price, Server

    if (args.price_in is None) != (args.price_out is None):
        raise BadInput("A price needs both --price-in and --price-out")
    price = None
    if args.price_in is not None:
        price = Price(args.price_in, args.price_out, args.currency)
    read_figures(args.work)  # a folder that is none gets no folder of answers
    more = {} if args.image_tokens is None else {"image_tokens": args.image_tokens}
    server = Server(
        args.model or DEFAULT_REFERENCE,
        cache=args.work / ANSWERS,
        together=args.together,
        price=price,
        limit=args.limit,
        again=args.retry_failed,
        **more,
    )
    plan = plan_writing(args.work, server, with_unsure=args.unsure)
    _announce(plan, server)
    if args.dry_run or not plan.todo:
        result = {"host": plan.host, "model": plan.model, "figures": len(plan.todo)}
        result |= {"done": plan.done, "estimate": _as_dict(plan.estimate)}
        if args.json:
            _print_json(result | {"unfit": plan.unfit, "left_out": plan.left_out})
        elif not plan.todo:
            print(f"nothing to write: {plan.done} figures are written")
        else:
            print(f"to write: {len(plan.todo)} figures; written: {plan.done}; nothing was asked")
        return 1 if plan.unfit else 0
    _confirm(args.yes, plan)
    with bar("figures") as told:
        wrote = write_pairs(plan, server, told)
    spent = server.purse.spent()
    for id_, why in wrote.failed:
        _log(why if id_ in why else f"{id_}: {why}")
    if wrote.left:
        _log(f"{wrote.left} figures were left at the limit: raise --limit and run the same again")
    if args.json:
        _print_json(
            {
                **{name: getattr(wrote, name) for name in wrote.__slots__},
                "host": plan.host,
                "model": plan.model,
                "spent": spent,
                "unit": server.purse.unit,
                "unfit": plan.unfit,
            }
        )
    else:
        dropped = sum(wrote.drops.values())
        print(
            f"{wrote.pairs} pairs about {wrote.figures} figures, {dropped} entries dropped; "
            f"spent so far: {_amount(spent)} {server.purse.unit}"
        )
        for why, count in wrote.drops.most_common():
            print(f"  {count} × {why}")
    return 1 if wrote.failed or wrote.left or plan.unfit else 0


def _announce(plan: Plan, server: Server) -> None:
    """Who will receive what, and for how much, before anything is sent."""
    for id_, why in plan.unfit:
        _log(f"not asked about: {id_}: {why}")
    for why, count in plan.left_out.items():
        _log(f"{count} figures left out: {why}")
    if not plan.todo:
        return
    _log(
        f"{plan.host} (model {plan.model}) will receive {len(plan.todo)} figures of "
        f"{plan.papers} papers: the pictures, their captions and the paragraphs about them."
    )
    told = plan.estimate
    cost = f", {told.cost:,.2f} {server.purse.unit}" if told.cost is not None else ""
    _log(
        f"estimate: {told.calls} calls ({told.cached} answers are kept already), about "
        f"{told.prompt_tokens:,} prompt tokens and at most {told.completion_tokens:,} of "
        f"replies{cost}; a reply that cannot be used is asked for once more"
    )
    limit = server.purse.limit
    unit, spent = server.purse.unit, server.purse.spent()
    _log(
        f"limit: {_amount(limit)} {unit} for this folder, {_amount(spent)} of it spent"
        if limit is not None
        else f"limit: none (--limit sets one); {_amount(spent)} {unit} spent so far"
    )


def _amount(number: float) -> str:
    """Money or tokens: never in powers of ten, and small sums not as nothing."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:,.4g}"


def _confirm(yes: bool, plan: Plan) -> None:
    if yes:
        return
    remedy = "Run it again with --yes when that is what you want."
    if not sys.stdin.isatty():
        raise BadInput(f"Nobody agreed that {plan.host} receives the figures", remedy=remedy)
    print("Send them? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("Nothing was sent", remedy=remedy)


def _review(args: argparse.Namespace) -> int:
    from training.curation.figure import read_figures
    from training.curation.ledger import PairLedger
    from training.curation.page import write_page
    from training.curation.review import (
        drawn,
        read_decisions,
        review_in_terminal,
        take_decisions,
        told,
    )

    figures = {figure.id: figure for figure in read_figures(args.work)}
    with PairLedger(args.work) as ledger:
        if args.page:
            path = write_page(args.work, ledger.written(), figures)
            print(path) if not args.json else _print_json({"page": str(path)})
            return 0
        if args.list:
            pairs = [one for one in drawn(ledger.written()) if one.figure in figures]
            if args.json:
                _print_json([_pair_json(one) for one in pairs])
            else:
                print("\n\n".join(told(one, figures[one.figure], args.work) for one in pairs))
            return 0
        if not args.by:
            raise BadInput("A review needs the name of the person", remedy="Name it with --by.")
        rows = read_decisions(args.file) if args.file else _rows(args)
        if not rows and not args.file:
            if args.json or not sys.stdin.isatty():
                raise BadInput(
                    "There is no terminal to ask in, and no decision was given",
                    remedy="Use --accept, --edit, --reject, --undo or --from.",
                )
            made = review_in_terminal(ledger, figures, args.work, args.by)
            refused: list[tuple[str, str]] = []
        else:
            made, refused = take_decisions(ledger, rows, args.by)
        for pair, why in refused:
            _log(f"{pair}: {why}")
        if args.json:
            rows = [{name: getattr(r, name) for name in r.__slots__} for r in made]
            _print_json({"made": rows, "refused": refused})
        else:
            print(f"{len(made)} decision{'s' * (len(made) != 1)} by {args.by}")
        return 2 if refused and not made else 1 if refused else 0


def _rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = [
        {"pair": id_, "decision": decision, "reason": args.reason}
        for word, decision in (("accept", "accept"), ("reject", "reject"), ("undo", ""))
        for id_ in getattr(args, word) or ()
    ]
    if args.edit:
        row = {"pair": args.edit, "decision": "edit", "reason": args.reason}
        rows.append(row | {"question": args.question, "answer": args.answer})
    return rows


def _pair_json(one: Any) -> dict[str, Any]:
    review = one.review
    return {
        "id": one.id,
        "figure": one.figure,
        "pair": one.standing.to_json(),
        "host": one.host,
        "model": one.model,
        "review": {n: getattr(review, n) for n in review.__slots__} if review else None,
    }


def _licence(args: argparse.Namespace) -> int:
    from training.curation.figure import read_figures
    from training.curation.ledger import PairLedger

    papers = sorted({figure.paper for figure in read_figures(args.work)})
    if args.paper not in papers:
        raise BadInput(
            f"There is no paper '{args.paper}' here",
            where=args.work,
            remedy=f"There are: {', '.join(papers[:20])}.",
        )
    with PairLedger(args.work, create=True) as ledger:
        ledger.state_licence(args.paper, args.licence, args.by)
    if args.json:
        _print_json({"paper": args.paper, "licence": args.licence, "stated_by": args.by})
    else:
        print(f"{args.paper}: {args.licence}, stated by {args.by}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from training.curation.exporting import export

    done = export(
        args.work,
        args.out,
        leave_out_unlicensed=args.leave_out_unlicensed,
        checked_only=args.checked_only,
    )
    if args.json:
        _print_json(dict(done.card))
    else:
        checked = done.card["checked"]
        print(
            f"{done.card['pairs']} pairs about {done.card['figures']} figures of "
            f"{done.card['papers']} papers, {checked['exported_checked']} checked by a person; "
            f"licence: {done.card['licences']['together']}"
        )
        print(done.folder / "DATA_CARD.md")
    return 0


def _status(args: argparse.Namespace) -> int:
    from training.curation.standing import in_lines, standing

    told = standing(args.work)
    if args.json:
        _print_json(told)
    else:
        print("\n".join(in_lines(told)))
    return 0


def _leaks(args: argparse.Namespace) -> int:
    from training.curation.leaks import check_leaks

    with bar("pictures") as told:
        found = check_leaks(args.source, images=args.images, told=told)
    if args.json:
        leaks = [{name: getattr(one, name) for name in one.__slots__} for one in found.leaks]
        rest = {"records": found.records, "checked": found.checked, "missing": found.missing}
        _print_json({"leaks": leaks, **rest})
    else:
        print(
            f"{len(found.leaks)} leaks among {found.records} records, {found.checked} pictures "
            f"looked at, {len(found.missing)} missing"
        )
        for leak in found.leaks:
            print(
                f"  {leak.one} ({leak.splits[0]}) and {leak.other} ({leak.splits[1]}): {leak.why}"
            )
    return 1 if found.leaks or found.missing else 0


def _explore(args: argparse.Namespace) -> int:
    from training.exploration import explore

    with bar("pictures") as told:
        found = explore(
            args.work, args.out, model=args.model, seed=args.seed, kind=args.kind, told=told
        )
    if args.json:
        _print_json({name: getattr(found, name) for name in found.__slots__})
    else:
        print(f"{found.figures} figures in {found.clusters} clusters")
        print("\n".join([*found.missed, *map(str, found.files)]))
    return 0


def _as_dict(estimate: Estimate) -> dict[str, Any]:
    return {name: getattr(estimate, name) for name in estimate.__slots__}


def _print_json(document: Any) -> None:
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else str(value)


def _log(line: str) -> None:
    print("".join(c if c.isprintable() else "·" for c in line), file=sys.stderr, flush=True)


STEPS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "papers": _papers,
    "write": _write,
    "review": _review,
    "licence": _licence,
    "export": _export,
    "status": _status,
    "leaks": _leaks,
    "explore": _explore,
}
