"""The tokenizer of an original checkpoint, as one that every version of transformers reads.

A tokenizer.json is taken as it is. A bare tokenizer.model (SentencePiece, byte-pair encoding) is
turned into one here: its pieces in their order, and the merges that they imply, so that no
further library is needed. Then an image token and, where there is none, a padding token follow.
Knows no weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassllava.errors import MissingPart, ModelUnavailable
from glassllava.model.opening import read_json

IMAGE, PAD = "<image>", "<pad>"
_LARGEST = 64 << 20
#: SentencePiece's own numbers: of the model type, and of kinds of pieces.
_BPE, _CONTROL, _OWN, _BYTE = 2, 3, 4, 6
_BLANK = "▁"
_FETCH = "It is damaged: fetch the checkpoint again."


def open_tokenizer(folder: Path) -> tuple[Any, int]:
    """The folder's tokenizer with <image> and a padding token, and how many tokens it had before.

    Raises
    ------
    ModelUnavailable : where there is none, or it is damaged.
    MissingPart : where a tokenizer.model is to be read and protobuf is not installed.
    """
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    config = _settings(folder)
    if (folder / "tokenizer.json").is_file():
        _refuse_foreign(folder / "tokenizer.json")
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "tokenizer.model").is_file():
        backend = from_sentencepiece(
            folder / "tokenizer.model",
            # Tokenizers from before the word was there behave as it says.
            legacy=bool(config.get("legacy", True)),
            begins=bool(config.get("add_bos_token", True)),
        )
    else:
        raise ModelUnavailable(
            "The folder has no tokenizer.json and no tokenizer.model",
            where=folder,
            remedy="Copy the tokenizer of its language model into it.",
        )
    usual = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    marks = {name: _text(config.get(name)) or mark for name, mark in usual.items()}
    marks = {name: mark for name, mark in marks.items() if backend.token_to_id(mark) is not None}
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        **marks,
    )
    for token, number in _added(folder).items():
        tokenizer.add_tokens([AddedToken(token, special=True, normalized=False)])
        if tokenizer.convert_tokens_to_ids(token) != number:
            raise ModelUnavailable(
                f"The added token {token!r} is number {number}, and the tokenizer gives it another",
                where=folder / "added_tokens.json",
                remedy=_FETCH,
            )
    known = len(tokenizer)
    tokenizer.add_tokens([AddedToken(IMAGE, special=True, normalized=False)], special_tokens=True)
    pad = _text(config.get("pad_token"))
    # A token that means something else would be masked wherever a text holds it.
    if pad and pad not in marks.values() and pad in tokenizer.get_vocab():
        tokenizer.pad_token = pad
    else:
        tokenizer.add_special_tokens({"pad_token": PAD})
    return tokenizer, known


def from_sentencepiece(path: Path, *, legacy: bool, begins: bool) -> Any:
    """A `tokenizers.Tokenizer` that cuts as the SentencePiece model in `path` does.

    Parameters
    ----------
    legacy : put a blank before every stretch between special tokens, not before the first alone.
    begins : put the beginning mark before every text.

    Raises
    ------
    ModelUnavailable : for a file that is damaged or no byte-pair model.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    model = _parsed(path)
    pieces = [(piece.piece, piece.type) for piece in model.pieces]
    vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
    if model.trainer_spec.model_type != _BPE or len(vocabulary) != len(pieces) or not pieces:
        raise ModelUnavailable("The tokenizer is no byte-pair model", where=path, remedy=_FETCH)
    special = {piece for piece, kind in pieces if kind in (_CONTROL, _OWN)}
    unknown = model.trainer_spec.unk_piece or "<unk>"
    tokenizer: Any = Tokenizer(
        BPE(
            vocabulary,
            _merges(vocabulary, special | {unknown}),
            unk_token=unknown if unknown in vocabulary else None,
            fuse_unk=True,
            byte_fallback=any(kind == _BYTE for _, kind in pieces),
        )
    )
    steps: list[Any] = []
    if charsmap := model.normalizer_spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    prefix = model.normalizer_spec.add_dummy_prefix
    if legacy:
        steps += [normalizers.Prepend(_BLANK)] if prefix else []
        steps.append(normalizers.Replace(" ", _BLANK))
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=_BLANK, prepend_scheme="first" if prefix else "never", split=False
        )
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    back = [decoders.Replace(_BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*back, *([decoders.Strip(" ", 1, 0)] if prefix else [])])
    marks = [(piece, kind) for piece, kind in pieces if kind in (_CONTROL, _OWN)]
    tokenizer.add_special_tokens(
        [AddedToken(piece, normalized=False) for piece, kind in marks if kind == _CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(piece, normalized=False) for piece, kind in marks if kind == _OWN]
    )
    begin = model.trainer_spec.bos_piece or "<s>"
    if begins and begin in vocabulary:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A",
            pair=f"{begin} $A {begin} $B",
            special_tokens=[(begin, vocabulary[begin])],
        )
    return tokenizer


def _merges(vocabulary: Mapping[str, int], passed_over: set[str]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, in the order in which SentencePiece merges.

    Its pieces stand in the order of their scores: the earlier is made first.
    """
    found = []
    for piece, rank in vocabulary.items():
        if piece in passed_over:
            continue
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocabulary and right in vocabulary:
                found.append((rank, vocabulary[left], vocabulary[right], left, right))
    return [(left, right) for *_, left, right in sorted(found)]


def _parsed(path: Path) -> Any:
    try:
        from google.protobuf.message import DecodeError
        from transformers.utils import sentencepiece_model_pb2_new
    except ImportError as error:
        raise MissingPart(
            "Reading a tokenizer.model needs protobuf, which is not installed",
            remedy="Install it with `pip install glassview[training]`, or put the tokenizer.json "
            "of the language model beside it.",
        ) from error
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("larger than 64 MB")
        made: Any = sentencepiece_model_pb2_new  # its classes are made as it is imported
        return made.ModelProto.FromString(path.read_bytes())
    except (OSError, ValueError, DecodeError) as error:
        raise ModelUnavailable(
            f"The tokenizer cannot be read ({str(error)[:120]})", where=path, remedy=_FETCH
        ) from error


def _settings(folder: Path) -> dict[str, Any]:
    """What tokenizer_config.json says, over what special_tokens_map.json says."""
    found: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            told = read_json(folder / name)
            found |= {key: value for key, value in told.items() if value is not None}
    return found


def _added(folder: Path) -> dict[str, int]:
    """Tokens that were added after the tokenizer was made, in the order of their numbers."""
    path = folder / "added_tokens.json"
    if not path.is_file():
        return {}
    told = read_json(path)
    if not all(isinstance(number, int) for number in told.values()):
        raise ModelUnavailable("An added token has no number", where=path, remedy=_FETCH)
    return dict(sorted(told.items(), key=lambda pair: int(pair[1])))


def _text(mark: Any) -> str:
    """A token as configurations write it: its text, or an object that holds it."""
    held = mark.get("content") if isinstance(mark, Mapping) else mark
    return held if isinstance(held, str) else ""


def _refuse_foreign(path: Path) -> None:
    """tokenizers says nothing that can be caught of a file that is none of its own."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("larger than 64 MB")
        model = json.loads(path.read_text("utf-8"))["model"]
        if not isinstance(model["vocab"], dict | list):
            raise ValueError("no vocabulary")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelUnavailable(
            f"The tokenizer cannot be read ({type(error).__name__}: {str(error)[:120]})",
            where=path,
            remedy=_FETCH,
        ) from error
