"""Random Fourier features: finitely many cosines whose inner product approaches the Gaussian kernel.

Rahimi and Recht (2007): the Gaussian is the Fourier transform of a Gaussian, exp(−γ‖δ‖²) = E cos(ω·δ) with
ω ~ N(0, 2γ I), so the mean over m drawn frequencies estimates it. Each frequency gives a cosine and a sine, which
makes k(x, x) = 1 exactly and needs no random phase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.ml.linear.kernels import Kernel
from studio.ml.linear.problem import Array


@dataclass(frozen=True, eq=False)
class FourierFeatures:
    """frequencies: ω, [m, p]; there are 2 m features."""

    frequencies: Array

    @classmethod
    def drawn(cls, gamma: float, inputs: int, count: int, seed: int) -> FourierFeatures:
        """`count` features (even, a cosine and a sine for each frequency) for exp(−γ‖x − z‖²) on `inputs` numbers.

        The frequencies of one seed are the first of a longer list: more features refine, they do not start anew.
        """
        rng = np.random.default_rng(seed)
        return cls(np.sqrt(2 * gamma) * rng.standard_normal((count // 2, inputs)))

    def __call__(self, X: Array) -> Array:
        """φ(X) [n, 2m] = (cos ω·x, sin ω·x) / √m."""
        phase = X @ self.frequencies.T
        waves: Array = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(len(self.frequencies))
        return waves


@dataclass(frozen=True, eq=False)
class GramErrors:
    """How far φ(X)φ(X)ᵀ is from the kernel's Gram matrix.

    counts: numbers of features [c]. errors: root-mean-square over the entries, [draws, c]. expected: [c], what the
    variance of the estimate says.
    """

    counts: Array
    errors: Array
    expected: Array


def gram_errors(X: Array, gamma: float, counts: list[int], seeds: list[int]) -> GramErrors:
    """Measured with each of the seeds, one draw each."""
    exact = Kernel("rbf", gamma=gamma).gram(X, X)
    errors = np.empty((len(seeds), len(counts)))
    for i, seed in enumerate(seeds):
        for j, count in enumerate(counts):
            waves = FourierFeatures.drawn(gamma, X.shape[1], count, seed)(X)
            errors[i, j] = np.sqrt(np.square(waves @ waves.T - exact).mean())
    expected = np.array([expected_error(exact, count) for count in counts])
    return GramErrors(np.array(counts, dtype=np.float64), errors, expected)


def expected_error(gram: Array, count: int) -> float:
    """The root-mean-square error of `count` features: cos ω·δ has the variance (1 + k(2δ))/2 − k(δ)², k(2δ) = k(δ)⁴."""
    variance = (1 + gram**4) / 2 - gram**2
    return float(np.sqrt(np.maximum(variance, 0.0).mean() / (count // 2)))
