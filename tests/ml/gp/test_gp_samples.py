"""Samples, slopes, integrals and components against closed forms and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from studio.ml.gp.calculus import running_integral, slope
from studio.ml.gp.components import decomposed, noise_apart, terms
from studio.ml.gp.errors import BadData, BadKernel, GPError, NotDifferentiable
from studio.ml.gp.exact import Posterior
from studio.ml.gp.formula import Gaussian, prior
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import LinearMean
from studio.ml.gp.model import Data, Model, points
from studio.ml.gp.samples import Pathwise, drawn, normals, posterior_samples, turned

GRID = points(np.linspace(-0.5, 5.5, 40))
X = np.array([0.0, 1.0, 2.2, 4.0])
DATA = Data.of(X, np.sin(X), [0.0, 0.01, 0.1, 0.02])
MODEL = Model(parse("1.2*RBF(0.8)"), 0.01, LinearMean(0.1, (0.2,)))


def moments(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return samples.mean(axis=0), np.cov(samples.T)


@pytest.mark.parametrize("angle", [0.0, 1.1])
def test_samples_have_the_posterior_as_their_distribution(angle: float) -> None:
    count, exact = 20_000, Posterior.of(MODEL, DATA).at(GRID)
    mean, covariance = moments(posterior_samples(MODEL, DATA, GRID, 0, count, angle))
    # Standard errors of a mean and of a covariance of variance at most 1.2 are 0.008 and 0.012.
    np.testing.assert_allclose(mean, exact.mean, atol=0.04)
    np.testing.assert_allclose(covariance, exact.covariance, atol=0.06)


def test_pathwise_samples_agree_with_the_posterior() -> None:
    """2,000 functions with 2,000 features; the features' error in the covariance is about 1.2 / sqrt(2000) = 0.03."""
    exact = Posterior.of(MODEL, DATA).at(GRID)
    mean, covariance = moments(Pathwise.of(MODEL, DATA, 0, 2000)(GRID))
    np.testing.assert_allclose(mean, exact.mean, atol=0.12)
    np.testing.assert_allclose(covariance, exact.covariance, atol=0.2)


def test_pathwise_functions_meet_perfect_observations_exactly() -> None:
    data = Data.of(X, np.cos(X))
    for text in ("RBF(0.8)", "Linear*Periodic(3) + Matern52"):
        values = Pathwise.of(Model(parse(text)), data, 3, 5, features=300)(data.x)
        np.testing.assert_allclose(values, np.tile(data.y, (5, 1)), atol=1e-7)


def test_the_same_seed_is_the_same_function_that_bends_with_its_points() -> None:
    moved = Data.of(X, DATA.y + np.array([0, 1e-6, 0, 0]), DATA.noise)
    for of in (
        lambda data: posterior_samples(MODEL, data, GRID, 5, 3),
        lambda data: Pathwise.of(MODEL, data, 5, 3)(GRID),
    ):
        np.testing.assert_array_equal(of(DATA), of(DATA))
        assert 0 < np.abs(of(moved) - of(DATA)).max() < 3e-6
    sideways = Data.of(X + np.array([0, 1e-6, 0, 0]), DATA.y, DATA.noise)
    bent = posterior_samples(MODEL, sideways, GRID, 5, 3) - posterior_samples(MODEL, DATA, GRID, 5, 3)
    assert np.abs(bent).max() < 1e-3


def test_another_point_keeps_the_noise_of_the_others() -> None:
    """The prior function and the noise of the first points belong to the seed, so far away nothing changes."""
    more = Data.of([*X, 30.0], [*DATA.y, 1.0], [*DATA.noise, 0.01])
    np.testing.assert_allclose(Pathwise.of(MODEL, more, 5, 3)(GRID), Pathwise.of(MODEL, DATA, 5, 3)(GRID), atol=1e-10)


def test_normals_turn_in_a_circle() -> None:
    np.testing.assert_allclose(turned(1, 30, 4, 2 * math.pi), turned(1, 30, 4, 0.0), atol=1e-14)
    np.testing.assert_array_equal(normals(1, 50, 4)[:30], normals(1, 30, 4))


def test_a_certain_value_is_its_own_sample() -> None:
    np.testing.assert_array_equal(drawn(Gaussian(np.ones(3), np.zeros((3, 3))), normals(0, 3, 2)), np.ones((2, 3)))
    with pytest.raises(BadData, match="3 values need"):
        drawn(Gaussian(np.ones(3), np.eye(3)), normals(0, 4, 2))


def test_no_data_give_prior_functions() -> None:
    nothing = Data.of(np.empty((0, 1)), [])
    values = Pathwise.of(MODEL, nothing, 0, 4000, features=500)(GRID[:5])
    np.testing.assert_allclose(values.mean(axis=0), MODEL.mean(GRID[:5]), atol=0.1)
    np.testing.assert_allclose(np.cov(values.T), prior(MODEL, GRID[:5]).covariance, atol=0.2)


@pytest.mark.parametrize("text", ["1.2*RBF(0.8)", "Matern32 + White(0.1)", "Linear*Periodic(3) + RQ", "Matern52"])
def test_slope_is_that_of_the_mean_and_of_the_samples(text: str) -> None:
    posterior, step = Posterior.of(Model(parse(text), 0.01, LinearMean(0.1, (0.2,))), DATA), 1e-4
    function = Posterior.of(noise_apart(posterior.model), DATA)
    ours = slope(posterior, GRID)
    ahead, behind = function.predict(GRID + step).mean, function.predict(GRID - step).mean
    np.testing.assert_allclose(ours.mean, (ahead - behind) / (2 * step), atol=1e-5)
    for i in (0, 7, 23):
        two = function.at(np.array([GRID[i] - 0.005, GRID[i] + 0.005])).covariance
        rise = (two[0, 0] + two[1, 1] - two[0, 1] - two[1, 0]) / 0.01**2
        assert ours.variance[i] == pytest.approx(rise, rel=0.02, abs=1e-3)


def test_slope_along_each_input() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    posterior = Posterior.of(Model(parse("RBF([1, 2])"), 0.01), Data.of(x, x[:, 0] - 2 * x[:, 1]))
    at = np.array([[0.1, 0.2]])
    for axis in (0, 1):
        step = 1e-5 * np.eye(2)[axis]
        expected = (posterior.predict(at + step).mean - posterior.predict(at - step).mean) / 2e-5
        np.testing.assert_allclose(slope(posterior, at, axis).mean, expected, atol=1e-6)


def test_many_slopes_are_those_of_few() -> None:
    posterior, many = Posterior.of(MODEL, DATA), points(np.linspace(0, 5, 600))
    np.testing.assert_allclose(slope(posterior, many).variance[::7], slope(posterior, many[::7]).variance, atol=1e-10)


def test_rough_functions_have_no_slope() -> None:
    with pytest.raises(NotDifferentiable, match="Matern12 have no derivative"):
        slope(Posterior.of(Model(parse("Matern12"), 0.1), DATA), GRID)


def test_integral_of_the_mean_in_closed_form() -> None:
    """For RBF, the integral of k(x, x_i) over x is a difference of error functions."""
    posterior = Posterior.of(Model(parse("1.2*RBF(0.8) + White(0.05)"), 0.01), DATA)
    edges = np.linspace(-1, 5, 61)
    ours = running_integral(posterior, edges)
    scaled = (edges[:, None] - X) / (0.8 * math.sqrt(2))
    area = 1.2 * 0.8 * math.sqrt(math.pi / 2) * (erf(scaled) - erf(scaled[0]))
    np.testing.assert_allclose(ours.mean, area @ posterior.alpha, atol=1e-9)
    assert (ours.mean[0], ours.variance[0]) == (0, 0)


def test_variance_of_the_integral_before_data_in_closed_form() -> None:
    """Double integral of exp(-(x - x')^2 / 2) over [0, 2]^2, by hand."""
    posterior = Posterior.of(Model(parse("RBF")), Data.of([], []))
    expected = 2 * (2 * math.sqrt(math.pi / 2) * math.erf(2 / math.sqrt(2)) + math.exp(-2) - 1)
    assert running_integral(posterior, np.linspace(0, 2, 30)).variance[-1] == pytest.approx(expected, rel=1e-8)


def test_integrals_that_cannot_be_are_refused() -> None:
    posterior = Posterior.of(MODEL, DATA)
    for edges in ([0.0], [0.0, 0.0], [1.0, 0.0]):
        with pytest.raises(BadData, match="each beyond the one before"):
            running_integral(posterior, np.array(edges))
    plane = Posterior.of(Model(parse("RBF"), 0.1), Data.of(np.eye(2), [0.0, 1.0]))
    with pytest.raises(BadData, match="one input dimension"):
        running_integral(plane, np.array([0.0, 1.0]))


def test_components_add_up_and_are_gaussian_conditionals() -> None:
    kernel = parse("2*RBF(3) + 0.5*(Periodic(1.5) + Matern32(0.3)) + White(0.05)")
    posterior = Posterior.of(Model(kernel, 0.01, LinearMean(0.1, (0.2,))), DATA)
    parts = decomposed(posterior, GRID)
    texts = [str(part.kernel) for part in parts]
    assert texts == ["2*RBF(3)", "0.5*Periodic(1.5, 1)", "0.5*Matern32(0.3)", "White(0.05)"]
    total = posterior.model.mean(GRID) + np.sum([part.mean for part in parts], axis=0)
    np.testing.assert_allclose(total, posterior.predict(GRID).mean, atol=1e-12)
    # One term alone is the whole with the other terms as (correlated) noise: the formula with their covariance in S11.
    part, rest = parts[0].kernel, parse("0.5*(Periodic(1.5) + Matern32(0.3)) + White(0.06)")
    S11 = part(DATA.x) + rest(DATA.x) + np.diag(DATA.noise)
    weights = np.linalg.solve(S11, part(DATA.x, GRID)).T
    np.testing.assert_allclose(parts[0].mean, weights @ (DATA.y - posterior.model.mean(DATA.x)), atol=1e-10)
    np.testing.assert_allclose(parts[0].variance, 2 - np.einsum("ij,ji->i", weights, part(DATA.x, GRID)), atol=1e-10)
    grouped = decomposed(posterior, GRID, [[0], [1, 2]])
    np.testing.assert_allclose(grouped[1].mean, parts[1].mean + parts[2].mean, atol=1e-12)
    with pytest.raises(GPError, match="4 terms, numbered from 0"):
        decomposed(posterior, GRID, [[4]])


def test_white_terms_move_into_the_noise() -> None:
    model = noise_apart(Model(parse("RBF + 2*(White(0.1) + 0.5*Linear) + White(0.03)"), 0.01))
    assert str(model.kernel) == "RBF(1) + 2*0.5*Linear(0)"
    assert model.noise == pytest.approx(0.24)
    assert noise_apart(MODEL) is MODEL
    assert len(terms(parse("RBF"))) == 1
    with pytest.raises(BadKernel, match="noise alone"):
        noise_apart(Model(parse("White"), 0.01))
