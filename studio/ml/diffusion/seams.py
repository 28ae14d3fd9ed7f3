"""Seams: how well what was drawn joins what was known, measured on the border between them.

A border pair (p, q) is a drawn cell p and a known cell q that is one of its four neighbours. With x the result and y
the true picture, both in levels of 255, the error of a pair is the difference of the gradients across the border,

    e(p, q) = mean over channels of |(x_p - x_q) - (y_p - y_q)|,

0 for a seam that is not there. Where nobody knows what was there, the gradient that would continue what lies to both
sides takes the place of y's (p' and q' are the next cells beyond p and q, away from the border):

    j(p, q) = mean over channels of |(x_p - x_q) - ((x_p' - x_p) + (x_q - x_q')) / 2|

with the signs of all three differences taken along the same direction. A jump is not an error where the true picture
has an edge there, but the jumps of two ways to draw the same hole compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.ml.diffusion.regions import Cells, Pixels

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seam:
    """The seam of one picture: its error map [H, W], its mean error and its mean jump, in levels of 255.

    map: at each cell of the border the largest e of its pairs, 0 elsewhere; j where the truth is unknown. error is
    NaN where no true cell is known, and both are NaN where there is no border.
    """

    map: Floats
    error: float
    jump: float


def seam_of(result: Pixels, drawn: Cells, truth: Pixels | None = None, known: Cells | None = None) -> Seam:
    """The seam of a result [H, W, 3] around what was drawn [H, W].

    truth [H, W, 3]: the picture before something was erased from it; known [H, W]: where it is (None: everywhere).
    """
    x = result.astype(np.float32)
    y = x if truth is None else truth.astype(np.float32)
    told = np.zeros_like(drawn) if truth is None else np.ones_like(drawn) if known is None else known
    heat = np.zeros(drawn.shape, np.float32)
    errors, jumps = [], []
    for (p, beyond_p), (q, beyond_q) in _pairs(drawn):
        gradient = x[p] - x[q]
        continued = ((x[beyond_p] - x[p]) + (x[q] - x[beyond_q])) / 2
        jump = np.abs(gradient - continued).mean(axis=1)
        error = np.abs(gradient - (y[p] - y[q])).mean(axis=1)
        true = told[p] & told[q]
        shown = np.where(true, error, jump)
        for cells in (p, q):
            np.maximum.at(heat, cells, shown)
        jumps.append(jump)
        errors.append(error[true])
    return Seam(heat, _mean(errors), _mean(jumps))


Cell = tuple[NDArray[np.int64], NDArray[np.int64]]


def _pairs(drawn: Cells) -> Iterator[tuple[tuple[Cell, Cell], tuple[Cell, Cell]]]:
    """((p, p'), (q, q')) of all border pairs, by direction; at the picture's edge p' is p and q' is q."""
    last = np.array(drawn.shape)[:, None] - 1
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        way = np.array(step)[:, None]
        p = np.stack(np.nonzero(drawn))
        q = p + way
        there = ((q >= 0) & (q <= last)).all(axis=0)
        p, q = p[:, there], q[:, there]
        known = ~drawn[q[0], q[1]]
        p, q = p[:, known], q[:, known]
        beyond_p, beyond_q = ((cells + sign * way).clip(0, last) for cells, sign in ((p, -1), (q, 1)))
        yield ((_cell(p), _cell(beyond_p)), (_cell(q), _cell(beyond_q)))


def _cell(places: NDArray[np.int64]) -> Cell:
    return places[0], places[1]


def _mean(parts: list[Floats]) -> float:
    joined = np.concatenate(parts) if parts else np.empty(0)
    return float(joined.mean()) if joined.size else float("nan")
