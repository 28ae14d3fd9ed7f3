"""Brushes: the shape of one dab, and where dabs lie along a line. Plain numpy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studio.ui.canvas.tiles import Box

MIN_DIAMETER, MAX_DIAMETER = 1.0, 1024.0
_SPACING = 0.1  # of the diameter: scallops between dabs of a hard brush stay under 0.3 % of it
_SUBPIXEL = 4  # a small dab is drawn at one of 4 x 4 places within its pixel
_FINE = 64.0  # pixels; larger dabs lie on whole pixels, where nobody sees a quarter of one
_PRESSURE_STEPS = 32  # as many sizes between no and full pressure


class Pressure(StrEnum):
    """What the pressure of a pen changes."""

    SIZE = "size"
    OPACITY = "opacity"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Brush:
    """diameter in picture pixels; hardness 0 (soft to the middle) to 1 (sharp edge); opacity of a whole stroke, 0 to 1."""

    diameter: Annotated[float, Field(ge=MIN_DIAMETER, le=MAX_DIAMETER)] = 40.0
    hardness: Annotated[float, Field(ge=0, le=1)] = 0.9
    opacity: Annotated[float, Field(ge=0, le=1)] = 1.0
    pressure: Pressure = Pressure.SIZE


@dataclass(frozen=True)
class Point:
    """A place in the picture, in pixels (0, 0 = upper left corner of the first), and the pressure there, 0 to 1."""

    x: float
    y: float
    pressure: float = 1.0


@dataclass(frozen=True)
class Dab:
    """How much paint lies where: coverage [n, n] uint8 with its upper left pixel at (left, top)."""

    left: int
    top: int
    coverage: NDArray[np.uint8]

    @property
    def box(self) -> Box:
        return self.left, self.top, self.left + self.coverage.shape[1], self.top + self.coverage.shape[0]


@lru_cache(maxsize=48)  # a quick pen shows this many sizes and places in a moment; the largest take 1 MiB each
def stamp(diameter: float, hardness: float, dx: float = 0.0, dy: float = 0.0) -> NDArray[np.uint8]:
    """Coverage [n, n] of a round dab whose centre lies (dx, dy) pixels beside the middle of the stamp; n is odd.

    Full inside hardness · R, smoothstep down to nothing at R = diameter / 2; a sharp edge is one pixel wide, in the middle of
    which lies R.
    """
    radius = diameter / 2
    reach = math.ceil(radius + 0.5)
    places = np.arange(-reach, reach + 1, dtype=np.float32)
    distance = np.hypot(places[None] - np.float32(dx), (places - np.float32(dy))[:, None])
    edge = radius * (1 - hardness)
    if edge <= 1:
        share = np.clip(radius + 0.5 - distance, 0, 1)
    else:
        inward = np.clip((radius - distance) / edge, 0, 1)
        share = inward * inward * (3 - 2 * inward)
    made: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
    made.setflags(write=False)
    return made


def dab(brush: Brush, at: Point) -> Dab:
    """One dab of a brush."""
    diameter, strength = brush.diameter, 1.0
    if brush.pressure is Pressure.SIZE:
        diameter = max(MIN_DIAMETER, brush.diameter * math.ceil(at.pressure * _PRESSURE_STEPS) / _PRESSURE_STEPS)
    elif brush.pressure is Pressure.OPACITY:
        strength = at.pressure
    steps = _SUBPIXEL if MIN_DIAMETER < diameter <= _FINE else 1
    x, y = (math.floor(value * steps) / steps for value in (at.x, at.y))
    column, row = math.floor(x), math.floor(y)
    beside = (x - column - 0.5 + 0.5 / steps, y - row - 0.5 + 0.5 / steps)
    coverage = stamp(diameter, brush.hardness, *beside)
    if strength < 1:
        coverage = np.rint(coverage * np.float32(strength)).astype(np.uint8)
    reach = coverage.shape[0] // 2
    return Dab(column - reach, row - reach, coverage)


def along(start: Point, end: Point, brush: Brush, size: tuple[int, int]) -> Iterator[Point]:
    """Where to put dabs between two points (the first excluded, the last included), as far as they can reach a picture
    of `size` (width, height): a jump from far outside costs nothing.
    """
    reach = brush.diameter / 2 + 2
    inside = _clip((start.x, start.y), (end.x, end.y), (-reach, -reach, size[0] + reach, size[1] + reach))
    if inside is None:
        return
    length = math.hypot(end.x - start.x, end.y - start.y)
    count = max(1, math.ceil(length / max(1.0, _SPACING * brush.diameter)))
    for index in range(max(1, math.floor(inside[0] * count)), math.ceil(inside[1] * count) + 1):
        share = min(1.0, index / count)
        yield Point(*(a + (b - a) * share for a, b in ((start.x, end.x), (start.y, end.y), (start.pressure, end.pressure))))


def _clip(start: tuple[float, float], end: tuple[float, float], window: tuple[float, float, float, float]) -> tuple[float, float] | None:
    """The shares of a line between which it lies in a window (Liang and Barsky 1984), or None."""
    first, last = 0.0, 1.0
    for axis in (0, 1):
        step = end[axis] - start[axis]
        for towards, room in ((-step, start[axis] - window[axis]), (step, window[axis + 2] - start[axis])):
            if towards == 0 and room < 0:
                return None
            if towards < 0:
                first = max(first, room / towards)
            elif towards > 0:
                last = min(last, room / towards)
    return (first, last) if first <= last else None
