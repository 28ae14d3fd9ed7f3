"""Something to give a model, without numbers: token ids, pictures or sound of the right shapes on the meta device."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.building import part_of
from studio.ml.anatomy.errors import Untraceable
from studio.ml.anatomy.shape import StackShape

if TYPE_CHECKING:
    from torch import Tensor, nn

_POSITIONS = ("max_position_embeddings", "n_positions", "max_target_positions")


def own_length(config: Any, stack: StackShape, tokens: int) -> int:
    """The number of tokens nearest to `tokens` that a stack can be given: a picture has n² patches, and n pixels' worth
    of whole ones.
    """
    part = part_of(config, stack.path)
    if stack.kind != "vision":
        return tokens
    extra = extra_tokens(part)
    side = max(1, round(math.sqrt(max(1, tokens - extra))))
    return side * side + extra


def extra_tokens(part: Any) -> int:
    """Tokens of a picture that are no patches: the class token, and its like."""
    kind = str(getattr(part, "model_type", ""))
    if kind.startswith("siglip"):
        return 0
    return 2 if kind == "deit" else 1


def natural_length(config: Any, stack: StackShape) -> int:
    """How many tokens a stack was made for: all patches of its picture, all positions of its text; 0 where open."""
    part = part_of(config, stack.path)
    if stack.kind == "vision":
        size, patch = _side(part.image_size), _side(part.patch_size)
        return (size // patch) ** 2 + extra_tokens(part)
    if stack.kind == "encoder" and getattr(part, "max_source_positions", None):
        return int(part.max_source_positions)
    for name in _POSITIONS:
        found = getattr(part, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return 0


def sized(config: Any, stacks: tuple[StackShape, ...], lengths: Mapping[str, int]) -> None:
    """Make a configuration take sequences of these lengths, by the path of each stack: pictures of that many patches,
    tables of at least that many positions.
    """
    for stack in stacks:
        part, length = part_of(config, stack.path), lengths[stack.path]
        if stack.kind == "vision":
            part.image_size = round(math.sqrt(length - extra_tokens(part))) * _side(part.patch_size)
        elif stack.kind == "encoder" and getattr(part, "max_source_positions", None):
            part.max_source_positions = length
        else:
            for name in _POSITIONS:
                if isinstance(getattr(part, name, None), int):
                    setattr(part, name, max(getattr(part, name), length))


def inputs(
    model: nn.Module, config: Any, stacks: tuple[StackShape, ...], lengths: Mapping[str, int], batch: int
) -> dict[str, Any]:
    """Arguments of the model's forward for sequences of these lengths, by the path of each stack.

    Raises Untraceable where the model wants something else than text, pictures or sound.
    """
    import torch

    def of(kind: str, otherwise: int = 1) -> int:
        return next((lengths[stack.path] for stack in stacks if stack.kind == kind), otherwise)

    def ids(length: int) -> Tensor:
        return torch.ones(batch, length, dtype=torch.long, device="meta")

    accepted = inspect.signature(model.forward).parameters
    given: dict[str, Any] = {}
    if "pixel_values" in accepted:
        part = getattr(config, "vision_config", None) or config
        side = _side(part.image_size)
        given["pixel_values"] = torch.empty(batch, int(getattr(part, "num_channels", 3)), side, side, device="meta")
    if "input_features" in accepted:
        frames = 2 * of("encoder")
        given["input_features"] = torch.empty(batch, int(getattr(config, "num_mel_bins", 80)), frames, device="meta")
    elif "input_ids" in accepted and ("pixel_values" not in accepted or any(s.kind == "text" for s in stacks)):
        length = of("text", of("encoder"))
        given["input_ids"] = ids(length)
        if any(stack.causal and stack.kind == "text" for stack in stacks):
            given["attention_mask"] = ids(length)  # without it, transformers looks for packed sequences in the numbers
    if "decoder_input_ids" in accepted:
        given["decoder_input_ids"] = ids(of("decoder"))
        given["decoder_attention_mask"] = ids(of("decoder"))
    if not given:
        raise Untraceable(
            f"{type(model).__name__} takes neither text nor pictures nor sound, so its arithmetic is not counted here; "
            "its parameters are."
        )
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    if "use_cache" in accepted or (open_ended and any(stack.causal for stack in stacks)):
        given["use_cache"] = False
    return {name: value for name, value in given.items() if name in accepted or open_ended}


def _side(size: Any) -> int:
    return int(size[0]) if isinstance(size, (list, tuple)) else int(size)
