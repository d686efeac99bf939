"""Golden values: what measuring gives on a few synthetic micrographs; a change shows up here.

Where a change is meant, look at it, raise MEASURING_VERSION, and write the file anew:
python -m tests.glassllava.measurement.test_golden
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glassllava.measurement import MEASURING_VERSION, Measurement, Measurements, measure
from glassllava.micrograph.record import Micrograph, PixelSize
from training.synthesis.generator import Plan, generate

GOLDEN = Path(__file__).parents[2] / "golden" / "measurements.json"
#: Leading feature and seed, and the families that are held.
MICROGRAPHS = {
    "bubble": (5, "pore"),
    "tin_droplet": (2, "particle"),
    "nickel_sulfide": (1, "inclusion"),
    "gc_fluorapatite": (3, "crystal"),
    "crack_through": (4, "crack"),
    "crazing": (2, "crack"),
    "leached_layer": (1, "layer"),
}
#: Another processor rounds otherwise: an outline moves by thousandths of a pixel.
_NEAR = 2e-3


def measured(key: str) -> dict[str, float]:
    seed, family = MICROGRAPHS[key]
    made = generate(
        seed, plan=Plan(features=(key,), artefacts=(), databar=False, size=(480, 640), bits=8)
    )
    record = Micrograph(
        Path(key), 0, 640, 480, 8, pixel_size=PixelSize(1e-8, "typed", "", uncertainty=0.01)
    )
    found = measure(record, made.pixels)
    values = {}
    for m in found.of(family) if family != "layer" else _of_layers(found):
        values[m.quantity] = m.value
        if m.uncertainty is not None:
            values[f"{m.quantity} ±"] = m.uncertainty
    return values


def _of_layers(found: Measurements) -> list[Measurement]:
    """Layers belong to no feature of the vocabulary."""
    return [m for m in found.measurements if m.quantity.startswith("layer_")]


@pytest.mark.parametrize("key", MICROGRAPHS)
def test_golden_values(key):
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert golden["measuring_version"] == MEASURING_VERSION, "write the golden values anew"
    assert measured(key) == pytest.approx(golden["micrographs"][key], rel=_NEAR)


if __name__ == "__main__":
    document = {
        "measuring_version": MEASURING_VERSION,
        "micrographs": {key: measured(key) for key in MICROGRAPHS},
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
