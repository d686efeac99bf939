"""A state on the disk as torch.distributed.checkpoint asks for it: safetensors and JSON, no pickle.

A folder holds one safetensors file a process, with the shards that were its own, and
`manifest.json`: which shard of which tensor lies in which file, and words of the state's owner. So
a state can be read by another number of processes than wrote it, each reading what it needs, and
nothing in it can run. Knows files; knows nothing of models.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.distributed.checkpoint import StorageReader, StorageWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import (
    LoadPlan,
    LoadPlanner,
    SavePlan,
    SavePlanner,
)
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from glassllava.errors import BadInput, GlassError, RunUnavailable

MANIFEST = "manifest.json"
_SCHEMA = 1


class ShardWriter(StorageWriter):
    """Writes a state into `folder`; `words` go into its manifest.

    Every file stands on the disk before the manifest is written, and the manifest before
    `published` is called, on the first process: what has no manifest is no state.
    """

    def __init__(
        self, folder: Path, words: Mapping[str, Any], published: Callable[[], None]
    ) -> None:
        self.folder, self.words, self.published = folder, words, published

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """The folder is given once."""

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        """Nothing to open beforehand."""

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        with _telling(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        return [
            replace(plan, storage_data=f"shard-{number:05d}.safetensors")
            for number, plan in enumerate(plans)
        ]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        name: str = plan.storage_data
        tensors, results = {}, []
        for item in plan.items:
            tensor: Any = planner.resolve_data(item)
            tensors[_key(item.index)] = tensor.detach().cpu().contiguous()
            results.append(WriteResult(item.index, tensor.nbytes, name))
        if tensors:
            with _telling(self.folder / name):
                save_file(tensors, self.folder / name)
                on_disk(self.folder / name)
        written: Future[list[WriteResult]] = Future()
        written.set_result(results)
        return written

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        files = {_key(each.index): each.storage_data for some in results for each in some}
        tensors = {}
        for name, said in metadata.state_dict_metadata.items():
            assert isinstance(said, TensorStorageMetadata), f"'{name}' is no tensor"
            tensors[name] = {
                "dtype": str(said.properties.dtype).removeprefix("torch."),
                "size": list(said.size),
                "chunks": [
                    {
                        "offsets": list(chunk.offsets),
                        "sizes": list(chunk.sizes),
                        "file": files[_key(MetadataIndex(name, chunk.offsets))],
                    }
                    for chunk in said.chunks
                ],
            }
        said_all = {"schema": _SCHEMA, "words": dict(self.words), "tensors": tensors}
        with _telling(self.folder):
            write_whole(self.folder / MANIFEST, json.dumps(said_all))
            on_disk(self.folder)
            self.published()

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        return True


class ShardReader(StorageReader):
    """Reads what `ShardWriter` wrote, or the part of it that is asked for."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder, self.tensors = folder, manifest["tensors"]

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """The folder is given once."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        said, files = {}, {}
        for name, tensor in self.tensors.items():
            chunks = []
            for chunk in tensor["chunks"]:
                offsets = torch.Size(chunk["offsets"])
                chunks.append(ChunkStorageMetadata(offsets, torch.Size(chunk["sizes"])))
                files[MetadataIndex(name, offsets)] = Path(chunk["file"]).name
            properties = TensorProperties(dtype=getattr(torch, tensor["dtype"]))
            said[name] = TensorStorageMetadata(properties, torch.Size(tensor["size"]), chunks)
        return Metadata(said, storage_data=files)  # type: ignore[arg-type]

    def set_up_storage_reader(
        self, metadata: Metadata, is_coordinator: bool, *args: Any, **kwargs: Any
    ) -> None:
        self.files = metadata.storage_data

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        for name in sorted({self.files[item.storage_index] for item in plan.items}):
            with _telling(self.folder / name), safe_open(self.folder / name, "pt") as file:
                for item in plan.items:
                    if self.files[item.storage_index] != name:
                        continue
                    key = _key(item.storage_index)
                    cut = tuple(
                        slice(first, first + length)
                        for first, length in zip(item.storage_offsets, item.lengths, strict=True)
                    )
                    tensor = file.get_slice(key)[cut] if cut else file.get_tensor(key)
                    target = planner.resolve_tensor(item).detach()
                    target.copy_(tensor)
                    planner.commit_tensor(item, target)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        return True


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `folder` says of itself.

    Raises
    ------
    BadInput : where it is no state, or of another version of this product.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        schema = manifest["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"The kept state cannot be read: {error}",
            where=folder,
            remedy="Remove the stage's folder to start it anew.",
        ) from None
    if schema != _SCHEMA:
        raise BadInput(
            f"The kept state is of schema {schema}, and this version reads {_SCHEMA}",
            where=folder,
            remedy="Go on with the version that wrote it, or remove the stage's folder.",
        )
    return manifest  # type: ignore[no-any-return]


def write_whole(path: Path, text: str) -> None:
    """`text` in `path` after this, on the disk; what was there before, if it is cut short."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    on_disk(part)
    part.replace(path)
    on_disk(path.parent)


def on_disk(path: Path) -> None:
    """Wait until a file, or a folder's list of names, stands on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows keeps a folder's names by itself
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def told(error: CheckpointException) -> BaseException:
    """What a person can understand of a failed save or load: the first process's own error."""
    causes = [cause for cause, _ in error.failures.values()]
    return next((cause for cause in causes if isinstance(cause, GlassError)), error)


@contextmanager
def _telling(where: Path) -> Iterator[None]:
    """Say errors of the disk in sentences."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise RunUnavailable(
            f"The training state cannot be written or read: {error}",
            where=where,
            remedy="Make room on the disk, or look at it; the last good state stays, and the same "
            "command goes on from it.",
            retry=True,
        ) from None


def _key(index: MetadataIndex) -> str:
    """How a shard is called in its file: the tensor's name and where in it the shard begins."""
    return f"{index.fqn}@{','.join(map(str, index.offset or ()))}"
