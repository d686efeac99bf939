"""The story: ask about the real micrographs, part the tiles, point at the cracks, set beside it
what else could be learned, write figures, pages and pictures.

What took long (scores of tiles, maps, features of the training pictures) is kept in the folder of
the result, by what it was made from: the same call goes on where one was cut.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput, RunUnavailable
from glassllava.features import PARENTS
from glassllava.literature import Literature, NoLiterature
from training.evaluation.transfer import (
    asking,
    detecting,
    maps,
    page,
    pictures,
    probes,
    regions,
    textures,
    tiles,
)
from training.evaluation.transfer.detecting import Truth
from training.evaluation.transfer.pictures import Real
from training.whole import write_whole

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]
#: Pixels of a square for a pixel of the micrograph, where whole micrographs are cut in squares.
ZOOMS = (0.5, 0.875, 1.3, 1.75)
_NO_TOWER = "The model has no vision tower that can be asked alone: tiles and maps are left out"
_NO_MAP = "The tower of this checkpoint draws no map of cracks: maps and regions are left out"
_NO_DATA = "No folder of training data was given: linear probe and forest are left out"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`real` is the folder of real micrographs, `data` that of the model's training data, of which
    `limit` pictures are taken at most; `corrected` reports the corrected labels too."""

    real: Path
    data: Path | None = None
    limit: int | None = 1000
    corrected: bool = False
    with_pictures: bool = True


@dataclass(frozen=True)
class _Asked:
    """Everything that needs a model, once: figures follow for any version of the labels."""

    said: Mapping[str, asking.Said]
    learned: Sequence[tuple[probes.Learned, Array]]  # with its features of the real micrographs
    keys: tuple[str, ...]  # the columns of what the learned ones say


def judge(
    model: VisionModel,
    wanted: Wanted,
    out: Path,
    *,
    log: Log,
    literature: Callable[[Path], Literature] | None = None,
) -> dict[str, Any]:
    """The result, and in `out` its files: transfer.json, transfer.md, sheet.png, pictures/.

    Raises
    ------
    BadInput : for a folder without the tables, or without one electron micrograph.
    UnreadableMicrograph : for a picture that cannot be read.
    RunUnavailable : where `out` cannot be written.
    """
    reals = pictures.read_folder(wanted.real)
    again = pictures.read_folder(wanted.real, corrected=True) if wanted.corrected else []
    keys = pictures.asked_parents(reals)
    if not keys:
        raise BadInput(
            f"No feature is on {pictures.FEWEST} micrographs of the folder", where=wanted.real
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunUnavailable(
            f"The folder of the result cannot be used ({error.strerror or error})", where=out
        ) from error
    kept = out / "kept"
    notes: list[str] = []
    opened = literature(out / "primer") if literature else NoLiterature()
    log(f"{len(reals)} real micrographs, {len(keys)} features")
    said = asking.ask(model, reals, opened)
    cut = tiles.cut(reals)
    drawn: list[maps.Map | None] = [None] * len(reals)
    rows = {"contrast of the tile alone": np.array([tiles.pixels(reals, t).std() for t in cut])}
    if (eye := maps.eye_of(model)) is None:
        notes.append(_NO_TOWER)
    else:
        rows |= _tile_scores(eye, reals, cut, kept, _weights(model), log)
        if eye.can_point:
            log("maps of whole micrographs")
            drawn = [eye.whole(real.grey) for real in reals]
            rows |= _map_scores(eye, reals, cut, drawn, log)
        else:
            notes.append(_NO_MAP)
    learned: list[tuple[probes.Learned, Array]] = []
    taught: tuple[str, ...] = ()
    if wanted.data is None:
        notes.append(_NO_DATA)
    else:
        asked_for = {"crack", *keys, *pictures.asked_parents(again)}
        taught = tuple(key for key in PARENTS if key in asked_for)
        learned, tile_rows = _baselines(wanted, taught, reals, cut, kept, log)
        rows |= tile_rows
    asked = _Asked(said, learned, taught)
    result: dict[str, Any] = {
        "schema": 1,
        "model": {"reference": model.identity.reference, "sha256": model.identity.sha256},
        "micrographs": len(reals),
        "groups": len({real.group for real in reals}),
        "labels": {"given": _with_labels(asked, reals)},
        "tiles": {
            "count": len(cut),
            "cracked": sum(tile.cracked for tile in cut),
            "rows": {name: tiles.within(cut, reals, row) for name, row in rows.items()},
        },
        "regions": regions.compare(reals, drawn),
        "table": _table(reals, said),
        "notes": notes,
    }
    if wanted.corrected:
        result["labels"]["corrected"] = _with_labels(asked, again)
    write_whole(out / "transfer.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    write_whole(out / "transfer.md", page.page(result))
    if wanted.with_pictures:
        from training.evaluation.transfer import sheet

        sheet.draw(reals, keys, said["none"], drawn, out)
    return result


def _with_labels(asked: _Asked, reals: Sequence[Real]) -> dict[str, Any]:
    """The figures that depend on the labels; `reals` has those to be used."""
    keys = pictures.asked_parents(reals)
    there, known = pictures.truth(reals, keys)
    truth = Truth(there, known, np.array([real.group for real in reals]), keys)
    places = [asked.keys.index(key) for key in keys] if asked.learned else []
    out: dict[str, Any] = {"keys": list(keys), "conditions": {}, "baselines": {}}
    for name, said in asked.said.items():
        probability = said.probability(keys)
        has_some = np.isfinite(probability).all()
        out["conditions"][name] = {
            **detecting.figures(
                probability if has_some else said.present(keys).astype(float),
                said.present(keys),
                truth,
            ),
            "verdicts": asking.verdicts(said, reals),
        }
    baselines = out["baselines"]
    for learned, features in asked.learned:
        p = learned.probability(features)[:, places]
        baselines[learned.name] = detecting.figures(p, p >= learned.thresholds[places], truth)
    for name, left_out in (("size, one specimen left out", True), ("size, fitted to them", False)):
        p = probes.by_size(reals, there, known, left_out=left_out)
        baselines[f"image {name}"] = detecting.figures(p, p >= 0.5, truth)
    baselines["says everything (prevalence)"] = detecting.says_everything(truth)
    return out


def _tile_scores(
    eye: maps.Eye,
    reals: Sequence[Real],
    cut: Sequence[tiles.Tile],
    kept: Path,
    weights: str,
    log: Log,
) -> dict[str, Array]:
    rows = {}
    mark = _mark(reals, cut, weights)
    for side in maps.sides(eye, tiles.SIDE):
        log(f"{len(cut)} tiles at {side} px")
        rows[f"tower, the tile as a micrograph of {side} px"] = probes.kept(
            kept / f"tiles-{mark}-{side}.npy",
            lambda side=side: eye.scores([tiles.pixels(reals, t) for t in cut], side),  # type: ignore[misc]
        )
    return rows


def _map_scores(
    eye: maps.Eye,
    reals: Sequence[Real],
    cut: Sequence[tiles.Tile],
    whole: Sequence[maps.Map | None],
    log: Log,
) -> dict[str, Array]:
    """Every way to read a tile off a map: the whole micrograph in one square, and at each zoom."""
    masked = {tile.picture for tile in cut}
    rows: dict[str, Array] = {}
    for zoom in (None, *ZOOMS):
        if zoom is not None:
            log(f"maps at zoom {zoom}")
        found = {i: whole[i] if zoom is None else eye.zoomed(reals[i].grey, zoom) for i in masked}
        over = []
        for tile in cut:
            drawn = found[tile.picture]
            assert drawn is not None
            over.append(drawn.over(tile.x, tile.y, tile.x + tiles.SIDE, tile.y + tiles.SIDE))
        name = "map of the whole micrograph" if zoom is None else f"map at zoom {zoom}"
        rows[f"{name}, maximum"] = np.array([cells.max() for cells in over])
        rows[f"{name}, mean of the top tenth"] = np.array([_top(cells) for cells in over])
    return rows


def _top(cells: Array) -> float:
    return float(np.sort(cells)[-max(1, round(len(cells) / 10)) :].mean())


def _baselines(
    wanted: Wanted,
    keys: tuple[str, ...],
    reals: Sequence[Real],
    cut: Sequence[tiles.Tile],
    kept: Path,
    log: Log,
) -> tuple[list[tuple[probes.Learned, Array]], dict[str, Array]]:
    """Both that learn from the training data, with their features of the real micrographs; and
    what they say of cracks on the tiles."""
    from training.evaluation.transfer import imagenet

    assert wanted.data is not None
    crack = keys.index("crack")
    synthetic = probes.read_synthetic(wanted.data, keys, wanted.limit)
    frozen = imagenet.pretrained()
    shown = [real.grey for real in reals]
    small = [tiles.pixels(reals, tile) for tile in cut]
    mark = _mark(reals, cut, "")
    log(f"ImageNet features of {len(synthetic.files)} training pictures")
    probe = probes.linear_probe(probes.frozen_features(synthetic, frozen, kept), synthetic.there)
    log(f"textures of {len(synthetic.files)} training pictures")
    trees = probes.forest(probes.texture_features(synthetic, kept), synthetic.there)
    tree_tiles = probes.kept(
        kept / f"tiles-{mark}-textures-{textures.VERSION}.npy",
        lambda: np.stack([textures.features(tile) for tile in small]),
    )
    learned = [
        (probe, frozen.features(shown)),
        (trees, np.stack([textures.features(picture) for picture in shown])),
    ]
    rows = {trees.name: trees.probability(tree_tiles)[:, crack]}
    for side in (frozen.side, frozen.side // 2):
        log(f"ImageNet features of {len(cut)} tiles at {side} px")
        features = probes.kept(
            kept / f"tiles-{mark}-imagenet-{side}.npy",
            lambda side=side: replace(frozen, side=side).features(small),  # type: ignore[misc]
        )
        rows[f"{probe.name}, the tile at {side} px"] = probe.probability(features)[:, crack]
    return learned, rows


def _table(reals: Sequence[Real], said: Mapping[str, asking.Said]) -> list[dict[str, Any]]:
    """One row a micrograph: its labels, what the product says at context none, and its verdicts."""
    keys = [key for key in PARENTS if key in reals[0].labels]
    probability, present = said["none"].probability(keys), said["none"].present(keys)
    return [
        {
            "file": real.name,
            "group": real.group,
            "labels": dict(real.labels),
            "probability": {
                key: round(float(p), 4) if np.isfinite(p) else None
                for key, p in zip(keys, probability[i], strict=True)
            },
            "present": [key for key, is_there in zip(keys, present[i], strict=True) if is_there],
            "verdict": {
                name: each.interpretations[i].verdict.decision for name, each in said.items()
            },
            "reasons": list(said["none"].interpretations[i].verdict.reasons),
        }
        for i, real in enumerate(reals)
    ]


def _mark(reals: Sequence[Real], cut: Sequence[tiles.Tile], weights: str) -> str:
    """Which tiles of which files these are, and who scored them."""
    named = [real.micrograph.sha256 or real.name for real in reals]
    corners = [(tile.picture, tile.x, tile.y) for tile in cut]
    return hashlib.sha256(json.dumps([named, corners, weights]).encode()).hexdigest()[:16]


def _weights(model: VisionModel) -> str:
    return model.identity.sha256 or model.identity.reference
