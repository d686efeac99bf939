"""The pointing game: places of which it is known beforehand what must be said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassllava import features
from glassllava.measurement.quantities import Region
from glassllava.micrograph.record import Databar, Micrograph
from glassllava.model.backend import Pointed
from glassllava.model.pointing import Frame, point
from training.evaluation.pointing import findings, hiding
from training.evaluation.pointing.painted import Painted, keep_thresholds, paint
from training.evaluation.pointing.places import (
    Place,
    best_thresholds,
    filled,
    in_cells,
    judge_places,
    overlap,
    place,
)
from training.synthesis import Plan, generate

SIDE, CELLS = 896, 56
PAGE = Micrograph(Path("a.tif"), 0, 560, 460, 8, databar=Databar(420, 40, "tag"))


def square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((460, 560), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def at(x: float, y: float, *regions: Region) -> Pointed:
    return Pointed((x, y), 0.9, 10.0, regions)


def judged(pointed: Pointed, truth: np.ndarray, group: str = "1", parent: str = "pore") -> Place:
    return place(group, parent, pointed, truth, PAGE, side=SIDE, cells=CELLS)


def test_a_peak_hits_on_the_feature_or_a_cell_beside_it() -> None:
    truth = square(100, 100, 140, 140)
    assert judged(at(120, 120), truth).exact
    beside = judged(at(149, 120), truth)  # ten pixels are a cell
    assert (beside.hit, beside.exact) == (True, False)
    far = judged(at(180, 120), truth)
    assert not far.hit
    assert far.away == pytest.approx(4.1)


def test_chance_is_what_a_random_point_of_the_specimen_would_reach() -> None:
    one = judged(at(0, 0), square(100, 100, 140, 140))
    assert one.chance_exact == pytest.approx(40 * 40 / (420 * 560))
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 0), (560, 420), (4000, 2))
    truth = square(100, 100, 140, 140)
    near = [x > 90 and x < 150 and y > 90 and y < 150 for x, y in points]
    assert one.chance == pytest.approx(np.mean(near), abs=0.005)
    assert truth.sum() == 1600


def test_a_feature_on_half_of_the_specimen_is_no_game() -> None:
    places = [
        judged(at(10, 10), square(0, 0, 560, 300)),
        judged(at(10, 10), square(500, 300, 540, 340), group="2"),
    ]
    told = judge_places(places)
    assert (told["places"], told["wide"], told["hit"]) == (1, 1, 0.0)


def test_overlap_in_pixels_and_in_cells() -> None:
    thin = square(100, 104, 300, 106)  # a crack of two pixels through twenty cells
    cells = Region("m", "pore", (100, 100, 300, 110), 2000.0)
    one = judged(at(200, 105, cells), thin)
    assert one.overlap == 1.0
    assert one.overlap_px == pytest.approx(0.2)
    none = judged(at(200, 105), thin)
    assert none.overlap == none.overlap_px == 0.0


def test_a_feature_that_is_nowhere_is_refused() -> None:
    below = square(10, 430, 50, 450)  # on the databar alone
    with pytest.raises(ValueError, match="nowhere"):
        judged(at(0, 0), below)


def test_filling_is_what_the_outline_encloses() -> None:
    box = Region("a", "pore", (10, 20, 30, 50), 600.0)
    line = ((100.0, 20.0), (130.0, 20.0), (130.0, 60.0), (100.0, 60.0))
    drawn = Region("b", "pore", (100, 20, 130, 60), 1200.0, line)
    assert filled([box], PAGE).sum() == 600
    assert filled([drawn], PAGE).sum() == 1200
    assert filled([box, drawn], PAGE).sum() == 1800


@pytest.mark.parametrize("parent", ["crack", "pore", "scratch"])
def test_a_map_of_the_truth_points_at_it_and_a_map_of_the_rest_does_not(parent: str) -> None:
    """The whole way on painted truth: mask, map, regions, and back to the mask."""
    key = {"crack": "crack_through", "pore": "bubble", "scratch": "scratch"}[parent]
    scene = generate(7, plan=Plan(features=(key,), artefacts=()), size=(420, 560))
    truth = scene.region(parent)
    assert truth is not None
    height, width = scene.pixels.shape
    bar = Databar(*scene.databar, "tag") if scene.databar else None
    page = Micrograph(Path("a.tif"), 0, width, height, 8, databar=bar)
    frame = Frame.of(page, SIDE, CELLS)
    share = in_cells(truth, frame)
    logits = np.full((1, CELLS, CELLS), -8.0)
    logits[0, frame.rows, frame.columns] = np.where(share > 0, 4 + share, -8)
    seen = point(logits, [parent], frame, {})[parent]
    right = place("1", parent, seen, truth, page, side=SIDE, cells=CELLS)
    assert right.hit
    assert right.overlap > 0.8
    logits[0, frame.rows, frame.columns] = np.where(share > 0, -8, 4)
    seen = point(logits, [parent], frame, {})[parent]
    wrong = place("1", parent, seen, truth, page, side=SIDE, cells=CELLS)
    assert not wrong.exact
    assert wrong.overlap < 0.2


def test_intervals_and_means_are_by_micrograph_and_parent() -> None:
    truth, miss = square(100, 100, 140, 140), at(500, 400)
    places = [judged(at(120, 120), truth, str(i)) for i in range(9)]
    places += [judged(miss, truth, str(i), "crack") for i in range(3)]
    told = judge_places(places)
    assert told["hit"][0] == 0.75
    assert told["hit"][1] < 0.75 < told["hit"][2]
    assert told["by_parent"]["pore"]["hit"] == [1.0, 1.0, 1.0]
    assert told["macro_hit"][0] == 0.5  # a frequent feature does not decide it
    assert judge_places([])["hit"] is None
    json.dumps(told, allow_nan=False)


def test_the_threshold_of_the_best_overlap_is_found() -> None:
    frame = Frame.of(PAGE, SIDE, CELLS)
    truth = square(100, 100, 200, 200)
    share = np.zeros((CELLS, CELLS))
    share[frame.rows, frame.columns] = in_cells(truth, frame)
    maps = np.where(share > 0, 0.32, 0.18)
    seen = [({"pore": maps, "crack": maps}, {"pore": truth}, frame)] * 8
    found = best_thresholds(seen)
    assert list(found) == ["pore"]
    assert 0.18 < found["pore"] <= 0.32
    assert best_thresholds(seen[:3]) == {}  # three places say too little


def test_thresholds_are_kept_with_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "glassllava.json").write_text('{"name": "tiny"}')
    keep_thresholds(tmp_path, {"crack": 0.35})
    told = json.loads((tmp_path / "glassllava.json").read_text())
    assert told == {"name": "tiny", "pointing": {"crack": 0.35}}
    assert "glassllava.json" in json.loads((tmp_path / "MANIFEST.json").read_text())


# -- with a model -------------------------------------------------------------------------------


class Glimpse:
    """A backend that sees a pore where the picture is darkest; its maps know nothing else."""

    side, can_point, pointing = 224, True, {}  # a stand-in's settings
    probe_keys = tuple(features.PARENTS)

    def __init__(self) -> None:
        from glassllava.model.scripted import ScriptedModel

        self.passage_budget = ScriptedModel().passage_budget

    def maps(self, micrographs: list[Micrograph]) -> np.ndarray:
        from glassllava.model import processing

        out = []
        for micrograph in micrographs:
            picture = processing.see(micrograph, self.side).astype(float)
            cells = picture.reshape(14, 16, 14, 16).mean((1, 3))
            out.append(np.repeat((60 - cells)[None] / 10, 16, 0))
        return np.stack(out)

    def probes_of(self, enquiry: Any, pictures: list[np.ndarray]) -> list[dict[str, Any]]:
        from glassllava.model.backend import Probe

        dark = [float((picture < 40).mean()) for picture in pictures]
        shares = [min(0.99, 0.05 + 20 * share) for share in dark]
        return [dict.fromkeys(self.probe_keys, Probe(p, 1 - p)) for p in shares]


@pytest.fixture
def bubble(tmp_path: Path) -> Painted:
    """One dark body on an even ground; its truth is where it was put."""
    import tifffile

    from glassllava.micrograph.reading import read_micrograph
    from glassllava.sample import Sample

    grey = np.full((300, 400), 160, np.uint8)
    grey += np.random.default_rng(0).integers(0, 20, grey.shape, np.uint8)
    grey[60:100, 280:330] = 5
    tifffile.imwrite(tmp_path / "1.tif", grey)
    micrograph = read_micrograph(tmp_path / "1.tif")
    truth = np.zeros(grey.shape, bool)
    truth[60:100, 280:330] = True
    return Painted(1, micrograph, Sample(), {"pore": np.packbits(truth).tobytes()})


def test_hiding_what_matters_falls_first_and_showing_it_rises_first(bubble: Painted) -> None:
    (told,) = hiding.hide(Glimpse(), bubble, 14)  # type: ignore[arg-type]
    assert told.place.hit
    for name in ("occlusion", "tower"):
        assert told.deletion[name] < told.deletion["random"]
        assert told.insertion[name] > told.insertion["random"]
    figures = hiding.figures([told])
    assert figures["places"]["places"] == 1
    json.dumps(figures, allow_nan=False)


def test_findings_are_judged_with_what_was_measured() -> None:
    on = judged(at(120, 120), square(100, 100, 140, 140))
    told = [
        findings.Told("1", "pore", on, 0.8, 0.4, 0.8, ((True, True), (True, True), (False, False))),
        findings.Told("2", "pore", on, None, 0.4, 0.4),
        findings.Told("3", "crack", None),
    ]
    figures = findings.figures(told)
    assert (figures["findings"], figures["true"]) == (3, 2)
    assert figures["hit_of_all"][0] == pytest.approx(2 / 3, abs=1e-3)
    assert figures["overlap_px"]["findings"] == 1
    assert figures["on_feature"]["confirmed"] == {"regions": 2, "share": 1.0}
    assert figures["on_feature"]["not_confirmed"] == {"regions": 1, "share": 0.0}


def test_a_painted_micrograph_keeps_its_masks(tmp_path: Path) -> None:
    one = paint(3, tmp_path, "test", "plain")
    scene = generate(one.seed, plan=Plan(look="plain"))
    assert one.packed
    for parent in one.packed:
        assert np.array_equal(one.mask(parent), scene.region(parent))
    assert overlap(one.mask(parent), scene.region(parent)) == 1.0
