"""Noise with heavy tails: y = f + e, e ~ Student-t of `degrees` of freedom and scale^2 = the model's noise.

Student-t noise is Gaussian noise of unknown precision, e_i ~ N(0, s^2 / l_i) with l_i ~ Gamma(v/2, v/2). Variational
inference with q(f) q(l) (Tipping & Lawrence 2005; Kuss 2006, section 5.4) alternates two closed forms:

    q(l):  E[l_i] = (v + 1) / (v + E[(y_i - f_i)^2] / s^2)        an outlier loses its weight
    q(f):  the exact posterior with noise s^2 / E[l_i] on each point

Each round raises a lower bound of log p(y). The weights say which points the model takes for outliers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from studio.ml.gp.errors import BadData, BadKernel
from studio.ml.gp.exact import LOG_2PI, Posterior, Prediction
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model

ROUNDS = 500
"""At most; a few dozen are usual."""

TOLERANCE = 1e-9
"""Gain of the last round at which the bound has settled."""


@dataclass(frozen=True)
class StudentBound:
    """The lower bound of log p(y)."""

    total: float


@dataclass(frozen=True, eq=False)
class StudentPosterior:
    """A model conditioned under Student-t noise. gaussian: q(f), an exact posterior with a noise for each point;
    weights [n] = E[l_i], 1 for a point that is trusted as usual; spread [n] = E[(y_i - f_i)^2]; degrees v.
    """

    model: Model
    data: Data
    degrees: float
    gaussian: Posterior
    weights: Array
    spread: Array

    @classmethod
    def of(cls, model: Model, data: Data, degrees: float = 4.0) -> StudentPosterior:
        """Alternate until the bound settles; see `rounds`."""
        *_, settled = rounds(model, data, degrees)
        return settled

    @property
    def evidence(self) -> StudentBound:
        """sum_i log t(sqrt(spread_i)) - KL(q(f) | p(f)): log p(y) is at least this."""
        noise = self.model.noise
        v, n = self.degrees, len(self.data)
        log_t = gammaln((v + 1) / 2) - gammaln(v / 2) - 0.5 * np.log(v * np.pi * noise)
        heavy = n * log_t - 0.5 * (v + 1) * float(np.log1p(self.spread / (v * noise)).sum())
        own = self.gaussian.data.noise_of(self.gaussian.model)
        expected = -0.5 * float((LOG_2PI + np.log(own) + self.spread / own).sum())
        return StudentBound(float(heavy + self.gaussian.evidence.total - expected))

    def gradient(self) -> Array:
        """d bound / d theta [p]. At the best q the bound moves with theta alone, q held."""
        kernel_and_mean = self.gaussian.gradient()
        kernels = len(self.model.kernel.theta)
        noise = 0.5 * float((self._weights_of_spread() * self.spread / self.model.noise - 1).sum())
        return np.insert(kernel_and_mean, kernels, noise)

    def predict(self, x: Array) -> Prediction:
        """Mean and variance of f at points [m, d]."""
        return self.gaussian.predict(x)

    def _weights_of_spread(self) -> Array:
        weights: Array = (self.degrees + 1) / (self.degrees + self.spread / self.model.noise)
        return weights


def rounds(model: Model, data: Data, degrees: float = 4.0) -> Iterator[StudentPosterior]:
    """Each round of the alternation, until the bound gains less than TOLERANCE; one `next()` is one factorisation.

    Raises BadKernel for a scale of 0 or degrees not above 0, BadData for points with a noise of their own.
    """
    if model.noise <= 0 or degrees <= 0:
        raise BadKernel("Student-t noise needs a scale (the model's noise) and degrees of freedom above 0")
    if data.noise is not None:
        raise BadData("Student-t noise finds out itself which points to trust: leave out the noise of the points")
    weights, best = np.ones(len(data)), -np.inf
    noiseless = replace(model, noise=0.0)
    for _ in range(ROUNDS):
        gaussian = Posterior.of(noiseless, Data(data.x, data.y, model.noise / weights))
        mean, variance = _at_the_data(gaussian)
        now = StudentPosterior(model, data, degrees, gaussian, weights, (data.y - mean) ** 2 + variance)
        yield now
        bound = now.evidence.total
        if bound - best < TOLERANCE:
            return
        weights, best = now._weights_of_spread(), bound


def _at_the_data(gaussian: Posterior) -> Prediction:
    """f at the data from what leave-one-out knows: y - v a and v - v^2 diag K^-1, with v the noise of each point."""
    noise = gaussian.data.noise_of(gaussian.model)
    variance = noise - noise**2 * gaussian.factor.inverse_diagonal()
    return Prediction(gaussian.data.y - noise * gaussian.alpha, np.maximum(variance, 0))
