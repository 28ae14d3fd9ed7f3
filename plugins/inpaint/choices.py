"""What the choice fields of an inpainting run offer, and what each entry is called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Mode = Literal["replace", "refine", "extend", "remove"]
Method = Literal["trained", "replace_x0", "replace_x_t"]
ColourMatch = Literal["off", "shift", "membrane"]

MODES: Mapping[str, str] = MappingProxyType(
    {"replace": "Replace", "refine": "Refine", "extend": "Extend", "remove": "Remove"}
)
METHODS: Mapping[str, str] = MappingProxyType(
    {"trained": "Trained to inpaint", "replace_x0": "x₀ replacement", "replace_x_t": "xₜ replacement"}
)
COLOUR_MATCHES: Mapping[str, str] = MappingProxyType(
    {"off": "Off", "shift": "Shift", "membrane": "Smooth membrane"}
)
OFF = "off"
"""The up-sampler of a run without a second stage."""
MODELS = ("inpaint", "text2im")
"""Kinds of models that draw into pictures; a text-to-image model does it by replacement."""
