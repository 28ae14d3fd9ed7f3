"""Kernel machines: the support-vector classifier and kernel ridge, solved by scikit-learn on a Gram matrix.

Both give f(x) = Σ_i a_i k(x_i, x) + b, whose sign is the class; f is a plane in feature space, w = Σ a_i φ(x_i).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from studio.ml.linear.clouds import Labels
from studio.ml.linear.kernels import Kernel
from studio.ml.linear.problem import Array
from studio.ml.linear.scikit import SVC, KernelRidge

MachineName = Literal["svm", "ridge"]
_TOLERANCE: Final = 1e-8
_CACHE_MB: Final = 200
_MAX_STEPS: Final = 2_000_000


class UnfitPoints(ValueError):
    """Points no boundary can be drawn through; the message says what to add."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """A fitted machine.

    points: [n, 2]. dual: a [n]; zero where a point has no say. intercept: b. norm: ‖w‖ in feature space. values: f at
    the points [n]. labels: [n], 0 or 1.
    """

    machine: MachineName
    kernel: Kernel
    points: Array
    labels: Labels
    dual: Array
    intercept: float
    norm: float
    values: Array

    def at(self, X: Array) -> Array:
        """f [m] at points [m, 2]."""
        used = np.flatnonzero(self.dual)
        found: Array = self.kernel.gram(X, self.points[used]) @ self.dual[used] + self.intercept
        return found

    @property
    def support(self) -> Labels:
        """Indices of the points that f is made of: the support vectors; of kernel ridge, all."""
        return np.flatnonzero(self.dual)

    @property
    def margin(self) -> float:
        """The width 2/‖w‖ of the street between f = −1 and f = 1, in feature space."""
        return 2.0 / self.norm if self.norm > 0 else np.inf

    @property
    def wrong(self) -> int:
        """Points on the wrong side."""
        return int(((self.values > 0) != (self.labels == 1)).sum())

    @property
    def inside(self) -> int:
        """Points inside the street or beyond it: y f < 1 (by more than rounding)."""
        return int(((2 * self.labels - 1) * self.values < 1 - 1e-5).sum())


def fit(machine: MachineName, kernel: Kernel, points: Array, labels: Labels, *, softness: float) -> Boundary:
    """Fit a machine. `softness` is C of the support-vector machine, λ of kernel ridge. Raises UnfitPoints.

    SVM: minimise ½‖w‖² + C Σ max(0, 1 − y f(x)). Kernel ridge: Σ (y − f(x))² + λ‖w‖² with b = 0. y is −1 or 1.
    """
    if len(set(labels.tolist())) < 2:
        raise UnfitPoints("A boundary needs points of both classes. Click to add a few of the other one.")
    gram = kernel.gram(points, points)
    if machine == "svm":
        dual, intercept = _support_vectors(gram, labels, softness)
    else:
        dual, intercept = _ridge(gram, labels, softness), 0.0
    norm = float(np.sqrt(max(0.0, float(dual @ gram @ dual))))
    return Boundary(machine, kernel, points, labels, dual, intercept, norm, gram @ dual + intercept)


def _support_vectors(gram: Array, labels: Labels, C: float) -> tuple[Array, float]:
    machine = SVC(C=C, kernel="precomputed", tol=_TOLERANCE, cache_size=_CACHE_MB, max_iter=_MAX_STEPS)
    machine.fit(gram, labels)
    dual = np.zeros(len(labels))
    dual[machine.support_] = machine.dual_coef_[0]
    return dual, float(machine.intercept_[0])


def _ridge(gram: Array, labels: Labels, strength: float) -> Array:
    machine = KernelRidge(alpha=strength, kernel="precomputed")
    dual: Array = np.asarray(machine.fit(gram, 2.0 * labels - 1.0).dual_coef_, dtype=np.float64)
    return dual
