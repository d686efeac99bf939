"""The right section for a plain question; nothing for a question about something else."""

from __future__ import annotations

import numpy as np
import pytest

from glassllava.literature import Passage
from rag import retrieval
from rag.embedding import DIMENSIONS
from rag.holdings import Holdings, StoredPassage
from rag.passages import Entry

# Words of a person at a microscope; the sections that answer. No number was set by either list.
# Five of the first list were missed once, and the primer's words were mended for them; the second
# list was written after that. When the primer grew from 79 passages to 251, eleven of its new
# sections that answer a question were read and joined to it; the counts asked for stayed.
QUESTIONS = [
    ("is this a bubble or did my polishing tear something out", {12, 119}),
    ("pane exploded by itself, found a small ball where it started", {25}),
    ("the voids in this foam look huge, is that ok", {16}),
    ("shiny metal bead in a laser rod", {26}),
    ("streaks of different grey running through the bottle wall", {31}),
    ("how can I tell which side of the pane touched the tin bath", {32, 266}),
    ("crust with fish scale cracks on a quartz tube", {41, 230, 345}),
    ("interlocked rods after HF etching of a dental crown block", {46}),
    ("my opal glass is full of tiny spheres", {55, 49, 294}),
    ("crack or just a hair lying on the surface?", {67, 60}),
    ("ring shaped crack where a steel ball hit", {63}),
    ("curved ripples on the broken surface", {75, 78}),
    ("tail behind a pore on the fracture face, which way did the crack go", {74}),
    ("pane cracked from the edge in wavy line on a sunny day", {64}),
    ("matt worn ring around a returned beer bottle", {82, 313}),
    ("spongy dark layer at the rim after months in water", {88}),
    ("coating lifts off in wrinkles like a telephone cord", {94}),
    ("which bits of dirt can I ignore", {95, 96}),
    ("everything is stretched in one direction and flips when I focus", {114, 218}),
    ("vertical streaks under the holes in a FIB cross section", {118}),
]
HELD_OUT = [
    ("smooth line where the crack must have stopped for a while", {78, 237}),
    ("parallel little steps getting coarser on the fractured face", {77, 73, 238}),
    ("grey blob without crystals in the jar wall", {30, 242}),
    ("tiny white specks on the top side of the float ribbon", {33}),
    ("grains that look like a ceramic refractory inside the glass", {20, 21, 22, 34}),
    ("the enamel is full of fine bubbles, should I worry", {14, 133, 352}),
    ("feathery crystals in glass wool", {43, 40}),
    ("is the white rim around the hole a coating", {117}),
    ("picture looks grainy at fast scan", {115}),
    ("letters at the bottom are counted as particles", {122, 246}),
    ("rainbow film on sheets that were stacked wet", {87}),
    ("scallop shaped piece missing at the rim", {83}),
    ("row of little crescents along one line on the lens", {84}),
    ("how thick is the sponge on corroded waste glass", {88}),
    ("can I measure lithium with EDS", {7}),
    ("no scale in the file, how long is the crack", {4}),
    ("thread of glass across the inside of a bottle", {97, 132}),
    ("holes in the silver layer with a speck in the middle", {93, 96}),
    ("the forks near the break, what do they tell about stress", {76, 304}),
    ("potash porcelain with round crystal clusters and small cracks", {47}),
]
OFF_TOPIC = [
    "recipe for chocolate cake",
    "who wrote War and Peace",
    "cheap hotels near the airport",
    "how to tie a bow tie",
    "tax return deadline for the self-employed",
    "lyrics of a christmas carol",
    "football results of last weekend",
    "when to plant tomatoes outdoors",
    "install a printer driver on a laptop",
    "vaccination schedule for puppies",
    "history of the Roman senate",
    "interest rates for savings accounts",
]


def sections(library, question, limit):
    return [int(passage.section) for passage in library.search(question, limit)]


@pytest.mark.parametrize(
    ("questions", "among_three", "first"), [(QUESTIONS, 16, 14), (HELD_OUT, 15, 11)]
)
def test_plain_questions_find_their_section(primer_library, questions, among_three, first):
    found = [(sections(primer_library, question, 3), right) for question, right in questions]
    hits = sum(bool(right & set(top)) for top, right in found)
    best = sum(bool(top) and top[0] in right for top, right in found)
    missed = [
        q for (q, right), (top, _) in zip(questions, found, strict=True) if not right & set(top)
    ]
    print(f"hits@3 {hits}/{len(questions)}, hits@1 {best}/{len(questions)}, missed: {missed}")
    assert hits >= among_three, missed  # measured: 18 and 17
    assert best >= first  # measured: 17 and 13


def test_another_subject_finds_no_evidence(primer_library):
    answered = [question for question in OFF_TOPIC if primer_library.search(question, 5)]
    assert len(answered) <= 1, answered  # measured: the bow tie, of twelve


def test_the_index_answers_as_the_exact_search_does(primer_library):
    assert primer_library.backend == "chroma"
    loaded = primer_library._refreshed()
    alive = loaded.holdings.alive(primer_library.generation)
    for question, _ in QUESTIONS:
        vector = primer_library._embedder.query(question)
        rows = primer_library._kept._index.nearest(vector, 12, primer_library.generation)
        oracle = retrieval.exact(vector, loaded.holdings.vectors, alive, 12)
        assert [loaded.by_row[row] for row in rows] == oracle.tolist()


def test_a_passage_is_wholly_read_by_the_embedder(primer_library):
    tokenizer = primer_library._embedder._loaded().tokenizer
    entries = primer_library._refreshed().holdings.passages
    lengths = {
        e.entry.passage.id: len(tokenizer(e.entry.passage.text)["input_ids"]) for e in entries
    }
    assert max(lengths.values()) <= 256, max(lengths, key=lengths.get)


def small(vectors, texts):
    items = tuple(
        StoredPassage(i + 1, 1, Entry(Passage(f"p:{i}", text, "T")), "d", 1, None)
        for i, text in enumerate(texts)
    )
    rows = np.zeros((len(vectors), DIMENSIONS), np.float32)
    rows[:, :3] = vectors
    return Holdings.of(1, items, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_twins_are_folded_and_shared_words_break_ties():
    holdings = small(
        [[1, 0.5, 0], [1, 0.5, 0.01], [1, 0, 0.5]], ["a cord", "the cord", "bubble in an enamel"]
    )
    first, twin = (index for index, _ in ranked(holdings, "Bubbles?", [1, 0, 0]))
    assert first == 2
    assert twin in (0, 1)


def ranked(holdings, query, vector, **more):
    whole = np.zeros(DIMENSIONS, np.float32)
    whole[:3] = np.array(vector) / np.linalg.norm(vector)
    entries = [item.entry for item in holdings.passages]
    everything = np.ones(len(entries), bool)
    lexicon = retrieval.Lexicon.of(entries)
    near = range(len(entries))
    return retrieval.rank(query, whole, near, holdings, lexicon, everything, 3, **more)


def test_nearer_to_another_subject_is_no_evidence():
    holdings = small([[1, 0, 0], [0, 1, 0]], ["bubbles in an enamel", "cords in a jar"])
    assert ranked(holdings, "bubbles", [1, 1, 0], strangeness=0.2)
    assert ranked(holdings, "bubbles", [1, 1, 0], strangeness=0.95) == []


def test_words_of_the_best_passages_find_others():
    # "seed" is no word of the question; the first passage, which is, holds it.
    texts = ["little round holes are seeds", "seeds rise slowly", "cords drift slowly"]
    holdings = small([[1, 0, 0], [1, 0.5, 0], [1, 0, 0.5]], texts)
    found = dict(ranked(holdings, "little round holes", [1, 0, 0]))
    assert found[1] > found[2]


def test_a_passage_that_may_not_answer_still_teaches_words():
    texts = ["little round holes are seeds", "seeds rise slowly", "cords drift slowly"]
    holdings = small([[1, 0, 0], [0.5, 1, 0], [0.5, 0, 1]], texts)
    allowed = np.array([False, True, True])
    found = ranked(holdings, "little round holes", [1, 0, 0], allowed=allowed)
    assert found[0][0] == 1
    assert 0 not in dict(found)


def test_what_is_not_alive_changes_no_weight():
    texts = ["bubbles in an enamel", "bubbles in a jar", "cords in a jar"]
    entries = [Entry(Passage(f"p:{i}", text, "T")) for i, text in enumerate(texts)]
    alone = retrieval.Lexicon.of(entries[:2]).scores("bubbles jar", np.ones(2, bool))
    later = retrieval.Lexicon.of(entries).scores("bubbles jar", np.array([True, True, False]))
    assert later.tolist() == [*alone.tolist(), 0.0]


def test_exact_search_leaves_out_what_is_not_alive():
    holdings = small([[1, 0, 0], [0, 1, 0], [1, 1, 0]], ["a", "b", "c"])
    vector = holdings.vectors[0]
    alive = np.array([False, True, True])
    assert retrieval.exact(vector, holdings.vectors, alive, 5).tolist() == [2, 1]
    assert retrieval.exact(vector, holdings.vectors, ~np.ones(3, bool), 5).tolist() == []
