"""Data to try: sets that come with scikit-learn, and made-up ones whose true coefficients are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from studio.ml.linear.loss import means
from studio.ml.linear.problem import Array, Family

SampleName = Literal["diabetes", "cancer", "wine", "sparse", "groups", "wide"]

_OBSERVED_CLASSES = 3


@dataclass(frozen=True, eq=False)
class Sample:
    """features: [n, p]. target: [n] numbers or labels. truth: the coefficients [K, p] of the raw features that made the
    response; None of real data."""

    names: tuple[str, ...]
    features: Array
    target: npt.NDArray[Any]
    truth: Array | None = None


def sample(name: SampleName, family: Family = "linear", seed: int = 0) -> Sample:
    """One of the samples. A made-up one draws its response in the family asked for."""
    if name in _BUNDLED:
        return _bundled(name)
    return _MADE_UP[name](family, np.random.default_rng(seed))


def _bundled(name: str) -> Sample:
    from studio.ml.linear.scikit import datasets

    loaded = getattr(datasets, _BUNDLED[name])(**({"scaled": False} if name == "diabetes" else {}))
    target = loaded.target
    if name != "diabetes":
        target = np.array([str(label) for label in loaded.target_names], dtype=object)[target]
    return Sample(
        tuple(str(label) for label in loaded.feature_names), np.asarray(loaded.data, dtype=np.float64), target
    )


def _sparse(family: Family, rng: np.random.Generator) -> Sample:
    """100 rows, 30 independent features, of which five count."""
    X = rng.standard_normal((100, 30))
    return _observed(X, [3.0, -2.0, 1.5, -1.0, 0.5], [f"x{i + 1}" for i in range(30)], family, rng)


def _groups(family: Family, rng: np.random.Generator) -> Sample:
    """Zou and Hastie (2005), example 4: three hidden factors, each seen five times with a little noise, and 25 idle
    features. The lasso picks one of each group, the elastic net keeps the group together."""
    factors = np.repeat(rng.standard_normal((50, 3)), 5, axis=1)
    X = np.column_stack([factors + 0.1 * rng.standard_normal((50, 15)), rng.standard_normal((50, 25))])
    names = [f"{group}{i + 1}" for group in "abc" for i in range(5)] + [f"idle{i + 1}" for i in range(25)]
    return _observed(X, [1.0] * 15, names, family, rng)


def _wide(family: Family, rng: np.random.Generator) -> Sample:
    """Many more features than rows, as of genes: 60 rows, 500 features, of which six count."""
    X = rng.standard_normal((60, 500))
    return _observed(X, [2.0, -2.0, 1.5, -1.5, 1.0, -1.0], [f"gene{i + 1}" for i in range(500)], family, rng)


def _observed(
    X: Array, coefficients: list[float], names: list[str], family: Family, rng: np.random.Generator
) -> Sample:
    """The response of X in a family: with noise of standard deviation 1, or classes drawn by their probabilities."""
    K = _OBSERVED_CLASSES if family == "multinomial" else 1
    owner = np.arange(len(coefficients)) * K // len(coefficients)  # each class has its own stretch of features
    truth = np.zeros((K, X.shape[1]))
    truth[owner, np.arange(len(coefficients))] = coefficients
    eta = X @ truth.T
    if family == "linear":
        return Sample(tuple(names), X, eta[:, 0] + rng.standard_normal(len(X)), truth)
    chance = means(family, eta)
    draw = rng.random((len(X), 1))
    labels = np.array(["no", "yes"] if family == "logistic" else ["A", "B", "C"], dtype=object)
    drawn = (draw < chance)[:, 0].astype(int) if K == 1 else (draw > chance.cumsum(axis=1)).sum(axis=1).clip(0, K - 1)
    return Sample(tuple(names), X, labels[drawn], truth)


_BUNDLED: Mapping[str, str] = MappingProxyType(
    {"diabetes": "load_diabetes", "cancer": "load_breast_cancer", "wine": "load_wine"}
)
_MADE_UP: Mapping[str, Callable[[Family, np.random.Generator], Sample]] = MappingProxyType(
    {"sparse": _sparse, "groups": _groups, "wide": _wide}
)
