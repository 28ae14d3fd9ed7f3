"""What is to be fitted: a standardised design matrix, a response, and what had to be left out to get there.

The model is η = b + X w; its mean is η (linear), σ(η) (logistic) or softmax(η₁ … η_K) (multinomial). Columns are
centred, and by default divided by their standard deviation (with 1/n), so that one penalty λ treats all features alike,
as glmnet does (Friedman, Hastie, Tibshirani 2010, section 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Family = Literal["linear", "logistic", "multinomial"]

MAX_CLASSES = 20
_CONSTANT = 1e-12
"""A column whose spread is below this share of its own size does not vary, but for rounding."""


class UnfitData(ValueError):
    """Data that no model can be fitted to; the message says what to change."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Data ready to be fitted.

    X: [n, p], centred and, where asked, of unit standard deviation. y: [n], centred for the linear family, class
    numbers 0 … K−1 for the others. mean, scale: [p], X = (raw − mean) / scale; scale is 1 where not `standardised`.
    target_mean: what was taken off y. classes: their names, empty for the linear family. notes: in words, what was left
    out and why.
    """

    X: Array
    y: Array
    family: Family
    names: tuple[str, ...]
    mean: Array
    scale: Array
    standardised: bool = True
    target_mean: float = 0.0
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    @property
    def p(self) -> int:
        return int(self.X.shape[1])

    @property
    def outputs(self) -> int:
        """K: how many linear predictors there are, one but for the multinomial family."""
        return len(self.classes) if self.family == "multinomial" else 1

    def onehot(self) -> Array:
        """The response as [n, K]: y itself, the indicator of class 1, or of every class."""
        if self.family == "multinomial":
            indicators: Array = np.eye(self.outputs)[self.y.astype(int)]
            return indicators
        return self.y[:, None]

    def rows(self, index: npt.NDArray[np.intp]) -> Problem:
        """Some rows alone, centred and scaled anew: nothing is known of the others. A constant column becomes zero."""
        raw, y = self.X[index] * self.scale + self.mean, self.y[index] + self.target_mean
        mean, spread = raw.mean(axis=0), raw.std(axis=0)
        varies = _varies(raw, spread)
        scale = np.where(varies & self.standardised, spread, 1.0)
        middle = float(y.mean()) if self.family == "linear" else 0.0
        X = np.where(varies, (raw - mean) / scale, 0.0)
        return replace(self, X=X, y=y - middle, mean=mean, scale=scale, target_mean=middle)

    def columns(self, index: Sequence[int]) -> Problem:
        """The same rows with these features only."""
        at = list(index)
        names = tuple(self.names[i] for i in at)
        return replace(self, X=self.X[:, at], names=names, mean=self.mean[at], scale=self.scale[at])


def prepare(
    features: npt.ArrayLike,
    target: Sequence[Any] | npt.NDArray[Any],
    names: Sequence[str],
    family: Family,
    *,
    standardise: bool = True,
) -> Problem:
    """Leave out what cannot be used, centre and scale the rest.

    features: [n, p] numbers, NaN or infinite where missing. target: [n] numbers, or labels for the families with
    classes; None, "" or NaN where missing. Raises UnfitData.
    """
    X = np.asarray(features, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != len(names):
        raise UnfitData(f"{len(names)} names do not fit a table of shape {X.shape}; give one name a column.")
    whole, notes = _whole_rows(X, target)
    X, kept_target = X[whole], np.asarray(target, dtype=object)[whole]
    if len(X) < 2:
        raise UnfitData(f"Only {len(X)} rows are complete; at least 2 are needed. Leave out columns with gaps.")
    y, classes, middle = _response(kept_target, family)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    varies = _varies(X, scale)
    if not varies.any():
        raise UnfitData("Every feature is constant, so none can explain anything. Choose other columns.")
    for name in np.asarray(names, dtype=object)[~varies]:
        notes.append(f"“{name}” is constant and was left out")
    mean, scale = mean[varies], scale[varies] if standardise else np.ones(int(varies.sum()))
    return Problem(
        (X[:, varies] - mean) / scale,
        y,
        family,
        tuple(str(name) for name, vary in zip(names, varies, strict=True) if vary),
        mean,
        scale,
        standardise,
        middle,
        classes,
        tuple(notes),
    )


def _varies(X: Array, spread: Array) -> npt.NDArray[np.bool_]:
    """[p]: whether a column varies by more than rounding."""
    varies: npt.NDArray[np.bool_] = spread > _CONSTANT * np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    return varies


def _whole_rows(X: Array, target: Sequence[Any] | npt.NDArray[Any]) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Which rows have every number and a response, and a note on the others."""
    if len(target) != len(X):
        raise UnfitData(f"There are {len(X)} rows of features but {len(target)} responses; give as many of each.")
    known = np.array([not _missing(value) for value in target], dtype=bool)
    whole = np.isfinite(X).all(axis=1) & known
    lost = int((~whole).sum())
    return whole, [f"{lost} of {len(X)} rows have gaps and were left out"] if lost else []


def family_of(target: Sequence[Any] | npt.NDArray[Any]) -> Family:
    """The family that suits a response: classes for text and for two values, linear for other numbers."""
    values = {value for value in target if not _missing(value)}
    if len(values) == 2:
        return "logistic"
    return "multinomial" if any(isinstance(value, str) for value in values) else "linear"


def _missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, (float, np.floating)) and not np.isfinite(value)


def _response(target: npt.NDArray[Any], family: Family) -> tuple[Array, tuple[str, ...], float]:
    """(y, classes, what was taken off y). Raises UnfitData."""
    if family == "linear":
        return _numbers(target)
    values = sorted(set(target.tolist()), key=lambda value: (isinstance(value, str), value))
    labels = [_label(value) for value in values]
    if len(values) < 2:
        raise UnfitData(f"Every row is of the class “{labels[0]}”; two classes at least are needed to tell apart.")
    if len(values) > MAX_CLASSES:
        raise UnfitData(
            f"The response has {len(values)} different values, too many for classes ({MAX_CLASSES} at most). "
            "Choose the linear family, or another response."
        )
    if family == "logistic" and len(values) > 2:
        raise UnfitData(f"The response has {len(values)} classes; logistic takes two. Choose the multinomial family.")
    number = {value: i for i, value in enumerate(values)}
    return np.array([number[value] for value in target.tolist()], dtype=np.float64), tuple(labels), 0.0


def _numbers(target: npt.NDArray[Any]) -> tuple[Array, tuple[str, ...], float]:
    try:
        y = target.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UnfitData(
            "The response holds text, not numbers. Choose the logistic or multinomial family, or another response."
        ) from error
    if y.std() <= _CONSTANT * max(float(np.abs(y).max()), np.finfo(float).tiny):
        raise UnfitData(f"The response is {y[0]:g} in every row; there is nothing to explain. Choose another response.")
    return y - y.mean(), (), float(y.mean())


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else str(value)
