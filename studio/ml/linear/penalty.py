"""The elastic-net penalty λ (α ‖w‖₁ + (1 − α)/2 ‖w‖²) of Zou and Hastie (2005), in glmnet's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.ml.linear.problem import Array, Family


@dataclass(frozen=True)
class Penalty:
    """strength: λ ≥ 0. mix: α from 0 (ridge, L2 only) to 1 (lasso, L1 only)."""

    strength: float
    mix: float

    @property
    def l1(self) -> float:
        """λ α, the threshold below which a coefficient is exactly zero."""
        return self.strength * self.mix

    @property
    def l2(self) -> float:
        """λ (1 − α), what is added to the curvature."""
        return self.strength * (1.0 - self.mix)

    def value(self, w: npt.ArrayLike) -> float:
        """λ (α ‖w‖₁ + (1 − α)/2 ‖w‖²)."""
        coefficients = np.asarray(w, dtype=np.float64)
        return float(self.l1 * np.abs(coefficients).sum() + 0.5 * self.l2 * np.square(coefficients).sum())

    def update(self, rho: float, curvature: float) -> float:
        """The minimiser over w of ½ a w² − ρ w + penalty(w): S(ρ, λα) / (a + λ(1 − α)), where a is the curvature."""
        return float(soft_threshold(rho, self.l1)) / (curvature + self.l2)

    def in_scikit_learn(self, family: Family, n: int) -> Mapping[str, float]:
        """The same penalty in the names of scikit-learn's estimators, for n rows.

        ElasticNet minimises 1/(2n) ‖y − Xw‖² + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio)/2 ‖w‖²): λ is its `alpha`, α its
        `l1_ratio`. LogisticRegression minimises C Σ loss + l1_ratio ‖w‖₁ + (1 − l1_ratio)/2 ‖w‖²: C is 1/(n λ).
        """
        if family == "linear":
            return {"alpha": self.strength, "l1_ratio": self.mix}
        return {"C": 1.0 / (n * self.strength) if self.strength else np.inf, "l1_ratio": self.mix}


def soft_threshold(rho: npt.ArrayLike, threshold: float) -> Array:
    """S(ρ, t) = sign(ρ) max(|ρ| − t, 0): nearer to zero by t, and zero where that would change the sign."""
    values = np.asarray(rho, dtype=np.float64)
    shrunk: Array = np.sign(values) * np.maximum(np.abs(values) - threshold, 0.0)
    return shrunk


def ball(mix: float, level: float, angles: Array) -> Array:
    """The border of {(u, v): α(|u| + |v|) + (1 − α)/2 (u² + v²) ≤ level}, as points [len(angles), 2].

    Along the direction (cos θ, sin θ) the distance r solves (1 − α)/2 r² + α (|cos θ| + |sin θ|) r = level.
    """
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    linear = mix * np.abs(directions).sum(axis=1)
    # The root in this form holds for a vanishing quadratic term, too: the lasso's diamond is r = level / linear.
    radius = 2.0 * level / (linear + np.sqrt(linear**2 + 2.0 * (1.0 - mix) * level))
    border: Array = directions * radius[:, None]
    return border
