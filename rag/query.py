"""What the library is asked: the question, the sample and what was seen, as one line of words.

The line is shown to the person, so it is made of words that a person would type. Knows nothing of
the index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassllava.features import name_of, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glassllava.sample import Sample

#: The embedder reads 256 tokens; more words only thin the meaning of the first ones.
_LONGEST = 600


def make_query(
    question: str,
    sample: Sample | None = None,
    seen: Iterable[str] = (),
    keys: Iterable[str] = (),
) -> str:
    """One line: feature names, words of what was measured, the sample, then the question.

    `keys` are feature keys, `seen` are free words ("12 round dark regions"); what is most telling
    stands first, because a long line is cut at its end.

    Raises
    ------
    BadInput : for a key that is not in the vocabulary.
    """
    parts = []
    for key in keys:
        parent_of(key)  # raises for a word that is no key, naming the nearest
        parts.append(name_of(key))
    parts.extend(seen)
    if sample is not None:
        told = (
            sample.material,
            sample.process,
            sample.treatment,
            sample.product,
            sample.position,
            sample.layer,
            sample.state,
        )
        parts.extend(told)
    clean = dict.fromkeys(" ".join(part.split()) for part in parts)
    asked = " ".join(question.split())
    context = "; ".join(part for part in clean if part)
    room = max(0, _LONGEST - len(asked) - 2)
    if len(context) > room:
        context = context[:room].rsplit(" ", 1)[0].rstrip(" ;,")
    return ". ".join(part for part in (context, asked[:_LONGEST]) if part)
