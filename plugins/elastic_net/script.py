"""“Copy as Python”: the fit as a script for scikit-learn alone, which prints the same coefficients."""

from __future__ import annotations

from studio.ml.linear.problem import Family
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.results import Answer

_HEAD = '''\
"""An elastic net of Glassbox Studio, with scikit-learn alone: lambda = {strength:.6g}, alpha = {mix:g}."""

import numpy as np
import pandas as pd
{imports}
{load}
complete = np.isfinite(X).all(axis=1) & pd.notna(y)
X, y = X[complete], y[complete]
varies = X.std(axis=0) > 1e-12 * np.abs(X).max(axis=0)
X, names = X[:, varies], np.array(names)[varies]
Z = (X - X.mean(axis=0)){scaling}

{fit}
for name, coefficient in zip(names, np.atleast_2d(model.coef_).T):
    print(f"{{name:>24}}", *(f"{{value:12.6g}}" for value in coefficient))
print(f"{{'intercept':>24}}", *(f"{{value:12.6g}}" for value in np.atleast_1d(model.intercept_)))
'''
_TABLE = """\
frame = {reading}
frame.columns = [str(name).strip() for name in frame.columns]
numbers = frame.drop(columns=[{target!r}, *{without!r}]).apply(pd.to_numeric, errors="coerce").dropna(axis=1, how="all")
X, y, names = numbers.to_numpy(float), frame[{target!r}].to_numpy(), list(numbers.columns)
"""
_LABELLED = "X, y, names = data.data, data.target_names[data.target], list(data.feature_names)\n"
_SAMPLE = {
    "diabetes": "data = load_diabetes(scaled=False)\nX, y, names = data.data, data.target, list(data.feature_names)\n",
    "cancer": "data = load_breast_cancer()\n" + _LABELLED,
    "wine": "data = load_wine()\n" + _LABELLED,
}
_MADE_UP = """\
from studio.ml.linear.samples import sample  # the made-up numbers come from the studio

data = sample({name!r}, {family!r}, {seed})
X, y, names = data.features, data.target, list(data.names)
"""
_LOADERS = {"diabetes": "load_diabetes", "cancer": "load_breast_cancer", "wine": "load_wine"}


def script(answer: Answer) -> str:
    """Python source that fits what is shown."""
    request, problem = answer.request, answer.problem
    imports = ""
    if request.data in _LOADERS:
        imports = f"from sklearn.datasets import {_LOADERS[request.data]}\n"
    estimator = _estimator(answer)
    imports += f"from sklearn.linear_model import {estimator.partition('(')[0]}\n"
    return _HEAD.format(
        strength=answer.penalty.strength,
        mix=answer.penalty.mix,
        imports=imports,
        load=_loading(request, problem.family, answer.known.reading),
        scaling=" / X.std(axis=0)" if request.standardise else "",
        fit=f"model = {estimator}\nmodel.fit(Z, y{'.astype(float)' if problem.family == 'linear' else ''})",
    )


def _loading(request: ElasticNetRequest, family: Family, reading: str) -> str:
    if request.data in _SAMPLE:
        return _SAMPLE[request.data]
    if request.data != "own":
        return _MADE_UP.format(name=request.data, family=family, seed=request.seed)
    return _TABLE.format(reading=reading, target=request.target, without=list(request.without))


def _estimator(answer: Answer) -> str:
    """The estimator with the same penalty. Without L1 scikit-learn has better solvers than coordinate descent."""
    names = answer.penalty.in_scikit_learn(answer.problem.family, answer.problem.n)
    if answer.problem.family == "linear":
        if answer.penalty.mix == 0:
            return f"Ridge(alpha={answer.penalty.strength * answer.problem.n!r})"
        return f"ElasticNet(alpha={names['alpha']!r}, l1_ratio={names['l1_ratio']!r}, tol=1e-8, max_iter=100_000)"
    solver = "lbfgs" if answer.penalty.mix == 0 else "saga"
    return (
        f"LogisticRegression(C={names['C']!r}, l1_ratio={names['l1_ratio']!r}, solver={solver!r}, tol=1e-8, "
        "max_iter=100_000)"
    )
