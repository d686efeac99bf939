"""What a weight is called in a file: the names of the llava-hf checkpoints.

transformers 5 calls its modules otherwise than the files of the hub do, and reads both. Files are
written in the hub's names, since transformers 4, vLLM and llama.cpp read no others. Knows names
alone.
"""

from __future__ import annotations

#: Towers whose weights stand one level deeper in files than in modules.
_DEEPER = ("clip_vision_model", "siglip_vision_model")
#: (in the module, in the file), the longest first.
_PAIRS = (
    ("model.multi_modal_projector.", "multi_modal_projector."),
    ("model.language_model.", "language_model.model."),
    ("model.vision_tower.", "vision_tower."),
    ("lm_head.", "language_model.lm_head."),
)


def in_file(name: str, tower: str) -> str:
    """The name in a file of a weight of `LlavaForConditionalGeneration`.

    Parameters
    ----------
    name : in the module, as "model.vision_tower.post_layernorm.bias".
    tower : the `model_type` of the vision configuration.
    """
    for module, file in _PAIRS:
        if name.startswith(module):
            rest = name.removeprefix(module)
            if file == "vision_tower." and tower in _DEEPER:
                rest = f"vision_model.{rest.removeprefix('vision_model.')}"
            return file + rest
    raise ValueError(f"{name} is no weight of a LLaVA")
