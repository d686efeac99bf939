"""The tower looks once at whole pictures, and what it saw is kept: later stages need no pixels.

Kept in a folder named for the tower's weights, in chunks that are written whole or not at all: a
look that was cut short goes on, and another tower finds nothing of this one's. The work is in
bfloat16, which costs a third and moves a score by a few thousandths. Knows no label and no word.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.whole import write_whole

if TYPE_CHECKING:
    from glassllava.model.tower import Tower
    from training.embedded.dataset import Split

Array = np.ndarray[Any, np.dtype[Any]]
_CHUNK = 25


class Looked(NamedTuple):
    """`cells` (N, cells, 864 + 2 labels) float16 and `pooled` (N, 5 labels) float32, as `Seen`."""

    cells: Array
    pooled: Array


def look_at(tower: Tower, split: Split, folder: Path, *, workers: int) -> Looked:
    """What the tower makes of every picture of `split`, in order."""
    from safetensors.torch import save
    from tqdm import tqdm

    weights = save({name: value.contiguous() for name, value in tower.state_dict().items()})
    # The last head is worked out on what is kept, and changes nothing of it.
    deciding = {n: v.contiguous() for n, v in tower.state_dict().items() if "head." not in n}
    # Pictures painted anew under the same seeds are others.
    data = (split.folder / "fingerprint").read_bytes()
    own = folder / hashlib.sha256(save(deciding) + data).hexdigest()[:12]
    if not (own / "tower.safetensors").exists():
        write_whole(own / "tower.safetensors", weights)
    seeds = [record["seed"] for record in split.records]
    chunks = [seeds[first : first + _CHUNK] for first in range(0, len(seeds), _CHUNK)]
    paths = [own / f"{split.name}-{chunk[0]}-{_digest(chunk)}.npz" for chunk in chunks]
    todo = [pair for pair in zip(chunks, paths, strict=True) if not pair[1].exists()]
    if todo:
        work = partial(_look, own, split.folder, split.name, tower.config.to_dict())
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(todo)), mp_context=spawn) as pool:
            looked = pool.map(work, todo)
            for _ in tqdm(looked, total=len(todo), unit="chunk", desc="looked", disable=None):
                pass
    kept = [np.load(path, allow_pickle=False) for path in paths]
    return Looked(*(np.concatenate([each[name] for each in kept]) for name in Looked._fields))


def _digest(seeds: Sequence[int]) -> str:
    """Of all of them: a picture that is left out moves the others up."""
    return hashlib.sha256(",".join(map(str, seeds)).encode()).hexdigest()[:8]


_OPEN: dict[str, Any] = {}  # what a worker process keeps between chunks


def _look(
    own: Path, data: Path, split: str, config: dict[str, Any], chunk: tuple[Sequence[int], Path]
) -> None:
    import io

    import torch

    from glassllava.model import processing
    from training.embedded.pictures import read_picture
    from training.embedded.seeing import as_seen

    tower = _tower(own, config)
    seeds, path = chunk
    cells, pooled = [], []
    for seed in seeds:
        square = processing.letterbox(
            np.asarray(read_picture(data, split, seed)), config["image_size"]
        )
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            seen = tower.seen(as_seen(torch.from_numpy(square.astype(np.float32))[None, None]))
        cells.append(seen.cells[0].half().numpy())
        pooled.append(seen.pooled[0].float().numpy())
    written = io.BytesIO()
    np.savez(written, cells=np.stack(cells), pooled=np.stack(pooled))
    write_whole(path, written.getvalue())


def _tower(own: Path, config: dict[str, Any]) -> Any:
    if str(own) not in _OPEN:
        import torch
        from safetensors.torch import load_file

        from glassllava.model.tower import Tower, TowerConfig

        torch.set_num_threads(1)
        tower = Tower(TowerConfig(**config))
        tower.load_state_dict(load_file(own / "tower.safetensors"))
        _OPEN[str(own)] = tower.eval()
    return _OPEN[str(own)]
