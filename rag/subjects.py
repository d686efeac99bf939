"""Other subjects: what a question is about that no library of glass can answer.

Nearness to a passage alone cannot tell "bubbles in my enamel" from "bubbles in my fish tank";
whether the question is nearer to another walk of life can. The list goes through the subjects of a
general library and of a household, and is fitted to no question. Knows vectors, not passages.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from rag.embedding import Embedder

SUBJECTS = (
    "computers, software and the internet",
    "libraries and newspapers",
    "philosophy",
    "psychology and the mind",
    "ethics",
    "religion and churches",
    "sociology",
    "politics and elections",
    "economics, money and banks",
    "tax and insurance",
    "law and courts",
    "government and the military",
    "schools and universities",
    "trade and transport",
    "folklore and customs",
    "language and grammar",
    "mathematics",
    "astronomy and space",
    "weather and climate",
    "geology and rocks",
    "fossils",
    "biology, cells and viruses",
    "plants and gardening",
    "animals and pets",
    "medicine, illness and pain",
    "dentistry for patients",
    "sport and fitness",
    "diet and nutrition",
    "cooking, baking and recipes",
    "drinks, wine, tea and coffee",
    "cars, roads and driving",
    "ships and aircraft",
    "railways",
    "building, concrete and houses",
    "plumbing and heating",
    "electricity and batteries",
    "phones and screens",
    "welding, steel and metal working",
    "wood, paint and furniture",
    "textiles and clothes",
    "cosmetics, skin and hair",
    "cleaning the house",
    "farming",
    "mining and oil",
    "paper and printing",
    "management and jobs",
    "marketing and advertising",
    "shopping, prices and gifts",
    "painting, sculpture and art",
    "photography and cameras",
    "music and songs",
    "films and television",
    "games and toys",
    "novels and poems",
    "history and wars",
    "travel, hotels and flights",
    "cities and countries",
    "famous people",
    "children and family",
    "crime and police",
)


def strangeness(embedder: Embedder, vector: np.ndarray) -> float:
    """The cosine of a question's unit vector with the nearest of the other subjects."""
    return float((_vectors(embedder) @ vector).max())


@lru_cache(maxsize=4)
def _vectors(embedder: Embedder) -> np.ndarray:
    return embedder.phrases(SUBJECTS)
