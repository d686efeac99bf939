"""Whether two models are of one family: a judge favours what its own kin wrote.

A plain rule by name. A model belongs to the first family of the table one of whose words begins a
part of its name ("llava-1.5" is of LLaMA, from which it was made); a name that no row knows is a
family of its own, and what its kin are nobody can tell.
"""

from __future__ import annotations

import re

_FAMILIES: dict[str, tuple[str, ...]] = {
    "OpenAI GPT": ("gpt", "chatgpt", "o1", "o3", "o4", "davinci"),
    "Anthropic Claude": ("claude",),
    "Google Gemini and Gemma": ("gemini", "gemma", "paligemma", "medgemma"),
    "Qwen": ("qwen", "qwq", "qvq"),
    "DeepSeek": ("deepseek",),
    "Mistral": ("mistral", "mixtral", "pixtral", "ministral", "magistral"),
    "Microsoft Phi": ("phi",),
    "InternLM": ("intern", "internvl", "internlm"),
    "LLaMA": ("llama", "llava", "glassllava", "openllama", "open_llama", "vicuna", "alpaca"),
}


def family_of(name: str) -> str | None:
    """The family of a model's name, or None where the table does not know it."""
    parts = re.split(r"[^a-z0-9_]+", name.lower())
    for family, words in _FAMILIES.items():
        # "gpt4o" is a gpt; "phi3" a phi; but "philosopher" is none: digits may follow, letters not.
        if any(re.fullmatch(rf"{w}\d*[a-z]?", part) for w in words for part in parts):
            return family
    return None


def kinship(judge: str, other: str, what: str) -> str | None:
    """A sentence where `judge` is, or may be, of the family of `other`; else None.

    `what` says what `other` did, such as "wrote the references".
    """
    if not other:
        return f"Who {what} is not told: whether the judge {judge} is its kin cannot be said"
    mine, theirs = family_of(judge), family_of(other)
    if judge == other or (mine is not None and mine == theirs):
        family = f" ({mine})" if mine else ""
        return (
            f"The judge {judge} is of the same family{family} as {other}, which {what}: a judge "
            "favours its own kin, so take one of another family"
        )
    if mine is None or theirs is None:
        unknown = judge if mine is None else other
        return (
            f"Which family {unknown} is of is not known: whether the judge {judge} is kin to "
            f"{other}, which {what}, cannot be said"
        )
    return None
