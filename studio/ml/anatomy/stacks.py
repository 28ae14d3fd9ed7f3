"""The stacks of a model: lists of layers that attend, found in its modules and described by its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.building import part_of
from studio.ml.anatomy.families import block_shape, once_terms
from studio.ml.anatomy.shape import Kind, StackShape

if TYPE_CHECKING:
    from torch import nn

ATTENTION = re.compile(
    r"(^|[._])(self_attn|attn|attention|selfattention|encdecattention|encoder_attn|crossattention)", re.I
)
CROSS = re.compile(r"(^|[._])(encdecattention|encoder_attn|crossattention|cross_attn)", re.I)


def stacks_of(model: nn.Module, config: Any) -> tuple[StackShape, ...]:
    """The stacks of a model in order; empty for models without any, or whose configuration names no width."""
    found = []
    for path, layers in _lists(model):
        part = part_of(config, path)
        cross = any(CROSS.search(name) for name, _ in layers[0].named_modules())
        kind = _kind(config, path)
        try:
            block, known = block_shape(part, kind, cross=cross)
        except (AttributeError, TypeError, ValueError, ZeroDivisionError):
            continue
        family = str(getattr(part, "model_type", ""))
        causal = kind == "decoder" or (kind == "text" and _writes(model, part, family))
        found.append(
            StackShape(
                name=_title(path, kind, config),
                path=path,
                kind=kind,
                layers=len(layers),
                block=block,
                family=family,
                known=known,
                causal=causal,
                once=once_terms(part),
                windows=_windows(part, len(layers)) if causal else (),
            )
        )
    return tuple(found)


def _lists(model: nn.Module) -> Iterator[tuple[str, nn.ModuleList]]:
    """The outermost lists of modules in which every one attends."""
    from torch import nn

    taken: list[str] = []
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList) or not len(module) or any(path.startswith(f"{t}.") for t in taken):
            continue
        if all(any(ATTENTION.search(name) for name, _ in layer.named_modules()) for layer in module):
            if len({type(layer) for layer in module}) == 1:
                taken.append(path)
                yield path, module


def _kind(config: Any, path: str) -> Kind:
    if getattr(config, "is_encoder_decoder", False):
        return "decoder" if "decoder" in path else "encoder"
    if "vision" in path or (hasattr(config, "patch_size") and not hasattr(config, "vocab_size")):
        return "vision"
    return "text"


def _writes(model: nn.Module, config: Any, family: str) -> bool:
    """Whether a model of text looks back only: it generates, or its attention says so."""
    if getattr(config, "is_decoder", False) or type(model).__name__.endswith(("ForCausalLM", "LMHeadModel")):
        return True
    flags = {getattr(module, "is_causal", None) for module in model.modules()} - {None}
    return flags == {True} and "clip" not in family


def _windows(config: Any, layers: int) -> tuple[int, ...]:
    """How far back each layer looks, where not all the way."""
    window = getattr(config, "sliding_window", None)
    if not isinstance(window, int) or window < 1:
        return ()
    kinds = getattr(config, "layer_types", None)
    if not isinstance(kinds, list) or len(kinds) != layers:
        kinds = ["sliding_attention"] * layers
    return tuple(window if kind == "sliding_attention" else 0 for kind in kinds)


def _title(path: str, kind: Kind, config: Any) -> str:
    if getattr(config, "is_encoder_decoder", False):
        return "decoder" if kind == "decoder" else "encoder"
    if getattr(config, "vision_config", None) is not None:
        return "pictures" if "vision" in path else "text"
    return "layers"
