"""Kernels that repeat: Periodic, and the spectral mixture that can imitate any stationary kernel of one input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ive

from studio.ml.gp.errors import BadKernel
from studio.ml.gp.jet import Array, Jet
from studio.ml.gp.kernel import Features, Hyper, Kernel, Pullback, inner_product
from studio.ml.gp.stationary import waves


@dataclass(frozen=True)
class Periodic(Kernel):
    """exp(-2 sum_d sin^2(pi (x_d - x'_d) / period) / length^2) (MacKay 1998).

    Convention: the 2 and the squared length are those of scikit-learn's ExpSineSquared, which agrees in one dimension;
    GPyTorch's PeriodicKernel has no square, its length-scale is length^2. In several dimensions the product over the
    dimensions is taken, which is positive definite where a function of the Euclidean distance need not be.
    """

    period: float = 1.0
    length: float = 1.0
    hyper = (Hyper("period"), Hyper("length"))

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        b = a if b is None else b
        k = self._value(a, b)

        def pull(weights: Array) -> list[float]:
            weighted = weights * k
            by_period = by_length = 0.0
            for d in range(a.shape[1]):
                angle = np.subtract.outer(a[:, d], b[:, d]) * (math.pi / self.period)
                by_length += 4 / self.length**2 * inner_product(weighted, np.sin(angle) ** 2)
                by_period += 2 / self.length**2 * inner_product(weighted, angle * np.sin(2 * angle))
            return [by_period, by_length]

        return k, pull

    def diagonal(self, a: Array) -> Array:
        return np.ones(len(a))

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [0.0, 0.0]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        k = self._value(a, b)
        pace = 2 * math.pi / self.period
        angle = np.subtract.outer(a[:, axis], b[:, axis]) * pace
        first = -pace / self.length**2 * np.sin(angle)
        both = (pace / self.length) ** 2 * np.cos(angle)
        return Jet(k, k * first, -k * first, k * (both - first**2))

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        """Harmonics j of the period, drawn by their share of the Fourier series, 2 I_j(1/l^2) exp(-1/l^2)."""
        harmonics = np.arange(int(10 + 10 / self.length))
        shares = ive(harmonics, 1 / self.length**2) * np.where(harmonics, 2, 1)
        drawn = rng.choice(harmonics, (count, dimensions), p=shares / shares.sum())
        signs = rng.choice([-1.0, 1.0], (count, dimensions))
        return waves(2 * math.pi / self.period * drawn * signs, rng)

    def _value(self, a: Array, b: Array) -> Array:
        exponent = np.zeros((len(a), len(b)))
        for d in range(a.shape[1]):
            exponent += np.sin(np.subtract.outer(a[:, d], b[:, d]) * (math.pi / self.period)) ** 2
        exponent *= -2 / self.length**2
        return np.exp(exponent, out=exponent)


@dataclass(frozen=True)
class SpectralMixture(Kernel):
    """sum_q weight_q exp(-2 pi^2 tau^2 bandwidth_q^2) cos(2 pi tau frequency_q) for tau = x - x', one input dimension.

    The spectrum is a mixture of Gaussians: frequencies and bandwidths in cycles per unit (Wilson & Adams 2013, eq. 12;
    their v_q is bandwidth^2).
    """

    weights: tuple[float, ...] = (1.0,)
    frequencies: tuple[float, ...] = (1.0,)
    bandwidths: tuple[float, ...] = (0.1,)
    hyper = (Hyper("weights", many=True), Hyper("frequencies", many=True), Hyper("bandwidths", many=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = {len(self.weights), len(self.frequencies), len(self.bandwidths)}
        if len(counts) != 1 or 0 in counts:
            raise BadKernel(f"{self.name}: give as many weights as frequencies and bandwidths, one for each component")

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        tau = self._tau(a, a if b is None else b)
        parts = [(w * self._envelope(tau, v), 2 * math.pi * f * tau, v) for w, f, v in self._components()]
        k = np.sum([envelope * np.cos(angle) for envelope, angle, _ in parts], axis=0)

        def pull(weights: Array) -> list[float]:
            cosines = [weights * envelope * np.cos(angle) for envelope, angle, _ in parts]
            return [
                *(float(wave.sum()) for wave in cosines),
                *(-inner_product(weights, envelope * angle * np.sin(angle)) for envelope, angle, _ in parts),
                *(
                    -inner_product(wave, (2 * math.pi * bandwidth * tau) ** 2)
                    for wave, (_, _, bandwidth) in zip(cosines, parts, strict=True)
                ),
            ]

        return k, pull

    def diagonal(self, a: Array) -> Array:
        return np.full(len(a), sum(self.weights))

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        total = float(weights.sum())
        return [*(w * total for w in self.weights), *([0.0] * 2 * len(self.weights))]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        tau = self._tau(a, b)
        value, slope, curvature = np.zeros_like(tau), np.zeros_like(tau), np.zeros_like(tau)
        for weight, frequency, bandwidth in self._components():
            envelope = weight * self._envelope(tau, bandwidth)
            pace, decay = 2 * math.pi * frequency, (2 * math.pi * bandwidth) ** 2
            cos, sin = np.cos(pace * tau), np.sin(pace * tau)
            value += envelope * cos
            slope -= envelope * (decay * tau * cos + pace * sin)
            curvature += envelope * (((decay * tau) ** 2 - decay - pace**2) * cos + 2 * decay * tau * pace * sin)
        return Jet(value, slope, -slope, -curvature)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        total = sum(self.weights)
        chosen = rng.choice(len(self.weights), count, p=np.array(self.weights) / total)
        cycles = np.array(self.frequencies)[chosen] + np.array(self.bandwidths)[chosen] * rng.standard_normal(count)
        phi = waves(2 * math.pi * cycles[:, None], rng)
        return lambda x: math.sqrt(total) * phi(x)

    def _components(self) -> list[tuple[float, float, float]]:
        return list(zip(self.weights, self.frequencies, self.bandwidths, strict=True))

    def _tau(self, a: Array, b: Array) -> Array:
        if a.shape[1] != 1:
            raise BadKernel(f"{self.name} takes one input dimension, but the inputs have {a.shape[1]}")
        return np.subtract.outer(a[:, 0], b[:, 0])

    def _envelope(self, tau: Array, bandwidth: float) -> Array:
        return np.exp(-2 * (math.pi * bandwidth * tau) ** 2)
