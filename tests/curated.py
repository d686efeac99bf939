"""A small work folder of figures, and a scripted writer that answers as a model might, and worse.

The words are made up. The writer reads the caption in its prompt and copies its support from there;
it is not told what the code under test looks for.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.curation import prompts
from training.curation.figure import Figure, write_figures

SPLITS = ("train", "train", "train", "train", "validation", "test")
THINGS = (
    ("bubble", "Round bubbles of 12 µm stand in the glass and are a defect of this sheet."),
    ("crystal", "Dendritic crystals fill the matrix, as the heat treatment wants them to."),
    ("crack_radial", "Radial cracks start at the corners of the Vickers indent after loading."),
)


def figure(number: int, work: Path, **how: Any) -> Figure:
    """Figure `number`, of paper number // 3, with its picture written."""
    paper = number // 3
    key, sentence = THINGS[number % 3]
    noise = np.random.default_rng(number).integers(0, 255, (60, 80), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    name = f"images/p{paper}-{number}.png"
    (work / "images").mkdir(parents=True, exist_ok=True)
    (work / name).write_bytes(stream.getvalue())
    told: dict[str, Any] = {
        "id": f"p{paper}-{number}",
        "image": name,
        "paper": f"p{paper}",
        "title": f"On {key.split('_')[0]}s in glass {paper}",
        "authors": "Test Author",
        "year": 2000 + paper,
        "licence": "CC-BY-4.0",
        "page": number + 1,
        "label": f"Fig. {number + 1}",
        "caption": f"SEM micrograph of sample {number}. {sentence}",
        "context": (f"In sample {number} the surface was etched before it was looked at.",),
        "kind": "sem",
        "kind_score": 0.99,
        "pixels": (80, 60),
        "sha256": hashlib.sha256(stream.getvalue()).hexdigest(),
        "split": SPLITS[paper % len(SPLITS)],
        "sample": {"material": "soda-lime silicate glass", "treatment": "etched in acid"},
    }
    return Figure(**{**told, **how})


def make_work(work: Path, count: int = 18, **how: Any) -> list[Figure]:
    work.mkdir(parents=True, exist_ok=True)
    figures = [figure(number, work, **how) for number in range(count)]
    write_figures(work, figures)
    return figures


def prompt_of(body: dict[str, Any]) -> str:
    """The words of the figure in a request."""
    for message in body["messages"]:
        if isinstance(message["content"], list):
            return "\n".join(p["text"] for p in message["content"] if p["type"] == "text")
    raise AssertionError("no picture was sent")


def reply_to(body: dict[str, Any]) -> dict[str, Any]:
    """A good reply, with one entry that no paper carries."""
    words = prompt_of(body)
    key, sentence = next(
        (key, found[0])
        for key, text in THINGS
        if (found := re.search(rf"{re.escape(text[:16])}[^.]*\.", words))
    )
    support = [sentence]
    thing = sentence.split()[1].lower()
    questions = [
        {
            "level": level,
            "kind": kind,
            "question": f"What can be said of the {thing} at {level} in a {kind} way?",
            "answer": f"The {thing} are there.",
            "support": support,
            "features": [key],
        }
        for level in ("none", "basic", "moderate", "high")
        for kind in ("simple", "complex")
    ]
    questions.append(
        {**questions[0], "question": "Which furnace was used?", "support": ["an electric furnace"]}
    )
    told = {"bubble": "yes", "crystal": "no"}.get(key, "not_told")
    claims = [
        {
            "about": "presence",
            "feature": key,
            "is_defect": "not_told",
            "true_statement": f"The micrograph shows {thing}.",
            "false_statement": f"The {thing} have all been polished away.",
            "support": support,
        }
    ]
    if told != "not_told":
        ways = [f"The {thing} are a defect here.", f"The {thing} are wanted here."]
        claims.append(
            {
                "about": "defect",
                "feature": key,
                "is_defect": told,
                "true_statement": ways[told == "no"],
                "false_statement": ways[told == "yes"],
                "support": support,
            }
        )
    verdict = {"defect": told, "feature": key if told != "not_told" else "", "support": support}
    sample = dict.fromkeys(prompts.TOLD, "")
    if made := re.search(r"soda-lime (?:silicate )?glass", words):
        sample |= {"material": made[0], "process": "cast in a mould nobody wrote of"}
    return {"sample": sample, "questions": questions, "claims": claims, "verdict": verdict}
