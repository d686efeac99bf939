"""Pictures that the tests draw themselves, kept as `training.embedded.pictures` keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassllava.model.tower import Tower, TowerConfig
from training.embedded.dataset import Split
from training.embedded.pictures import LABELS, Marks, mark, read_picture

Array = np.ndarray[Any, np.dtype[Any]]

#: The smallest square that the tower takes: one token.
SIDE = 336
CRACK, CLEAN = LABELS.index("crack"), LABELS.index("clean")


def marked(mask: Array | None, key: str = "crack_through", parent: str = "crack") -> Marks:
    """The marks of one feature; of a texture that fills the picture without `mask`."""
    return mark(scene(mask, key, parent), slice(0, None))


def scene(mask: Array | None, key: str, parent: str, *artefacts: str) -> Any:
    """As much of a synthetic micrograph as marking it needs."""
    from types import SimpleNamespace

    present = {parent, "artefact"} if artefacts else {parent}
    return SimpleNamespace(
        truths=(SimpleNamespace(key=key, parent=parent, mask=mask),),
        artefacts=artefacts,
        present=present,
        pixels=np.zeros((120, 160) if mask is None else mask.shape, np.uint8),
    )


def keep_pictures(folder: Path, name: str, count: int, first: int = 0) -> Split:
    """Every second picture has a broad bright crack; in its one material that is a defect."""
    (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
    (folder / "fingerprint").write_text("drawn by a test\n", "utf-8")
    records: list[dict[str, Any]] = []
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        cracked = seed % 2 == 0
        mask = np.zeros((120, 160), bool)
        if cracked:
            left = int(rng.integers(10, 70))
            mask[:, left : left + 70] = True
        grey = np.where(mask, 220, 50) + rng.normal(0, 8, mask.shape)
        key, parent = ("crack_through", "crack") if cracked else ("featureless_surface", "clean")
        marks = marked(mask if cracked else None, key, parent)
        np.save(folder / "pictures" / name / f"{seed}.npy", np.clip(grey, 0, 255).astype(np.uint8))
        np.savez(folder / "pictures" / name / f"{seed}.npz", **marks._asdict())
        verdict = "defect" if cracked else "no_defect"
        levels = {
            level: {"prefix": f"Material: {level} glass.", "given": level, "passages": []}
            for level in ("none", "basic", "moderate", "high")
        }
        context = {
            "sample": {"material": "float glass", "product": "finished"},
            "defect": cracked,
            "truths": [{"key": key, "verdict": verdict, "reason": "loss of strength"}],
            "levels": levels,
        }
        records.append(
            {
                "seed": seed,
                "present": [parent],
                "artefacts": [],
                "truths": [{"key": key, "parent": parent, "count": 1, "sizes": {}}],
                "contexts": [context],
            }
        )
    return Split(folder, name, records)


def pictures_of(split: Split) -> Iterator[Array]:
    for record in split.records:
        yield np.asarray(read_picture(split.folder, split.name, record["seed"]))


def loud_tower(side: int = SIDE, seed: int = 0) -> Tower:
    """An untrained tower that tells pictures apart: small random weights let nothing through."""
    torch.manual_seed(seed)
    tower = Tower(TowerConfig(side, labels=len(LABELS)))
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return tower.eval()


class OneByOne:
    """Stands for a pool of processes where a test wants no second Python."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Any, todo: Sequence[Any]) -> Iterator[Any]:
        return map(work, todo)


def alone(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """Let `module` work in this process."""
    monkeypatch.setattr(module, "ProcessPoolExecutor", OneByOne)
