"""From a micrograph to the square picture that a model sees: the one preprocessing.

Training and inference both go through here. The databar is cut, the specimen's own grey range is
stretched to 8 bits, and the frame is padded to a square with its mean, since a model's centre crop
would cut frames that are not square and Pillow's 16-bit to RGB saturates. Torch-free, but for
`open_processor`, which needs transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from glassllava.errors import ModelUnavailable

if TYPE_CHECKING:
    from glassllava.micrograph.record import Micrograph

Picture = np.ndarray[Any, np.dtype[np.uint8]]

#: The grey of a blank picture: it shows nothing.
BLANK = 127


def see(micrograph: Micrograph, side: int) -> Picture:
    """The specimen as the model sees it: (side, side), 8 bits.

    Raises
    ------
    UnreadableMicrograph : where the pixels cannot be read again.
    """
    from glassllava.micrograph.reading import specimen, to_8bit

    return letterbox(to_8bit(specimen(micrograph)), side)


def placed(shape: tuple[int, ...], side: int) -> tuple[int, int, int, int]:
    """(top, left, rows, columns) of a picture of `shape` (H, W, ...) in its square of `side`."""
    height, width = shape[:2]
    scale = side / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    return (side - rows) // 2, (side - columns) // 2, rows, columns


def letterbox(picture: Picture, side: int) -> Picture:
    """`picture` (H, W) made to fit a square of `side`, padded with its mean."""
    top, left, rows, columns = placed(picture.shape, side)
    shrunk = Image.fromarray(picture).resize((columns, rows), Image.Resampling.BILINEAR)
    drawn = np.asarray(shrunk)
    square = np.full((side, side), round(float(drawn.mean())), np.uint8)
    square[top : top + rows, left : left + columns] = drawn
    return square


def blank(side: int) -> Picture:
    """A picture that shows nothing."""
    return np.full((side, side), BLANK, np.uint8)


def open_processor(folder: Path, config: Any) -> Any:
    """The checkpoint's processor, checked against its model's configuration.

    Raises
    ------
    ModelUnavailable : where it is missing, or counts other image tokens than the model does.
    """
    from transformers import LlavaProcessor

    try:
        processor = LlavaProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(
            f"The processor cannot be opened ({error})",
            where=folder,
            remedy="The folder needs processor_config.json and tokenizer.json.",
        ) from error
    ours = (processor.patch_size, processor.vision_feature_select_strategy)
    theirs = (config.vision_config.patch_size, config.vision_feature_select_strategy)
    if ours != theirs:
        raise ModelUnavailable(
            f"The processor counts image tokens by {ours}, the model by {theirs}",
            where=folder,
            remedy="Make patch_size and vision_feature_select_strategy equal in processor_config"
            ".json and config.json.",
        )
    return processor


def side_of(processor: Any) -> int:
    """The side of the square that the image processor makes of any picture, in pixels."""
    image = processor.image_processor
    for size in (image.crop_size, image.size):
        if size and size.get("height"):
            return int(size["height"])
        if size and size.get("shortest_edge"):
            return int(size["shortest_edge"])
    raise ModelUnavailable("The image processor has no size", where=processor.patch_size)


def pixel_values(processor: Any, pictures: list[Picture]) -> Any:
    """(B, 3, side, side) torch floats of `pictures`, normalised as the checkpoint says."""
    images = [Image.fromarray(picture).convert("RGB") for picture in pictures]
    return processor.image_processor(images, return_tensors="pt")["pixel_values"]
