"""Where a curation stands: figures, pairs, decisions, licences that are missing, money spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassllava.quotation import harmless
from training.curation.figure import read_figures
from training.curation.ledger import FILE, PairLedger
from training.curation.writing import ANSWERS
from training.served.purse import Purse


def standing(work: Path) -> dict[str, Any]:
    """Counts of everything in a work folder; a folder without figures is refused."""
    figures = read_figures(work)
    told: dict[str, Any] = {
        "figures": len(figures),
        "papers": len({figure.paper for figure in figures}),
        "kinds": dict(Counter(f.kind for f in figures if not f.duplicate_of)),
        "duplicates": sum(bool(figure.duplicate_of) for figure in figures),
        "splits": dict(Counter(f.split for f in figures if not f.duplicate_of)),
    }
    licences = {figure.paper: figure.licence for figure in figures}
    if (work / FILE).is_file():
        with PairLedger(work) as ledger:
            pairs = ledger.written()
            told |= {
                "figures_written": len({one.figure for one in pairs}),
                "pairs": dict(Counter(one.pair.kind for one in pairs)),
                "decisions": dict(Counter(one.decision or "waiting" for one in pairs)),
                "dropped": dict(ledger.drops()),
                "failed": dict(ledger.failures()),
            }
            licences |= {paper: said for paper, (said, _) in ledger.stated_licences().items()}
    if (work / ANSWERS / "spent.sqlite").is_file():
        told["tokens_spent"] = int(Purse(work / ANSWERS / "spent.sqlite", None, None).spent())
    told["without_licence"] = sorted(paper for paper, said in licences.items() if not said)
    return told


def in_lines(told: Mapping[str, Any]) -> list[str]:
    """The same for a person."""
    lines = [
        f"figures: {told['figures']} of {told['papers']} papers ({_counts(told['kinds'])}; "
        f"{told['duplicates']} duplicates folded)",
        f"splits: {_counts(told['splits'])}",
    ]
    if "pairs" in told:
        lines += [
            f"pairs: {_counts(told['pairs'])}, about {told['figures_written']} figures",
            f"decisions: {_counts(told['decisions'])}",
            f"dropped: {_counts(told['dropped'])}",
        ]
        lines += [f"failed: {id_}: {harmless(why)}" for id_, why in told["failed"].items()]
    if "tokens_spent" in told:
        lines.append(f"spent: {told['tokens_spent']:,} tokens")
    if told["without_licence"]:
        lines.append(f"licence not known: {', '.join(map(harmless, told['without_licence']))}")
    return lines


def _counts(told: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {harmless(word)}" for word, count in told.items()) or "none"
