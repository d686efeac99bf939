"""Who is kin to whom: a plain rule by name."""

from __future__ import annotations

import pytest

from training.evaluation.families import family_of, kinship


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o", "OpenAI GPT"),
        ("openai/gpt4o-mini", "OpenAI GPT"),
        ("o3", "OpenAI GPT"),
        ("Qwen2.5-VL-7B-Instruct", "Qwen"),
        ("llava-hf/llava-1.5-7b-hf", "LLaMA"),
        ("Meta-Llama-3-8B", "LLaMA"),
        ("claude-3-opus", "Anthropic Claude"),
        ("google/gemma-3-27b-it", "Google Gemini and Gemma"),
        ("microsoft/Phi-3-vision", "Microsoft Phi"),
        ("philosopher-7b", None),
        ("our-judge", None),
    ],
)
def test_families(name: str, family: str | None) -> None:
    assert family_of(name) == family


def test_kin_are_told_and_strangers_are_not() -> None:
    told = kinship("gpt-4.1", "gpt-4o", "wrote the references")
    assert told is not None
    assert "same family (OpenAI GPT)" in told
    assert kinship("qwen2.5-72b", "gpt-4o", "wrote the references") is None


def test_what_cannot_be_known_is_said() -> None:
    assert "cannot be said" in (kinship("our-judge", "gpt-4o", "wrote") or "")
    assert "not told" in (kinship("gpt-4o", "", "wrote the references") or "")
    assert "same family" in (kinship("our-judge", "our-judge", "wrote") or "")
