"""The embedder: numpy and torch give the same vectors, and a question needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glassllava.errors import LiteratureUnavailable
from rag import embedding
from rag.embedding import Embedder, shared_embedder
from rag.minilm import MiniLM

TEXTS = [
    "Bright ball at the origin of a broken tempered pane",
    "Zinnseite: Tröpfchen von 2 µm, β-Wollastonit",
    "x",
    "针状晶体 in SiO₂–Na₂O glass",
    "",
    "pore " * 600,
]


def test_numpy_and_torch_agree():
    few = MiniLM(embedding._model_folder()).encode(TEXTS)
    many = shared_embedder()._in_torch(TEXTS)
    np.testing.assert_allclose(few, many, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(few, axis=1), 1, atol=1e-6)


def test_phrases_in_one_pass_have_the_vectors_that_they_have_alone():
    alone = Embedder().encode(TEXTS)
    np.testing.assert_allclose(Embedder().phrases(TEXTS), alone, atol=2e-6)


def test_a_vector_does_not_depend_on_its_neighbours():
    embedder = Embedder()
    together = embedder.encode(TEXTS)
    alone = [embedder.encode([text])[0] for text in TEXTS]
    np.testing.assert_array_equal(together, alone)
    told = []
    embedder.encode(TEXTS, told.append)
    assert sum(told) == len(TEXTS)
    assert embedder.encode([]).shape == (0, 384)


def test_a_question_imports_no_torch():
    code = (
        "import sys; from rag.embedding import Embedder; Embedder().query('needles');"
        "print([m for m in ('torch', 'transformers', 'chromadb', 'llama_index') if m in"
        " sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(embedding, "_WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(LiteratureUnavailable, match="not the known ones"):
        Embedder().query("needles")
