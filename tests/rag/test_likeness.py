"""From a paper on disk to the figure that looks like a micrograph, by the command itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.micrograph.contrast import to_8bit
from glassview.cli import main
from training.synthesis.generator import Plan, generate

KINDS = {"devit_devitrite": "Needles", "foam_cell": "Cells", "crazing": "A net of cracks"}


def micrograph(key: str, seed: int) -> np.ndarray:
    plan = Plan(features=(key,), artefacts=(), databar=False, size=(480, 640), bits=8)
    return to_8bit(generate(seed, plan=plan).pixels)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up paper of three pages, a synthetic micrograph and its caption on each."""
    from reportlab.pdfgen.canvas import Canvas

    folder = tmp_path_factory.mktemp("paper")
    canvas = Canvas(str(folder / "paper.pdf"), pagesize=(420, 595))
    for number, (key, words) in enumerate(KINDS.items(), start=1):
        Image.fromarray(micrograph(key, 900_100)).save(folder / f"{key}.png")
        canvas.setFont("Helvetica", 10)
        for line in range(8):
            canvas.drawString(40, 540 - 14 * line, f"Made-up sentence {line} on synthetic glass.")
        canvas.drawImage(str(folder / f"{key}.png"), 60, 160, 300, 225)
        canvas.drawString(60, 140, f"Figure {number}. {words} in a synthetic micrograph.")
        canvas.showPage()
    canvas.save()
    return folder / "paper.pdf"


@pytest.mark.parametrize("key", KINDS)
def test_the_figure_of_the_same_kind_comes_first(
    key: str,
    paper: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tifffile.imwrite(tmp_path / "asked.tif", micrograph(key, 900_200))
    assert main(["library", "add", str(paper), "--library", str(folder)]) == 0
    capsys.readouterr()
    asked = ["library", "like", str(tmp_path / "asked.tif"), "--library", str(folder), "--json"]
    assert main([*asked, "--save", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures_in_library"] == 3
    best = told["figures"][0]
    assert best["caption"].startswith(f"Figure {list(KINDS).index(key) + 1}. {KINDS[key]}")
    assert best["page"] == list(KINDS).index(key) + 1
    assert Path(best["file"]).stat().st_size > 1000
    with Image.open(best["file"]) as saved:
        assert saved.format in ("PNG", "JPEG")


def test_a_library_without_figures_says_what_to_do(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(tmp_path / "asked.tif", micrograph("crazing", 900_200))
    assert main(["library", "like", str(tmp_path / "asked.tif"), "--library", str(folder)]) == 0
    assert "add papers with `glassview library add`" in capsys.readouterr().out


def test_a_model_without_an_eye_is_refused(
    paper: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(tmp_path / "asked.tif", micrograph("crazing", 900_200))
    main(["library", "add", str(paper), "--library", str(folder)])
    asked = ["library", "like", str(tmp_path / "asked.tif"), "--library", str(folder)]
    assert main([*asked, "--model", "scripted"]) == 2
    assert "has no eye" in capsys.readouterr().err
