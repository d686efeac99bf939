"""How well questions find what answers them: measures with intervals, for any way of searching.

A way of searching is a function from a question to passages, best first; whose it is, is not known
here. A judged item is a passage by its id, or a page as a citation names it ("Title, p. 7"), so
that passages cut in different ways are judged alike. Several passages of one page count once.

Sources: Järvelin and Kekäläinen 2002 for nDCG, gains 2^grade - 1; Efron and Tibshirani 1993 for the
bootstrap of percentiles, drawn by group (a question, or all questions of one paper).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput
from rag import retrieval
from rag.subjects import strangeness

if TYPE_CHECKING:
    from pathlib import Path

    from glassllava.literature import Passage
    from rag.embedding import Embedder
    from rag.holdings import Holdings

Retriever = Callable[[str, int], Sequence["Passage"]]

#: How deep a ranking is judged, and how many passages a prompt is thought to take.
DEPTH, GIVEN = 10, 5
MEASURES = ("ndcg@10", "recall@5", "mrr", "page recall@5")
_DRAWS = 5000
_SEED = 20261128
_LARGEST_FILE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """Words, and the grade (2 answers, 1 helps) of each judged item; none where nothing answers.

    Questions of one `group` are drawn together by the bootstrap; by default each is its own.
    """

    id: str
    text: str
    kind: str
    split: str
    relevant: dict[str, int]
    group: str

    @property
    def is_answerable(self) -> bool:
        return bool(self.relevant)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds that hold 95 % of its bootstrap."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"

    def to_json(self) -> list[float]:
        return [round(value, 4) for value in (self.mean, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one way of searching reached: a row for each answerable question.

    `values` is (questions, len(MEASURES)), NaN where a measure does not apply; `silent` tells for
    every question, the unanswerable too, whether nothing was found.
    """

    questions: tuple[Question, ...]
    values: np.ndarray
    silent: np.ndarray

    def interval(self, measure: str, against: Scores | None = None) -> Interval | None:
        """A measure, or how far it is above another's, question by question; None: no labels."""
        column = MEASURES.index(measure)
        values = self.values[:, column]
        if against is not None:
            values = values - against.values[:, column]
        groups = [question.group for question in self.questions if question.is_answerable]
        keep = ~np.isnan(values)
        if not keep.any():
            return None
        return interval(values[keep], [g for g, kept in zip(groups, keep, strict=True) if kept])

    @property
    def silence(self) -> tuple[int, int, int]:
        """Rightly silent, silent at all, unanswerable: precision and recall of "no evidence"."""
        none = np.array([not question.is_answerable for question in self.questions], bool)
        return int((self.silent & none).sum()), int(self.silent.sum()), int(none.sum())


def read_questions(path: Path) -> tuple[Question, ...]:
    """The judged questions of a TOML file.

    Raises
    ------
    BadInput : for a file that is missing, too large or not of this form.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise BadInput("The file of questions is larger than 8 MB", where=path)
        raw = tomllib.loads(data.decode("utf-8"))["question"]
        questions = tuple(_question(item) for item in raw)
    except OSError as error:
        raise BadInput(f"The file cannot be read ({error.strerror})", where=path) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"This is not a file of judged questions ({error})",
            where=path,
            remedy='Each [[question]] has id, text and relevant = { "Title, p. 7" = 2 }.',
        ) from error
    if len({question.id for question in questions}) < len(questions):
        raise BadInput("Two questions have the same id", where=path)
    return questions


def _question(item: dict[str, Any]) -> Question:
    relevant = {str(key): int(grade) for key, grade in item["relevant"].items()}
    if not all(grade in (1, 2) for grade in relevant.values()):
        raise ValueError(f"a grade of {item['id']} is neither 1 nor 2")
    identity = str(item["id"])
    return Question(
        id=identity,
        text=str(item["text"]),
        kind=str(item.get("kind", "")),
        split=str(item.get("split", "test")),
        relevant=relevant,
        group=str(item.get("group", identity)),
    )


def score(questions: Sequence[Question], search: Retriever) -> Scores:
    """Ask every question."""
    rows, silent = [], []
    for question in questions:
        found = search(question.text, DEPTH)
        silent.append(not found)
        if question.is_answerable:
            rows.append(measured(question.relevant, [_label(p, question) for p in found]))
    values = np.array(rows, float).reshape(-1, len(MEASURES))
    return Scores(tuple(questions), values, np.array(silent, bool))


def measured(relevant: dict[str, int], labels: Sequence[str]) -> tuple[float, ...]:
    """MEASURES of one answer: labels of its passages, best first, against the grades.

    recall@5 is the share of all judged items (at most five) that the first five passages hold;
    page recall@5 is 1 where one of them is of a page that answers, NaN where no page was judged.
    """
    items = list(dict.fromkeys(labels))
    gains = [2 ** relevant.get(item, 0) - 1 for item in items[:DEPTH]]
    ideal = sorted((2**grade - 1 for grade in relevant.values()), reverse=True)[:DEPTH]
    first = next((place for place, gain in enumerate(gains, start=1) if gain), None)
    given = set(labels[:GIVEN])
    pages = {key for key, grade in relevant.items() if ", p. " in key and grade == 2}
    return (
        _discounted(gains) / _discounted(ideal),
        len(given & set(relevant)) / min(len(relevant), GIVEN),
        1 / first if first else 0.0,
        float(bool(given & pages)) if pages else float("nan"),
    )


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / float(np.log2(place + 2)) for place, gain in enumerate(gains))


def _label(passage: Passage, question: Question) -> str:
    return passage.id if passage.id in question.relevant else passage.locator


def interval(values: np.ndarray, groups: Sequence[str]) -> Interval:
    """The mean of (n,) values and its 95 % bootstrap, whole groups drawn with replacement."""
    names = sorted(set(groups))
    place = {name: index for index, name in enumerate(names)}
    index = np.array([place[group] for group in groups])
    sums = np.bincount(index, weights=values, minlength=len(names))
    sizes = np.bincount(index, minlength=len(names))
    drawn = np.random.default_rng(_SEED).integers(0, len(names), (_DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def searches(
    holdings: Holdings,
    lexicon: retrieval.Lexicon,
    embedder: Embedder,
    alive: np.ndarray,
    allowed: np.ndarray,
) -> dict[str, Retriever]:
    """BM25 alone, cosine alone and ours, answering with the same passages.

    `alive` and `allowed` are (n,) bool: what is in the library, and what of it may answer. BM25
    alone reads what ours reads of a passage: its words, its title, the names of its topics.
    """
    allowed = alive & allowed

    def passages(indices: Sequence[int]) -> list[Passage]:
        return [holdings.passages[index].entry.passage for index in indices]

    def by_words(query: str, limit: int) -> list[Passage]:
        found = lexicon.scores(query, allowed)
        return passages([int(i) for i in retrieval.best(found, allowed, limit) if found[i] > 0])

    def by_meaning(query: str, limit: int) -> list[Passage]:
        vector = embedder.query(query)
        return passages([int(i) for i in retrieval.exact(vector, holdings.vectors, allowed, limit)])

    def ours(query: str, limit: int) -> list[Passage]:
        vector = embedder.query(query)
        count = max(retrieval.LEAST_CANDIDATES, limit * retrieval.OVERSAMPLING)
        near = [
            int(index)
            for may in (alive, allowed)
            for index in retrieval.exact(vector, holdings.vectors, may, count)
        ]
        strange = strangeness(embedder, vector)
        found = retrieval.rank(
            query, vector, near, holdings, lexicon, alive, limit, allowed, strangeness=strange
        )
        return passages([index for index, _ in found])

    return {"BM25 alone": by_words, "dense alone": by_meaning, "ours": ours}
