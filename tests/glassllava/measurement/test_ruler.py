"""The ruler's own uncertainty, and what a tilted stage does to it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassllava.errors import BadInput
from glassllava.measurement import measure
from glassllava.measurement.ruler import MeasuringSettings, Ruler
from glassllava.measurement.tilt import tilt_of
from glassllava.micrograph.header import typed_pixel_size
from glassllava.micrograph.reading import read_micrograph
from glassllava.micrograph.record import BeamSettings, Instrument, Micrograph, PixelSize
from glassllava.settings import Settings
from tests import micrographs as write
from tests.vendor_texts import imagej_metadata

LEVEL = BeamSettings(
    particle="electron", tilt_rad=math.radians(60), scan_rotation_rad=0.0, tilt_correction_rad=0.0
)


def record(beam=LEVEL, size=None, **more):
    size = size or PixelSize(1e-9, "vendor_tag", uncertainty=0.02)
    return Micrograph(Path("a"), 0, 400, 300, 8, pixel_size=size, beam=beam, **more)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("2.5 nm ± 1 %", 0.01),
        ("2.5 nm ±1%", 0.01),
        ("2.5 nm +/- 0.05 nm", 0.02),
        ("2.5 nm +- 0.05", 0.02),
        ("2.5 nm/px ± 2 %", 0.02),
        ("2.5 nm", None),
    ],
)
def test_a_typed_pixel_size_may_have_a_tolerance(text, share):
    size = typed_pixel_size(text)
    assert size.value_m == pytest.approx(2.5e-9)
    assert size.uncertainty == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    "text", ["2.5 nm ± x", "2.5 nm ±", "2.5 nm ± 80 %", "± 1 %", "2.5 nm ± -1 %"]
)
def test_a_tolerance_that_is_none_is_refused(text):
    with pytest.raises(BadInput, match="not the size of a pixel"):
        typed_pixel_size(text)


def test_the_labs_calibration_makes_the_uncertainty_whole():
    settings = Settings({"measurement": {"scale_uncertainty": 0.03}})
    measuring = settings.section("measurement", MeasuringSettings)
    plain = record(beam=BeamSettings(), size=PixelSize(2e-9, "vendor_tag"))
    assert measuring.applied(plain).pixel_size.uncertainty == 0.03
    one = Ruler.of(measuring.applied(plain)).measurement("d", 100.0, 4.0, "m", "pore")
    assert one.uncertainty == pytest.approx(2e-7 * 0.05)
    # What is stated stands, and the lab's calibration is no one else's.
    for size in (
        PixelSize(2e-9, "vendor_tag", uncertainty=0.1),
        *(
            PixelSize(2e-9, source)
            for source in ("typed", "ome", "imagej", "measured_bar", "read_bar", "magnification")
        ),
    ):
        assert measuring.applied(record(size=size)).pixel_size == size
    assert measuring.applied(record(size=PixelSize(2e-9, "sidecar"))).pixel_size.uncertainty == 0.03
    assert MeasuringSettings().applied(plain) is plain
    with pytest.raises(BadInput, match="relative uncertainty"):
        MeasuringSettings(3.0)


def test_the_labs_calibration_holds_for_a_vendors_text_that_imagej_kept(tmp_path):
    text = write.thermo_text(write.thermo_sections(256, 192, 4e-9)).decode("latin-1")
    kept = {270: b"ImageJ=1.53t\n", **imagej_metadata(text)}
    measuring = MeasuringSettings(0.02)
    found = read_micrograph(write.write_tiff(tmp_path / "kept.tif", write.specimen(), kept))
    assert found.pixel_size.source == "imagej"
    assert measuring.applied(found).pixel_size.uncertainty == 0.02
    # A unit that a person typed into ImageJ is no instrument's.
    typed = {270: b"ImageJ=1.53t\nunit=um\n"}
    path = write.write_tiff(tmp_path / "typed.tif", write.specimen(), typed, resolution=(20, 1))
    found = read_micrograph(path)
    assert found.pixel_size.source == "imagej"
    assert measuring.applied(found).pixel_size.uncertainty is None


def test_a_tilted_flat_surface_is_longer_down_the_image():
    tilt = tilt_of(record())
    assert tilt.stretch == pytest.approx(2.0)
    assert "60.0°" in tilt.note
    assert "2.000 times" in tilt.note
    assert "level at zero tilt" in tilt.note
    ruler = Ruler.of(record())
    assert ruler.aspect == pytest.approx(2.0)
    assert ruler.metres(1) == pytest.approx(1e-9 * math.sqrt(2))
    one = ruler.measurement("d", 100.0, 0.0, "m", "pore")
    # 2 % of the scale, and half of a degree of the stage at 60°: tan 60° × 0.01745 / 2 = 1.5 %.
    assert one.uncertainty == pytest.approx(one.value * math.hypot(0.02, 0.01511), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tilt_rad": None}, ""),
        ({"tilt_rad": math.radians(0.9)}, ""),
        ({"scan_rotation_rad": None}, "rotation of the scan is not known"),
        ({"scan_rotation_rad": math.radians(96)}, "rotated by 96.0°"),
        ({"tilt_correction_rad": None}, "not known whether the instrument"),
        ({"tilt_correction_rad": math.radians(60)}, "has stretched the scan for 60.0°"),
        ({"particle": "ion"}, "ion column"),
        ({"tilt_rad": math.radians(80)}, "beyond 75°"),
    ],
)
def test_what_is_not_sure_is_not_corrected_but_said(change, says):
    tilt = tilt_of(record(beam=replace(LEVEL, **change)))
    assert tilt.stretch == 1.0
    assert says in tilt.note
    assert bool(tilt.note) is bool(says)


def test_holders_beside_an_ion_column_are_often_pre_tilted():
    for more in (
        {"metadata": {"IBeam/HV": "30000"}},
        {"instrument": Instrument(model="Helios NanoLab")},
    ):
        tilt = tilt_of(record(**more))
        assert tilt.stretch == 1.0
        assert "pre-tilted" in tilt.note


def test_a_round_hole_on_a_tilted_surface_is_measured_round():
    y, x = np.mgrid[:300, :400]
    inside = np.clip(20.5 - np.hypot(x - 200, (y - 150) * 2.0), 0, 1)
    picture = (130 - 70 * inside + np.random.default_rng(0).normal(0, 4, (300, 400))).astype(
        np.uint8
    )
    found = measure(record(), picture)
    diameter = next(m for m in found.measurements if m.quantity.endswith("diameter_max"))
    assert diameter.value == pytest.approx(40e-9, rel=0.04)
    assert found.value("pore_aspect_ratio_median") == pytest.approx(1.0, abs=0.08)
    assert any("60.0°" in note for note in found.notes)


def test_every_command_of_the_ground_uses_the_setting(tmp_path, monkeypatch, capsys):
    import json

    from glassview.cli import main

    (tmp_path / "glassview.toml").write_text("[measurement]\nscale_uncertainty = 0.02\n")
    monkeypatch.setenv("GLASSVIEW_CONFIG_DIR", str(tmp_path))
    picture = write.with_holes(np.full((300, 400), 120.0), [(100, 60, 20)]).astype(np.uint8)
    path = write.write_tiff(tmp_path / "a.tif", picture)
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size is None  # a scale that is not there has no uncertainty
    assert main(["measure", str(path), "--pixel-size", "2 nm ± 3 %", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["micrograph"]["pixel_size"]["uncertainty"] == pytest.approx(0.03)
    assert document["measurements"][1]["uncertainty"] is not None


def test_holes_seen_by_both_columns(real_micrographs):
    """At a stage tilt of 32° round holes are foreshortened as by 63°: no correction is right."""
    for name in ("tfs_fibsem_eb_holes_tilted.tif", "tfs_fibsem_ib_holes.tif"):
        tilt = tilt_of(read_micrograph(real_micrographs / name, with_hash=False))
        assert tilt.stretch == 1.0
        assert "32.0°" in tilt.note
