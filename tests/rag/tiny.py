"""A small embedder of known vectors for tests that are not about meaning, and texts to embed."""

from __future__ import annotations

import numpy as np

WIDTH = 384


class TinyEmbedder:
    """Satisfies `rag.embedding.Embedder`: words that are shared bring two texts near."""

    fingerprint = "tiny"

    def encode(self, texts, progress=None):
        vectors = np.array([self.query(text) for text in texts], np.float32).reshape(-1, WIDTH)
        if progress:
            progress(len(texts))
        return vectors

    def phrases(self, texts):
        return self.encode(texts)

    def query(self, text):
        vector = np.zeros(WIDTH)
        for word in text.lower().split():
            vector += np.random.default_rng(list(word.encode())).normal(size=WIDTH)
        return (vector / np.linalg.norm(vector)).astype(np.float32)
