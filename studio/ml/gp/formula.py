"""The Gaussian process as its formula, for reading and for showing with the numbers in it.

    prior         f ~ N(mu, Sigma)
    joint         [y1, f2] ~ N([mu1, mu2], [[S11, S12], [S21, S22]]),  S11 = k(x1, x1) + noise
    conditional   mu_2|1 = mu2 + S21 S11^-1 (y1 - mu1),  S_2|1 = S22 - S21 S11^-1 S12

`exact.py` computes the same from one factorisation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from studio.ml.gp.factor import Factor
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model


class Gaussian(NamedTuple):
    """mean [m] and covariance [m, m] of a finite set of values."""

    mean: Array
    covariance: Array


class Joint(NamedTuple):
    """Observations 1 [n] and values 2 [m] together, in blocks."""

    mu1: Array
    mu2: Array
    S11: Array
    S12: Array
    S22: Array


def prior(model: Model, x: Array) -> Gaussian:
    """What the model expects of f at points [m, d] before any data."""
    return Gaussian(model.mean(x), model.kernel(x))


def joint(model: Model, data: Data, x: Array) -> Joint:
    """Observations of the data together with f at points [m, d]; noise is in S11 alone."""
    S11 = model.kernel(data.x) + np.diag(data.noise_of(model))
    return Joint(model.mean(data.x), model.mean(x), S11, model.kernel(data.x, x), model.kernel(x))


def conditional(both: Joint, y1: Array) -> Gaussian:
    """f2 given y1 [n]. Raises NotPositiveDefinite where S11 has no Cholesky factor."""
    mu1, mu2, S11, S12, S22 = both
    weights = Factor.of(S11).solve(S12).T
    return Gaussian(mu2 + weights @ (y1 - mu1), S22 - weights @ S12)
