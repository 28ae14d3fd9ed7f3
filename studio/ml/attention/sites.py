"""What the attentions of a network are, and how their rows and columns are called."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from studio.ml.attention.listening import Call
from studio.ml.attention.values import Kind, Method, Reading, Site, SiteKind, Token

FORBIDDEN = -1e4
"""Added to a score, this or less is a mask: learned biases are far smaller, float16 reaches -65504."""
SHIFTED_WINDOW = -90.0
"""The same for windows of a picture, where transformers writes -100 into float masks (Swin)."""

_CROSS = re.compile(r"cross|encoder_attn|EncDec", re.IGNORECASE)
_TOWERS = {
    "clip": {"text_model": "text", "text": "text", "vision_model": "vision", "vision": "vision", "visual": "vision"},
    "encoder-decoder": {"encoder": "encoder", "decoder": "decoder"},
}


def forbidden_from(site: Site) -> float:
    """The largest added number that means "may not look"."""
    windows = site.asks.startswith("window")
    return SHIFTED_WINDOW if windows else FORBIDDEN


def site_kind(name: str, module: nn.Module, call: Call) -> SiteKind:
    """Whether a site looks across to other tokens, only back, or both ways."""
    if call.kind is not None:
        return call.kind
    if _CROSS.search(name) or getattr(module, "is_cross_attention", False):
        return "cross"
    if call.causal or _looks_back(call.mask):
        return "causal"
    alone = call.query.shape[2] == 1 and getattr(module, "is_causal", False) is True
    return "causal" if alone else "self"


def _looks_back(mask: Tensor | None) -> bool:
    """Whether the first row of a square mask keeps nothing after itself."""
    if mask is None or mask.shape[-2] != mask.shape[-1] or mask.shape[-1] < 2:
        return False
    after = mask[..., 0, 1:]
    return bool((after <= FORBIDDEN).all()) if after.is_floating_point() else not bool(after.any())


def tower_of(name: str, kind: Kind) -> str:
    """ "encoder", "decoder", "text", "vision", or "" where there is only one."""
    known = _TOWERS.get(kind, {})
    return next((known[part] for part in name.split(".") if part in known), "")


def number(sites: list[Site]) -> tuple[Site, ...]:
    """The same sites, their layers counted within tower and kind."""
    counts: dict[tuple[str, bool], int] = {}
    numbered = []
    for site in sites:
        group = (site.tower, site.kind == "cross")
        layer = counts.get(group, 0)
        counts[group] = layer + 1
        numbered.append(replace(site, layer=layer))
    return tuple(numbered)


def describe(
    name: str, subject_kind: Kind, kind: SiteKind, shape: tuple[int, int, int, int], keys: tuple[int, int],
    method: Method, grid: tuple[int, int] | None, names: Mapping[str, tuple[Reading, ...]],
) -> Site:  # fmt: skip
    """A site from its query's shape [B, H, T_q, d] and (kv_heads, T_k)."""
    parts, heads, queries, width = shape
    tower = tower_of(name, subject_kind)
    asks, looks = _readings(subject_kind, tower, kind, queries, grid, names)
    return Site(name, tower, 0, kind, heads, keys[0], width, queries, keys[1], asks, looks, parts, method)


def _readings(
    subject_kind: Kind, tower: str, kind: SiteKind, queries: int, grid: tuple[int, int] | None, names: Mapping[
        str, object
    ]
) -> tuple[str, str]:
    """Names of the Readings of rows and columns."""
    if subject_kind == "clip":
        own = "text" if tower == "text" else "picture"
        return own, own
    if subject_kind == "vision":
        own = "picture" if grid is None or queries >= math.prod(grid) else f"window of {queries}"
        return own, own
    if subject_kind == "encoder-decoder":
        source = "source" if "source" in names else "sound"
        if kind == "cross":
            return "target", source
        return ("target", "target") if tower == "decoder" else (source, source)
    return "text", "text"


def completed(
    readings: Mapping[str, tuple[Reading, ...]], sites: tuple[Site, ...], grid: tuple[int, int] | None
) -> dict[str, tuple[Reading, ...]]:
    """The readings, with those that are known only after the model has run: patches, windows, frames of sound."""
    found = dict(readings)
    for site in sites:
        for name, count in ((site.asks, site.queries), (site.looks, site.keys)):
            if name not in found or (name == "sound" and len(found[name][0]) != count):
                found[name] = (_sound(count) if name == "sound" else _patches(name, count, grid),)
    return found


def _patches(name: str, count: int, grid: tuple[int, int] | None) -> Reading:
    side = math.isqrt(count)
    if name != "picture":
        grid = (side, side) if side * side == count else (1, count)
    elif grid is None or math.prod(grid) > count:
        grid = (side, side) if side * side == count else (1, count)
    first = count - math.prod(grid)
    before = [Token("[class]" if i == 0 else f"[register {i}]", special=True) for i in range(first)]
    cells = [Token(f"{row + 1}, {column + 1}") for row in range(grid[0]) for column in range(grid[1])]
    return Reading(name, tuple(before + cells), grid=grid, first=first)


def _sound(count: int) -> Reading:
    """Frames of 20 ms, as Whisper has them (two 10 ms steps of its spectrogram each)."""
    return Reading("sound", tuple(Token(f"{0.02 * i:.2f} s") for i in range(count)))
