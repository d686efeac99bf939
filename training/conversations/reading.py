"""Everything that is looked at before the first step: files, splits, tokens, pictures.

What cannot be learnt from is found here, with the conversation's name. The tokens are kept by the
hash of all that decides them. Knows no model.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassllava.conversation import Conversation, read_conversations, write_conversations
from glassllava.errors import BadInput
from training.bars import bar
from training.conversations.checking import Question
from training.conversations.pictures import Pictures
from training.conversations.tokens import Example, Tokeniser, tokenise, verdict_word
from training.ranks import Ranks

#: Changes when the same conversations would give other tokens.
_VERSION = "1"
_SPLITS = ("train", "validation")


@dataclass(frozen=True, slots=True)
class Material:
    """Conversations made ready: what is learnt, what is asked on the way, and who owns it."""

    examples: tuple[Example, ...]
    digests: tuple[str, ...]  # the picture of each example
    questions: tuple[Question, ...]
    fingerprint: str
    conversations: tuple[Conversation, ...]  # of both splits

    @property
    def licences(self) -> dict[str, str]:
        """The licence by what it is of, for the card."""
        counts = Counter(c.licence or "unknown" for c in self.conversations)
        return {f"{number} conversations, {name}": name for name, number in counts.items()}

    @property
    def in_words(self) -> str:
        total = len(self.conversations)
        checked = sum(bool(c.checked_by) for c in self.conversations)
        papers = len({c.paper for c in self.conversations})
        return (
            f"{len(self.examples)} conversations to learn from and {len(self.questions)} to "
            f"validate on, of {papers} papers or samples; {checked / total:.0%} were checked by a "
            "person."
        )


def read_material(
    files: Sequence[Path],
    images: Path,
    tokeniser: Tokeniser,
    processor: Any,
    pictures: Pictures,
    work: Path,
    ranks: Ranks,
) -> Material:
    """The conversations of `files` that are to learn from and to validate on, made ready.

    Raises
    ------
    BadInput : where a split is empty, conversations cannot be learnt from, or splits share a paper
        or a picture.
    UnreadableMicrograph : where a micrograph is missing or corrupt.
    """
    with ranks.together():
        kept = [c for file in files for c in read_conversations(file) if c.split in _SPLITS]
        _refuse_doubles(kept)
        for split in _SPLITS:
            if not any(c.split == split for c in kept):
                raise BadInput(
                    f"No conversation has the split '{split}'",
                    where=", ".join(map(str, files)),
                    remedy="`glassview curate` and `glassview export --format llava` set 'split'.",
                )
    fingerprint = _fingerprint(files, processor, tokeniser)
    with ranks.together():
        path = work / f"tokens-{fingerprint[:16]}.npz"
        examples = _read(path, kept)
        if examples is None:
            with bar("conversations", shown=ranks.first) as told:
                examples = tokenise(kept, tokeniser, told)
            if ranks.first:
                _write(path, examples)
    with bar("micrographs", shown=ranks.first) as told:
        pictures.prepare(kept, images, ranks, told)
    with ranks.together():
        if ranks.first:
            _refuse_leaks(files, images, pictures, kept, work, ranks)
    learnt = [i for i, c in enumerate(kept) if c.split == "train"]
    return Material(
        examples=tuple(examples[i] for i in learnt),
        digests=tuple(pictures.hash_of(kept[i]) for i in learnt),
        questions=tuple(
            Question(
                c.turns[0].question,
                c.turns[0].answer,
                pictures.hash_of(c),
                bool(verdict_word(c.turns[0].answer, c.defect)),
            )
            for c in kept
            if c.split == "validation"
        ),
        fingerprint=hashlib.sha256(
            (fingerprint + "".join(pictures.hash_of(c) for c in kept)).encode()
        ).hexdigest(),
        conversations=tuple(kept),
    )


def _refuse_leaks(
    files: Sequence[Path],
    images: Path,
    pictures: Pictures,
    kept: Sequence[Conversation],
    work: Path,
    ranks: Ranks,
) -> None:
    """That no split knows another one's papers or pictures; looked at once for the same data."""
    from training.curation.leaks import check_leaks, refuse_leaks

    seen = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    seen.update("".join(sorted({pictures.hash_of(c) for c in kept})).encode())
    passed = work / f"no-leaks-{seen.hexdigest()[:16]}"
    if passed.exists():
        return
    source = files[0]
    if len(files) > 1:
        # Leaks are looked for across the files too.
        source = work / "conversations.json"
        write_conversations(source, (c for file in files for c in read_conversations(file)))
    with bar("leaks", shown=ranks.first) as told:
        refuse_leaks(check_leaks(source, images=images, told=told), source)
    passed.touch()


def _refuse_doubles(conversations: Sequence[Conversation]) -> None:
    doubled = [name for name, n in Counter(c.id for c in conversations).items() if n > 1]
    if doubled:
        raise BadInput(
            f"{len(doubled)} names are those of several conversations",
            where=f"conversation '{doubled[0]}'",
            remedy="Give each conversation an id of its own: errors and leaks are told by it.",
        )


def _fingerprint(files: Sequence[Path], processor: Any, tokeniser: Tokeniser) -> str:
    """One hash over everything that decides the tokens."""
    total = hashlib.sha256(f"{_VERSION} {tokeniser.longest} {tokeniser.cells}".encode())
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    tokenizer = processor.tokenizer
    total.update(tokenizer.backend_tokenizer.to_str().encode())
    total.update(repr((tokenizer.special_tokens_map, processor.chat_template)).encode())
    return total.hexdigest()


def _write(path: Path, examples: Sequence[Example]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file,
            ids=np.concatenate([e.ids for e in examples]),
            kinds=np.concatenate([e.kinds for e in examples]),
            lengths=np.array([e.length for e in examples]),
        )
    part.replace(path)


def _read(path: Path, conversations: Sequence[Conversation]) -> list[Example] | None:
    if not path.exists():
        return None
    with np.load(path) as kept:
        ends = np.cumsum(kept["lengths"])[:-1]
        parts = zip(np.split(kept["ids"], ends), np.split(kept["kinds"], ends), strict=True)
        return [
            Example(c.id, ids, kinds) for c, (ids, kinds) in zip(conversations, parts, strict=True)
        ]
