"""Asks any model the held-out questions, through the same enquiries that the product makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from glassllava import interpreter
from glassllava.errors import BadInput
from glassllava.micrograph.reading import read_micrograph
from glassllava.model.opening import open_model
from glassllava.prompt import TEMPLATES_SHA256
from glassllava.sample import LEVELS
from training.embedded.dataset import FIRST_SEED, PARENTS
from training.evaluation import tables
from training.evaluation.tables import Answers, Truth


def evaluate(
    reference: str, number: int, work: Path, *, log: Callable[[str], None], levels: Any = LEVELS
) -> dict[str, Any]:
    """The held-out table of the model behind `reference`, on `number` synthetic micrographs.

    Raises
    ------
    BadInput : where the model tells no probabilities or is not calibrated for these prompts.
    ModelUnavailable : where it cannot be opened.
    """
    from rag import open_library
    from training.synthesis import generate
    from training.synthesis.files import write_tiff

    if number < 10:
        raise BadInput("Fewer than 10 micrographs give no figure", remedy="Raise -n.")
    model = open_model(reference)
    calibration = model.calibration
    if calibration is None or calibration.templates_sha256 != TEMPLATES_SHA256:
        raise BadInput(
            "The model is not calibrated for these prompts",
            where=reference,
            remedy="Only calibrated models can be put into the table.",
        )
    work.mkdir(parents=True, exist_ok=True)
    literature = open_library(work / "primer")
    labels, defects = [], []
    raw: dict[str, list[list[list[float]]]] = {level: [] for level in levels}
    for index in range(number):
        synthetic = generate(FIRST_SEED["test"] + index)
        path = work / f"{synthetic.seed}.tif"
        write_tiff(synthetic, path)
        micrograph = read_micrograph(path, with_hash=False)
        labels.append([float(key in synthetic.present) for key in PARENTS])
        defects.append(np.nan if synthetic.defect is None else float(synthetic.defect))
        measurements = None
        enquiries = []
        for level in levels:
            enquiry = interpreter.prepare(
                micrograph,
                synthetic.sample,
                "",
                level,
                literature=literature,
                probe_keys=PARENTS,
                passage_budget=model.passage_budget,
                measurements=measurements,
                want_text=False,
                want_blank=True,
            )
            measurements = enquiry.measurements
            enquiries.append(enquiry)
        for level, reply in zip(levels, model.reply(enquiries), strict=True):
            asked = [[*reply.probes.values(), reply.verdict]]
            assert reply.blank_probes is not None
            assert reply.blank_verdict is not None
            asked.append([*reply.blank_probes.values(), reply.blank_verdict])
            masses = [[probe.probability for probe in row] for row in asked]
            if any(mass is None for row in masses for mass in row):
                raise BadInput("The model tells no probabilities", where=reference)
            raw[level].append(masses)  # type: ignore[arg-type]  # none is None
        if index % 20 == 19:
            log(f"asked {index + 1} of {number}")
    answers = {}
    for level in levels:
        said = np.array(raw[level])  # (N, picture or blank, probes and verdict)
        answers[level] = Answers(said[:, 0, :-1], said[:, 0, -1], said[:, 1, -1], said[:, 1, :-1])
    truth = Truth(np.array(labels), np.array(defects), PARENTS)
    return {"model": reference, **tables.held_out(answers, truth, calibration)}
