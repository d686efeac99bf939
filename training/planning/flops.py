"""How much work learning takes: floating-point operations, a multiplication and an addition as two.

Counted as PaLM counts the utilisation of a model (Chowdhery et al. 2022, appendix B): what the
model needs, and never what is computed again to save memory. Knows no hardware and no torch.
"""

from __future__ import annotations

from training.planning.shapes import lora_parameters, matrices, projector_parameters
from training.recipe import LanguageShape, Lora, TowerShape


def flops_per_token(
    language: LanguageShape,
    tower: TowerShape,
    *,
    length: float,
    lora: Lora | None = None,
    language_trained: bool = True,
    tower_trained: bool = False,
    looks: float = 1.0,
) -> float:
    """Operations of learning from one token of samples with one picture each, forward and back.

    Parameters
    ----------
    length : tokens of a sample, those of its picture among them: what a token attends to ends at
        its sample's borders, packed or not.
    lora : the language model's matrices are frozen and only adapters learn: the gradient of a
        frozen matrix's input is still needed, that of the matrix is not.
    language_trained : False where only the projector learns; as with `lora`.
    tower_trained : the tower learns too.
    looks : passes of the frozen tower a picture and sample pass; 0 where its features are kept.
    """
    # Going back takes a gradient of a matrix's input and, if it learns, one of the matrix; both
    # sides of attention's products always need theirs.
    learns = language_trained and lora is None
    learnt = (3 if learns else 2) * matrix_forward(language)
    learnt += 3 * attention_forward(language, length)
    if lora is not None:
        learnt += 3 * 2.0 * lora_parameters(language, lora)
    seen = tower_forward(tower) * (3 if tower_trained else looks)
    projected = 3 * 2.0 * projector_parameters(tower, language) * tower.tokens
    return learnt + (seen + projected) / length


def matrix_forward(shape: LanguageShape) -> float:
    """One token through the language model's matrices and its head: two operations a weight."""
    weights = shape.layers * sum(inner * outer for inner, outer in matrices(shape).values())
    return 2.0 * (weights + shape.vocabulary * shape.width)


def attention_forward(shape: LanguageShape, length: float) -> float:
    """Scores and weighted sums of one token in a sample of `length`, averaged over its places.

    Each takes two operations a value of every head and place that is seen; a place sees itself and
    those before it, (length + 1) / 2 on average.
    """
    return 4.0 * shape.layers * shape.heads * shape.head_width * (length + 1) / 2


def tower_forward(shape: TowerShape) -> float:
    """One picture through the tower: every place sees every other."""
    places = shape.tokens + (shape.family == "clip")
    weights = shape.layers * (4 * shape.width**2 + 2 * shape.width * shape.inner)
    patches = 2.0 * shape.tokens * 3 * shape.patch**2 * shape.width
    attention = 4.0 * shape.layers * shape.width * places**2
    return 2.0 * weights * places + patches + attention
