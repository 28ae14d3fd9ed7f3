"""The exact posterior against scikit-learn, the formula as written, and closed forms; bad input."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as sk

from studio.ml.gp.errors import BadData, BadKernel, NotPositiveDefinite
from studio.ml.gp.exact import Posterior
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import conditional, joint, prior
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import ConstantMean, LinearMean
from studio.ml.gp.model import Data, Model, points

GRID = points(np.linspace(-1, 11, 60))
SHARED: dict[str, sk.Kernel] = {
    "1.2*RBF(0.4)": sk.ConstantKernel(1.2) * sk.RBF(0.4),
    "Matern12(0.7)": sk.Matern(0.7, nu=0.5),
    "Matern32(0.7)": sk.Matern(0.7, nu=1.5),
    "Matern52(0.7)": sk.Matern(0.7, nu=2.5),
    "RQ(0.8, 1.7)": sk.RationalQuadratic(0.8, 1.7),
    "Periodic(3.1, 0.9)": sk.ExpSineSquared(0.9, 3.1),
    "Linear + 0.7": sk.DotProduct(math.sqrt(0.7)),
    "Polynomial(2, 0.7)": sk.DotProduct(math.sqrt(0.7)) ** 2,
    "RBF + 2": sk.RBF(1.0) + sk.ConstantKernel(2.0),
    "RBF + White(0.2)": sk.RBF(1.0) + sk.WhiteKernel(0.2),
    "2*RBF(3)*Periodic(2) + 0.5*RQ(0.7, 2)": 2.0 * sk.RBF(3.0) * sk.ExpSineSquared(1.0, 2.0)
    + 0.5 * sk.RationalQuadratic(0.7, 2.0),
}
NOISE = 0.05


def sine(n: int, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, n)
    return Data.of(x, np.sin(x) + 0.2 * rng.standard_normal(n))


@pytest.mark.parametrize("text", SHARED)
@pytest.mark.parametrize("n", [1, 2, 10, 100, 1000])
def test_agrees_with_scikit_learn(text: str, n: int) -> None:
    """Mean and standard deviation to 1e-8, log marginal likelihood and its gradient to 1e-8 of its size."""
    data = sine(n)
    oracle = GaussianProcessRegressor(SHARED[text], alpha=NOISE, optimizer=None).fit(data.x, data.y)
    posterior = Posterior.of(Model(parse(text), NOISE), data)
    mean, std = oracle.predict(GRID, return_std=True)
    prediction = posterior.predict(GRID)
    np.testing.assert_allclose(prediction.mean, mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(prediction.variance), std, atol=1e-8)
    assert posterior.evidence.total == pytest.approx(oracle.log_marginal_likelihood_value_, rel=1e-8)
    # Their hyper-parameters are the same ones in another order; sigma_0 of DotProduct enters squared.
    if n <= 100 and "Polynomial" not in text and "Linear" not in text:
        _, gradient = oracle.log_marginal_likelihood(oracle.kernel_.theta, eval_gradient=True)
        np.testing.assert_allclose(sorted(posterior.gradient()[:-1]), sorted(gradient), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("n", [10, 1000])
def test_ard_agrees_with_scikit_learn(n: int) -> None:
    rng = np.random.default_rng(0)
    x, grid = rng.uniform(0, 3, (n, 3)), rng.uniform(0, 3, (20, 3))
    data = Data.of(x, np.sin(x[:, 0]) + x[:, 1] + 0.1 * rng.standard_normal(n))
    oracle = GaussianProcessRegressor(sk.RBF([0.5, 1.0, 2.0]), alpha=NOISE, optimizer=None).fit(x, data.y)
    posterior = Posterior.of(Model(parse("RBF([0.5, 1, 2])"), NOISE), data)
    mean, std = oracle.predict(grid, return_std=True)
    np.testing.assert_allclose(posterior.predict(grid).mean, mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(posterior.predict(grid).variance), std, atol=1e-8)
    value, gradient = oracle.log_marginal_likelihood(oracle.kernel_.theta, eval_gradient=True)
    assert posterior.evidence.total == pytest.approx(value, rel=1e-8)
    np.testing.assert_allclose(posterior.gradient()[:3], gradient, rtol=1e-7)


@pytest.mark.parametrize("mean", [ConstantMean(0.7), LinearMean(0.3, (-0.2,))])
def test_is_the_formula(mean: ConstantMean | LinearMean) -> None:
    noise = np.linspace(0, 0.3, 8)
    data = Data.of(np.arange(8.0), np.cos(np.arange(8.0)), noise)
    model = Model(parse("1.2*RBF(1.4)"), 0.01, mean)
    posterior, both = Posterior.of(model, data), joint(model, data, GRID)
    expected = conditional(both, data.y)
    np.testing.assert_allclose(posterior.predict(GRID).mean, expected.mean, atol=1e-10)
    np.testing.assert_allclose(posterior.predict(GRID).variance, expected.covariance.diagonal(), atol=1e-10)
    np.testing.assert_allclose(posterior.at(GRID).mean, expected.mean, atol=1e-10)
    np.testing.assert_allclose(posterior.at(GRID).covariance, expected.covariance, atol=1e-10)
    assert posterior.evidence.total == pytest.approx(multivariate_normal(both.mu1, both.S11).logpdf(data.y), rel=1e-10)


@pytest.mark.parametrize("text", ["1.2*RBF(0.4) + Periodic(1)*Linear", "ArcCosine(1, 2, 0.5)", "Matern32 + White(0.1)"])
def test_gradient_by_finite_differences_with_noise_and_mean(text: str) -> None:
    data = Data.of(sine(20).x, sine(20).y, np.linspace(0.01, 0.2, 20))
    model = Model(parse(text), 0.05, LinearMean(0.3, (-0.2,)))
    theta, step = model.theta, 1e-6

    def value(moved: NDArray[np.float64]) -> float:
        return Posterior.of(model.with_theta(moved), data).evidence.total

    expected = [(value(theta + e) - value(theta - e)) / 2 / step for e in step * np.eye(len(theta))]
    np.testing.assert_allclose(Posterior.of(model, data).gradient(), expected, rtol=1e-5, atol=1e-6)
    assert [p.name for p in model.parameters()][-3:] == ["noise", "mean intercept", "mean slope 1"]


def test_leave_one_out_is_what_the_others_predict() -> None:
    data = Data.of(sine(15).x, sine(15).y, np.linspace(0, 0.3, 15))
    model = Model(parse("1.2*RBF(0.8)"), 0.04, ConstantMean(0.2))
    left = Posterior.of(model, data).leave_one_out()
    for i in range(len(data)):
        mean, variance = (float(v[0]) for v in Posterior.of(model, data.without(i)).predict(data.x[i : i + 1]))
        variance += float(data.noise_of(model)[i])
        assert (left.mean[i], left.variance[i]) == (pytest.approx(mean, abs=1e-9), pytest.approx(variance, rel=1e-9))
        assert left.log_density[i] == pytest.approx(norm(mean, math.sqrt(variance)).logpdf(data.y[i]), rel=1e-8)


def test_perfect_observations_are_met_exactly() -> None:
    data = Data.of([0.0, 1.0, 2.5], [1.0, -1.0, 0.5])
    prediction = Posterior.of(Model(parse("Matern32")), data).predict(data.x)
    np.testing.assert_allclose(prediction.mean, data.y, atol=1e-12)
    np.testing.assert_allclose(prediction.variance, 0, atol=1e-12)


def test_no_points_leave_the_prior() -> None:
    model = Model(parse("1.2*RBF"), 0.1, ConstantMean(2.0))
    posterior = Posterior.of(model, Data.of([], []))
    assert posterior.evidence.total == 0
    np.testing.assert_array_equal(posterior.predict(GRID).mean, 2)
    np.testing.assert_array_equal(posterior.predict(GRID).variance, 1.2)
    np.testing.assert_array_equal(posterior.at(GRID).covariance, prior(model, GRID).covariance)
    np.testing.assert_array_equal(posterior.gradient(), 0)
    assert len(posterior.leave_one_out().mean) == 0


def test_one_point_by_hand() -> None:
    """k = 1, noise 1: the mean at the point is y / 2, the variance 1 / 2, log p(y) = log N(y | 0, 2)."""
    posterior = Posterior.of(Model(parse("RBF"), 1.0), Data.of([3.0], [4.0]))
    prediction = posterior.predict(points([3.0]))
    assert (prediction.mean[0], prediction.variance[0]) == (pytest.approx(2), pytest.approx(0.5))
    evidence = posterior.evidence
    assert evidence.fit == pytest.approx(-4)
    assert evidence.complexity == pytest.approx(-math.log(2) / 2)
    assert evidence.total == pytest.approx(norm(0, math.sqrt(2)).logpdf(4))


def test_contradicting_points_without_noise_take_a_jitter_that_is_told() -> None:
    posterior = Posterior.of(Model(parse("RBF")), Data.of([1.0, 1.0, 2.0], [0.0, 1.0, 0.0]))
    assert 0 < posterior.factor.jitter <= 1e-10
    assert posterior.predict(points([1.0])).mean[0] == pytest.approx(0.5, abs=1e-3)
    assert Posterior.of(Model(parse("RBF"), 0.1), posterior.data).factor.jitter == 0


def test_constant_and_identical_data_are_data() -> None:
    same = Posterior.of(Model(parse("RBF"), 0.1), Data.of([1.0] * 30, [2.0] * 30))
    assert same.predict(points([1.0])).mean[0] == pytest.approx(2 * 30 / 30.1)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_units_do_not_matter(scale: float, axis: str) -> None:
    """The same data in other units, with the kernel in those units, give the same answer in those units."""
    data, model = sine(30), Model(parse("1.3*RBF(0.9)"), 0.04)
    plain = Posterior.of(model, data).predict(GRID)
    if axis == "x":
        moved = Posterior.of(Model(parse(f"1.3*RBF({0.9 * scale})"), 0.04), Data.of(data.x * scale, data.y))
        ours, back = moved.predict(GRID * scale), 1.0
    else:
        scaled = Model(parse(f"{1.3 * scale**2}*RBF(0.9)"), 0.04 * scale**2)
        ours, back = Posterior.of(scaled, Data.of(data.x, data.y * scale)).predict(GRID), 1 / scale
    np.testing.assert_allclose(ours.mean * back, plain.mean, atol=1e-9)
    np.testing.assert_allclose(ours.variance * back**2, plain.variance, atol=1e-9)


def test_a_matrix_that_is_not_positive_definite_says_so() -> None:
    with pytest.raises(NotPositiveDefinite, match=r"2 points is not .* even with 1\.0e-04 .* Raise the noise"):
        Factor.of(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_condition_is_about_the_real_one() -> None:
    posterior = Posterior.of(Model(parse("RBF"), 1e-6), Data.of(np.linspace(0, 3, 9), np.zeros(9)))
    exact = np.linalg.cond(posterior.kernel_matrix + 1e-6 * np.eye(9), 1)
    assert 0.3 * exact < posterior.condition <= 1.001 * exact
    assert Posterior.of(posterior.model, Data.of([], [])).condition == 1


@pytest.mark.parametrize(("x", "y", "noise", "says"), [
    ([1, 2], [1], None, "2 x but 1 y"),
    ([1, 2], [1, math.nan], None, "y has 1 value that are not finite numbers, the first at position 2"),
    ([1, math.inf], [1, 2], None, "x has 1 value"),
    (["a", "b"], [1, 2], None, "x must be numbers"),
    (np.zeros((2, 2, 2)), [1, 2], None, "list of numbers or a table"),
    (np.zeros((2, 0)), [1, 2], None, "list of numbers or a table"),
    ([1, 2], [[1], [2]], None, "y must be a list"),
    ([1, 2], [1, 2], [1], "2 points but 1 noise"),
    ([1, 2], [1, 2], [1, -1], "give 0 or more"),
])  # fmt: skip
def test_bad_data_say_what_is_wrong(x: object, y: object, noise: object, says: str) -> None:
    with pytest.raises(BadData, match=says):
        Data.of(x, y, noise)


def test_wrong_dimensions_and_noise_are_refused() -> None:
    posterior = Posterior.of(Model(parse("RBF"), 0.1), sine(3))
    with pytest.raises(BadData, match="2 dimensions, but the data 1"):
        posterior.predict(np.zeros((4, 2)))
    with pytest.raises(BadKernel, match="noise variance"):
        Model(parse("RBF"), -0.1)
    with pytest.raises(BadKernel, match="1 slopes, but the inputs have 2"):
        LinearMean()(np.zeros((4, 2)))


def test_evidence_terms_add_up_to_the_density() -> None:
    for n, noise in itertools.product((1, 5), (0.01, 1.0)):
        evidence = Posterior.of(Model(parse("RBF"), noise), sine(n)).evidence
        assert evidence.total == pytest.approx(evidence.fit + evidence.complexity - n / 2 * math.log(2 * math.pi))
