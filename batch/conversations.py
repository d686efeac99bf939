"""Reviewed interpretations as training conversations: a person's decision is the truth.

Each reviewed interpretation gives one conversation a question, as a model is asked: the prompt's
prefix and the question, then the answer. The verdict is the person's, always. The model's own
words go in only where the person accepted its verdict; of an overruled one the person's reason
does. What nobody reviewed is left out and counted. Knows nothing of how training reads them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.outputs import last_reviews
from batch.report import is_synthetic
from batch.schema import translated, write_file
from batch.splits import SPLITS, split_of, together
from glassllava.conversation import IMAGE_TOKEN, Conversation, Turn, write_conversations
from glassllava.errors import BadInput, UnreadableMicrograph
from glassllava.interpretation import DECISION_WORDS, Interpretation
from glassllava.micrograph.record import Databar, PixelSize
from glassllava.prompt import DEFAULT_QUESTION

if TYPE_CHECKING:
    from batch.ledger import Kept, Ledger, Review
    from glassllava.micrograph.record import Micrograph
    from glassllava.prompt import Enquiry

_FILE = "conversations.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds, and what it left out.

    `superseded` are reviews of the same micrograph, sample, level and question that a later one
    stands above; `without_a_truth` decided "undecided" and left no words to learn from.
    """

    folder: Path
    conversations: int
    micrographs: dict[str, int]  # by split
    groups: int
    accepted: int
    overruled: int
    unreviewed: int
    superseded: int
    without_a_truth: int
    failures: tuple[tuple[str, str], ...]
    synthetic: int
    passages: tuple[str, ...]

    @property
    def in_words(self) -> list[str]:
        """The summary, a sentence a line."""
        spread = ", ".join(f"{self.micrographs[name]} {name}" for name in SPLITS)
        lines = [
            f"{self.conversations} conversations about {sum(self.micrographs.values())} "
            f"micrographs ({spread}) of {self.groups} lots, samples or folders; "
            f"{self.accepted} accepted, {self.overruled} overruled",
            f"left out: {self.unreviewed} that nobody reviewed, {self.superseded} reviewed again "
            f"since, {self.without_a_truth} decided undecided without words, "
            f"{len(self.failures)} whose micrograph cannot be read",
        ]
        lines += [
            f"no micrograph is in '{name}': review more samples"
            for name in SPLITS
            if not self.micrographs[name]
        ]
        return lines


@dataclass(frozen=True, slots=True)
class _Reviewed:
    kept: Kept
    review: Review

    @property
    def interpretation(self) -> Interpretation:
        return self.kept.interpretation

    @property
    def is_accepted(self) -> bool:
        return self.review.decision == self.interpretation.verdict.decision

    @property
    def marks(self) -> list[str]:
        """What it shares with others that must stay in its split; the lot's first."""
        record, sample = self.interpretation.micrograph, self.interpretation.sample
        named = {"lot": sample.lot, "sample": sample.id}
        marks = [f"{what} {' '.join(name.split())}" for what, name in named.items() if name.strip()]
        if not marks:
            folder = Path(record["path"]).parent
            # No path of this machine goes out, and two folders of one name are two.
            marks = [f"folder {folder.name} {hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"]
        return [*marks, f"~bytes {record['sha256']}"]  # "~" comes last: it names no group

    @property
    def asked(self) -> str:
        """The same for two reviews of one question about one micrograph of one sample."""
        made = self.interpretation
        words = [made.micrograph["sha256"], made.micrograph["page"], made.sample.to_json()]
        words += [made.context_asked, made.question]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def write_llava(ledger: Ledger, folder: Path | None = None, *, licence: str = "") -> Exported:
    """Write conversations.json, images/ and README.md, by default into RUN/llava.

    Parameters
    ----------
    ledger : of the run; the last review of an interpretation counts, an undone one does not.
    licence : of the micrographs, as the person states it; unknown where it is empty.

    Raises
    ------
    BadInput : where nothing was reviewed, or nothing of it can be learnt from.
    RunUnavailable : where the folder cannot be written.
    """
    from tqdm import tqdm

    folder = folder or ledger.run / "llava"
    reviewed, superseded = _reviewed(ledger)
    unreviewed = sum(not last for last in _current(ledger))
    if not reviewed:
        raise BadInput(
            f"Nobody reviewed an interpretation of this run: {unreviewed} wait for it",
            where=ledger.run,
            remedy="Open the micrographs in the desktop, accept or overrule the verdicts, and "
            "export the run that holds the reviews.",
        )
    groups = together([each.marks for each in reviewed])
    splits = split_of(Counter(groups))
    made: list[Conversation] = []
    failures: list[tuple[str, str]] = []
    counts: Counter[str] = Counter()
    pictures: dict[str, str] = {}  # name to split
    synthetic: set[str] = set()
    passages: dict[str, None] = {}
    for each, group in zip(tqdm(reviewed, unit="review", disable=None), groups, strict=True):
        found = each.interpretation
        try:
            micrograph = _micrograph(found)
            enquiry = each.kept.enquiry(micrograph, each.kept.interpretation.sample)
            said = list(_conversations(each, enquiry, group, splits[group]))
            if not said:
                counts["without"] += 1
                continue
            name = _write_picture(folder / "images", micrograph, pictures)
        except UnreadableMicrograph as error:
            failures.append((str(found.micrograph["path"]), error.what))
            continue
        pictures[name] = splits[group]
        counts["accepted" if each.is_accepted else "overruled"] += 1
        if is_synthetic(found):
            synthetic.add(name)
        passages |= dict.fromkeys(passage.locator for passage in found.passages)
        made += [replace(one, image=f"images/{name}", licence=licence) for one in said]
    if not made:
        raise BadInput(
            f"None of the {len(reviewed)} reviewed interpretations can be learnt from",
            where=failures[0][0] if failures else ledger.run,
            remedy=f"{failures[0][1]}." if failures else "Every one was decided 'undecided'.",
        )
    exported = Exported(
        folder=folder,
        conversations=len(made),
        micrographs={name: list(pictures.values()).count(name) for name in SPLITS},
        groups=len(set(groups)),
        accepted=counts["accepted"],
        overruled=counts["overruled"],
        unreviewed=unreviewed,
        superseded=superseded,
        without_a_truth=counts["without"],
        failures=tuple(failures),
        synthetic=len(synthetic),
        passages=tuple(passages),
    )
    part = folder / f".{_FILE}.part"
    with translated(part):
        write_conversations(part, made)
        part.replace(folder / _FILE)
    write_file(folder / "README.md", _card(exported, licence).encode())
    return exported


def _reviewed(ledger: Ledger) -> tuple[list[_Reviewed], int]:
    """The reviews that hold, oldest interpretation first, and how many a later one replaced."""
    last: dict[str, _Reviewed] = {}
    reviews = last_reviews(ledger)
    # In the order in which they were decided: the later word on the same question stands.
    order = list(dict.fromkeys(r.interpretation for r in reversed(ledger.reviews())))
    for number in reversed(order):
        if number in reviews:
            each = _Reviewed(ledger.kept(number), reviews[number])
            last[each.asked] = each
    found = sorted(last.values(), key=lambda each: each.kept.id)
    return found, len(reviews) - len(found)


def _current(ledger: Ledger) -> Iterator[bool]:
    """For every row that is done, whether its interpretation was reviewed."""
    reviews = last_reviews(ledger)
    for _, kept in ledger.current():
        yield kept.id in reviews


def _micrograph(found: Interpretation) -> Micrograph:
    """The micrograph of a record, with the scale and the databar that the record holds.

    Raises
    ------
    UnreadableMicrograph : also for a file that is another one than was interpreted.
    """
    from glassllava.micrograph.reading import read_micrograph

    record = found.micrograph
    micrograph = read_micrograph(record["path"], page=record["page"], with_databar=False)
    if micrograph.sha256 != record["sha256"]:
        raise UnreadableMicrograph(
            "The file is another one than was interpreted", where=record["path"]
        )
    size, bar = record["pixel_size"], record["databar"]
    return replace(
        micrograph,
        pixel_size=PixelSize(**size) if size else None,
        databar=Databar(**bar) if bar else None,
    )


def _conversations(
    each: _Reviewed, enquiry: Enquiry, group: str, split: str
) -> Iterator[Conversation]:
    """One for the verdict, one for each of the words that hold.

    The lot or sample stands where a paper's name does: leaks are looked for, and intervals drawn,
    by it.
    """
    found, review = each.interpretation, each.review
    record = found.micrograph
    level = found.context_given
    # In the paper's sense: a complex question comes with its context.
    kind = "complex" if level in ("moderate", "high") else "simple"
    head = f"{record['sha256'][:16]}-{record['page']}-{each.asked[:8]}"
    by = f"{found.reply.identity.name} {found.reply.identity.version}, accepted with its verdict"

    def one(name: str, question: str, answer: str, source: str, **more: Any) -> Conversation:
        words = "\n".join(part for part in (enquiry.prefix, question) if part)
        return Conversation(
            id=f"{head}-{name}",
            image="",
            turns=(Turn(_plain(words), _plain(answer)),),
            paper=group,
            split=split,
            context_level=level,
            question_type=kind,  # type: ignore[arg-type]
            answer_source=source,
            checked_by=review.who or "unnamed",
            **more,
        )

    # Nobody looked at the features of a verdict that was overruled.
    seen = tuple(finding.feature for finding in found.present) if each.is_accepted else ()
    if review.decision in ("defect", "no_defect"):
        defect = review.decision == "defect"
        answer = "yes" if defect else "no"
        yield one("verdict", enquiry.verdict_text, answer, "person", defect=defect, features=seen)
    if each.is_accepted:
        if found.description.strip():
            yield one("description", enquiry.describe_text, found.description, by, features=seen)
        if found.answer.strip():
            yield one("answer", found.question, found.answer, by, features=seen)
    elif found.question == DEFAULT_QUESTION and review.reason.strip() and review.decision:
        # Another question is not answered by why a verdict was wrong.
        words = f"{DECISION_WORDS[review.decision]}: {review.reason.strip()}"
        yield one("answer", found.question, words, "person")


def _plain(text: str) -> str:
    """People's words, in which no image token stands."""
    while IMAGE_TOKEN in text:
        text = text.replace(IMAGE_TOKEN, " ".join(IMAGE_TOKEN))
    return text


def _write_picture(folder: Path, micrograph: Micrograph, known: dict[str, str]) -> str:
    """The specimen as a grey PNG of 8 bits, without databar and header; its name.

    Stretched as the model's own preprocessing does, at full size: `processing.letterbox` of this
    picture is what `processing.see` makes of the micrograph.
    """
    name = f"{str(micrograph.sha256)[:32]}-{micrograph.page}.png"
    if micrograph.databar is not None:
        # A bar that is seen otherwise makes another picture.
        name = name.replace(".png", f"-{micrograph.databar.top}.png")
    if name in known:
        return name
    from PIL import Image

    from glassllava.micrograph.reading import specimen, to_8bit

    stream = io.BytesIO()
    Image.fromarray(to_8bit(specimen(micrograph))).save(stream, "PNG", optimize=False)
    write_file(folder / name, stream.getvalue())
    return name


def _card(exported: Exported, licence: str) -> str:
    """What these data are, for whoever trains on them."""
    total = sum(exported.micrographs.values())
    lines = [
        "# Reviewed interpretations as training conversations",
        "",
        *(f"- {line[0].upper()}{line[1:]}." for line in exported.in_words),
        f"- Licence of the micrographs: {licence or 'not stated, so that nothing is granted'}.",
        f"- {exported.synthetic} of {total} micrographs say that they are synthetic.",
        "- Checked by a person: 100 % of the verdicts. A description or an answer of a model "
        "(`answer_source`) was accepted together with its verdict, not sentence by sentence.",
        "- Splits are by lot, sample, or else folder; files with the same bytes stay together. "
        "Near-duplicates of different samples are not looked for here.",
        f"- The prompts hold words of {len(exported.passages)} passages of the library, under the "
        "licences of their papers" + (":" if exported.passages else "."),
        *(f"  - {_line(passage)}" for passage in exported.passages),
    ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
