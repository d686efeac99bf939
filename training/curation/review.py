"""A person looks at pairs: in the order of a draw, with the picture, the caption and the support.

The same pairs are always offered in the same random order, so that those looked at are a fair
sample of all. Every decision goes to the ledger at once. Knows a terminal's lines; decides nothing.
"""

from __future__ import annotations

import hashlib
import json
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glassllava.errors import BadInput
from glassllava.quotation import harmless
from training.curation.figure import Figure
from training.curation.ledger import PairLedger, Review, Written

_LARGEST_FILE = 64 << 20
_KEYS = "a accept, e edit, r reject, s skip, u undo the last, o open the picture, q leave"
VERDICT = "Is there a defect for this sample?"


def drawn(pairs: Sequence[Written]) -> list[Written]:
    """`pairs` in the order in which people are asked to look at them."""
    return sorted(pairs, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest())


def told(written: Written, figure: Figure, work: Path) -> str:
    """Everything that a person needs to decide, in lines of which no terminal obeys one."""
    pair = written.standing
    keys = ", ".join(pair.features) or "no feature"
    origin = ", ".join(filter(None, (figure.title, str(figure.year or ""), figure.name)))
    page = f", p. {figure.page}" if figure.page else ""
    lines = [
        f"{written.id}  {pair.kind}, level {pair.level}, {keys}",
        f"picture:  {work / figure.image}",
        f"paper:    {harmless(origin)}{page}",
        f"sample:   {harmless('; '.join(f'{k}: {v}' for k, v in written.sample.items())) or '-'}",
        f"caption:  {harmless(figure.caption) or '-'}",
        *(f"support:  “{quote}”" for quote in pair.support),
        f"question: {pair.question or VERDICT}",
        f"answer:   {pair.answer}",
    ]
    if written.review:
        review = written.review
        why = f": {review.reason}" if review.reason else ""
        lines.append(f"decided:  {review.decision} by {review.who}, {review.at}{why}")
    return "\n".join(line[:2000] for line in lines)


def review_in_terminal(
    ledger: PairLedger,
    figures: Mapping[str, Figure],
    work: Path,
    who: str,
    *,
    ask: Callable[[str], str] = input,
    say: Callable[[str], None] = print,
) -> list[Review]:
    """Offer every pair that nobody decided; the decisions that were made until the person left."""
    made: list[Review] = []
    waiting = [one for one in drawn(ledger.written()) if one.figure in figures]
    waiting = [one for one in waiting if not one.decision]
    total = len(waiting)
    while waiting:
        one = waiting[0]
        say(f"\n{total - len(waiting) + 1} of {total}")
        say(told(one, figures[one.figure], work))
        try:
            word = ask(f"[{_KEYS}] ").strip().lower()[:1]
        except EOFError:
            break
        if word == "q":
            break
        if word == "o":
            webbrowser.open((work / figures[one.figure].image).resolve().as_uri())
        elif word == "s":
            waiting.pop(0)  # offered again next time
        elif word == "u":
            _undo(ledger, made, who, say)
        elif word in ("a", "r", "e"):
            try:
                made.append(_decide(ledger, one, word, who, ask))
                waiting.pop(0)
            except BadInput as error:
                say(str(error))
        else:
            say(f"Type one of: {_KEYS}.")
    return made


def _decide(
    ledger: PairLedger, one: Written, word: str, who: str, ask: Callable[[str], str]
) -> Review:
    if word == "a":
        return ledger.review(one.id, "accept", who)
    if word == "r":
        return ledger.review(one.id, "reject", who, reason=ask("why (may be empty): "))
    question = "" if one.pair.kind == "verdict" else ask("question (empty: as it is): ")
    answer = ask("answer (empty: as it is): ")
    reason = ask("why (may be empty): ")
    return ledger.review(one.id, "edit", who, question=question, answer=answer, reason=reason)


def _undo(ledger: PairLedger, made: list[Review], who: str, say: Callable[[str], None]) -> None:
    last = next((review for review in reversed(made) if review.decision), None)
    undone = {review.pair for review in made if not review.decision}
    if last is None or last.pair in undone:
        say("There is nothing to undo here; name an older one with --undo ID.")
        return
    made.append(ledger.review(last.pair, "", who))
    say(f"Undone: {last.decision} of {last.pair}; it is offered again next time.")


def read_decisions(path: Path) -> list[dict[str, Any]]:
    """The decisions in a file that the page of `page.write_page` saved.

    Raises
    ------
    BadInput : for a file that is none, or an entry without a pair and a decision.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("larger than 64 MB")
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"The decisions cannot be read ({error})", where=path) from error
    if not isinstance(rows, list):
        raise BadInput("The file is not a JSON list", where=path)
    for row in rows:
        if not isinstance(row, dict) or not all(
            isinstance(row.get(key, ""), str)
            for key in ("pair", "decision", "question", "answer", "reason")
        ):
            raise BadInput("An entry is not a decision about a pair", where=path)
        if row.get("decision") not in ("accept", "edit", "reject", ""):
            raise BadInput("An entry is neither accept, edit nor reject", where=path)
    return rows


def take_decisions(
    ledger: PairLedger, rows: Sequence[Mapping[str, Any]], who: str
) -> tuple[list[Review], list[tuple[str, str]]]:
    """Put decisions down in `who`'s name; those made, and those refused with the reason.

    An entry that says what already holds by the same person is passed over: a file that is read
    twice decides once.
    """
    made: list[Review] = []
    refused: list[tuple[str, str]] = []
    holds = {one.id: one for one in ledger.written()}
    for row in rows:
        pair, decision = str(row.get("pair", "")), row["decision"]
        if pair in holds and _says_the_same(holds[pair], row, who):
            continue
        try:
            made.append(
                ledger.review(
                    pair,
                    decision,
                    who,
                    question=row.get("question", ""),
                    answer=row.get("answer", ""),
                    reason=row.get("reason", ""),
                )
            )
        except BadInput as error:
            refused.append((harmless(pair)[:100], f"{error.what}. {error.remedy}".strip()))
    return made, refused


def _says_the_same(one: Written, row: Mapping[str, Any], who: str) -> bool:
    review = one.review
    if review is None or review.decision != row["decision"] or review.who != harmless(who):
        return False
    if review.decision != "edit":
        return True
    now = one.standing
    return all(
        harmless(row.get(key, "")) in ("", getattr(now, key)) for key in ("question", "answer")
    )
