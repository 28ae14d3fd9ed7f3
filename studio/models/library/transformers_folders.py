"""Models of the transformers library: a folder whose config.json names a model_type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.models.library.holding import Holding, Source
from studio.models.library.weights import weights_in, whole_number

_ENDS = (
    ("ForCausalLM", "causal"), ("LMHeadModel", "causal"), ("ForConditionalGeneration", "encoder-decoder"),
    ("ForImageClassification", "vision"), ("ForSequenceClassification", "encoder"), ("ForMaskedLM", "encoder"),
)  # fmt: skip
"""Ends of architecture names -> what such a model is."""
_PAIRS = ("clip", "siglip", "siglip2", "align", "altclip", "chinese_clip", "metaclip_2")
"""Types that embed pictures and texts into one space."""
_CAUSAL = (
    "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gemma", "gemma2", "opt", "bloom",
)  # fmt: skip
"""Types that write on, for configurations that name no architecture."""


def is_transformers(config: dict[str, Any]) -> bool:
    """Whether a config.json is one of transformers."""
    return isinstance(config.get("model_type"), str)


def recognise_transformers(folder: Path, config: dict[str, Any], title: str, source: Source) -> Holding:
    """What a transformers folder holds. Whatever is wrong with it is in `missing` and `refused`; raises OSError."""
    found = weights_in(folder)
    named = config.get("architectures")
    what = str(named[0]) if isinstance(named, list) and named else ""
    return Holding(
        place=folder,
        title=title,
        source=source,
        kind="transformers",
        family=str(config["model_type"]),
        what=what,
        abilities=_abilities(config, what),
        size=_size(config),
        parameters={"weights": found.count} if found.count else {},
        formats=found.formats,
        missing=found.missing,
        pickled=bool(found.refused),
        refused=found.refused or _other_code(config),
    )


def _abilities(config: dict[str, Any], what: str) -> tuple[str, ...]:
    kind = str(config["model_type"])
    if kind in _PAIRS or ("text_config" in config and "vision_config" in config and "Conditional" not in what):
        return ("clip", "embeddings")
    if config.get("is_encoder_decoder") is True:
        return ("encoder-decoder",)
    by_name = next((ability for end, ability in _ENDS if what.endswith(end)), "")
    if by_name:
        return (by_name,) if by_name in ("causal", "encoder-decoder") else (by_name, "embeddings")
    if kind in _CAUSAL:
        return ("causal",)
    return ("vision" if "patch_size" in config else "encoder", "embeddings")


def _size(config: dict[str, Any]) -> int:
    """Pixels a side of the pictures it sees, 0 for a model of text."""
    seen = config.get("vision_config")
    return whole_number(config, "image_size") or (whole_number(seen, "image_size") if isinstance(seen, dict) else 0)


def _other_code(config: dict[str, Any]) -> str:
    if "auto_map" not in config:
        return ""
    return "It brings Python code of its own, which is not run here. Choose a model of a type transformers knows."
