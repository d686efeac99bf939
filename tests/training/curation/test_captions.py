"""Captions are split at their letters, and paragraphs found that mention a figure."""

from __future__ import annotations

import time

import pytest

from training.curation.captions import figure_number, mentions, paragraphs_for, split_caption


@pytest.mark.parametrize(
    ("caption", "letter", "told"),
    [
        ("Figure 1. SEM images: (a) as received, (b) after 30 d; (c, d) fractured. Bars: 5 µm.",
         "b", "Figure 1. SEM images: (b) after 30 d Bars: 5 µm."),
        ("Figure 1. SEM images: (a) as received, (b) after 30 d; (c, d) fractured. Bars: 5 µm.",
         "d", "Figure 1. SEM images: (d) fractured. Bars: 5 µm."),
        ("Fig. 2 As received (a) and after a month (b).", "b", "Fig. 2 (b) after a month"),
        ("Fig. 2 Glass: as received (a), leached (b–d).", "c", "Fig. 2 Glass: (c) leached"),
        ("Fig 4 (A) One. (B) Two. Bars 2 µm.", "a", "Fig 4 (a) One. Bars 2 µm."),
        ("Fig. 5. a) pores and b) cracks.", "b", "Fig. 5. (b) cracks."),
    ],
)  # fmt: skip
def test_each_panel_has_its_words_and_those_of_all(caption, letter, told):
    assert split_caption(caption).of(letter) == told


@pytest.mark.parametrize(
    "caption",
    ["", "Figure 1. A crack (arrow) in glass (B).", "Fig. 2. (b) and (c) only.",
     "Fig. 3. Glass with (c axis) crystals; see (a)."],
)  # fmt: skip
def test_a_caption_without_letters_in_order_is_whole(caption):
    split = split_caption(caption)
    assert split.letters == ()
    assert split.of("a") == split.whole == caption


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("see Figs. 2a,b and 4–6", ["2ab", "4", "5", "6"]),
        ("Fig. 3 a crack runs", ["3"]),
        ("Figure 3(a) and Fig. S2", ["3a", "s2"]),
        ("Supplementary Fig. 2", ["s2"]),
        ("Figures 1-3", ["1", "2", "3"]),
        ("Fig. 2 and 5 wt% of it", ["2"]),
        ("Figure 10 shows (b)", ["10"]),
        ("the figures of 1998 and config. 3", []),
    ],
)
def test_mentions(text, told):
    assert [m.figure + "".join(sorted(m.letters)) for m in mentions(text)] == told


def test_paragraphs_are_of_the_figure_and_the_panel():
    texts = ["Fig. 1 is another.", "Pores (Fig. 2a) are round.", "Figs 1–3 are of one glass.",
             "Figure 2(b) differs.", "Nothing.", "In Fig. 12 also."]  # fmt: skip
    assert paragraphs_for(texts, "Figure 2") == (texts[1], texts[2], texts[3])
    assert paragraphs_for(texts, "FIG. 2", "a") == (texts[1], texts[2])
    assert paragraphs_for(texts, "", "a") == ()
    assert figure_number("Extended Data Fig. 2") == "s2"


def test_a_caption_of_a_megabyte_is_read_in_time():
    begun = time.monotonic()
    for caption in ("(a) " * 250_000, "(a" * 500_000, "a) b) " * 160_000, "Fig. 1" + " " * 10**6):
        split_caption(caption)
        mentions(caption)
    mentions("Figs. " + "1-99, " * 150_000)
    assert time.monotonic() - begun < 5
