"""What is unknown of a picture: masks for inpainting, [H, W] bool, True = keep, as GLIDE's networks read them.

Training draws them from a mix of shapes (Nichol et al. 2021, sec. 3.3, erase random regions); evaluation takes an
object out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from studio.ml.data.scenes import Placed

Mask = NDArray[np.bool_]

Shape = Literal["object", "rectangle", "strokes", "half plane", "everything", "nothing"]
SHAPES: dict[Shape, float] = {
    "object": 0.35, "rectangle": 0.18, "strokes": 0.18, "half plane": 0.10, "everything": 0.15, "nothing": 0.04
}  # fmt: skip
"""What is erased in training, and how often. "everything" keeps the network a text-to-image model."""

_RECTANGLE = 0.2, 0.75
_BRUSH = 0.06, 0.16
_TURN = 0.6
_MARGIN = 0.0, 0.12


def draw_shape(rng: np.random.Generator) -> Shape:
    """One of SHAPES, as often as it says."""
    shapes = tuple(SHAPES)
    weights = np.array([SHAPES[shape] for shape in shapes])
    return shapes[rng.choice(len(shapes), p=weights / weights.sum())]


def draw(rng: np.random.Generator, shape: Shape, pixels: int, placed: Placed) -> Mask:
    """A random mask of this shape; "object" erases the box around `placed` with a random margin."""
    if shape == "object":
        return without_object(placed, pixels, margin=rng.uniform(*_MARGIN))
    if shape == "rectangle":
        return ~_rectangle(rng, pixels)
    if shape == "strokes":
        return ~_strokes(rng, pixels)
    if shape == "half plane":
        return _half_plane(rng, pixels)
    return np.full((pixels, pixels), shape == "nothing")


def without_object(placed: Placed, pixels: int, *, margin: float = 0.06) -> Mask:
    """Everything but the box around an object; `margin` is added on each side, as a share of the picture's side."""
    half = placed.side / 2 + margin
    rows, columns = (
        slice(max(0, int((centre - half) * pixels)), int(np.ceil((centre + half) * pixels)))
        for centre in (placed.y, placed.x)
    )
    keep = np.ones((pixels, pixels), dtype=np.bool_)
    keep[rows, columns] = False
    return keep


def _rectangle(rng: np.random.Generator, pixels: int) -> Mask:
    hole = np.zeros((pixels, pixels), dtype=np.bool_)
    height, width = (max(1, round(pixels * rng.uniform(*_RECTANGLE))) for _ in range(2))
    top, left = rng.integers(pixels - height + 1), rng.integers(pixels - width + 1)
    hole[top : top + height, left : left + width] = True
    return hole


def _strokes(rng: np.random.Generator, pixels: int) -> Mask:
    """One to three strokes of a thick round brush, each a random walk that turns a little at every step."""
    hole = np.zeros((pixels, pixels), dtype=np.bool_)
    rows, columns = np.mgrid[:pixels, :pixels]
    for _ in range(rng.integers(1, 4)):
        radius = pixels * rng.uniform(*_BRUSH)
        y, x = rng.uniform(0, pixels, 2)
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(4, 13)):
            hole |= (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
            heading += rng.normal(0, _TURN)
            y, x = np.clip((y + radius * np.sin(heading), x + radius * np.cos(heading)), 0, pixels)
    return hole


def _half_plane(rng: np.random.Generator, pixels: int) -> Mask:
    """One side of a straight line at any angle through the middle part of the picture."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = rng.uniform(0.25 * pixels, 0.75 * pixels, 2)
    rows, columns = np.mgrid[:pixels, :pixels]
    side: Mask = (rows - y) * np.sin(angle) + (columns - x) * np.cos(angle) > 0
    return side
