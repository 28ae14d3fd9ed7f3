"""Names of guidances and quantities, as the panel and its files write them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.evaluation.points import Kind, Point, Setting

NAMES: Mapping[Kind, str] = MappingProxyType(
    {
        "renders": "true scenes",
        "unguided": "unguided",
        "classifier-free": "classifier-free",
        "classifier": "classifier",
        "clip": "CLIP",
    }
)


def words(of: Setting | Point) -> str:
    """A setting in words: "CLIP, s = 2"."""
    name = NAMES[of.kind]
    return name if of.kind in ("renders", "unguided") else f"{name}, s = {of.scale:g}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
