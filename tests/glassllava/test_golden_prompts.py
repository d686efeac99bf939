"""Every word a model is told, at each context level, as a text to read; a change shows up here.

Where a change is meant, read the new texts and write them anew:
python -m tests.glassllava.test_golden_prompts
"""

from __future__ import annotations

from pathlib import Path

import pytest

from glassllava.interpreter import prepare
from glassllava.literature import Passage
from glassllava.measurement.quantities import Measurement, Measurements
from glassllava.micrograph.record import BeamSettings, Micrograph, PixelSize
from glassllava.prompt import Budget
from glassllava.sample import LEVELS, ContextLevel, Sample

GOLDEN = Path(__file__).parents[1] / "golden" / "prompts"
MICROGRAPH = Micrograph(
    path=Path("pane.tif"),
    page=0,
    width=1024,
    height=768,
    bit_depth=8,
    pixel_size=PixelSize(1.1e-7, "vendor_tag", "34118 AP_IMAGE_PIXEL_SIZE"),
    beam=BeamSettings(voltage_v=5000, detector="SE2"),
)
MEASURED = Measurements(
    measurements=(
        Measurement("pore_count", 7, "1", None, "counted", "pore"),
        Measurement("pore_equivalent_diameter_median", 2.1e-6, "m", 1e-7, "circle", "pore"),
        Measurement("crack_length_total", 8.2e-5, "m", 3e-6, "centre line", "crack"),
    )
)
PANE = Sample(
    material="soda-lime float glass",
    composition="72 SiO2, 14 Na2O, 9 CaO, 4 MgO (wt%)",
    process="float, annealed 550 °C",
    treatment="85 °C / 85 % RH, 30 d",
    preparation="fracture surface, 5 nm C",
    product="finished",
    expected=("tin_side",),
    notes="seen at the edge",
)


class Shelf:
    """Four passages, the strongest first; the third has no page, the last finds no room."""

    def search(self, query: str, limit: int) -> tuple[Passage, ...]:
        return (
            Passage("a:1", "Weathered float glass shows a silica-rich rim.", "On rims", page=4),
            Passage("a:2", "Seeds are bubbles\nunder 0.5 mm [12].", "On seeds", page=11),
            Passage("primer:9", "A crack runs through.", "GlassView primer", section="9"),
            Passage("a:3", "The least of the four would not fit any more.", "On rims", page=5),
        )[:limit]


def told(level: ContextLevel) -> str:
    enquiry = prepare(
        MICROGRAPH,
        PANE,
        "Are the dark spots a defect?",
        level,
        literature=Shelf(),
        probe_keys=("pore", "crack"),
        passage_budget=Budget(120),
        measurements=MEASURED,
    )
    parts = {
        "asked of the literature": enquiry.query,
        "prefix": enquiry.prefix,
        "probes": "\n".join(text for _, text in enquiry.probes),
        "verdict": enquiry.verdict_text,
        "description": enquiry.describe_text,
        "question": enquiry.question,
        "left out": "\n".join(f"{each.locator}: {each.reason}" for each in enquiry.left_out),
        "warnings": "\n".join(enquiry.warnings),
    }
    return "\n".join(f"== {name}\n{text}\n" for name, text in parts.items())


@pytest.mark.parametrize("level", LEVELS)
def test_the_prompt_is_word_for_word_what_was_read(level: ContextLevel) -> None:
    assert told(level) == (GOLDEN / f"{level}.txt").read_text("utf-8")


def test_the_weakest_passage_goes_first() -> None:
    assert "== left out\nOn rims, p. 5: the prompt holds 120 characters of literature" in told(
        "high"
    )


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in LEVELS:
        (GOLDEN / f"{each}.txt").write_text(told(each), "utf-8")
