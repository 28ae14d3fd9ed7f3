"""Small two-dimensional data sets with two classes, most of which no straight line separates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.ml.linear.problem import Array

Labels = npt.NDArray[np.intp]
CloudName = Literal["circles", "moons", "corners", "blobs", "spirals", "island"]


def cloud(name: CloudName, count: int = 60, noise: float = 0.1, seed: int = 0) -> tuple[Array, Labels]:
    """Points [count, 2] within about (−1.5, 1.5), and their classes [count], 0 or 1, half of each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    points = _SHAPES[name](rng, labels)
    return points + noise * rng.standard_normal(points.shape), labels


def _circles(rng: np.random.Generator, labels: Labels) -> Array:
    """A ring around a ring."""
    return _polar(np.where(labels == 1, 0.5, 1.1), 2 * np.pi * rng.random(len(labels)))


def _island(rng: np.random.Generator, labels: Labels) -> Array:
    """A disc in the middle of a ring."""
    return _polar(
        np.where(labels == 1, 0.45 * np.sqrt(rng.random(len(labels))), 1.1), 2 * np.pi * rng.random(len(labels))
    )


def _moons(rng: np.random.Generator, labels: Labels) -> Array:
    """Two half circles that reach into each other."""
    upper = _polar(np.full(len(labels), 0.9), np.pi * rng.random(len(labels))) + [-0.45, -0.2]
    return np.where((labels == 1)[:, None], -upper, upper)


def _corners(rng: np.random.Generator, labels: Labels) -> Array:
    """Exclusive or: opposite corners belong together."""
    side = rng.choice([-1.0, 1.0], len(labels))
    middles = 0.7 * np.column_stack([side, np.where(labels == 1, side, -side)])
    return middles + 0.2 * rng.standard_normal((len(labels), 2))


def _blobs(rng: np.random.Generator, labels: Labels) -> Array:
    """Two heaps beside each other: here a line is enough."""
    middles = np.where((labels == 1)[:, None], [0.6, 0.3], [-0.6, -0.3])
    return middles + 0.25 * rng.standard_normal((len(labels), 2))


def _spirals(rng: np.random.Generator, labels: Labels) -> Array:
    """Two arms wound around each other, one and a quarter turns each."""
    along = np.sqrt(rng.uniform(0.03, 1.0, len(labels)))
    return _polar(1.3 * along, 2.5 * np.pi * along + np.pi * labels)


def _polar(radius: Array, angle: Array) -> Array:
    points: Array = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return points


_SHAPES: Mapping[str, Callable[[np.random.Generator, Labels], Array]] = MappingProxyType(
    {
        "circles": _circles,
        "island": _island,
        "moons": _moons,
        "corners": _corners,
        "blobs": _blobs,
        "spirals": _spirals,
    }
)
