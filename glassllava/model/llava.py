"""A LLaVA checkpoint that runs on this machine.

Asked as a tree: the shared prefix (picture, sample, evidence) is read once; every probe and the
verdict is a branch that sees the prefix and itself, never another branch, all in one pass with a
mask of four dimensions and positions that start again at each branch. The answer is the same as
asking one by one, which is what is done where a language model is not known to take such masks.
Description and answer then continue from the same prefix, greedily. Everything else about a
checkpoint (where it is, whether it may be opened) is `opening`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from glassllava import features
from glassllava.model import pointing, processing
from glassllava.model.backend import ModelIdentity, Pointed, Probe, Reply
from glassllava.model.wording import Tree, Wording
from glassllava.prompt import Budget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassllava.calibration import Calibration
    from glassllava.micrograph.record import Micrograph
    from glassllava.prompt import Enquiry

#: What the maps of a tower that points begin with, in this order.
_POINTED = tuple(features.PARENTS)
#: Language models whose attention was tested to take a four-dimensional mask.
_TREE = ("llama",)
_LARGEST_BATCH = 8
#: Called with (index of the enquiry, "description" or "answer", text so far).
Listener = Callable[[int, str, str], None]


class LlavaBackend:
    """Answers enquiries with a `LlavaForConditionalGeneration`; satisfies `VisionModel`."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        identity: ModelIdentity,
        probe_keys: tuple[str, ...],
        passage_characters: int | None = None,
        longest_text: int = 96,
        calibration: Calibration | None = None,
        pointing: Mapping[str, float] | None = None,
    ) -> None:
        self.model = model.eval()
        self.processor = processor
        self.identity = identity
        self.probe_keys = probe_keys
        self.longest_text = longest_text
        self.calibration = calibration
        #: By feature: from which probability on a cell of the tower's map shows it.
        self.pointing = dict(pointing or {})
        self.batch_policy = f"padded batches of at most {_LARGEST_BATCH}, {model.dtype}"
        self.listener: Listener | None = None
        self.side = processing.side_of(processor)
        self._words = Wording(processor)
        self.passage_budget = (
            Budget(passage_characters)
            if passage_characters is not None
            else self._words.budget(model.config.text_config.max_position_embeddings, longest_text)
        )
        self._tree = model.config.text_config.model_type in _TREE
        end = model.generation_config.eos_token_id
        self._ends = set(end if isinstance(end, list) else [end])

    def reply(self, enquiries: Sequence[Enquiry]) -> list[Reply]:
        """One reply an enquiry, in order; similar lengths share a batch."""
        order = sorted(range(len(enquiries)), key=lambda i: len(enquiries[i].prefix))
        replies: dict[int, Reply] = {}
        for start in range(0, len(order), _LARGEST_BATCH):
            chosen = order[start : start + _LARGEST_BATCH]
            replies.update(
                zip(chosen, self._batch([enquiries[i] for i in chosen], chosen), strict=True)
            )
        return [replies[i] for i in range(len(enquiries))]

    @torch.inference_mode()
    def likeness(self, pictures: Sequence[processing.Picture]) -> NDArray[np.float32]:
        """Unit vectors (n, d) of grey pictures of any size: what looks alike lies near.

        By the vision tower alone, without a word; comparable under one `identity` only.
        """
        tower = self.model.model.vision_tower
        vectors = []
        for start in range(0, len(pictures), _LARGEST_BATCH):
            part = [processing.letterbox(p, self.side) for p in pictures[start:][:_LARGEST_BATCH]]
            pixels = processing.pixel_values(self.processor, part)
            pixels = pixels.to(self.model.device, self.model.dtype)
            if hasattr(tower, "likeness"):
                seen = tower.likeness(pixels)
            else:
                seen = tower(pixels).last_hidden_state.mean(1)
            vectors.append(torch.nn.functional.normalize(seen.float(), dim=-1).cpu().numpy())
        return np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)

    @property
    def can_point(self) -> bool:
        """Whether the vision tower says where it sees what."""
        return hasattr(self.model.model.vision_tower, "see")

    @torch.inference_mode()
    def maps(self, micrographs: Sequence[Micrograph]) -> NDArray[np.float32]:
        """Logits (B, parents, cells, cells) over the letterboxed specimen; for a tower that points.

        Raises
        ------
        UnreadableMicrograph : where the pixels cannot be read again.
        """
        parts = []
        for start in range(0, len(micrographs), _LARGEST_BATCH):
            part = micrographs[start : start + _LARGEST_BATCH]
            maps = self._see([processing.see(m, self.side) for m in part])[1]
            assert maps is not None, "asked of a tower that cannot point"
            parts.append(maps)
        return np.concatenate(parts)

    def pointed(
        self, maps: NDArray[np.float32], micrograph: Micrograph, keys: Sequence[str] = _POINTED
    ) -> dict[str, Pointed]:
        """Where each of `keys` is, from the maps (parents, cells, cells) of one micrograph."""
        asked = [key for key in keys if key in _POINTED]
        chosen = maps[[_POINTED.index(key) for key in asked]]
        frame = pointing.Frame.of(micrograph, self.side, maps.shape[-1])
        return pointing.point(chosen, asked, frame, self.pointing)

    @torch.inference_mode()
    def probes_of(
        self, enquiry: Enquiry, pictures: Sequence[processing.Picture]
    ) -> list[dict[str, Probe]]:
        """The probes of one enquiry asked of other pictures (side, side) than its own."""
        (tree,), keys = [self._words.tree(enquiry)], [key for key, _ in enquiry.probes]
        answers = []
        for start in range(0, len(pictures), _LARGEST_BATCH):
            part = list(pictures[start : start + _LARGEST_BATCH])
            trees = [tree] * len(part)
            masses = self._ask(trees, self._read(trees, self._look(part)))
            answers += [dict(zip(keys, row, strict=False)) for row in masses]
        return answers

    @torch.inference_mode()
    def _batch(self, enquiries: list[Enquiry], indices: list[int]) -> list[Reply]:
        started = time.perf_counter()
        pictures = [processing.see(e.micrograph, self.side) for e in enquiries]
        trees = [self._words.tree(e) for e in enquiries]
        looked = time.perf_counter()
        seen, maps = self._see(pictures)
        prefix = self._read(trees, seen)
        masses = self._ask(trees, prefix)
        asked = time.perf_counter()
        texts = [("", "")] * len(enquiries)
        if any(e.want_text for e in enquiries):
            texts = self._write(enquiries, indices, prefix)
        written = time.perf_counter()
        blank: list[list[Probe]] | None = None
        if any(e.want_blank for e in enquiries):
            nothing = self._look([processing.blank(self.side)]).expand(len(enquiries), -1, -1)
            blank = self._ask(trees, self._read(trees, nothing))
        timing = {
            "look": (looked - started) / len(enquiries),
            "ask": (asked - looked) / len(enquiries),
            "write": (written - asked) / len(enquiries),
        }
        replies = []
        for i, enquiry in enumerate(enquiries):
            keys = [key for key, _ in enquiry.probes]
            unseen = blank[i] if blank is not None and enquiry.want_blank else None
            replies.append(
                Reply(
                    probes=dict(zip(keys, masses[i], strict=False)),  # the verdict comes after them
                    verdict=masses[i][len(keys)],
                    description=texts[i][0] if enquiry.want_text else "",
                    answer=texts[i][1] if enquiry.want_text else "",
                    identity=self.identity,
                    batch_policy=self.batch_policy,
                    seed=None,
                    blank_probes=dict(zip(keys, unseen, strict=False)) if unseen else None,
                    blank_verdict=unseen[len(keys)] if unseen else None,
                    timing=timing,
                    pointed=(
                        self.pointed(maps[i], enquiry.micrograph, keys) if maps is not None else {}
                    ),
                )
            )
        return replies

    def _look(self, pictures: list[processing.Picture]) -> Tensor:
        """Projected image tokens (B, T, hidden)."""
        return self._see(pictures)[0]

    def _see(self, pictures: list[processing.Picture]) -> tuple[Tensor, NDArray[np.float32] | None]:
        """Projected image tokens (B, T, hidden); and where the tower sees what, as `maps`, from the
        same pass. None of a tower that does not tell."""
        pixels = processing.pixel_values(self.processor, pictures)
        pixels = pixels.to(self.model.device, self.model.dtype)
        if self.can_point:
            tokens, maps = self.model.model.vision_tower.see(pixels)
            told = maps[:, : len(_POINTED)].float().cpu().numpy()
            return self.model.model.multi_modal_projector(tokens), told
        seen = self.model.model.get_image_features(
            pixel_values=pixels,
            vision_feature_layer=self.model.config.vision_feature_layer,
            vision_feature_select_strategy=self.model.config.vision_feature_select_strategy,
        )
        return torch.stack(list(seen.pooler_output)), None

    def _read(self, trees: list[Tree], features: Tensor) -> _Prefix:
        """The prefixes through the language model, padded left, their keys and values kept."""
        longest = max(len(tree.prefix) for tree in trees)
        pad = self._words.pad
        ids = torch.tensor([[pad] * (longest - len(t.prefix)) + t.prefix for t in trees])
        real = torch.tensor(
            [[0] * (longest - len(t.prefix)) + [1] * len(t.prefix) for t in trees]
        ).to(self.model.device)
        embedded = self._embed(ids)
        place = (ids == self.model.config.image_token_index).to(self.model.device)
        embedded = embedded.masked_scatter(place[..., None], features.to(embedded.dtype))
        cache = DynamicCache(config=self.model.config.text_config)
        positions = (real.cumsum(-1) - 1).clamp(min=0)
        self.model.model.language_model(
            inputs_embeds=embedded,
            attention_mask=real,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return _Prefix(cache, real)

    def _ask(self, trees: list[Tree], prefix: _Prefix) -> list[list[Probe]]:
        """The yes and no mass at the end of every branch."""
        if self._tree:
            return self._ask_at_once(trees, prefix)
        return self.ask_in_turn(trees, prefix)

    def ask_in_turn(self, trees: list[Tree], prefix: _Prefix) -> list[list[Probe]]:
        """The same, one branch after the other: for any language model, and to check the tree."""
        columns = []
        for j in range(len(trees[0].branches)):
            branches = [tree.branches[j] for tree in trees]
            logits, _ = self._continue(branches, prefix, prefix.real)
            columns.append(self._masses(logits))
            prefix.rewind()
        return [[column[i] for column in columns] for i in range(len(trees))]

    def _ask_at_once(self, trees: list[Tree], prefix: _Prefix) -> list[list[Probe]]:
        before = prefix.real.shape[1]
        longest = max(sum(map(len, tree.branches)) for tree in trees)
        ids = torch.full((len(trees), longest), self._words.pad)
        positions = torch.zeros((len(trees), longest), dtype=torch.long)
        mask = torch.zeros((len(trees), longest, before + longest), dtype=torch.bool)
        ends: list[list[int]] = []
        for i, tree in enumerate(trees):
            flat, offsets, owner = layout(tree.branches)
            n = len(flat)
            ids[i, :n] = torch.tensor(flat)
            positions[i, :n] = torch.tensor(offsets) + len(tree.prefix)
            mask[i, :, :before] = prefix.real[i].bool().cpu()
            mask[i, :n, before : before + n] = branch_mask(torch.tensor(owner))
            # A padded place must see something, or its softmax is not a number.
            mask[i, n:, before + n :] = torch.eye(longest - n, dtype=torch.bool)
            ends.append(torch.tensor([len(b) for b in tree.branches]).cumsum(0).sub(1).tolist())
        device = self.model.device
        hidden = self.model.model.language_model(
            inputs_embeds=self._embed(ids),
            attention_mask=additive(mask[:, None], self.model.dtype).to(device),
            position_ids=positions.to(device),
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state
        prefix.rewind()
        masses = []
        for i, places in enumerate(ends):
            masses.append(self._masses(self.model.lm_head(hidden[i, places])))
        return masses

    def _masses(self, logits: Tensor) -> list[Probe]:
        share = logits.float().softmax(-1)
        yes = share[:, self._words.yes].sum(-1).tolist()
        no = share[:, self._words.no].sum(-1).tolist()
        return [Probe(*pair) for pair in zip(yes, no, strict=True)]

    def _write(
        self, enquiries: list[Enquiry], indices: list[int], prefix: _Prefix
    ) -> list[tuple[str, str]]:
        """Description and answer of each enquiry."""
        written = []
        for kind in ("description", "answer"):
            asks = [
                self._words.branch(e.describe_text if kind == "description" else e.question)
                for e in enquiries
            ]

            def tell(row: int, text: str, kind: str = kind) -> None:
                if self.listener is not None:
                    self.listener(indices[row], kind, text)

            written.append(self._greedy(asks, prefix, tell))
            prefix.rewind()
        return list(zip(*written, strict=True))

    def _greedy(
        self, asks: list[list[int]], prefix: _Prefix, tell: Callable[[int, str], None]
    ) -> list[str]:
        """Greedy continuations of the branches `asks`, each until its end or the longest text."""
        texts: list[list[int]] = [[] for _ in asks]
        open_ = set(range(len(asks)))
        pieces, real = asks, prefix.real
        for _ in range(self.longest_text):
            logits, real = self._continue(pieces, prefix, real)
            chosen = logits.argmax(-1).tolist()
            for row in sorted(open_):
                if chosen[row] in self._ends:
                    open_.discard(row)
                    continue
                texts[row].append(chosen[row])
                tell(row, self._words.text(texts[row]))
            if not open_:
                break
            pieces = [[id_] for id_ in chosen]
        return [self._words.text(ids) for ids in texts]

    def _continue(
        self, pieces: list[list[int]], prefix: _Prefix, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Feed `pieces`, padded left, after what the cache holds: next logits, and what is real."""
        longest = max(map(len, pieces))
        ids = torch.tensor([[self._words.pad] * (longest - len(p)) + p for p in pieces])
        new = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in pieces])
        real = torch.cat((real, new.to(real.device)), 1)
        hidden = self.model.model.language_model(
            inputs_embeds=self._embed(ids),
            attention_mask=real,
            position_ids=(real.cumsum(-1) - 1).clamp(min=0)[:, -longest:],
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state
        return self.model.lm_head(hidden[:, -1]), real

    def _embed(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids.to(self.model.device))


@dataclass(frozen=True, slots=True)
class _Prefix:
    cache: DynamicCache
    real: Tensor  # (B, length): 1 where a token stands, 0 where padding does

    def rewind(self) -> None:
        """Forget what was read after the prefix."""
        extra = int(self.cache.get_seq_length()) - self.real.shape[1]
        if extra:
            self.cache.crop(-extra)


def layout(branches: list[list[int]]) -> tuple[list[int], list[int], list[int]]:
    """Branches in a row: their ids, each id's place within its branch, and its branch's number."""
    flat = [id_ for branch in branches for id_ in branch]
    offsets = [j for branch in branches for j in range(len(branch))]
    owner = [b for b, branch in enumerate(branches) for _ in branch]
    return flat, offsets, owner


def branch_mask(owner: Tensor) -> Tensor:
    """(N, N) of bool: True where a place may see another, within its branch and not ahead."""
    same = owner[:, None] == owner[None, :]
    return same & torch.ones_like(same).tril()


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask of bool as what is added to the attention scores."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
