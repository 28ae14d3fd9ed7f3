"""The slope and the integral of a Gaussian process: linear in f, so Gaussian again (Rasmussen & Williams, section 9.4).

The slope follows from the kernel's derivatives. The integral is a quadrature of the posterior's mean and covariance,
Gauss-Legendre on each piece between two edges: exact for what a polynomial of degree 7 follows on a piece.
"""

from __future__ import annotations

import numpy as np

from studio.ml.gp.components import noise_apart
from studio.ml.gp.errors import BadData
from studio.ml.gp.exact import Posterior, Prediction
from studio.ml.gp.jet import Array
from studio.ml.gp.model import points

NODES = 4
"""Gauss-Legendre nodes on each piece."""

TOGETHER = 256
"""Points whose slopes are computed at once."""


def slope(posterior: Posterior, x: Array, axis: int = 0) -> Prediction:
    """Mean and variance of df/dx at points [m, d] along one input dimension. Raises NotDifferentiable."""
    model = noise_apart(posterior.model)
    mean, variance = np.empty(len(x)), np.empty(len(x))
    for start in range(0, len(x), TOGETHER):
        here = slice(start, start + TOGETHER)
        rise = model.kernel.jet(x[here], posterior.data.x, axis).first
        V = posterior.factor.half_solve(np.asfortranarray(rise.T))
        mean[here] = model.mean.slope(axis) + rise @ posterior.alpha
        prior = model.kernel.jet(x[here], x[here], axis).both.diagonal()
        variance[here] = prior - np.einsum("ij,ij->j", V, V)
    return Prediction(mean, np.maximum(variance, 0))


def running_integral(posterior: Posterior, edges: Array) -> Prediction:
    """Mean [m] and variance [m] of the integral of f from edges[0] to each of the edges [m], which rise.

    One input dimension. Raises BadData for edges that do not rise.
    """
    if posterior.data.dimensions != 1:
        raise BadData("The integral runs along one input dimension")
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise BadData("The integral needs two edges or more, each beyond the one before")
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    x = points((middle[:, None] + half[:, None] * nodes).ravel())
    pieces = np.kron(np.diag(half), weights)
    f = Posterior.at(_as_function(posterior), x)
    sums = np.vstack([np.zeros(len(x)), np.cumsum(pieces, axis=0)])
    return Prediction(sums @ f.mean, np.maximum(np.einsum("ij,ij->i", sums @ f.covariance, sums), 0))


def _as_function(posterior: Posterior) -> Posterior:
    """The posterior with White terms counted as noise: the same factor, another prior covariance of f."""
    model = noise_apart(posterior.model)
    return posterior if model is posterior.model else Posterior.of(model, posterior.data)
