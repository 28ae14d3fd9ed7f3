"""What the network sees of the canvas, in small pictures and numbers for the insight column. Worked out in jobs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.pictures import Pixels
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.seeing import SeeOrder, view_of
from studio_plugins.inpaint.shot import Shot

if TYPE_CHECKING:
    from studio.ml.diffusion.views import View

_SHOWN = 160
"""Pixels of a side beyond which a picture of the insight column is made smaller."""


@dataclass(frozen=True, eq=False)
class LookOrder:
    """The canvas as it is now, and the size of the network that would draw into it; as SeeOrder."""

    request: InpaintRequest
    shot: Shot
    size: int
    native: int | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """A view in short: pictures uint8 [n, n, 3], masks uint8 [n, n], none larger than the insight column needs.

    masked: the picture with its hole. drawn: white where the network draws. pasted: what is pasted of it, at the
    picture's own size. facts: names and values for a person.
    """

    masked: Pixels
    drawn: Pixels
    pasted: Pixels
    facts: dict[str, str]


def look(order: LookOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Seen | None]:
    """For the quick lane, while one paints. None where nothing is selected."""
    yield Progress(0, 1, "looking")
    done: Seen | None = yield Offload(_look, order)
    return done


def seen_of(view: View) -> Seen:
    """A view in short."""
    region = view.region
    drawn = int(view.drawn.sum())
    return Seen(
        masked=_small(view.masked),
        drawn=_small(np.where(view.drawn, np.uint8(255), np.uint8(0))),
        pasted=_small(view.composite),
        facts={
            "region": f"{region.side} × {region.side} at {region.left}, {region.top}",
            "network": f"{view.size} × {view.size}",
            "scale": f"{region.factor:.3g} px to one of its",
            "drawn": f"{drawn:,} of {view.drawn.size:,} cells ({drawn / view.drawn.size:.0%})",
            "pasted": f"{int((view.composite > 0).sum()):,} px, {int(_soft(view)):,} of them soft",
        },
    )


def _look(order: LookOrder) -> Seen | None:
    inputs = order.shot.inputs()
    if not inputs.selection(order.request.mode).any():
        return None
    return seen_of(view_of(SeeOrder(order.request, inputs, order.size, order.native)))


def _soft(view: View) -> int:
    return int(((view.composite > 0) & (view.composite < 255)).sum())


def _small(pixels: Pixels) -> Pixels:
    from studio.ml.diffusion.regions import resampled

    return resampled(pixels, _SHOWN) if len(pixels) > _SHOWN else pixels
