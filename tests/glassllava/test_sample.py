"""A person's words of the sample, as the rules understand them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassllava import rules
from glassllava.errors import BadInput
from glassllava.sample import Sample, read_sample, understand


def test_every_token_of_the_rules_can_be_said_in_its_own_words() -> None:
    for key in ("material", "process", "product", "state", "position", "layer"):
        for token in rules.tokens()[key]:
            sample = Sample(**{key: token.replace("_", " ")})
            assert token in understand(sample).tokens.get(key, ()), f"{key}={token}"


@pytest.mark.parametrize(
    ("sample", "key", "token"),
    [
        (Sample(material="soda-lime float glass"), "material", "float"),
        (Sample(product="windscreen"), "product", "laminate"),
        (Sample(process="float, annealed 550 °C"), "process", "annealed"),
        (Sample(treatment="85 °C / 85 % RH, 30 d"), "process", "corrosion_test"),
        (Sample(preparation="fracture surface, 5 nm C"), "process", "broken_part"),
        (Sample(material="Pyrex"), "material", "borosilicate"),
        (Sample(treatment="Vickers, 10 N"), "process", "indentation_test"),
    ],
)
def test_words_of_the_trade_are_understood(sample: Sample, key: str, token: str) -> None:
    assert token in understand(sample).tokens[key]


def test_a_word_with_a_not_before_it_does_not_count() -> None:
    tokens = understand(Sample(process="float, not tempered, annealed")).tokens
    assert tokens["process"] == {"annealed"}


def test_levels_tell_less() -> None:
    sample = Sample(material="float glass", process="tempered", product="finished pane")
    assert understand(sample, "none").tokens == {}
    assert understand(sample, "basic").tokens == {"material": {"float"}}
    assert understand(sample, "moderate") == understand(sample, "high")


def test_a_material_that_is_not_glass_is_named() -> None:
    assert understand(Sample(material="316 stainless steel")).not_glass == "steel"
    assert understand(Sample(material="enamel on steel")).not_glass is None
    assert understand(Sample(material="metallic glass ribbon")).not_glass is None


def test_a_material_that_no_token_covers_stays_unknown() -> None:
    understood = understand(Sample(material="tellurite glass"))
    assert understood.tokens == {}
    assert understood.unmapped == ("material",)
    assert understood.not_glass is None


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "sample.toml"
    path.write_text('materal = "float glass"\n')
    with pytest.raises(BadInput) as caught:
        read_sample(path)
    assert "materal" in caught.value.what
    assert "'material'" in caught.value.remedy
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text", ["material = ", "material = 5", 'expected = "crack"', 'expected = ["craack"]', "\x00"]
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sample.toml"
    path.write_text(text)
    with pytest.raises(BadInput):
        read_sample(path)


def test_a_sample_comes_back_from_its_record() -> None:
    sample = Sample(id="A-1", material="float glass", expected=("tin_side", "crack"))
    assert Sample.from_mapping(sample.to_json()) == sample


@given(st.text(max_size=200))
def test_no_text_breaks_the_understanding(text: str) -> None:
    tokens = understand(Sample(material=text, process=text)).tokens
    for key, values in tokens.items():
        assert values <= rules.tokens()[key]


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"#" * 1_000_001, "larger than 1 MB"), (b'id = "\xff"', "not text in UTF-8")],
)
def test_a_file_that_is_no_sample_is_refused_with_a_remedy(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    file = tmp_path / "sample.toml"
    file.write_bytes(raw)
    with pytest.raises(BadInput, match=said) as caught:
        read_sample(file)
    assert caught.value.where == str(file)
    assert caught.value.remedy
