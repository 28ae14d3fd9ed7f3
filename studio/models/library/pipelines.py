"""Diffusers pipelines: a folder with model_index.json, told by its class and the configurations of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.models.library.families import (
    ALL_THREE,
    DECODER_CHANNELS,
    FAMILIES,
    decoder_peak,
    family_of_class,
    flux_abilities,
    unet_abilities,
)
from studio.models.library.holding import INPAINTING, PICTURE_TO_PICTURE, TEXT_TO_PICTURE, Holding, Source
from studio.models.library.weights import Weights, read_json, settings_in, weights_in, whole_number

INDEX = "model_index.json"
_OPTIONAL = ("safety_checker", "feature_extractor", "image_encoder", "watermark")
"""Parts without which a pipeline still draws."""
_NO_PICTURES = (
    "Video", "Audio", "Music", "Animate", "Wan", "Mochi", "LTX", "Allegro", "CogVideo", "Shap", "Upscale", "Prior",
)  # fmt: skip
_NO_WEIGHTS = {
    "Scheduler": ("scheduler_config.json",),
    "Tokenizer": ("tokenizer_config.json", "vocab.json", "spiece.model", "tokenizer.json"),
    "Processor": ("preprocessor_config.json", "processor_config.json"),
    "FeatureExtractor": ("preprocessor_config.json",),
}
"""Ends of class names whose objects are made of a configuration alone -> the files any one of which will do."""


@dataclass(frozen=True)
class _Part:
    """A component: its folder, the class that model_index.json names, its configuration, its weights if it has any."""

    name: str
    made_by: str
    settings: dict[str, Any]
    weights: Weights

    @property
    def optional(self) -> bool:
        return self.name in _OPTIONAL


def recognise_pipeline(folder: Path, title: str, source: Source) -> Holding:
    """What a diffusers folder holds. Whatever is wrong with it is in `missing` and `refused`; raises OSError."""
    try:
        index = read_json(folder / INDEX)
    except FileNotFoundError:
        return Holding(folder, title, source, "pipeline", missing=(INDEX,))
    except ValueError as error:
        return Holding(folder, title, source, "pipeline", missing=(f"a readable {INDEX} ({error})",))
    parts = {part.name: part for part in _parts(folder, index)}
    made_by = str(index.get("_class_name", ""))
    family = _family(made_by, parts)
    needed = [part for part in parts.values() if not part.optional]
    abilities = _abilities(made_by, family, parts)
    refused = next((part.weights.refused for part in needed if part.weights.refused), "")
    return Holding(
        place=folder,
        title=title,
        source=source,
        kind="pipeline",
        family=family,
        what=made_by,
        abilities=abilities,
        size=_size(family, parts),
        parameters={part.name: part.weights.count for part in parts.values() if part.weights.count},
        formats=_formats(parts),
        peak=_peak(family, parts),
        missing=tuple(text for part in needed for text in part.weights.missing),
        pickled=bool(refused),
        refused=refused or _other_code(index) or ("" if abilities else _no_panel(made_by)),
    )


def _parts(folder: Path, index: dict[str, Any]) -> Iterator[_Part]:
    for name, entry in index.items():
        if name.startswith("_") or not isinstance(entry, list) or len(entry) != 2 or not all(map(_is_text, entry)):
            continue  # a setting, or a part this pipeline does without
        made_by, place = entry[1], folder / name
        files = next((files for end, files in _NO_WEIGHTS.items() if end in made_by), None)
        if files is not None:
            there = any((place / file).is_file() for file in files)
            yield _Part(name, made_by, {}, Weights(missing=() if there else (f"{name}/{files[0]}",)))
        else:
            there = (place / "config.json").is_file()
            found = weights_in(place, f"{name}/")
            lost = () if there else (f"{name}/config.json",)
            whole = Weights(found.formats, (*lost, *found.missing), found.refused)
            yield _Part(name, made_by, settings_in(place / "config.json"), whole)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _other_code(index: dict[str, Any]) -> str:
    """Why a pipeline that brings its own Python code is refused; "" for the others."""
    own = index.get("_class_name")
    if isinstance(own, str):
        return ""
    return "It is opened by Python code of its own, which is not run here. Choose a model of a class diffusers knows."


def _no_panel(made_by: str) -> str:
    return f"It draws no picture from a prompt ({made_by or 'no class is named'}): no panel opens it."


def _family(made_by: str, parts: dict[str, _Part]) -> str:
    family = family_of_class(made_by)
    if family == "sdxl" and "text_encoder" not in parts and "text_encoder_2" in parts:
        return "sdxl-refiner"
    if family == "sd1":  # and 2.x, whose text encoder is OpenCLIP's, with an exact gelu
        prompt = parts["unet"].settings.get("cross_attention_dim") if "unet" in parts else 0
        act = parts["text_encoder"].settings.get("hidden_act") if "text_encoder" in parts else ""
        return "sd2" if prompt == FAMILIES["sd2"].prompt_width or act == "gelu" else "sd1"
    return family


def _abilities(made_by: str, family: str, parts: dict[str, _Part]) -> tuple[str, ...]:
    """What its network's input channels allow; of a family that is not told apart, what its class says."""
    network = _network(parts)
    channels = whole_number(network, "in_channels")
    latent = whole_number(parts["vae"].settings, "latent_channels") if "vae" in parts else 0
    if family == "flux":
        return flux_abilities(channels, latent or 16)
    if family in ("sd1", "sd2", "sdxl", "sdxl-refiner"):
        return unet_abilities(family, channels, latent or 4)
    if family in ("sd3", "pixart"):
        return ALL_THREE if family == "sd3" else (TEXT_TO_PICTURE,)
    if any(word in made_by for word in _NO_PICTURES) or not any(name.startswith("tokenizer") for name in parts):
        return ()
    if "Inpaint" in made_by:
        return (INPAINTING,)
    return (PICTURE_TO_PICTURE,) if "Img2Img" in made_by else (TEXT_TO_PICTURE,)


def _network(parts: dict[str, _Part]) -> dict[str, Any]:
    return next((parts[name].settings for name in ("unet", "transformer", "prior") if name in parts), {})


def _size(family: str, parts: dict[str, _Part]) -> int:
    """Pixels a side: latent cells of the network times pixels of a cell; the family's own where they are not said."""
    cells = whole_number(_network(parts), "sample_size")
    levels = parts["vae"].settings.get("block_out_channels") if "vae" in parts else None
    if cells and isinstance(levels, list):
        return int(cells * 2 ** (len(levels) - 1))
    if cells and "vae" not in parts:
        return cells  # a network that works on the pixels themselves
    return FAMILIES[family].size if family in FAMILIES else 0


def _peak(family: str, parts: dict[str, _Part]) -> int:
    if "vae" not in parts:
        return 0
    levels = parts["vae"].settings.get("block_out_channels")
    wide = isinstance(levels, list) and len(levels) > 1 and all(isinstance(level, int) for level in levels[:2])
    channels = levels[1] if wide and levels is not None else DECODER_CHANNELS
    return decoder_peak(_size(family, parts), channels)


def _formats(parts: dict[str, _Part]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for part in parts.values():
        for name, count in part.weights.formats.items():
            counted[name] = counted.get(name, 0) + count
    return counted
