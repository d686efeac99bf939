"""The card of a data set: what it holds, who wrote it, how much a person checked, whose it is.

One dictionary, written as JSON and told in Markdown; there is no card without the share of checked
pairs and the licence of every paper. Knows pairs and figures; writes no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from glassllava import __version__
from glassllava.prompt import TEMPLATES_SHA256
from glassllava.quotation import harmless
from glassllava.sample import LEVELS
from training.curation import prompts
from training.curation.balance import Balanced, words_alone
from training.curation.figure import Figure
from training.curation.ledger import Written
from training.curation.replies import KINDS
from training.evaluation.scores import share
from training.export.licences import combine

SCHEMA = 1
MADE_BY = "glassview curate export"


def card(
    *,
    figures: Sequence[Figure],
    standing: Sequence[Written],
    balanced: Balanced,
    licences: Mapping[str, tuple[str, str]],
    drops: Mapping[str, int],
    failures: Mapping[str, str],
    superseded: int,
    left_out: Mapping[str, int],
) -> dict[str, Any]:
    """Everything that the card says.

    Parameters
    ----------
    figures : all that were gathered, duplicates too.
    standing : every pair that was written, rejected ones too.
    balanced : those that are exported, and those set aside for balance.
    licences : by paper of an exported pair, its licence and who states it.
    drops, left_out : counts by reason; failures : by figure, why nothing was written.
    """
    by_id = {figure.id: figure for figure in figures}
    kept = balanced.kept
    used = [by_id[id_] for id_ in dict.fromkeys(one.figure for one in kept)]
    splits = list(dict.fromkeys(figure.split for figure in figures))
    return {
        "schema": SCHEMA,
        "made_by": MADE_BY,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "glassview_version": __version__,
        "pairs": len(kept),
        "figures": len(used),
        "papers": len(licences),
        "splits": {
            split: {
                "pairs": sum(by_id[one.figure].split == split for one in kept),
                "figures": sum(figure.split == split for figure in used),
                "papers": len({figure.paper for figure in used if figure.split == split}),
            }
            for split in splits
        },
        "kinds": _counts((one.pair.kind for one in kept), KINDS),
        "levels": _counts((one.pair.level for one in kept), LEVELS),
        "kinds_by_level": {
            level: _counts((one.pair.kind for one in kept if one.pair.level == level), KINDS)
            for level in LEVELS
        },
        "features": dict(
            Counter(key for one in kept for key in one.standing.features).most_common()
        ),
        "balance": [{name: getattr(row, name) for name in row.__slots__} for row in balanced.rows],
        "words_alone": words_alone(kept),
        "writers": [
            {"host": host, "model": model, "pairs": count}
            for (host, model), count in Counter((o.host, o.model) for o in kept).most_common()
        ],
        "prompts_sha256": prompts.PROMPTS_SHA256,
        "templates_sha256": TEMPLATES_SHA256,
        "checked": _checked(standing, kept, by_id, splits),
        "licences": _licences(licences, used, kept, by_id),
        "left_out": {
            **left_out,
            "set aside for balance": len(balanced.aside),
            "rejected by a person": sum(one.decision == "reject" for one in standing),
            "of an older writing": superseded,
        },
        "duplicates_folded": sum(bool(figure.duplicate_of) for figure in figures),
        "dropped": dict(Counter(drops).most_common()),
        "failed": dict(Counter(failures.values()).most_common()),
    }


def _counts(words: Any, order: Sequence[str]) -> dict[str, int]:
    found = Counter(words)
    return {word: found[word] for word in order}


def _checked(
    standing: Sequence[Written],
    kept: Sequence[Written],
    by_id: Mapping[str, Figure],
    splits: Sequence[str],
) -> dict[str, Any]:
    looked = [one for one in standing if one.decision]
    decisions = _counts((one.decision for one in looked), ("accept", "edit", "reject"))
    people = Counter(one.review.who for one in looked if one.review)
    return {
        "pairs": len(standing),
        "checked": len(looked),
        "share": len(looked) / len(standing) if standing else 0.0,
        "decisions": decisions,
        "accepted_unchanged": share(decisions["accept"], len(looked)).to_json() if looked else None,
        "people": dict(people.most_common()),
        "exported": len(kept),
        "exported_checked": sum(bool(one.decision) for one in kept),
        "exported_checked_by_split": {
            split: [
                sum(bool(o.decision) for o in kept if by_id[o.figure].split == split),
                sum(by_id[o.figure].split == split for o in kept),
            ]
            for split in splits
        },
    }


def _licences(
    licences: Mapping[str, tuple[str, str]],
    used: Sequence[Figure],
    kept: Sequence[Written],
    by_id: Mapping[str, Figure],
) -> dict[str, Any]:
    figures = Counter(figure.paper for figure in used)
    pairs = Counter(by_id[one.figure].paper for one in kept)
    whole = combine({paper: licence for paper, (licence, _) in licences.items()})
    first = {figure.paper: figure for figure in reversed(used)}
    return {
        "together": whole.licence,
        "terms": list(whole.terms),
        "conflicts": list(whole.conflicts),
        "counts": {
            licence: {
                "papers": sum(said == licence for said, _ in licences.values()),
                "figures": sum(figures[p] for p, (said, _) in licences.items() if said == licence),
                "pairs": sum(pairs[p] for p, (said, _) in licences.items() if said == licence),
            }
            for licence in sorted({said for said, _ in licences.values()})
        },
        "papers": [
            {
                "paper": paper,
                "title": first[paper].title,
                "authors": first[paper].authors,
                "year": first[paper].year,
                "doi": first[paper].doi,
                "licence": licence,
                "stated_by": by,
                "split": first[paper].split,
                "figures": figures[paper],
                "pairs": pairs[paper],
            }
            for paper, (licence, by) in licences.items()
        ],
    }


def in_words(told: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    checked, owned = told["checked"], told["licences"]
    writers = ", ".join(f"{w['model']} at {w['host']} ({w['pairs']})" for w in told["writers"])
    lines = [
        "# Questions and answers about micrographs of glass",
        "",
        f"{told['pairs']} pairs about {told['figures']} figures of {told['papers']} papers, made "
        f"on {told['made'][:10]} with GlassView {told['glassview_version']}. Each answer names "
        "words of its paper that carry it, and those words were found there (`evidence.jsonl`); "
        "that the answer follows from them only a person can say.",
        "",
        "## Who wrote it",
        f"- Written by: {_line(writers)}. That host received pictures, captions and paragraphs.",
        f"- Prompts: sha256 `{told['prompts_sha256']}`; what a question is preceded by: "
        f"`{told['templates_sha256']}`.",
        "",
        "## Checked by a person",
        *_checked_lines(checked),
        "",
        "## What it holds",
        *_table(
            ("split", "pairs", "figures", "papers", "checked"),
            [
                (
                    split,
                    *(counts[key] for key in ("pairs", "figures", "papers")),
                    _of(*checked["exported_checked_by_split"][split]),
                )
                for split, counts in told["splits"].items()
            ],
        ),
        "",
        "Splits are by paper. What a model is told before a question, by level; at high the "
        "paper's own words stand in the prompt, often with the answer: compare with a blank image.",
        "",
        *_table(
            ("level", *KINDS),
            [
                (level, *(counts[kind] for kind in KINDS))
                for level, counts in told["kinds_by_level"].items()
            ],
        ),
        "",
        "## True and false",
        *_table(
            ("split", "kind", "feature", "true", "false", "set aside"),
            [
                (r["split"], r["kind"], r["feature"], r["true"], r["false"],
                 r["aside_true"] + r["aside_false"])
                for r in told["balance"]
            ],
        ),
        "",
        *_alone_lines(told["words_alone"]),
        "",
        "## Features",
        *_table(("feature", "pairs"), list(told["features"].items())),
        "",
        "## Licences",
        f"- Together: **{_line(owned['together'])}**, the most restrictive of the papers'.",
        *(f"- {_line(term[0].upper() + term[1:])}." for term in owned["terms"]),
        *(f"- Conflict: {_line(conflict)}." for conflict in owned["conflicts"]),
        "",
        *_table(
            ("licence", "papers", "figures", "pairs"),
            [
                (licence, counts["papers"], counts["figures"], counts["pairs"])
                for licence, counts in owned["counts"].items()
            ],
        ),
        "",
        *_table(
            ("paper", "title", "year", "doi", "licence", "stated by", "split", "pairs"),
            [
                (p["paper"], p["title"][:80], p["year"] or "", p["doi"], p["licence"],
                 p["stated_by"], p["split"], p["pairs"])
                for p in owned["papers"]
            ],
        ),
        "",
        "## Left out",
        f"- {told['duplicates_folded']} figures repeat another one.",
        *(f"- {count} {_line(why)}." for why, count in told["left_out"].items() if count),
        *(f"- {count} entries of replies dropped: {_line(why)}."
          for why, count in told["dropped"].items()),
        *(f"- {count} figures without a reply: {_line(why)}."
          for why, count in told["failed"].items()),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _checked_lines(checked: Mapping[str, Any]) -> list[str]:
    lines = [
        f"- {_of(checked['checked'], checked['pairs'])} of all pairs that were written, "
        f"{_of(checked['exported_checked'], checked['exported'])} of those exported here."
    ]
    if not checked["checked"]:
        return [*lines, "- Nobody looked at any of them: how many are wrong is not known."]
    decisions = ", ".join(f"{count} {word}ed" for word, count in checked["decisions"].items())
    value, low, high = checked["accepted_unchanged"]
    return [
        *lines,
        f"- Decisions: {decisions}.",
        f"- Accepted as they were: {value:.0%}, 95 % interval {low:.0%} to {high:.0%} (Clopper and "
        "Pearson), for all pairs if the checked ones were drawn at random, as `glassview curate "
        "review` offers them in the terminal.",
        "- By: " + ", ".join(f"{_line(who)} ({n})" for who, n in checked["people"].items()) + ".",
    ]


def _alone_lines(alone: Mapping[str, Mapping[str, int]]) -> list[str]:
    says = alone["says defect"]
    if not sum(says.values()):
        return []
    return [
        f"Of the claims that say the word defect, {says['true']} are true and {says['false']} "
        "false: what somebody who sees no picture can learn from the word."
    ]


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return ["None."]
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_line(str(cell)) for cell in line) + " |" for line in lines]


def _line(text: str) -> str:
    """A paper's or a server's words, that break no table and no page."""
    return harmless(text).replace("|", "\\|").replace("<", "&lt;")
