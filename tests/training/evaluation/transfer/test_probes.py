"""What else could be learned, and what is given away before looking."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassllava.errors import BadInput
from tests.training.evaluation.transfer import folders
from training.evaluation import scores
from training.evaluation.transfer import pictures, probes, textures

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textures of small pictures: the numbers are the same kind, and quick."""
    monkeypatch.setattr(textures, "SIDE", 64)


def _data(folder: Path, count: int = 24) -> Path:
    """A folder of training data: every second picture is striped, and says that it is cracked."""
    (folder / "micrographs" / "train").mkdir(parents=True)
    lines = []
    for number in range(count):
        picture = RNG.integers(100, 140, (64, 64)).astype(np.uint8)
        if number % 2:
            picture[:, ::8] = 10
        Image.fromarray(picture).save(folder / "micrographs" / "train" / f"{number}.tif")
        lines.append(json.dumps({"seed": number, "present": ["crack"] if number % 2 else []}))
    (folder / "train-000000.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_a_folder_of_training_data_is_read_in_its_order(tmp_path: Path) -> None:
    data = probes.read_synthetic(_data(tmp_path / "data"), ("crack", "pore"), limit=5)
    assert [path.name for path in data.files] == [f"{n}.tif" for n in range(5)]
    assert data.there.tolist() == [[bool(n % 2), False] for n in range(5)]


def test_what_another_pass_says_of_the_same_pictures_is_passed_over(tmp_path: Path) -> None:
    folder = _data(tmp_path / "data", 4)
    (folder / "train-000000.contexts.jsonl").write_text(
        '{"seed": 0, "defect": true}\nnull\n', "utf-8"
    )
    assert len(probes.read_synthetic(folder, ("crack",)).files) == 4


def test_a_folder_without_its_pictures_is_refused(tmp_path: Path) -> None:
    folder = _data(tmp_path / "data")
    (folder / "micrographs" / "train" / "3.tif").unlink()
    with pytest.raises(BadInput, match="pictures"):
        probes.read_synthetic(folder, ("crack",))
    with pytest.raises(BadInput, match="pictures"):
        probes.read_synthetic(tmp_path, ("crack",))


def test_features_of_the_training_pictures_are_worked_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = probes.read_synthetic(_data(tmp_path / "data"), ("crack",))
    first = probes.texture_features(data, tmp_path / "kept")
    monkeypatch.setattr(textures, "features", lambda picture: pytest.fail("worked out again"))
    assert (probes.texture_features(data, tmp_path / "kept") == first).all()


def test_a_forest_on_textures_learns_stripes(tmp_path: Path) -> None:
    data = probes.read_synthetic(_data(tmp_path / "data"), ("crack",))
    learned = probes.forest(probes.texture_features(data, tmp_path / "kept"), data.there)
    plain = RNG.integers(100, 140, (64, 64)).astype(np.uint8)
    striped = plain.copy()
    striped[:, ::8] = 10
    features = np.stack([textures.features(plain), textures.features(striped)])
    low, high = learned.probability(features)[:, 0]
    assert low + 0.4 < high
    assert high >= learned.thresholds[0]


def test_a_linear_probe_learns_each_label_for_itself() -> None:
    features = RNG.normal(size=(80, 6))
    there = features[:, :2] > 0
    learned = probes.linear_probe(features[:60], there[:60])
    said = learned.probability(features[60:])
    for j in range(2):
        assert scores.average_precision(said[:, j], there[60:, j]) > 0.9


def test_a_label_that_is_on_no_training_picture_is_never_said() -> None:
    features = RNG.normal(size=(40, 3))
    there = np.stack([features[:, 0] > 0, np.zeros(40, bool)], 1)
    for learned in (probes.linear_probe(features, there), probes.forest(features, there)):
        assert (learned.probability(features)[:, 1] == 0).all()
        assert learned.thresholds[1] > 0


def test_the_size_of_an_image_tells_what_goes_with_it(tmp_path: Path) -> None:
    folder = folders.some(tmp_path / "real")
    for path in folder.glob("lab_s[45]*.png"):  # the two that have no crack are half as large
        with Image.open(path) as image:
            image.crop((0, 0, 96, 96)).save(path)
    reals = pictures.read_folder(folder)
    there, known = pictures.truth(reals, ("crack", "pore"))
    left_out = probes.by_size(reals, there, known)
    assert scores.average_precision(left_out[:, 0], there[:, 0]) == 1
    # The frame has nothing to do with the size.
    assert len(np.unique(left_out[:, 1].round(6))) <= 3


def test_textures_are_numbers_for_any_picture() -> None:
    shapes = ((1, 1), (1, 300), (64, 48), (700, 500))
    found = [textures.features(np.full(shape, 128, np.uint8)) for shape in shapes]
    assert len({row.shape for row in found}) == 1
    assert all(np.isfinite(row).all() for row in found)
    noise = textures.features(RNG.integers(0, 256, (64, 48)).astype(np.uint8))
    assert np.abs(noise - found[2]).max() > 0.1
