"""Weights in files: written shard by shard, read tensor by tensor, never all at once.

Knows safetensors, its index, and how far a foreign index may be trusted: it names files of its own
folder and nothing else. Pickled files are read by torch's `weights_only` reader, and only where
the caller says so. Knows no architecture.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassllava.errors import ModelUnavailable

if TYPE_CHECKING:
    from torch import Tensor

#: Bytes of a shard. Two, the one that is gathered and the one that is read, are held at a time.
SHARD = 2 << 30
_LARGEST_INDEX = 64 << 20
_FETCH = "It is damaged or incomplete: fetch the checkpoint again."
_NUMBERED = "model-{:05d}-of-{:05d}.safetensors"


class ShardWriter:
    """Writes tensors, in the order in which they come, to model.safetensors or numbered shards."""

    def __init__(self, folder: Path, limit: int = SHARD) -> None:
        self._folder, self._limit = folder, limit
        self._pending: dict[str, Tensor] = {}
        self._size = self._total = 0
        self._parts: list[tuple[Path, list[str]]] = []
        self.names: set[str] = set()

    def add(self, name: str, tensor: Tensor) -> None:
        """Take a tensor; nothing of it is kept once its shard is full.

        Raises
        ------
        ValueError : for a name that was added before.
        """
        if name in self.names:
            raise ValueError(f"{name} comes twice")
        self.names.add(name)
        size = tensor.numel() * tensor.element_size()
        if self._pending and self._size + size > self._limit:
            self._flush()
        self._pending[name] = tensor.detach().cpu().contiguous()
        self._size += size
        self._total += size

    def close(self) -> list[Path]:
        """Write what is left, give the shards their names, and write the index; the shards."""
        self._flush()
        count = len(self._parts)
        shards = []
        for number, (part, _) in enumerate(self._parts, start=1):
            name = "model.safetensors" if count == 1 else _NUMBERED.format(number, count)
            shards.append(part.replace(self._folder / name))
        if count > 1:
            places = {
                name: shard.name
                for shard, (_, names) in zip(shards, self._parts, strict=True)
                for name in names
            }
            index = {"metadata": {"total_size": self._total}, "weight_map": places}
            text = json.dumps(index, indent=2, sort_keys=True)
            (self._folder / "model.safetensors.index.json").write_text(text + "\n", "utf-8")
        return shards

    def _flush(self) -> None:
        if not self._pending:
            return
        from safetensors.torch import save_file

        part = self._folder / f"part-{len(self._parts):05d}.safetensors"
        save_file(self._pending, part, metadata={"format": "pt"})
        self._parts.append((part, list(self._pending)))
        self._pending, self._size = {}, 0


class Weights:
    """The tensors of a folder, by name; each is read when it is asked for."""

    def __init__(self, places: dict[str, Path]) -> None:
        self._places = places
        self._open: tuple[Path, Any] | None = None

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor, file by file."""
        for name in self._places:
            yield name, self[name]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Tensor:
        """
        Raises
        ------
        ModelUnavailable : where the file is damaged.
        """
        path = self._places[name]
        if self._open is None or self._open[0] != path:
            self._open = (path, _opened(path))
        held = self._open[1]
        tensor: Tensor = held[name] if isinstance(held, dict) else held.get_tensor(name)
        return tensor


def open_file(path: Path) -> Weights:
    """The weights of one file.

    Raises
    ------
    ModelUnavailable : where it is damaged.
    """
    return Weights(dict.fromkeys(_names(_opened(path)), path))


def open_weights(folder: Path, *, pickled: bool = False) -> Weights:
    """The weights of a checkpoint folder.

    Parameters
    ----------
    pickled : read pytorch_model*.bin where there is no safetensors file, without running anything
        in it (`torch.load(weights_only=True)`).

    Raises
    ------
    ModelUnavailable : for a folder without weights, an index that names what is not in the
        folder, a name that stands in two files, or a file that is damaged.
    """
    kinds = [("model", "safetensors")]
    if pickled:
        kinds.append(("pytorch_model", "bin"))
    for stem, suffix in kinds:
        files = _files(folder, stem, suffix)
        if files:
            break
    else:
        found = sorted(path.name for path in folder.glob("*.bin"))
        raise ModelUnavailable(
            f"The folder holds pickled weights ({found[0]}), which can run code"
            if found
            else "The folder holds no weights",
            where=folder,
            remedy="Where you trust its origin, say --read-bin: torch then reads the tensors and "
            "runs nothing else."
            if found
            else "Name the folder that holds the *.safetensors.",
        )
    places: dict[str, Path] = {}
    for path in files:
        for name in _names(_opened(path)):
            if name in places:
                raise ModelUnavailable(
                    f"{name} stands in two files, {places[name].name} and {path.name}",
                    where=folder,
                    remedy=_FETCH,
                )
            places[name] = path
    _hold_to_index(folder, f"{stem}.{suffix}.index.json", places)
    return Weights(places)


def _files(folder: Path, stem: str, suffix: str) -> list[Path]:
    index = folder / f"{stem}.{suffix}.index.json"
    if index.is_file():
        names = sorted(set(_weight_map(index).values()))
        files = []
        for name in names:
            if Path(name).name != name or not name.endswith(f".{suffix}") or "\\" in name:
                raise ModelUnavailable(
                    f"The index names {name!r}, which is no weight file of this folder",
                    where=index,
                    remedy=_FETCH,
                )
            if not (folder / name).is_file():
                raise ModelUnavailable(
                    f"The index names {name}, which is not there", where=index, remedy=_FETCH
                )
            files.append(folder / name)
        return files
    single = folder / f"{stem}.{suffix}"
    return [single] if single.is_file() else []


def _weight_map(index: Path) -> dict[str, str]:
    try:
        if index.stat().st_size > _LARGEST_INDEX:
            raise ValueError("larger than 64 MB")
        data = json.loads(index.read_text("utf-8"))
        places = data["weight_map"]
        if not isinstance(places, dict) or not all(isinstance(n, str) for n in places.values()):
            raise ValueError("weight_map is no table of names")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelUnavailable(
            f"The index cannot be read ({type(error).__name__}: {str(error)[:120]})",
            where=index,
            remedy=_FETCH,
        ) from error
    return places


def _hold_to_index(folder: Path, name: str, places: dict[str, Path]) -> None:
    index = folder / name
    if not index.is_file():
        return
    lost = [key for key, file in _weight_map(index).items() if places.get(key) != folder / file]
    if lost:
        raise ModelUnavailable(
            f"{len(lost)} weights are not in the file that the index names, such as {lost[0]}",
            where=index,
            remedy=_FETCH,
        )


def _names(held: Any) -> list[str]:
    return list(held) if isinstance(held, dict) else list(held.keys())


def _opened(path: Path) -> Any:
    """A safetensors reader, or the tensors of a pickled file; neither is read whole."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".safetensors":
            return safe_open(path, "pt")
        # weights_only: nothing in the file can run; mmap: no tensor is read before it is asked for.
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, SafetensorError, RuntimeError, pickle.UnpicklingError, ValueError) as error:
        raise ModelUnavailable(
            f"The weights cannot be read ({str(error).strip().splitlines()[0][:160]})",
            where=path,
            remedy=_FETCH,
        ) from error
    if not isinstance(held, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in held.items()
    ):
        raise ModelUnavailable("The file holds more than tensors by name", where=path)
    return held
