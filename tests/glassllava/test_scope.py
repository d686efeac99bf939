"""What is no SEM micrograph is said to be none; what is one is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glassllava import scope
from glassllava.errors import UnreadableMicrograph
from glassllava.interpretation import Interpretation
from glassllava.interpreter import interpret
from glassllava.literature import NoLiterature
from glassllava.micrograph import kinds
from glassllava.micrograph.header import ION
from glassllava.micrograph.reading import pixels, read_micrograph
from glassllava.micrograph.record import BeamSettings, Instrument, Micrograph, PixelSize
from glassllava.model.scripted import Script, ScriptedModel
from glassllava.sample import Sample
from training.synthesis import Plan, generate

NOISE = "it shows nothing but noise"
SHAPE = (320, 400)


def rough(seed: int = 0) -> np.ndarray:
    """A field as an SEM's: structure of many sizes, and noise."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    field = sum(size * ndimage.gaussian_filter(rng.normal(size=SHAPE), size) for size in (2, 6, 20))
    return np.clip(128 + 25 * field / field.std() + rng.normal(0, 6, SHAPE), 0, 255).astype(
        np.uint8
    )


def photograph(seed: int = 1) -> np.ndarray:
    """Colours that do not follow the grey: three fields of their own."""
    return np.stack([rough(seed + channel) for channel in range(3)], axis=-1)


def page() -> np.ndarray:
    picture = Image.new("L", SHAPE[::-1], 250)
    draw = ImageDraw.Draw(picture)
    for row in range(12):
        draw.text((10, 10 + 25 * row), "annealed float glass, 85 °C, 30 d, crack 12 um", fill=10)
    return np.asarray(picture)


def plot() -> np.ndarray:
    picture = Image.new("RGB", SHAPE[::-1], "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 20, 380, 290), outline="black")
    for row, colour in enumerate(("red", "blue", "green")):
        draw.line([(x, 150 + 60 * np.sin(x / 20 + row)) for x in range(31, 380)], colour, 2)
    return np.asarray(picture)


def looked(path: Path, picture: np.ndarray, **header: object) -> scope.Scope:
    Image.fromarray(picture).save(path)
    micrograph = replace(read_micrograph(path), **header)  # type: ignore[arg-type]
    return scope.look(micrograph, Sample(), "high")


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (photograph(), "colour picture"),
        (page(), "drawing"),
        (plot(), "drawing"),
        (np.random.default_rng(2).normal(128, 30, SHAPE), NOISE),
        (np.random.default_rng(3).poisson(9, SHAPE) * 9, NOISE),
        (np.random.default_rng(4).integers(0, 256, SHAPE), NOISE),
        (np.zeros(SHAPE), "all but empty"),
        (np.full(SHAPE, 255), "all but empty"),
        (np.zeros((1, 5000)), "5000 × 1 pixels show nothing"),
    ],
)
def test_what_is_none_is_said_to_be_none(tmp_path: Path, picture: np.ndarray, reason: str) -> None:
    found = looked(tmp_path / "picture.png", np.clip(picture, 0, 255).astype(np.uint8))
    assert reason in found.sure[0]
    assert found.reasons[0].startswith("The picture is no SEM micrograph: ")


def test_noise_that_the_detector_smears_is_noise_and_a_field_under_it_is_not() -> None:
    from scipy import ndimage

    rng = np.random.default_rng(5)
    smeared = ndimage.gaussian_filter1d(rng.normal(size=SHAPE), 1.0, axis=1)
    assert kinds.signs(smeared) == ((NOISE,), ())
    under = 0.3 * (rough() - 128.0) / 25
    assert kinds.signs(smeared / smeared.std() + under) == ((), ())


def test_grey_in_colour_a_lookup_table_and_marks_in_colour_stay_in_scope(tmp_path: Path) -> None:
    grey = rough()
    level = grey.astype(float) / 255
    table = np.stack([level**0.5, level, level**2], axis=-1)
    marked = Image.fromarray(grey).convert("RGB")
    ImageDraw.Draw(marked).line((10, 10, 300, 200), fill=(255, 0, 0), width=3)
    for name, picture in (
        ("grey.png", np.stack([grey] * 3, axis=-1)),
        ("table.png", (table * 255).astype(np.uint8)),
        ("table.jpg", (table * 255).astype(np.uint8)),
        ("marked.jpg", np.asarray(marked)),
    ):
        assert looked(tmp_path / name, picture) == scope.IN_SCOPE, name


def test_a_micrograph_is_clipped_to_black_over_three_quarters_before_it_looks_drawn() -> None:
    field = rough().astype(float)
    for share, in_scope in ((50, True), (75, True), (90, False)):
        clipped = np.clip(field, np.percentile(field, share), None)
        assert (kinds.signs(clipped) == ((), ())) == in_scope


@pytest.mark.parametrize("seed", [9_000_000, 9_000_012, 9_000_089, 9_000_092])
def test_a_synthetic_micrograph_is_in_scope(seed: int) -> None:
    # The smoothest, the flattest and the two most periodic of 200 that were looked at.
    made = generate(seed, plan=Plan(look="wide"), size=(384, 512))
    assert kinds.signs(made.pixels[:384]) == ((), ())


def test_where_the_header_names_a_beam_pixels_only_warn(tmp_path: Path) -> None:
    noise = np.random.default_rng(6).integers(0, 256, SHAPE).astype(np.uint8)
    found = looked(tmp_path / "n.png", noise, beam=BeamSettings(voltage_v=5e3))
    assert found == scope.Scope((), (NOISE,))
    assert found.warnings == ("The picture may be no SEM micrograph: it shows nothing but noise",)


def header(**values: object) -> scope.Scope:
    micrograph = Micrograph(Path("x.tif"), 0, *SHAPE[::-1], 8, **values)  # type: ignore[arg-type]
    return scope.look(micrograph, Sample(), "none", rough())


def test_headers_tell_of_transmission_and_of_ions() -> None:
    assert "200 kV" in header(beam=BeamSettings(voltage_v=200e3)).sure[0]
    assert header(beam=BeamSettings(voltage_v=30e3)) == scope.IN_SCOPE
    assert header(instrument=Instrument(model="Talos F200X")).unsure
    assert not header(instrument=Instrument(model="Quanta 650")).unsure
    assert header(pixel_size=PixelSize(1e-11, "vendor_tag")).unsure
    ions = BeamSettings(particle="ion")
    assert header(beam=ions).unsure == ("an ion beam made it",)
    assert header(beam=ions, warnings=(ION,)).unsure == ()


@pytest.mark.parametrize(
    ("words", "tells"),
    [
        ("HRTEM image of the nuclei", True),
        ("transmission electron microscopy, FIB lamella", True),
        ("TEM lamella lifted out on a TEM grid, imaged in the SEM", False),
        ("optical microscopy, 50x", True),
        ("item 4, system check, temperature 85 °C", False),
    ],
)
def test_words_only_warn_and_only_where_the_level_tells_them(words: str, tells: bool) -> None:
    micrograph = Micrograph(Path("x.tif"), 0, *SHAPE[::-1], 8)
    sample = Sample(notes=words)
    found = scope.look(micrograph, sample, "moderate", rough())
    assert (found.sure, bool(found.unsure)) == ((), tells)
    assert scope.look(micrograph, sample, "basic", rough()) == scope.IN_SCOPE


def test_a_large_frame_is_looked_at_in_bands() -> None:
    rng = np.random.default_rng(7)
    assert kinds.signs(rng.integers(0, 256, (3000, 3000), np.uint8)) == ((NOISE,), ())


def test_floats_that_are_no_numbers_are_nothing() -> None:
    assert kinds.signs(np.full(SHAPE, np.nan)) == (("its pixels are no numbers",), ())
    torn = rough().astype(float)
    torn[:4] = np.inf
    assert kinds.signs(torn) == ((), ())


def test_the_record_is_undecided_and_says_why(tmp_path: Path) -> None:
    def ask(picture: np.ndarray, sample: Sample) -> Interpretation:
        path = tmp_path / "asked.png"
        Image.fromarray(picture).save(path)
        model = ScriptedModel(otherwise=Script({"pore": 0.99}, verdict=0.99))
        return interpret(
            read_micrograph(path), sample, "", "high", model=model, literature=NoLiterature()
        )

    lens = Sample(material="optical glass", product="finished lens")
    out = ask(page(), lens)
    assert out.verdict.decision == "undecided"
    assert out.verdict.reasons[0].startswith("The picture is no SEM micrograph: ")
    assert out.verdict.reasons[0] in out.warnings
    assert Interpretation.from_json(out.to_json()) == out
    # The same reply to a field that is one is judged by the rules.
    within = ask(rough(), lens)
    assert within.verdict.reasons != out.verdict.reasons
    assert not any("SEM micrograph" in warning for warning in within.warnings)


@pytest.mark.proof
def test_no_real_micrograph_is_taken_for_something_else(real_micrographs: Path) -> None:
    import csv

    rows = csv.DictReader((real_micrographs / "LABELS.csv").read_text("utf-8").splitlines())
    alarms = {}
    for row in rows:
        micrograph = read_micrograph(real_micrographs / row["file"], with_hash=False)
        found = scope.look(micrograph, Sample(), "high")
        if found != scope.IN_SCOPE:
            alarms[row["file"]] = found.warnings
    assert alarms == {}


def test_colour_photographs_that_ship_with_scikit_image_are_found() -> None:
    from skimage import data

    missed = {"hubble_deep_field", "retina"}  # nearly grey, and nearly of one hue
    for name in ("astronaut", "cat", "immunohistochemistry", *missed):
        sure, _ = kinds.signs(getattr(data, name)())
        assert bool(sure) == (name not in missed), name


def test_grey_photographs_are_not_told_apart_and_that_is_known() -> None:
    from skimage import data

    assert kinds.signs(data.camera()) == ((), ())


def test_a_file_that_went_is_told(tmp_path: Path) -> None:
    Image.fromarray(rough()).save(tmp_path / "gone.png")
    micrograph = read_micrograph(tmp_path / "gone.png")
    assert pixels(micrograph).shape == SHAPE
    (tmp_path / "gone.png").unlink()
    with pytest.raises(UnreadableMicrograph):
        scope.look(micrograph, Sample(), "high")
