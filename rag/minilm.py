"""MiniLM's forward pass in numpy, for a few texts at a time.

Importing torch and sentence-transformers takes ten times longer than a question takes to answer;
numpy and the tokenizer are there at once. Gives the same vectors as they do, to rounding (a test
holds it to that). Each text is run alone, without padding, so that its vector does not depend on
its neighbours. Knows the one architecture, not where its files are or who vouches for them.

Source: Devlin et al. 2019 (BERT) for the layers; the checkpoint's own config.json for the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LAYERS = 6
HEADS = 12
LONGEST = 256  # tokens, the two marks at the ends included
_EPSILON = np.float32(1e-12)


class MiniLM:
    """The loaded weights and the tokenizer; computing changes nothing, so threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Load `model.safetensors` and `tokenizer.json` of `folder`.

        Raises
        ------
        OSError, ValueError, KeyError : for files that are missing, or not of this architecture.
        ImportError : where tokenizers or safetensors is not installed.
        """
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        raw = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.no_padding()
        self._words = raw["embeddings.word_embeddings.weight"]
        # Every token here is of the first segment, so its vector joins that of the place.
        self._places = (
            raw["embeddings.position_embeddings.weight"]
            + raw["embeddings.token_type_embeddings.weight"][0]
        )
        self._first = _norm_of(raw, "embeddings.LayerNorm")
        self._layers = [_Layer(raw, f"encoder.layer.{number}.") for number in range(LAYERS)]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of `texts`, (n, 384) float32."""
        vectors = np.empty((len(texts), self._words.shape[1]), np.float32)
        for index, text in enumerate(texts):
            mean = self.tokens(text).mean(axis=0)
            vectors[index] = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vectors

    def encode_short(self, texts: Sequence[str]) -> np.ndarray:
        """The same to rounding, in one pass over the weights: quicker for many of a few words."""
        vectors = [each.mean(axis=0) for each in self._run(texts)]
        return np.array([v / max(float(np.linalg.norm(v)), 1e-12) for v in vectors], np.float32)

    def tokens(self, text: str) -> np.ndarray:
        """The last layer's vector of each token, (tokens, 384) float32, not normalised."""
        return self._run([text])[0]

    def _run(self, texts: Sequence[str]) -> list[np.ndarray]:
        told = [self._tokenizer.encode(text).ids for text in texts]
        ends = np.cumsum([len(ids) for ids in told])
        parts = [slice(end - len(ids), end) for ids, end in zip(told, ends, strict=True)]
        words = np.concatenate([self._words[ids] for ids in told])
        places = np.concatenate([self._places[: len(ids)] for ids in told])
        x: np.ndarray = _normalised(words + places, self._first)
        for layer in self._layers:
            x = layer(x, parts)
        return [x[part] for part in parts]


class _Layer:
    def __init__(self, raw: dict[str, np.ndarray], prefix: str) -> None:
        attention = prefix + "attention."
        parts = [attention + "self." + name for name in ("query", "key", "value")]
        self._ask = _linear_of(raw, *parts)
        self._mix = _linear_of(raw, attention + "output.dense")
        self._after_mix = _norm_of(raw, attention + "output.LayerNorm")
        self._up = _linear_of(raw, prefix + "intermediate.dense")
        self._down = _linear_of(raw, prefix + "output.dense")
        self._after = _norm_of(raw, prefix + "output.LayerNorm")

    def __call__(self, x: np.ndarray, parts: Sequence[slice]) -> np.ndarray:
        """The next vectors of texts one behind the other; each of `parts` attends to itself."""
        asked = x @ self._ask[0] + self._ask[1]
        mixed = np.concatenate([_attended(asked[part]) for part in parts])
        x = _normalised(x + mixed @ self._mix[0] + self._mix[1], self._after_mix)
        inner = _gelu(x @ self._up[0] + self._up[1])
        return _normalised(x + inner @ self._down[0] + self._down[1], self._after)


def _attended(asked: np.ndarray) -> np.ndarray:
    """(tokens, width) of (tokens, 3 x width): queries, keys and values side by side."""
    count, width = len(asked), asked.shape[1] // 3
    side = width // HEADS
    query, key, value = asked.reshape(count, 3, HEADS, side).transpose(1, 2, 0, 3)
    weights = query @ key.transpose(0, 2, 1) * np.float32(side**-0.5)
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    mixed: np.ndarray = (weights @ value).transpose(1, 0, 2).reshape(count, width)
    return mixed


def _linear_of(raw: dict[str, np.ndarray], *names: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights as (in, out) and biases; several of one input side by side."""
    weights = np.concatenate([raw[name + ".weight"] for name in names])
    return np.ascontiguousarray(weights.T), np.concatenate([raw[name + ".bias"] for name in names])


def _norm_of(raw: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    return raw[name + ".weight"], raw[name + ".bias"]


def _normalised(x: np.ndarray, norm: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((x * x).mean(axis=-1, keepdims=True) + _EPSILON)
    normalised: np.ndarray = x / spread * norm[0] + norm[1]
    return normalised


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    passed: np.ndarray = np.float32(0.5) * x * (np.float32(1) + erf(x * np.float32(2**-0.5)))
    return passed
