"""A night's scales: a drawn bar that the recipe accepts, and pixels that are not square."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont

from batch.ledger import Ledger
from glassllava.interpretation import Interpretation
from glassllava.micrograph import lettering
from glassview.cli import main
from tests import micrographs
from tests.vendor_texts import ome_xml

Records = Callable[..., Interpretation]

FONT = Path(__file__).parents[2] / "batch" / "fonts" / "DejaVuSans.ttf"


@pytest.fixture
def scanned(folder: Path, tmp_path: Path) -> Records:
    """The one record of `glassview scan` with that recipe, by the script."""

    def scanned(recipe: str = "", run: str = "night") -> Interpretation:
        (tmp_path / "recipe.toml").write_text(recipe)
        flags = ["-o", str(tmp_path / run), "--model", "scripted", "--context", "moderate"]
        assert main(["scan", str(folder), *flags, "--recipe", str(tmp_path / "recipe.toml")]) == 0
        with Ledger.open(tmp_path / run) as ledger:
            ((_, kept),) = ledger.current()
        return kept.interpretation

    return scanned


def write_picture(path: Path, label: str, long: int) -> None:
    """A picture without tags: a noisy specimen over a strip with a bar of `long` px and words."""
    specimen = micrographs.specimen(700, 1024).astype(float)
    frame = micrographs.with_holes(specimen, [(200, 300, 20), (450, 700, 20)]).astype(np.uint8)
    strip = Image.new("L", (1024, 68), 0)
    pen = ImageDraw.Draw(strip)
    font = ImageFont.truetype(str(FONT), 20)
    pen.text((12, 22), "HV 15.0 kV   WD 10.2 mm   det ETD   spot 3.0", 255, font)
    left = 760
    pen.line((left, 50, left + long, 50), 255, 2)
    for end in (left, left + long):  # the centres of the ticks, 1 px wide
        pen.line((end, 43, end, 57), 255, 1)
    pen.text((left + long / 2, 26), label, 255, font, anchor="mm")
    whole = np.concatenate([frame, np.asarray(strip)])
    Image.fromarray(whole).save(path)


@pytest.mark.skipif(not lettering.is_installed(), reason="rapidocr is not installed")
@pytest.mark.parametrize(
    ("label", "long", "pixel_m"), [("500 nm", 160, 3.125e-9), ("20 µm", 200, 1e-7)]
)
def test_a_bar_that_is_read_is_the_ruler_where_the_recipe_accepts_it(
    folder: Path, scanned: Records, tmp_path: Path, label: str, long: int, pixel_m: float
) -> None:
    write_picture(folder / "a.png", label, long)
    size = scanned("[scale]\naccept_read_bar = true\n").micrograph["pixel_size"]
    assert size["source"] == "read_bar"
    assert size["value_m"] == pytest.approx(pixel_m, rel=0.01)
    assert 0 < size["uncertainty"] < 0.02
    with Ledger.open(tmp_path / "night") as ledger:
        ((_, kept),) = ledger.current()
    assert any("read by OCR, and confirmed by no person" in w for w in kept.interpretation.warnings)
    measured = kept.evidence["measurements"]["measurements"]
    (wide,) = (m for m in measured if m["quantity"] == "pore_equivalent_diameter_median")
    assert wide["unit"] == "m"
    assert wide["value"] == pytest.approx(20 * pixel_m, rel=0.03)


@pytest.mark.parametrize("recipe", ["", "[scale]\naccept_read_bar = false\n"])
def test_without_that_key_there_is_no_scale(folder: Path, scanned: Records, recipe: str) -> None:
    write_picture(folder / "a.png", "500 nm", 160)
    found = scanned(recipe)
    assert found.micrograph["pixel_size"] is None
    assert found.micrograph["databar"]["height"] == pytest.approx(68, abs=2)
    assert json.loads(json.dumps(found.to_json()))["micrograph"]["pixel_size"] is None


def test_pixels_that_are_not_square_are_told_in_record_and_report(
    folder: Path, scanned: Records, tmp_path: Path
) -> None:
    scale = 'PhysicalSizeX="0.01" PhysicalSizeY="0.012"'
    micrographs.write_tiff(folder / "a.tif", micrographs.specimen(), {270: ome_xml(scale)})
    found = scanned()
    told = "The pixels are not square: 10 nm across and 12 nm down the image"
    assert told in found.warnings
    assert found.micrograph["pixel_size"]["value_y_m"] == pytest.approx(1.2e-8)
    document = pypdfium2.PdfDocument(tmp_path / "night" / "report.pdf")
    try:
        text = " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in document)
    finally:
        document.close()
    assert told in text
    assert "10 nm × 12 nm" in text
