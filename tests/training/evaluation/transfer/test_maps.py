"""Where the cells of a map lie on a micrograph, and what is read off them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.model.scripted import ScriptedModel
from training.evaluation.transfer import maps, regions
from training.evaluation.transfer.maps import CELL, Eye, Map

SIDE = 224


class Bright:
    """A tower that takes brightness for cracks."""

    config = SimpleNamespace(patch_size=56, labels=2)

    def __call__(self, pixel_values: Any) -> Any:
        said = pixel_values.mean((1, 2, 3))
        tokens = torch.stack((torch.zeros_like(said), said, -said), -1)[:, None].expand(-1, 4, -1)
        return SimpleNamespace(last_hidden_state=tokens)

    def where(self, values: Any) -> Any:
        cells = torch.nn.functional.avg_pool2d(values[:, :1], CELL)
        return torch.cat((cells, -cells), 1)


def _eye() -> Eye:
    processor = SimpleNamespace(image_mean=[127 / 255] * 3, image_std=[128 / 255] * 3)
    return Eye(Bright(), processor, SIDE)


def _spot(height: int, width: int, y: int, x: int, size: int = 24) -> np.ndarray[Any, Any]:
    picture = np.full((height, width), 60, np.uint8)
    picture[y : y + size, x : x + size] = 250
    return picture


@pytest.mark.parametrize("zoom", [None, 0.5, 1.0, 1.7])
@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 300), (224, 224), (120, 90)])
def test_a_bright_spot_is_found_where_it_is(height: int, width: int, zoom: float | None) -> None:
    for y, x in ((0, 0), (height // 2, width // 3), (height - 24, width - 24)):
        picture = _spot(height, width, y, x)
        found = _eye().whole(picture) if zoom is None else _eye().zoomed(picture, zoom)
        field = found.on_pixels((height, width))
        at = np.unravel_index(int(field.argmax()), field.shape)
        # Within a cell of the spot's middle.
        reach = 12 + CELL / (zoom or SIDE / max(height, width))
        assert abs(at[0] - y - 12) <= reach
        assert abs(at[1] - x - 12) <= reach
        over = found.over(x, y, x + 24, y + 24)
        assert over.max() == pytest.approx(found.logits.max(), abs=0.2)


def test_the_cells_of_a_map_part_the_micrograph() -> None:
    found = _eye().whole(_spot(300, 500, 10, 10))
    count = np.zeros((300, 500), int)
    for _, _, (x0, y0, x1, y1) in found.boxes((300, 500)):
        count[y0:y1, x0:x1] += 1
    assert (count == 1).all()


def test_a_box_far_from_the_spot_does_not_see_it() -> None:
    found = _eye().whole(_spot(300, 500, 10, 10))
    assert found.over(300, 200, 428, 300).max() < found.over(0, 0, 40, 40).max() - 0.5


def test_a_box_smaller_than_a_cell_has_the_cell_it_lies_in() -> None:
    found = Map(np.arange(16.0).reshape(4, 4), (1 / 16, 1 / 16), (0.0, 0.0))
    assert found.over(17, 33, 19, 34).tolist() == [9.0]
    assert found.over(0, 0, 64, 64).tolist() == list(range(16))


def test_a_tile_is_scored_at_the_models_side_and_at_its_halves() -> None:
    eye = _eye()
    assert maps.sides(eye, 128) == (224, 112, 56)
    assert maps.sides(eye, 30) == (112, 56)  # 224 would be more than sixfold
    dark, bright = np.full((30, 30), 10, np.uint8), np.full((30, 30), 240, np.uint8)
    for side in maps.sides(eye, 30):
        low, high = eye.scores([dark, bright], side)
        assert low < high


def test_a_model_without_a_tower_has_no_eye() -> None:
    assert maps.eye_of(ScriptedModel()) is None


def test_a_map_that_is_right_hits_and_one_that_is_wrong_does_not() -> None:
    mask = np.ones((64, 64), np.uint8)
    mask[16:32, 16:32] = 2
    real: Any = SimpleNamespace(mask=mask, name="a.png")
    right = Map(np.full((4, 4), -3.0), (1 / 16, 1 / 16), (0.0, 0.0))
    right.logits[1, 1] = 3
    found = regions.one(real, right)
    assert found["cell_hit"]
    assert found["point_hit"]
    assert found["cell_iou"] == 1
    assert found["cell_ap"] == 1
    assert found["iou"] > 0.5
    assert found["cell_chance"] == pytest.approx(1 / 16, abs=1e-4)
    assert found["pixel_chance"] == pytest.approx(1 / 16, abs=1e-4)
    wrong = Map(-right.logits, right.scale, right.corner)
    missed = regions.one(real, wrong)
    assert not missed["cell_hit"]
    assert missed["cell_iou"] == 0


def test_what_lies_outside_of_the_masked_area_counts_neither_way() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 1
    mask[16:32, 16:32] = 2
    real: Any = SimpleNamespace(mask=mask, name="a.png")
    found = Map(np.full((4, 4), -3.0), (1 / 16, 1 / 16), (0.0, 0.0))
    found.logits[1, 1] = 2
    found.logits[3, 3] = 9  # a crack that nobody marked
    told = regions.one(real, found)
    assert told["cell_hit"]
    assert told["cell_iou"] == 1
