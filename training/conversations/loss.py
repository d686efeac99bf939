"""What is lost on a row: cross-entropy where something is learnt, and nowhere else.

The logits of a whole row never stand at once: 2048 places of a vocabulary of 32,000 would take
0.26 GB in 32 bits, and three times that on the way back. Only learnt places reach the head, a chunk
at a time, and each chunk is computed again for its gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from training.conversations.vision import select

_CHUNK = 256  # places whose logits stand at once


def losses_at(
    model: Any,
    ids: Tensor,
    positions: Tensor,
    seen: Tensor,
    kept: bool,
    places: Tensor,
    targets: Tensor,
    kinds: Tensor,
    count: int,
) -> Tensor:
    """(count,) the summed loss of each kind.

    Parameters
    ----------
    ids, positions : (B, L). A row may hold several conversations: positions begin again at each,
        and transformers lets none see another, as long as it is given no mask.
    seen : features of the tower where `kept`, else pixels: of one picture a conversation, in order.
    places : (T,) of the flattened rows, whose next token is `targets`, of kind `kinds`.
    """
    hidden = hidden_states(model, ids, positions, seen, kept)
    chosen = hidden.flatten(0, 1)[places]
    lost = chosen.new_zeros(count, dtype=torch.float32)
    if not len(places):
        # Where nothing is learnt, every part has a gradient all the same: others wait for it.
        return lost + chosen.float().sum()
    for first in range(0, len(places), _CHUNK):
        part = slice(first, first + _CHUNK)
        each = checkpoint(
            _cross_entropy, model.lm_head, chosen[part], targets[part], use_reentrant=False
        )
        lost = lost.index_add(0, kinds[part], each)
    return lost


def hidden_states(model: Any, ids: Tensor, positions: Tensor, seen: Tensor, kept: bool) -> Tensor:
    """(B, L, hidden) of the language model's last layer."""
    embedded = model.get_input_embeddings()(ids)
    if not kept:
        frozen = not any(p.requires_grad for p in model.model.vision_tower.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            seen = select(model, seen)
    projector = model.model.multi_modal_projector
    cells = projector(seen.to(embedded.device, projector.linear_1.weight.dtype))
    where = (ids == model.config.image_token_index)[..., None]
    embedded = embedded.masked_scatter(where, cells.to(embedded.dtype))
    return model.model.language_model(
        inputs_embeds=embedded, attention_mask=None, position_ids=positions, use_cache=False
    ).last_hidden_state


def _cross_entropy(head: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(head(hidden).float(), targets, reduction="none")
