"""Functions drawn from a Gaussian, set in motion through sample space without a jump.

Each sample f = μ + L z is a point z of a standard normal. Moving z along a great circle of the sphere of its own radius
keeps it, at every moment, a draw of the same normal: z(t) = z cos t + u sin t with u ⟂ z, |u| = |z|
(P. Hennig, "Animating samples from Gaussian distributions", 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Orbits:
    """Great circles through standard-normal starting points: `start` and `side` [dimensions, count], `side` orthogonal
    to `start` and as long, column by column."""

    start: Array
    side: Array

    @classmethod
    def drawn(cls, dimensions: int, count: int, seed: int) -> Orbits:
        """The same seed gives the same circles; column k does not depend on how many there are."""
        start, side = np.empty((dimensions, count)), np.empty((dimensions, count))
        for k in range(count):
            generator = np.random.default_rng([seed, k])
            z, u = generator.standard_normal((2, dimensions))
            if dimensions > 1:
                u -= z * (u @ z) / (z @ z)
            start[:, k], side[:, k] = z, u * (np.linalg.norm(z) / np.linalg.norm(u))
        return cls(start, side)

    def at(self, angle: float) -> Array:
        """The standard-normal points at this angle (radians) [dimensions, count]; 0 is where the samples rest."""
        return self.start * np.cos(angle) + self.side * np.sin(angle)
