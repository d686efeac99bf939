"""How a model is spread over processes: FSDP2, 32-bit masters and 16-bit work, recomputed layers.

Knows torch's sharding and which modules are layers of a stack; knows nothing of stages, of losses
and of where a process runs. A model that is not sharded passes through every function unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

_aten = torch.ops.aten
#: What a recomputed layer keeps: attention's outputs. They are as large as the layer's input, and
#: asking for them again would cost time that grows with the square of a row.
_KEPT = frozenset(
    {
        _aten._scaled_dot_product_flash_attention.default,
        _aten._scaled_dot_product_efficient_attention.default,
        _aten._scaled_dot_product_cudnn_attention.default,
        _aten._scaled_dot_product_flash_attention_for_cpu.default,
    }
)


def mesh(device: str, world: int, among: int) -> DeviceMesh:
    """All processes in a row; or, where states are shared `among` fewer, in rows of copies."""
    if among == world:
        return init_device_mesh(device, (world,), mesh_dim_names=("shard",))
    return init_device_mesh(device, (world // among, among), mesh_dim_names=("replicate", "shard"))


def shard(model: Any, over: DeviceMesh, *, bf16: bool) -> None:
    """Spread `model` over the processes of a mesh, in place, before its optimiser is made.

    Every layer of the language model and of the tower is gathered by itself when its turn comes;
    what is left (embeddings, projector, norms, head) is gathered for the whole of a pass.
    Parameters stay in 32 bits, each process with its share; with `bf16` they are gathered and
    worked with in 16, while gradients are summed in 32. Every process has to take every batch
    through the same parts: they wait for each other at each.
    """
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        if bf16
        else MixedPrecisionPolicy()
    )
    for layer in layers(model):
        fully_shard(layer, mesh=over, mp_policy=policy)
    fully_shard(model, mesh=over, mp_policy=policy)
    model.through = MethodType(_through, model)
    register_fsdp_forward_method(model, "through")


def layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a model's stacks: decoder layers and the tower's."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def recompute(model: Any) -> None:
    """Let the decoder's layers be computed again on the way back instead of being kept.

    Selective: attention's outputs are kept (`_KEPT`), the rest of a layer is not.
    """
    for layer in layers(model.get_decoder() if hasattr(model, "get_decoder") else model):
        layer.gradient_checkpointing = True  # type: ignore[assignment]
        layer._gradient_checkpointing_func = partial(  # type: ignore[assignment]
            checkpoint,
            use_reentrant=False,
            context_fn=partial(create_selective_checkpoint_contexts, _keep),
        )


def _keep(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    kept = operation in _KEPT
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE


def is_sharded(model: Any) -> bool:
    return isinstance(model, FSDPModule)


def through(model: Any, work: Callable[..., Any], *args: Any) -> Any:
    """`work(model, *args)` as one forward pass: it may call any part of the model by itself."""
    return model.through(work, *args) if is_sharded(model) else work(model, *args)


def _through(model: Any, work: Callable[..., Any], *args: Any) -> Any:
    said = work(model, *args)
    # Of a view, torch could lose the hook that gathers the parameters again on the way back.
    return said.clone() if isinstance(said, Tensor) else said


def last_of_step(model: Any, last: bool) -> None:
    """Whether the next backward pass is the last of a step.

    Within a group, gradients are scattered after every pass: kept whole until the last they would
    take 4 bytes a parameter on every device (27 GB at 7B). Copies sum theirs at the last alone.
    """
    if is_sharded(model):
        model.set_is_last_backward(last)
        model.set_requires_all_reduce(last)


def refresh(model: Any) -> None:
    """Let the sharding see which parameters are trained now (a stage may have changed that)."""
    # An empty pass first: torch wants the model itself to come before any of its parts, and a
    # check may ask the parts alone.
    through(model, lambda _: None)
    for module in _modules(model):
        module.unshard()
        module.reshard()


@contextmanager
def whole(model: Any) -> Iterator[None]:
    """`model` with all its parameters on every process, to ask it or to write it.

    Within, every process may use it as if it were alone, and none waits for another (`generate`
    does, unless it is told `synced_gpus=False`). With 16-bit work the parameters are of 16 bits
    there.
    """
    if not is_sharded(model):
        yield
        return
    model.set_reshard_after_forward(False)
    for module in _modules(model):
        module.unshard()
    try:
        yield
    finally:
        for module in _modules(model):
            module.reshard()
        for module in layers(model):
            module.set_reshard_after_forward(True, recurse=False)  # type: ignore[operator]


def number(value: Any) -> float:
    """A figure that may be spread over processes."""
    return float(value.full_tensor() if isinstance(value, DTensor) else value)


def _modules(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]
