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

    def tokens(self, text: str) -> np.ndarray:
        """The last layer's vector of each token, (tokens, 384) float32, not normalised."""
        ids = self._tokenizer.encode(text).ids
        x: np.ndarray = _normalised(self._words[ids] + self._places[: len(ids)], self._first)
        for layer in self._layers:
            x = layer(x)
        return x


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

    def __call__(self, x: np.ndarray) -> np.ndarray:
        count, width = x.shape
        side = width // HEADS
        asked = (x @ self._ask[0] + self._ask[1]).reshape(count, 3, HEADS, side)
        query, key, value = asked.transpose(1, 2, 0, 3)
        weights = query @ key.transpose(0, 2, 1) * np.float32(side**-0.5)
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ value).transpose(1, 0, 2).reshape(count, width)
        x = _normalised(x + mixed @ self._mix[0] + self._mix[1], self._after_mix)
        inner = _gelu(x @ self._up[0] + self._up[1])
        return _normalised(x + inner @ self._down[0] + self._down[1], self._after)


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
