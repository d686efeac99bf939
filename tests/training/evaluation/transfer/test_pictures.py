"""What the folder of real micrographs says, and which corrections count."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput
from tests.training.evaluation.transfer import folders
from training.evaluation.transfer import pictures

SHIPPED = pictures.CORRECTIONS


def test_electron_micrographs_alone_are_judged_and_unsure_labels_are_unknown(
    tmp_path: Path,
) -> None:
    reals = pictures.read_folder(folders.some(tmp_path / "real"))
    assert len(reals) == 12
    assert "ion_00.png" not in {real.name for real in reals}
    assert pictures.asked_parents(reals) == ("crack", "pore")
    there, known = pictures.truth(reals, ("crack", "scratch"))
    assert there[:, 0].sum() == 8
    assert known[:, 0].all()
    assert known[:, 1].sum() == 10
    assert not there[:, 1].any()


def test_frames_of_one_specimen_are_one_group_and_same_joins_the_row_above() -> None:
    told = {
        "lab_010417-4_S2480009.tif": "cross-section",
        "lab_010417-4_S2480023.tif": "as above, more cracks",
        "lab_050317-3_S0440016.tif": "cross-section",
        "alloy_spot2_0d_0.tif": "an alloy",
        "alloy_spot7_180d_3.tif": "same alloy",
        "steel_316_01_crop.png": "steel",
        "steel_316_02_crop.png": "steel again",
        "vendor_defocus.tif": "blurred",
    }
    groups = pictures.specimens({"file": f, "what it shows": w} for f, w in told.items())
    assert list(groups.values()) == [
        "lab_010417-4",
        "lab_010417-4",
        "lab_050317-3",
        "alloy_spot2_0d",
        "alloy_spot2_0d",
        "steel_316",
        "steel_316",
        "vendor_defocus",
    ]


@pytest.mark.parametrize(
    ("row", "rows"),
    [
        ({"databar_rows": "150"}, slice(0, 150)),
        ({"note": 'rows 0-25 are a burned-in caption ("as acquired"): cut'}, slice(26, 192)),
        ({"note": "rows 0-25 are dark; a caption was cut off"}, slice(0, 192)),
    ],
)
def test_what_the_rater_names_as_databar_or_caption_is_cut(
    tmp_path: Path, row: dict[str, str], rows: slice
) -> None:
    folder = folders.write(tmp_path / "real", [{"file": "a.png", "crack": "1", **row}])
    (real,) = pictures.read_folder(folder)
    assert real.micrograph.specimen_rows == rows
    height = rows.stop - rows.start
    assert real.grey.shape == (height, folders.SIDE)
    assert real.mask is not None
    assert real.mask.shape == real.grey.shape


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = folders.write(tmp_path / "real", [{"file": "a.png", "crack": "1"}])
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(folder / "masks" / "a_mask.png")
    (real,) = pictures.read_folder(folder)
    with pytest.raises(BadInput, match="mask"):
        _ = real.mask


def test_a_correction_counts_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders.write(tmp_path / "real", [{"file": "a.png", "scratch": "u"}])
    changes = tmp_path / "corrections.csv"
    changes.write_text("file,parent,from,to,why\na.png,scratch,u,1,a line\n", "utf-8")
    monkeypatch.setattr(pictures, "CORRECTIONS", changes)
    assert pictures.read_folder(folder)[0].labels["scratch"] is None
    assert pictures.read_folder(folder, corrected=True)[0].labels["scratch"] is True
    changes.write_text("file,parent,from,to,why\na.png,scratch,0,1,a line\n", "utf-8")
    with pytest.raises(BadInput, match="correction"):
        pictures.read_folder(folder, corrected=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "LABELS.csv").unlink(), "table cannot be read"),
        (lambda f: folders._table(f / "MANIFEST.csv", ("file", "what it shows"), []), "MANIFEST"),
    ],
)
def test_a_folder_without_its_tables_is_refused(tmp_path: Path, spoil: object, words: str) -> None:
    folder = folders.write(tmp_path / "real", [{"file": "a.png"}])
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(BadInput, match=words):
        pictures.read_folder(folder)


def test_a_label_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = folders.write(tmp_path / "real", [{"file": "a.png", "pore": "maybe"}])
    with pytest.raises(BadInput, match="maybe"):
        pictures.read_folder(folder)


def test_every_shipped_correction_says_what_was_seen() -> None:
    with SHIPPED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert row["from"] != row["to"]
        assert len(row["why"]) > 20


def test_the_shipped_corrections_fit_the_real_labels(real_micrographs: Path) -> None:
    given = pictures.read_folder(real_micrographs)
    again = pictures.read_folder(real_micrographs, corrected=True)
    changed = {
        (one.name, key)
        for one, other in zip(given, again, strict=True)
        for key in one.labels
        if one.labels[key] != other.labels[key]
    }
    assert changed == set(pictures.read_corrections(SHIPPED))
    assert len(given) == 25
    assert len({real.group for real in given}) == 15
    assert pictures.asked_parents(given) == (
        *("crack", "pore", "inclusion", "phase_separation", "scratch", "delamination", "particle"),
    )
    assert sum(real.mask is not None for real in given) == 10
