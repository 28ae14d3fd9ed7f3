"""How much memory a pipeline needs before it is loaded, and what to offer when memory ran out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch

from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.errors import DeviceFull, Offer
from studio.ml.diffusion.external.folder import Folder

Offload = Literal["none", "model", "sequential"]
"""Which parts lie in main memory while they are not used: none, whole components, or every layer by itself."""

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
SMALLEST = 256
"""Pixels a side below which a smaller picture is no longer offered."""
FULL = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says when it is no exception of its own."""


def weight_bytes(folder: Folder, dtype: str, offload: Offload = "none") -> int:
    """Bytes of weights on the device at once, of numbers of the given kind; what is computed comes on top.

    Without off-loading all components are there, with "model" the largest one, with "sequential" its largest tensor.
    """
    headers = [part.header for part in folder.components if part.header]
    if offload == "sequential":
        sizes = [math.prod(shape) for header in headers for shape in header.shapes.values()]
        return max(sizes, default=0) * BYTES[dtype]
    parts = [header.numel * BYTES[dtype] for header in headers]
    return sum(parts) if offload == "none" else max(parts, default=0)


def out_of_memory(
    name: str, asked: Asked | None, size: tuple[int, int], *, dtype: str, offload: Offload, tiling: bool
) -> DeviceFull:
    """The error that says what would need less, with the most harmless first. asked: None while loading."""
    offers = [*_of_loading(dtype, offload, tiling), *(_of_asking(asked, size) if asked else ())]
    doing = f"to draw {len(asked.seeds)} picture(s) of {size[0]}x{size[1]} with" if asked else "to load"
    levers = "; ".join(offer.text.lower() for offer in offers) or "close other programs that use it"
    return DeviceFull(f"There is too little memory {doing} “{name}”. What would help: {levers}.", offers)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device or the computer had no memory left; torch says so in two ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in FULL)


def _of_loading(dtype: str, offload: Offload, tiling: bool) -> Sequence[Offer]:
    offers = []
    if BYTES.get(dtype, 4) > 2:
        offers.append(Offer("Use half precision", {"dtype": "float16"}))
    if not tiling:
        offers.append(Offer("Decode in tiles", {"tiling": True}))
    if offload == "none":
        offers.append(Offer("Keep idle parts in main memory", {"offload": "model"}))
    if offload != "sequential":
        offers.append(Offer("Load layer by layer (slow)", {"offload": "sequential"}))
    return offers


def _of_asking(asked: Asked, size: tuple[int, int]) -> Sequence[Offer]:
    offers = []
    if len(asked.seeds) > 1:
        offers.append(Offer("Draw one picture at a time", {"seeds": asked.seeds[:1]}))
    width, height = (min(side, max(SMALLEST, side * 3 // 4 // 64 * 64)) for side in size)
    if width < size[0] or height < size[1]:
        offers.append(Offer(f"Draw {width}x{height} pixels", {"width": width, "height": height}))
    return offers
