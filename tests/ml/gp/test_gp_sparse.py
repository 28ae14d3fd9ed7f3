"""SGPR against the exact posterior, its gradients, its bracket, and data with a known noise."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from studio.ml.gp.errors import BadData, BadKernel
from studio.ml.gp.exact import Posterior
from studio.ml.gp.fitting import completed, fit
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import LinearMean
from studio.ml.gp.model import Data, Model, points
from studio.ml.gp.sparse import SparsePosterior, spread

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 10, 60)
DATA = Data.of(X, np.sin(X) + 0.2 * RNG.standard_normal(60), RNG.uniform(0.01, 0.1, 60))
MODEL = Model(parse("1.2*RBF(0.9) + 0.3*Matern52(2)"), 0.03, LinearMean(0.1, (0.05,)))
GRID = points(np.linspace(-1, 11, 30))


def test_with_every_point_inducing_it_is_exact() -> None:
    exact, sparse = Posterior.of(MODEL, DATA), SparsePosterior.of(MODEL, DATA, DATA.x)
    assert sparse.evidence.total == pytest.approx(exact.evidence.total, abs=1e-4)
    assert sparse.upper() == pytest.approx(exact.evidence.total, abs=1e-4)
    np.testing.assert_allclose(sparse.predict(GRID).mean, exact.predict(GRID).mean, atol=1e-6)
    np.testing.assert_allclose(sparse.predict(GRID).variance, exact.predict(GRID).variance, atol=1e-6)
    np.testing.assert_allclose(sparse.gradient(), exact.gradient(), atol=1e-3)


@pytest.mark.parametrize("count", [1, 4, 12, 30])
def test_the_exact_evidence_lies_between_the_bounds(count: int) -> None:
    sparse = SparsePosterior.of(MODEL, DATA, spread(MODEL, DATA, count))
    exact = Posterior.of(MODEL, DATA).evidence.total
    assert sparse.evidence.total <= exact + 1e-6 <= sparse.upper() + 2e-6


def test_more_inducing_points_tighten_the_bound() -> None:
    bounds = [SparsePosterior.of(MODEL, DATA, spread(MODEL, DATA, m)).evidence.total for m in (2, 5, 10, 20)]
    assert bounds == sorted(bounds)


def test_bound_is_titsias_formula() -> None:
    Z, noise = points(np.linspace(0, 10, 6)), DATA.noise_of(MODEL)
    cross, residual = MODEL.kernel(DATA.x, Z), DATA.y - MODEL.mean(DATA.x)
    Q = cross @ np.linalg.solve(MODEL.kernel(Z), cross.T)
    covariance = Q + np.diag(noise)
    _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    expected = -0.5 * (log_determinant + residual @ np.linalg.solve(covariance, residual))
    expected -= 0.5 * ((MODEL.kernel.diagonal(DATA.x) - Q.diagonal()) / noise).sum()
    assert SparsePosterior.of(MODEL, DATA, Z).evidence.total == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("text", ["1.2*RBF(0.9) + 0.3*Matern52(2)", "Linear*Periodic(3) + RQ", "ArcCosine + RBF"])
def test_gradient_by_finite_differences(text: str) -> None:
    Z, step = points(np.linspace(0, 10, 7)), 1e-5
    model = Model(parse(text), 0.03, LinearMean(0.1, (0.05,)))
    theta = model.theta

    def value(moved: np.ndarray) -> float:
        return SparsePosterior.of(model.with_theta(moved), DATA, Z).evidence.total

    expected = [(value(theta + e) - value(theta - e)) / 2 / step for e in step * np.eye(len(theta))]
    np.testing.assert_allclose(SparsePosterior.of(model, DATA, Z).gradient(), expected, rtol=1e-5, atol=1e-4)


def test_gradient_by_the_inducing_points() -> None:
    x = RNG.normal(size=(40, 2))
    data, model = Data.of(x, x[:, 0] * x[:, 1]), Model(parse("RBF([1, 0.7])"), 0.1)
    Z, step = RNG.normal(size=(4, 2)), 1e-5
    ours = SparsePosterior.of(model, data, Z).gradient_by_inducing()
    for i, axis in np.ndindex(*Z.shape):
        there, back = Z.copy(), Z.copy()
        there[i, axis] += step
        back[i, axis] -= step
        ahead, behind = (SparsePosterior.of(model, data, at).evidence.total for at in (there, back))
        assert ours[i, axis] == pytest.approx((ahead - behind) / 2 / step, abs=1e-3)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    Z = points(np.linspace(0, 10, 7))
    whole = SparsePosterior.of(MODEL, DATA, Z)
    value, gradient, pulls = whole.evidence.total, whole.gradient(), whole.gradient_by_inducing()
    monkeypatch.setattr("studio.ml.gp.sparse.BLOCK", 7)
    parts = SparsePosterior.of(MODEL, DATA, Z)
    assert parts.evidence.total == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(parts.gradient(), gradient, atol=1e-8)
    np.testing.assert_allclose(parts.gradient_by_inducing(), pulls, atol=1e-8)


def test_fit_recovers_the_noise_of_many_points() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 10, 4000)
    data = Data.of(x, np.sin(2 * x) + 0.2 * rng.standard_normal(4000))
    model = Model(parse("1*RBF(1)"), 0.5)
    inducing = spread(model, data, 30)
    fitted = completed(fit(model, data, condition=partial(SparsePosterior.of, inducing=inducing)))
    # 4,000 points tell the standard deviation of the noise to 0.2 / sqrt(8000), that is 1.1 %.
    assert np.sqrt(fitted.model.noise) == pytest.approx(0.2, rel=0.035)
    sparse = SparsePosterior.of(fitted.model, data, inducing)
    np.testing.assert_allclose(sparse.predict(points([1.0, 4.0])).mean, np.sin([2.0, 8.0]), atol=0.05)


def test_spread_takes_no_more_than_are_needed() -> None:
    repeated = Data.of([1.0, 1.0, 2.0, 2.0], np.zeros(4))
    assert sorted(spread(Model(parse("RBF"), 0.1), repeated, 10)[:, 0]) == [1, 2]


def test_inducing_points_on_each_other_do_no_harm() -> None:
    once, twice = points([2.0, 5.0]), points([2.0, 2.0, 5.0])
    one, two = (SparsePosterior.of(MODEL, DATA, Z).evidence.total for Z in (once, twice))
    assert one == pytest.approx(two, abs=1e-4)


def test_what_the_bound_cannot_do_is_said() -> None:
    with pytest.raises(BadKernel, match="noise above 0"):
        SparsePosterior.of(Model(parse("RBF")), Data.of([1.0], [1.0]), points([1.0]))
    with pytest.raises(BadKernel, match="Take White out"):
        SparsePosterior.of(Model(parse("RBF + White"), 0.1), DATA, points([1.0]))
    with pytest.raises(BadData, match=r"\[points, 1\]"):
        SparsePosterior.of(MODEL, DATA, np.zeros((3, 2)))


def test_jointly_the_values_are_those_of_the_exact_posterior_where_the_inducing_points_are_the_data():
    x = np.linspace(-2, 2, 15)[:, None]
    data = Data.of(x, np.sin(3 * x[:, 0]))
    model = Model(parse("1.3*Matern52(0.6)"), 0.04)
    at = np.linspace(-3, 3, 40)[:, None]
    found, exact = SparsePosterior.of(model, data, x).at(at), Posterior.of(model, data).at(at)
    assert np.abs(found.mean - exact.mean).max() < 1e-7 and np.abs(found.covariance - exact.covariance).max() < 1e-7
