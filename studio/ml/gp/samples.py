"""Functions drawn from the prior or the posterior: the same seed is the same function, however the points move.

`drawn` is the formula, mean + L z: exact, for a grid of some hundred points. Its z belong to the seed, so a curve bends
as a point is dragged and does not flicker. `Pathwise` is for many points (Wilson et al. 2020, arXiv 2002.09309):
Matheron's rule corrects a prior function f by what it says of the data,

    (f | y)(x) = f(x) + k(x, X) K^-1 (y - f(X) - e),

where f is made of random features of the kernel. The correction is exact; the prior function is an approximation, with
an error of 1 / sqrt(features) in its covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from studio.ml.gp.components import noise_apart
from studio.ml.gp.errors import BadData
from studio.ml.gp.exact import Posterior
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Features
from studio.ml.gp.model import Data, Model

STEADY = 1e-10
"""Share of the mean variance added before the factorisation: always the same, so that curves do not jump with it."""


def normals(seed: int, places: int, count: int) -> Array:
    """Standard normal numbers [places, count]; more places continue the same columns."""
    return np.random.default_rng(seed).standard_normal((places, count))


def turned(seed: int, places: int, count: int, angle: float) -> Array:
    """Standard normal numbers [places, count] that move along great circles: the same again after an angle of 2 pi.

    cos(angle) z1 + sin(angle) z2 has the distribution of z at every angle, so an animation shows samples throughout.
    """
    both = normals(seed, places, 2 * count)
    moved: Array = math.cos(angle) * both[:, ::2] + math.sin(angle) * both[:, 1::2]
    return moved


def drawn(gaussian: Gaussian, z: Array) -> Array:
    """Samples [s, m] of a Gaussian over m values from standard normal numbers z [m, s]."""
    mean, covariance = gaussian
    if len(z) != len(mean):
        raise BadData(f"{len(mean)} values need as many normal numbers each, not {len(z)}")
    steady = np.full(len(mean), STEADY * float(covariance.diagonal().mean()) if len(mean) else 0.0)
    if not steady.any():
        return np.broadcast_to(mean, (z.shape[1], len(mean)))
    samples: Array = mean + (Factor.of(covariance, steady).lower @ z).T
    return samples


def posterior_samples(model: Model, data: Data, x: Array, seed: int, count: int, angle: float = 0.0) -> Array:
    """`count` functions [count, m] at points [m, d]; White terms count as noise and are left out."""
    return drawn(Posterior.of(noise_apart(model), data).at(x), turned(seed, len(x), count, angle))


@dataclass(frozen=True, eq=False)
class Pathwise:
    """Posterior functions that can be asked at any points, any number of times; `of` makes them."""

    posterior: Posterior
    features: Features
    weights: Array
    """Of the features in each prior function [c, s]."""
    corrections: Array
    """K^-1 (y - f(X) - e) of each function [n, s]."""

    @classmethod
    def of(cls, model: Model, data: Data, seed: int, count: int, features: int = 2000) -> Pathwise:
        """`count` functions. Raises BadKernel for kernels without random features (Brownian)."""
        posterior = Posterior.of(noise_apart(model), data)
        rng = np.random.default_rng(seed)
        phi = posterior.model.kernel.features(rng, features, data.dimensions)
        found = phi(data.x[:1] if len(data) else np.zeros((1, data.dimensions))).shape[1]
        weights = rng.standard_normal((found, count)) / math.sqrt(found)
        spread = np.sqrt(data.noise_of(posterior.model) + posterior.factor.jitter)
        noise = spread[:, None] * rng.standard_normal((len(data), count))
        missed = (data.y - posterior.model.mean(data.x))[:, None] - phi(data.x) @ weights - noise
        return cls(posterior, phi, weights, posterior.factor.solve(missed))

    def __call__(self, x: Array) -> Array:
        """The functions at points [m, d] -> [s, m]."""
        prior = self.posterior.model.mean(x)[:, None] + self.features(x) @ self.weights
        values: Array = (prior + self.posterior.cross_covariance(x) @ self.corrections).T
        return values
