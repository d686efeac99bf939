"""What a step of the true model takes of a device, as torch's own memory tracker sees it.

The model's tensors are torch's fake ones: they have a size and no memory. The step goes through
`sharding` and `conversations.loss` as the loop's does, and every allocation on the way forward and
back is counted; so the formulas of `memory` can be held against it, on a laptop. Not counted: what
CUDA and NCCL take, what fragments waste, and the optimiser's moments, since the tracker counts
sharded tensors of an optimiser at their whole size. The tracker and the fake process group are
private modules of torch.
"""

from __future__ import annotations

from typing import Any

from training.planning.rehearsal import adapted, llava_config, world
from training.recipe import FromCheckpoint, Stage


def track_step(start: FromCheckpoint, stage: Stage, devices: int, tokens: int) -> dict[str, float]:
    """Bytes of one device at the highest point of a step's way forward and back, by kind.

    Parameters
    ----------
    tokens : of the one row that the step learns from, a whole number of samples; all are learnt.

    Returns
    -------
    Sharded parameters and gradients, gathered ones, activations, and their sum as `total`.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
    from transformers import LlavaForConditionalGeneration

    from training import sharding
    from training.conversations.loss import losses_at
    from training.loop import make_optimiser

    with world(0, devices) as over, FakeTensorMode(allow_non_fake_inputs=True):
        model: Any = LlavaForConditionalGeneration(llava_config(start.tower, start.language))
        model.train()
        if start.lora is not None:
            model = adapted(model, start.lora)
        sharding.recompute(model)
        sharding.shard(model, over, bf16=stage.bf16)
        make_optimiser(model, stage)
        sharding.refresh(model)
        cells = start.tower.tokens
        ids = torch.zeros(1, tokens, dtype=torch.long)
        ids[:, :cells] = model.config.image_token_index
        side = start.tower.image_size
        seen = torch.zeros(1, 3, side, side)
        places = torch.arange(tokens)
        learnt = (places, torch.zeros(tokens, dtype=torch.long), torch.zeros_like(places))

        # The tracker sees a pass only if it is the model's own, and one of every part: the tower's
        # features are not kept here.
        model.forward = lambda _: losses_at(model, ids, places[None], seen, False, *learnt, 1)
        tracker = FSDPMemTracker(model)
        tracker.track_inputs((ids,))
        with tracker:
            for first in (True, False):  # only the second finds gradients of the one before
                with torch.autocast("cpu", torch.bfloat16, enabled=stage.bf16):
                    losses = model(ids)
                losses.sum().backward()
                if first:
                    tracker.reset_mod_stats()
        (peak,) = tracker.get_tracker_snapshot("peak").values()
    return {str(getattr(kind, "value", kind)).lower(): float(size) for kind, size in peak.items()}
