"""The demo's micrographs: what is committed is what the seeds make."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import glassview
from glassllava.errors import GlassError
from glassllava.micrograph.reading import pixels, read_micrograph
from glassllava.sample import read_sample
from training.synthesis.demo import DEMO, DemoMicrograph, make, sample_toml, write_demo

FOLDER = Path(glassview.__file__).parent / "demo"


def test_a_dozen_of_every_kind() -> None:
    assert len(DEMO) == 12
    assert sum(entry.kept < 1 for entry in DEMO) == 1
    plans = [entry.plan for entry in DEMO if entry.kept == 1]
    assert {plan.vendor for plan in plans} == {"thermo", "zeiss", "plain"}
    assert {plan.bits for plan in plans} == {8, 16}
    names = {path.name for path in FOLDER.glob("*.tif")}
    assert names == {f"{entry.name}.tif" for entry in DEMO}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8e6
    told = (FOLDER / "README.md").read_text("utf-8")
    assert "synthetic" in told
    for entry in DEMO:
        assert entry.name in told


@pytest.mark.parametrize("entry", [e for e in DEMO if e.kept == 1], ids=lambda e: e.name)
def test_committed_file_is_what_the_seed_makes(entry: DemoMicrograph) -> None:
    one = make(entry)
    read = read_micrograph(FOLDER / f"{entry.name}.tif")
    stored = pixels(read)
    assert stored.shape == one.pixels.shape
    assert stored.dtype == one.pixels.dtype
    # Another processor may round the last bit otherwise: nothing that an eye or a ruler sees.
    levels = 1 if stored.dtype == np.uint8 else 256
    apart = np.abs(stored.astype(int) - one.pixels.astype(int)) > levels
    assert apart.mean() < 1e-3
    assert (read.pixel_size is None) == (one.pixel_size_m is None)
    assert read_sample(FOLDER / f"{entry.name}.sample.toml") == one.sample


def test_verdicts_of_the_demo() -> None:
    found = {entry.name: make(entry).defect for entry in DEMO if entry.kept == 1}
    assert {name for name, defect in found.items() if defect} == {
        "float_07", "float_devit_03", "lens_02", "labware_09", "temper_origin_02", "low_e_06",
    }  # fmt: skip
    assert None not in found.values()
    (artefact_only,) = [make(e) for e in DEMO if e.name == "vial_inner_03"]
    assert artefact_only.present == {"clean", "artefact"}


def test_the_torn_file_cannot_be_read() -> None:
    (torn,) = [entry for entry in DEMO if entry.kept < 1]
    with pytest.raises(GlassError, match=r"(?i)tiff|read|end|torn|truncat"):
        pixels(read_micrograph(FOLDER / f"{torn.name}.tif"))


def test_writing_twice_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [entry for entry in DEMO if entry.name in ("low_e_06", "vial_inner_04")]
    monkeypatch.setattr("training.synthesis.demo.DEMO", tuple(small))
    sums = []
    for folder in ("a", "b"):
        paths = write_demo(tmp_path / folder)
        assert len(paths) == 2
        sums.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert sums[0] == sums[1]


def test_sample_toml_survives_quotes_and_signs(tmp_path: Path) -> None:
    from glassllava.sample import Sample

    sample = Sample(material='float "low-e" µm', notes="a\\b\nline", expected=("crack", "bubble"))
    path = tmp_path / "x.sample.toml"
    path.write_text(sample_toml(sample), "utf-8")
    assert read_sample(path) == sample
