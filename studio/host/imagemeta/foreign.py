"""Map the settings of other tools to neutral names, and say what could not be mapped.

Neutral names: prompt, negative_prompt, steps, sampler, guidance_scale, seed, width, height, model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from studio.host.imagemeta.a1111 import parse_parameters

NEUTRAL = ("prompt", "negative_prompt", "steps", "sampler", "guidance_scale", "seed", "width", "height", "model")
_WHOLE = {"steps", "seed", "width", "height"}
_MAX_UNMAPPED = 40
Mapped = tuple[dict[str, Any], list[str]]

_A1111 = {
    "Steps": "steps", "Sampler": "sampler", "CFG scale": "guidance_scale", "Seed": "seed", "Size-1": "width",
    "Size-2": "height", "Model": "model",
}  # fmt: skip
_INVOKE = {
    "positive_prompt": "prompt", "negative_prompt": "negative_prompt", "steps": "steps", "scheduler": "sampler",
    "cfg_scale": "guidance_scale", "seed": "seed", "width": "width", "height": "height",
}  # fmt: skip
_SILENT = {"Version", "app_version", "generation_mode", "rand_device"}  # say nothing about how a picture looks


def loads(text: str) -> Any:
    """JSON or ValueError, also for text nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def put(mapped: dict[str, Any], unmapped: list[str], name: str, value: Any, label: str) -> None:
    """Take `value` under a neutral name in the right type; what is not usable is named in `unmapped`."""
    if value is None:
        return
    good: Any = None
    if name in _WHOLE or name == "guidance_scale":
        good = _number(value, whole=name in _WHOLE)
    elif isinstance(value, str):
        good = value
    if good is None:
        unmapped.append(f"{label}: {_short(value)}")
    else:
        mapped.setdefault(name, good)


def _number(value: Any, *, whole: bool) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        if whole and isinstance(value, str):
            return int(value)
        number = value if isinstance(value, int) else float(value)
        if not math.isfinite(number):
            return None
    except (ValueError, OverflowError):
        return None
    if whole:
        return int(number) if number == int(number) else None
    return float(number)


def _short(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = "…"
    return text if len(text) <= 60 else text[:59] + "…"


def _names(unmapped: list[str]) -> list[str]:
    rest = len(unmapped) - _MAX_UNMAPPED
    return unmapped if rest <= 0 else [*unmapped[:_MAX_UNMAPPED], f"and {rest} more"]


def from_a1111(text: str) -> Mapped:
    """Settings of a `parameters` text."""
    found = parse_parameters(text)
    mapped: dict[str, Any] = {"prompt": found.prompt}
    if found.negative_prompt:
        mapped["negative_prompt"] = found.negative_prompt
    unmapped: list[str] = []
    for key, value in found.settings.items():
        if key in _A1111:
            put(mapped, unmapped, _A1111[key], value, key)
        elif key not in _SILENT:
            unmapped.append(f"{key[:60]}: {_short(value)}")
    return mapped, _names(unmapped)


def from_invokeai(text: str) -> Mapped:
    """Settings of an `invokeai_metadata` JSON object. Raises ValueError when it is none."""
    data = loads(text)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    mapped: dict[str, Any] = {}
    unmapped: list[str] = []
    for key, value in data.items():
        if key in _INVOKE:
            put(mapped, unmapped, _INVOKE[key], value, key)
        elif key == "model":
            name = value if isinstance(value, str) else None
            if isinstance(value, Mapping):
                name = value.get("name") or value.get("model_name")
            put(mapped, unmapped, "model", name if isinstance(name, str) else value, key)
        elif key not in _SILENT and value not in (None, [], {}, "", False):
            unmapped.append(f"{key[:60]}: {_short(value)}")
    return mapped, _names(unmapped)


def from_request(request: Mapping[str, Any]) -> Mapped:
    """The neutral view of our own stored request."""
    mapped: dict[str, Any] = {}
    for name in NEUTRAL:
        if name in request:
            put(mapped, [], name, request[name], name)
    return mapped, []
