"""From maps to regions of the stored page, and what becomes of them beside measured ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw

from glassllava.features import PARENTS
from glassllava.measurement.quantities import Measurements, Region
from glassllava.micrograph.reading import read_micrograph
from glassllava.micrograph.record import Databar, Micrograph
from glassllava.model import occlusion, processing
from glassllava.model.backend import Pointed, Reply
from glassllava.model.opening import open_checkpoint
from glassllava.model.pointing import Frame, joined, point
from glassllava.model.processing import placed
from glassllava.prompt import Budget, Enquiry, compose
from glassllava.sample import Sample

SIDE, CELLS = 224, 14


def page(width: int, height: int, databar: Databar | None = None) -> Micrograph:
    return Micrograph(Path("a.tif"), 0, width, height, 8, databar=databar)


def drawn(region: Region, width: int, height: int) -> np.ndarray:
    picture = Image.new("1", (width, height))
    ImageDraw.Draw(picture).polygon([(x - 0.5, y - 0.5) for x, y in region.polygon], 1)
    return np.asarray(picture)


def cells_on(*places: tuple[slice | int, slice | int], high: float = 4.0) -> np.ndarray:
    logits = np.full((1, CELLS, CELLS), -6.0, np.float32)
    for row, column in places:
        logits[0, row, column] = high
    return logits


# -- where a cell lies on the page --------------------------------------------------------------


@pytest.mark.parametrize("size", [(768, 1024), (1024, 768), (1, 5000), (5000, 1), (1, 1), (37, 90)])
def test_the_frame_is_the_letterboxs(size: tuple[int, int]) -> None:
    """Against what the preprocessing really does: a picture of two greys, and where it lies."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 2, size).astype(np.uint8) * 255
    top, left, tall, wide = placed(size, SIDE)
    square = processing.letterbox(picture, SIDE)
    inside = np.zeros(square.shape, bool)
    inside[top : top + tall, left : left + wide] = True
    assert len(np.unique(square[~inside])) <= 1  # the padding, in one grey
    shrunk = Image.fromarray(picture).resize((wide, tall), Image.Resampling.BILINEAR)
    assert np.array_equal(square[inside].reshape(tall, wide), np.asarray(shrunk))


def test_a_peak_is_told_in_pixels_of_the_stored_page() -> None:
    """A page with its databar on top: 1000 × 500 of specimen under 60 rows of it."""
    micrograph = page(1000, 560, Databar(0, 60, "tag"))
    frame = Frame.of(micrograph, SIDE, CELLS)
    assert (frame.rows.start, frame.rows.stop) == (3, 10)  # the middle of row 3 is on the edge
    found = point(cells_on((5, 3)), ["crack"], frame, {})["crack"]
    across = 1000 / CELLS
    # The middle of the square's row 7 is the middle of the specimen, whose first row is 60.
    assert found.peak == pytest.approx((3.5 * across, 60 + 250 - 1.5 * across), abs=0.1)
    assert found.cell == pytest.approx(across, abs=0.01)
    (region,) = found.regions
    x0, y0, x1, y1 = region.bbox
    assert x0 <= found.peak[0] <= x1
    assert y0 <= found.peak[1] <= y1
    assert region.source == "model"
    assert region.id == "crack-model-1"


def test_what_lies_on_the_padding_is_not_seen() -> None:
    frame = Frame.of(page(1000, 500), SIDE, CELLS)
    logits = cells_on((0, 0), (13, 13), high=9.0)  # above and below the specimen
    logits[0, 7, 7] = 1.0
    found = point(logits, ["pore"], frame, {})["pore"]
    assert found.certainty == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert len(found.regions) == 1


# -- thresholds and parts -----------------------------------------------------------------------


def test_parts_are_apart_touch_at_corners_and_come_surest_first() -> None:
    frame = Frame.of(page(1400, 1400), SIDE, CELLS)
    logits = cells_on((1, 1), (2, 2), (slice(5, 9), slice(5, 9)), (12, 12))
    logits[0, 12, 12] = 0.1
    found = point(logits, ["pore"], frame, {})["pore"]
    assert [r.id for r in found.regions] == ["pore-model-1", "pore-model-2", "pore-model-3"]
    large, corner, faint = found.regions
    assert large.bbox[0] in range(440, 501)
    assert large.area_px > corner.area_px > faint.area_px
    assert corner.bbox[0] < 150
    assert corner.bbox[2] > 250
    assert len(point(logits, ["pore"], frame, {"pore": 0.6})["pore"].regions) == 2


def test_no_more_than_twenty_parts() -> None:
    frame = Frame.of(page(1400, 1400), SIDE, CELLS)
    logits = cells_on((slice(0, 14, 2), slice(0, 14, 2)))
    assert len(point(logits, ["pore"], frame, {})["pore"].regions) == 20


def test_below_the_threshold_the_likeliest_place_is_left_and_below_a_tenth_none() -> None:
    frame = Frame.of(page(1400, 1400), SIDE, CELLS)
    logits = cells_on((3, 3), (9, slice(9, 11)), high=-1.5)  # 0.18, under 0.5
    logits[0, 3, 3] = -1.0
    found = point(logits, ["pore"], frame, {})["pore"]
    (region,) = found.regions
    assert region.bbox[0] <= 350 <= region.bbox[2]
    assert found.certainty < 0.5
    nowhere = point(cells_on((3, 3), high=-4.0), ["pore"], frame, {})["pore"]
    assert nowhere.regions == ()
    assert nowhere.certainty == pytest.approx(0.018, abs=1e-3)


def test_a_ring_is_not_its_hole() -> None:
    frame = Frame.of(page(1400, 1400), SIDE, CELLS)
    logits = cells_on((slice(2, 12), slice(2, 12)))
    logits[0, 4:10, 4:10] = -6.0
    (region,) = point(logits, ["crack"], frame, {})["crack"].regions
    mask = drawn(region, 1400, 1400)
    assert not mask[700, 700]
    assert mask[300, 700]
    assert mask[1100, 700]
    assert mask[700, 300]
    assert region.area_px == pytest.approx(mask.sum(), rel=0.02)
    assert region.area_px == pytest.approx(64 * 100**2, rel=0.1)  # 100 cells without 36


def test_a_featureless_surface_has_no_place() -> None:
    logits = np.full((2, CELLS, CELLS), 3.0)
    found = point(logits, ["crack", "clean"], Frame.of(page(100, 100), SIDE, CELLS), {})
    assert list(found) == ["crack"]
    (region,) = found["crack"].regions
    assert region.bbox == (0, 0, 100, 100)
    assert region.area_px == 10_000


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000), (100, 100), (3, 2)])
@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf, 0.0, 60000.0])
def test_no_map_and_no_page_breaks_it(size: tuple[int, int], fill: float) -> None:
    micrograph = page(*size)
    frame = Frame.of(micrograph, SIDE, CELLS)
    found = point(np.full((16, CELLS, CELLS), fill), list(PARENTS), frame, {})
    assert len(found) == 15
    for each in found.values():
        assert_inside(each, micrograph)
        assert bool(each.regions) == (fill in (np.inf, 0.0, 60000.0))


def assert_inside(each: Pointed, micrograph: Micrograph) -> None:
    rows = micrograph.specimen_rows
    points = [each.peak, *(p for region in each.regions for p in region.polygon)]
    assert all(0 <= x <= micrograph.width and rows.start <= y <= rows.stop for x, y in points)
    for region in each.regions:
        x0, y0, x1, y1 = region.bbox
        assert 0 <= x0 < x1 <= micrograph.width
        assert rows.start <= y0 < y1 <= rows.stop
        assert 0 < region.area_px <= (x1 - x0) * (y1 - y0)


# -- beside what was measured -------------------------------------------------------------------


def box(name: str, x0: int, y0: int, x1: int, y1: int, source: str = "measured") -> Region:
    area = float((x1 - x0) * (y1 - y0))
    return Region(name, "pore", (x0, y0, x1, y1), area, source=source)  # type: ignore[arg-type]


def pointing_at(*regions: Region) -> Pointed:
    return Pointed((0.0, 0.0), 0.9, 20.0, regions)


def test_confirmed_then_the_models_own_then_the_rest() -> None:
    measured = (box("far", 900, 900, 930, 930), box("on", 110, 110, 150, 150))
    model = (box("m1", 100, 100, 160, 160, "model"), box("m2", 500, 500, 600, 600, "model"))
    found = joined(measured, pointing_at(*model))
    assert [(r.id, r.source) for r in found] == [
        ("on", "both"),
        ("m2", "model"),
        ("far", "measured"),
    ]


def test_a_large_measured_body_is_confirmed_by_what_lies_on_it() -> None:
    found = joined((box("big", 0, 0, 800, 800),), pointing_at(box("m", 300, 300, 360, 360)))
    assert [(r.id, r.source) for r in found] == [("big", "both")]


def test_a_fragment_does_not_stand_for_a_long_crack() -> None:
    """The model sees 800 px of a crack, measuring a tenth of them: both stay."""
    model = box("m", 0, 100, 800, 130, "model")
    found = joined((box("piece", 0, 105, 80, 112),), pointing_at(model))
    assert [(r.id, r.source) for r in found] == [("piece", "both"), ("m", "model")]


def test_many_small_ones_stand_for_the_field_that_holds_them() -> None:
    pores = tuple(box(f"p{i}", 60 * (i % 5), 60 * (i // 5), 60 * (i % 5) + 30, 60 * (i // 5) + 30)
                  for i in range(25))  # fmt: skip
    found = joined(pores, pointing_at(box("field", 0, 0, 300, 300, "model")))
    assert [r.source for r in found] == ["both"] * 25


def test_where_the_model_points_nowhere_or_cannot_the_measured_stay() -> None:
    measured = (box("one", 0, 0, 10, 10),)
    assert joined(measured, None) == measured
    assert joined(measured, pointing_at()) == measured
    own = box("m", 0, 0, 9, 9, "model")
    assert joined((), pointing_at(own)) == (own,)
    assert joined((), pointing_at()) == ()


def test_a_thin_outline_counts_by_its_line_not_by_its_box() -> None:
    """A diagonal crack whose box covers the page; the model points at a corner off it."""
    crack = Region(
        "crack-1", "crack", (0, 0, 1000, 1000), 4000.0, ((0, 0), (1000, 996), (1000, 1000), (0, 4))
    )
    off = box("off", 800, 40, 960, 200, "model")
    found = joined((crack,), pointing_at(off))
    assert [(r.id, r.source) for r in found] == [("off", "model"), ("crack-1", "measured")]


# -- the backend --------------------------------------------------------------------------------


def pointing_model(checkpoint: Path):  # type: ignore[no-untyped-def]
    """A real checkpoint whose tower also says where: bright cells are a crack, dark ones a pore."""
    import torch

    model = open_checkpoint(checkpoint, "folder")
    tower = model.model.model.vision_tower
    calls = []

    def see(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(len(pixels))
        grey = torch.nn.functional.avg_pool2d(pixels[:, :1], 16)
        maps = torch.cat([8 * grey, -8 * grey, torch.full_like(grey, -9).expand(-1, 14, -1, -1)], 1)
        seen = tower.seen(pixels)
        return tower.tokens(seen.cells, seen.pooled), maps

    tower.see = see
    return model, calls


def enquiry_of(path: Path, grey: np.ndarray) -> Enquiry:
    tifffile.imwrite(path, grey)
    return compose(
        read_micrograph(path),
        Sample(),
        "",
        "none",
        measurements=Measurements(),
        passages=(),
        query="",
        probe_keys=("crack", "pore", "clean"),
        passage_budget=Budget(500),
        want_text=False,
    )


def test_a_tower_that_points_is_run_once_and_answers_the_same(
    tiny_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    plain = open_checkpoint(tiny_checkpoint, "folder").reply(enquiries)
    model, calls = pointing_model(tiny_checkpoint)
    replies = model.reply(enquiries)
    assert calls == [3, 1]  # the pictures, and the blank that one of them asked for
    for before, after in zip(plain, replies, strict=True):
        assert list(after.pointed) == ["crack", "pore"]
        assert after.verdict == before.verdict
        assert after.probes == before.probes


def test_a_tower_that_cannot_point_says_nowhere(
    clip_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    for reply in open_checkpoint(clip_checkpoint, "folder").reply(enquiries):
        assert reply.pointed == {}


def test_the_bright_corner_is_where_it_is(tiny_checkpoint: Path, tmp_path: Path) -> None:
    grey = np.full((300, 400), 100, np.uint8)
    grey[40:100, 300:380] = 250
    grey[200:280, 20:120] = 5
    model, _ = pointing_model(tiny_checkpoint)
    enquiry = enquiry_of(tmp_path / "a.tif", grey)
    (reply,) = model.reply([enquiry])
    x, y = reply.pointed["crack"].peak
    assert 300 <= x <= 380
    assert 40 <= y <= 100
    x0, y0, x1, y1 = reply.pointed["crack"].regions[0].bbox
    assert abs(x0 - 300) < 30
    assert abs(x1 - 380) < 30
    assert abs(y0 - 40) < 30
    assert abs(y1 - 100) < 30
    maps = model.maps([enquiry.micrograph])
    assert maps.shape == (1, 16, 21, 21)
    assert model.pointed(maps[0], enquiry.micrograph)["crack"] == reply.pointed["crack"]


@pytest.mark.parametrize(
    "grey",
    [
        np.zeros((1, 1), np.uint8),
        np.full((1, 5000), 7, np.uint8),
        np.zeros((200, 300), np.uint8),
        np.full((300, 200), 255, np.uint8),
        np.full((120, 100), np.nan, np.float32),
        np.arange(5000, dtype=np.uint16).reshape(5000, 1),
    ],
    ids=["1x1", "1x5000", "black", "white", "nan", "5000x1"],
)
def test_bad_pictures_have_regions_inside_the_page(
    tiny_checkpoint: Path, tmp_path: Path, grey: np.ndarray
) -> None:
    model, _ = pointing_model(tiny_checkpoint)
    enquiry = enquiry_of(tmp_path / "a.tif", grey)
    (reply,) = model.reply([enquiry])
    assert list(reply.pointed) == ["crack", "pore"]
    for each in reply.pointed.values():
        assert_inside(each, enquiry.micrograph)
    assert Reply.from_json(reply.to_json()) == reply


def test_older_records_read_without_places_and_keep_their_hash(
    tiny_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    model, _ = pointing_model(tiny_checkpoint)
    (reply,) = model.reply(enquiries[:1])
    import json

    assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == reply
    older = dataclasses.replace(reply, pointed={}).to_json()
    assert "pointed" not in older
    assert Reply.from_json(older).pointed == {}
    measured = Region("pore-1", "pore", (10, 20, 40, 50), 700.0)
    assert "source" not in measured.to_json()
    assert Region.from_json(measured.to_json()) == measured
    seen = dataclasses.replace(measured, source="both")
    assert Region.from_json(seen.to_json()) == seen


# -- hidden parts -------------------------------------------------------------------------------


class Glimpse:
    """Sees a crack where one place of the square is bright; says so as a backend does."""

    side = 70

    def __init__(self, row: int, column: int) -> None:
        self.place = (row, column)

    def probes_of(self, enquiry, pictures):  # type: ignore[no-untyped-def]
        from glassllava.model.backend import Probe

        bright = [picture[self.place] > 200 for picture in pictures]
        return [{"crack": Probe(0.8, 0.2) if b else Probe(0.3, 0.7)} for b in bright]


def test_what_is_hidden_is_missed_where_it_is(tmp_path: Path) -> None:
    grey = np.zeros((140, 140), np.uint8)
    grey[86:92, 26:32] = 255
    enquiry = enquiry_of(tmp_path / "a.tif", grey)
    fall, found = occlusion.occlusion(Glimpse(44, 14), enquiry)["crack"]  # type: ignore[arg-type]
    assert fall.shape == (7, 7)
    assert np.unravel_index(fall.argmax(), fall.shape) == (4, 1)
    assert np.count_nonzero(fall) == 1
    assert found.peak == (30.0, 90.0)
    assert found.cell == 20.0
    assert len(found.regions) == 1


def test_a_checkpoint_is_asked_of_each_hidden_part(
    tiny_checkpoint: Path, enquiries: list[Enquiry]
) -> None:
    model = open_checkpoint(tiny_checkpoint, "folder")
    enquiry = enquiries[0]
    found = occlusion.occlusion(model, enquiry, cells=3)
    assert set(found) == {"crack", "pore", "clean"}
    picture = processing.see(enquiry.micrograph, model.side)
    again = model.probes_of(enquiry, [occlusion.covered(picture, [(1, 2)], 3), picture])
    fall = occlusion.logit(again[1]["crack"]) - occlusion.logit(again[0]["crack"])
    rows = Frame.of(enquiry.micrograph, model.side, 3).rows
    assert found["crack"][0][1 - rows.start, 2] == pytest.approx(fall, abs=1e-4)
    (reply,) = model.reply([enquiry])
    assert again[1]["crack"].yes == pytest.approx(reply.probes["crack"].yes, rel=1e-3)
