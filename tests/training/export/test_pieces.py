"""A SentencePiece model becomes a tokenizer that cuts the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.export.originals import KNOWN, PIECES, write_sentencepiece
from training.export.pieces import from_sentencepiece

TEXTS = ("the crack", "the  the", "crackthe rack", "µm – a", "", "x\ny", "thethethe e")


@pytest.mark.parametrize("legacy", [False, True])
def test_it_cuts_as_transformers_own_llama_tokenizer(legacy: bool, tmp_path: Path) -> None:
    from transformers import LlamaTokenizer

    write_sentencepiece(tmp_path / "tokenizer.model")
    ours = from_sentencepiece(tmp_path / "tokenizer.model", legacy=legacy, begins=True)
    vocabulary = ours.get_vocab()
    merges = [tuple(pair) for pair in _merges(ours)]
    theirs = LlamaTokenizer(vocab=vocabulary, merges=merges, legacy=legacy)
    for text in TEXTS:
        assert (
            ours.encode(text, add_special_tokens=False).ids
            == theirs(text, add_special_tokens=False)["input_ids"]
        ), text
        assert ours.decode(ours.encode(text).ids) == text


def _merges(tokenizer: object) -> list[list[str]]:
    import json

    return json.loads(tokenizer.to_str())["model"]["merges"]  # type: ignore[attr-defined, no-any-return]


def test_merges_follow_the_order_of_the_pieces(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path / "tokenizer.model")
    tokenizer = from_sentencepiece(tmp_path / "tokenizer.model", legacy=True, begins=True)
    numbers = {piece: 259 + number for number, piece in enumerate(PIECES)}
    assert tokenizer.encode("the crack").ids == [1, numbers["▁the"], numbers["▁"], numbers["crack"]]
    # What no piece covers is spelt in bytes.
    assert tokenizer.encode("µ").ids == [1, numbers["▁"], 3 + 0xC2, 3 + 0xB5]
    assert tokenizer.get_vocab_size() == KNOWN
    assert tokenizer.encode("</s>", add_special_tokens=False).ids == [2]
    plain = from_sentencepiece(tmp_path / "tokenizer.model", legacy=True, begins=False)
    assert plain.encode("the").ids == [numbers["▁the"]]
