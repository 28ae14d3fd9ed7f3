"""What a model is to be built from: a configuration and where it came from, as plain data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.ml.anatomy.errors import AbsurdSize, CorruptConfig, NotAModel, RemoteCode

Origin = Literal["preset", "folder", "config", "bundled"]
_MOST_BYTES = 4 << 20
_MOST = {
    "hidden_size": 1 << 20, "d_model": 1 << 20, "n_embd": 1 << 20, "dim": 1 << 20, "intermediate_size": 1 << 23,
    "d_ff": 1 << 23, "n_inner": 1 << 23, "hidden_dim": 1 << 23, "encoder_ffn_dim": 1 << 23, "decoder_ffn_dim": 1 << 23,
    "vocab_size": 1 << 28, "num_hidden_layers": 1024, "n_layer": 1024, "n_layers": 1024, "num_layers": 1024,
    "num_decoder_layers": 1024, "encoder_layers": 1024, "decoder_layers": 1024, "num_attention_heads": 1 << 16,
    "num_key_value_heads": 1 << 16, "n_head": 1 << 16, "n_heads": 1 << 16, "num_heads": 1 << 16, "head_dim": 1 << 16,
    "d_kv": 1 << 16, "max_position_embeddings": 1 << 28, "n_positions": 1 << 28, "image_size": 1 << 15,
    "patch_size": 1 << 12, "num_local_experts": 1 << 14, "num_experts": 1 << 14, "n_routed_experts": 1 << 14,
}  # fmt: skip
"""Sizes as configurations name them -> the largest that is believed."""


@dataclass(frozen=True)
class Blueprint:
    """A configuration (as in config.json) and its origin.

    model_class: the class of transformers to build, "" for the one the configuration names. place: the folder, or the
    file of a bare configuration. stored: number format -> how many numbers the weight files hold. notes: in words.
    """

    title: str
    origin: Origin
    config: Mapping[str, Any]
    model_class: str = ""
    place: str = ""
    stored: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def model_type(self) -> str:
        return str(self.config.get("model_type") or self.config.get("kind") or "")

    @property
    def own(self) -> bool:
        """Whether it is a model of the studio's own kinds rather than one of transformers."""
        return "model_type" not in self.config


def read_blueprint(place: Path) -> Blueprint:
    """A model's folder, its config.json, or any other JSON file that holds a configuration. No weights are read.

    Raises NotAModel, CorruptConfig, RemoteCode, AbsurdSize.
    """
    file = place / "config.json" if os.path.isdir(place) else place
    if not os.path.isfile(file):
        if os.path.isfile(place / "model_index.json"):
            raise NotAModel(
                f"“{place.name}” is a pipeline of several models. Open one of the folders in it, as “text_encoder”."
            )
        raise NotAModel(
            f"There is no config.json in “{place.name}”, so it is no model's folder. Choose the folder that holds "
            "config.json, or the file itself."
        )
    config = _read_json(file)
    if "auto_map" in config:
        raise RemoteCode(
            f"“{place.name}” brings Python code of its own (auto_map), which is not run here. Its counts cannot be "
            "known without that code; choose a model of a type that transformers knows."
        )
    if not isinstance(config.get("model_type"), str) and not isinstance(config.get("kind"), str):
        raise NotAModel(
            f"“{file.name}” names no model_type, so it is not the configuration of a transformers model. Choose a "
            "folder saved with save_pretrained."
        )
    check_sizes(config)
    folder = file.parent if file.name == "config.json" else None
    title = folder.name if folder is not None and folder.name else file.stem
    origin: Origin = "folder" if folder is not None and any(folder.glob("*.safetensors")) else "config"
    return Blueprint(title, origin, config, "", str(place), notes=tuple(_notes(config)))


def check_sizes(config: Mapping[str, Any], where: str = "") -> None:
    """Raises AbsurdSize or CorruptConfig for a size that cannot be meant."""
    for name, value in config.items():
        if isinstance(value, dict) and name.endswith("config") and "quantization" not in name:
            check_sizes(value, f"{name}.")
        most = _MOST.get(name)
        if most is None or value is None or isinstance(value, (list, dict)):
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise CorruptConfig(f"{where}{name} is {value!r}; a whole number is needed. Correct the configuration.")
        if value < 1 and not (name == "image_size" and value == 0):
            raise AbsurdSize(f"{where}{name} is {value:,}; a model needs at least 1. Correct the configuration.")
        if value > most:
            raise AbsurdSize(f"{where}{name} is {value:,}; over {most:,} is not believed. Correct the configuration.")


def quantisation(config: Mapping[str, Any]) -> str:
    """How the weights are packed, in words; empty where they are plain numbers."""
    found = config.get("quantization_config")
    if not isinstance(found, dict):
        return ""
    method = str(found.get("quant_method") or "an unnamed method")
    bits = found.get("bits") or (4 if found.get("load_in_4bit") else 8 if found.get("load_in_8bit") else None)
    return f"{bits}-bit by {method}" if bits else method


def _notes(config: Mapping[str, Any]) -> list[str]:
    packed = quantisation(config)
    if not packed:
        return []
    return [
        f"The weights are quantised ({packed}). Counts are of the architecture, one for each weight before packing; "
        "the files hold fewer, packed numbers, and scales that no formula here counts."
    ]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise NotAModel(f"“{file.name}” cannot be read ({error.strerror}). Check that it was not moved.") from error
    if len(raw) > _MOST_BYTES:
        raise CorruptConfig(f"“{file.name}” is larger than any configuration. Choose the file config.json.")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorruptConfig(
            f"“{file.name}” is damaged: it is no valid JSON ({error}). Get it again from where the model came from."
        ) from error
    if not isinstance(found, dict):
        raise CorruptConfig(f"“{file.name}” holds no JSON object, so it is no configuration of a model.")
    return found
