"""From a blueprint to the modules themselves, on the meta device: shapes without memory."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.ml.anatomy.blueprint import Blueprint
from studio.ml.anatomy.errors import CorruptConfig, UnknownArchitecture
from studio.ml.anatomy.families import name_of
from studio.ml.anatomy.shape import BlockShape, Kind

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Change:
    """Other sizes for one stack of a model: the hypothetical model. block: the block as it shall be."""

    path: str
    kind: Kind
    layers: int
    block: BlockShape


def config_of(blueprint: Blueprint) -> Any:
    """The configuration as transformers' own object. Raises UnknownArchitecture, CorruptConfig."""
    from transformers import CONFIG_MAPPING

    kind = blueprint.model_type
    if kind not in CONFIG_MAPPING:
        raise UnknownArchitecture(
            f"transformers does not know the architecture “{kind}” in this version. Update transformers, or choose a "
            "model of another type."
        )
    given = {key: value for key, value in blueprint.config.items() if key not in ("model_type", "quantization_config")}
    try:
        config = CONFIG_MAPPING[kind].from_dict(given)
        return config[0] if isinstance(config, tuple) else config
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise CorruptConfig(f"No “{kind}” model can be described by this configuration: {_short(error)}") from error
    except Exception as error:  # the checks of newer configuration classes raise classes of huggingface_hub's own
        if type(error).__module__.split(".")[0] in ("huggingface_hub", "transformers"):
            raise CorruptConfig(f"This configuration of “{kind}” is not valid: {_short(error)}") from error
        raise


def build(blueprint: Blueprint, config: Any, *, attention: str = "eager") -> nn.Module:
    """The model of a configuration, in evaluation mode, without numbers. Raises UnknownArchitecture, CorruptConfig."""
    import torch

    maker = _model_class(blueprint, config)
    try:
        with torch.device("meta"):
            # In torch's own number format: another one would be set for the whole process while the model is built.
            own = torch.get_default_dtype()
            model: nn.Module = maker._from_config(copy.deepcopy(config), attn_implementation=attention, dtype=own)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RuntimeError, AssertionError) as error:
        if attention != "eager" or "attn_implementation" not in str(error):
            raise CorruptConfig(
                f"{maker.__name__} cannot be built from this configuration: {_short(error)}"
            ) from error
        raise UnknownArchitecture(f"{maker.__name__} has no plain attention that could be counted.") from error
    return model.eval()


def part_of(config: Any, path: str) -> Any:
    """The part of a configuration that describes the stack at a path: of the text, of the pictures, or all of it."""
    vision, text = getattr(config, "vision_config", None), getattr(config, "text_config", None)
    if vision is not None and "vision" in path:
        return vision
    if text is not None and text is not config:
        return text
    return config


def changed(config: Any, change: Change) -> Any:
    """A copy of a configuration with other sizes for one stack."""
    made = copy.deepcopy(config)
    part, block = part_of(made, change.path), change.block
    sizes = {
        "width": block.width, "layers": change.layers, "heads": block.heads, "kv_heads": block.kv_heads,
        "head_dim": block.head_dim, "inner": block.inner,
    }  # fmt: skip
    before = name_of(part, "layers", change.kind)
    old_layers = int(getattr(part, before)) if before else change.layers
    for size, value in sizes.items():
        name = name_of(part, size, change.kind)
        if name:
            setattr(part, name, value)
    kinds = getattr(part, "layer_types", None)
    if isinstance(kinds, list) and kinds and old_layers != change.layers:
        part.layer_types = [kinds[i % len(kinds)] for i in range(change.layers)]
    for name in ("query_pre_attn_scalar",):
        if getattr(part, name, None) is not None and block.head_dim:
            setattr(part, name, block.head_dim)
    _follow_width(made, part, block)
    return made


def _follow_width(config: Any, part: Any, block: BlockShape) -> None:
    """Heads of the other half of an encoder-decoder model, which share its width, must divide it as well."""
    for name in ("encoder_attention_heads", "decoder_attention_heads"):
        heads = getattr(part, name, None)
        if isinstance(heads, int) and block.width % heads:
            setattr(part, name, block.heads)


def _model_class(blueprint: Blueprint, config: Any) -> Any:
    """The class to build: what the blueprint says, what the configuration names, or the bare model of its type."""
    import transformers
    from transformers import MODEL_MAPPING

    named = blueprint.config.get("architectures")
    names = [blueprint.model_class, *(named if isinstance(named, list) else [])]
    for name in names:
        if isinstance(name, str) and name.isidentifier() and name[:1].isupper():
            found = getattr(transformers, name, None)
            if isinstance(found, type) and hasattr(found, "_from_config"):
                return found
    try:
        found = MODEL_MAPPING[type(config)]
    except KeyError as error:
        raise UnknownArchitecture(
            f"transformers has no model for configurations of the type “{blueprint.model_type}”."
        ) from error
    return found[0] if isinstance(found, tuple) else found


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
